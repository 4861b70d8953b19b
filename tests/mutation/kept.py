"""Verdicts kept from run to run, so that a run can be cut short, or follow a change of the code."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from .judge import NOT_INSTALLED, Judge, Mutant, Verdict

SURVIVED = ""
"""Stands for the killer of a mutant that no test killed, as one that changes no value should."""

ALIVE = "(none)"
"""Stands for that of one that a test should have killed: it is judged again."""


class Kept:
    """The killers of mutants by a digest of the function before and after the change.

    Parameters
    ----------
    paths : sequence of str
        JSON files, read where they exist; where one knows a mutant as alive, another that
        knows better is believed. The first is written; none keeps nothing.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.path = Path(paths[0]) if paths else None
        self.killers: dict[str, str] = {}
        for path in map(Path, paths):
            found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            for key, killer in found.items():
                if self.killers.get(key, ALIVE) == ALIVE:
                    self.killers[key] = killer

    def verdicts(self, mutants: list[Mutant], judge: Judge) -> list[Verdict]:
        """Those that a test killed which is still there, and those that rightly survived."""
        killers = {NOT_INSTALLED, *(test.item.nodeid for test in judge.tests)}
        found = []
        for mutant in mutants:
            killer = self.killers.get(digest(mutant))
            if mutant.equivalent and killer == SURVIVED:
                found.append(Verdict(mutant, None, died=False))
            elif killer in killers and not mutant.equivalent:
                found.append(Verdict(mutant, killer, died=False))
        return found

    def alive(self, mutant: Mutant) -> bool:
        """Whether it was judged, and should not have survived."""
        return self.killers.get(digest(mutant)) == ALIVE

    def add(self, verdict: Verdict) -> None:
        if verdict.kind == "equivalent":
            self.killers[digest(verdict.mutant)] = SURVIVED
        elif verdict.kind == "survived":
            self.killers[digest(verdict.mutant)] = ALIVE
        elif verdict.kind == "killed" and not verdict.died and verdict.killer is not None:
            self.killers[digest(verdict.mutant)] = verdict.killer

    def write(self) -> None:
        if self.path is not None:
            self.path.write_text(json.dumps(self.killers, indent=0), encoding="utf-8")


def digest(mutant: Mutant) -> str:
    texts = (mutant.target.name, ast.dump(mutant.target.tree), ast.dump(mutant.mutation.tree))
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=12).hexdigest()

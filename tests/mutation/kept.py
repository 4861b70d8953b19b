"""Verdicts kept from run to run, so that a run can be cut short, or follow a change of the code."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

from .judge import Judge, Mutant, Verdict


class Kept:
    """The killers of mutants by a digest of the function before and after the change.

    Parameters
    ----------
    path : str or None
        A JSON file, read where it exists; None keeps nothing.
    """

    def __init__(self, path: str | None) -> None:
        self.path = None if path is None else Path(path)
        self.killers: dict[str, str] = {}
        if self.path is not None and self.path.exists():
            self.killers = json.loads(self.path.read_text(encoding="utf-8"))

    def verdicts(self, mutants: list[Mutant], judge: Judge) -> list[Verdict]:
        """Those of the mutants that were killed by a test that is still there."""
        tests = {test.item.nodeid for test in judge.tests}
        found = [(m, self.killers.get(_digest(m))) for m in mutants if not m.equivalent]
        return [Verdict(m, killer, died=False) for m, killer in found if killer in tests]

    def add(self, verdict: Verdict) -> None:
        if verdict.kind == "killed" and not verdict.died and verdict.killer is not None:
            self.killers[_digest(verdict.mutant)] = verdict.killer

    def write(self) -> None:
        if self.path is not None:
            self.path.write_text(json.dumps(self.killers, indent=0), encoding="utf-8")


def _digest(mutant: Mutant) -> str:
    texts = (mutant.target.name, ast.dump(mutant.target.tree), ast.dump(mutant.mutation.tree))
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=12).hexdigest()

"""What a mutation test found: as text for the screen, and as docs/mutation.md."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .judge import Mutant, Verdict

INTRODUCTION = """\
# Mutation test

Every operator, sign, constant, comparison, operand, argument, sum, axis and transpose in the
mathematics of npvae is changed, one at a time, and the tests must notice each change that changes
a value. What is changed: the `forward` and `backward` of every part, the kernels, the
functions and constants of `numerics.py`, the objectives and Adam. What judges: the tests in
`tests/` that reach the changed function and are not marked as slow, without the PyTorch and JAX
witnesses of `tests/oracle`, the tests of the captured step, which take long and measure it by eager
code, and those that start programs, which would run the unchanged package. A mutant that is alive
after a minute of tests, the likeliest and the quickest first, counts as a survivor.

    python -m tests.mutation --write docs/mutation.md

With `--keep FILE` it can be cut short and go on, and after a change judges what changed; `--only`,
`--tests` and `-k` judge a few functions by a few tests.
"""


@dataclass
class Report:
    """All verdicts of a run."""

    verdicts: list[Verdict]
    unused: list[tuple[str, str]]
    """Entries of `equivalents`, (target, name of the change), that no mutant has."""
    idle: list[str]
    """Tests that do not pass on the unchanged package, or too late, and so judge nothing."""
    minutes: float
    earlier: int = 0
    """How many of the verdicts are an earlier run's, see `Kept`."""
    unjudged: list[Mutant] = field(default_factory=list)

    def of(self, kind: str) -> list[Verdict]:
        """The verdicts of a kind, in the order of the files' lines."""
        found = [v for v in self.verdicts if v.kind == kind]
        return sorted(found, key=lambda v: (v.mutant.target.file, v.mutant.mutation.line))

    @property
    def ok(self) -> bool:
        return not (self.of("survived") or self.of("refuted") or self.unused or self.unjudged)

    @property
    def score(self) -> str:
        """Killed mutants in percent of those that change a value, rounded down."""
        killed, survived = len(self.of("killed")), len(self.of("survived"))
        return f"{1000 * killed // max(killed + survived, 1) / 10:g} %"

    def __str__(self) -> str:
        listed = "listed as changing no value, but"
        problems = [
            *(f"survived: {_place(v)}\n{_diff(v)}" for v in self.of("survived")),
            *(f"{listed} {v.killer} fails: {_place(v)}\n{_diff(v)}" for v in self.of("refuted")),
            *(f"{listed} there is no such mutant: {t}: {name}" for t, name in self.unused),
            *(
                f"judges nothing, since it fails or takes too long on the unchanged package: {t}"
                for t in self.idle
            ),
            *(
                f"killed by {v.killer}, which died or took too long: {_place(v)}\n{_diff(v)}"
                for v in self.of("killed")
                if v.died
            ),
        ]
        return "\n".join([*problems, self._table(), f"score {self.score}"])

    def _kept(self) -> str:
        if not self.earlier:
            return ""
        return f", {self.earlier:,} of the verdicts being those of an earlier run"

    def _table(self) -> str:
        kinds = ["killed", "equivalent", "survived", *(["unjudged"] if self.unjudged else [])]
        counts = Counter((v.mutant.target.file, v.kind) for v in self.verdicts)
        counts.update((mutant.target.file, "unjudged") for mutant in self.unjudged)
        for (file, kind), n in list(counts.items()):
            counts["all", kind] += n
            counts[file, "mutants"] += n
            counts["all", "mutants"] += n
        files = sorted({file for file, _ in counts} - {"all"})
        names = {"equivalent": "change no value", "unjudged": "not judged"}
        head = ["file", "mutants", *(names.get(kind, kind) for kind in kinds)]
        rows = [f"| {' | '.join(head)} |", f"|---|{'--:|' * (len(head) - 1)}"]
        for file in [*files, "all"]:
            numbers = [counts[file, kind] for kind in ("mutants", *kinds)]
            numbers[1] += counts[file, "refuted"]
            rows.append(f"| {file} | {' | '.join(map(str, numbers))} |")
        return "\n".join(rows)

    def _left(self) -> str:
        return f" {len(self.unjudged):,} mutants are still to be judged." if self.unjudged else ""

    def markdown(self) -> str:
        equivalents: dict[str, list[Verdict]] = {}
        for verdict in self.of("equivalent"):
            equivalents.setdefault(verdict.mutant.equivalent, []).append(verdict)
        lines = [
            INTRODUCTION,
            f"It took about {max(1, round(self.minutes))} minutes on two cores{self._kept()}. "
            f"Score: **{self.score}** of the mutants that change a value are killed."
            f"{self._left()}\n",
            self._table(),
            "\n## Survivors\n",
            *([_listed(v) for v in self.of("survived")] or ["None."]),
            "\n## Mutants that change no value\n",
            "They survive, and must: no result differs, for the reason given.\n",
        ]
        for reason, verdicts in equivalents.items():
            lines += [f"**{reason}**\n", *map(_listed, verdicts), ""]
        return "\n".join(lines).rstrip() + "\n"


def _place(verdict: Verdict) -> str:
    mutant = verdict.mutant
    return f"{mutant.target.file}:{mutant.mutation.line} ({mutant.target.qualname})"


def _diff(verdict: Verdict) -> str:
    mutation = verdict.mutant.mutation
    return f"    - {mutation.before}\n    + {mutation.after}"


def _listed(verdict: Verdict) -> str:
    mutation = verdict.mutant.mutation
    return f"* `{verdict.mutant.target.name}`: `{mutation.before}` → `{mutation.after}`"

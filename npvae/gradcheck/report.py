"""What a gradient check found: rows, a table, and a failure message from which one can mend."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["ok", "wrong", "inconclusive", "n/a"]


@dataclass(frozen=True)
class Row:
    """One argument of one target under one method.

    Attributes
    ----------
    target, argument, method : str
    verdict : {"ok", "wrong", "inconclusive", "n/a"}
        "inconclusive": the method could not measure the gradient well enough to judge it, because
        of kinks or of rounding. "n/a": it does not apply to this function at all.
    error : float or None
        The worst relative error over the checked entries (for "taylor" the observed order of the
        remainder); None where nothing was measured.
    limit : float or None
        What `error` may be at most (for "taylor": at least).
    where : tuple of int or None
        The index of the worst entry.
    analytic, numeric : float or None
        The two gradients there; for "taylor" the two slopes along a random direction.
    note : str
        What is wrong and what would make it right, or why the method does not apply.
    """

    target: str
    argument: str
    method: str
    verdict: Verdict
    error: float | None = None
    limit: float | None = None
    where: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is nothing against it: neither wrong nor inconclusive."""
        return self.verdict in ("ok", "n/a")


class Report:
    """The rows of a check; true where all arguments are proven, so that ``assert report`` works.

    Attributes
    ----------
    rows : list of Row
    ok : bool
        Whether no row is wrong and each argument has at least one that is "ok". So a method that is
        inconclusive, or does not apply, fails the check only where no other has proven the
        argument.
    worst : Row or None
        The failed row with the greatest error, or of the passed ones the nearest to its limit.
    """

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    @property
    def ok(self) -> bool:
        return not self.failures()

    @property
    def worst(self) -> Row | None:
        proven = [row for row in self.rows if row.verdict == "ok"]
        return max(self.failures() or proven, key=_badness, default=None)

    def failures(self) -> list[Row]:
        """The rows that are wrong, and those of arguments that no method could settle."""
        settled = {(r.target, r.argument) for r in self.rows if r.verdict in ("ok", "wrong")}
        return [
            row
            for row in self.rows
            if row.verdict == "wrong"
            or (row.method != "contract" and (row.target, row.argument) not in settled)
        ]

    def as_dicts(self) -> list[dict[str, Any]]:
        """The rows as JSON can hold them: a number that is not finite is None."""
        return [
            {
                n: None if isinstance(v, float) and not math.isfinite(v) else v
                for n, v in row.items()
            }
            for row in (asdict(row) | {"ok": row.ok} for row in self.rows)
        ]

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        return "\n".join([table(self.rows), *self._asides(), *self._findings(), self._summary()])

    __repr__ = __str__

    def _asides(self) -> list[str]:
        """What is worth knowing of rows that do not fail, each thing said once."""
        failed = self.failures()
        found: dict[tuple[str, str], list[str]] = {}
        for row in self.rows:
            if row.note and row not in failed:
                found.setdefault((row.method, row.note), []).append(row.argument)
        return [f"{m} ({_some(arguments)}): {note}" for (m, note), arguments in found.items()]

    def _findings(self) -> list[str]:
        """What is wrong with each argument, and which methods say so.

        The Taylor test knows only that something is wrong, so where another method says what, its
        note is left out.
        """
        explained: dict[tuple[str, str], str] = {}
        methods: dict[tuple[str, str, str], list[str]] = {}
        for row in sorted(self.failures(), key=lambda row: row.method == "taylor"):
            if row.method in ("central", "complex"):
                explained.setdefault((row.target, row.argument), row.note)
            note = row.note
            if row.method == "taylor":
                note = explained.get((row.target, row.argument), note)
            methods.setdefault((row.target, row.argument, note), []).append(row.method)
        found: dict[tuple[str, str, str], list[str]] = {}
        for (target, argument, note), names in methods.items():
            found.setdefault((target, ", ".join(names), note), []).append(argument)
        return [
            f"{target}, {', '.join(arguments)} ({names}): {note}"
            for (target, names, note), arguments in found.items()
        ]

    def _summary(self) -> str:
        n = sum((row.method, row.verdict) != ("contract", "n/a") for row in self.rows)
        held = sum(row.verdict == "ok" for row in self.rows)
        failed = self.failures()
        wrong = sum(row.verdict == "wrong" for row in failed)
        unsettled = list(dict.fromkeys(row.argument for row in failed if row.verdict != "wrong"))
        parts = [f"{wrong} of {n} checks FAIL"] if wrong else []
        if unsettled:
            parts.append(f"NOT PROVEN: no method could settle {_some(unsettled)}")
        if parts:
            return "; ".join(parts)
        if held < n:
            return (
                f"{held} of {n} checks hold and prove every argument; {n - held} could not decide"
            )
        return f"all {n} checks hold"


def _some(names: list[str]) -> str:
    """The names, unless they are too many to read."""
    return ", ".join(names) if len(names) < 5 else f"{names[0]} and {len(names) - 1} others"


def _badness(row: Row) -> tuple[bool, float]:
    wrong = row.verdict == "wrong"
    if row.error is None or row.limit is None:
        return (wrong, 0.0)
    if row.method == "taylor":  # a low order is bad, a high one good
        return (wrong, row.limit / max(row.error, 1e-300))
    return (wrong, row.error / row.limit)


def table(rows: list[Row]) -> str:
    """Rows as aligned text."""
    head = ("", "target", "argument", "method", "error", "at", "analytic", "numeric")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    verdict = row.verdict.upper() if row.verdict in ("wrong", "inconclusive") else row.verdict
    error = "" if row.error is None or row.verdict == "inconclusive" else f"{row.error:.1e}"
    where = "" if row.where is None else "[" + ", ".join(map(str, row.where)) + "]"
    if row.method == "taylor":
        where = "along v"
        if row.verdict != "inconclusive":
            error = "exact" if row.error is None else f"order {row.error:.2f}"
    values = tuple("" if v is None else f"{v:.10g}" for v in (row.analytic, row.numeric))
    return (verdict, row.target, row.argument, row.method, error, where, *values)

"""What a gradient check found: rows, a table, and a failure message from which one can mend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One argument of one target under one method.

    Attributes
    ----------
    target, argument, method : str
    ok : bool
    error : float or None
        The worst relative error over the checked entries (for "taylor" the observed order of the
        remainder); None where nothing was measured.
    limit : float or None
        What `error` may be at most (for "taylor": at least).
    where : tuple of int or None
        The index of the worst entry.
    analytic, numeric : float or None
        The two gradients there.
    note : str
        What is wrong and what would make it right, or why the method does not apply.
    """

    target: str
    argument: str
    method: str
    ok: bool
    error: float | None = None
    limit: float | None = None
    where: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    note: str = ""


class Report:
    """The rows of a check; true where all of them hold, so ``assert check_gradients(...)`` works.

    Attributes
    ----------
    rows : list of Row
    ok : bool
    worst : Row or None
        The failed row with the greatest error, or of the passed ones the nearest to its limit.
    """

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    @property
    def worst(self) -> Row | None:
        return max(self.rows, key=_badness, default=None)

    def failures(self) -> list[Row]:
        return [row for row in self.rows if not row.ok]

    def as_dicts(self) -> list[dict[str, Any]]:
        """The rows as JSON can hold them."""
        return [asdict(row) for row in self.rows]

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        failed = self.failures()
        verdict = (
            f"all {len(self.rows)} checks hold"
            if not failed
            else f"{len(failed)} of {len(self.rows)} checks FAIL"
        )
        findings: dict[tuple[str, str, str], list[str]] = {}
        for row in failed:
            findings.setdefault((row.target, row.argument, row.note), []).append(row.method)
        explained = [
            f"{target}, {argument} ({', '.join(methods)}): {note}"
            for (target, argument, note), methods in findings.items()
        ]
        aside = dict.fromkeys(f"{r.method}: {r.note}" for r in self.rows if r.ok and r.note)
        return "\n".join([table(self.rows), *aside, *explained, verdict])

    __repr__ = __str__


def _badness(row: Row) -> tuple[bool, float]:
    if row.error is None or row.limit is None:
        return (not row.ok, 0.0)
    if row.method == "taylor":  # a low order is bad, a high one good
        return (not row.ok, row.limit / max(row.error, 1e-300))
    return (not row.ok, row.error / row.limit)


def table(rows: list[Row]) -> str:
    """Rows as aligned text."""
    head = ("", "target", "argument", "method", "error", "at", "analytic", "numeric")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    if row.error is None:
        error = "FAILS" if not row.ok else "n/a" if row.note else "exact"
    else:
        error = f"order {row.error:.2f}" if row.method == "taylor" else f"{row.error:.1e}"
    where = "" if row.where is None else "[" + ", ".join(map(str, row.where)) + "]"
    values = tuple("" if v is None else f"{v:.10g}" for v in (row.analytic, row.numeric))
    return (
        "ok" if row.ok else "WRONG",
        row.target,
        row.argument,
        row.method,
        error,
        where,
        *values,
    )

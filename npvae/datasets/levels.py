"""Names of columns that stand in several rows, as pandas and pivot tables write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from .around import above_data, like_data
from .rows import TextRows

MOST = 4
"""Rows that may have names."""
UNNAMED = re.compile(r"Unnamed: [0-9]+(_level_[0-9]+)?")
"""What pandas calls a column without a name when it reads one."""


def join_levels(rows: TextRows) -> None:
    """Make one row of names of the first few rows, if they have such on several levels.

    They do where the names of the first row or of the second come again, and those of all levels
    together do not: ``price, price`` above ``mean, std``; or ``2023, , 2024,`` above ``men, women,
    men, women``. The names of an index may stand in a row of their own below.
    """
    if len({len(row) for _, row in rows.head[: MOST + 1]}) > 1:
        return
    cells = [["" if UNNAMED.fullmatch(c.strip()) else c.strip() for c in row]
             for _, row in rows.head]  # fmt: skip
    for n in range(2, min(MOST, len(cells) - 1) + 1):
        levels, below = cells[:n], [row for row in cells[n:] if len(row) == len(cells[0])]
        index = _names_of_index(levels, below)
        if index or _are_levels(levels, below):
            columns = zip(*_filled(levels), strict=True)
            names = [" ".join(filter(None, column)) for column in columns]
            names[: len(index)] = index
            last = next(filter(None, reversed(names)))
            rows.notes.append(f"the columns' names stand in {n} rows, as that of {last!r} does")
            rows.head[: n + bool(index)] = [(rows.head[0][0], names)]
            return


def _names_of_index(levels: Sequence[list[str]], below: Sequence[list[str]]) -> list[str]:
    """The first cells of the row below all levels, if it has the names of an index and no more."""
    n = next((i for i, cell in enumerate(below[0]) if not cell), 0)
    rest = _filled([level[n:] for level in levels])
    alone = n and not any(below[0][n:]) and all(map(all, rest)) and _are_apart(rest)
    return below[0][:n] if alone and any(any(row[n:]) for row in below[1:]) else []


def _are_levels(levels: Sequence[list[str]], below: Sequence[list[str]]) -> bool:
    """Whether rows are names, each together with those above it, and no row of data."""
    last = levels[-1]
    if not _are_apart(levels) or not any(last):
        return False
    single = [i for i, cell in enumerate(last) if not cell]
    if any(levels[0].count(levels[0][i]) > 1 for i in single if levels[0][i]):
        return False
    words = not any(like_data(cell) for cell in last if cell)
    if words:
        return bool(above_data(last, below))
    # Years, say: the columns that have but one name have them in no row of data.
    known = [[row[i] for row in below] for i in range(len(last))]
    return bool(single) and all(
        all(column) if i in single else last[i].isdigit() and last[i] not in column
        for i, column in enumerate(known)
    )


def _are_apart(levels: Sequence[Sequence[str]]) -> bool:
    """Whether names come again in some level, and none in all levels together."""
    again = [max(Counter(filter(None, level)).values(), default=0) > 1 for level in levels]
    joined = Counter(filter(any, zip(*_filled(levels), strict=True)))
    return any(again) and max(joined.values(), default=0) == 1


def _filled(levels: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Levels of which all but the last go on to the right, where the last has names."""
    filled: list[Sequence[str]] = []
    for level in levels[:-1]:
        before, row = "", list[str]()
        for cell, last in zip(level, levels[-1], strict=True):
            before = cell or (before if last else "")
            row.append(before)
        filled.append(row)
    return [*filled, levels[-1]]

"""Which row of a table has the names of its columns."""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import pairwise

from .around import above_data, like_data
from .rows import TextRows


def names_of(rows: TextRows, known: Collection[str] = ()) -> tuple[int, list[str]] | None:
    """The names of the columns and their line, which `rows` then begins after; None without any.

    The first row has names where a cell of it is text, unless that looks like the cells below: no
    column has numbers below text, and a text of it comes again in its column. Numbers are names
    where they go up and no row below does, and are 0, 1, 2, ... or, as wavelengths are, beyond all
    numbers of their columns; or where they are all of the names that are `known`. Names may also
    stand in a comment just above the rows.
    """
    (line, first), below = rows.head[0], [row for _, row in rows.head[1:]]
    names = [cell.strip() for cell in first]
    if below and all(len(row) == len(names) + 1 for row in below):
        # R's write.table names no row names; or each row ends with a delimiter.
        names = ["", *names] if any(row[-1].strip() for row in below) else [*names, ""]
    below = [row for row in below if len(row) == len(names)]
    if (known and set(known) <= set(names)) or _are_names(names, below):
        if not (known or _has_words(names)):
            rows.notes.append(f"the first row, {_few(names)}, is taken for the columns' names")
        del rows.head[0]
        return line, names
    comment = [cell.strip() for cell in rows.comment]
    if len(comment) == len(names) and _has_words(comment):
        return line - 1, comment
    if _has_words(names):
        rows.notes.append("the first row looks like the others, so it is data without names")
    elif _are_beyond(names, below):
        rows.notes.append(
            f"the first row, {_few(names)}, is beyond all others, and was read as data; if it has "
            "names, put a letter into one of them"
        )
    return None


def _are_names(first: list[str], below: list[list[str]]) -> bool:
    if not _has_words(first):
        return _are_steps(first, below)
    if above_data(first, [row for row in below if [cell.strip() for cell in row] != first]):
        return True
    columns = [[cell.strip() for cell in column] for column in zip(*below, strict=True)]
    return not any(
        name in column
        for name, column in zip(first, columns, strict=False)
        if name and not like_data(name)
    )


def _has_words(cells: list[str]) -> bool:
    return not all(map(like_data, cells))


def _are_steps(first: list[str], below: list[list[str]]) -> bool:
    """Whether numbers are names: they go up (or down), and are unlike the rows below."""
    steps, rows = _as_numbers(first, below)
    if steps is None or len(steps) < 3 or not rows:
        return False
    if not any(unlike(steps) and not any(map(unlike, rows)) for unlike in (_even, _monotone)):
        return False
    return steps == list(range(len(steps))) or _are_beyond(first, below)


def _are_beyond(first: list[str], below: list[list[str]]) -> bool:
    """Whether each number of the first row is beyond all those in its column."""
    steps, rows = _as_numbers(first, below)
    if steps is None or not rows:
        return False
    columns = zip(steps, zip(*rows, strict=True), strict=True)
    return all(step < min(column) or step > max(column) for step, column in columns)


def _as_numbers(
    first: list[str], below: list[list[str]]
) -> tuple[list[float] | None, list[list[float]]]:
    """The numbers of the first row, None if it has text, and of the rows below that have none."""
    skip = 0 if first[0] else 1  # the rows' numbers have no name
    rows = (_numbers(row[skip:]) for row in below)
    return _numbers(first[skip:]), [row for row in rows if row is not None]


def _even(numbers: list[float]) -> bool:
    steps = [b - a for a, b in pairwise(numbers)]
    return steps[0] != 0 and all(math.isclose(step, steps[0], rel_tol=0.05) for step in steps)


def _monotone(numbers: list[float]) -> bool:
    return all(a < b for a, b in pairwise(numbers)) or all(a > b for a, b in pairwise(numbers))


def _numbers(cells: list[str]) -> list[float] | None:
    try:
        return [float(cell.replace(",", ".")) for cell in cells]
    except ValueError:
        return None


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]}, {names[1]}, ..., {names[-1]}"

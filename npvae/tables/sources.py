"""From a file to the cells of its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..core.errors import DataError
from ..datasets.around import body, drop_rule, drop_title, drop_units
from ..datasets.delimited import row_error
from ..datasets.headers import names_of
from ..datasets.levels import UNNAMED, join_levels
from ..datasets.rows import Layout, Row, TextRows, open_rows
from .cells import Cells
from .kinds import Said
from .sheets import SHEETS, sheet_rows

NAMELESS = "index"
"""What first columns are called that have no name, as R and pandas write the rows' names."""
_CHUNK = 1 << 16
"""Cells that are sorted into columns at once."""


@dataclass
class Found:
    """What a file holds.

    Attributes
    ----------
    cells : dict of Cells
        Those of every column, by its name.
    nameless : list of str
        The names that were given to first columns without one.
    layout : Layout
    notes : list of str
    said : dict of Said
        What it says itself of the kinds of its columns, as the types of a data frame do.
    shapes : dict of str
        What the distributions of its columns of numbers are called.
    """

    cells: dict[str, Cells]
    nameless: list[str]
    layout: Layout
    notes: list[str]
    said: dict[str, Said] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)


def read_cells(
    path: Path,
    where: str,
    encoding: str | None = None,
    sheet: str | None = None,
    likely: Layout | None = None,
    known: Collection[str] = (),
) -> Found:
    """The cells of a file, which is likely laid out as another.

    `known` are columns that it must have.

    Raises
    ------
    DataError
        If it is no table.
    MissingDependency
        If a package that reads it is not installed.
    """
    if path.suffix.lower() in SHEETS:
        return _found(sheet_rows(path, where, sheet, likely.sheet if likely else ""), known)
    with open_rows(path, where, encoding, likely.encoding if likely else None) as rows:
        return _found(rows, known)


def _found(rows: TextRows, known: Collection[str]) -> Found:
    drop_rule(rows)
    join_levels(rows)
    drop_title(rows)
    drop_rule(rows)
    width = len(rows.head[0][1])
    named = names_of(rows, known)
    names = named[1] if named else [f"x{i}" for i in range(width)]
    names = ["" if UNNAMED.fullmatch(n) and n not in known else n for n in names]
    if named:
        drop_units(rows, names)
    rows.sift(lambda every: body(every, names if named else [], len(names), rows.notes))
    cells = [Cells() for _ in names]
    _fill(cells, rows, rows.where)
    # A last delimiter in every line, or a sheet's empty columns.
    kept = [i for i, name in enumerate(names) if name or set(cells[i].texts) != {""}]
    cells, names = [cells[i] for i in kept], [names[i] for i in kept]
    nameless = next((i for i, name in enumerate(names) if name), 0)
    names[:nameless] = [NAMELESS if NAMELESS not in names else f"{NAMELESS} (no name)"] * nameless
    own = names_of_their_own(names)
    rows.notes += [
        f"column {i} is called {new!r}, since {f'another is {old!r}' if old else 'it has no name'}"
        for i, (old, new) in enumerate(zip(names, own, strict=True), 1)
        if old != new
    ]
    found = dict(zip(own, cells, strict=True))
    return Found(found, own[:nameless], rows.layout, rows.notes)


def names_of_their_own(names: list[str]) -> list[str]:
    """The names, a later one of the same numbered, and a missing one by its place."""
    own: dict[str, None] = {}
    given, numbers = set(names), Counter[str]()
    for i, name in enumerate(names, 1):
        new = wanted = name or f"column {i}"
        while new in own or (new != name and new in given):
            numbers[wanted] += 1
            new = f"{wanted} ({numbers[wanted] + 1})"
        own[new] = None
    return list(own)


def _fill(columns: list[Cells], rows: Iterable[Row], where: str) -> None:
    width = len(columns)
    for chunk in _chunks(rows, max(1, _CHUNK // width)):
        lines = [line for line, _ in chunk]
        for line, row in chunk:
            if len(row) != width:
                raise row_error(width, len(row), f"{where}, line {line}")
        for column, texts in zip(
            columns, zip(*(row for _, row in chunk), strict=True), strict=True
        ):
            column.extend(texts, lines)
    if not len(columns[0]):
        raise DataError(f"{where}: a table needs rows; got a header alone. Add rows below it.")


def _chunks(rows: Iterable[Row], n: int) -> Iterator[list[Row]]:
    rows = iter(rows)
    while chunk := list(islice(rows, n)):
        yield chunk

"""From a file to the cells of its columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..core.errors import DataError
from ..datasets.delimited import row_error
from ..datasets.headers import names_of
from ..datasets.rows import Layout, Row, TextRows, open_rows
from .cells import Cells
from .sheets import SHEETS, sheet_rows

NAMELESS = "index"
"""What a first column is called that has no name, as R and pandas write the rows' names."""
_CHUNK = 1 << 16
"""Cells that are sorted into columns at once."""


@dataclass
class Found:
    """What a file holds.

    Attributes
    ----------
    cells : dict of Cells
        Those of every column, by its name.
    nameless : str, optional
        The name that was given to a first column without one.
    layout : Layout
    notes : list of str
    """

    cells: dict[str, Cells]
    nameless: str | None
    layout: Layout
    notes: list[str]


def read_cells(
    path: Path,
    where: str,
    encoding: str | None = None,
    likely: str | None = None,
    known: Collection[str] = (),
) -> Found:
    """The cells of a file, if it is text of this encoding or likely of that.

    `known` are columns that it must have.

    Raises
    ------
    DataError
        If it is no table.
    MissingDependency
        If a package that reads it is not installed.
    """
    if path.suffix.lower() in SHEETS:
        return _found(sheet_rows(path, where), known)
    with open_rows(path, where, encoding, likely) as rows:
        return _found(rows, known)


def _found(rows: TextRows, known: Collection[str]) -> Found:
    width = len(rows.head[0][1])
    named = names_of(rows, known)
    line, names = named or (0, [f"x{i}" for i in range(width)])
    cells = [Cells() for _ in names]
    _fill(cells, rows, rows.where)
    # A last delimiter in every line, or a sheet's empty columns.
    kept = [i for i, name in enumerate(names) if name or set(cells[i].texts) != {""}]
    cells, names = [cells[i] for i in kept], [names[i] for i in kept]
    nameless = None
    if names and not names[0]:
        names[0] = nameless = NAMELESS if NAMELESS not in names else f"{NAMELESS} (no name)"
    if "" in names:
        raise DataError(
            f"{rows.where}, line {line}: a header must name every column; got no name for column "
            f"{names.index('') + 1} of {len(names)}. Name it."
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"{rows.where}, line {line}: every column needs a name of its own; got {twice!r} "
            "twice. Rename one of them."
        )
    return Found(dict(zip(names, cells, strict=True)), nameless, rows.layout, rows.notes)


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

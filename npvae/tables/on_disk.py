"""Tables on disk: ``.csv`` and ``.tsv`` with text and missing cells."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import ConfigError, DataError
from ..core.files import replacing
from ..datasets import Dataset
from ..datasets.delimited import as_labels, header, label_position, row_error, text_rows
from ..datasets.readers import existing, readable
from .infer import LABEL, SKIP, Cells, check_kinds, infer
from .schema import Schema

Array = np.ndarray
SUFFIXES = (".csv", ".tsv")


@dataclass(frozen=True, eq=False)
class Table(Dataset):
    """Rows with what their columns are.

    Attributes
    ----------
    x : float64 array (N, D)
        NaN where a cell is missing; what the other numbers stand for, `schema` says.
    y : array (N,) or None
        The labels, where the table has a column of them.
    columns : list of D str
        The names of x's columns.
    schema : Schema
    """

    schema: Schema = field(kw_only=True)


def read(
    path: str | os.PathLike[str],
    columns: Mapping[str, str] | None = None,
    schema: Any = None,
) -> Table:
    """Read a table of numbers, flags, counts, categories and missing cells.

    A first row with a cell that is not a number is a header; columns without one are x0, x1, ....
    The kinds are inferred by the rules that ``help(nv.tables.infer)`` lists.

    Parameters
    ----------
    path : str or path
        A ``.csv`` with commas, semicolons or tabs, or a ``.tsv``.
    columns : mapping, optional
        The kind of some columns: number, flag, count or category; label, which makes it y; or
        skip. A first or last column label, y, target or class is y unless it is named here.
    schema : Schema, optional
        That of a table read earlier, such as ``model.schema``. Then nothing is inferred: the table
        needs those columns, in any order and beside any others.

    Raises
    ------
    DataError
        With file, line and column: a cell that its column can't have, a column that is missing or
        has no known value, text that is no category, or a file that is no table.
    ConfigError
        If `columns` is no mapping, or a kind in it is none.
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise ConfigError(f"columns is a mapping such as {{'id': 'skip'}}; got {columns!r}.")
    source = existing(path)
    where = f"'{source}'"
    if source.suffix.lower() not in SUFFIXES:
        raise DataError(f"{where}: a table is a .csv or .tsv file; got {source.suffix!r}.")
    with readable(source):
        table = _read_cells(source, where)
    if schema is None:
        schema, label = _infer(table, dict(columns or {}), where)
    else:
        schema = Schema.of(schema)
        _check_columns(table, schema, where)
        label = schema.label if schema.label in table else None
    x = np.column_stack([table[c.name].values(c, where) for c in schema.modelled])
    y = None if label is None else as_labels(*_by_row(table[label]), where)
    return Table(x, y, columns=schema.names, schema=schema)


def write(path: Any, schema: Schema, x: Any) -> None:
    """Write x (N, D) as a table with the schema's header, whole or not at all.

    Tabs part the cells of a .tsv, commas those of other files.
    """
    delimiter = "\t" if Path(path).suffix.lower() == ".tsv" else ","
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow([c.name for c in schema.columns])
    writer.writerows(schema.cells(x))
    with replacing(path) as file:
        file.write(text.getvalue().encode())


def _read_cells(path: Path, where: str) -> dict[str, Cells]:
    """The cells of every column, by its name."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = text_rows(stream, where)
        first = next(rows, None)
        if first is None:
            raise DataError(f"{where}: a table needs rows; got an empty file. Write it again.")
        names = header(first, where)
        if names is None:
            names = [f"x{i}" for i in range(len(first[1]))]
            rows = chain([first], rows)
        elif len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(
                f"{where}, line {first[0]}: every column needs a name of its own; got {twice!r} "
                "twice. Rename one of them."
            )
        columns = [Cells() for _ in names]
        _fill(columns, rows, where)
    return dict(zip(names, columns, strict=True))


def _fill(columns: list[Cells], rows: Iterable[tuple[int, list[str]]], where: str) -> None:
    for line, row in rows:
        if len(row) != len(columns):
            raise row_error(len(columns), len(row), f"{where}, line {line}")
        for column, text in zip(columns, row, strict=True):
            column.add(text, line)
    if not len(columns[0]):
        raise DataError(f"{where}: a table needs rows; got a header alone. Add rows below it.")


def _infer(table: dict[str, Cells], kinds: dict[str, str], where: str) -> tuple[Schema, str | None]:
    names = list(table)
    check_kinds(kinds, names, where)
    given = [name for name in names if kinds.get(name) == LABEL]
    free = [name if name not in kinds else "" for name in names]
    position = None if given else label_position(free, where)
    label = given[0] if given else None if position is None else names[position]
    if len(given) > 1:
        raise DataError(f"{where}: one column may be the label; got {given[0]!r} and {given[1]!r}.")
    columns, skipped = infer({n: c for n, c in table.items() if n != label}, kinds, where)
    if all(column.kind == "constant" for column in columns):
        raise DataError(
            f"{where}: a table needs a column to model; got only constants, labels and columns "
            f"that are left out ({SKIP}). Add columns."
        )
    return Schema(columns, label, skipped), label


def _check_columns(table: Mapping[str, Cells], schema: Schema, where: str) -> None:
    missing = [c.name for c in schema.modelled if c.name not in table]
    if missing:
        raise DataError(
            f"{where}: the model needs the columns that it was trained on; missing is "
            f"{_few(missing)}, and there are {_few(table)}. Add it, with empty cells where it is "
            "not known."
        )


def _by_row(cells: Cells) -> tuple[list[str], list[int]]:
    """Every row's text, and the line where that text came first."""
    line = dict(zip(cells.texts, cells.lines, strict=True))
    texts = cells.all
    return texts, [line[text] for text in texts]


def _few(names: Iterable[str], most: int = 8) -> str:
    shown = [repr(name) for name in names]
    more = [f"{len(shown) - most} more"] if len(shown) > most else []
    return ", ".join(shown[:most] + more)

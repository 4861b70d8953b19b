"""Tables of plain numbers: ``.csv`` with commas, semicolons, tabs or bars."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..core.errors import DataError
from .dataset import Array, Dataset
from .headers import names_of
from .numerals import MISSING, is_number, is_plain
from .rows import Row, TextRows, open_rows

_LABEL_NAMES = ("label", "y", "target", "class")
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")


def read_csv(path: Path) -> Dataset:
    """Read a table: one row per line, numbers in every column but the labels'.

    `names_of` says which row has names. Where they call the first or the last column label, y,
    target or class, that column becomes y: integers, other numbers, or text.
    """
    where = f"'{path}'"
    with open_rows(path, where) as rows:
        width = len(rows.head[0][1])
        names = _header(rows)
        label = label_position(names or [], where)
        return _read_rows(rows, names, label, width, where)


def _header(rows: TextRows) -> list[str] | None:
    """The names of the columns; every one must have a name."""
    found = names_of(rows)
    if found is None:
        return None
    line, names = found
    if "" in names:
        raise DataError(
            f"{rows.where}, line {line}: a header must name every column; got no name for column "
            f"{names.index('') + 1} of {len(names)}. Name it, or leave out the row numbers "
            "(pandas: index=False)."
        )
    return names


def label_position(names: list[str], where: str) -> int | None:
    ends = sorted({0, len(names) - 1}) if names else []
    found = [i for i in ends if names[i].lower() in _LABEL_NAMES]
    if len(found) > 1:
        raise DataError(
            f"{where}: one column at most may hold the labels; got {names[0]!r} and {names[-1]!r}. "
            "Rename one of them."
        )
    return found[0] if found else None


def _read_rows(
    rows: Iterable[Row],
    names: list[str] | None,
    label: int | None,
    width: int,
    where: str,
) -> Dataset:
    columns = None if names is None else [n for i, n in enumerate(names) if i != label]
    shown = [str(i + 1) for i in range(width)] if columns is None else [repr(n) for n in columns]
    values, lines, labels = array("d"), array("q"), []
    for line, row in rows:
        if len(row) != width:
            raise row_error(width, len(row), f"{where}, line {line}")
        if label is not None:
            labels.append(row.pop(label).strip())
        values.extend(_numbers(row, shown, f"{where}, line {line}"))
        lines.append(line)
    if not lines:
        raise DataError(f"{where}: a table needs rows; got a header alone. Add rows below it.")
    if not shown:
        raise DataError(f"{where}: a table needs data; got labels alone. Add columns of numbers.")
    x = _as_float32(np.frombuffer(values).reshape(len(lines), -1), lines, shown, where)
    y = None if label is None else as_labels(labels)
    return Dataset(x, y, columns=columns)


def row_error(width: int, found: int, place: str) -> DataError:
    """The error for a row of another number of cells than the first."""
    return DataError(
        f"{place}: every row needs {width} cells, as many as the first; got {found}. "
        "Add or remove cells, or quote a cell that holds the delimiter."
    )


def _numbers(row: list[str], shown: list[str], place: str) -> array[float]:
    try:
        # float() reads 1_000, which no program that writes tables means as a number.
        if "_" in "".join(row):
            raise ValueError
        return array("d", map(float, row))
    except ValueError:
        bad = next(i for i, cell in enumerate(row) if not is_number(cell))
        _refuse(row[bad].strip(), f"{place}, column {shown[bad]}")


def _refuse(cell: str, place: str) -> NoReturn:
    if cell.lower() in MISSING:
        raise DataError(
            f"{place}: every cell must hold a number; got {cell!r}, a missing value. "
            "Fill it, remove the row or the column, or read the table with nv.tables.read."
        )
    shown = repr(cell if len(cell) <= 40 else cell[:40] + "...")
    fix = (
        "Turn it into numbers or remove the column (labels go in a last column named 'label'), or "
        "read the table with nv.tables.read, which knows text, dates, and other ways to write "
        "numbers."
    )
    raise DataError(f"{place}: every cell must hold a number; got {shown}. {fix}")


def _as_float32(values: Array, lines: array[int], shown: list[str], where: str) -> Array:
    with np.errstate(over="ignore"):
        x = values.astype(np.float32)
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        place = f"{where}, line {lines[row]}, column {shown[column]}"
        if np.isnan(x[row, column]):
            _refuse("nan", place)
        raise DataError(
            f"{place}: every number must be finite, and as float32 (at most 3.4e38); "
            f"got {values[row, column]}. Rescale the column, or remove the row."
        )
    return x


def as_labels(labels: list[str]) -> Array:
    """Return integers where all labels are, or else numbers where all are, or else text.

    A label that only looks like a number, such as 007, is text. An empty cell is a label that is
    not known: -1 among integers that have none below 0, and else "".
    """
    known = [label for label in labels if label]
    complete = len(known) == len(labels)
    if known and all(_INTEGER.fullmatch(label) for label in known):
        numbers = [int(label or -1) for label in labels]
        if complete or min(map(int, known)) >= 0:
            return np.array(numbers, np.int64)
    if complete and all(map(is_plain, labels)):
        return np.array([float(label) for label in labels])
    return np.array(labels)

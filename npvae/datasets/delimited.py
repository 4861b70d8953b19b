"""Tables of text: ``.csv`` with commas, semicolons or tabs."""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np

from ..core.errors import DataError
from .dataset import Array, Dataset

_LABEL_NAMES = ("label", "y", "target", "class")
MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def read_csv(path: Path) -> Dataset:
    """Read a table: one row per line, numbers in every column but the labels'.

    A first row with a cell that is not a number is a header. Where it names the first or the last
    column label, y, target or class, that column becomes y: integers, other numbers, or text.
    """
    where = f"'{path}'"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = text_rows(stream, where)
        first = next(rows, None)
        if first is None:
            raise DataError(f"{where}: a table needs rows; got an empty file. Write it again.")
        names = header(first, where)
        if names is None:
            rows = chain([first], rows)
        label = label_position(names or [], where)
        return _read_rows(rows, names, label, len(first[1]), where)


def text_rows(stream: TextIO, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with its line number."""
    line = 0
    try:
        delimiter = _delimiter(next((text for text in stream if text.strip()), ""))
        stream.seek(0)
        lines = (text if text.strip(" \r\n") else "\n" for text in stream)
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
        for row in reader:
            line = reader.line_num
            if row:
                yield line, row
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: a table must be UTF-8 text; got the byte 0x{error.object[error.start]:02x} "
            f"some lines after line {line}. Save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise DataError(
            f"{where}: a table must be well-formed CSV; got after line {line}: {error}. "
            "Check the quotes of the next row."
        ) from error


def _delimiter(line: str) -> str:
    """Choose tab before semicolon before comma: a decimal comma needs another delimiter."""
    bare = re.sub(r'"[^"]*"', "", line)
    return next((mark for mark in "\t;" if mark in bare), ",")


def header(first: tuple[int, list[str]], where: str) -> list[str] | None:
    line, row = first[0], [cell.strip() for cell in first[1]]
    # Numbers with a gap or a decimal comma are data: to take them for a header would lose a row.
    if all(is_number(cell.replace(",", ".")) or cell.lower() in MISSING for cell in row):
        return None
    if "" in row:
        raise DataError(
            f"{where}, line {line}: a header must name every column; got no name for column "
            f"{row.index('') + 1} of {len(row)}. Name it, or leave out the row numbers "
            "(pandas: index=False)."
        )
    return row


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
    rows: Iterator[tuple[int, list[str]]],
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
    y = None if label is None else as_labels(labels, lines, where)
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
        "read the table with nv.tables.read."
    )
    if is_number(cell.replace(",", ".")):
        fix = "Write decimals with a point."
    raise DataError(f"{place}: every cell must hold a number; got {shown}. {fix}")


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


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


def as_labels(labels: list[str], lines: Sequence[int], where: str) -> Array:
    """Return integers where all labels are, or else numbers where all are, or else text."""
    if all(_INTEGER.fullmatch(label) for label in labels):
        return np.array([int(label) for label in labels], np.int64)
    if "" in labels:
        raise DataError(
            f"{where}, line {lines[labels.index('')]}: every row needs a label; got an empty cell. "
            "Fill it, or remove the row."
        )
    if all(is_number(label) for label in labels):
        return np.array([float(label) for label in labels])
    return np.array(labels)

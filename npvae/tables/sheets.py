"""Tables that are no text: Excel's ``.xlsx`` and ``.parquet``, with packages of their own.

What their cells hold is turned into text, so that one set of rules decides what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from ..core.errors import DataError, MissingDependency
from ..datasets.rows import Layout, Row, TextRows
from ..datasets.validate import damaged

SHEETS = {".xlsx": "openpyxl", ".parquet": "pyarrow.parquet"}
"""The package that reads and writes files of a suffix."""


def sheet_rows(path: Path, where: str) -> TextRows:
    """The rows of an ``.xlsx`` or ``.parquet`` file, its first sheet if it has several.

    Raises
    ------
    MissingDependency
        If the package that reads it is not installed.
    DataError
        If it is empty or damaged.
    """
    package = _package(path.suffix.lower(), where)
    notes: list[str] = []
    with damaged(where):
        if path.suffix.lower() == ".xlsx":
            book = package.load_workbook(path, read_only=True, data_only=True)
            names = book.sheetnames
            values = [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
            book.close()
            if len(names) > 1:
                notes.append(f"the first of {len(names)} sheets was read, {names[0]!r}")
        else:
            table = package.read_table(path)
            columns = [column.to_pylist() for column in table.columns]
            values = [table.column_names, *map(list, zip(*columns, strict=True))]
    return TextRows(where, _rows(values), Layout(), notes=notes)


def write_sheet(file: IO[bytes], suffix: str, names: Sequence[str], rows: list[list[Any]]) -> None:
    """Write rows of Python's values under their names; None is an empty cell."""
    package = _package(suffix, "the table")
    if suffix == ".xlsx":
        book = package.Workbook(write_only=True)
        sheet = book.create_sheet("Sheet1")
        for row in [list(names), *rows]:
            sheet.append([_without_zone(value) for value in row])
        book.save(file)
        return
    columns = list(map(list, zip(*rows, strict=True))) or [[] for _ in names]
    package.write_table(import_module("pyarrow").table(columns, names=list(names)), file)


def _package(suffix: str, where: str) -> Any:
    try:
        return import_module(SHEETS[suffix])
    except ImportError as error:
        package = SHEETS[suffix].partition(".")[0]
        raise MissingDependency(
            f"{where}: {suffix} files need {package}: pip install {package}"
        ) from error


def _rows(values: list[list[Any]]) -> Iterator[Row]:
    """Rows as text, those that are empty left out, and all as wide as the first."""
    width = 0
    for line, row in enumerate(values, start=1):
        if all(value is None for value in row):
            continue
        width = width or len(row)
        yield line, [_text(value) for value in row] + [""] * (width - len(row))


def _text(value: Any) -> str:
    """A cell as text; a whole number has no point, and a day no time."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        day = value.time() == time() and value.tzinfo is None
        return value.date().isoformat() if day else value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (list, dict, bytes)):
        raise DataError(f"a cell holds text, a number or a date; got {value!r:.60}.")
    return str(value)


def _without_zone(value: Any) -> Any:
    """Excel has no time zones: such times are text there."""
    return value.isoformat(" ") if getattr(value, "tzinfo", None) is not None else value

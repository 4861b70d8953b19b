"""Tables that are no text: Excel's ``.xlsx`` and ``.parquet``, with packages of their own.

What their cells hold is turned into text, so that one set of rules decides what it is.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..core.errors import DataError, MissingDependency, nearest
from ..datasets.rows import Layout, Row, TextRows
from ..datasets.validate import damaged

SHEETS = {".xlsx": "openpyxl", ".parquet": "pyarrow.parquet"}
"""The package that reads and writes files of a suffix."""
_MOST_CELLS = 20_000_000
_MOST_RATIO = 200
"""How many times its size a file may unpack to, where that is more than `_MOST_CELLS`."""


def sheet_rows(path: Path, where: str, sheet: str | None = None, likely: str = "") -> TextRows:
    """The rows of an ``.xlsx`` or ``.parquet`` file.

    Parameters
    ----------
    path : Path
    where : what the file is called in errors
    sheet : the sheet of a workbook; by default `likely` if there is such, or the first with rows

    Raises
    ------
    MissingDependency
        If the package that reads it is not installed.
    DataError
        If it is empty or damaged, or has no such sheet.
    """
    package = _package(path.suffix.lower(), where)
    if path.suffix.lower() == ".parquet":
        with damaged(where):
            whole = package.ParquetFile(path).metadata
            _check_size(whole.num_rows * whole.num_columns, path.stat().st_size, where)
            values, left_out = _columns(package.read_table(path))
        notes = [f"{', '.join(map(repr, left_out))} has lists or bytes and is left out"]
        return TextRows(where, _rows(values), Layout(), notes=notes if left_out else [])
    with damaged(where), zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    _check_size(unpacked, path.stat().st_size, where)
    with damaged(where):
        book = package.load_workbook(path, read_only=True, data_only=True)
        sheets = {s.title: s for s in book.worksheets}
    if sheet is not None and sheet not in sheets:
        raise DataError(f"{where}: it has no sheet {sheet!r}{nearest(sheet, list(sheets))}")
    with damaged(where):
        name, values = _sheet(sheets, sheet or likely)
        book.close()
    notes = []
    if len(sheets) > 1 and sheet is None:
        others = ", ".join(repr(title) for title in sheets if title != name)
        notes.append(f"the sheet {name!r} is read; --sheet (sheet= in Python) takes {others}")
    return TextRows(where, _rows(values), Layout(sheet=name), notes=notes)


def _sheet(sheets: dict[str, Any], chosen: str) -> tuple[str, list[list[Any]]]:
    """The sheet of this name or else the first that has a table, and its rows."""
    read: dict[str, list[list[Any]]] = {}
    for name in [chosen] if chosen in sheets else sheets:
        read[name] = _bounded(sheets[name])
        if sum(len(row) - row.count(None) > 1 for row in read[name]) > 1:
            return name, read[name]
    name = next((name for name, rows in read.items() if rows), next(iter(read)))
    return name, read[name]


def _bounded(sheet: Any) -> list[list[Any]]:
    """The rows of a sheet; of a few cells that are far apart those between them are not made."""
    rows: list[list[Any]] = []
    seen = 0
    for row in sheet.iter_rows(values_only=True):
        seen += len(row) or 1
        if seen > _MOST_CELLS:
            raise DataError(
                f"the sheet {sheet.title!r} has more than {_MOST_CELLS:,} cells, empty ones among "
                "them; delete the empty rows and columns, or save it as .csv."
            )
        filled = next((i for i in range(len(row), 0, -1) if row[i - 1] is not None), 0)
        rows.append(list(row[:filled]))
    return rows


def _check_size(unpacked: int, size: int, where: str) -> None:
    """Raise DataError where a small file would unpack to far more than tables do."""
    if unpacked > max(_MOST_CELLS, _MOST_RATIO * size):
        raise DataError(
            f"{where}: a file of {size:,} bytes unpacks to {unpacked:,} bytes or cells, which no "
            "usual table does; save it as .csv."
        )


def _columns(table: Any) -> tuple[list[list[Any]], list[str]]:
    """The names and the rows of a Parquet table, and the columns that are none of a table.

    A column of row names has no name, and comes first.
    """
    arrow = import_module("pyarrow")
    names: list[str] = []
    columns: list[list[Any]] = []
    left_out: list[str] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if arrow.types.is_dictionary(kind):
            column = column.cast(kind := kind.value_type)
        if arrow.types.is_nested(kind) or "binary" in str(kind):
            left_out.append(name)
            continue
        if arrow.types.is_timestamp(kind):  # Python's times have no nanoseconds
            column = column.cast(arrow.timestamp("us", kind.tz), safe=False)
        values = column.to_pylist()
        if arrow.types.is_float32(kind) or arrow.types.is_float16(kind):
            exact = np.float32 if arrow.types.is_float32(kind) else np.float16
            values = [None if v is None else float(str(exact(v))) for v in values]
        first = name.startswith("__index_level_")  # which pandas writes last
        columns.insert(0 if first else len(columns), values)
        names.insert(0 if first else len(names), "" if first else name)
    return [names, *map(list, zip(*columns, strict=True))], left_out


def write_sheet(file: IO[bytes], suffix: str, names: Sequence[str], rows: list[list[Any]]) -> None:
    """Write rows of Python's values under their names; None is an empty cell."""
    package = _package(suffix, "the table")
    if suffix == ".xlsx":
        book = package.Workbook(write_only=True)
        sheet = book.create_sheet("Sheet1")
        make = import_module("openpyxl.cell").WriteOnlyCell
        with _writable():
            for row in [list(names), *rows]:
                sheet.append([_for_excel(value, sheet, make) for value in row])
        book.save(file)
        return
    columns = list(map(list, zip(*rows, strict=True))) or [[] for _ in names]
    with _writable():
        table = import_module("pyarrow").table(columns, names=list(names))
    package.write_table(table, file)


@contextmanager
def _writable() -> Iterator[None]:
    """Say in a sentence that Excel or Arrow have no such text: control characters, say."""
    try:
        yield
    except Exception as error:  # openpyxl's own is none of Python's kinds
        raise DataError(
            f"the table can't be written as a file of this kind: {error}; write a .csv."
        ) from error


def _package(suffix: str, where: str) -> Any:
    try:
        return import_module(SHEETS[suffix])
    except ImportError as error:
        package = SHEETS[suffix].partition(".")[0]
        raise MissingDependency(
            f"{where}: {suffix} files need {package}: pip install {package}"
        ) from error


def _rows(values: list[list[Any]]) -> Iterator[Row]:
    """Rows as text, those that are empty left out, and all of one width."""
    width = max(map(len, values), default=0)
    for line, row in enumerate(values, start=1):
        if all(value is None for value in row):
            continue
        yield line, [cell_text(value) for value in row] + [""] * (width - len(row))


def cell_text(value: Any) -> str:
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
    if isinstance(value, timedelta):  # as pandas writes it
        rest = timedelta(seconds=value.seconds, microseconds=value.microseconds)
        time_of_day = str(rest).zfill(15 if value.microseconds else 8)
        return f"{value.days} days {'+' if value.days < 0 else ''}{time_of_day}"
    return str(value)


def _for_excel(value: Any, sheet: Any, make: Any) -> Any:
    """Excel has no time zones, so such times are text there; and text is never a formula."""
    if getattr(value, "tzinfo", None) is not None:
        return value.isoformat(" ")
    if isinstance(value, str) and value.startswith("="):
        value = make(sheet, value)
        value.data_type = "s"
    return value

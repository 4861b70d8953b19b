"""Tables on disk, as ``.csv`` or ``.tsv`` with text and missing cells, and as data frames."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np

from ..core.arrays import as_array
from ..core.errors import ConfigError, DataError
from ..core.files import replacing
from ..core.public import public
from ..datasets import Dataset
from ..datasets.delimited import as_labels, label_position
from ..datasets.readers import existing, readable
from . import unknown
from .cells import Cells, no_formula
from .column import Constant
from .distributions import note_of_shapes
from .frames import WHERE, array_of, cells_of, column_cells, library_of, series_of, values_of
from .infer import infer
from .kinds import LABEL, said_of
from .recognise import formats_of, notes_of
from .schema import Schema
from .sheets import SHEETS, write_sheet
from .sources import Found, read_cells

Array = np.ndarray
SUFFIXES = (".csv", ".tsv", ".txt", *SHEETS)
PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z")


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
    remarks : tuple of str
        What was found that is not plain: an encoding, how a column is written.
    shapes : dict of str
        What the distributions of columns of numbers are called.
    """

    schema: Schema = field(kw_only=True)
    remarks: tuple[str, ...] = field(default=(), kw_only=True)
    shapes: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks, and how the columns are distributed that the schema has still."""
        shapes = {name: self.shapes[name] for name in self.schema.names if name in self.shapes}
        return (*self.remarks, *note_of_shapes(shapes))


@public
def read(
    path: Any,
    columns: Mapping[str, str] | None = None,
    schema: Any = None,
    missing: Iterable[str] | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Table:
    """Read a table of numbers, dates, flags, counts, categories and missing cells.

    What can be seen in the file is seen: its encoding, delimiter and names, and how each column is
    written, as decimal commas, thousands, currencies and dates; the schema keeps it, so that
    `write` writes the like. The kinds are inferred by the rules that ``help(nv.tables.infer)``
    lists. ``table.notes`` says what is not plain.

    Parameters
    ----------
    path : str, path or data frame
        A ``.csv``, ``.tsv`` or ``.txt``; with openpyxl and pyarrow installed also an ``.xlsx`` or a
        ``.parquet``. Of a data frame of pandas or polars the types of its columns say what they
        are, where they say it: category with its labels and their order, bool, datetime,
        timedelta. All others are inferred from their values as a file's from its cells.
    columns : mapping, optional
        The kind of some columns: number, date, duration, flag, count, category or ordered; label,
        which makes it y; or skip. "date:dmy", "date:mdy" and "date:ymd" say what comes first in
        dates, "number:decimal-comma" and "number:decimal-point" what a comma is, "duration:hm" and
        "duration:ms" whether 36:15 is hours and minutes, or minutes and seconds. In a column
        that is said to be a category only empty cells are missing, and NA is a label. A first or
        last column label, y, target or class is y unless it is named here.
    schema : Schema, optional
        That of a table read earlier, such as ``model.schema``. Then nothing is inferred: the table
        needs those columns, in any order and beside any others.
    missing : iterable of str, optional
        The cells that say that a value is not known, exactly as written; empty ones do anyway. By
        default na, n/a, nan, null, none and ?, in capitals or not, and Excel's errors.
    encoding : str, optional
        The codec of the text, as Python names it, where it is not to be recognised.
    sheet : str, optional
        The sheet of an ``.xlsx``; by default that of the schema, or the first that has rows.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        With file, line and column: a cell that its column can't have, a column that is missing or
        has no known value, cells that can be read in two ways, or a file that is no table.
    ConfigError
        If `columns` is no mapping, a kind in it is none, or there is no such encoding.
    MissingDependency
        If a package that reads the file is not installed.
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise ConfigError(f"columns is a mapping such as {{'id': 'skip'}}; got {columns!r}.")
    if isinstance(missing, str):
        raise ConfigError(f"missing is a list of texts such as ['NA', '-']; got {missing!r}.")
    known = None if schema is None else Schema.of(schema)
    unknown = None if missing is None else list(dict.fromkeys(missing))
    if library_of(path) is not None:
        return of_frame(path, columns, known, unknown)
    source = existing(path)
    where = f"'{source}'"
    if source.suffix.lower() not in SUFFIXES:
        mend = "Unpack" if source.suffix.lower() in PACKED else "Convert"
        raise DataError(
            f"{where}: a table is {', '.join(SUFFIXES)}; got {source.suffix!r}. {mend} it."
        )
    likely, names = (None, []) if known is None else (known.layout, known.names)
    if sheet is not None and source.suffix.lower() != ".xlsx":
        raise ConfigError(f"an .xlsx has sheets, '{source}' has none; leave the sheet out.")
    with readable(source):
        found = read_cells(source, where, encoding, sheet, likely, names)
    if known is None:
        return _table(found, *_infer(found, dict(columns or {}), unknown, where), where)
    _check_columns(found.cells, known, where)
    for column in found.cells.values():
        column.missing = known.missing if unknown is None else unknown
    label = known.label if known.label in found.cells else None
    return _table(found, known, label, where)


def of_frame(
    frame: Any,
    columns: Mapping[str, str] | None = None,
    schema: Schema | None = None,
    missing: list[str] | None = None,
    labelled: bool = True,
) -> Table:
    """`read` of a data frame; a column may be the label by its name if it is `labelled`."""
    if schema is None:
        found = cells_of(frame)
        return _table(found, *_infer(found, dict(columns or {}), missing, WHERE, labelled), WHERE)
    x = array_of(frame, schema.modelled, schema.missing if missing is None else missing)
    label = series_of(frame).get(schema.label or "") if labelled else None
    y = None if label is None else as_labels(column_cells(values_of(label)).all)
    return Table(x, y, columns=schema.names, schema=schema)


def _table(found: Found, schema: Schema, label: str | None, where: str) -> Table:
    cells = {normalize("NFC", name): cells for name, cells in found.cells.items()}
    x = np.column_stack([cells[normalize("NFC", c.name)].values(c, where) for c in schema.modelled])
    y = None if label is None else as_labels(found.cells[label].all)
    return Table(
        x, y, columns=schema.names, schema=schema, remarks=tuple(found.notes), shapes=found.shapes
    )


def raw_cells(path: Any, schema: Schema) -> tuple[list[str], Any]:
    """The names of all columns of a file, and a function that gives a row's cells as written.

    Those too that the schema leaves out, such as the rows' names. It raises what `read` does.
    """
    source = existing(path)
    with readable(source):
        found = read_cells(source, f"'{source}'", None, None, schema.layout, schema.names)
    columns = [cells.all for cells in found.cells.values()]
    return list(found.cells), lambda row: [texts[row] for texts in columns]


@public
def write(path: Any, schema: Schema, x: Any, formulas: bool = True) -> None:
    """Write x (N, D) as a table with the schema's header, whole or not at all.

    Text is laid out as that of the table that the schema is of; tabs part the cells of a .tsv. An
    .xlsx or .parquet has numbers, dates and labels as such.

    Parameters
    ----------
    path : str or path
    schema : Schema
    x : (N, D) array
    formulas : bool
        Whether names and labels of a text file may begin with ``=``, ``+``, ``-`` or ``@``, which
        Excel and its like take for formulas. With False they have a ``'`` before them, unless they
        are numbers; read again, they are other labels. In an .xlsx they are text in any case.

    Raises
    ------
    DataError
        If x has another number of columns, or the file can't have a letter of a name or label.
    WriteError
        If the file can't be written.
    """
    write_blocks(path, schema, [as_array(x, "x")], formulas)


def write_blocks(path: Any, schema: Schema, blocks: Iterable[Array], formulas: bool = True) -> None:
    """`write` for rows that come in blocks: of a text file one is in memory at a time."""
    suffix = Path(path).suffix.lower()
    if suffix in SHEETS:
        names = [c.name for c in schema.columns]
        rows = [list(row.values()) for x in blocks for row in schema.rows(x)]
        with replacing(path) as file:
            write_sheet(file, suffix, names, rows)
        return
    names = [c.name for c in schema.columns]
    if not formulas:
        names = list(map(no_formula, names))
    _write_text(path, schema, names, (_cells(schema, x, formulas) for x in blocks))


@public
def write_filled(path: Any, source: Any, schema: Schema, x: Any, filled: Any) -> None:
    """Write a text table again as it is, but for the missing cells of its columns.

    All columns are written, those too that the schema has not, and a cell that is known has the
    text that it has in the source.

    Parameters
    ----------
    path : str or path, of a .csv, .tsv or .txt
    source : str or path
        The table, of which x (N, D) was read with this schema.
    schema : Schema
    x, filled : (N, D) arrays
        NaN in x are the cells that are written anew.

    Raises
    ------
    DataError
        If the source has other rows than x, or its encoding has no letter of a label.
    WriteError
        If the file can't be written.
    """
    source, x, filled = existing(source), as_array(x, "x"), as_array(filled, "filled")
    found = read_cells(source, f"'{source}'", None, None, schema.layout, schema.names)
    texts = {normalize("NFC", name): cells.all for name, cells in found.cells.items()}
    for column, before, after in zip(schema.modelled, x.T, filled.T, strict=True):
        cells = texts[normalize("NFC", column.name)]
        if len(cells) != len(before):
            raise DataError(f"'{source}' has {len(cells)} rows now; got {len(before)} to fill in.")
        for i in np.flatnonzero(np.isnan(before)).tolist():
            cells[i] = column.text(float(after[i]))
    rows = [list(row) for row in zip(*texts.values(), strict=True)]
    _write_text(path, schema, list(found.cells), [rows])


def _cells(schema: Schema, x: Array, formulas: bool) -> list[list[str]]:
    """Rows as cells; where formulas are not to be, names and labels are no such."""
    if formulas:
        return schema.cells(x)
    texts = [bool(c.labels) or isinstance(c, Constant) for c in schema.columns]
    return [
        [no_formula(c) if is_text else c for c, is_text in zip(row, texts, strict=True)]
        for row in schema.cells(x)
    ]


def _write_text(
    path: Any, schema: Schema, names: list[str], blocks: Iterable[list[list[str]]]
) -> None:
    """Write blocks of rows of cells, laid out as the table that the schema is of."""
    encoder = codecs.getincrementalencoder(schema.layout.encoding)()
    try:
        with replacing(path) as file:
            for text in _as_text(schema, names, blocks, Path(path).suffix.lower() == ".tsv"):
                file.write(encoder.encode(text))
    except UnicodeEncodeError as error:
        raise DataError(
            f"'{path}': the table is written as it was read, in {schema.layout.encoding}, which "
            f"has no {error.object[error.start]!r}; write an .xlsx, or read the table from a file "
            "in UTF-8."
        ) from None


def _as_text(
    schema: Schema, names: list[str], blocks: Iterable[list[list[str]]], tabs: bool
) -> Iterator[str]:
    """The text of a table, piece by piece."""
    layout = schema.layout
    delimiter = "\t" if tabs else layout.delimiter
    lines: list[str] = [f"sep={delimiter}\r\n"] if layout.sep_line and not tabs else []
    # With \r\n as its line end the writer puts both of its characters in quotes.
    look: dict[str, Any] = dict(delimiter=delimiter, lineterminator="\r\n", quotechar=layout.quote)
    if names[0].startswith(("#", "\ufeff")):  # else the names are a comment, or lack a letter
        look["quoting"] = csv.QUOTE_ALL
    csv.writer(_Appending(lines), **look).writerow(names)
    rows = csv.writer(_Appending(lines), **{**look, "quoting": csv.QUOTE_MINIMAL})
    for cells in blocks:
        if delimiter == " ":  # nobody sees an empty cell between blanks
            unknown = (schema.missing or ["NA"])[0]
            cells = [[cell or unknown for cell in row] for row in cells]
        rows.writerows(cells)
        yield "".join(line[:-2] + layout.line_end for line in lines)
        lines.clear()


class _Appending:
    """A file of which every write is an item of a list."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


def _infer(
    found: Found,
    kinds: dict[str, str],
    missing: list[str] | None,
    where: str,
    labelled: bool = True,
) -> tuple[Schema, str | None]:
    names = list(found.cells)
    said = {**found.said, **said_of(kinds, names, where)}
    given = [name for name in names if name in said and said[name].kind == LABEL]
    free = [name if name not in kinds else "" for name in names]
    position = None if given or not labelled else label_position(free, where)
    label = given[0] if given else None if position is None else names[position]
    if len(given) > 1:
        raise DataError(f"{where}: one column may be the label; got {given[0]!r} and {given[1]!r}.")
    table = {name: cells for name, cells in found.cells.items() if name != label}
    for name, cells in table.items():
        is_said = missing is None and name in said and said[name].kind == "category"
        cells.missing = [] if is_said else missing
    unknown.keep_steps({name: cells for name, cells in table.items() if name not in said})
    formats = formats_of(table, said, found.layout.delimiter, where)
    columns, skipped, found.shapes, notes = infer(table, said, formats, found.nameless, where)
    labelled_as_text = {column.name for column in columns if column.labels}
    read = {name: form for name, form in formats.items() if name not in labelled_as_text}
    found.notes += notes_of(table, read) + notes
    found.notes += unknown.notes_of(table, columns, said)
    if all(column.kind == "constant" for column in columns):
        reasons = {column.name: "it is the same in every row" for column in columns} | skipped
        why = "; ".join(f"{name!r}: {reason}" for name, reason in reasons.items())
        raise DataError(
            f"{where}: a table needs a column to model; got only constants, labels and columns "
            f"that are left out ({why or 'none'}). Add rows or columns, or say what these are with "
            "--columns name=kind."
        )
    return Schema(columns, label, skipped, missing, found.layout.config), label


def _check_columns(table: Mapping[str, Cells], schema: Schema, where: str) -> None:
    there = {normalize("NFC", name) for name in table}
    missing = [c.name for c in schema.modelled if normalize("NFC", c.name) not in there]
    if missing:
        raise DataError(
            f"{where}: the model needs the columns that it was trained on; missing is "
            f"{_few(missing)}, and there are {_few(table)}. Add it, with empty cells where it is "
            "not known."
        )


def _few(names: Iterable[str], most: int = 8) -> str:
    shown = [repr(name) for name in names]
    more = [f"{len(shown) - most} more"] if len(shown) > most else []
    return ", ".join(shown[:most] + more)

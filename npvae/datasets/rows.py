"""From text to rows of cells: delimiter, comments, line ends, and which row has the names."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from io import StringIO
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any
from unicodedata import normalize

from ..core.errors import ConfigError, DataError
from .aligned import Gap, are_words, cells_of, gaps_of
from .disguises import refuse_disguised
from .text import encoding_of, is_codec

QUOTES = "\"'"
DELIMITERS = "\t;|,"
"""The likeliest first: a decimal comma needs another delimiter. Blanks are one where none is."""
HEAD = 200
"""Rows that are looked at to see whether the first one has names."""
_SAMPLE = 1 << 17
_LONGEST_CELL = (1 << 31) - 1
_DRAWN = re.compile(r"(?=[+|: ]*[-=]{3})[-=+|: ]{8,}")
_SEP_LINE = re.compile(r'"?sep=([^\w"\r\n])"?\s*', re.IGNORECASE)

Row = tuple[int, list[str]]
"""The line where a row begins, and its cells."""


@dataclass(frozen=True)
class Layout:
    """How a table is laid out as text.

    Attributes
    ----------
    encoding : str
        The name of Python's codec.
    delimiter : str
    line_end : str
    sep_line : bool
        Whether a first line says what the delimiter is, as Excel writes it: ``sep=;``.
    sheet : str
        Of a workbook.
    quote : str
        What cells that hold the delimiter stand between.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    line_end: str = "\n"
    sep_line: bool = False
    sheet: str = ""
    quote: str = '"'

    def __post_init__(self) -> None:
        kinds = {f.name: type(f.default) for f in fields(self)}
        if any(type(value) is not kinds[name] for name, value in vars(self).items()):
            raise ConfigError(f"a layout is texts and a flag; got {vars(self)!r:.200}.")
        if len(self.delimiter) != 1 or self.delimiter in "\"'\r\n" or self.delimiter.isalnum():
            raise ConfigError(f"a delimiter is one mark between cells; got {self.delimiter!r}.")
        if self.line_end not in ("\n", "\r\n", "\r"):
            raise ConfigError(f"lines end with \\n, \\r\\n or \\r; got {self.line_end!r}.")
        if self.quote not in QUOTES:
            raise ConfigError(f"cells stand between \" or '; got {self.quote!r:.60}.")
        if not is_codec(self.encoding):
            raise ConfigError(f"encoding is one that Python knows; got {self.encoding!r:.60}.")

    @property
    def config(self) -> dict[str, Any]:
        """The attributes that differ from the defaults."""
        return {name: v for name, v in asdict(self).items() if v != getattr(Layout, name)}


@dataclass
class TextRows:
    """The rows of an open file that are neither blank nor comments.

    Attributes
    ----------
    head : list of Row
        The first `HEAD` rows; iterating yields them, then the others.
    comment : list of str
        The cells of a comment just above the first row, as ``numpy.savetxt`` writes names.
    layout : Layout
    notes : list of str
        What was found that the user should know.
    """

    where: str
    rows: Iterator[Row]
    layout: Layout = Layout()
    comment: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.head = list(islice(self.rows, HEAD))
        if not self.head:
            raise DataError(f"{self.where}: a table needs rows; got an empty file. Write it again.")

    def __iter__(self) -> Iterator[Row]:
        yield from self.head
        yield from self.rows

    def sift(self, sieve: Callable[[Iterator[Row]], Iterator[Row]]) -> None:
        """Yield only what a sieve lets through."""
        self.rows, self.head = sieve(iter(chain(self.head, self.rows))), []


@contextmanager
def open_rows(
    path: Path, where: str, encoding: str | None = None, likely: str | None = None
) -> Iterator[TextRows]:
    """The rows of a text file, as `encoding_of`, which has the arguments, and its first lines say.

    Raises
    ------
    DataError
        If it is empty, no text, or no well-formed CSV.
    """
    refuse_disguised(path, where)
    codec, note = encoding_of(path, where, encoding, likely)
    with path.open(encoding=codec, newline="") as stream:
        sample = stream.read(_SAMPLE)
        lines = list(StringIO(normalize("NFC", sample), newline=""))
        sep_line = _SEP_LINE.fullmatch(lines[0]) if lines else None
        skipped, comment = _comments(lines, 1 if sep_line else 0)
        whole = len(sample) < _SAMPLE
        notes = [note] if note else []
        if boxed := _are_boxed(lines):
            lines = [line for line in lines if not _is_drawn(line)]
            notes.append("lines that are drawn, of dashes alone, are left out")
        quote = _quote(lines[skipped:], sep_line[1] if sep_line else DELIMITERS, whole)
        delimiter = sep_line[1] if sep_line else _delimiter(lines[skipped:], whole, quote)
        gaps = gaps_of(lines[skipped:]) if not delimiter else []
        end = _line_end(sample)
        layout = Layout(codec, delimiter or " ", end, bool(sep_line), quote=quote)
        cells = next(csv.reader([comment], delimiter=layout.delimiter, skipinitialspace=True), [])
        stream.seek(0)
        text = _lines(islice(stream, skipped, None), boxed)
        if gaps:
            notes.append(f"blanks part its {len(gaps) + 1} columns, which are aligned")
            rows = _aligned(text, skipped, gaps)
        else:
            look = _dialect(delimiter, _escape(lines[skipped:], delimiter, quote), quote)
            rows = _rows(text, skipped, look, where)
        yield TextRows(where, rows, layout, cells, notes)


def _comments(lines: Sequence[str], start: int) -> tuple[int, str]:
    """How many lines there are before the table, and the comment just above it."""
    for i in range(start, len(lines)):
        if lines[i].strip(" \r\n") and not lines[i].startswith("#"):
            return i, lines[i - 1].strip("# \r\n") if i > start else ""
    return start, ""  # a table of #, such as colours


def _quote(lines: Sequence[str], delimiters: str, whole: bool) -> str:
    """What cells stand between: an apostrophe where rows are even only so, or a column has it.

    Else it is a part of the text, as in 'tis and O'Brien.
    """
    text = "".join(lines)
    for mark in delimiters:
        start = f"(?:^|{re.escape(mark)}) *"
        if not re.search(start + "'", text, re.MULTILINE):
            continue
        if re.search(start + '"', text, re.MULTILINE):
            return '"'
        escape = "\\" if "\\'" in text else None
        single = _even(lines, _dialect(mark, escape, "'"), whole)
        if not single or len(single[0]) < 2:
            continue
        double = _even(lines, _dialect(mark, None, '"'), whole)
        if not double or any(map(_are_quoted, zip(*double[1:], strict=True))):
            return "'"
    return '"'


def _are_quoted(cells: Sequence[str]) -> bool:
    """Whether all cells that are not empty stand between apostrophes, and some do."""
    known = [cell for cell in map(str.strip, cells) if cell]
    return len(known) > 1 and all(c[0] == c[-1] == "'" and len(c) > 1 for c in known)


def _escape(lines: Sequence[str], delimiter: str, quote: str) -> str | None:
    """A backslash where quotes in cells stand behind one, as R and MySQL write them."""
    if not any(f"\\{quote}" in line for line in lines):
        return None
    without, behind = (
        _even(lines, _dialect(delimiter, escape, quote), False) for escape in (None, "\\")
    )
    return "\\" if behind and not without else None


def _even(lines: Sequence[str], look: dict[str, Any], whole: bool) -> list[list[str]]:
    """The rows, of which the last may be cut off; none where they are of several widths."""
    rows: list[list[str]] = []
    try:
        rows.extend(filter(None, csv.reader(lines, **look)))
    except csv.Error as error:
        if whole or "end of data" not in str(error):
            return []
    rows = rows if whole else rows[:-1]
    return rows if len(set(map(len, rows))) == 1 else []


def _dialect(delimiter: str, escape: str | None, quote: str) -> dict[str, Any]:
    return {
        "delimiter": delimiter, "escapechar": escape, "doublequote": escape is None,
        "skipinitialspace": True, "strict": True, "quotechar": quote,
    }  # fmt: skip


def _rows(lines: Iterator[str], skipped: int, look: dict[str, Any], where: str) -> Iterator[Row]:
    # A limit of the module, for all threads. It guards against quotes that are never closed, which
    # strict=True finds; a cell of a megabyte is a cell.
    csv.field_size_limit(_LONGEST_CELL)
    bare = (line.strip(" ") for line in lines) if look["delimiter"] == " " else lines
    reader = csv.reader(bare, **look)
    width, line = 0, skipped + 1
    try:
        for row in reader:
            if row:
                width = width or len(row)
                if len(row) == width or not row[0].startswith("#"):
                    yield line, row
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{where}: a table must be well-formed CSV; got after line {line - 1}: {error}. "
            "Check the quotes of the next row."
        ) from error


def _aligned(lines: Iterator[str], skipped: int, gaps: Sequence[Gap]) -> Iterator[Row]:
    """The rows of a table whose columns are aligned; a line that is not as they are is one cell."""
    for number, text in enumerate(lines, skipped + 1):
        if line := text.rstrip():
            yield number, cells_of(line, gaps) or [line.strip()]


def _lines(lines: Iterator[str], boxed: bool) -> Iterator[str]:
    """The lines, accents composed: what looks the same is the same; blank ones without blanks.

    So are those that are drawn in a table that is boxed, and the mark of DOS at the end of a file.
    """
    for text in lines:
        if not text.isascii():
            text = normalize("NFC", text)
        yield "\n" if not text.strip(" \r\n\x1a") or (boxed and _is_drawn(text)) else text


def _are_boxed(lines: Sequence[str]) -> bool:
    """Whether lines are drawn between rows, or above and below them."""
    return sum(map(_is_drawn, lines[:50])) > 1


def _is_drawn(line: str) -> bool:
    return line[:1] in "-=+|: " and bool(_DRAWN.fullmatch(line.strip()))


def _delimiter(lines: Sequence[str], whole: bool, quote: str) -> str:
    """The first of `DELIMITERS` that parts all rows alike, or most, or is in the first line.

    A blank where it parts words; "" where columns are aligned.
    """
    lines = [line for line in lines if line.strip(" \r\n")]
    most, n_rows, named = (0, ","), 0, set[str]()
    for mark in DELIMITERS:
        rows = list(islice(_parsed(lines, mark, quote), 50))
        if len(rows) > 1 and not whole and len(rows) < 50:
            rows.pop()  # may be cut off
        if rows and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            return mark
        width, n = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
        most = max(most, (n if width > 1 else 0, mark), key=itemgetter(0))
        if rows and len(rows[0]) == width:
            named.add(mark)
        n_rows = max(n_rows, len(rows))
    if most[0] > n_rows / 2 and most[1] in named:
        return most[1]
    gaps = gaps_of(lines)
    if gaps and (all(end - start > 1 for start, end in gaps) or not are_words(lines)):
        return ""
    if are_words(lines):
        return " "
    if most[0] > n_rows / 2:
        return most[1]
    bare = re.sub(f"{quote}[^{quote}]*{quote}", "", lines[0]) if lines else ""
    return next((mark for mark in DELIMITERS if mark in bare), ",")


def _parsed(lines: Sequence[str], mark: str, quote: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=mark, skipinitialspace=True, quotechar=quote)
    except csv.Error:  # the reader of the whole file says what is wrong
        return


def _line_end(sample: str) -> str:
    ends = {"\r\n": sample.count("\r\n")}
    ends |= {end: sample.count(end) - ends["\r\n"] for end in "\r\n"}
    return max(ends, key=ends.__getitem__) if any(ends.values()) else "\n"

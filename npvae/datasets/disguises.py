"""Files of other kinds under a table's name: what they are, and how they become a table."""

from __future__ import annotations

import re
from pathlib import Path

from ..core.errors import DataError

_SHEET = "give it the suffix .xlsx, or save it as .csv in a spreadsheet program"
_BYTES = {
    b"PK\3\4": ("a workbook or another archive", _SHEET),
    b"\xd0\xcf\x11\xe0": ("an old workbook (.xls)", "save it as .xlsx or .csv"),
    b"PAR1": ("a Parquet file", "give it the suffix .parquet"),
    b"\x1f\x8b": ("compressed", "unpack it"),
    b"\x28\xb5\x2f\xfd": ("compressed", "unpack it"),
    b"BZh": ("compressed", "unpack it"),
    b"\xfd7zXZ": ("compressed", "unpack it"),
    b"%PDF-": ("a PDF", "export the table that it was made of"),
    b"SQLite format 3": ("a database", "export one of its tables as .csv"),
}
_TEXTS = {
    re.compile(rb"<(!doctype html|html|table|head|body)\b", re.IGNORECASE): (
        "a web page", "open it in a spreadsheet program, and save its table as .csv"
    ),
    re.compile(rb"<\?xml\b"): ("XML", "convert it to .csv"),
    re.compile(rb"(\[\s*)?\{\s*\""): ("JSON", "convert it to .csv"),
    re.compile(rb"\\documentclass|\\begin\{"): ("LaTeX", "convert it to .csv"),
}  # fmt: skip


def refuse_disguised(path: Path, where: str) -> None:
    """Raise `DataError` where the first bytes of a file are those of no text table."""
    with path.open("rb") as file:
        start = file.read(512)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    kinds = [kind for mark, kind in _BYTES.items() if start.startswith(mark)]
    kinds += [kind for pattern, kind in _TEXTS.items() if pattern.match(text)]
    if kinds:
        what, mend = kinds[0]
        raise DataError(f"{where} is {what}, whatever its name says; {mend}.")

"""What the options' values may be: text in, value out, or the rule that the text broke."""

from __future__ import annotations

import csv
import math
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

from ..core.errors import nearest
from ..core.files import WriteError, check_folder

PICTURES = (".png", ".svg", ".pdf")
ARRAYS = (".npy", ".csv")
TABLES = (".tsv", ".xlsx", ".parquet")
"""Of rows of a table, beside a .csv."""


def whole(least: int) -> Callable[[str], int]:
    """A whole number, `least` or more."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise _refusal(f"a whole number, {least} or more", text)
        return value

    return parse


def real(rule: str = "", fits: Callable[[float], bool] = math.isfinite) -> Callable[[str], float]:
    """A finite number that `fits`; `rule` says which, such as "above 0"."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and fits(value)):
            raise _refusal(f"a finite number {rule}".rstrip(), text)
        return value

    return parse


positive = real("above 0", lambda value: value > 0)
not_negative = real("of 0 or more", lambda value: value >= 0)
fraction = real("from 0 to below 1", lambda value: 0 <= value < 1)


def one_of(*names: str) -> Callable[[str], str]:
    """One of these names."""

    def parse(text: str) -> str:
        if text not in names:
            raise ArgumentTypeError(f"there is no {text!r}{nearest(text, names)}")
        return text

    return parse


def widths(text: str) -> list[int]:
    """Widths of layers, such as 400,200; "none" is no layer."""
    values = _whole_numbers(text)
    if values is None:
        raise _refusal("widths above 0 with commas between, such as 400,200, or none", text)
    return values


def channels(text: str) -> list[int]:
    """Channels of convolutions, such as 32,64: at least one."""
    values = _whole_numbers(text)
    if not values:
        raise _refusal("numbers of channels above 0 with commas between, such as 32,64", text)
    return values


def places(text: str) -> list[int]:
    """Places counted from 0, such as 0,2."""
    try:
        values = [int(value) for value in text.split(",")]
    except ValueError:
        values = [-1]
    if min(values) < 0:
        raise _refusal("whole numbers, 0 or more, with commas between, such as 0,2", text)
    return values


def span(text: str) -> tuple[float, float]:
    """Two numbers, such as -3..3."""
    low, dots, high = text.partition("..")
    number = real()
    if not dots:
        raise _refusal("two numbers with two points between, such as -3..3", text)
    return number(low), number(high)


def image_shape(text: str) -> list[int]:
    """Height and width, and 3 for colour: 28,28 or 32,32,3; "none", an empty list, is no image."""
    values = _whole_numbers(text)
    if values is None or len(values) not in (0, 2, 3) or values[2:] not in ([], [3]):
        raise _refusal("a height and a width, such as 28,28, or 32,32,3 in colour, or none", text)
    return values


def column_kinds(text: str) -> dict[str, str]:
    """Kinds of columns by name: age=count,sex=flag. A name may have commas and = in it."""
    kinds: dict[str, str] = {}
    name = ""
    for part in text.split(","):
        before, equals, kind = part.rpartition("=")
        name += before if equals else part + ","
        if equals:
            name, kind = name.strip(), kind.strip()
            if kinds.setdefault(name, kind) != kind:
                raise _refusal(f"one kind for each column, and {name!r} has two", text)
            name = ""
    if name or not all(kinds):
        raise _refusal("names of columns with their kinds, such as age=count,sex=flag", text)
    return kinds


def texts(text: str) -> list[str]:
    """Texts with commas between them: NA,-; one with a comma in it stands in double quotes."""
    rows = csv.reader([text], skipinitialspace=True)
    return [part.strip() for part in next(rows, [])]


def output(*suffixes: str) -> Callable[[str], Path]:
    """A file to write, of one of these kinds, in a folder that exists and can be written."""

    def parse(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            raise _refusal(f"a file that ends in {', '.join(suffixes)}", text)
        if not path.parent.is_dir():
            raise ArgumentTypeError(
                f"there is no folder '{path.parent}' to write in; make it first"
            )
        if path.is_dir():
            raise ArgumentTypeError(f"it takes a file to write; got the folder {text!r}")
        try:
            check_folder(path.parent)
        except WriteError as error:
            raise ArgumentTypeError(str(error)) from error
        return path

    return parse


def _whole_numbers(text: str) -> list[int] | None:
    if text == "none":
        return []
    try:
        values = [int(value) for value in text.split(",")]
    except ValueError:
        return None
    return values if min(values) > 0 else None


def _refusal(rule: str, text: str) -> ArgumentTypeError:
    return ArgumentTypeError(f"it takes {rule}; got {text!r}")

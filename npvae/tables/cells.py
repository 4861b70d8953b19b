"""The cells of one column, as text."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import DataError
from ..datasets.numerals import MISSING, is_number

if TYPE_CHECKING:
    from .column import Column

Array = np.ndarray

LONGEST_SHOWN = 40
"""Characters of a cell in a message."""


class Unfit(ValueError):
    """What a column can't have: the rule, the likely fix, and the cell's text if it is one cell."""

    def __init__(self, rule: str, fix: str, text: str | None = None) -> None:
        super().__init__(rule)
        self.rule, self.fix, self.text = rule, fix, text


class Cells:
    """The cells of one column: each different text once, and which of them each row has.

    Parameters
    ----------
    places : str
        What the place of a cell is called in errors: that of a file is a line.
    fix : str, optional
        What errors advise, if not what the column's kind does, which is for files.

    Attributes
    ----------
    missing : sequence of str, optional
        The texts that say that a value is not known, beside ""; None for `MISSING`, in capitals or
        not.
    """

    def __init__(self, places: str = "line {}", fix: str | None = None) -> None:
        self._places, self._fix = places, fix
        self.missing: Sequence[str] | None = None
        self._lines: list[int] = []
        self._numbers: dict[str, int] = {}
        self._rows = array("i")

    def extend(self, texts: Sequence[str], lines: Sequence[int]) -> None:
        """Add cells, and the lines where they stand."""
        texts = list(map(str.strip, texts))
        numbers = self._numbers
        new = [text for text in dict.fromkeys(texts) if text not in numbers]
        first = dict(zip(reversed(texts), reversed(lines), strict=True))
        numbers.update(zip(new, range(len(numbers), len(numbers) + len(new)), strict=True))
        self._lines.extend(map(first.__getitem__, new))
        self._rows.extend(map(numbers.__getitem__, texts))

    @property
    def texts(self) -> list[str]:
        """The different texts, in the order in which they come."""
        return list(self._numbers)

    @property
    def all(self) -> list[str]:
        """The text of every row."""
        texts = self.texts
        return [texts[number] for number in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def line_of(self, text: str) -> int:
        """The line of the file where a text comes first."""
        return self._lines[self._numbers[text]]

    def place_of(self, text: str) -> str:
        """The same in words."""
        return self._places.format(self.line_of(text))

    def known(self) -> tuple[list[str], Array]:
        """The different texts that are not missing, and in how many rows each is."""
        counts = np.bincount(self._row_numbers(), minlength=len(self._numbers))
        texts, unknown = self.texts, sorted(self._unknown().values())
        for number in reversed(unknown):
            del texts[number]
        return texts, np.delete(counts, unknown)

    def values(self, column: Column, place: str) -> Array:
        """The column's numbers, (N,) float64 with NaN where missing; raises `DataError`."""
        unknown = {text: i for text, i in self._unknown().items() if text not in column.labels}
        texts = [text for text in self._numbers if text not in unknown]
        numbers = np.full(len(self._numbers), np.nan)
        try:
            numbers[np.delete(np.arange(len(numbers)), list(unknown.values()))] = column.parsed(
                texts
            )
        except Unfit as unfit:
            where = f"{place}, {self.place_of(str(unfit.text))}, column {column.name!r}"
            raise refusal(where, unfit, self._fix) from None
        return numbers[self._row_numbers()]

    def _row_numbers(self) -> Array:
        return np.frombuffer(self._rows, np.intc)

    def unknown(self) -> list[str]:
        """The texts other than "" that are missing, in the order in which they come."""
        return sorted(filter(None, self._unknown()), key=self._numbers.__getitem__)

    def _unknown(self) -> dict[str, int]:
        """The texts that are missing, each with its place among the texts."""
        missing = SPELLINGS if self.missing is None else {"", *self.missing}
        return {text: self._numbers[text] for text in missing if text in self._numbers}


SPELLINGS = frozenset(
    "".join(letters)
    for word in MISSING
    for letters in product(*({char, char.upper()} for char in word))
)
"""`MISSING`, in capitals or not."""


def is_missing(text: str, missing: Sequence[str] | None = None) -> bool:
    """Whether a cell says that its value is not known: it is empty, or among these."""
    return text in SPELLINGS if missing is None else not text or text in missing


def refusal(place: str, unfit: Unfit, fix: str | None = None) -> DataError:
    """The error for a cell, or without one for the cells, that a column can't have.

    `fix` is advised in place of the column's own.
    """
    got = "" if unfit.text is None else f"; got {shown(unfit.text)}"
    return DataError(f"{place}: {unfit.rule}{got}. {fix or unfit.fix}")


def no_formula(text: str) -> str:
    """A text that no spreadsheet takes for a formula, which could run commands."""
    begins_one = text.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{text}" if begins_one and not is_number(text) else text


def shown(text: str) -> str:
    """A cell's text in a message."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "...")

"""What a kind of column has to say: which number a cell is, and how a number is written again.

x has one column of numbers for each of them but a constant: a number or a count itself, the days of
a date or a duration, 0 or 1 for a flag, the place among the labels for a category; NaN where the
cell is missing.
"""

from __future__ import annotations

import csv
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from io import StringIO
from shlex import quote
from typing import Any, ClassVar

import numpy as np

from ..core.wording import short
from ..data.marginal import Marginal
from .cells import LONGEST_SHOWN

Array = np.ndarray

MOST_LISTED = 12
"""More different cells than these are hardly all words for a missing value."""


class Column(ABC):
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : str
        "number", "date", "duration", "flag", "count", "category", "ordered" or "constant".
    modelled_as : the kind whose likelihood it has
    labels : tuple of str
        What the numbers 0, 1, ... of a flag or a category stand for; empty for the other kinds.
    marginal : Marginal or None
        How a column of numbers or dates is distributed, if that was found.
    """

    kind: ClassVar[str]
    modelled_as: ClassVar[str]
    labels: tuple[str, ...] = ()
    marginal: Marginal | None = None

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls) and "modelled_as" not in vars(cls):
            cls.modelled_as = cls.kind

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    @abstractmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array, written: Any = None) -> Column:
        """A column of the different known texts, each in `counts` rows; `Unfit` if it is none.

        `written` is the format of numbers or dates that they have.
        """

    @abstractmethod
    def parse(self, text: str) -> float:
        """The number that a known cell stands for; raises `Unfit`."""

    def parsed(self, texts: Sequence[str]) -> Array:
        """The numbers that known cells stand for, (N,) float64; raises `Unfit`."""
        return np.fromiter(map(self.parse, texts), float, len(texts))

    def number(self, value: Any) -> float:
        """The number that a known value stands for, as text or as Python has it; raises `Unfit`."""
        return self.parse(str(value).strip())

    @abstractmethod
    def value(self, number: float) -> Any:
        """What a number of x, or the nearest that the column can have, stands for."""

    def text(self, number: float) -> str:
        """The same as a cell."""
        return str(self.value(number))

    def describe(self, values: Array) -> str:
        """What the column holds, of its known values."""
        return f"{self.text(values.min())} to {self.text(values.max())}"

    @property
    def config(self) -> dict[str, Any]:
        """What `column` rebuilds it from; JSON can hold it."""
        return {"name": self.name, "kind": self.kind}

    def __repr__(self) -> str:
        hidden = ("kind", "marginal")
        arguments = {name: value for name, value in self.config.items() if name not in hidden}
        return f"{type(self).__name__}({', '.join(map(repr, arguments.values()))})"


class Constant(Column):
    """One value in all rows: there is nothing to model, and it is written as it was."""

    kind = "constant"

    def __init__(self, name: str, only: str) -> None:
        super().__init__(name)
        self.only = only

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array, written: Any = None) -> Column:
        return cls(name, texts[0])

    def parse(self, text: str) -> float:
        return math.nan

    def value(self, number: float) -> str:
        return self.only

    def describe(self, values: Array) -> str:
        return f"always {short(self.only, 60)}: not modelled"

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "only": self.only}


def say(kinds: str) -> str:
    """How kinds are given."""
    return f"--columns {quote(kinds)}"


def say_missing(*texts: str) -> str:
    """How all texts that stand for missing values are given."""
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return f"--missing-cells={quote(line.getvalue())} (missing={list(texts)!r} in nv.tables.read)"


def mend(name: str, *texts: str) -> str:
    """What can be said of cells that are not of their column's kind; nothing is lost by it.

    `texts` are they, and those that stand for missing values already.
    """
    unknown = ""
    if len(texts) <= MOST_LISTED and max(map(len, texts)) <= LONGEST_SHOWN:
        unknown = f"or if it means that the value is not known, say {say_missing(*texts)}; "
    return (
        f"Correct it; {unknown}{say(f'{name}=category')} takes the column as labels, "
        f"{quote(f'{name}=skip')} leaves it out."
    )

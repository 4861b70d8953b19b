"""The kinds of columns: which number a cell's text stands for, and how a number is written again.

x has one column of numbers for each of them but a constant: a number or a count itself, 0 or 1 for
a flag, the place among the labels for a category; NaN where the cell is missing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from ..core.errors import ConfigError, DataError
from ..datasets.delimited import MISSING, is_number

Array = np.ndarray

LARGEST_COUNT = 1 << 24
"""Up to here float32 has all whole numbers."""
MOST_DECIMALS = 12
"""A column with more was computed, and its numbers are floats in full."""
LARGEST_NUMBER = float(np.finfo(np.float32).max)
PAIRS = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"), (0.0, 1.0))
"""The words of a flag, the one that 0 stands for first."""


class Unfit(ValueError):
    """A cell's text that its column can't have: the rule, and the likely fix."""


class Column(ABC):
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : "number", "flag", "count", "category" or "constant"
    labels : tuple of str
        What the numbers 0, 1, ... of a flag or a category stand for; empty for the other kinds.
    """

    kind: ClassVar[str]
    labelled: ClassVar[bool] = False
    labels: tuple[str, ...] = ()

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    @abstractmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array) -> Column:
        """A column of the different known texts, each in `counts` rows; `Unfit` if it is none."""

    @abstractmethod
    def parse(self, text: str) -> float:
        """The number that a known cell stands for; raises `Unfit`."""

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
        return f"{type(self).__name__}({', '.join(repr(v) for v in vars(self).values())})"


class Number(Column):
    """Real numbers, with `decimals` digits after the point; None: with as many as it takes."""

    kind = "number"

    def __init__(self, name: str, decimals: int | None = None) -> None:
        super().__init__(name)
        self.decimals = decimals

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array) -> Column:
        column = cls(name)
        numbers = [column.parse(text) for text in texts]
        if all(number.is_integer() for number in numbers):
            column.decimals = 0
        elif not any("e" in text.lower() for text in texts):
            decimals = max(len(text.partition(".")[2]) for text in texts)
            column.decimals = decimals if decimals <= MOST_DECIMALS else None
        return column

    def parse(self, text: str) -> float:
        if not is_number(text):
            fix = f"Correct it, empty the cell, or train with --columns {self.name}=category."
            if is_number(text.replace(",", ".")):
                fix = "Write decimals with a point."
            raise Unfit("every known cell must hold a number", fix)
        if not abs(float(text)) <= LARGEST_NUMBER:
            raise Unfit(
                "every number must be finite, and at most 3.4e38", "Correct it, or empty the cell."
            )
        return float(text)

    def value(self, number: float) -> float:
        return float(number) if self.decimals is None else round(float(number), self.decimals)

    def text(self, number: float) -> str:
        if self.decimals is None:
            return repr(float(number))
        return f"{self.value(number) + 0.0:.{self.decimals}f}"  # + 0.0: never -0

    def describe(self, values: Array) -> str:
        return f"{values.min():.6g} to {values.max():.6g}"

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "decimals": self.decimals}


class Count(Column):
    """Whole numbers from 0 on."""

    kind = "count"

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array) -> Column:
        column = cls(name)
        for text in texts:
            column.parse(text)
        return column

    def parse(self, text: str) -> float:
        if not is_number(text) or not _whole(float(text)):
            raise Unfit(
                f"a count is a whole number from 0 to {LARGEST_COUNT:,}",
                f"Correct it, empty the cell, or train with --columns {self.name}=number.",
            )
        return float(text)

    def value(self, number: float) -> int:
        return max(0, round(float(number)))


class Labelled(Column):
    """Base of the kinds of which the numbers 0, 1, ... stand for labels."""

    labelled = True

    def __init__(self, name: str, labels: Iterable[str]) -> None:
        super().__init__(name)
        self.labels = tuple(labels)
        self._numbers = {self._key(label): float(i) for i, label in enumerate(self.labels)}

    def _key(self, label: str) -> Any:
        """What equal labels share: 1 and 1.0 are one."""
        return float(label) if is_number(label) else label

    def parse(self, text: str) -> float:
        number = self._numbers.get(self._key(text))
        if number is None:
            known = ", ".join(map(repr, self.labels[:8]))
            more = f" and {len(self.labels) - 8} more" if len(self.labels) > 8 else ""
            raise Unfit(
                f"a {self.kind}'s labels are those of the training table ({known}{more})",
                "Correct it, or empty the cell: a missing value is allowed.",
            )
        return number

    def value(self, number: float) -> str:
        return self.labels[min(max(round(float(number)), 0), len(self.labels) - 1)]

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "labels": list(self.labels)}


class Flag(Labelled):
    """Two words, of which capitals do not matter; 1 stands for the second."""

    kind = "flag"

    def _key(self, label: str) -> Any:
        return flag_key(label)

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array) -> Column:
        by_key = _spellings(texts, counts, flag_key)
        if len(by_key) != 2:
            raise Unfit(
                f"a flag has two different values, and the column has {len(by_key)}",
                f"Train with --columns {name}=category.",
            )
        pair = flag_pair(by_key)
        return cls(name, [by_key[key] for key in pair or sorted(by_key, key=_order)])

    def describe(self, values: Array) -> str:
        return " or ".join(self.labels)


class Category(Labelled):
    """A few labels, in alphabetical or numerical order."""

    kind = "category"

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array) -> Column:
        by_key = _spellings(texts, counts, lambda text: float(text) if is_number(text) else text)
        if len(by_key) < 2:
            raise Unfit(
                f"a category has two labels or more, and the column has {len(by_key)}",
                f"Leave it out with --columns {name}=skip.",
            )
        return cls(name, [by_key[key] for key in sorted(by_key, key=_order)])

    def describe(self, values: Array) -> str:
        shown = ", ".join(self.labels[:5]) + (", ..." if len(self.labels) > 5 else "")
        return f"{len(self.labels)} labels: {shown}"


class Constant(Column):
    """One value in all rows: there is nothing to model, and it is written as it was."""

    kind = "constant"

    def __init__(self, name: str, only: str) -> None:
        super().__init__(name)
        self.only = only

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array) -> Column:
        return cls(name, texts[0])

    def parse(self, text: str) -> float:
        return math.nan

    def value(self, number: float) -> str:
        return self.only

    def describe(self, values: Array) -> str:
        return f"always {self.only}: not modelled"

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "only": self.only}


KINDS: dict[str, type[Column]] = {c.kind: c for c in (Number, Flag, Count, Category)}
"""The kinds that x has."""


def column(config: Any) -> Column:
    """The column that a config describes; raises `ConfigError`."""
    try:
        arguments = dict(config)
        kind: Any = {**KINDS, Constant.kind: Constant}[arguments.pop("kind")]
        rebuilt = kind(**arguments)
        if rebuilt.config == config and isinstance(rebuilt.name, str):
            return rebuilt
    except (TypeError, ValueError, KeyError, AttributeError):
        pass
    raise ConfigError(f"a column is what Column.config gives; got {config!r:.80}.")


def refusal(place: str, text: str, unfit: Unfit) -> DataError:
    """The error for a cell that its column can't have."""
    rule, fix = unfit.args
    return DataError(
        f"{place}: {rule}; got {text if len(text) <= 40 else text[:40] + '...'!r}. {fix}"
    )


def is_missing(text: str) -> bool:
    """Whether a cell says that its value is not known."""
    return text.lower() in MISSING


def flag_key(text: str) -> Any:
    return float(text) if is_number(text) else text.casefold()


def flag_pair(keys: Iterable[Any]) -> tuple[Any, ...] | None:
    """The pair of words of a flag that these are, the one for 0 first."""
    return next((pair for pair in PAIRS if set(pair) == set(keys)), None)


def _spellings(texts: Sequence[str], counts: Array, key: Any) -> dict[Any, str]:
    """The most frequent spelling of each label."""
    found: dict[Any, str] = {}
    for i in np.argsort(-counts, kind="stable"):
        found.setdefault(key(texts[i]), texts[i])
    return found


def _order(key: Any) -> tuple[bool, Any]:
    """Numbers by size, before text."""
    return isinstance(key, str), key


def _whole(number: float) -> bool:
    return number.is_integer() and 0 <= number <= LARGEST_COUNT

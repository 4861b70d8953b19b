"""The kinds of columns whose cells are numbers, or dates and durations, which are days."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from datetime import date, time, timedelta
from shlex import quote
from typing import Any

import numpy as np

from ..core.errors import ConfigError
from ..data.marginal import Marginal
from ..datasets.numerals import is_number
from .cells import Unfit
from .column import Column, mend, say
from .formats import PLAIN, DateFormat, DurationFormat, NumberFormat, number_format

Array = np.ndarray

LARGEST_COUNT = 1 << 24
"""Up to here float32 has all whole numbers."""
MOST_DECIMALS = 12
"""A column with more was computed, and its numbers are floats in full."""
LARGEST_NUMBER = float(np.finfo(np.float32).max)


class NumericColumn(Column):
    """Base of the kinds whose cells are numbers, which a format may say how to write."""

    def __init__(self, name: str, format: dict[str, Any] | None = None) -> None:
        super().__init__(name)
        self.format: NumberFormat = number_format(format)

    def parsed(self, texts: Sequence[str]) -> Array:
        if self.format is PLAIN and not any("_" in text for text in texts):
            try:
                numbers = np.fromiter(map(float, texts), float, len(texts))
            except ValueError:
                return super().parsed(texts)
            if self.allows(numbers).all():
                return numbers
        return super().parsed(texts)

    def _parsed(self, text: str) -> float:
        """The number that a cell is; raises ValueError."""
        if self.format is not PLAIN:
            return self.format.parse(text)
        if not is_number(text):
            raise ValueError(text)
        return float(text)

    def number(self, value: Any) -> float:
        if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
            return self._checked(float(value))
        return super().number(value)

    @abstractmethod
    def allows(self, number: Any) -> Any:
        """Whether the column can have a number, or each of an array."""

    @abstractmethod
    def _checked(self, number: float, text: str | None = None) -> float:
        """A number that the column can have; raises `Unfit`."""

    @property
    def config(self) -> dict[str, Any]:
        written = {"format": self.format.config} if self.format is not PLAIN else {}
        return {**super().config, **written}


class Number(NumericColumn):
    """Real numbers, with `decimals` digits after the point; None: with as many as it takes."""

    kind = "number"

    def __init__(
        self,
        name: str,
        decimals: int | None = None,
        format: dict[str, Any] | None = None,
        marginal: Any = None,
    ) -> None:
        super().__init__(name, format)
        if decimals is not None and decimals not in range(MOST_DECIMALS + 1):
            raise ConfigError(f"decimals are 0 to {MOST_DECIMALS}, or None; got {decimals!r:.40}.")
        self.decimals = decimals
        self.marginal = None if marginal is None else Marginal.of(marginal)

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array, written: Any = None) -> Column:
        column = cls(name, format=(written or PLAIN).config)
        numbers = column.parsed(texts)
        if column.format is PLAIN and (numbers == np.floor(numbers)).all():
            column.decimals = 0
        elif column.format.magnitudes:
            column.decimals = None
        elif column.format.exponent or not any("e" in text.lower() for text in texts):
            decimals = max(map(column.format.decimals, texts))
            column.decimals = decimals if decimals <= MOST_DECIMALS else None
        return column

    def parse(self, text: str) -> float:
        try:
            number = self._parsed(text)
        except ValueError:
            like = "" if self.format is PLAIN else f", such as {self.format.write(1234.5, 2)}"
            rule = f"every known cell must hold a number{like}"
            raise Unfit(rule, mend(self.name, text), text) from None
        return self._checked(number, text)

    def allows(self, number: Any) -> Any:
        return abs(number) <= LARGEST_NUMBER

    def _checked(self, number: float, text: str | None = None) -> float:
        if not self.allows(number):
            raise Unfit(
                "every number must be finite, and at most 3.4e38",
                mend(self.name, text or str(number)),
                text or str(number),
            )
        return number

    def value(self, number: float) -> float:
        """A float; an int in a column that has no decimals."""
        if self.format.magnitudes:
            return self.format.nearest(float(number))
        if self.decimals is None or self.format.exponent:
            return float(number)
        return round(float(number), self.decimals or None)

    def text(self, number: float) -> str:
        if self.format is not PLAIN:
            return self.format.write(float(number), self.decimals)
        if self.decimals is None:
            return repr(float(number))
        return f"{self.value(number) + 0.0:.{self.decimals}f}"  # + 0.0: never -0

    def describe(self, values: Array) -> str:
        if self.format is not PLAIN:
            return super().describe(values)
        digits = ".0f" if self.decimals == 0 and np.abs(values).max() < 1e15 else ".6g"
        return f"{values.min():{digits}} to {values.max():{digits}}"

    @property
    def config(self) -> dict[str, Any]:
        config = super().config
        own = {"name": self.name, "kind": self.kind, "decimals": self.decimals}
        return {**own, **config, **_as_config(self.marginal)}


class Count(NumericColumn):
    """Whole numbers from 0 on."""

    kind = "count"

    def __init__(
        self, name: str, format: dict[str, Any] | None = None, marginal: Any = None
    ) -> None:
        super().__init__(name, format)
        self.marginal = None if marginal is None else Marginal.of(marginal)

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array, written: Any = None) -> Column:
        column = cls(name, format=(written or PLAIN).config)
        column.parsed(texts)
        return column

    def parse(self, text: str) -> float:
        try:
            number = self._parsed(text)
        except ValueError:
            number = math.nan
        return self._checked(number, text)

    def allows(self, number: Any) -> Any:
        return (number == np.floor(number)) & (number >= 0) & (number <= LARGEST_COUNT)

    def _checked(self, number: float, text: str | None = None) -> float:
        if not self.allows(number):
            raise Unfit(
                f"a count is a whole number from 0 to {LARGEST_COUNT:,}",
                f"Correct it, or train with {say(f'{self.name}=number')}.",
                text or str(number),
            )
        return number

    def value(self, number: float) -> int:
        return max(0, round(float(number)))

    def text(self, number: float) -> str:
        return self.format.write(self.value(number), 0)

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, **_as_config(self.marginal)}


class _Days(Column):
    """Base of the kinds that are numbers of days, and whose format says what these stand for.

    `formats` is that format's class, `examples` what people are shown of it.
    """

    formats: type
    examples: str
    format: Any

    def __init__(self, name: str, marginal: Any) -> None:
        super().__init__(name)
        self.marginal = None if marginal is None else Marginal.of(marginal)

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array, written: Any = None) -> Column:
        if not isinstance(written, cls.formats):
            raise Unfit(
                f"{cls.kind}s are written such as {cls.examples}",
                f"Take it as text with {say(f'{name}=category')}, or leave it out with "
                f"{quote(f'{name}=skip')}.",
            )
        column = cls(name, **written.config)  # type: ignore[attr-defined]
        column.parsed(texts)
        return column

    def parse(self, text: str) -> float:
        try:
            return self.format.parse(text)
        except ValueError:
            raise Unfit(
                f"every known cell must hold a {self.kind}, written as {self.format.pattern}",
                mend(self.name, text),
                text,
            ) from None

    def value(self, number: float) -> Any:
        return self.format.moment(number)

    def text(self, number: float) -> str:
        return self.format.write(number)

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, **self.format.config, **_as_config(self.marginal)}


class Date(_Days):
    """Dates, times or both: days since `origin`, and of times alone since midnight.

    Its other arguments are those of `DateFormat`.
    """

    kind = "date"
    modelled_as = "number"
    formats = DateFormat
    examples = "2024-12-31, 31.12.2024, 12/31/2024 or 2024-12-31 23:59"

    def __init__(
        self,
        name: str,
        pattern: str,
        origin: str = "1970-01-01",
        *arguments: Any,
        marginal: Any = None,
        **written: Any,
    ) -> None:
        super().__init__(name, marginal)
        self.format = DateFormat(pattern, origin, *arguments, **written)

    def number(self, value: Any) -> float:
        return self.parse(value.isoformat() if isinstance(value, (date, time)) else str(value))


class Duration(_Days):
    """Durations, in days: 36:15:00, 1 day 02:00:00, 2h 30m or PT36H15M.

    Its other arguments are those of `DurationFormat`.
    """

    kind = "duration"
    modelled_as = "number"
    formats = DurationFormat
    examples = "36:15:00, 1 day 02:00:00, 2h 30m or PT36H15M"

    def __init__(
        self, name: str, pattern: str, *arguments: Any, marginal: Any = None, **written: Any
    ) -> None:
        super().__init__(name, marginal)
        self.format = DurationFormat(pattern, *arguments, **written)

    def number(self, value: Any) -> float:
        return value / timedelta(1) if isinstance(value, timedelta) else super().number(value)


def _as_config(marginal: Marginal | None) -> dict[str, Any]:
    return {} if marginal is None else {"marginal": marginal.config}

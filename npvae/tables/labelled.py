"""The kinds of columns whose numbers 0, 1, ... stand for labels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from unicodedata import normalize

import numpy as np

from ..core.errors import ConfigError
from ..core.wording import short
from ..datasets.numerals import is_number, is_plain
from .cells import Unfit
from .column import Column, say, say_missing
from .scales import order_of

Array = np.ndarray

PAIRS = (
    ("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on"), ("0", "1"),
    ("nein", "ja"), ("non", "oui"), ("nee", "ja"), ("no", "sí"), ("no", "si"), ("no", "sì"),
    ("não", "sim"), ("falsch", "wahr"), ("faux", "vrai"), ("falso", "verdadero"),
)  # fmt: skip
"""The words of a flag, the one that 0 stands for first."""
_WHOLE = re.compile(r"(-?[0-9]+)\.0*")


class Labelled(Column):
    """Base of these kinds."""

    def __init__(self, name: str, labels: Iterable[str]) -> None:
        super().__init__(name)
        self.labels = tuple(labels)
        self._key = self.key_of(self.labels)
        self._numbers = {self._key(label): float(i) for i, label in enumerate(self.labels)}
        if len(self._numbers) < max(2, len(self.labels)):
            raise ConfigError(
                f"a {self.kind} has two different labels or more; got {labels!r:.60}."
            )

    @staticmethod
    def key_of(labels: Iterable[str]) -> Callable[[str], str]:
        """What spellings of one label share."""
        return number_key if all(map(is_plain, labels)) else text_key

    def parse(self, text: str) -> float:
        number = self._numbers.get(self._key(text))
        if number is None:
            known = ", ".join(map(repr, self.labels[:8]))
            more = f" and {len(self.labels) - 8} more" if len(self.labels) > 8 else ""
            what = "an order's" if self.kind == "ordered" else f"a {self.kind}'s"
            raise Unfit(
                f"{what} labels are those of the training table ({known}{more})",
                f"Correct it; or if it is to count as not known, say {say_missing(text)}.",
                text,
            )
        return number

    def value(self, number: float) -> str:
        return self.labels[min(max(round(float(number)), 0), len(self.labels) - 1)]

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "labels": list(self.labels)}


class AnyCase(Labelled):
    """Base of those in which capitals do not matter."""

    @staticmethod
    def key_of(labels: Iterable[str]) -> Callable[[str], str]:
        return flag_key


class Flag(AnyCase):
    """Two words; 1 stands for the second."""

    kind = "flag"

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array, written: Any = None) -> Column:
        by_key = _spellings(texts, counts, flag_key)
        if len(by_key) != 2:
            raise Unfit(
                f"a flag has two different values, and the column has {len(by_key)}",
                f"Train with {say(f'{name}=category')}.",
            )
        pair = flag_pair(by_key)
        return cls(name, [by_key[key] for key in pair or sorted(by_key, key=_order)])

    def describe(self, values: Array) -> str:
        return " or ".join(map(_brief, self.labels))


class Category(Labelled):
    """A few labels, in alphabetical or numerical order.

    They are compared as text, so that codes such as 007 and 7 stay apart; where all are plain
    numbers, 1 and 1.0 are one.
    """

    kind = "category"

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array, written: Any = None) -> Column:
        """`written` is all labels, where they are said."""
        if isinstance(written, list):
            return cls(name, written)
        by_key = _spellings(texts, counts, cls.key_of(texts))
        if len(by_key) < 2:
            raise Unfit(
                f"a category has two labels or more, and the column has {len(by_key)}",
                f"Leave it out with {say(f'{name}=skip')}.",
            )
        return cls(name, sorted(by_key.values(), key=_order))

    def describe(self, values: Array) -> str:
        shown = ", ".join(map(_brief, self.labels[:5])) + (", ..." if len(self.labels) > 5 else "")
        return f"{len(self.labels)} labels: {shown}"


class Ordered(AnyCase):
    """Labels in an order, such as low, medium and high."""

    kind = "ordered"

    @classmethod
    def of(cls, name: str, texts: Sequence[str], counts: Array, written: Any = None) -> Column:
        """`written` is the labels' order, where the user says it."""
        by_key = _spellings(texts, counts, flag_key)
        labels = list(by_key.values())
        if written is not None:
            column = cls(name, written)
            for label in labels:
                column.parse(label)
            return column
        numbers = sorted(labels, key=_order) if all(map(is_plain, labels)) else None
        order = numbers or order_of(labels)
        if order is None or len(order) < 2:
            raise Unfit(
                "an ordered category needs an order, and its labels are of no scale that npvae "
                f"knows: {', '.join(map(repr, labels[:8]))}",
                f"Say it: {say(f'{name}=ordered:low<medium<high')}.",
            )
        return cls(name, order)

    def describe(self, values: Array) -> str:
        shown = [*map(_brief, self.labels[:6]), *["..."] * (len(self.labels) > 6)]
        return f"{len(self.labels)} labels: {' < '.join(shown)}"


def _brief(label: str) -> str:
    return short(label, 60)


def text_key(text: str) -> str:
    """Composed and decomposed accents are the same."""
    return text if text.isascii() else normalize("NFC", text)


def number_key(text: str) -> str:
    """1, 1. and 1.0 are the same; 1.1 and 1.10 are not."""
    match = _WHOLE.fullmatch(text)
    return match[1] if match else text


def flag_key(text: str) -> str:
    return number_key(text) if is_plain(text) else text_key(text).casefold()


def flag_pair(keys: Iterable[str]) -> tuple[str, str] | None:
    """The pair of words of a flag that these are, the one for 0 first."""
    return next((pair for pair in PAIRS if set(pair) == set(keys)), None)


def _spellings(texts: Sequence[str], counts: Array, key: Callable[[str], str]) -> dict[str, str]:
    """The most frequent spelling of each label."""
    found: dict[str, str] = {}
    for i in np.argsort(-counts, kind="stable"):
        found.setdefault(key(texts[i]), texts[i])
    return found


def _order(label: str) -> tuple[bool, float, str]:
    """Numbers by size, before text."""
    number = float(label) if is_number(label) else math.nan
    return (False, number, label) if math.isfinite(number) else (True, 0.0, label)

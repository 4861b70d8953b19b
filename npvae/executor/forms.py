"""Arrays within tuples, lists, dicts and dataclasses: taken out in order, and put back."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .graph import NotCapturable, Value

_PLAIN = (bool, str, bytes, type(None))
_NUMBERS = (np.ndarray, np.generic, int, float, complex)


class Form:
    """How a part's arrays are put together, learnt from one example."""

    def __init__(self) -> None:
        self._fill: Callable[[Iterator[Any]], Any] = lambda rest: None

    def given(self, thing: Any) -> list[Any]:
        """The recorded values in a call's arguments, all else in them being constants."""
        return self._apart(thing, lambda item: isinstance(item, Value), lambda item: item)

    def result(self, thing: Any) -> list[Any]:
        """The arrays and numbers in what a call of Python's gave."""
        return self._apart(thing, _is_array, _constant)

    def filled(self, arrays: Iterable[Any]) -> Any:
        """The example's form with these in the places of its arrays."""
        return self._fill(iter(arrays))

    def _apart(self, thing: Any, is_array: Callable[[Any], bool], constant: Any) -> list[Any]:
        arrays: list[Any] = []

        def visit(item: Any) -> Callable[[Iterator[Any]], Any]:
            if is_array(item):
                arrays.append(item)
                return next
            if isinstance(item, dict):
                return _filler(item, {key: visit(value) for key, value in item.items()})
            if isinstance(item, (list, tuple)):
                fills = [visit(value) for value in item]
                make = getattr(type(item), "_make", type(item))  # of named tuples
                return lambda rest: make([fill(rest) for fill in fills])
            if dataclasses.is_dataclass(item) and not isinstance(item, type):
                return _filler(item, {name: visit(value) for name, value in vars(item).items()})
            kept = constant(item)
            return lambda rest: kept

        self._fill = visit(thing)
        return arrays


def _is_array(item: Any) -> bool:
    return isinstance(item, _NUMBERS) and not isinstance(item, bool)


def _constant(item: Any) -> Any:
    if not isinstance(item, _PLAIN):
        raise NotCapturable(
            f"outputs are arrays, in tuples, lists, dicts or dataclasses; got {type(item).__name__}"
        )
    return item


def _filler(item: Any, fills: dict[Any, Any]) -> Callable[[Iterator[Any]], Any]:
    """For a dict or a dataclass: a copy of it with other values."""

    def fill(rest: Iterator[Any]) -> Any:
        made = copy.copy(item)
        (made if isinstance(made, dict) else vars(made)).update(
            {key: fill(rest) for key, fill in fills.items()}
        )
        return made

    return fill

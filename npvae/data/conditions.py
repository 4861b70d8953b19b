"""What a model is conditioned on: labels, or rows of numbers, as the context of its networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.arrays import as_array
from ..core.checks import whole
from ..core.errors import ConfigError, DataError, closest
from ..core.registry import Registered, resolve
from ..core.wording import cut

Array = np.ndarray

MOST_CLASSES = 100_000
"""Each class is a column of the networks' input; a few words of a file could ask for more."""


class Condition(Registered, abstract=True):
    """What `context` is, and the rows of numbers that the networks are given of it.

    Attributes
    ----------
    width : int
        C, how many numbers a row of the context has inside.
    """

    family = "condition"
    width: int

    @abstractmethod
    def rows(self, context: Any) -> Any:
        """The context (N, C) as networks take it; one value gives one row."""


class Labels(Condition):
    """A class for each example; inside, class c is the c-th unit vector.

    Parameters
    ----------
    classes : int or sequence
        How many classes there are, which are then 0, 1, ...; or their names, in order.

    Raises
    ------
    ConfigError
        If there is no class, or a name stands twice.
    DataError
        By `rows` and `index`, if a label is none of the classes.
    """

    def __init__(self, classes: Any) -> None:
        if isinstance(classes, (str, bytes)) or not isinstance(classes, (Sequence, np.ndarray)):
            self.classes: Any = whole("classes", classes)
            named = map(str, range(min(self.classes, MOST_CLASSES)))
        else:
            self.classes = [_name(label) for label in classes]
            named = iter(self.classes)
        self.names = list(named)
        self.width = self.classes if isinstance(self.classes, int) else len(self.names)
        if not 0 < self.width <= MOST_CLASSES:
            raise ConfigError(f"Labels takes 1 to {MOST_CLASSES:,} classes; got {self.width}.")
        self._index = {name: c for c, name in enumerate(self.names)}
        if len(self._index) < self.width:
            twice = next(n for c, n in enumerate(self.names) if self._index[n] != c)
            raise ConfigError(f"a class is named once; {twice!r} stands twice in Labels.")

    def index(self, labels: Any) -> Array:
        """The number of each label's class, (N,); of one label (1,)."""
        given = np.asarray(labels).reshape(-1)
        if given.dtype.kind == "O":  # labels of several types have no order
            given = np.asarray([_name(label) for label in given.tolist()])
        names, inverse = np.unique(given, return_inverse=True)
        known = [self._index.get(_name(label), -1) for label in names.tolist()]
        if -1 in known:
            unknown = names.tolist()[known.index(-1)]
            name = _name(unknown)
            hint = "" if name.lstrip("-").isdecimal() else closest(name, self.names)
            raise DataError(
                f"a label is one of {cut(', '.join(self.names), 100)}; got {unknown!r}"
                f"{hint or '. The model knows no other class.'}"
            )
        return np.asarray(known, dtype=np.intp)[inverse.reshape(-1)]

    def rows(self, context: Any) -> Any:
        given = np.asarray(context)
        if given.ndim == 2 and given.shape[1] == self.width and self.width > 1:
            return given  # rows of weights, such as unit vectors or what lies between classes
        if given.ndim > 1 and given.size != len(given):
            raise DataError(
                f"context is a label for each example, shape (N,), or rows of {self.width} "
                f"weights; got shape {given.shape}."
            )
        labels, rows = given.reshape(-1), np.zeros((given.size, self.width), np.float32)
        known = np.flatnonzero(self.known(labels))
        if len(known):
            rows[known, self.index(labels[known])] = 1
        return rows

    def known(self, labels: Array) -> Array:
        """Which of the labels (N,) are to be classes, (N,) bool."""
        return np.ones(len(labels), bool)


class PartialLabels(Labels):
    """`Labels`, of which -1 (or None, NaN, "") stands for one that is not known; inside, zeros."""

    name = "partial_labels"

    def known(self, labels: Array) -> Array:
        return ~np.array([_is_unknown(label) for label in labels.tolist()], bool)


class Vector(Condition):
    """A row of `width` numbers for each example.

    Parameters
    ----------
    width : int
    """

    def __init__(self, width: int) -> None:
        self.width = whole("width", width)

    def rows(self, context: Any) -> Any:
        given = as_array(context, "context")
        return given[None] if given.ndim == 1 and len(given) == self.width else given


def as_condition(choice: Any) -> Condition:
    """The condition that an object, text or a config stands for."""
    if isinstance(choice, int):
        raise ConfigError(
            f"condition says what is given; got {choice!r}. Take nv.Labels({choice})."
        )
    condition: Condition = resolve("condition", choice)
    return condition


def _is_unknown(label: Any) -> bool:
    return label is None or label != label or _name(label) in ("-1", "")


def _name(label: Any) -> str:
    """A label as a class is named: 3, 3.0 and "3" are one class."""
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        label = int(label)
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)

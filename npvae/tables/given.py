"""What is known of rows that are to be drawn: values, ranges and labels of columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..core.errors import DataError, nearest
from ..core.wording import short
from .cells import Unfit
from .column import Column, Constant
from .schema import Schema

Array = np.ndarray


class KnownCells:
    """What is known of a row.

    Attributes
    ----------
    x : (D,) array
        The values that are known, as a row of x has them; NaN for the others.
    ranges : mapping from a column's number to its least and its greatest value
    labels : mapping from a column's number to the numbers of its labels that may come
    """

    def __init__(self, schema: Schema, known: Mapping[str, Any] | None = None) -> None:
        self.x = np.full(len(schema.modelled), np.nan)
        self.ranges: dict[int, tuple[float, float]] = {}
        self.labels: dict[int, list[float]] = {}
        self.words: list[str] = []
        for name, value in (known or {}).items():
            column = column_of(schema, name)
            self.words.append(f"{short(name)}={short(str(value))}")
            if not isinstance(column, Constant):
                self._take(schema.names.index(column.name), column, value)
            elif str(value) != column.only:
                raise DataError(f"{name!r} is {column.only!r} in all rows; got {value!r:.60}.")

    def _take(self, j: int, column: Column, value: Any) -> None:
        ends = None if column.labels else _ends(value)
        if ends is not None:
            self.ranges[j] = _range(column, *ends)
        elif column.labels and isinstance(value, Collection) and not isinstance(value, str):
            self.labels[j] = [_number(column, label) for label in value]
            if not self.labels[j]:
                raise DataError(f"{column.name!r} needs a label or more that may come; got none.")
        else:
            self.x[j] = _number(column, value)
            _check_possible(column, self.x[j], self.x[j], value)

    def __str__(self) -> str:
        return ", ".join(self.words)

    def allows(self, x: Array) -> Array:
        """Which rows of x (N, D) lie in the ranges and have one of the labels, (N,) bool."""
        good = np.ones(len(x), bool)
        for j, (low, high) in self.ranges.items():
            good &= (low <= x[:, j]) & (x[:, j] <= high)
        for j, labels in self.labels.items():
            good &= np.isin(x[:, j], labels)
        return good


def column_of(schema: Schema, name: str) -> Column:
    """The column of that name; raises `DataError` where none is modelled."""
    for column in schema.columns:
        if column.name == name:
            return column
    if name == schema.label:
        raise DataError(
            f"{name!r} is the rows' label, which is not modelled; give other columns, or to "
            "a model that has classes --class, in Python context=."
        )
    if name in schema.skipped:
        raise DataError(f"{name!r} is not modelled: {schema.skipped[name]}; give other columns.")
    raise DataError(f"there is no column {name!r}{nearest(name, schema.names)}")


def _ends(value: Any) -> tuple[Any, Any] | None:
    """The ends of a range, "30..40" or (30, 40); of an open one "" or None."""
    if isinstance(value, str) and ".." in value:
        low, _, high = value.partition("..")
        return low.strip(), high.strip()
    if isinstance(value, tuple) and len(value) == 2:
        return value
    return None


def _range(column: Column, low: Any, high: Any) -> tuple[float, float]:
    ends = (
        -np.inf if low in ("", None) else _number(column, low),
        np.inf if high in ("", None) else _number(column, high),
    )
    if not ends[0] <= ends[1]:
        raise DataError(
            f"a range goes from its least value to its greatest; got {low!r} to {high!r} for "
            f"{column.name!r}. Exchange them."
        )
    _check_possible(column, *ends, f"{low}..{high}")
    return ends


def _number(column: Column, value: Any) -> float:
    """What stands for a value in x; raises `DataError`."""
    try:
        number = column.number(value)
    except Unfit as unfit:
        if column.labels:
            raise DataError(
                f"{column.name!r} has no label {value!r:.60}{nearest(str(value), column.labels)}"
            ) from None
        raise DataError(f"{column.name!r}: {unfit.rule}; got {value!r:.60}.") from None
    if not np.isfinite(number):
        raise DataError(f"{column.name!r} needs a finite value; got {value!r:.60}.")
    return number


def _check_possible(column: Column, low: float, high: float, value: Any) -> None:
    """Refuse what no row can have: a value outside of all that the column's rows had."""
    if column.marginal is None:
        return
    half = column.marginal.step / 2
    least, most = column.marginal.x[0] + half, column.marginal.x[-1] - half
    if high < least - half or low > most + half:
        raise DataError(
            f"{column.name!r} lies between {column.text(least)} and {column.text(most)} in the "
            f"rows of training, and so in drawn ones; got {value!s:.60}."
        )

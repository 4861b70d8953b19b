"""Checks of arguments, with the same words everywhere."""

from __future__ import annotations

import math
import operator
import warnings
from numbers import Real
from typing import Any

import numpy as np

from .arrays import as_array
from .errors import ConfigError, DataError


def whole(what: str, value: Any, least: int = 1) -> int:
    """A whole number, `least` or more, as an int; `what` names it in the error."""
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ConfigError(f"{what} is a whole number, {least} or more; got {value!r}.")
    return number


def number(what: str, value: Any, above: float = -math.inf, least: float = -math.inf) -> float:
    """A finite number greater than `above` and not less than `least`, as a float."""
    fits = isinstance(value, Real) and not isinstance(value, bool) and _finite(value)
    if not fits or value <= above or value < least:
        bound = f" above {above:g}" if above > -math.inf else ""
        bound = f", {least:g} or more" if least > -math.inf else bound
        raise ConfigError(f"{what} is a finite number{bound}; got {value!r}.")
    return float(value)


def flag(what: str, value: Any) -> bool:
    """A bool; raises `ConfigError` otherwise."""
    if not isinstance(value, (bool, np.bool_)):
        raise ConfigError(f"{what} is True or False; got {value!r:.60}.")
    return bool(value)


def row_weights(weights: Any, n: int) -> np.ndarray:
    """How much each of n rows counts, (n,) float64: finite, 0 or more, and not all 0.

    Raises
    ------
    DataError
        If `weights` is no such array.
    """
    nested = isinstance(weights, (list, tuple)) and any(map(np.ndim, weights))
    w = np.asarray(None) if nested else as_array(weights, "weights")
    if w.shape != (n,) or w.dtype.kind not in "fuib":
        raise DataError(
            f"weights are one number for each of the {n} rows, of shape ({n},); got {w.dtype} of "
            f"shape {w.shape}. Give one weight a row, in the order of the rows."
        )
    w = w.astype(np.float64)
    wrong = ~np.isfinite(w) | (w < 0)
    if wrong.any() or not w.any():
        row = int(wrong.argmax())
        came = f"{w[row]:.9g} in row {row} (counted from 0)" if wrong.any() else "zeros alone"
        raise DataError(
            f"weights are finite numbers, 0 or more and not all 0; got {came}. Leave weights out "
            "to count every row the same."
        )
    return w


def relative_weights(weights: Any, n: int) -> np.ndarray:
    """`row_weights`, scaled to a mean of 1."""
    w = row_weights(weights, n)
    w = w / w.max()  # the sum of the largest floats would be infinite
    return w / w.mean()


def divisor(high: float) -> str:
    """What data from 0 to `high` are to be divided by to lie in [0, 1]; bytes reach above 127."""
    return "255" if 127 < high <= 255 else "the data's maximum"


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def warn_of_infinite(what: str, values: np.ndarray, dtype: str) -> None:
    """Say which rows have a value (N,) that is NaN or infinite, if any has."""
    rows = np.flatnonzero(~np.isfinite(values))
    if len(rows):
        warnings.warn(
            f"the {what} of {len(rows):,} of {len(values):,} rows is no finite number, first that "
            f"of row {rows[0]} (counted from 0): its numbers are too large for {dtype} beside "
            "those that the model was trained on; rescale such rows"
            + (", or take model.astype('float64')." if dtype == "float32" else "."),
            stacklevel=4,
        )

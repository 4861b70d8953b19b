"""The units of a table: mean and scale of each column, by which real numbers are standardised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import kernels as k
from ..core.arrays import constant
from ..core.errors import ConfigError
from ..core.numerics import known_sums

Array = np.ndarray

MOST_INPUT = 500.0
"""The most that the encoder's inputs of a row add up to, in size and on average; docs/training.md
has what was measured."""


class Units:
    """x ↦ (x - mean) / scale, column by column and in float64, and the way back.

    The density of x is that of the standardised x, divided by the scale of each known column:
    log p(x) = log p(standardised x) - Σ_D log scale.

    Parameters
    ----------
    mean, scale : sequences of D finite numbers, those of scale above 0

    Raises
    ------
    ConfigError
        If they are something else.
    """

    def __init__(self, mean: Any, scale: Any) -> None:
        self.mean, self.scale = _finite("mean", mean), _finite("scale", scale)
        if len(self.mean) != len(self.scale) or not (self.scale > 0).all():
            raise ConfigError(
                "standardise needs a mean and a scale above 0 for each column; got "
                f"{len(self.mean)} means and scales from {self.scale.min(initial=np.inf):.9g} on."
            )
        self.log_scale: tuple[float, ...] = tuple(np.log(self.scale).tolist())

    def __deepcopy__(self, memo: Any) -> Units:
        """Itself: nothing changes it, and a copy's arrays could be written to."""
        return self

    @classmethod
    def given(cls, config: Any, x_dim: int, what: str = "standardise") -> Units:
        """Those of a config, ``{"mean": [...], "scale": [...]}``, for a table of x_dim columns."""
        if not isinstance(config, dict) or set(config) != {"mean", "scale"}:
            choices = "True, False or" if what == "standardise" else "None or"
            raise ConfigError(
                f"{what} is {choices} {{'mean': [...], 'scale': [...]}}; got {config!r:.60}."
            )
        units = cls(**config)
        if len(units.mean) != x_dim:
            raise ConfigError(
                f"{what} needs a mean and a scale for each of the {x_dim} columns; got "
                f"{len(units.mean)}."
            )
        return units

    @classmethod
    def of(cls, batches: Callable[[], Iterable[tuple[Array, Array | None]]], real: Array) -> Units:
        """Those of a table, NaN left out: the mean and the standard deviation of each column.

        A column that does not vary, to rounding, keeps the scale 1. Those that are not `real`,
        (D,) bool, are left as they are: 0 and 1. `batches` gives rows in float64, and their weights
        or None, on each of two passes; the second sums what lies in [0, 1], so that a large offset
        costs no digits.
        """
        low, high = np.full((2, len(real)), np.nan)
        for x, _ in batches():
            low = np.fmin(low, np.fmin.reduce(x, axis=0))
            high = np.fmax(high, np.fmax.reduce(x, axis=0))
        resolution = 8 * np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
        varies = high - low > resolution
        span = np.where(varies, high - low, 1.0)
        total, squares, n = np.zeros((3, len(real)))
        for x, weights in batches():
            u = (x - low) / span
            sums, known = known_sums(u, weights)
            total += sums
            squares += known_sums(u * u, weights)[0]
            n += known
        n = np.where(n > 0, n, 1)  # in a column that `fit` refuses, nothing is known
        share = total / n
        deviation = np.sqrt(np.maximum(squares / n - share * share, 0))
        varies &= deviation > 1e-7  # else rows of weight 0 alone are different
        mean = np.nan_to_num(low + span * share)
        return cls(np.where(real, mean, 0), np.where(real & varies, span * deviation, 1))

    @classmethod
    def of_inputs(cls, inputs: Array, usual: Array) -> Units | None:
        """Those by which an encoder can take its inputs (N, F), of which NaN are missing; or None.

        Two things make the first steps jump so far that training does not come back. Numbers of
        a root mean square beyond the `usual` size (F,), such as the logarithms of counts of
        millions, make z too large, and where they hardly vary beside it their differences are
        lost: they are standardised. And Adam changes each weight by the learning rate, whatever
        the gradient, hence a weighted sum of the inputs by the rate times Σ|input|, which grows
        with the number of columns: it is held below `MOST_INPUT`.
        """
        rounding = np.finfo(inputs.dtype).eps
        inputs = np.asarray(inputs, np.float64)
        total, known = known_sums(inputs)
        known = np.maximum(known, 1)
        far = np.sqrt(known_sums(np.square(inputs))[0] / known) > usual
        mean = np.where(far, total / known, 0.0)
        deviation = np.sqrt(known_sums(np.square(inputs - mean))[0] / known)
        # What varies little beside its rounding is not blown up: that would be noise.
        deviation = np.maximum(deviation, 1e4 * rounding * np.abs(mean))
        scale = np.where(far & (deviation > 0), deviation, 1.0)
        size = known_sums(np.abs((inputs - mean) / scale))[0].sum() / len(inputs)
        if not far.any() and size <= MOST_INPUT:
            return None
        return cls(mean, scale * 2.0 ** np.ceil(np.log2(max(1.0, size / MOST_INPUT))))

    @property
    def config(self) -> dict[str, list[float]]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    def standardised(self, x: Array) -> Array:
        return (x - self.mean) / self.scale

    def restored(self, x: Array) -> Array:
        """The way back, in float64: a large mean leaves float32 no digits for what varies."""
        return k.restored(x, self.mean, self.scale)


def _finite(what: str, values: Any) -> Array:
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.zeros(())
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ConfigError(f"standardise's {what} is a list of finite numbers, one for each column.")
    return constant(array)

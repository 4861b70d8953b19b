"""The distribution of one column, as a monotone function of a standard normal number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import kernels as k
from ..core.arrays import constant
from ..core.errors import ConfigError
from ..core.numerics import normal_cdf
from ..kernels.dense import LOG_2PI

Array = np.ndarray

MOST_KNOTS = 1024
"""All columns of a model take memory for as many knots as the one that has most."""
_ROUGHLY, _SMALL_STEP = 0.01, 0.1
"""Of a column's spread, what a coarse line may be off by, and steps that it leaves out."""


class Marginal:
    """x = Q(y): the line through knots (y, x), constant outside them, rounded to a step.

    If y is standard normal, x has the column's distribution. Where several knots have one x, that
    value is an atom: it has a probability of its own, as the zeros have in an amount that is mostly
    0. So have the least and the greatest x, for which all y stand that lie outside the knots: no
    draw is beyond them. A value that is has the outermost one's probability, times a share and the
    density of its tail where there are tails; else it counts as if it were there.

    Parameters
    ----------
    x : sequence of K ≥ 2 finite numbers, none below the one before
    y : sequence of K finite numbers, each above the one before
    step : float
        What values are multiples of; 0 if they are not rounded.
    tails : sequence of 6 numbers, optional
        Of the tail below the least x, then of that above the greatest: scale and shape, above 0,
        and the share of the outermost value's probability that lies in it, from 0 to below 1. See
        `kernels.marginals`.

    Raises
    ------
    ConfigError
        If they are something else.
    """

    def __init__(self, x: Any, y: Any, step: float = 0.0, tails: Any = None) -> None:
        self.x, self.y, self.step = _finite(x), _finite(y), float(step)
        self.tails = None if tails is None else _finite(tails)
        usable = self.x.shape == self.y.shape and 0 <= self.step < np.inf
        usable &= 1 < len(self.x) <= MOST_KNOTS
        if not usable or (np.diff(self.x) < 0).any() or (np.diff(self.y) <= 0).any():
            raise ConfigError(
                "a marginal has knots, x that never falls and y that rises, and a step of 0 or "
                f"more; got {len(self.x)} and {len(self.y)} numbers and step {step!r:.20}."
            )
        if self.tails is not None and not _are_tails(self.tails):
            raise ConfigError(
                "a marginal's tails are a scale and a shape above 0 and a share below 1 for either "
                f"end, six numbers; got {tails!r:.60}."
            )
        if not self.x[-1] - self.x[0] > 1.5 * self.step:
            raise ConfigError(
                f"a marginal needs values that differ; got {self.x[0]:.9g} to {self.x[-1]:.9g} "
                f"with a step of {self.step:.9g}."
            )

    @classmethod
    def of(cls, choice: Any) -> Marginal:
        """A marginal, or the one that a config describes; raises `ConfigError`."""
        if isinstance(choice, Marginal):
            return choice
        try:
            return cls(**choice)
        except TypeError as error:
            raise ConfigError(
                f"a marginal is {{'x': [...], 'y': [...], 'step': ...}}; got {choice!r:.60}."
            ) from error

    @property
    def config(self) -> dict[str, Any]:
        """What `of` rebuilds it from; JSON can hold it."""
        more = {} if self.tails is None else {"tails": self.tails.tolist()}
        return {"x": self.x.tolist(), "y": self.y.tolist(), "step": self.step, **more}

    def __repr__(self) -> str:
        return f"Marginal({len(self.x)} knots, {self.x[0]:.9g} to {self.x[-1]:.9g})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Marginal) and other.config == self.config

    def __hash__(self) -> int:
        return hash(self.x.tobytes())

    def log_prob(self, x: Array) -> Array:
        """log p of each of x (N,), if y is standard normal; (N,), NaN where x is."""
        cells = k.cells(x[:, None], *stacked([self]), tails([self]))
        low, high, width, offset = (a[:, 0] for a in cells)
        flipped = low > 0  # where the tails are small differences of numbers near 1
        a, b = np.where(flipped, -high, low), np.where(flipped, -low, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            cell = np.log(normal_cdf(b) - normal_cdf(a))
        density = -0.5 * (np.square(low) + LOG_2PI)
        return np.where(width == 0, density, cell) + offset

    def coarse(self) -> Marginal:
        """One with fewer knots, and without steps that are small: enough to take means of.

        It is nowhere off by more than `_ROUGHLY` of the column's spread, or half a small step.
        """
        spread = float(np.diff(np.interp([-1.0, 1.0], self.y, self.x))[0]) / 2
        spread = max(spread, (self.x[-1] - self.x[0]) / 100)
        if self.step > _SMALL_STEP * spread:
            return Marginal(self.x, self.y, self.step)
        x = np.clip(self.x, self.x[0] + self.step / 2, self.x[-1] - self.step / 2)
        kept = _bends(x, self.y, _ROUGHLY * spread)
        return Marginal(x[kept], self.y[kept])

    def restored(self, y: Array) -> Array:
        """Q of each of y (N,)."""
        return k.from_scores(y[:, None], *stacked([self]))[:, 0]


class Lines(NamedTuple):
    """Knots x and y (D, K), filled up with infinities, and steps (D,): as kernels take them."""

    knots: Array
    scores: Array
    steps: Array

    def __deepcopy__(self, memo: Any) -> Lines:
        """Itself: nothing changes it, and a copy's arrays could be written to."""
        return self


def stacked(marginals: Sequence[Marginal]) -> Lines:
    """The lines of D columns."""
    shape = len(marginals), max(len(m.x) for m in marginals)
    knots, scores = np.full(shape, np.inf), np.full(shape, np.inf)
    for j, m in enumerate(marginals):
        knots[j, : len(m.x)], scores[j, : len(m.y)] = m.x, m.y
    steps = np.array([m.step for m in marginals])
    return Lines(*map(constant, (knots, scores, steps)))


def tails(marginals: Sequence[Marginal]) -> Array:
    """The tails of D columns, (D, 6); a share of 0 where there is none."""
    none = np.array([1.0, 1.0, 0.0] * 2)
    return constant(np.array([none if m.tails is None else m.tails for m in marginals]))


def _bends(x: Array, y: Array, error: float) -> list[int]:
    """Knots whose line is off that of all by no more than `error`: Douglas & Peucker 1973."""
    kept, spans = {0, len(x) - 1}, [(0, len(x) - 1)]
    while spans:
        first, last = spans.pop()
        ends = [first, last]
        off = np.abs(x[first : last + 1] - np.interp(y[first : last + 1], y[ends], x[ends]))
        if off.max() > error:
            furthest = first + int(off.argmax())
            kept.add(furthest)
            spans += [(first, furthest), (furthest, last)]
    return sorted(kept)


def _are_tails(tails: Array) -> bool:
    if tails.shape != (6,):
        return False
    sizes, shares = np.delete(tails, [2, 5]), tails[[2, 5]]
    return bool((sizes > 0).all() and (shares >= 0).all() and (shares < 1).all())


def _finite(values: Any) -> Array:
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.zeros(0)
    return array if array.ndim == 1 and np.isfinite(array).all() else np.zeros(0)

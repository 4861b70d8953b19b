"""A problem's gradient as the numeric methods see it, at the point in question and others near by.

Why others: on a kink there is no gradient to compare with, and a diagnosis that fits at one point
only is a coincidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .methods import (
    EPS,
    Estimate,
    along,
    along_entry,
    central,
    complex_step,
    round_off,
    taylor_order,
)
from .problem import Problem, Values

Array = np.ndarray
Index = tuple[int, ...]
Derivative = Callable[[Values], Estimate]


class Point(NamedTuple):
    """Where a gradient is checked."""

    values: Values
    gradient: dict[str, Any]
    noise: float
    """How far rounding throws the loss off."""

    def usable(self, argument: str) -> bool:
        """Whether there is a gradient of the right shape, and finite."""
        d, value = self.gradient.get(argument), self.values[argument]
        return d is not None and np.shape(d) == value.shape and bool(np.isfinite(d).all())


class Numeric(NamedTuple):
    """One argument's numeric gradient beside the analytic one; NaN where it was not measured."""

    numeric: Array
    error: Array
    analytic: Array
    moved: Array
    """Whether the entry lies on a kink, and was compared at a point near by."""

    @property
    def entries(self) -> list[Index]:
        """Those that were measured."""
        return [tuple(map(int, i)) for i in np.argwhere(np.isfinite(self.numeric))]

    @property
    def zeros(self) -> list[Index]:
        """Those that are 0 by both."""
        return [tuple(map(int, i)) for i in np.argwhere(self.size == 0)]

    @property
    def size(self) -> Array:
        return np.fmax(np.abs(self.analytic), np.abs(self.numeric))

    def unresolved(self, largest: float = 0.0) -> Array:
        """The entries measured so badly that agreement would say nothing.

        A gradient that is 0 but for rounding, as that of a bias in front of a normalisation, can't
        be resolved and need not be: `largest` is the largest of all arguments.
        """
        size = self.size
        least = max(1e-3 * np.nanmax(size, initial=0.0), 1e-9 * largest)
        return ((self.error > least) & (size > 0)) | np.isinf(self.error)


class Slope(NamedTuple):
    """The derivative along a direction: as the gradient has it, and as measured."""

    claimed: float
    measured: Estimate
    rounding: float
    """What rounding may throw `claimed` off by."""
    size: float
    """The root of the sum of squares of the terms of `claimed`."""
    order: float | None
    """At which the Taylor remainder shrinks; None where there is none."""
    v: Array
    """The direction."""

    @property
    def off(self) -> float:
        return abs(self.claimed - self.measured.value)

    @property
    def own(self) -> float:
        return self.measured.error + self.rounding


class Measure:
    """All measurements on one problem.

    Attributes
    ----------
    here : Point
        Where the check was asked for.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, max_entries: int) -> None:
        self.problem = problem
        self.rng = rng
        self.max_entries = max_entries
        self.here = self._point(problem.values)
        self._near: dict[float, Point] = {}
        self.memo: dict[Any, Any] = {}  # what a diagnosis of one argument found, for the others

    def _point(self, values: Values) -> Point:
        direction = {n: self.rng.normal(size=v.shape) * scale(v) for n, v in values.items()}
        noise = round_off(along(self.problem, values, direction))
        return Point(values, self.problem.gradient(values), noise)

    def off_kinks(self) -> Point:
        """A point just beside this one, on none of the kinks that go through this one."""
        return self._nearby(0.01)

    def elsewhere(self) -> Point:
        """A point at which nothing holds by coincidence."""
        return self._nearby(0.15)

    def just_beside(self) -> list[Point]:
        """Points so near that a smooth function has all but the same gradient there as here."""
        return [self._nearby(1e-4), self._nearby(1e-5)]

    def _nearby(self, far: float) -> Point:
        """A random point, each entry off by `far` to 2 `far` of its size, and of its own sign.

        What must be positive stays so; what is small goes away from 0, where most kinks are. Rows
        that are probabilities, as of one-hot labels, stay so: many gradients rely on that.
        """
        if far not in self._near:
            for _ in range(5):  # until one is in the function's domain
                values = {n: self._moved(v, far) for n, v in self.problem.values.items()}
                if np.isfinite(self.problem.loss(values)):
                    break
            self._near[far] = self._point(values)
        return self._near[far]

    def _moved(self, v: Array, far: float) -> Array:
        side = self.rng.choice([-1.0, 1.0], v.shape)
        side = np.where((v == 0) | (np.abs(v) > 0.1), side, np.sign(v))
        moved = v + side * far * (1 + self.rng.random(v.shape)) * scale(v)
        if v.ndim and v.shape[-1] > 1 and (v >= 0).all() and np.allclose(v.sum(-1), 1):
            moved = np.abs(moved) / np.abs(moved).sum(-1, keepdims=True)
        return moved

    def entries(self, argument: str, at_most: int | None = None) -> list[Index]:
        """All entries of an argument, or a random choice of them where they are too many."""
        shape = self.problem.values[argument].shape
        size, limit = math.prod(shape), at_most or self.max_entries
        chosen = np.arange(size)
        if size > limit:
            chosen = np.sort(self.rng.choice(size, limit, replace=False))
        return [tuple(int(i) for i in np.unravel_index(c, shape)) for c in chosen]

    def entrywise(
        self,
        method: str,
        argument: str,
        entries: list[Index],
        at: Point,
        moved: Sequence[Index] = (),
    ) -> Numeric:
        """Those entries of an argument's gradient by "central" or "complex"."""
        shape = at.values[argument].shape
        numeric, error = np.full(shape, np.nan), np.zeros(shape)
        usable = at.usable(argument)
        analytic = np.array(at.gradient[argument] if usable else numeric, np.float64)
        result = Numeric(numeric, error, analytic, np.zeros(shape, bool))
        for index in moved:
            result.moved[index] = True
        if method == "complex":
            for index in entries:
                numeric[index] = complex_step(self.problem, at.values, argument, index)
            return result
        for index in entries:
            numeric[index], error[index], *_ = self._partial(argument, index, at)
        if usable:
            self._move_off_kinks(argument, result)
        return result

    def _move_off_kinks(self, argument: str, result: Numeric) -> None:
        """Compare at a point near by what can't be told at this one."""
        for index in map(tuple, np.argwhere(result.unresolved())):
            moved = self._partial(argument, index, self.off_kinks())
            if moved.error < result.error[index]:
                result.numeric[index], result.error[index], *_ = moved
                result.analytic[index] = np.asarray(self.off_kinks().gradient[argument])[index]
                result.moved[index] = True

    def on_kink(self, method: str, argument: str, entries: list[Index]) -> bool:
        """Whether one of these partial derivatives jumps where the function is asked for."""

        def partial(index: Index) -> Derivative:
            if method == "complex":
                return lambda v: Estimate(complex_step(self.problem, v, argument, index), 0.0)
            return lambda v: self._partial(argument, index, Point(v, {}, self.here.noise))

        return any(self._jumps(partial(index)) for index in entries)

    def jumps(self, argument: str, v: Array) -> bool:
        """Whether the derivative along a direction jumps there."""
        return self._jumps(
            lambda values: central(along(self.problem, values, {argument: v}), 1.0, self.here.noise)
        )

    def _jumps(self, derivative: Derivative) -> bool:
        """Whether a derivative differs between this point and those on both sides, however near.

        Some kinks are on no line through this point: the median of equal numbers is linear along
        each of them, but with other slopes than those that the gradient near by gives. Of a smooth
        function the differences shrink with the distance, here from 1e-3 to 1e-5.
        """
        at = self.here.values
        center = derivative(at)
        if math.isinf(center.error):
            return True
        for _ in range(3):
            p = {n: self.rng.normal(size=v.shape) * scale(v) for n, v in at.items()}

            def jump(far: float, p: Values = p) -> float:
                sides = (derivative({n: at[n] + t * p[n] for n in at}) for t in (far, -far))
                return _spread([center, *sides])

            near = jump(1e-5)
            if near > 0 and near > jump(1e-3) / 4:
                return True
        return False

    def _partial(self, argument: str, index: Index, at: Point) -> Estimate:
        line = along_entry(self.problem, at.values, argument, index)
        return central(line, float(scale(at.values[argument][index])), at.noise)

    def slope(self, argument: str, at: Point) -> Slope:
        """The derivative along a random direction, and the order of its Taylor remainder.

        The direction has the signs of the gradient: the terms of g·v can't cancel, so that a small
        relative error of them all shows in the slope of a million entries as in that of one.
        """
        value, g = at.values[argument], np.asarray(at.gradient[argument], np.float64)
        v = self.rng.normal(size=value.shape) * scale(value)
        v = np.where(g == 0, v, np.copysign(v, g))
        line = along(self.problem, at.values, {argument: v})
        terms = g * v
        claimed, measured = float(terms.sum()), central(line, 1.0, at.noise)
        order = taylor_order(line, claimed, at.noise, measured.reach)
        rounding = 64 * EPS * claimed
        return Slope(claimed, measured, rounding, float(np.linalg.norm(terms)), order, v)

    def size(self, at: Point) -> float:
        """What a slope along a random direction of all arguments is of the order of."""
        usable = [n for n in at.values if at.usable(n)]
        return math.hypot(
            *(float(np.linalg.norm(at.gradient[n] * scale(at.values[n]))) for n in usable)
        )


def _spread(found: list[Estimate]) -> float:
    """By how much derivatives differ beyond what they may be off by."""
    known = [e for e in found if math.isfinite(e.value) and math.isfinite(e.error)]
    low, high = (pick(known, key=lambda e: e.value) for pick in (min, max))
    own = 10 * (low.error + high.error) + 64 * EPS * (abs(low.value) + abs(high.value))
    return max(0.0, high.value - low.value - own)


def scale(value: Array) -> Array:
    """The size of the steps that suit each entry."""
    return np.maximum(np.abs(value), 0.1)

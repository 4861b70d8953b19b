"""The usual slips, each with what a wrong gradient would be without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

Array = np.ndarray

FACTORS = (
    (-1.0, "its sign is wrong: multiply by -1"),
    (2.0, "it is half of what it should be: a factor 2 is missing"),
    (0.5, "it is twice what it should be: a factor 1/2 is missing"),
    (-2.0, "its sign is wrong and a factor 2 is missing: multiply by -2"),
    (-0.5, "its sign is wrong and a factor 1/2 is missing: multiply by -1/2"),
)


NO_SLIP = "none of the usual slips"


@dataclass(frozen=True)
class Evidence:
    """A wrong gradient at one point, and what an explanation may be made of."""

    analytic: Array
    numeric: Array
    """NaN where nothing was measured."""
    tolerance: Array
    """How far from each other two entries may be to count as equal."""
    value: Array
    """The argument itself."""
    loss: float
    terms: dict[str, Array]
    """Arrays of the gradient's shape that a missing term may be proportional to."""
    others: dict[str, Array]
    """The analytic gradients of other arguments of this shape."""
    lengths: set[int]
    """Over which a sum or mean may run."""
    arrays: dict[str, Array] = field(default_factory=dict)
    """Everything that a formula for the gradient may be made of."""

    @property
    def known(self) -> Array:
        return np.isfinite(self.numeric)

    def equals(self, candidate: Array) -> bool:
        near = np.abs(candidate - self.numeric) <= self.tolerance
        return bool(near[self.known].all())


def lengths_of(arrays: Iterable[Array]) -> set[int]:
    """Over how many entries sums and means of them may run: along axes, leading ones or all."""
    runs = (n for x in arrays for n in (*x.shape, *np.cumprod(x.shape, dtype=int).tolist()))
    return set(runs) - {0, 1}


Undo = Callable[[Evidence], Array]


class Slip(NamedTuple):
    """An explanation, and what the gradient would be without the slip."""

    explanation: str
    undo: Undo
    fitted: bool = False
    """Whether a number was fitted to the evidence, so that other evidence is needed."""


def slips(e: Evidence) -> Iterator[Slip]:
    yield Slip(
        "it should be 0 everywhere: the function does not depend on this argument, at least here",
        _times(0.0),
    )
    if not e.analytic.any():
        yield Slip("it is 0 everywhere: it is not computed, or is overwritten", _all_if_zero)
    for factor, explanation in FACTORS:
        yield Slip(explanation, _times(factor))
    for n in sorted(e.lengths):
        yield Slip(
            f"it is {n} times too small (a mean where a sum over {n} is due?)", _times(float(n))
        )
        yield Slip(
            f"it is {n} times too large (a sum where a mean over {n} is due?)", _times(1 / n)
        )
    if e.value.ndim == 2 and e.value.shape[0] == e.value.shape[1]:
        yield Slip("it is transposed", lambda e: e.analytic.T)
        yield Slip("it is transposed, and its sign is wrong", lambda e: -e.analytic.T)
    for name, W in e.arrays.items():
        if W.ndim == 2 and e.value.ndim > 1 and W.shape == (e.value.shape[-1],) * 2:
            yield Slip(f"it is made with {name} where its transpose is due", _turned(name))
    for name in e.others:
        yield Slip(f"it is the gradient of {name}: the two are swapped", _gradient_of(name))
        yield Slip(f"it is a copy of the gradient of {name}", _all_if_copy(name))
    for name, d in e.arrays.items():
        if name.startswith("d_outputs") and d.size == 1:
            yield Slip(f"backward leaves {name} out: multiply by it", _times(float(d.sum())))
    factor = ratio(e.analytic, e.numeric, e.known)
    off = f"it is off by a constant factor: multiply by {factor:.7g}"
    yield Slip(off, _times(factor), fitted=True)
    for name, term in e.terms.items():
        times = ratio(term, e.numeric - e.analytic, e.known)
        what = f"a term is missing: {nice(times)} times {name}"
        if name.startswith("d_outputs"):
            what += ", as from a skip connection or a second use"
        yield Slip(what, _plus(times, name), fitted=True)
    constant = ratio(np.ones_like(e.value), e.numeric - e.analytic, e.known)
    yield Slip(
        f"a constant is missing: {constant:.6g}", lambda e: e.analytic + constant, fitted=True
    )


def _times(factor: float) -> Undo:
    return lambda e: factor * e.analytic


def _turned(name: str) -> Undo:
    """The gradient is M W or M Wᵀ, and the other is due: M is found by dividing W out."""

    def undo(e: Evidence) -> Array:
        W = e.arrays[name]
        if np.linalg.matrix_rank(W) < len(W):
            return e.analytic
        turned = (e.analytic @ np.linalg.inv(A) @ A.T for A in (W, W.T))
        return next(filter(e.equals, turned), e.analytic)

    return undo


def _plus(times: float, term: str) -> Undo:
    return lambda e: e.analytic + times * e.terms[term]


def _gradient_of(name: str) -> Undo:
    return lambda e: e.others[name]


def _all_if_copy(name: str) -> Undo:
    return lambda e: e.numeric + (e.analytic - e.others[name])


def _all_if_zero(e: Evidence) -> Array:
    return e.numeric + e.analytic


def ratio(base: Array, target: Array, known: Array) -> float:
    """The factor c for which c · base is nearest to target."""
    b, t = base[known], target[known]
    square = float(b @ b)
    return float(b @ t) / square if square > 0 else 0.0


def plain(e: Evidence) -> Iterator[Slip]:
    """Those to which no number was fitted."""
    return (slip for slip in slips(e) if not slip.fitted)


def explained(first: Evidence, second: Evidence | None, found: Iterator[Slip]) -> str:
    """The first slip that holds at both points; empty where there is none."""
    for slip in found:
        if first.equals(slip.undo(first)) and (
            second.equals(slip.undo(second)) if second else not slip.fitted
        ):
            return slip.explanation
    return ""


def zeros(e: Evidence) -> str:
    bad = e.known & (np.abs(e.analytic - e.numeric) > e.tolerance)
    if (np.abs(e.numeric[bad]) > e.tolerance[bad]).any():
        return ""
    return (
        f"it is not 0 in {bad.sum()} of {e.known.sum()} entries where it should be: a mask is "
        "missing (where the function is flat, the gradient is 0)"
    )


def place(e: Evidence, other: Evidence | None = None) -> str:
    """Where it is wrong, if not everywhere, and if by the same number at both points."""
    bad = e.known & (np.abs(e.analytic - e.numeric) > e.tolerance)
    dead = e.known & (e.analytic == 0) & (np.abs(e.numeric) <= e.tolerance)
    if not (e.known & ~bad & ~dead).any():
        return f"{NO_SLIP} (sign, factor, transpose, mean or sum, dropped term) explains it"
    where = f"it is wrong in {bad.sum()} of {e.known.sum()} checked entries{_pattern(bad, e.known)}"
    lack = _lacking(e)
    if lack is not None and other is not None and lack == _lacking(other):
        return f"{where} and right in the rest: there {nice(lack)} is missing"
    return f"{where} and right in the rest"


def _lacking(e: Evidence) -> float | None:
    """The number by which all wrong entries are off."""
    off = (e.numeric - e.analytic)[e.known & (np.abs(e.analytic - e.numeric) > e.tolerance)]
    return round(float(off.mean()), 6) if off.size > 1 and np.allclose(off, off.mean()) else None


def nice(x: float) -> str:
    """A number as a fraction or a root where it is one."""
    if not np.isfinite(x):
        return f"{x:g}"
    fraction = Fraction(x).limit_denominator(200)
    if abs(float(fraction) - x) <= 2e-6 * abs(x):
        return str(fraction)
    square = Fraction(x * x).limit_denominator(200)
    if abs(float(square) - x * x) <= 4e-6 * x * x:
        return f"{'-' if x < 0 else ''}sqrt({square})"
    return f"{x:.6g}"


def _pattern(bad: Array, known: Array) -> str:
    """Where the wrong entries are, if they are few or fill some places along one axis."""
    if bad.sum() == 1 and bad.ndim:
        return f" (at {np.argwhere(bad)[0].tolist()})"
    for axis in range(bad.ndim):
        others = tuple(i for i in range(bad.ndim) if i != axis)
        places = np.flatnonzero(bad.any(others))
        filled = np.take(bad | ~known, places, axis).all()
        if filled and len(places) < bad.shape[axis] / 2:
            return f", which are all those with index {', '.join(map(str, places))} on axis {axis},"
    return ""

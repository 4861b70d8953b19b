"""Where a gradient is wrong: the usual slips, each tried for whether undoing it would help.

An explanation is given only where it also holds at a second, random point: at inputs of ones and
identities many a wrong gradient is a constant times the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .measure import Measure, Numeric, Point
from .outputs import explain_outputs

Array = np.ndarray

_FACTORS = (
    (-1.0, "its sign is wrong: multiply by -1"),
    (2.0, "it is half of what it should be: a factor 2 is missing"),
    (0.5, "it is twice what it should be: a factor 1/2 is missing"),
    (-2.0, "its sign is wrong and a factor 2 is missing: multiply by -2"),
    (-0.5, "its sign is wrong and a factor 1/2 is missing: multiply by -1/2"),
)


class Evidence(NamedTuple):
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
    """Over which a sum or mean may run: of the axes of arguments and outputs, and their sizes."""

    @property
    def known(self) -> Array:
        return np.isfinite(self.numeric)

    def equals(self, candidate: Array) -> bool:
        near = np.abs(candidate - self.numeric) <= self.tolerance
        return bool(near[self.known].all())


Undo = Callable[[Evidence], Array]


class Slip(NamedTuple):
    """An explanation, and what the gradient would be without the slip."""

    explanation: str
    undo: Undo
    fitted: bool = False
    """Whether a number was fitted to the evidence, so that other evidence is needed."""


def diagnose(measure: Measure, argument: str, result: Numeric, own: Array, at: Point) -> str:
    """Say what would make a wrong gradient right, or at least where it is wrong.

    `own` is what the numeric method itself may be off by, and `at` where it was measured.
    """
    first = _evidence(measure, argument, result, own, at)
    if first.equals(first.analytic):
        off = np.abs(first.analytic - first.numeric)[first.known]
        if (off <= 1e-6 * result.size[first.known]).all():
            return (
                "it is right to six digits and no more: is a part of it computed in float32, or "
                "an approximation? If that is meant, allow for it with rtol="
            )
        return "it is off by little more than rounding is here: try other inputs, or larger ones"
    second = _elsewhere(measure, argument)
    for slip in _slips(first):
        if first.equals(slip.undo(first)) and (
            second.equals(slip.undo(second)) if second else not slip.fitted
        ):
            return slip.explanation
    return (
        _forgotten_uses(argument, first, second)
        or _zeros(first)
        or explain_outputs(measure, argument)
        or _place(first)
    )


def _evidence(measure: Measure, argument: str, result: Numeric, own: Array, at: Point) -> Evidence:
    value, outputs = at.values[argument], measure.problem.outputs
    terms = dict(at.values)
    if outputs:
        terms |= {f"d_outputs[{i}]": w for i, w in enumerate(outputs.weights)}
    lengths = {n for t in terms.values() for n in (*t.shape, t.size)} - {0, 1}
    return Evidence(
        result.analytic,
        result.numeric,
        np.maximum(4 * own, 1e-6 * result.size),
        value,
        float(measure.problem.loss(at.values)),
        {n: t for n, t in terms.items() if t.shape == value.shape},
        {n: at.gradient[n] for n in at.values if n != argument and _fits(n, at, value)},
        lengths,
    )


def _fits(name: str, at: Point, value: Array) -> bool:
    return at.usable(name) and at.values[name].shape == value.shape


def _elsewhere(measure: Measure, argument: str) -> Evidence | None:
    """The evidence at another point; None where that is outside of the function's domain."""
    at = measure.elsewhere()
    if not at.usable(argument):
        return None
    entries = measure.entries(argument, at_most=50)
    result = measure.entrywise("central", argument, entries, at)
    evidence = _evidence(measure, argument, result, result.error, at)
    return evidence if evidence.known.any() else None


def _slips(e: Evidence) -> Iterator[Slip]:
    yield Slip(
        "it should be 0 everywhere: the function does not depend on this argument, at least here",
        _times(0.0),
    )
    if not e.analytic.any():
        yield Slip("it is 0 everywhere: it is not computed, or is overwritten", _all_if_zero)
    for factor, explanation in _FACTORS:
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
    for name in e.others:
        yield Slip(f"it is the gradient of {name}: the two are swapped", _gradient_of(name))
        yield Slip(f"it is a copy of the gradient of {name}", _all_if_copy(name))
    factor = _ratio(e.analytic, e.numeric, e.known)
    off = f"it is off by a constant factor: multiply by {factor:.7g}"
    yield Slip(off, _times(factor), fitted=True)
    for name, term in e.terms.items():
        times = _ratio(term, e.numeric - e.analytic, e.known)
        what = f"a term is missing: {times:.6g} times {name}"
        if name.startswith("d_outputs"):
            what += ", as from a skip connection or a second use"
        yield Slip(what, _plus(times, name), fitted=True)
    constant = _ratio(np.ones_like(e.value), e.numeric - e.analytic, e.known)
    yield Slip(
        f"a constant is missing: {constant:.6g}", lambda e: e.analytic + constant, fitted=True
    )


def _times(factor: float) -> Undo:
    return lambda e: factor * e.analytic


def _plus(times: float, term: str) -> Undo:
    return lambda e: e.analytic + times * e.terms[term]


def _gradient_of(name: str) -> Undo:
    return lambda e: e.others[name]


def _all_if_copy(name: str) -> Undo:
    return lambda e: e.numeric + (e.analytic - e.others[name])


def _all_if_zero(e: Evidence) -> Array:
    return e.numeric + e.analytic


def _ratio(base: Array, target: Array, known: Array) -> float:
    """The factor c for which c · base is nearest to target."""
    b, t = base[known], target[known]
    square = float(b @ b)
    return float(b @ t) / square if square > 0 else 0.0


def _forgotten_uses(argument: str, first: Evidence, second: Evidence | None) -> str:
    """A function of degree d in x has x · ∇L = d L (Euler), and each of its d uses of x gives 1 L.

    So a gradient g with x · g = c L for an integer c < d, at two points, counts c of d uses.
    """
    if second is None:
        return ""
    found = {(_degree(e, e.numeric), _degree(e, e.analytic)) for e in (first, second)}
    due, counted = found.pop()
    if found or due is None or counted is None or not 0 < counted < due:
        return ""
    return (
        f"the function is of degree {due} in {argument}, as if using it {due} times, and this "
        f"gradient counts {counted} of them: add what comes through the other"
        f"{'s' if due - counted > 1 else ''}"
    )


def _degree(e: Evidence, gradient: Array) -> int | None:
    """x · gradient / L where that is an integer."""
    if not e.known.all() or e.loss == 0:
        return None
    degree = float((e.value * gradient).sum()) / e.loss
    return round(degree) if abs(degree - round(degree)) < 1e-6 else None


def _zeros(e: Evidence) -> str:
    bad = e.known & (np.abs(e.analytic - e.numeric) > e.tolerance)
    if (np.abs(e.numeric[bad]) > e.tolerance[bad]).any():
        return ""
    return (
        f"it is not 0 in {bad.sum()} of {e.known.sum()} entries where it should be: a mask is "
        "missing (where the function is flat, the gradient is 0)"
    )


def _place(e: Evidence) -> str:
    bad = e.known & (np.abs(e.analytic - e.numeric) > e.tolerance)
    if bad.sum() < e.known.sum():
        return (
            f"it is wrong in {bad.sum()} of {e.known.sum()} checked entries"
            f"{_pattern(bad, e.known)} and right in the rest"
        )
    return (
        "none of the usual slips (sign, factor, transpose, mean or sum, dropped term) explains it"
    )


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


def shape_fix(analytic: Array, shape: tuple[int, ...], numeric: Array | None) -> str:
    """The same for a gradient that has not even the right shape."""
    came = f"it has shape {analytic.shape} where the argument has {shape}"
    if numeric is None:
        return came
    if analytic.shape[1:] == shape and np.allclose(analytic.sum(0), numeric, rtol=1e-5):
        return f"{came}: sum over the leading axis (.sum(0))"
    if analytic.T.shape == shape and np.allclose(analytic.T, numeric, rtol=1e-5):
        return f"{came}: it is transposed"
    if analytic.size == numeric.size and np.allclose(analytic.reshape(shape), numeric, rtol=1e-5):
        return f"{came}: reshape it"
    return came

"""For which outputs a wrong gradient is wrong: what a sum over all of them hides.

With d_outputs 1 at one output and 0 at the others, backward gives the gradient of that output
alone. Its slope along one random direction, beside that of the forward, shows what is made of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .measure import Measure, Point, scale
from .methods import Line, central
from .problem import Outputs

Array = np.ndarray


class _Slopes(NamedTuple):
    """Of some outputs along one direction, (M,) each."""

    value: Array
    analytic: Array
    numeric: Array
    tolerance: Array

    def near(self, candidate: Array) -> Array:
        return np.abs(candidate - self.numeric) <= self.tolerance


def explain_outputs(measure: Measure, argument: str, at_most: int = 60) -> str:
    """What is wrong with the gradients of single outputs; empty where that says nothing."""
    outputs = measure.problem.outputs
    if outputs is None:
        return ""
    at = measure.elsewhere()
    if not at.usable(argument):
        return ""
    s = _slopes(outputs, argument, at, at_most)
    right, flat, silent = s.near(s.analytic), s.near(0 * s.numeric), s.analytic == 0
    if right.all() or not np.isfinite(s.numeric).all():
        return ""
    if not flat.all() and (flat | right).all():
        return (
            f"it is right for the outputs that change with it, but should be 0 for the other "
            f"{flat.sum()} of {len(flat)}: a mask is missing, as of a ReLU"
        )
    if not silent.all() and (silent | right).all():
        return (
            f"it leaves out {(~right).sum()} of {(~flat).sum()} outputs that change with it: a sum "
            "is missing, or runs over too little"
        )
    for factor, explanation in _factors(s.value):
        if s.near(factor * s.analytic).all() and len(np.unique(factor.round(6))) > 3:
            return explanation
    return ""


def _factors(y: Array) -> Iterator[tuple[Array, str]]:
    """What a wrong derivative of the last function is off by, in terms of its output y."""
    for function, derivative, formula in (
        ("tanh", 1 - y * y, "1 - y²"),
        ("sigmoid", y * (1 - y), "y (1 - y)"),
        ("exp", y, "y"),
        ("softplus", -np.expm1(-y), "1 - exp(-y)"),
    ):
        what = f"the derivative of {function}, {formula} for the output y,"
        yield derivative, f"{what} seems to be forgotten"
        yield 1 / derivative, f"{what} seems to be applied twice"
    for factor, formula in ((1 + y, "1 + y"), (1 - y, "1 - y")):
        for by, times in ((factor, formula), (1 / factor, f"1 / ({formula})")):
            what = f"for each output y it should be {times} times as large"
            yield by, f"{what}: is the derivative of the last function right?"


def _slopes(outputs: Outputs, argument: str, at: Point, at_most: int) -> _Slopes:
    rng = np.random.default_rng(0)  # whoever asks gets the same answer
    v = rng.normal(size=at.values[argument].shape) * scale(at.values[argument])
    computed: dict[float, Array] = {}

    def everything(t: float) -> Array:
        if t not in computed:
            moved = at.values | {argument: at.values[argument] + t * v}
            computed[t] = np.concatenate([o.ravel() for o in outputs.forward(moved)])
        return computed[t]

    y = everything(0.0)
    chosen = rng.permutation(y.size)[:at_most]

    def one(which: int) -> Line:
        return lambda t: float(everything(t)[which])

    found = [central(one(j), 1.0, at.noise) for j in chosen]
    analytic = [_of_one(outputs, argument, at, j, v) for j in chosen]
    numeric = np.array([e.value for e in found])
    size = np.maximum(np.abs(analytic), np.abs(numeric))
    own = np.array([10 * e.error for e in found])
    return _Slopes(y[chosen], np.array(analytic), numeric, np.maximum(own, 1e-6 * size))


def _of_one(outputs: Outputs, argument: str, at: Point, which: int, v: Array) -> float:
    """The analytic slope of one output."""
    flat = np.zeros(sum(w.size for w in outputs.weights))
    flat[which] = 1.0
    parts = np.split(flat, np.cumsum([w.size for w in outputs.weights])[:-1])
    d_outputs = [p.reshape(w.shape) for p, w in zip(parts, outputs.weights, strict=True)]
    return float((np.asarray(outputs.backward(at.values, d_outputs)[argument]) * v).sum())

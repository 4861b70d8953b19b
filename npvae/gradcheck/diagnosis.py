"""Where a gradient is wrong: the usual slips, each tried for whether undoing it would help.

An explanation is given only where it also holds at a second, random point: at inputs of ones and
identities many a wrong gradient is a constant times the right one.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from .formulas import formulas
from .locate import Step, changed_in_place, crowded, walk, wrong_step
from .measure import Measure, Numeric, Point
from .outputs import explain_outputs
from .repair import Mended, Repairs, frozen, function_with, unwrapped
from .slips import NO_SLIP, Evidence, explained, lengths_of, place, plain, slips, zeros

Array = np.ndarray

MAX_SECONDS = 0.02
"""Functions that take longer are not looked into, as that runs them some thousand times."""

EDITING, COMPILING, MAX_EDITS = 8.0, 1e-3, 4000
"""So many seconds, and as many changes, are spent on the code of one target."""


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
    key = "note", argument, id(at)
    if key not in measure.memo:  # by another method
        case = Case(measure, argument, at, first, _elsewhere(measure, argument))
        violations = list(measure.problem.violations)
        text = _diagnosis(case)
        more = crowded(measure.problem.functions) if NO_SLIP in text else ""
        measure.memo[key] = text + more
        measure.problem.violations[:] = violations  # without those of changed functions
    return str(measure.memo[key])


def _diagnosis(case: Case) -> str:
    measure, argument, at, first, _ = case
    if not _own_code(measure):
        return _reason(case)
    if text := changed_in_place(measure, argument, first, at):
        return text
    step = wrong_step(measure, argument, first.numeric, at)
    if step is None or step.is_last:
        text = _reason(case, step)
        if step and "line " not in text:
            text = f"{text} ({step.d.source})"
        return text
    key = "step", step.number
    if key not in measure.memo:
        measure.memo[key] = f"{step}: {_reason_of_step(case, step)}"
    return str(measure.memo[key])


def _own_code(measure: Measure) -> tuple[Any, ...]:
    """Functions whose inside may be looked at: somebody's own, and quick enough."""
    quick = _seconds(measure) < MAX_SECONDS
    return measure.problem.functions if quick else ()


def _seconds(measure: Measure) -> float:
    """How long one gradient takes, at the least of three times."""
    if "seconds" not in measure.memo:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            measure.problem.gradient(measure.here.values)
            times.append(time.perf_counter() - start)
        measure.memo["seconds"] = min(times)
    return float(measure.memo["seconds"])


class Case(NamedTuple):
    """A wrong gradient, and what is known of it at two points."""

    measure: Measure
    argument: str
    at: Point
    first: Evidence
    second: Evidence | None


def _reason(case: Case, step: Step | None = None) -> str:
    measure, argument, _, first, second = case
    if text := explained(first, second, plain(first)):
        return text
    text = (
        explained(first, second, slips(first))
        or _forgotten_uses(argument, first, second)
        or zeros(first)
        or explain_outputs(measure, argument)
    )
    if text and not text.endswith("?") and "term" not in text:
        return text
    mended = _mended(case, step)
    return (
        "; ".join(filter(None, (text, mended and mended.full)))
        or explained(first, second, formulas(first))
        or place(first, second)
    )


def _reason_of_step(case: Case, step: Step) -> str:
    """The same for a value inside of the backward."""
    first, second = step.evidence(case.at), step.evidence(case.measure.elsewhere())
    if first is None:
        return "it is not the gradient that its name says"
    text = explained(first, second, plain(first)) or zeros(first)
    if not text and (mended := _mended(case, step)):
        return mended.full if mended.line != step.d.number else mended.short
    return (
        text
        or explained(first, second, slips(first))
        or explained(first, second, formulas(first))
        or place(first, second)
    )


def _mended(case: Case, step: Step | None) -> Mended | None:
    """The change of a line that makes the gradient right at both points."""
    measure, argument, _, first, second = case
    functions = _own_code(measure)
    if second is None or not functions:
        return None

    def mends() -> bool:
        for at, e in ((case.at, first), (measure.elsewhere(), second)):
            values = {n: v.copy() for n, v in at.values.items()}
            d = np.asarray(measure.problem.gradient(values)[argument])
            if d.shape != e.value.shape or not e.equals(d):
                return False
        return True

    function = function_with(step.d.code, functions) if step else unwrapped(functions[-1])
    at_most = min(MAX_EDITS, int(EDITING / (COMPILING + _seconds(measure))))
    repairs = measure.memo.setdefault("repairs", Repairs(at_most))
    with frozen(functions):
        found: Mended | None = repairs.mend(function, step.lines if step else range(0), mends)
    return found


def _evidence(measure: Measure, argument: str, result: Numeric, own: Array, at: Point) -> Evidence:
    value, outputs = at.values[argument], measure.problem.outputs
    terms = dict(at.values)
    if outputs:
        terms |= {f"d_outputs[{i}]": w for i, w in enumerate(outputs.weights)}
    arrays = terms | _outputs(measure, at) | _variables(measure, at)
    return Evidence(
        result.analytic,
        result.numeric,
        np.maximum(4 * own, 1e-6 * result.size),
        value,
        float(measure.problem.loss(at.values)),
        {n: t for n, t in terms.items() if t.shape == value.shape},
        {n: at.gradient[n] for n in at.values if n != argument and _fits(n, at, value)},
        lengths_of(arrays.values()),
        arrays,
    )


def _outputs(measure: Measure, at: Point) -> dict[str, Array]:
    outputs = measure.problem.outputs
    found = outputs.forward(at.values) if outputs else []
    return {f"outputs[{i}]": y for i, y in enumerate(found)}


def _variables(measure: Measure, at: Point) -> dict[str, Array]:
    if not _own_code(measure):
        return {}
    found = walk(measure, at)
    return {v.label: v.value for v in (*found.forward, *found.backward)}


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

"""Where a gradient is wrong: the usual suspects, each tried for whether it would make it right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Array = np.ndarray

_FACTORS = (
    (-1.0, "its sign is wrong: multiply by -1"),
    (2.0, "a factor 2 is missing"),
    (0.5, "a factor 1/2 is missing"),
    (-2.0, "a factor -2 is missing"),
    (-0.5, "a factor -1/2 is missing"),
)


def diagnose(
    analytic: Array,
    numeric: Array,
    tolerance: Array,
    values: dict[str, Array],
    others: dict[str, Array],
) -> str:
    """Say what would turn the analytic gradient into the numeric one, or that nothing known does.

    Parameters
    ----------
    analytic, numeric : arrays of one shape, NaN in `numeric` where nothing was measured
    tolerance : array
        How far from each other two entries may be to count as equal.
    values : dict
        The arguments' values, for terms that are proportional to one.
    others : dict
        The numeric gradients of the other arguments, for gradients that were mixed up.
    """
    known = np.isfinite(numeric)

    def same(candidate: Array) -> bool:
        return bool((np.abs(candidate - numeric)[known] <= tolerance[known]).all())

    for suspect, explanation in _suspects(analytic, numeric, known, values, others):
        if same(suspect):
            return explanation
    bad = known & (np.abs(analytic - numeric) > tolerance)
    if (analytic[bad] != 0).all() and (np.abs(numeric[bad]) <= tolerance[bad]).all():
        return (
            f"it is not 0 in {bad.sum()} of {known.sum()} entries where it should be: "
            "a mask is missing"
        )
    if bad.sum() < known.sum():
        return (
            f"it is wrong in {bad.sum()} of {known.sum()} checked entries{_pattern(bad, known)} "
            "and right in the rest"
        )
    return (
        "none of the usual slips (sign, factor, transpose, mean or sum, dropped term) explains it"
    )


def _suspects(
    analytic: Array,
    numeric: Array,
    known: Array,
    values: dict[str, Array],
    others: dict[str, Array],
) -> Iterator[tuple[Array, str]]:
    if not analytic.any():
        yield numeric, "it is 0 everywhere: the gradient is not computed, or is overwritten"
    for slip, explanation in _FACTORS:
        yield slip * analytic, explanation
    for rows in sorted({v.shape[0] for v in values.values() if v.ndim > 0 and v.shape[0] > 1}):
        yield (
            analytic * rows,
            f"it is {rows} times too small: a mean where a sum over {rows} is due",
        )
        yield (
            analytic / rows,
            f"it is {rows} times too large: a sum where a mean over {rows} is due",
        )
    if analytic.ndim == 2 and analytic.shape[0] == analytic.shape[1]:
        yield analytic.T, "it is transposed"
        yield -analytic.T, "it is transposed, and its sign is wrong"
    for name, other in others.items():
        if other.shape == analytic.shape:
            yield numeric + (analytic - other), f"it is the gradient of {name}: the two are swapped"
    factor = _ratio(analytic, numeric, known)
    if factor is not None:
        yield factor * analytic, f"it is off by a constant factor: multiply by {factor:.6g}"
    for name, value in values.items():
        if value.shape == analytic.shape:
            times = _ratio(value, numeric - analytic, known)
            if times is not None:
                yield analytic + times * value, f"a term is missing: {times:.6g} times {name}"
            constant = _ratio(np.ones_like(value), numeric - analytic, known)
            if constant is not None:
                yield analytic + constant, f"a constant is missing: {constant:.6g}"


def _pattern(bad: Array, known: Array) -> str:
    """Where along one axis all the wrong entries lie, if they fill that place."""
    for axis in range(bad.ndim):
        others = tuple(i for i in range(bad.ndim) if i != axis)
        places = np.flatnonzero(bad.any(others))
        filled = np.take(bad | ~known, places, axis).all()
        if filled and len(places) < bad.shape[axis] / 2:
            return f", which are all those with index {', '.join(map(str, places))} on axis {axis},"
    return ""


def _ratio(base: Array, target: Array, known: Array) -> float | None:
    """The factor c for which c · base is nearest to target, or None where base is 0."""
    b, t = base[known], target[known]
    square = float(b @ b)
    return float(b @ t) / square if square > 0 else None


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

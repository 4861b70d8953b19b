"""How the numbers of a table's columns are distributed, and whether whole numbers are counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from .. import kernels as k
from ..core.public import public
from ..data.shapes import Fitted, far_out, held_out_folds, shape_of
from .column import Column
from .schema import LIKELIHOODS, Schema

Array = np.ndarray

MANY_COLUMNS = 300
"""In tables with more columns it would take too long to try several distributions for each."""
FEWEST_ROWS = 8
"""So few rows say nothing about how they are distributed."""
CLEARLY = 0.02
"""Nats per cell by which counts must be ahead to be modelled by a negative binomial, which has no
greatest value."""
SIMPLER = 0.2
"""Nats per cell that counts may be behind other distributions of whole numbers."""
DF = float(LIKELIHOODS["number"]["df"])
_MOST_DECIMALS = 6
_COARSE = 4 * float(np.finfo(np.float32).eps)
"""Numbers that differ by less, relative to their size, are one in a model's float32."""


def step_of(values: Array) -> float:
    """The greatest step that values are multiples of, if it has six decimals at most; or 0."""
    for decimals in range(_MOST_DECIMALS + 1):
        scaled = values * 10.0**decimals
        if np.abs(scaled).max() > 1 << 53:
            return 0.0
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= 1e-9 * np.maximum(1, np.abs(scaled))).all():
            step = float(np.gcd.reduce(np.abs(whole).astype(np.int64))) / 10.0**decimals
            return step if step > _COARSE * np.abs(values).max() else 0.0
    return 0.0


def _step_of_times(values: Array) -> float:
    """The greatest step of whole seconds that days are multiples of; 0 if float32 has it not."""
    seconds = values * 86400
    whole = np.rint(seconds)
    if np.abs(seconds - whole).max() > 1e-3:
        return 0.0
    step = float(np.gcd.reduce(np.abs(whole).astype(np.int64))) / 86400
    return step if step > _COARSE * np.abs(values).max() else 0.0


def shape(column: Column, values: Array, many: bool) -> Fitted | None:
    """The distribution of a column of numbers or days; None if float32 can't tell them apart.

    Parameters
    ----------
    values : (N,) array, without NaN
    many : whether there are so many columns that only one distribution is tried
    """
    if len(values) < FEWEST_ROWS:
        return None
    step, kept = step_of(values), values[~far_out(values)]
    if column.kind == "duration":
        step = step or _step_of_times(values)
    if not np.ptp(kept) > 1000 * _COARSE * np.abs(kept).max():
        return None
    if column.kind == "date" and not step:  # times of day
        found = shape_of(values, _step_of_times(values), quick=many)
        return None if found is None or likelier_as_student_t(values, found) else found
    return shape_of(values, step, quick=many)


@public
def fitted_to(schema: Schema, x: Array) -> Schema:
    """A schema whose marginals are fitted to some rows x (N, D) of its table alone.

    What columns are and what their values are multiples of stays.

    Parameters
    ----------
    schema : Schema
    x : (N, D) array

    Returns
    -------
    Schema
    """
    schema = Schema.of(schema.config)
    many = len(schema.columns) > MANY_COLUMNS
    for column, values in zip(schema.modelled, x.T, strict=True):
        known = values[~np.isnan(values)]
        if column.marginal is not None and len(known) >= FEWEST_ROWS:
            found = shape_of(known, column.marginal.step, quick=many)
            column.marginal = column.marginal if found is None else found.marginal
    return schema


def are_counts(values: Array, many: bool) -> bool:
    """Whether whole numbers (N,) from 0 on are counts rather than measurements.

    Counts come near 0, or vary much. Then held-out values decide: whether they are likelier under
    a negative binomial (of which Poisson's is a limit) than under the best of `shape_of`, or nearly
    so: counts are the simpler claim.
    """
    mean, variance = values.mean(), values.var()
    if len(values) < FEWEST_ROWS:
        return bool(variance >= mean / 2)
    if values.min() > 1 and variance < np.square(mean / 2):
        return False
    if many:
        return bool(variance >= mean / 2)
    found = shape_of(values, step_of(values))
    return found is None or likelier_as_counts(values, found, SIMPLER)


def likelier_as_counts(values: Array, found: Fitted, margin: float = 0.0) -> bool:
    """Whether held-out values are likelier under a negative binomial than as was found.

    Where it is not known how likely they are as was found, they are.
    """
    total = sum(
        negative_binomial(values[~out], values[out]).sum() for out in held_out_folds(len(values))
    )
    return not total / len(values) < found.log_p - margin


def likelier_as_student_t(values: Array, found: Fitted) -> bool:
    """Whether held-out values are likelier under a Student's t than as was found."""
    folds = held_out_folds(len(values))
    scores = [student_t(values[~out], values[out]) for out in folds]
    return bool(np.concatenate(scores).mean() > found.log_p)


def student_t(known: Array, x: Array, steps: int = 50) -> Array:
    """log p of x (N,) under the Student's t that `known` is likeliest under, by EM.

    Source: Lange, Little & Taylor 1989, section 4.
    """
    mean, scale = known.mean(), known.std() or 1.0
    for _ in range(steps if known.std() else 0):
        weights = (DF + 1) / (DF + np.square((known - mean) / scale))
        mean = (weights @ known) / weights.sum()
        scale = np.sqrt(weights @ np.square(known - mean) / len(known))
    shape = (1, len(x), 1)
    location, log_scale = np.full(shape, mean), np.full(shape, np.log(scale))
    log_p: Array = k.student_t(location, x[:, None], log_scale, DF)[0][0]
    return log_p


def negative_binomial(known: Array, x: Array) -> Array:
    """log p of x (N,) under the negative binomial that has the mean and variance of `known`."""
    mean = max(known.mean(), 0.5 / len(known))
    excess = max(known.var() - mean, 1e-6 * mean)  # variance = mean + mean² / dispersion
    shape = (1, len(x), 1)
    location, dispersion = np.full(shape, np.log(mean)), np.full(shape, np.log(mean**2 / excess))
    log_p: Array = k.negative_binomial(location, x[:, None], dispersion, 0)[0][0]
    return log_p


def note_of_shapes(shapes: Mapping[str, str]) -> Iterator[str]:
    """How columns are distributed, by their names."""
    alike: dict[str, list[str]] = {}
    for name, how in shapes.items():
        alike.setdefault(how, []).append(name)
    if alike:
        said = "; ".join(f"{how} for {_few(names)}" for how, names in alike.items())
        yield f"held-out cells are likeliest with these distributions: {said}"


def notes_of(measured: Iterable[str], strange: dict[str, list[str]]) -> Iterator[str]:
    """What is said of columns: which are no counts, what is far out."""
    if measured := list(measured):
        yield (
            f"{_few(measured)}: whole numbers, modelled as measurements and written whole; as "
            "counts, held-out cells are less likely (--columns name=count says otherwise)"
        )
    for name, cells in strange.items():
        yield (
            f"{name!r}: {_few(cells, 3)} lies far from all other cells, and counts as the nearest "
            "of them, but for its likelihood"
        )


def _few(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more

"""What is at fault where a loss is no finite number, and what mends it."""

from __future__ import annotations

import numpy as np

from ..models import Model
from .rows import Rows

Array = np.ndarray

_FIRST_STEPS = 10
_LARGE = 1e3
"""Beyond this the numbers themselves, and not what was learnt, may make a loss that is infinite."""
_USUAL_RATE = 0.1
_MOST_NAMED = 3


def why_not_finite(model: Model, rows: Rows, steps: int, rate: float) -> str:
    """The likeliest cause, and its cure, after so many steps at this learning rate.

    Before the first step no weight has moved, so no rate can be at fault; in the first few the data
    are, where they are large and the rate is not.
    """
    sizes = largest_by_column(rows)
    large = np.nanmax(sizes) > _LARGE
    if steps == 0 and not large:
        return (
            "no weight had moved yet, so a smaller lr does not mend it: look at the weights that "
            "the model came with, and at parts and objectives of your own"
        )
    if steps == 0 or (large and steps < _FIRST_STEPS and rate <= _USUAL_RATE):
        return (
            f"the scale of the data is at fault, not the learning rate: {_named(model, sizes)}; "
            "divide such columns, or take a likelihood of real numbers with standardise=True"
        )
    return "try a smaller lr, or clipping the gradient's norm"


def not_like_training(model: Model, valid: Rows) -> str:
    """What may be at fault where held-out rows have a loss that is no number."""
    sizes = largest_by_column(valid)
    if not np.nanmax(sizes) > _LARGE:
        return "look at the rows that validate, and at parts of your own."
    return (
        f"the scale of the rows that validate is at fault: {_named(model, sizes, 'they have')}. "
        "Leave such rows out, or correct them."
    )


def largest_by_column(rows: Rows) -> Array:
    """The largest size of a number in each column, (D,), as the model takes it."""
    largest = np.zeros(rows.x.array.shape[1])
    for chunk in rows.x.chunks():
        largest = np.fmax(largest, np.fmax.reduce(np.abs(rows.x.batch(chunk)), axis=0))
    return largest


def _named(model: Model, sizes: Array, has: str = "it has") -> str:
    """The columns with the largest numbers."""
    schema = getattr(model, "schema", None)
    order = np.argsort(-sizes)[:_MOST_NAMED]
    order = order[sizes[order] > max(_LARGE, 1e-3 * sizes[order[0]])]
    names = [f"column {j}" if schema is None else repr(schema.names[j]) for j in order]
    shown = [f"{sizes[j]:.3g} in {name}" for name, j in zip(names, order, strict=True)]
    counted = " (counted from 0)" if schema is None else ""
    return f"{has} values up to {', '.join(shown)}{counted}"

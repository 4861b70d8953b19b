"""The kernels of npvae/kernels/marginals.py."""

from __future__ import annotations

import numpy as np

from .case import Array, Kernel, Sizes
from .domains import gentle, positive


def knots(n: Sizes) -> tuple[Array, Array, Array]:
    """Marginals that start with an atom, go through one, and are rounded in every other column."""
    x, y = np.array([-1.0, -1.0, 0.5, 0.5, 2.5]), np.array([-1.5, -0.5, 0.25, 0.5, 1.5])
    steps = np.where(np.arange(n["D"]) % 2, 0.5, 0.0)
    whole = np.array([-1.25, -0.75, 0.25, 0.75, 2.75])
    lines, scores = np.where(steps[:, None] > 0, whole, x), np.tile(y, (n["D"], 1)).copy()
    for array in (lines, scores, steps):
        array.flags.writeable = False  # constants, for a step that is recorded
    return lines, scores, steps


def tails(n: Sizes) -> Array:
    """Of two columns of three."""
    rows = np.tile([0.5, 0.25, 0.1, 2.0, 1.5, 0.3], (n["D"], 1)).copy()
    rows[::3, 2] = rows[1::3, 5] = 0.0
    rows.flags.writeable = False
    return rows


KNOTS = dict(knots=lambda n: knots(n)[0], scores=lambda n: knots(n)[1], steps=lambda n: knots(n)[2])


def cell_terms(
    location: Array, low: Array, high: Array, width: Array, offset: Array, log_scale: Array
) -> tuple[Array, Array, Array]:
    """exp magnifies the rounding of log_scale, and that of a and b, which it is the scale of."""
    inverse, worst = np.exp(-log_scale), 1 + np.abs(log_scale)
    size = 1 + (np.abs(location) + np.maximum(np.abs(low), np.abs(high))) * inverse * worst
    small = np.abs(np.log(np.where(width > 0, width, 1))) + np.abs(log_scale)
    terms = size + small + np.abs(offset)
    return terms.sum(-1), size * inverse * worst, size * size


KERNELS = {
    "cells": Kernel(
        dict(x="BD"),
        2,
        {**KNOTS, "tails": tails},
        scales=lambda x, *_: (1 + 0 * x,) * 3 + (1 + np.log1p(np.abs(x)),),
    ),
    "cell_scores": Kernel(dict(x="BD"), 2, KNOTS, scales=lambda x, *_: (1 + 0 * x,)),
    "logistic_cells": Kernel(
        dict(location="KBD", low="BD", high="BD", width="BD", offset="BD", log_scale="D"),
        6,
        scales=cell_terms,
        domain={"width": positive, "log_scale": gentle},
        hides=("low",),
    ),
}

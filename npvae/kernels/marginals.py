"""Columns that are monotone functions of a latent number y: which y a value stands for, and back.

A column's function x = Q(y) is the line through knots (y_k, x_k), constant outside of them, and
then rounded to a multiple of `step` where that is above 0. Knots of D columns are arrays (D, K),
the shorter ones filled up with infinities. So a value stands either for a cell, the numbers y
between `low` and `high` that all give it, or, on a slope without rounding, for one number y.

A column may have tails, (D, 6): scale, shape and share s of the one below the least value, then of
the one above the greatest. s of the outermost cell's probability lies beyond it. A value at the
distance t beyond is of the cell, and has in it the density

    s / scale · (1 + shape · t / scale)^(-1 - 1 / shape)

(generalised Pareto; Pickands 1975), while the outermost value itself keeps 1 - s. No draw is there.
"""

from __future__ import annotations

import numpy as np

from ..core.numerics import sigmoid, softplus
from .likelihoods import _over_known
from .seam import Array, Triple, kernel

__all__ = ["cell_scores", "cells", "logistic_cells"]

Cells = tuple[Array, Array, Array, Array]

FAR = 1e3
"""Where the cells of the least and of the greatest value end: no latent number gets there."""
NEAR = 1e-8
"""Below it g / (exp(g) - 1) is 1 - g/2, to all digits."""
MOST = 3.0
"""An encoder sees the open cells as if they ended here."""


@kernel
def cells(x: Array, knots: Array, scores: Array, steps: Array, tails: Array) -> Cells:
    """low, high, width and offset of x (B, D), each (B, D): the y between low and high give x.

    log p(x) is that of the cell plus the offset, -log step; or where the width is 0 the density at
    y plus the offset, which is then the logarithm of dy/dx. In the outermost cells the offset has
    the tail's share as well. All are NaN where x is.
    """
    low, high, width, offset = _cells(x, knots, scores, steps)
    offset = offset + _in_tails(x, low, high, offset, knots, steps, tails)
    dtype = x.dtype
    return low.astype(dtype), high.astype(dtype), width.astype(dtype), offset.astype(dtype)


@kernel
def cell_scores(x: Array, knots: Array, scores: Array, steps: Array) -> Array:
    """The middle of each cell: what an encoder is given of x (B, D)."""
    low, high, _, _ = _cells(x, knots, scores, steps)
    return (0.5 * (np.maximum(low, -MOST) + np.minimum(high, MOST))).astype(x.dtype)


def _cells(x: Array, knots: Array, scores: Array, steps: Array) -> Cells:
    exact, column, last = steps == 0, np.arange(len(knots)), np.isfinite(knots).sum(1) - 1
    # What is not rounded is met by equality, in the type that x has.
    knots = np.where(exact[:, None], knots.astype(x.dtype), knots).astype(np.float64)
    half, near = 0.5 * steps, 1e-4 * steps
    units = np.where(exact, 1.0, steps)
    inside = np.clip(x, knots[:, 0] + half, knots[column, last] - half)
    middle = np.where(exact, inside, np.rint(inside / units) * units)
    left, right = middle - half, middle + half
    below = (knots < (left - near)[..., None]).sum(-1)
    upto = (knots <= (right + near)[..., None]).sum(-1)
    low, slope = _on_line(left, np.clip(below - 1, 0, last - 1), column, knots, scores)
    high, _ = _on_line(right, np.clip(upto - 1, 0, last - 1), column, knots, scores)
    low, high = np.where(below == 0, -FAR, low), np.where(upto > last, FAR, high)
    smooth = exact & (below > 0) & (upto <= last) & (upto - below < 2)
    offset = np.where(smooth, np.log(slope), -np.log(units))
    high = np.where(smooth, low, high)
    low, high, offset = (np.where(np.isnan(x), np.nan, part) for part in (low, high, offset))
    return low, high, high - low, offset


def _in_tails(
    x: Array, low: Array, high: Array, offset: Array, knots: Array, steps: Array, tails: Array
) -> Array:
    """What the tails add to the offset of each entry: 0 in all cells but the outermost."""
    last = np.isfinite(knots).sum(1) - 1
    added = np.zeros(x.shape)
    ends = knots[:, 0] + 0.5 * steps, knots[np.arange(len(knots)), last] - 0.5 * steps
    for end, sign, (scale, shape, share), cell in (
        (ends[0], -1.0, tails[:, :3].T, low == -FAR),
        (ends[1], 1.0, tails[:, 3:].T, high == FAR),
    ):
        if not share.any():
            continue
        end = np.where(steps == 0, end.astype(x.dtype), end).astype(np.float64)
        distance = sign * (x.astype(np.float64) - end)
        beyond = (distance > 0.5 * steps) & (share > 0)
        log_p = np.log(np.where(share > 0, share, 1.0) / scale)
        log_p = log_p - (1 + 1 / shape) * np.log1p(shape / scale * np.where(beyond, distance, 0.0))
        added += np.where(beyond, log_p - offset, np.where(cell, np.log1p(-share), 0.0))
    return added  # the density is per unit of x


def _on_line(x: Array, i: Array, column: Array, knots: Array, scores: Array) -> tuple[Array, Array]:
    """y on the line between the knots i and i + 1, and its slope dy/dx.

    Both knots are at one place only where an end is open, and what comes out is not used.
    """
    left, start = knots[column, i], scores[column, i]
    run, rise = knots[column, i + 1] - left, scores[column, i + 1] - start
    slope = rise / np.where(run > 0, run, 1.0)
    return start + (x - left) * slope, slope


@kernel
def logistic_cells(
    location: Array, low: Array, high: Array, width: Array, offset: Array, log_scale: Array
) -> Triple:
    """log p = Σ_D log(σ(b) - σ(a)) + offset, a = (low - location) / s, b = (high - location) / s.

    s = exp(log_scale), and where the width is 0 the density (σ(a) - σ(a)²) / s. As products, which
    do not cancel: log σ(b) + log σ(-a) + log(1 - exp(a - b)), the last term -log_scale at width 0.
    """
    inverse = np.exp(-log_scale)
    a, b = (low - location) * inverse, (high - location) * inverse
    smooth = width <= 0
    gap = np.where(smooth, 1.0, width).astype(width.dtype) * inverse
    rest = -np.expm1(-gap)
    near = gap.real < NEAR
    far = np.where(near, 1.0, gap).astype(gap.dtype)
    share = np.where(near, 1 - 0.5 * gap, far * np.exp(-far) / -np.expm1(-far))
    inside = np.where(smooth, -log_scale, np.log(rest))
    above, below = sigmoid(-b), sigmoid(a)
    log_p = inside - softplus(-b) - softplus(a) + offset
    slope = a * below - b * above - np.where(smooth, 1.0, share).astype(a.dtype)
    return _over_known(np.isnan(low), log_p, (below - above) * inverse, slope)

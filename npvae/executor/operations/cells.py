"""Columns that are functions of a latent number: cells of values, and their density.

`kernels.marginals` has the mathematics. Columns lie by feature, (D, n).
"""

from __future__ import annotations

import math

import numpy as np

from ...kernels.marginals import FAR, MOST, NEAR
from .declare import operation
from .densities import FLUSH, add_up
from .entries import add_short, fill_short, read_short, write_short
from .options import BLOCK, SHORT, doubles, exact, fast, floats, longs, short
from .scalars import HALF, ONE, ZERO, exp, expm1, log, sigmoid, softplus

f32 = np.float32
_NEAR = f32(NEAR)


@fast
def _below(numbers, first, last, value, also_equal):
    """How many of the rising numbers first to last are below a value, or equal to it."""
    start, end = first, last
    while start < end:
        middle = (start + end) // 2
        if numbers[middle] < value or (also_equal and numbers[middle] == value):
            start = middle + 1
        else:
            end = middle
    return start - first


@fast
def _on_line(x, at, knots, scores):
    """y on the line between the knots `at` and at + 1, and its slope, 1 if it is vertical."""
    run, rise = knots[at + 1] - knots[at], scores[at + 1] - scores[at]
    if run <= 0.0:
        return scores[at] + (rise if x > knots[at] else 0.0), 1.0
    return scores[at] + (x - knots[at]) * (rise / run), rise / run


@fast
def _cell(value, knots, scores, first, last, step):
    """low, high and offset of one value; the column's knots are first to last."""
    half, near, k = 0.5 * step, 1e-4 * step, last - first
    inside = min(max(np.float64(value), knots[first] + half), knots[last - 1] - half)
    middle = np.rint(inside / step) * step if step > 0.0 else inside
    left, right = middle - half, middle + half
    below = _below(knots, first, last, left - near, False)
    upto = _below(knots, first, last, right + near, True)
    low, slope = _on_line(left, first + min(max(below - 1, 0), k - 2), knots, scores)
    high, _ = _on_line(right, first + min(max(upto - 1, 0), k - 2), knots, scores)
    if step == 0.0 and below > 0 and upto < k and upto - below < 2:
        return low, low, math.log(slope)
    low, high = -FAR if below == 0 else low, FAR if upto == k else high
    return low, high, -math.log(step) if step > 0.0 else 0.0


@fast
def _in_tail(value, low, high, offset, first, last, step, tail):
    """The offset of one value with that of the tails; first and last are the outermost knots."""
    half = 0.5 * step
    for side in range(2):
        scale, shape, share = tail[3 * side], tail[3 * side + 1], tail[3 * side + 2]
        if share <= 0.0 or (high != FAR if side else low != -FAR):
            continue
        beyond = np.float64(value) - (last - half) if side else first + half - np.float64(value)
        if beyond <= half:
            offset += math.log1p(-share)
        else:
            offset = math.log(share / scale)
            offset -= (1.0 + 1.0 / shape) * math.log1p(shape / scale * beyond)
    return offset


@operation(
    reads=dict(x="NF", knots="P", scores="P", ends="P", steps="P", tails="P"),
    writes=dict(low="NF", high="NF", width="NF", offset="NF"), cost=30.0,
)  # fmt: skip
@fast
def cells(x, knots, scores, ends, steps, tails, low, high, width, offset, lo, hi, n):
    """Of the columns x (D, n); column i's knots and scores are ends[i] to ends[i + 1], float64."""
    bounds, rounded = longs(ends, hi + 1), doubles(steps, hi)
    further = doubles(tails, 6 * hi)
    lines, heights = doubles(knots, bounds[hi]), doubles(scores, bounds[hi])
    for i in range(lo, hi):
        data, at = floats(x + 4 * i * n, n), 4 * i * n
        lows, highs = floats(low + at, n), floats(high + at, n)
        widths, offsets = floats(width + at, n), floats(offset + at, n)
        for j in range(n):
            if data[j] == data[j]:
                a, b, c = _cell(data[j], lines, heights, bounds[i], bounds[i + 1], rounded[i])
                c = _in_tail(
                    data[j], a, b, c, lines[bounds[i]], lines[bounds[i + 1] - 1], rounded[i],
                    further[6 * i : 6 * i + 6],
                )  # fmt: skip
                lows[j], highs[j], widths[j], offsets[j] = f32(a), f32(b), f32(b - a), f32(c)
            else:
                lows[j] = highs[j] = widths[j] = offsets[j] = data[j]


@operation(
    reads=dict(x="NF", knots="P", scores="P", ends="P", steps="P"), writes=dict(out="NF"),
    cost=30.0,
)  # fmt: skip
@fast
def cell_scores(x, knots, scores, ends, steps, out, lo, hi, n):
    bounds, rounded = longs(ends, hi + 1), doubles(steps, hi)
    lines, heights = doubles(knots, bounds[hi]), doubles(scores, bounds[hi])
    for i in range(lo, hi):
        data, own = floats(x + 4 * i * n, n), floats(out + 4 * i * n, n)
        for j in range(n):
            a, b, _ = _cell(data[j], lines, heights, bounds[i], bounds[i + 1], rounded[i])
            middle = f32(0.5 * (max(a, -MOST) + min(b, MOST)))
            own[j] = middle if data[j] == data[j] else data[j]


@exact
def _entry(location, low, high, width, offset, t):
    """log p of one entry, and its slopes along the location and along t = log scale."""
    inverse = exp(-t)
    a, b = (low - location) * inverse, (high - location) * inverse
    smooth = width <= ZERO
    gap = (ONE if smooth else width) * inverse
    rest = -expm1(-gap)
    share = ONE - HALF * gap if gap < _NEAR else gap * exp(-gap) / rest
    above, below = sigmoid(-b), sigmoid(a)
    log_p = (-t if smooth else log(rest)) - softplus(-b) - softplus(a) + offset
    return log_p, (below - above) * inverse, a * below - b * above - (ONE if smooth else share)


@fast
def _block(scratch, w):
    """Of a block of entries, in short rows 0 to 5: log p and its slopes, in rows 6 to 8."""
    location, t = short(scratch, 0), short(scratch, 5)
    low, high = short(scratch, 1), short(scratch, 2)
    width, offset = short(scratch, 3), short(scratch, 4)
    log_ps, rs, slopes = short(scratch, 6), short(scratch, 7), short(scratch, 8)
    for j in range(w):
        known = low[j] == low[j]
        log_p, r, slope = _entry(
            location[j], low[j] if known else ZERO, high[j] if known else ZERO,
            width[j] if known else ZERO, offset[j] if known else ZERO, t[j],
        )  # fmt: skip
        log_ps[j] = log_p if known else ZERO
        rs[j] = r if known else ZERO
        slopes[j] = slope if known else ZERO


@operation(
    reads=dict(location="KBF", low="BF", high="BF", width="BF", offset="BF", log_scale="F"),
    writes=dict(log_px="KB", r="KBF", slope="KBF"), over=dict(r="location"), cost=4.0,
)  # fmt: skip
@fast
def logistic_cells(
    location, low, high, width, offset, log_scale, by_entry, r, slope, partial, samples, batch,
    lo, hi, thread, scratch,
):  # fmt: skip
    """log_scale is (D,), or `by_entry` (D, KB)."""
    n, long_row = samples * batch, scratch + 4 * SHORT
    sums, total = floats(long_row, n), doubles(partial + 8 * thread * n, n)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for i in range(lo, hi):
        for first in range(0, batch, BLOCK):
            w, data_at = min(BLOCK, batch - first), 4 * (i * batch + first)
            read_short(low + data_at, short(scratch, 1), w)
            read_short(high + data_at, short(scratch, 2), w)
            read_short(width + data_at, short(scratch, 3), w)
            read_short(offset + data_at, short(scratch, 4), w)
            for k in range(samples):
                column = k * batch + first
                at = 4 * (i * n + column)
                read_short(location + at, short(scratch, 0), w)
                if by_entry != 0:
                    read_short(log_scale + at, short(scratch, 5), w)
                else:
                    fill_short(short(scratch, 5), floats(log_scale, hi)[i], w)
                _block(scratch, w)
                add_short(short(scratch, 6), long_row + 4 * column, w)
                write_short(short(scratch, 7), r + at, w)
                write_short(short(scratch, 8), slope + at, w)
        if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
            add_up(sums, total, n)

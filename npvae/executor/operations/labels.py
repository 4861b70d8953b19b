"""Columns of labels: one-hot columns of them, the categorical density, and ordered classes."""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .densities import add_up, repeated
from .options import doubles, fast, floats, longs, moved
from .scalars import ONE, ZERO, exp_negative, log, sigmoid, softplus

f32 = np.float32


@operation(reads=dict(x="BX", places="P"), writes=dict(out="NF"), cost=0.1)
@fast
def one_hot(x, places, out, lo, hi, n):
    """`places` (S, 2) has the column that each row of out (S, n) is of, and its class."""
    where = longs(places, 2 * hi)
    for i in range(lo, hi):
        labels, hot = floats(x + 4 * where[2 * i] * n, n), floats(out + 4 * i * n, n)
        own = f32(where[2 * i + 1])
        for j in range(n):
            value = ONE if labels[j] == own else ZERO
            hot[j] = value if labels[j] == labels[j] else labels[j]


@operation(
    reads=dict(logits="NX", x="BX", starts="P"), writes=dict(log_px="KB", r="NX"),
    over=dict(r="logits"), cost=1.0,
)  # fmt: skip
@fast
def categorical(logits, x, starts, r, partial, lo, hi, samples, batch, thread, scratch):
    """Groups lo to hi: r = x - softmax, and Σ x (logit - top) - Σ x · log Σ exp(logit - top)."""
    n = samples * batch
    sums, total = floats(scratch, n), doubles(partial + 8 * thread * n, n)
    top, norm = floats(scratch + 8 * n, n), floats(scratch + 12 * n, n)
    given = floats(scratch + 16 * n, n)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for g in range(lo, hi):
        first, last = longs(starts, hi + 1)[g], longs(starts, hi + 1)[g + 1]
        _greatest(logits, top, first, last, n)
        for j in range(n):
            norm[j] = given[j] = ZERO
        for i in range(first, last):
            data = repeated(x + 4 * i * batch, batch, samples, scratch + 4 * n)
            e = moved(logits + 4 * i * n, r + 4 * i * n, n)
            for j in range(n):
                e[j] -= top[j]
            for j in range(n):
                sums[j] += data[j] * e[j] if data[j] == data[j] else ZERO
            for j in range(n):
                given[j] += data[j] if data[j] == data[j] else ZERO
            for j in range(n):
                e[j] = exp_negative(e[j])
                norm[j] += e[j]
        for j in range(n):
            sums[j] -= given[j] * log(norm[j]) if given[j] != ZERO else ZERO
        add_up(sums, total, n)
        for i in range(first, last):
            data = repeated(x + 4 * i * batch, batch, samples, scratch + 4 * n)
            slope = floats(r + 4 * i * n, n)
            for j in range(n):
                slope[j] = data[j] - slope[j] / norm[j] if data[j] == data[j] else ZERO


@fast
def _greatest(logits, top, first, last, n):
    for i in range(first, last):
        numbers = floats(logits + 4 * i * n, n)
        if i == first:
            for j in range(n):
                top[j] = numbers[j]
        for j in range(n):
            top[j] = top[j] if numbers[j] <= top[j] else numbers[j]


@operation(reads=dict(eta="NF", cuts="P", starts="P"), writes=dict(out="NX"), cost=4.0)
@fast
def ordinal_logits(eta, cuts, starts, out, lo, hi, n):
    """Columns lo to hi of eta (D, n): the log-probabilities of their classes, out (S, n)."""
    for g in range(lo, hi):
        first, size, own, at = _ordered(starts, cuts, eta, g, n)
        cut, above = 0.0, ZERO
        for k in range(size):
            log_p, below = floats(out + 4 * (first + k) * n, n), above
            inside = f32(_log_inside(own[k])) if 0 < k < size - 1 else ZERO
            for j in range(n):
                log_p[j] = inside
            if k > 0:
                for j in range(n):
                    log_p[j] -= softplus(below - at[j])
            if k < size - 1:
                cut += _step(own, k)
                above = f32(cut)
                for j in range(n):
                    log_p[j] -= softplus(at[j] - above)


@operation(
    reads=dict(d="NX", eta="NF", cuts="P", starts="P"), writes=dict(d_eta="NF", d_cuts="P"),
    cost=4.0,
)  # fmt: skip
@fast
def ordinal_logits_backward(d, eta, cuts, starts, d_eta, d_cuts, lo, hi, n):
    for g in range(lo, hi):
        first, size, own, at = _ordered(starts, cuts, eta, g, n)
        d_own = floats(d_cuts + 4 * (first - g), size - 1)
        d_at = floats(d_eta + 4 * g * n, n)
        for j in range(n):
            d_at[j] = ZERO
        cut = 0.0
        for k in range(size - 1):
            cut += _step(own, k)
            below, here, total = floats(d + 4 * (first + k) * n, n), f32(cut), 0.0
            above = floats(d + 4 * (first + k + 1) * n, n)
            for j in range(n):
                share = sigmoid(here - at[j])
                e = below[j] * (ONE - share) - above[j] * share
                d_at[j] -= e
                total += e
            d_own[k] = f32(total)
        after = 0.0
        for k in range(size - 2, -1, -1):
            after += d_own[k]
            d_own[k] = f32(after)
            if k > 0:
                inside, gap = 0.0, math.exp(own[k])
                row = floats(d + 4 * (first + k) * n, n)
                for j in range(n):
                    inside += row[j]
                d_own[k] = f32(gap * after + inside * gap / math.expm1(gap))


@fast
def _step(own, k):
    """From a column's last cutpoint to the k-th, or from 0 to its first."""
    return np.float64(own[k]) if k == 0 else math.exp(own[k])


@fast
def _log_inside(log_gap):
    """log(1 - exp(-gap))."""
    return math.log(-math.expm1(-math.exp(log_gap)))


@fast
def _ordered(starts, cuts, eta, g, n):
    """Of an ordered column: its first class and their number, its cuts, and where its eta lies."""
    first, last = longs(starts, g + 2)[g], longs(starts, g + 2)[g + 1]
    size = last - first
    return first, size, floats(cuts + 4 * (first - g), size - 1), floats(eta + 4 * g * n, n)

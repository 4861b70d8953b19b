"""Columns of labels: one-hot columns of them, and the categorical density."""

from __future__ import annotations

import numpy as np

from .declare import operation
from .densities import add_up, repeated
from .options import doubles, fast, floats, longs, moved
from .scalars import ONE, ZERO, exp_negative, log

f32 = np.float32


@operation(reads=dict(x="BX", places="P"), writes=dict(out="NF"), cost=0.1, library="labels")
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
    over=dict(r="logits"), cost=1.0, library="labels",
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

"""Likelihoods and log-densities: sums over the features, of which each thread has some.

So each thread leaves its own sums, one float64 per row, in a row of `partial`, and `row_sums` adds
these up. Within eight features the sums are taken in float32. NaN in x is an entry that is missing.
"""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, exact, fast, floats, moved
from .scalars import ONE, ZERO, exp_negative, log1p_01

f32 = np.float32
FLUSH = 8
"""Features whose log p is summed in float32, before that is added to float64."""


@exact
def _bernoulli(logit, x, e):
    """log p and x - sigmoid(logit), of e = exp(-|logit|); 0 where x is NaN, which is missing."""
    top = ZERO if logit < ZERO else logit
    probability = (ONE if logit >= ZERO else e) / (ONE + e)
    log_p = x * logit - top - log1p_01(e)
    return log_p if x == x else ZERO, x - probability if x == x else ZERO


@fast
def add_up(sums, total, n):
    for j in range(n):
        total[j] += sums[j]
        sums[j] = ZERO


@fast
def repeated(source, batch, samples, scratch):
    """The numbers of a row, for each sample anew: one long loop is faster than many short ones."""
    if samples == 1:
        return floats(source, batch)
    row, out = floats(source, batch), floats(scratch, samples * batch)
    for k in range(samples):
        for j in range(batch):
            out[k * batch + j] = row[j]
    return out


@operation(
    reads=dict(logits="KBF", x="BF"), writes=dict(log_px="KB", r="KBF"), over=dict(r="logits"),
    cost=0.5,
)  # fmt: skip
@fast
def bernoulli(logits, x, r, partial, lo, hi, samples, batch, thread, scratch):
    """r (D, KB) = x - sigmoid(logits), and Σ_D log p.

    In two loops: the chain from a logit to its log p is so long that, in one, too few of them are
    under way at a time.
    """
    n = samples * batch
    exps = floats(scratch + 8 * n, n)
    sums, total = floats(scratch, n), doubles(partial + 8 * thread * n, n)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for i in range(lo, hi):
        data = repeated(x + 4 * i * batch, batch, samples, scratch + 4 * n)
        slope = moved(logits + 4 * i * n, r + 4 * i * n, n)
        for j in range(n):
            exps[j] = exp_negative(-abs(slope[j]))
        for j in range(n):
            log_p, d = _bernoulli(slope[j], data[j], exps[j])
            sums[j] += log_p
            slope[j] = d
        if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
            add_up(sums, total, n)


@operation(
    reads=dict(mean="KBF", x="BF", log_scale="P"), writes=dict(r="KBF"), over=dict(r="mean"),
    constants=dict(inverse=1.0), sums=2, cost=0.2,
)  # fmt: skip
@fast
def gaussian(
    mean, x, log_scale, r, partial, lo, hi, samples, batch, inverse, thread, scratch
):  # fmt: skip
    """u = (x - mean) / scale: r (D, KB) = u / scale, Σ_D u², and behind it how many x are known."""
    n, part = samples * batch, partial + 16 * thread * samples * batch
    narrow = f32(inverse) if log_scale == 0 else f32(math.exp(-floats(log_scale, 1)[0]))
    sums, total = floats(scratch, n), doubles(part, n)
    known, count = floats(scratch + 8 * n, n), doubles(part + 8 * n, n)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for j in range(n):
        known[j], count[j] = ZERO, 0.0
    for i in range(lo, hi):
        data = repeated(x + 4 * i * batch, batch, samples, scratch + 4 * n)
        slope = moved(mean + 4 * i * n, r + 4 * i * n, n)
        for j in range(n):
            u = (data[j] - slope[j]) * narrow
            u = u if data[j] == data[j] else ZERO
            sums[j] += u * u
            slope[j] = u * narrow
        for j in range(n):
            known[j] += ONE if data[j] == data[j] else ZERO
        if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
            add_up(sums, total, n)
            add_up(known, count, n)


@operation(writes=dict(out="N"), constants=dict(factor=1.0), alone=True)
@fast
def row_sums(partial, parts, out, n, factor):
    """out (n,) = factor · Σ of the threads' sums."""
    into = doubles(out, n)
    for j in range(n):
        into[j] = 0.0
    for t in range(parts):
        part = doubles(partial + 8 * t * n, n)
        for j in range(n):
            into[j] += part[j]
    for j in range(n):
        into[j] = factor * into[j]


@operation(
    reads=dict(log_scale="P"), writes=dict(log_px="N", slope="N"), constants=dict(known_scale=0.0),
    alone=True,
)  # fmt: skip
@fast
def gaussian_sums(partial, parts, log_px, slope, n, log_scale, known_scale):
    """log p = -½ Σ u² - D (log scale + ½ log 2π), and its slope along log scale, Σ u² - D, with D
    the entries that are known; no slope where its address is 0."""
    density, along = doubles(log_px, n), doubles(slope, n)
    scale = known_scale if log_scale == 0 else np.float64(floats(log_scale, 1)[0])
    constant = scale + 0.5 * math.log(2 * math.pi)
    for j in range(n):
        squares, known = 0.0, 0.0
        for t in range(parts):
            part = doubles(partial + 16 * t * n, 2 * n)
            squares += part[j]
            known += part[n + j]
        density[j] = -0.5 * squares - known * constant
        if slope != 0:
            along[j] = squares - known


@operation(reads=dict(a="N", b="N"), writes=dict(out="P"), alone=True)
@fast
def dot(a, b, out, n):
    """Σ a b of two vectors of float64, as one float32."""
    x, y, total = doubles(a, n), doubles(b, n), 0.0
    for j in range(n):
        total += x[j] * y[j]
    floats(out, 1)[0] = f32(total)

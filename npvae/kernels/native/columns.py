"""Operations on columns of data, and on groups of them: missing values, labels, totals, bounds."""

from __future__ import annotations

import math

import numpy as np

from .densities import add_up, repeated
from .libraries import Library
from .options import doubles, fast, floats, longs, moved
from .scalars import ZERO, exp_negative, log, log1p, sigmoid, soft_maximum, soft_minimum

f32 = np.float32
ONE = f32(1)

OPS = {
    "of_data": ("kind", "x", "out", "n"),
    "one_hot": ("x", "places", "out", "n"),
    "feature_sums": ("x", "weights", "partial", "n"),
    "exposure": ("partial", "parts", "out", "n"),
    "in_units": ("partial", "parts", "log_px", "out", "samples", "batch"),
    "bounded": ("raw", "out", "n"),
    "bounded_backward": ("d", "raw", "out", "n"),
    "sum_rows": ("d", "slope", "out", "n"),
    "categorical": ("logits", "x", "starts", "r", "partial", "samples", "batch"),
}
KINDS = ("filled", "known", "log1p")
"""The kernels on x, in the order in which `of_data` counts them."""


@fast
def _of_data(kind, x, out, lo, hi, n):
    size = (hi - lo) * n
    numbers = moved(x + 4 * lo * n, out + 4 * lo * n, size)
    if kind == 0:
        for j in range(size):
            numbers[j] = numbers[j] if numbers[j] == numbers[j] else ZERO
    elif kind == 1:
        for j in range(size):
            numbers[j] = ONE if numbers[j] == numbers[j] else ZERO
    else:
        for j in range(size):
            numbers[j] = log1p(numbers[j])


@fast
def _one_hot(x, places, out, lo, hi, n):
    """`places` (S, 2) has the column that each row of out (S, n) is of, and its class."""
    where = longs(places, 2 * hi)
    for i in range(lo, hi):
        labels, hot = floats(x + 4 * where[2 * i] * n, n), floats(out + 4 * i * n, n)
        own = f32(where[2 * i + 1])
        for j in range(n):
            value = ONE if labels[j] == own else ZERO
            hot[j] = value if labels[j] == labels[j] else labels[j]


@fast
def _feature_sums(x, weights, partial, lo, hi, n):
    """Σ_D of what is known of x (D, n), or of the weights (D,) of what is known."""
    total = doubles(partial, n)
    for j in range(n):
        total[j] = 0.0
    for i in range(lo, hi):
        data = floats(x + 4 * i * n, n)
        if weights == 0:
            for j in range(n):
                total[j] += np.float64(data[j] if data[j] == data[j] else ZERO)
        else:
            weight = doubles(weights, hi)[i]
            for j in range(n):
                total[j] += weight if data[j] == data[j] else 0.0


@fast
def _total(partial, parts, n, j):
    sums, total = doubles(partial, parts * n), 0.0
    for part in range(parts):
        total += sums[part * n + j]
    return total


@fast
def _exposure(partial, parts, out, n, library):
    """log(max(Σ x, 1) / library)."""
    offset = floats(out, n)
    for j in range(n):
        total = _total(partial, parts, n, j)
        offset[j] = f32(math.log((1.0 if total < 1.0 else total) / library))


@fast
def _in_units(partial, parts, log_px, out, samples, batch):
    given, own = doubles(log_px, samples * batch), doubles(out, samples * batch)
    for j in range(batch):
        total = _total(partial, parts, batch, j)
        for k in range(samples):
            own[k * batch + j] = given[k * batch + j] - total


@fast
def _bounded(raw, out, lo, hi, n, low, high):
    size = (hi - lo) * n
    numbers = moved(raw + 4 * lo * n, out + 4 * lo * n, size)
    for j in range(size):
        numbers[j] = soft_maximum(soft_minimum(numbers[j], high), low)


@fast
def _bounded_backward(d, raw, out, lo, hi, n, low, high):
    size = (hi - lo) * n
    numbers, bent = moved(d + 4 * lo * n, out + 4 * lo * n, size), floats(raw + 4 * lo * n, size)
    for j in range(size):
        numbers[j] *= sigmoid(soft_minimum(bent[j], high) - low) * sigmoid(high - bent[j])


@fast
def _sum_rows(d, slope, out, lo, hi, n):
    weights, sums = doubles(d, n), floats(out, hi)
    for i in range(lo, hi):
        numbers, total = floats(slope + 4 * i * n, n), 0.0
        for j in range(n):
            total += weights[j] * numbers[j]
        sums[i] = f32(total)


@fast
def _categorical(logits, x, starts, r, partial, lo, hi, samples, batch, scratch):
    """Groups lo to hi: r = x - softmax, and Σ x (logit - top) - Σ x · log Σ exp(logit - top)."""
    n = samples * batch
    sums, total = floats(scratch, n), doubles(partial, n)
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
            sums[j] -= given[j] * log(norm[j])
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


def _library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p, c = longs(operands, 7), doubles(constants, 2)
        if code == 0:
            _of_data(p[0], p[1], p[2], lo, hi, p[3])
        elif code == 1:
            _one_hot(p[0], p[1], p[2], lo, hi, p[3])
        elif code == 2:
            _feature_sums(p[0], p[1], p[2] + 8 * thread * p[3], lo, hi, p[3])
        elif code == 3:
            _exposure(p[0], p[1], p[2], p[3], c[0])
        elif code == 4:
            _in_units(p[0], p[1], p[2], p[3], p[4], p[5])
        elif code == 5:
            _bounded(p[0], p[1], lo, hi, p[2], f32(c[0]), f32(c[1]))
        elif code == 6:
            _bounded_backward(p[0], p[1], p[2], lo, hi, p[3], f32(c[0]), f32(c[1]))
        elif code == 7:
            _sum_rows(p[0], p[1], p[2], lo, hi, p[3])
        else:
            part = p[4] + 8 * thread * p[5] * p[6]
            _categorical(p[0], p[1], p[2], p[3], part, lo, hi, p[5], p[6], scratch)

    return perform


LIBRARY = Library(OPS, _library)

"""Operations on columns of data: missing values, totals, units."""

from __future__ import annotations

import math

import numpy as np

from .libraries import Library
from .options import doubles, fast, floats, longs, moved
from .scalars import ONE, ZERO, log1p

f32 = np.float32
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


def _library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p, c = longs(operands, 6), doubles(constants, 1)
        if code == 0:
            _of_data(p[0], p[1], p[2], lo, hi, p[3])
        elif code == 1:
            _feature_sums(p[0], p[1], p[2] + 8 * thread * p[3], lo, hi, p[3])
        elif code == 2:
            _exposure(p[0], p[1], p[2], p[3], c[0])
        else:
            _in_units(p[0], p[1], p[2], p[3], p[4], p[5])

    return perform


LIBRARY = Library(
    {
        "of_data": ("kind", "x", "out", "n"),
        "feature_sums": ("x", "weights", "partial", "n"),
        "exposure": ("partial", "parts", "out", "n"),
        "in_units": ("partial", "parts", "log_px", "out", "samples", "batch"),
    },
    _library,
)

"""Operations on columns of data: missing values, totals, units."""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, exact, fast, floats, moved
from .scalars import ONE, ZERO, log1p

f32 = np.float32


def _each(name, function, cost):
    """An operation on each number of x (D, n) for itself."""

    @operation(name, reads=dict(x="NF"), writes=dict(out="NF"), cost=cost)
    @fast
    def run(x, out, lo, hi, n):
        size = (hi - lo) * n
        numbers = moved(x + 4 * lo * n, out + 4 * lo * n, size)
        for j in range(size):
            numbers[j] = function(numbers[j])

    return run


@exact
def _filled(x):
    return x if x == x else ZERO


@exact
def _known(x):
    return ONE if x == x else ZERO


filled, known = _each("filled", _filled, 0.1), _each("known", _known, 0.1)
log_of_counts = _each("log1p", log1p, 0.5)


@operation(reads=dict(x="NF", mean="P", scale="P"), writes=dict(out="NF"), cost=0.3)
@fast
def standardised(x, mean, scale, out, lo, hi, n):
    """(x - mean) / scale of x (D, n), with mean and scale (D,) in float64."""
    for i in range(lo, hi):
        data, own = floats(x + 4 * i * n, n), floats(out + 4 * i * n, n)
        centre, spread = doubles(mean, hi)[i], doubles(scale, hi)[i]
        for j in range(n):
            own[j] = f32((data[j] - centre) / spread)


@operation(reads=dict(x="NF", weights="P"), cost=0.2)
@fast
def feature_sums(x, weights, partial, lo, hi, n, thread):
    """Σ_D of what is known of x (D, n), or of the weights (D,) of what is known."""
    total = doubles(partial + 8 * thread * n, n)
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


@operation(writes=dict(out="B"), constants=dict(library=1.0), alone=True)
@fast
def exposure(partial, parts, out, batch, library):
    """log(max(Σ x, 1) / library)."""
    offset = floats(out, batch)
    for j in range(batch):
        total = _total(partial, parts, batch, j)
        offset[j] = f32(math.log((1.0 if total < 1.0 else total) / library))


@operation(reads=dict(log_px="KB"), writes=dict(out="KB"), alone=True)
@fast
def in_units(partial, parts, log_px, out, samples, batch):
    given, own = doubles(log_px, samples * batch), doubles(out, samples * batch)
    for j in range(batch):
        total = _total(partial, parts, batch, j)
        for k in range(samples):
            own[k * batch + j] = given[k * batch + j] - total

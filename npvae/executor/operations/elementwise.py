"""Operations whose every number depends on its own place: sums, copies, rows of data."""

from __future__ import annotations

import numpy as np

from .declare import operation
from .options import doubles, fast, floats, longs, moved, octets
from .scalars import ONE, ZERO, sigmoid
from .squares import fetch, transposed

f32 = np.float32


@operation(reads=dict(a="NF", b="NF"), writes=dict(out="NF"), over=dict(out="a"), cost=0.1)
@fast
def add(a, b, out, lo, hi, n):
    size = (hi - lo) * n
    total, other = moved(a + 4 * lo * n, out + 4 * lo * n, size), floats(b + 4 * lo * n, size)
    for j in range(size):
        total[j] += other[j]


@operation(reads=dict(a="N", b="N"), writes=dict(out="N"), alone=True, cost=0.2)
@fast
def add_doubles(a, b, out, n):
    x, y, z = doubles(a, n), doubles(b, n), doubles(out, n)
    for j in range(n):
        z[j] = x[j] + y[j]


@operation(reads=dict(log_p="N", change="N"), writes=dict(out="N"), alone=True, cost=0.2)
@fast
def less(log_p, change, out, n):
    x, y, z = doubles(log_p, n), doubles(change, n), doubles(out, n)
    for j in range(n):
        z[j] = x[j] - y[j]


@operation(reads=dict(d="N"), writes=dict(out="N"), alone=True, cost=0.1)
@fast
def negative(d, out, n):
    x, y = doubles(d, n), doubles(out, n)
    for j in range(n):
        y[j] = -x[j]


@operation("sigmoid", reads=dict(x="NF"), writes=dict(p="NF"), over=dict(p="x"), cost=0.3)
@fast
def probability(x, p, lo, hi, n):
    size = (hi - lo) * n
    numbers = moved(x + 4 * lo * n, p + 4 * lo * n, size)
    for j in range(size):
        numbers[j] = sigmoid(numbers[j])


@operation()
@fast
def masked(weight, mask, out, lo, hi, n):
    """Rows lo to hi of the weights, (O, n), where the mask is 1, and else 0."""
    size = (hi - lo) * n
    given, kept = floats(weight + 4 * lo * n, size), floats(mask + 4 * lo * n, size)
    own = floats(out + 4 * lo * n, size)
    for j in range(size):
        own[j] = given[j] * kept[j]


@operation(constants=dict(value=0.0))
@fast
def fill(out, n, lo, hi, value):
    x, number = floats(out + 4 * lo * n, (hi - lo) * n), f32(value)
    for j in range((hi - lo) * n):
        x[j] = number


@operation()
@fast
def repeat(source, out, lo, hi, n, times):
    """Each row of the source, (F, n), `times` over in a row: (F, times · n)."""
    for i in range(lo, hi):
        row = floats(source + 4 * i * n, n)
        for k in range(times):
            copy = floats(out + 4 * (i * times + k) * n, n)
            for j in range(n):
                copy[j] = row[j]


@operation()
@fast
def pick(source, chosen, out, lo, hi, n):
    """Rows lo to hi of out (F, n), which are the chosen ones of the source."""
    rows = longs(chosen, hi)
    for i in range(lo, hi):
        old, new = floats(source + 4 * rows[i] * n, n), floats(out + 4 * i * n, n)
        for j in range(n):
            new[j] = old[j]


@operation()
@fast
def sum_repeats(source, out, lo, hi, n, times):
    """The gradient of `repeat`."""
    for i in range(lo, hi):
        total = floats(out + 4 * i * n, n)
        for j in range(n):
            total[j] = ZERO
        for k in range(times):
            copy = floats(source + 4 * (i * times + k) * n, n)
            for j in range(n):
                total[j] += copy[j]


@operation(
    reads=dict(d="N", r="NF"), writes=dict(out="NF"), over=dict(out="r"),
    constants=dict(factor=1.0), cost=0.1,
)  # fmt: skip
@fast
def scale_rows(d, r, out, lo, hi, n, factor, scratch):
    """out = factor · d · r, with d (n,) one float64 per column of r (F, n)."""
    weights, wide = floats(scratch, n), doubles(d, n)
    for j in range(n):
        weights[j] = f32(factor * wide[j])
    for i in range(lo, hi):
        into = moved(r + 4 * i * n, out + 4 * i * n, n)
        for j in range(n):
            into[j] *= weights[j]


@operation(reads=dict(d="N", slope="NF"), writes=dict(out="F"), cost=0.2)
@fast
def sum_rows(d, slope, out, lo, hi, n):
    """Σ d · slope of each row of slope (F, n), with d (n,) float64."""
    weights, sums = doubles(d, n), floats(out, hi)
    for i in range(lo, hi):
        numbers, total = floats(slope + 4 * i * n, n), 0.0
        for j in range(n):
            total += weights[j] * numbers[j]
        sums[i] = f32(total)


@operation()
@fast
def transpose(source, out, lo, hi, rows, columns):
    """Rows lo to hi of out (columns, rows), from source (rows, columns)."""
    transposed(source + 4 * lo, 4 * columns, out + 4 * lo * rows, 4 * rows, rows, hi - lo)


@operation()
@fast
def noise(offset, out, n, stride, lo, hi, n_items, noise, step):
    """Features lo to hi of this step's noise, or of other numbers that lie by row."""
    transpose(noise + step * stride + offset, out, lo, hi, n, n_items)


@operation()
@fast
def hand_out(source, out, n, lo, hi, n_items, step):
    """Rows lo to hi, of n numbers, to where those of this step belong at `out`."""
    size = (hi - lo) * n
    given = floats(source + 4 * lo * n, size)
    own = floats(out + 4 * (step * n_items + lo) * n, size)
    for j in range(size):
        own[j] = given[j]


@operation(constants=dict(divisor=1.0))
@fast
def gather(source, kind, out, both, batch, width, lo, hi, n_items, order, step, divisor):
    """Rows lo to hi of out (rows, width): the rows of the source that are this step's.

    Kind 0 is bytes and 1 float32; `both` is where the same goes by feature, or 0.
    """
    indices = longs(order + 8 * step * batch, batch)
    rows, most = n_items, f32(divisor)
    size = width if kind == 0 else 4 * width
    for first in range(lo, hi, 16):
        last = min(hi, first + 16)
        for i in range(last, min(hi, last + 16)):  # which lie anywhere
            fetch(source + indices[i] * size, size)
        for i in range(first, last):
            into = floats(out + 4 * i * width, width)
            if kind == 0:
                octet = octets(source + indices[i] * width, width)
                if most == ONE:
                    for j in range(width):
                        into[j] = f32(octet[j])
                else:
                    for j in range(width):
                        into[j] = f32(octet[j]) / most
            else:
                number = floats(source + 4 * indices[i] * width, width)
                for j in range(width):
                    into[j] = number[j]
        if both != 0:
            begin = out + 4 * first * width
            transposed(begin, 4 * width, both + 4 * first, 4 * rows, last - first, width)

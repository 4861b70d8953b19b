"""Numbers brought to mean 0 and variance 1, set by set, and scaled by channel.

A set is all numbers of some features, or those of one row of data: of images (places, channels, n)
the item i has the features i · width to (i + 1) · width of each of so many places, which lie
`stride` features apart. Where it is `whole`, its n columns are one set; else each is one.
"""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, fast, floats, moved
from .scalars import ZERO

f32 = np.float32


@fast
def _means(sums, n, count, whole):
    """Sums of so many numbers as means; one for all columns where these are one set."""
    total = 0.0
    for j in range(n):
        total += sums[j]
    for j in range(n):
        sums[j] = total / (count * n) if whole != 0 else sums[j] / count


@operation(constants=dict(eps=1e-5))
@fast
def normalised(x, u, inverse, n, places, width, stride, whole, lo, hi, scratch, eps):
    mean, square, count = doubles(scratch, n), doubles(scratch + 8 * n, n), places * width
    for i in range(lo, hi):
        for j in range(n):
            mean[j], square[j] = 0.0, 0.0
        for place in range(places):
            for c in range(width):
                row = floats(x + 4 * n * (i * width + place * stride + c), n)
                for j in range(n):
                    mean[j] += row[j]
        _means(mean, n, count, whole)
        for place in range(places):
            for c in range(width):
                row = floats(x + 4 * n * (i * width + place * stride + c), n)
                for j in range(n):
                    apart = row[j] - mean[j]
                    square[j] += apart * apart
        _means(square, n, count, whole)
        for j in range(n):
            square[j] = 1.0 / math.sqrt(square[j] + eps)
        kept = floats(inverse + 4 * i * (1 if whole != 0 else n), 1 if whole != 0 else n)
        for j in range(len(kept)):
            kept[j] = f32(square[j])
        for place in range(places):
            for c in range(width):
                at = 4 * n * (i * width + place * stride + c)
                row, out = floats(x + at, n), floats(u + at, n)
                for j in range(n):
                    out[j] = f32((row[j] - mean[j]) * square[j])


@operation()
@fast
def normalised_backward(du, u, inverse, dx, n, places, width, stride, whole, lo, hi, scratch):
    mean, along, count = doubles(scratch, n), doubles(scratch + 8 * n, n), places * width
    r = floats(scratch + 16 * n, n)
    for i in range(lo, hi):
        kept = floats(inverse + 4 * i * (1 if whole != 0 else n), 1 if whole != 0 else n)
        for j in range(n):
            mean[j], along[j], r[j] = 0.0, 0.0, kept[0 if whole != 0 else j]
        for place in range(places):
            for c in range(width):
                at = 4 * n * (i * width + place * stride + c)
                given, row = floats(du + at, n), floats(u + at, n)
                for j in range(n):
                    wide = np.float64(given[j])
                    mean[j] += wide
                    along[j] += wide * row[j]
        _means(mean, n, count, whole)
        _means(along, n, count, whole)
        for place in range(places):
            for c in range(width):
                at = 4 * n * (i * width + place * stride + c)
                given, row, out = floats(du + at, n), floats(u + at, n), floats(dx + at, n)
                for j in range(n):
                    out[j] = f32(r[j] * (given[j] - mean[j] - row[j] * along[j]))


@operation(
    reads=dict(x="NF", mean="F", variance="F"), writes=dict(u="NF", inverse="F"),
    over=dict(u="x"), constants=dict(eps=1e-5), cost=0.1,
)  # fmt: skip
@fast
def centred(x, mean, variance, u, inverse, lo, hi, n, n_features, eps):
    """Of an image lo and hi count the channels of all places."""
    means, variances, kept = (
        floats(mean, n_features),
        floats(variance, n_features),
        floats(inverse, n_features),
    )
    for i in range(lo, hi):
        c = i % n_features
        out, middle = moved(x + 4 * i * n, u + 4 * i * n, n), means[c]
        r = f32(1.0 / math.sqrt(np.float64(variances[c]) + eps))
        if i < n_features:
            kept[c] = r
        for j in range(n):
            out[j] = (out[j] - middle) * r


@operation(reads=dict(u="NF", g="F"), writes=dict(a="NF"), over=dict(a="u"), cost=0.1)
@fast
def scaled(u, g, a, lo, hi, n, n_features):
    """Of an image lo and hi count the channels of all places."""
    factors = floats(g, n_features)
    for i in range(lo, hi):
        out, factor = moved(u + 4 * i * n, a + 4 * i * n, n), factors[i % n_features]
        for j in range(n):
            out[j] *= factor


@operation(
    reads=dict(da="NF", u="NF", g="F"), writes=dict(du="NF", dg="F"), over=dict(du="da"), cost=0.2
)
@fast
def scaled_backward(da, u, g, du, dg, lo, hi, n, n_features, places):
    """Of an image lo and hi count the channels of one place."""
    factors, sums = floats(g, n_features), floats(dg, n_features)
    for i in range(lo, hi):
        whole, factor = 0.0, factors[i]
        for place in range(max(1, places)):
            at = 4 * n * (place * n_features + i)
            d, row, total = moved(da + at, du + at, n), floats(u + at, n), ZERO
            for j in range(n):
                total += d[j] * row[j]
            for j in range(n):
                d[j] *= factor
            whole += total
        sums[i] = f32(whole)

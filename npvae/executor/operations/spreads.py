"""Densities of real numbers, and of numbers in [0, 1], entry by entry: see `entries`."""

from __future__ import annotations

import math

import numpy as np

from ...core.numerics import stirling_error
from .declare import operation
from .entries import density
from .latent import BOUNDS
from .options import exact, fast, floats, moved
from .scalars import (
    HALF,
    ONE,
    ZERO,
    exp,
    exp_negative,
    log,
    log1p,
    sigmoid,
    soft_maximum,
    soft_minimum,
)

f32 = np.float32
_LOG_2PI, _LOG_2 = f32(math.log(2 * math.pi)), f32(math.log(2))


@exact
def _inverse(x, t, c):
    return exp(-t), ZERO, ZERO, ZERO, ZERO


@density("gaussian_scaled", 0.5, _inverse)
@exact
def gaussian_scaled(mean, gate, x, t, fixed, c0, c1):
    u = (x - mean) * fixed[0]
    square = u * u
    return -HALF * (square + _LOG_2PI) - t, u * fixed[0], ZERO, square - ONE


@density("laplace", 0.5, _inverse)
@exact
def laplace(median, gate, x, t, fixed, c0, c1):
    u = (x - median) * fixed[0]
    distance = abs(u)
    r = fixed[0] if u > ZERO else -fixed[0]
    r = u if u == ZERO or u != u else r
    return -distance - t - _LOG_2, r, ZERO, distance - ONE


def _of_student(df):
    """The logarithm of the density at u = 0, but for the scale's, and the degrees of freedom."""
    half = np.array(0.5 * df)
    shift = half * np.log1p(0.5 / half) - 0.5 + stirling_error(half + 0.5) - stirling_error(half)
    return float(shift) - 0.5 * math.log(2 * math.pi), df


@density("student_t", 1.0, _inverse, constants=_of_student)
@exact
def student_t(mean, gate, x, t, fixed, norm, df):
    """`norm` is log c of the reference's formula."""
    u = (x - mean) * fixed[0]
    square = u * u
    weight = (df + ONE) / (df + square)
    log_p = norm - t - HALF * (df + ONE) * log1p(square / df)
    return log_p, weight * u * fixed[0], ZERO, weight * square - ONE


# The series of `numerics.uniform_cgf` and of its slope
_A0, _A1, _A2, _A3 = f32(1 / 24), f32(1 / 2880), f32(1 / 181440), f32(1 / 9676800)
_B0, _B1, _B2 = f32(1 / 12), f32(1 / 720), f32(1 / 30240)
_B3, _B4 = f32(1 / 1209600), f32(1 / 47900160)


@density("continuous_bernoulli", 1.0)
@exact
def continuous_bernoulli(logit, gate, x, t, fixed, c0, c1):
    m = abs(logit)
    near = m < ONE
    close, far = logit if near else ZERO, ONE if near else m
    s, e = close * close, exp_negative(-far)
    series = HALF * close + s * (_A0 - s * (_A1 - s * (_A2 - s * _A3)))
    top = ZERO if logit < ZERO else logit
    cgf = series if near else top + log((ONE - e) / far)
    slopes = HALF + close * (_B0 - s * (_B1 - s * (_B2 - s * (_B3 - s * _B4))))
    left = ONE / far - e / (ONE - e)  # the slope at -|logit|; those at either side add up to 1
    mean = slopes if near else (left if logit < ZERO else ONE - left)
    return x * logit - cgf, x - mean, ZERO, ZERO


@operation(
    reads=dict(raw="NF"), writes=dict(out="NF"), over=dict(out="raw"), constants=BOUNDS, cost=0.8,
)  # fmt: skip
@fast
def bounded(raw, out, lo, hi, n, low, high):
    size, least, most = (hi - lo) * n, f32(low), f32(high)
    numbers = moved(raw + 4 * lo * n, out + 4 * lo * n, size)
    for j in range(size):
        numbers[j] = soft_maximum(soft_minimum(numbers[j], most), least)


@operation(
    reads=dict(d="NF", raw="NF"), writes=dict(out="NF"), over=dict(out="d"), constants=BOUNDS,
    cost=0.8,
)  # fmt: skip
@fast
def bounded_backward(d, raw, out, lo, hi, n, low, high):
    size, least, most = (hi - lo) * n, f32(low), f32(high)
    numbers, bent = moved(d + 4 * lo * n, out + 4 * lo * n, size), floats(raw + 4 * lo * n, size)
    for j in range(size):
        numbers[j] *= sigmoid(soft_minimum(bent[j], most) - least) * sigmoid(most - bent[j])

"""Densities of real numbers, and of numbers in [0, 1], entry by entry: see `entries`."""

from __future__ import annotations

import math

import numpy as np

from .entries import OPERANDS, density, nothing
from .libraries import Library
from .options import doubles, exact, longs
from .scalars import HALF, ONE, ZERO, exp, exp_negative, log, log1p

f32 = np.float32
_LOG_2PI, _LOG_2 = f32(math.log(2 * math.pi)), f32(math.log(2))

OPS = {"spread_density": OPERANDS}

KINDS = ("gaussian_scaled", "laplace", "student_t", "continuous_bernoulli")
"""The kernels, in the order in which the operation counts them."""


@exact
def _inverse(x, t, c):
    return exp(-t), ZERO, ZERO, ZERO, ZERO


@exact
def _gaussian(mean, gate, x, t, fixed, c0, c1):
    u = (x - mean) * fixed[0]
    square = u * u
    return -HALF * (square + _LOG_2PI) - t, u * fixed[0], ZERO, square - ONE


@exact
def _laplace(median, gate, x, t, fixed, c0, c1):
    u = (x - median) * fixed[0]
    distance = abs(u)
    r = fixed[0] if u > ZERO else -fixed[0]
    r = u if u == ZERO or u != u else r
    return -distance - t - _LOG_2, r, ZERO, distance - ONE


@exact
def _student(mean, gate, x, t, fixed, norm, df):
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


@exact
def _continuous_bernoulli(logit, gate, x, t, fixed, c0, c1):
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


_g, _l = density(_inverse, _gaussian), density(_inverse, _laplace)
_s, _c = density(_inverse, _student), density(nothing, _continuous_bernoulli)


def _library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p, c = longs(operands, len(OPERANDS)), doubles(constants, 2)
        c0, c1 = f32(c[0]), f32(c[1])
        if p[0] == 0:
            _g(p, c0, c1, lo, hi, thread, scratch)
        elif p[0] == 1:
            _l(p, c0, c1, lo, hi, thread, scratch)
        elif p[0] == 2:
            _s(p, c0, c1, lo, hi, thread, scratch)
        else:
            _c(p, c0, c1, lo, hi, thread, scratch)

    return perform


LIBRARY = Library(OPS, _library)

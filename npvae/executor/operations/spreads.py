"""Densities of real numbers, and of numbers in [0, 1], entry by entry: see `entries`."""

from __future__ import annotations

import math

import numpy as np

from .entries import OPERANDS, density, nothing
from .libraries import Library
from .options import doubles, exact, fast, floats, longs, moved
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


_run_gaussian, _run_laplace = density(_inverse, _gaussian), density(_inverse, _laplace)
_run_student = density(_inverse, _student)
_run_continuous_bernoulli = density(nothing, _continuous_bernoulli)


def _gaussian_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources >= 0:
            _run_gaussian(operands, ZERO, ZERO, lo, hi, thread, scratch)

    return perform


def _laplace_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources >= 0:
            _run_laplace(operands, ZERO, ZERO, lo, hi, thread, scratch)

    return perform


def _student_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources >= 0:
            c = doubles(constants, 2)
            _run_student(operands, f32(c[0]), f32(c[1]), lo, hi, thread, scratch)

    return perform


def _continuous_bernoulli_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources >= 0:
            _run_continuous_bernoulli(operands, ZERO, ZERO, lo, hi, thread, scratch)

    return perform


def _bounds_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p, c = longs(operands, 4), doubles(constants, 2)
        low, high = f32(c[0]), f32(c[1])
        if code == 0:
            _bounded(p[0], p[1], lo, hi, p[2], low, high)
        else:
            _bounded_backward(p[0], p[1], p[2], lo, hi, p[3], low, high)

    return perform


_BOUNDS = {"bounded": ("raw", "out", "n"), "bounded_backward": ("d", "raw", "out", "n")}

LIBRARIES = (
    Library({"gaussian_scaled": OPERANDS}, _gaussian_library),
    Library({"laplace": OPERANDS}, _laplace_library),
    Library({"student_t": OPERANDS}, _student_library),
    Library({"continuous_bernoulli": OPERANDS}, _continuous_bernoulli_library),
    Library(_BOUNDS, _bounds_library),
)
"""One for each density, since a model has one of them."""

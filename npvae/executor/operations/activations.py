"""Activations with their bias, and their slopes."""

from __future__ import annotations

import math

import numpy as np

from .libraries import Library
from .options import choice, doubles, exact, fast, floats, longs, moved
from .scalars import HALF, ONE, ZERO, exp_negative, expm1, sigmoid, softplus, tanh

f32 = np.float32
_ROOT_HALF, _LOG_2PI = f32(math.sqrt(0.5)), f32(math.log(2 * math.pi))

# The functions f(s) and their slopes, given what `layers.activation` keeps: h, or s for the last
# two. `c` is the constant of those that have one.


@exact
def _identity(s, c):
    return s


@exact
def _identity_slope(h, c):
    return ONE


@exact
def _relu(s, c):
    return ZERO if s <= ZERO else s  # in this order NaN passes through


@exact
def _relu_slope(h, c):
    return ONE if h > ZERO else ZERO


@exact
def _leaky(s, c):
    return s if s > ZERO else c * s


@exact
def _leaky_slope(h, c):
    return ONE if h > ZERO else c


@exact
def _tanh(s, c):
    return tanh(s)


@exact
def _tanh_slope(h, c):
    return (ONE - h) * (ONE + h)


@exact
def _sigmoid(s, c):
    return sigmoid(s)


@exact
def _sigmoid_slope(h, c):
    return h * (ONE - h)


@exact
def _softplus(s, c):
    return softplus(s)


@exact
def _softplus_slope(h, c):
    return -expm1(-h)


@exact
def _elu(s, c):
    return s if s > ZERO else c * expm1(min(s, ZERO))


@exact
def _elu_slope(h, c):
    return ONE if h > ZERO else h + c


@exact
def _normal_cdf(s):
    return HALF * f32(math.erfc(-s * _ROOT_HALF))


@exact
def _gelu(s, c):
    return s * _normal_cdf(s)


@exact
def _gelu_slope(s, c):
    return _normal_cdf(s) + s * exp_negative(-HALF * (s * s + _LOG_2PI))


@exact
def _silu(s, c):
    return s * sigmoid(s)


@exact
def _silu_slope(s, c):
    g = sigmoid(s)
    return g + s * g * (ONE - g)


def _forward(function):
    """h = f(a + b), for rows lo to hi of a (F, n); s = a + b is kept where `s` is an address."""

    @fast
    def run(a, b, h, s, lo, hi, n, c):
        bias = floats(b, hi)
        for i in range(lo, hi):
            out, shift = moved(a + 4 * i * n, h + 4 * i * n, n), bias[i]
            for j in range(n):
                out[j] += shift
            if s != 0:
                moved(h + 4 * i * n, s + 4 * i * n, n)
            for j in range(n):
                out[j] = function(out[j], c)

    return run


def _backward(slope):
    """da = dh f', db = Σ da along each row; in place where da is dh's address."""

    @fast
    def run(dh, kept, da, db, lo, hi, n, c):
        sums = floats(db, hi)
        for i in range(lo, hi):
            d, known = moved(dh + 4 * i * n, da + 4 * i * n, n), floats(kept + 4 * i * n, n)
            total = ZERO
            for j in range(n):
                value = d[j] * slope(known[j], c)
                d[j] = value
                total += value
            sums[i] = total

    return run


KINDS = (
    "identity", "relu", "tanh", "leaky_relu", "sigmoid", "softplus", "elu", "gelu", "silu",
)  # fmt: skip
"""The order in which `activate` and `activate_backward` count them."""
IN_LOOP = 3
"""How many of them, which most networks have, are compiled with the executor's loop."""

_f0, _b0 = _forward(_identity), _backward(_identity_slope)
_f1, _b1 = _forward(_relu), _backward(_relu_slope)
_f2, _b2 = _forward(_tanh), _backward(_tanh_slope)
_f3, _b3 = _forward(_leaky), _backward(_leaky_slope)
_f4, _b4 = _forward(_sigmoid), _backward(_sigmoid_slope)
_f5, _b5 = _forward(_softplus), _backward(_softplus_slope)
_f6, _b6 = _forward(_elu), _backward(_elu_slope)
_f7, _b7 = _forward(_gelu), _backward(_gelu_slope)
_f8, _b8 = _forward(_silu), _backward(_silu_slope)


@choice
def activate(kind, a, b, h, s, lo, hi, n, c):
    if kind == 0:
        _f0(a, b, h, s, lo, hi, n, c)
    elif kind == 1:
        _f1(a, b, h, s, lo, hi, n, c)
    else:
        _f2(a, b, h, s, lo, hi, n, c)


@choice
def activate_backward(kind, dh, kept, da, db, lo, hi, n, c):
    if kind == 0:
        _b0(dh, kept, da, db, lo, hi, n, c)
    elif kind == 1:
        _b1(dh, kept, da, db, lo, hi, n, c)
    else:
        _b2(dh, kept, da, db, lo, hi, n, c)


@choice
def _activate(kind, a, b, h, s, lo, hi, n, c):
    if kind == 3:
        _f3(a, b, h, s, lo, hi, n, c)
    elif kind == 4:
        _f4(a, b, h, s, lo, hi, n, c)
    elif kind == 5:
        _f5(a, b, h, s, lo, hi, n, c)
    elif kind == 6:
        _f6(a, b, h, s, lo, hi, n, c)
    elif kind == 7:
        _f7(a, b, h, s, lo, hi, n, c)
    else:
        _f8(a, b, h, s, lo, hi, n, c)


@choice
def _activate_backward(kind, dh, kept, da, db, lo, hi, n, c):
    if kind == 3:
        _b3(dh, kept, da, db, lo, hi, n, c)
    elif kind == 4:
        _b4(dh, kept, da, db, lo, hi, n, c)
    elif kind == 5:
        _b5(dh, kept, da, db, lo, hi, n, c)
    elif kind == 6:
        _b6(dh, kept, da, db, lo, hi, n, c)
    elif kind == 7:
        _b7(dh, kept, da, db, lo, hi, n, c)
    else:
        _b8(dh, kept, da, db, lo, hi, n, c)


def _library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p, c = longs(operands, 6), f32(doubles(constants, 1)[0])
        if code == 0:
            _activate(p[0], p[1], p[2], p[3], p[4], lo, hi, p[5], c)
        else:
            _activate_backward(p[0], p[1], p[2], p[3], p[4], lo, hi, p[5], c)

    return perform


LIBRARY = Library(
    {
        "activate_apart": ("kind", "a", "b", "h", "s", "n"),
        "activate_backward_apart": ("kind", "dh", "kept", "da", "db", "n"),
    },
    _library,
)

"""Activations with their bias, and their slopes."""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, exact, fast, floats, moved
from .scalars import HALF, ONE, ZERO, exp_negative, expm1, sigmoid, softplus, tanh

f32 = np.float32
_NEAR = 256
"""So many channels are summed up together: at each place they lie side by side."""
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
def normal_cdf(s):
    return HALF * f32(math.erfc(-s * _ROOT_HALF))


@exact
def _gelu(s, c):
    return s * normal_cdf(s)


@exact
def _gelu_slope(s, c):
    return normal_cdf(s) + s * exp_negative(-HALF * (s * s + _LOG_2PI))


@exact
def _silu(s, c):
    return s * sigmoid(s)


@exact
def _silu_slope(s, c):
    g = sigmoid(s)
    return g + s * g * (ONE - g)


def _both(kind, function, slope, cost, keeps_s=False):
    """The operations ``bias_<kind>``, h = f(a + b), and ``bias_<kind>_backward``.

    a (F, n), b (F,); s = a + b is kept as well if `keeps_s`. Backward: da = dh f', db = Σ da along
    each row. Of an image F are the channels of each of so many `places`; forward, lo and hi then
    count the channels of all places, backward those of one.

    Else sum and function are one loop: of a loop that gives some numbers back as it found them, as
    ReLU alone would, LLVM makes stores of the others, which on AVX2 take four times as long. With
    n = 1, one row of data, the loop is over the features.
    """

    @operation(
        f"bias_{kind}", reads=dict(a="NF", b="F"), writes=dict(h="NF", s="NF"), over=dict(h="a"),
        constants=dict(c=0.0), cost=cost,
    )  # fmt: skip
    @fast
    def forward(a, b, h, s, lo, hi, n, n_features, c):
        bias, constant = floats(b, n_features), f32(c)
        if n == 1 and hi <= n_features and not keeps_s:
            out = moved(a + 4 * lo, h + 4 * lo, hi - lo)
            for j in range(hi - lo):
                out[j] = function(out[j] + bias[lo + j], constant)
            return
        for i in range(lo, hi):
            out, shift = moved(a + 4 * i * n, h + 4 * i * n, n), bias[i % n_features]
            if keeps_s:
                for j in range(n):
                    out[j] += shift
                moved(h + 4 * i * n, s + 4 * i * n, n)
                for j in range(n):
                    out[j] = function(out[j], constant)
            else:
                for j in range(n):
                    out[j] = function(out[j] + shift, constant)

    @operation(
        f"bias_{kind}_backward", reads=dict(dh="NF", kept="NF"), writes=dict(da="NF", db="F"),
        over=dict(da="dh"), constants=dict(c=0.0), cost=cost,
    )  # fmt: skip
    @fast
    def backward(dh, kept, da, db, lo, hi, n, n_features, places, c, scratch):
        sums, constant = floats(db, hi), f32(c)
        source = dh if kept == 0 else kept  # the identity keeps nothing
        wide = doubles(scratch, _NEAR)
        for first in range(lo, hi, _NEAR):
            last = min(hi, first + _NEAR)
            for place in range(max(1, places)):
                for i in range(first, last):
                    at = 4 * n * (place * n_features + i)
                    d, known = moved(dh + at, da + at, n), floats(source + at, n)
                    total = ZERO
                    for j in range(n):
                        value = d[j] * slope(known[j], constant)
                        d[j] = value
                        total += value
                    wide[i - first] = total if place == 0 else wide[i - first] + total
            for i in range(first, last):
                sums[i] = f32(wide[i - first])

    return forward, backward


bias_identity, bias_identity_backward = _both("identity", _identity, _identity_slope, 0.08)
bias_relu, bias_relu_backward = _both("relu", _relu, _relu_slope, 0.08)
bias_tanh, bias_tanh_backward = _both("tanh", _tanh, _tanh_slope, 0.4)
bias_leaky_relu, bias_leaky_relu_backward = _both("leaky_relu", _leaky, _leaky_slope, 0.08)
bias_sigmoid, bias_sigmoid_backward = _both("sigmoid", _sigmoid, _sigmoid_slope, 0.3)
bias_softplus, bias_softplus_backward = _both("softplus", _softplus, _softplus_slope, 0.4)
bias_elu, bias_elu_backward = _both("elu", _elu, _elu_slope, 0.3)
bias_gelu, bias_gelu_backward = _both("gelu", _gelu, _gelu_slope, 5.0, keeps_s=True)
bias_silu, bias_silu_backward = _both("silu", _silu, _silu_slope, 0.3, keeps_s=True)

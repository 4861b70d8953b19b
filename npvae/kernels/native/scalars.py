"""exp, log1p, tanh and their relatives for float32, in forms that a compiler can vectorise.

Numba calls the C library for these, one number at a time, unless Intel's SVML is there. Here they
are polynomials without branches. Their errors in units in the last place, as
tests/kernels/test_native_scalars.py bounds them over the whole range: exp 1.5, expm1 2, log1p_01 2,
sigmoid 2.5, softplus 3, tanh 3. Results that would be denormal are 0, and so is exp below 1.7e-38.

Derivation of exp: with q = round(x / log 2) and t = x - q log 2, |t| <= ½ log 2,
exp(x) = 2^q exp(t); 2^q is put together from its bits, and exp(t) - 1 = t + t² Q(t), with Q fitted
to the least largest error. log 2 is taken in two parts, the first with so few bits that q times it
is exact (Cody & Waite 1980).
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .options import exact

f32 = np.float32
ONE, ZERO, HALF, TWO = f32(1), f32(0), f32(0.5), f32(2)
LOG2_E, LOG2_HIGH, LOG2_LOW = f32(1.44269504), f32(0.693359375), f32(-2.12194440e-4)
LOWEST, HIGHEST = f32(-87.33654), f32(88.722839)
"""Below the one exp(x) is denormal, above the other infinite."""
INFINITY = f32(np.inf)

Q0, Q1, Q2 = f32(0.5), f32(0.1666666716337204), f32(0.041666269302368164)
Q3, Q4, Q5 = f32(0.008333265781402588), f32(0.0013946084072813392), f32(0.00019917696772608906)

L0, L1, L2 = f32(1.0), f32(-0.49999913573265076), f32(0.333302766084671)
L3, L4, L5 = f32(-0.2495734691619873), f32(0.19692455232143402), f32(-0.15353277325630188)
L6, L7, L8 = f32(0.10684537142515182), f32(-0.05775914341211319), f32(0.02027777023613453)
L9 = f32(-0.0033387308940291405)


@intrinsic
def _from_bits(context, bits):
    """The float32 with these 32 bits."""

    def generate(_, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@exact
def _power_of_two(q):
    return _from_bits((np.int32(q) + np.int32(127)) << np.int32(23))


@exact
def _reduced(x):
    """exp(x) = s (1 + p): the pair p, s = 2^q, for x between LOWEST and HIGHEST."""
    q = np.floor(x * LOG2_E + HALF)
    t = x - q * LOG2_HIGH - q * LOG2_LOW
    p = ((((Q5 * t + Q4) * t + Q3) * t + Q2) * t + Q1) * t + Q0
    return p * t * t + t, q


@exact
def exp_negative(x):
    """exp(x) for x <= 0."""
    p, q = _reduced(max(x, LOWEST))
    s = _power_of_two(q)
    e = s + s * p
    e = ZERO if x < LOWEST else e
    return x if x != x else e


@exact
def exp(x):
    """exp(x); in two factors, since 2^128 is no float32 but half of it twice is."""
    bounded = min(max(x, LOWEST), HIGHEST)
    p, q = _reduced(bounded)
    s = _power_of_two(q - ONE)
    e = (s + s * p) * TWO
    e = ZERO if x < LOWEST else e
    e = INFINITY if x > HIGHEST else e
    return x if x != x else e


@exact
def expm1(x):
    """exp(x) - 1 = s p + (s - 1): near 0, where s = 1, that is p, which keeps its digits."""
    bounded = min(max(x, f32(-20)), HIGHEST)
    p, q = _reduced(bounded)
    s = _power_of_two(q - ONE)
    e = (s * p + (s - HALF)) * TWO
    e = INFINITY if x > HIGHEST else e
    return x if x != x else e


@exact
def log1p_01(x):
    """log(1 + x) for x in [0, 1], as x times a polynomial."""
    p = L9 * x + L8
    p = ((p * x + L7) * x + L6) * x + L5
    p = ((p * x + L4) * x + L3) * x + L2
    return x * ((p * x + L1) * x + L0)


@exact
def sigmoid(x):
    e = exp_negative(-abs(x))
    return (ONE if x >= ZERO else e) / (ONE + e)


@exact
def softplus(x):
    """max(x, 0) + log1p(exp(-|x|)); the comparison lets NaN through."""
    return (ZERO if x < ZERO else x) + log1p_01(exp_negative(-abs(x)))


@exact
def tanh(x):
    """(1 - e) / (1 + e), e = exp(-2|x|), by way of expm1, and with x's sign."""
    m = expm1(-TWO * abs(x))
    t = -m / (TWO + m)
    return -t if x < ZERO else t


@exact
def soft_minimum(x, bound):
    """-log(exp(-x) + exp(-bound)); see `numerics.soft_minimum`."""
    return (x if not x >= bound else bound) - log1p_01(exp_negative(-abs(x - bound)))


@exact
def soft_maximum(x, bound):
    return -soft_minimum(-x, -bound)

"""exp, log1p, tanh and their relatives for float32, in forms that a compiler can vectorise.

Numba calls the C library for these, one number at a time, unless Intel's SVML is there. Here they
are polynomials without branches. Their errors in units in the last place, as
tests/kernels/test_native_scalars.py bounds them over the whole range: exp 1.5, expm1 2, log1p_01 2,
sigmoid 2.5, softplus 3, tanh 3, log 1.5, log1p 2.5, exp_gap 16. Results that would be denormal are
0, and so is exp below 1.7e-38.

Derivation of exp: with q = round(x / log 2) and t = x - q log 2, |t| <= ½ log 2,
exp(x) = 2^q exp(t); 2^q is put together from its bits, and exp(t) - 1 = t + t² Q(t), with Q fitted
to the least largest error. log 2 is taken in two parts, the first with so few bits that q times it
is exact (Cody & Waite 1980).
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from .options import FLOAT, exact, instruction

f32 = np.float32
ONE, ZERO, HALF, TWO = f32(1), f32(0), f32(0.5), f32(2)
LOG2_E, LOG2_HIGH, LOG2_LOW = f32(1.44269504), f32(0.693359375), f32(-2.12194440e-4)
LOWEST, HIGHEST = f32(-87.33654), f32(88.722839)
"""Below the one exp(x) is denormal, above the other infinite."""
INFINITY, NAN = f32(np.inf), f32(np.nan)

Q0, Q1, Q2 = f32(0.5), f32(0.1666666716337204), f32(0.041666269302368164)
Q3, Q4, Q5 = f32(0.008333265781402588), f32(0.0013946084072813392), f32(0.00019917696772608906)

L0, L1, L2 = f32(1.0), f32(-0.49999913573265076), f32(0.333302766084671)
L3, L4, L5 = f32(-0.2495734691619873), f32(0.19692455232143402), f32(-0.15353277325630188)
L6, L7, L8 = f32(0.10684537142515182), f32(-0.05775914341211319), f32(0.02027777023613453)
L9 = f32(-0.0033387308940291405)


@instruction("float32(int32)")
def _from_bits(builder, bits):
    """The float32 with these 32 bits."""
    return builder.bitcast(bits, FLOAT)


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


# For densities of counts and rates: log, log1p, and the gaps between a function and its tangent or
# its asymptote (`numerics` has what they are for).

C0, C1, C2 = f32(0.33333331174), f32(-0.24999993993), f32(0.20000714765)
C3, C4, C5 = f32(-0.16668057665), f32(0.14249322787), f32(-0.12420140846)
C6, C7, C8 = f32(0.11676998740), f32(-0.11514610310), f32(0.070376836292)
"""(log(1 + f) - f + f²/2) / f³ between √½ - 1 and √2 - 1 (Cephes)."""

TINY, TWO_TO_23 = np.finfo(np.float32).tiny, f32(2**23)
_ROOT_HALF, _ONE, _MANTISSA = 0x3F3504F3, 0x3F800000, 0x7FFFFF


@instruction("UniTuple(float32, 2)(float32)")
def _split(builder, x):
    """The pair m, k with x = 2^k m and √½ <= m < √2, for a normal x above 0."""
    integer = ir.IntType(32)

    def number(n):
        return ir.Constant(integer, n)

    bits = builder.bitcast(x, integer)
    moved = builder.add(bits, number(_ONE - _ROOT_HALF))
    k = builder.sub(builder.ashr(moved, number(23)), number(127))
    m = builder.add(builder.and_(moved, number(_MANTISSA)), number(_ROOT_HALF))
    return builder.bitcast(m, FLOAT), builder.sitofp(k, FLOAT)


@exact
def log(x):
    """log(x) = k log 2 + log(m); denormal numbers are made normal first."""
    small = x < TINY
    m, k = _split(x * TWO_TO_23 if small else x)
    k = k - f32(23) if small else k
    f = m - ONE
    p = ((C8 * f + C7) * f + C6) * f + C5
    p = ((p * f + C4) * f + C3) * f + C2
    p = ((p * f + C1) * f + C0) * f * f * f
    y = f + (p + k * LOG2_LOW - HALF * f * f) + k * LOG2_HIGH
    y = NAN if x < ZERO else y
    y = -INFINITY if x == ZERO else y
    return y if x < INFINITY else x


@exact
def log1p(x):
    """log(1 + x) as log(u) + (x - (u - 1)) / u: what rounding lost of u = 1 + x is added again."""
    u = ONE + x
    y = log(u) + (x - (u - ONE)) / u
    return y if u > ZERO and u < INFINITY else log(u)


@exact
def gap(x, above):
    """exp(x) - 1 - x where exp(x) - 1 is known to be `above`.

    Near 0, where the difference cancels, it is taken by the polynomial of exp alone.
    """
    near = abs(x) < f32(0.34)
    t = x if near else ZERO
    p = ((((Q5 * t + Q4) * t + Q3) * t + Q2) * t + Q1) * t + Q0
    return p * t * t if near else above - x


@exact
def exp_gap(x):
    """exp(x) - 1 - x."""
    return gap(x, expm1(x))


# y δ(y) and y ρ(y) as polynomials in 1/y, for y from 1 on: there they have relative errors of 1e-8
S0, S1, S2 = f32(0.083333336), f32(-9.620419e-08), f32(-0.0027751639)
S3, S4, S5 = f32(-2.7005515e-05), f32(0.000928753), f32(-0.0003454945)
S6, S7, S8 = f32(-0.00023254071), f32(0.0002441835), f32(-6.450325e-05)

D0, D1, D2 = f32(0.5), f32(0.083333515), f32(-6.4571805e-06)
D3, D4, D5 = f32(-0.008245243), f32(-0.00060965604), f32(0.0063657225)
D6, D7, D8 = f32(-0.0054795505), f32(0.0022377616), f32(-0.0003804275)


@exact
def stirling_error(y):
    """`numerics.stirling_error`; below 1 from y + 1, by Γ(y + 1) = y Γ(y)."""
    below = y < ONE
    s = ONE / (y + ONE if below else y)
    p = ((S8 * s + S7) * s + S6) * s + S5
    p = ((p * s + S4) * s + S3) * s + S2
    p = ((p * s + S1) * s + S0) * s
    low = y if below else ONE
    return p + ((low + HALF) * log1p(ONE / low) - ONE if below else ZERO)


@exact
def digamma_gap(y):
    """`numerics.digamma_gap`, log y - ψ(y), in the same way."""
    below = y < ONE
    s = ONE / (y + ONE if below else y)
    p = ((D8 * s + D7) * s + D6) * s + D5
    p = ((p * s + D4) * s + D3) * s + D2
    p = ((p * s + D1) * s + D0) * s
    inverse = ONE / (y if below else ONE)
    return p + (inverse - log1p(inverse) if below else ZERO)

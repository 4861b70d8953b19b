"""The executor's exp, log1p, tanh and their relatives against float64, over all of float32."""

from __future__ import annotations

import functools

import numba
import numpy as np
import pytest
from scipy import special

from npvae.core import numerics
from npvae.executor.operations import activations, options, scalars

f32 = np.float32
TINY = np.finfo(f32).tiny


def exp_gap(x):
    """exp(x) - 1 - x, near 0 by its series."""
    near = np.abs(x) < 1e-3
    t = np.where(near, x, 0)
    return np.where(near, t * t / 2 * (1 + t / 3 * (1 + t / 4)), np.expm1(x) - x)


STATED = {
    "exp": (scalars.exp, np.exp, 1.5),
    "exp_negative": (scalars.exp_negative, np.exp, 1.5),
    "expm1": (scalars.expm1, np.expm1, 2),
    "log1p_01": (scalars.log1p_01, np.log1p, 2),
    "sigmoid": (scalars.sigmoid, special.expit, 2.5),
    "softplus": (scalars.softplus, lambda x: np.logaddexp(0, x), 3),
    "tanh": (scalars.tanh, np.tanh, 3),
    "log": (scalars.log, np.log, 1.5),
    "log1p": (scalars.log1p, np.log1p, 2.5),
    "exp_gap": (scalars.exp_gap, exp_gap, 16),
}
"""The function, the truth, and the bound that the module's docstring states."""

DOMAINS = {
    "exp_negative": (-np.inf, 0), "log1p_01": (0, 1), "log": (0, np.inf), "log1p": (-1, np.inf),
    "exp_gap": (-np.inf, 3.4e38),
}  # fmt: skip

SPECIAL = np.array(
    [
        0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, TINY, -TINY, 1e-20, -1e-20, 6e-8, -6e-8, 0.5, 1,
        -1, 0.34657, 0.34658, -17.32868, 17.4, -20, 20, 88.7, 88.72283, 88.72284, 89, -86.98, -87,
        -87.33654, -87.33655, -87.4, -103, -103.9, -104, 1e4, -1e4, 3.4e38, -3.4e38,
        np.inf, -np.inf,
    ],
    f32,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _overflow_is_expected():
    with np.errstate(all="ignore"):
        yield


@functools.cache
def over(function):
    """The function on an array, in a loop that the compiler vectorises, as the operations are."""

    @options.fast
    def run(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    def call(x):
        out = np.empty_like(x)
        run(x, out)
        return out

    return call


def everywhere():
    """Every 4099th float32, and what lies next to where the functions change their ways."""
    spread = np.arange(0, 2**32, 4099, dtype=np.uint32).view(f32)
    edges = np.concatenate([SPECIAL, np.log(2) * (np.arange(-130, 130) + 0.5)]).astype(f32)
    near = (edges.view(np.int32)[:, None] + np.arange(-30, 31, dtype=np.int32)).view(f32).ravel()
    found = np.concatenate([spread, near])
    return np.concatenate([found[np.isfinite(found)], SPECIAL])


@pytest.mark.parametrize("name", STATED)
def test_errors_are_within_the_stated_bounds(name):
    function, truth, bound = STATED[name]
    low, high = DOMAINS.get(name, (-np.inf, np.inf))
    x = everywhere()
    x = x[(x >= low) & (x <= high)]
    got, want = over(function)(x).astype(float), truth(x.astype(float))
    rounded = want.astype(f32)
    place = np.spacing(np.maximum(np.abs(rounded), TINY)).astype(float)
    error = np.where(
        np.isinf(rounded), np.where(got == rounded, 0, np.inf), np.abs(got - want) / place
    )
    flushed = (got == 0) & (np.abs(want) < (1.7e-38 if name == "exp" else TINY))
    error[flushed] = 0
    worst = np.argmax(error)
    assert error[worst] <= bound, f"{name}({x[worst]!r}) is off by {error[worst]:.3g} ulp"


def test_the_bounds_are_those_of_the_docstring():
    text = " ".join(scalars.__doc__.split())
    for name, (_, _, bound) in STATED.items():
        assert name == "exp_negative" or f"{name} {bound}" in text


@pytest.mark.parametrize("name", STATED)
def test_nan_stays_nan(name):
    assert np.isnan(over(STATED[name][0])(np.full(37, np.nan, f32))).all()


@pytest.mark.parametrize("name", ["expm1", "log1p_01", "tanh"])
def test_small_numbers_keep_their_digits(name):
    """Where f(x) is x but for terms below its rounding."""
    x = np.array([1e-30, 1e-10, 1e-8], f32)
    np.testing.assert_array_equal(over(STATED[name][0])(x), x)
    if name != "log1p_01":
        np.testing.assert_array_equal(over(STATED[name][0])(-x), -x)


def test_limits_are_exact():
    x = np.array([-np.inf, -3e38, -1e4, 1e4, 3e38, np.inf], f32)
    for name, wanted in (
        ("exp", [0, 0, 0, np.inf, np.inf, np.inf]),
        ("expm1", [-1, -1, -1, np.inf, np.inf, np.inf]),
        ("sigmoid", [0, 0, 0, 1, 1, 1]),
        ("softplus", [0, 0, 0, 1e4, f32(3e38), np.inf]),
        ("tanh", [-1, -1, -1, 1, 1, 1]),
    ):
        np.testing.assert_array_equal(over(STATED[name][0])(x), wanted, name)
    at_0 = np.array([0.0, -0.0], f32)
    for name, value in (("exp", 1), ("expm1", 0), ("sigmoid", 0.5), ("tanh", 0), ("log1p_01", 0)):
        np.testing.assert_array_equal(over(STATED[name][0])(at_0), value, name)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("function", "sign"), [(scalars.soft_minimum, 1), (scalars.soft_maximum, -1)]
)
@pytest.mark.parametrize("bound", [-20.0, 0.5, 20.0])
def test_soft_bounds(function, sign, bound):
    limit = f32(bound)

    @numba.njit
    def bounded(x):
        return function(x, limit)

    x = everywhere()
    got, want = (
        over(bounded)(x).astype(float),
        -sign * np.logaddexp(-sign * x.astype(float), -sign * bound),
    )
    scale = np.maximum(np.maximum(np.abs(want), abs(bound)), 1)
    finite = np.isfinite(x)
    error = np.abs(got - want)[finite] / np.spacing(scale[finite].astype(f32))
    assert error.max() <= 1.5
    ends = over(bounded)(np.array([-np.inf, np.inf, np.nan], f32))
    np.testing.assert_array_equal(
        ends, [-np.inf, bound, np.nan] if sign > 0 else [bound, np.inf, np.nan]
    )


def test_a_bound_is_never_crossed():
    """An encoder's log-variance may be anything, and its exp must stay finite."""
    high, low = f32(20), f32(-20)

    @numba.njit
    def bent(x):
        return scalars.soft_maximum(scalars.soft_minimum(x, high), low)

    logvar = over(bent)(everywhere())
    assert logvar.min() >= -20
    assert logvar.max() <= 20


# Activations at the ends of their range: what comes in may be anything

REFERENCE = {
    "identity": lambda s, c: s,
    "relu": lambda s, c: np.maximum(s, 0),
    "leaky_relu": lambda s, c: np.where(s > 0, s, c * s),
    "tanh": lambda s, c: np.tanh(s),
    "sigmoid": lambda s, c: special.expit(s),
    "softplus": lambda s, c: np.logaddexp(0, s),
    "elu": lambda s, c: np.where(s > 0, s, c * np.expm1(np.minimum(s, 0))),
    "gelu": lambda s, c: s * special.ndtr(s),
    "silu": lambda s, c: s * special.expit(s),
}


@pytest.mark.smoke(3)
@pytest.mark.parametrize("kind", REFERENCE)
def test_activations_over_their_whole_range(kind):
    x, c = everywhere(), f32(0.01)
    x = np.append(x, f32(np.nan))
    h, kept, bias = np.empty_like(x), np.empty_like(x), np.zeros(1, f32)
    run = getattr(activations, f"bias_{kind}")
    run(x.ctypes.data, bias.ctypes.data, h.ctypes.data, kept.ctypes.data, 0, 1, x.size, 1, c)
    wide = x.astype(float)
    want = REFERENCE[kind](wide, float(c))
    same = (h == want.astype(f32)) | (np.isnan(h) & np.isnan(want))
    # Of s Φ(s) far to the left the rounding of s is magnified by s²; and denormal results are 0.
    steep = np.maximum(1, np.minimum(wide * wide, 200)) if kind == "gelu" else 1
    place = np.spacing(np.maximum(np.abs(want), TINY).astype(f32)).astype(float)
    flushed = 1.2e-36 if kind in ("silu", "sigmoid", "softplus") else TINY  # |s| times that of σ
    error = np.where(np.isfinite(want), np.abs(h - want) / (place * steep), np.inf)
    error[same | ((np.abs(want) < flushed) & (np.abs(h) <= np.abs(want)))] = 0
    worst = np.argmax(error)
    assert error[worst] <= 4, (
        f"{kind}({x[worst]!r}) = {h[worst]!r} is off by {error[worst]:.3g} ulp"
    )


@pytest.mark.parametrize("name", ["stirling_error", "digamma_gap"])
def test_gaps_of_the_gamma_function(name):
    """To a few roundings of the sum 1 + f(y) below 1, and of f(y) from there on."""
    truth = getattr(numerics, name)
    y = np.geomspace(1e-30, 1e30, 40_001).astype(f32)
    got, want = over(getattr(scalars, name))(y).astype(float), truth(y.astype(float))
    error = np.abs(got - want) / np.where(y < 1, 2e-7 * (1 + want), 2e-7 * want)
    worst = np.argmax(error)
    assert error[worst] <= 1, f"{name}({y[worst]!r}) is off by {error[worst]:.3g} of its bound"
    assert np.isnan(over(getattr(scalars, name))(np.full(37, np.nan, f32))).all()

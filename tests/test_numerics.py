"""The stable forms against 400-digit arithmetic and SciPy, real and complex."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import numpy as np
import pytest
from scipy import special, stats

from npvae.core import numerics as nm

# 400 digits hold exp(-700) beside a 1.
DIGITS = Context(prec=400)
BOUND = 20
POINTS = [
    0.0, 5e-324, 1e-300, 1e-20, 1e-8, 0.1, 0.5, 1.0, 2.5, 6.0, 19.5, 20.0, 20.5, 36.0, 40.0, 88.0,
    104.0, 300.0, 700.0, 1e4,
]  # fmt: skip
BOTH_SIDES = np.array([-p for p in POINTS[:0:-1]] + POINTS)

POSITIVE = np.concatenate([10.0 ** np.linspace(-10, 10, 401), np.linspace(0.05, 30, 600)])

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


def at_bound(function):
    """A function of x and a bound, as one of x."""
    return lambda x: function(x, float(BOUND))


EXACT = {
    "magnitude": (nm.magnitude, abs),
    "positive_part": (nm.positive_part, lambda x: max(x, Decimal(0))),
    "sigmoid": (nm.sigmoid, lambda x: 1 / (1 + (-x).exp())),
    "softplus": (nm.softplus, lambda x: (1 + x.exp()).ln()),
    "soft_minimum": (
        at_bound(nm.soft_minimum),
        lambda x: -((-x).exp() + Decimal(-BOUND).exp()).ln(),
    ),
    "soft_maximum": (
        at_bound(nm.soft_maximum),
        lambda x: (x.exp() + Decimal(BOUND).exp()).ln(),
    ),
}


def exactly(function, x):
    with localcontext(DIGITS):
        return np.array([float(function(Decimal(float(p)))) for p in x])


@each_dtype
@pytest.mark.parametrize("name", EXACT)
def test_values_to_the_last_places(name, dtype):
    ours, exact = EXACT[name]
    x = BOTH_SIDES.astype(dtype)
    got, want = ours(x), exactly(exact, x)
    assert got.dtype == dtype
    # The absolute term is for results that are denormal, or that hide in the type's last place.
    info = np.finfo(dtype)
    np.testing.assert_allclose(
        got, want, rtol=4 * info.eps, atol=4 * float(info.smallest_subnormal)
    )


@each_dtype
@pytest.mark.parametrize("name", EXACT)
def test_the_ends_of_the_line(name, dtype):
    limits = {
        "magnitude": (np.inf, np.inf),
        "positive_part": (0, np.inf),
        "sigmoid": (0, 1),
        "softplus": (0, np.inf),
        "soft_minimum": (-np.inf, BOUND),
        "soft_maximum": (BOUND, np.inf),
    }
    got = EXACT[name][0](np.array([-np.inf, np.inf, np.nan], dtype))
    np.testing.assert_array_equal(got, [*limits[name], np.nan])


DERIVATIVES = {
    "magnitude": (nm.magnitude, np.sign),
    "positive_part": (nm.positive_part, lambda x: np.heaviside(x, 0)),
    "sigmoid": (nm.sigmoid, lambda x: special.expit(x) * special.expit(-x)),
    "softplus": (nm.softplus, special.expit),
    "soft_minimum": (at_bound(nm.soft_minimum), lambda x: special.expit(BOUND - x)),
    "soft_maximum": (at_bound(nm.soft_maximum), lambda x: special.expit(x - BOUND)),
    "erfc": (nm.erfc, lambda x: -2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "normal_cdf": (nm.normal_cdf, stats.norm.pdf),
}
KINKS = ("magnitude", "positive_part")


@pytest.mark.parametrize("name", DERIVATIVES)
def test_complex_step_is_the_derivative(name):
    """f(x + ih) = f(x) + ih f'(x) for an h that squares to nothing."""
    function, derivative = DERIVATIVES[name]
    x = BOTH_SIDES[BOTH_SIDES != 0] if name in KINKS else BOTH_SIDES
    x = x[np.abs(x) < 26] if name in ("erfc", "normal_cdf") else x
    got = function(x + 1e-100j)
    want = derivative(x)
    # exp(-x²) magnifies the rounding of its argument by x².
    rtol = 1e-14 * (1 + x * x / 8) if name in ("erfc", "normal_cdf") else 1e-14
    error = np.abs(got.imag / 1e-100 - want)
    np.testing.assert_array_less(error, rtol * np.abs(want) + 1e-200)
    np.testing.assert_allclose(got.real, function(x), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", DERIVATIVES)
def test_complex_values_come_back_complex(name):
    for dtype in (np.complex64, np.complex128):
        assert DERIVATIVES[name][0](np.array([-0.5, 0.5], dtype)).dtype == dtype


@each_dtype
def test_erfc(dtype):
    x = np.concatenate([np.linspace(-6, 26, 2001), [-1e4, 1e4, 0.0, 1e-300]]).astype(dtype)
    want = special.erfc(x.astype(np.float64))
    got = nm.erfc(x)
    assert got.dtype == dtype
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    np.testing.assert_array_less(np.abs(got - want), eps * (8 + 2 * x * x) * want + tiny)
    np.testing.assert_array_equal(nm.erfc(np.array([-np.inf, np.inf, np.nan])), [2, 0, np.nan])


def test_erfc_near_zero_is_good_to_1e_15():
    x = np.linspace(-2, 2, 4001)
    np.testing.assert_allclose(nm.erfc(x), special.erfc(x), rtol=2e-15)


@each_dtype
def test_normal_cdf(dtype):
    x = np.concatenate([np.linspace(-37, 9, 2001), [-1e4, 1e4, 0.0, 1e-300]]).astype(dtype)
    want = special.ndtr(x.astype(np.float64))
    got = nm.normal_cdf(x)
    assert got.dtype == dtype
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    np.testing.assert_array_less(np.abs(got - want), eps * (8 + 2 * x * x) * want + tiny)
    np.testing.assert_array_equal(
        nm.normal_cdf(np.array([-np.inf, np.inf, np.nan])), [0, 1, np.nan]
    )


@each_dtype
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_logsumexp(axis, dtype):
    rng = np.random.default_rng(0)
    for shift in (0, 1e4, -1e4):
        x = (rng.normal(0, 30, (4, 3, 5)) + shift).astype(dtype)
        want = special.logsumexp(x.astype(np.float64), axis=axis)
        rtol = 4 * np.finfo(dtype).eps
        np.testing.assert_allclose(nm.logsumexp(x, axis), want, rtol=rtol)
        want -= np.log(x.shape[axis])
        np.testing.assert_allclose(nm.logmeanexp(x, axis), want, rtol=rtol)
        assert nm.logsumexp(x, axis).dtype == nm.logmeanexp(x, axis).dtype == dtype


@pytest.mark.parametrize(
    ("x", "want"),
    [
        ([-np.inf, -np.inf], -np.inf),
        ([-np.inf, 3.0], 3.0),
        ([np.inf, 3.0], np.inf),
        ([np.inf, -np.inf], np.inf),
        ([np.nan, 3.0], np.nan),
        ([np.nan, np.inf], np.nan),
        ([1e300, 1e300], 1e300),
        ([-1e300, 1e-300], 1e-300),
        ([7.5], 7.5),
    ],
)
def test_logsumexp_of_odd_numbers(x, want):
    np.testing.assert_array_equal(nm.logsumexp(np.array(x), 0), want)
    stacked = np.stack([x, np.zeros(len(x))])  # one odd row leaves the others alone
    np.testing.assert_array_equal(nm.logsumexp(stacked, 1), [want, np.log(len(x))])


def test_logsumexp_complex_step_is_the_softmax():
    x = np.array([[-3.0, 800.0, 799.0], [0.0, -300.0, 1e-3]])
    for j in range(3):
        step = np.zeros(3, complex)
        step[j] = 1e-100j
        got = nm.logsumexp(x + step, 1)
        np.testing.assert_allclose(got.imag / 1e-100, special.softmax(x, 1)[:, j], rtol=1e-14)
        np.testing.assert_allclose(nm.logmeanexp(x + step, 1).imag, got.imag, rtol=1e-15)
        np.testing.assert_allclose(got.real, special.logsumexp(x, 1), rtol=1e-14)


def test_wide():
    wides = {np.float16: "f8", np.float32: "f8", np.float64: "f8", np.complex64: "c16"}
    for dtype, want in wides.items():
        assert nm.wide(dtype) == np.dtype(want)


@pytest.mark.parametrize(
    ("shape", "onto"),
    [
        ((3,), (2, 3)),
        ((1,), (2, 3)),
        ((), (2, 3)),
        ((2, 1), (2, 3)),
        ((1, 3), (2, 3)),
        ((1, 1), (4, 2, 3)),
        ((2, 3), (4, 2, 3)),
        ((2, 1, 3), (2, 5, 3)),
        ((2, 3), (2, 3)),
        ((1, 3), (1, 3)),
        ((3,), (0, 3)),
        ((1, 3), (0, 3)),
    ],
)
def test_unbroadcast_is_the_adjoint_of_broadcasting(shape, onto):
    """⟨broadcast(v), d⟩ = ⟨v, unbroadcast(d)⟩ for every v; whole numbers, so exactly."""
    rng = np.random.default_rng(0)
    d = rng.integers(-9, 10, onto).astype(float)
    got = nm.unbroadcast(d, shape)
    assert np.shape(got) == shape
    for _ in range(4):
        v = rng.integers(-9, 10, shape).astype(float)
        assert (np.broadcast_to(v, onto) * d).sum() == (v * got).sum()


@each_dtype
def test_maximum_and_minimum(dtype):
    x = np.array([-np.inf, -2, -0.0, 0, 1, 3, np.inf, np.nan], dtype)
    for bound in (0, 1.0, np.array([1, 0, 1, 0, 1, 0, 1, 0], bool)):
        for ours, numpys in ((nm.maximum, np.maximum), (nm.minimum, np.minimum)):
            got = ours(x, bound)
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, numpys(x, np.asarray(bound, dtype)))
            both = ours(x + 0j, bound)
            np.testing.assert_array_equal(both.real, got)


def test_where_x_meets_the_bound_the_minimum_follows_it_and_the_maximum_does_not():
    """So that their sum is x + bound along the imaginary axis too."""
    x = np.array([-1.0, 2.0, 5.0]) + 1e-100j
    np.testing.assert_array_equal(nm.minimum(x, 2).imag, [1e-100, 1e-100, 0])
    np.testing.assert_array_equal(nm.maximum(x, 2).imag, [0, 0, 1e-100])
    np.testing.assert_array_equal(nm.minimum(x, 2).real, [-1, 2, 2])
    np.testing.assert_array_equal(nm.maximum(x, 2).real, [2, 2, 5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_kept(dtype):
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    where = x.real > 0.2
    for value in (0.5, np.inf, -np.inf, np.nan):
        x[0, 0] = x[2, 4] = value
        for condition in (where, ~where, where & False, where | True):
            with np.errstate(all="raise"):
                got = nm.kept(x, condition)
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, np.where(condition, x, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_all_finite_finds_whatever_hides(dtype):
    info = np.finfo(dtype)
    fill = np.array([0, 1, -info.max, info.max, info.tiny], dtype)
    for shape in ((1, 1), (1, 5), (40, 30)):
        for number in fill:
            x = np.full(shape, number)
            with np.errstate(all="raise"):  # finite, though its squares are not
                assert nm.all_finite(x)
                assert nm.all_finite(x.T)
                assert nm.all_finite(x[:, ::3])
            for value in (np.nan, np.inf, -np.inf):
                odd = x.copy()
                odd[-1, 0] = value
                assert not nm.all_finite(odd)
                assert not nm.all_finite(odd.T)
                odd[-1, -1] = -value  # the sum of the two may be anything
                assert not nm.all_finite(odd)
    assert nm.all_finite(np.zeros((0, 3), dtype))


def test_extremes():
    x = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    for view in (x, x.T, x[::2, ::-3], x[:1, :1]):
        assert nm.extremes(view) == (view.min(), view.max())
    x[2, 3], x[4, 4] = np.nan, np.inf
    assert np.isnan(nm.extremes(x)).all()


def stirling(y):
    """Stirling's approximation of log Γ, of which `stirling_error` is the error."""
    return (y - 0.5) * np.log(y) - y + 0.5 * np.log(2 * np.pi)


@each_dtype
def test_log_gamma_and_digamma(dtype):
    """To some units in the last place of the terms that cancel near the zeros."""
    y = POSITIVE.astype(dtype)
    wide, eps = y.astype(np.float64), np.finfo(dtype).eps
    for ours, scipys in ((nm.log_gamma, special.gammaln), (nm.digamma, special.digamma)):
        got, want = ours(y), scipys(wide)
        assert got.dtype == dtype
        np.testing.assert_array_less(np.abs(got - want), 16 * eps * (1 + np.abs(want)))


@each_dtype
def test_stirling_error_and_digamma_gap(dtype):
    """What remains where the terms of log Γ and ψ are large: no difference of theirs has it."""
    y = np.concatenate([[0.3, 1.0, 7.999, 8.0], 10.0 ** np.linspace(1, 12, 40)]).astype(dtype)
    wide, eps = y.astype(np.float64), np.finfo(dtype).eps
    few = wide < 1e3
    want = 1 / (12 * wide) - 1 / (360 * wide**3)
    want[few] = (special.gammaln(wide) - stirling(wide))[few]
    slack = np.where(few, 4e-16 * wide * np.log(wide + 2), 0)
    error = np.abs(nm.stirling_error(y) - want)
    np.testing.assert_array_less(error, 32 * eps * (want + (wide < 8)) + slack)
    want = 1 / (2 * wide) + 1 / (12 * wide**2) - 1 / (120 * wide**4)
    want[few] = (np.log(wide) - special.digamma(wide))[few]
    error = np.abs(nm.digamma_gap(y) - want)
    np.testing.assert_array_less(error, 32 * eps * (want + (wide < 8)) + 4e-15 * few)


def test_gamma_functions_by_complex_step():
    step = 1e-100j
    got = nm.log_gamma(POSITIVE + step).imag / 1e-100
    want = special.digamma(POSITIVE)
    np.testing.assert_array_less(np.abs(got - want), 1e-14 * (1 + np.abs(want)))
    trigamma = special.polygamma(1, POSITIVE)
    got = nm.digamma(POSITIVE + step).imag / 1e-100
    np.testing.assert_allclose(got, trigamma, rtol=1e-14)
    got = nm.stirling_error(POSITIVE + step).imag / 1e-100
    want = 0.5 / POSITIVE - nm.digamma_gap(POSITIVE)  # ψ - (log y - 1/2y)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
    got = nm.digamma_gap(POSITIVE + step).imag / 1e-100
    np.testing.assert_allclose(got, 1 / POSITIVE - trigamma, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "function", [nm.log_gamma, nm.digamma, nm.stirling_error, nm.digamma_gap, nm.exp_gap,
                 nm.uniform_cgf, nm.uniform_cgf_slope],
)  # fmt: skip
def test_gamma_functions_keep_the_type(function):
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        for values in ([0.5, 9.0], [9.0, 10.0], [0.1, 0.2], []):
            assert function(np.array(values, dtype)).dtype == dtype
    assert np.isnan(function(np.array([np.nan]))).all()


def test_the_cumulants_of_the_uniform():
    """log E[exp(tU)] and its slope, across the place where their series takes over."""
    t = np.concatenate([np.linspace(-2, 2, 401), [1 - 1e-9, 1 + 1e-9, 1e-300, 1e-9, 40, 700, 1e4]])
    t = np.concatenate([t, -t])
    with localcontext(Context(prec=60, Emin=-99999, Emax=99999)):
        exact = [Decimal(float(v)) if v else Decimal("1e-50") for v in t]
        cgf = [float(((d.exp() - 1) / d).ln()) for d in map(_not_tiny, exact)]
        slope = [float(1 / (1 - (-d).exp()) - 1 / d) for d in map(_not_tiny, exact)]
    np.testing.assert_allclose(nm.uniform_cgf(t), cgf, rtol=4e-15, atol=4e-16)
    np.testing.assert_allclose(nm.uniform_cgf_slope(t), slope, rtol=4e-15)
    np.testing.assert_allclose(nm.uniform_cgf(t + 1e-100j).imag / 1e-100, slope, rtol=4e-15)
    assert nm.uniform_cgf(np.zeros(1)) == 0
    assert nm.uniform_cgf_slope(np.zeros(1)) == 0.5


def _not_tiny(d):
    """So that exp(d) - 1 keeps digits: both functions are linear there."""
    return d if abs(d) > Decimal("1e-20") else Decimal("1e-20").copy_sign(d)


def test_exp_gap():
    t = np.array([-700.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 700.0])
    with localcontext(DIGITS):
        want = [float(Decimal(float(v)).exp() - 1 - Decimal(float(v))) for v in t]
    np.testing.assert_allclose(nm.exp_gap(t), want, rtol=1e-12)
    assert (nm.exp_gap(t) >= 0).all()


@pytest.mark.parametrize("weights", [None, "ones"])
def test_sums_of_columns_are_taken_in_float64(weights):
    """In float32 the ones would be lost beside 2²⁴."""
    x = np.array([[2**24, np.nan], [1, 2**24], [1, 1]], np.float32)
    weights = None if weights is None else np.ones(3, np.float32)
    sums, known = nm.known_sums(x, weights)
    assert sums.tolist() == [2**24 + 2, 2**24 + 1]
    assert known.tolist() == [3, 2]
    _, known = nm.known_sums(np.ones((3, 1)), x[:, 0])
    assert known.tolist() == [2**24 + 2]


def test_log_softmax_is_taken_in_float64():
    x = np.array([0, 1e-4, 3], np.float32)
    wanted = x.astype(float) - np.log(np.exp(x.astype(float)).sum())
    np.testing.assert_allclose(nm.log_softmax(x), wanted, rtol=1e-14)

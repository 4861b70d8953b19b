"""Likelihoods against SciPy; every registered one against identities that all densities obey."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from npvae.core import bind, n_parameters, registered
from npvae.core.errors import ConfigError, DataError
from npvae.likelihoods import Bernoulli, Gaussian, GaussianLearntScale
from npvae.models import VAE

N = 40_000
KINKED = {"laplace"}
"""Of log p with a kink the second derivative is a spike, which no sample of x sees."""

library = {n: c for n, c in registered("likelihood").items() if c.__module__.startswith("npvae.")}
each_likelihood = pytest.mark.parametrize("cls", library.values(), ids=library)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def standard_errors(draws, want):
    """How far the mean over axis 0 is from `want`, in its standard errors."""
    spread = draws.std(0, ddof=1) / np.sqrt(len(draws))
    return np.abs(draws.mean(0) - want) / spread


def gradient(likelihood, theta, x, d_log_px=None):
    """dtheta, dx and the flat vector of the likelihood's own gradients; d_log_px is 1 if None."""
    own = np.zeros(n_parameters(likelihood))
    bind(likelihood, own, prefix="d")
    log_px, cache = likelihood.forward(theta, x)
    d_log_px = np.ones_like(log_px) if d_log_px is None else d_log_px
    return *likelihood.backward(cache, d_log_px), own


def score(likelihood, theta, x):
    """∂ log p(x given theta) / ∂ theta."""
    return gradient(likelihood, theta, x)[0]


@pytest.mark.smoke(4)
@each_likelihood
def test_samples_and_density_are_of_one_distribution(cls, rng):
    """Bartlett's identities: E[score] = 0 and E[score²] = -E[∂score/∂theta], x drawn by `sample`;
    and ∫ p(x given theta + step) dx = 1, of which the second is the limit of small steps.

    A sampler with another mean or another scale than the density breaks one of them.
    """
    likelihood, (theta, _) = cls.example(rng)
    theta = np.broadcast_to(theta[0, :1], (N, theta.shape[-1])) / 2
    x = likelihood.sample(theta, rng)
    assert (x.shape[0], x.dtype) == (N, theta.dtype)
    theta = theta[None]
    first = score(likelihood, theta, x)[0]
    assert standard_errors(first, 0).max() < 4.5
    log_px = likelihood.forward(theta, x)[0]
    for step in np.eye(theta.shape[-1]) * 0.25 / first.std(0):
        ratios = [np.exp(likelihood.forward(theta + s, x)[0] - log_px)[0] for s in (step, -step)]
        assert standard_errors(sum(ratios) / 2, 1) < 4.5
    for j, step in enumerate(1e-5 * np.eye(theta.shape[-1])):
        if likelihood.name in KINKED:
            continue
        upper, lower = (score(likelihood, theta + s, x)[0, :, j] for s in (step, -step))
        assert standard_errors(first[:, j] ** 2 + (upper - lower) / 2e-5, 0) < 4.5


@each_likelihood
def test_mean_is_the_mean_of_the_samples(cls, rng):
    likelihood, (theta, x) = cls.example(rng)
    theta = theta[0, :1] / 2
    draws = likelihood.sample(np.repeat(theta, N, axis=0), rng)
    mean = likelihood.mean(theta)
    assert mean.shape == (1, x.shape[1])
    assert standard_errors(draws, mean[0]).max() < 4.5
    likelihood.check(draws)


@each_likelihood
def test_what_is_clearly_supported_is_finite_and_passes_the_check(cls, rng):
    likelihood, _ = cls.example(rng)
    for odd in (0.5, 0.0, 1.0, -1e-9, 1 + 1e-9, 300.0, np.nan, np.inf, -np.inf):
        x = rng.random((3, 4))
        x[1, 2] = odd
        if likelihood.clearly_supports(x):
            assert np.isfinite(x).all()
            likelihood.check(x)


def test_bernoulli_sees_its_support_at_a_glance(rng):
    x = rng.random((3, 4))
    x[0, 0], x[2, 3] = 0, 1
    assert Bernoulli().clearly_supports(x)
    for odd in (-1e-9, 1 + 1e-9, np.nan, np.inf):
        assert not Bernoulli().clearly_supports(np.where(x == x[1, 1], odd, x))


def test_a_rule_of_a_subclass_is_asked():
    class Binary(Bernoulli, abstract=True):
        def check(self, x):
            if not np.isin(x, (0, 1)).all():
                raise DataError("binary data is 0 or 1.")

    model = VAE(4, 2, hidden=(3,), likelihood=Binary())
    model.encode(np.eye(4))
    with pytest.raises(DataError, match="binary data"):
        model.encode(np.full((2, 4), 0.5))


@each_likelihood
def test_samples_are_seeded_and_of_the_decoder_s_type(cls):
    likelihood, (theta, _) = cls.example(np.random.default_rng(0))
    for dtype in (np.float32, np.float64):
        one, same, other = (
            likelihood.sample(theta.astype(dtype), np.random.default_rng(s)) for s in (1, 1, 2)
        )
        rounded = likelihood.name == "transformed"  # decimals such as 3.3 need float64
        assert one.dtype == (np.float64 if rounded else dtype)
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()


@each_likelihood
def test_gradient_is_weighed_by_what_comes_in(cls, rng):
    likelihood, (theta, x) = cls.example(rng)
    d = rng.normal(size=theta.shape[:2])
    dtheta, dx, _ = gradient(likelihood, theta, x, d)
    assert dx is None
    np.testing.assert_allclose(dtheta, d[..., None] * score(likelihood, theta, x), rtol=1e-12)


@each_likelihood
def test_samples_and_rows_do_not_meet(cls, rng):
    """log_px (K, B): each entry is that of its own sample and row alone."""
    likelihood, (theta, x) = cls.example(rng)
    log_px, _ = likelihood.forward(theta, x)
    assert log_px.shape == theta.shape[:2]
    for k, b in np.ndindex(log_px.shape):
        alone, _ = likelihood.forward(theta[k : k + 1, b : b + 1], x[b : b + 1])
        np.testing.assert_allclose(log_px[k, b], alone[0, 0], rtol=1e-14)


@pytest.mark.parametrize("kind", ["binary", "grey"])
def test_bernoulli_log_p(kind, rng):
    logits = rng.normal(0, 5, (3, 6, 8))
    x = rng.random((6, 8)) if kind == "grey" else rng.integers(0, 2, (6, 8)).astype(float)
    p, q = special.expit(logits), special.expit(-logits)
    want = (special.xlogy(x, p) + special.xlogy(1 - x, q)).sum(-1)
    log_px, _ = Bernoulli().forward(logits, x)
    np.testing.assert_allclose(log_px, want, rtol=1e-13)
    np.testing.assert_allclose(score(Bernoulli(), logits, x), x * q - (1 - x) * p, atol=1e-15)
    if kind == "binary":
        np.testing.assert_allclose(log_px, stats.bernoulli.logpmf(x, p).sum(-1), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bernoulli_at_extreme_logits(dtype):
    """Where σ rounds to 0 or 1, log p is -|logit| per surprise and 0 per confirmation."""
    logits = np.array([[[1e4], [1e4], [-1e4], [-1e4], [1e4], [-1e4]]], dtype)
    x = np.array([[1], [0], [0], [1], [0.75], [0.75]], dtype)
    log_px, _ = Bernoulli().forward(logits, x)
    np.testing.assert_allclose(log_px[0], [0, -1e4, 0, -1e4, -2500, -7500], rtol=1e-6)
    np.testing.assert_array_equal(
        score(Bernoulli(), logits, x)[0, :, 0], [0, -1, 0, 1, -0.25, 0.75]
    )
    assert log_px.dtype == np.float64


def test_bernoulli_probabilities_sum_to_one(rng):
    """Over all 2⁴ images of four pixels."""
    images = np.array(list(np.ndindex(2, 2, 2, 2)), float)
    logits = np.broadcast_to(rng.normal(0, 3, 4), (1, 16, 4))
    assert np.exp(Bernoulli().forward(logits, images)[0]).sum() == pytest.approx(1, rel=1e-13)


def test_bernoulli_sample_frequencies(rng):
    """Chi-square of zeros and ones in each pixel, the sum over six pixels."""
    logits = np.array([-3.0, -1.0, 0.0, 0.5, 2.0, 4.0])
    x = Bernoulli().sample(np.broadcast_to(logits, (N, 6)), rng)
    assert set(np.unique(x)) == {0.0, 1.0}
    p = special.expit(logits)
    statistic = ((x.sum(0) - N * p) ** 2 / (N * p * (1 - p))).sum()
    assert stats.chi2.sf(statistic, 6) > 1e-3
    assert stats.chi2.cdf(statistic, 6) > 1e-3
    certain = Bernoulli().sample(np.array([[-1e4, 1e4]]), rng)
    np.testing.assert_array_equal(certain, [[0, 1]])


def test_bernoulli_mean_is_the_sigmoid():
    logits = np.array([-1e4, -2.0, 0.0, 3.0, 1e4])
    np.testing.assert_allclose(Bernoulli().mean(logits), special.expit(logits), rtol=1e-15)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([0.0, 255.0], "got a maximum of 255. Divide by 255, or use Gaussian()."),
        ([0.0, 128.0], "got a maximum of 128. Divide by 255, or use Gaussian()."),
        ([0.0, 100.0], "got a maximum of 100. Divide by the data's maximum, or use Gaussian()."),
        ([0.0, 256.0], "got a maximum of 256. Divide by the data's maximum, or use Gaussian()."),
        ([-0.5, 0.5], "got a minimum of -0.5. Scale the columns, or use Gaussian()."),
        ([-1.0, 255.0], "got a minimum of -1. Scale the columns, or use Gaussian()."),
    ],
)
def test_bernoulli_support(x, message):
    with pytest.raises(DataError) as caught:
        Bernoulli().check(np.array([x]))
    assert str(caught.value) == f"Bernoulli needs data in [0, 1]; {message}"


def test_what_lies_in_the_support_passes():
    assert Bernoulli().check(np.array([[0.0, 0.3, 1.0]])) is None
    assert Gaussian().check(np.array([[-1e9, 1e9]])) is None
    assert Bernoulli.unit_interval
    assert not Gaussian.unit_interval


@pytest.mark.parametrize("n", [1, 10, 60_000])
def test_bernoulli_output_bias_gives_the_mean(n):
    """σ(bias) = (ones + ½) / (n + 1): the mean, with half an example of each kind added."""
    ones = np.array([0, n // 3, n])
    bias = Bernoulli().output_bias(ones / n, n)
    np.testing.assert_allclose(special.expit(bias), (ones + 0.5) / (n + 1), rtol=1e-12)
    assert np.isfinite(bias).all()
    np.testing.assert_allclose(bias[0], -bias[2], rtol=1e-10)


def test_gaussian_output_bias_is_the_mean(rng):
    mean = rng.normal(size=5)
    np.testing.assert_array_equal(Gaussian(3.0).output_bias(mean, 7), mean)
    np.testing.assert_array_equal(Gaussian(3.0).mean(mean), mean)


@pytest.mark.parametrize("scale", [1e-3, 0.7, 1.0, 25.0])
def test_gaussian_log_p(scale, rng):
    mean, x = rng.normal(size=(3, 6, 8)), rng.normal(size=(6, 8))
    log_px, _ = Gaussian(scale).forward(mean, x)
    np.testing.assert_allclose(log_px, stats.norm.logpdf(x, mean, scale).sum(-1), rtol=1e-12)
    np.testing.assert_allclose(score(Gaussian(scale), mean, x), (x - mean) / scale**2, rtol=1e-12)


def test_gaussian_samples(rng):
    mean = np.broadcast_to([-2.0, 0.0, 30.0], (N, 3))
    x = Gaussian(0.7).sample(mean, rng)
    for j in range(3):
        assert stats.kstest(x[:, j], stats.norm(mean[0, j], 0.7).cdf).pvalue > 1e-3
    correlation = np.corrcoef(x.T)[np.triu_indices(3, 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(N)


def learnt(scale):
    likelihood = GaussianLearntScale()
    likelihood.allocate(np.random.default_rng(0))
    likelihood.log_scale[...] = np.log(scale)
    return likelihood


@pytest.mark.parametrize("scale", [1e-3, 0.7, 1.0, 25.0])
def test_learnt_scale_is_the_gaussian_of_that_scale(scale, rng):
    mean, x = rng.normal(size=(3, 6, 8)), rng.normal(size=(6, 8))
    log_px, _ = learnt(scale).forward(mean, x)
    np.testing.assert_allclose(log_px, stats.norm.logpdf(x, mean, scale).sum(-1), rtol=1e-12)
    draws = learnt(scale).sample(np.zeros((N, 2)), rng)
    assert stats.kstest(draws[:, 1], stats.norm(0, scale).cdf).pvalue > 1e-3


def test_learnt_scale_starts_at_one():
    likelihood = GaussianLearntScale()
    likelihood.allocate(np.random.default_rng(0))
    assert likelihood.log_scale.tolist() == [0]


def test_learnt_scale_gradient(rng):
    """Σ d (Σ_D u² - D); it vanishes at the root mean square of x - mean."""
    mean, x = rng.normal(size=(3, 6, 8)), rng.normal(size=(6, 8))
    d = rng.normal(size=(3, 6))
    _, _, own = gradient(learnt(0.7), mean, x, d)
    want = sum(
        d[k, b] * (((x[b, j] - mean[k, b, j]) / 0.7) ** 2 - 1) for k, b, j in np.ndindex(3, 6, 8)
    )
    np.testing.assert_allclose(own, [want], rtol=1e-12)
    best = learnt(np.sqrt(((x - mean) ** 2).mean()))
    assert np.abs(gradient(best, mean, x)[2]).max() < 1e-11


@pytest.mark.parametrize("scale", [0, -1, np.inf, np.nan, "wide", True, None])
def test_gaussian_scale_is_checked(scale):
    with pytest.raises(ConfigError) as caught:
        Gaussian(scale)
    assert str(caught.value) == f"Gaussian's scale is a finite number above 0; got {scale!r}."


@each_likelihood
@pytest.mark.parametrize("missing", [False, True])
def test_log_p_alone_is_that_of_forward(cls, missing):
    """Also where a class has a quicker way, at logits of any size and where entries are missing."""
    likelihood, (theta, x, *_) = cls.example(np.random.default_rng(0))
    theta = theta * np.array([1.0, 1e-8, 30.0]).reshape(-1, 1, 1)[: len(theta)]
    if missing:
        if not likelihood.takes_missing:
            return
        x = x.copy()
        x[0, 0] = np.nan
    with np.errstate(all="ignore"):
        wanted, alone = likelihood.forward(theta, x)[0], likelihood.log_px(theta, x)
    np.testing.assert_allclose(alone, wanted, rtol=1e-12, atol=1e-12)


def test_a_subclass_of_the_bernoulli_keeps_its_own_density():
    class Half(Bernoulli):
        def forward(self, logits, x):
            log_px, r = super().forward(logits, x)
            return 0.5 * log_px, 0.5 * r

    logits, x = np.ones((2, 3, 4)), np.ones((3, 4))
    np.testing.assert_array_equal(Half().log_px(logits, x), Half().forward(logits, x)[0])

"""Samples of every likelihood against its own density, or against SciPy's distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae.core import layout

N = 20_000
CONTINUOUS = {
    "continuous_bernoulli": (nv.ContinuousBernoulli, 6, [-30.0, -3.0, 0.0, 1e-9, 0.4, 80.0]),
    "gaussian": (lambda: nv.Gaussian(0.3), 2, [-5.0, 2.0]),
    "gaussian_learnt_scale": (nv.GaussianLearntScale, 2, [-5.0, 2.0]),
    "gaussian_column_scale": (nv.GaussianColumnScale, 3, [-5.0, 2.0, 0.0]),
    "gaussian_heteroscedastic": (nv.GaussianHeteroscedastic, 2, [-5.0, 2.0, -3.0, 1.5]),
    "laplace": (nv.Laplace, 2, [-5.0, 2.0]),
    "laplace by the decoder": (lambda: nv.Laplace("decoder"), 2, [-5.0, 2.0, -3.0, 1.5]),
    "student_t": (nv.StudentT, 2, [-5.0, 2.0]),
    "student_t by the decoder": (lambda: nv.StudentT(3.0, "decoder"), 2, [0.0, 2.0, -3.0, 1.5]),
    "beta by the decoder": (lambda: nv.Beta("decoder"), 3, [-1.0, 0.0, 2.0, 3.0, 1.0, 6.0]),
}
DISCRETE = {
    "bernoulli": (nv.Bernoulli, 3, [-3.0, 0.0, 1.0]),
    "categorical": (lambda: nv.Categorical((3, 2, 4)), 3, np.linspace(-2, 2, 9)),
    "ordinal": (lambda: nv.Ordinal((3, 2, 4)), 3, [-1.0, 0.5, 2.0]),
    "poisson": (nv.Poisson, 4, [-2.0, 0.0, 2.0, 4.5]),
    "negative_binomial": (nv.NegativeBinomial, 3, [-2.0, 0.5, 2.0]),
    "negative_binomial by the decoder": (
        lambda: nv.NegativeBinomial("decoder"), 3, [-2.0, 0.5, 2.0, 5.0, -0.5, 1.0]
    ),
    "zero_inflated": (nv.ZeroInflatedNegativeBinomial, 2, [0.0, 2.0, 1.0, -1.0]),
    "zero_inflated by the decoder": (
        lambda: nv.ZeroInflatedNegativeBinomial("decoder"), 2, [0.0, 2.0, 1.0, -1.0, -0.5, 3.0]
    ),
}  # fmt: skip
ALL = CONTINUOUS | DISCRETE


def drawn(make, x_dim, theta):
    """The likelihood on random parameters of its own, N draws (N, D), and theta of one row."""
    rng = np.random.default_rng(3)
    likelihood = make()
    likelihood.declare(x_dim)
    own = layout(likelihood.allocate(rng))
    for name in own:
        getattr(likelihood, name)[...] += rng.normal(0.3, 0.5, own[name].shape)
    theta = np.asarray(theta, float)
    assert likelihood.n_outputs(x_dim) == len(theta)
    x = likelihood.sample(np.broadcast_to(theta, (N, len(theta))), rng)
    assert x.shape == (N, x_dim)
    likelihood.check(x)
    return likelihood, x, theta


def entry_log_p(likelihood, theta, x_dim, j, values):
    """log p of column j alone at these values: what moves with it while the others stay."""
    point = np.broadcast_to(likelihood.mode(theta[None]), (len(values), x_dim)).copy()
    point[:, j] = values
    return likelihood.forward(np.broadcast_to(theta, (1, len(values), len(theta))), point)[0][0]


@pytest.mark.parametrize(("make", "x_dim", "theta"), CONTINUOUS.values(), ids=CONTINUOUS)
def test_continuous_samples_have_the_density_s_distribution(make, x_dim, theta):
    """Kolmogorov-Smirnov, the distribution function being the density's integral on a fine grid."""
    likelihood, x, theta = drawn(make, x_dim, theta)
    for j in range(x_dim):
        low, high = x[:, j].min(), x[:, j].max()
        grid = np.quantile(x[:, j], np.linspace(0, 1, 400))
        grid = np.unique(np.concatenate([grid, np.linspace(low, high, 4001)]))
        nodes, weights = np.polynomial.legendre.leggauss(6)
        half = np.diff(grid)[:, None] / 2
        points = (grid[:-1, None] + half * (nodes + 1)).ravel()
        log_p = entry_log_p(likelihood, theta, x_dim, j, points)
        density = np.exp(log_p - log_p.max()).reshape(-1, 6)
        mass = np.concatenate([[0], np.cumsum((density * weights * half).sum(-1))])
        cdf = lambda v, grid=grid, mass=mass: np.interp(v, grid, mass / mass[-1])  # noqa: E731
        assert stats.kstest(x[:, j], cdf).pvalue > 1e-3, f"column {j}"


@pytest.mark.parametrize(("make", "x_dim", "theta"), DISCRETE.values(), ids=DISCRETE)
def test_discrete_samples_have_the_density_s_frequencies(make, x_dim, theta):
    """Chi-square over the values that are expected ten times or more, and the rest together."""
    likelihood, x, theta = drawn(make, x_dim, theta)
    sizes = getattr(likelihood, "classes", None)
    for j in range(x_dim):
        last = 2 if isinstance(likelihood, nv.Bernoulli) else 2000
        values = np.arange(last if sizes is None else sizes[j]).astype(float)
        log_p = entry_log_p(likelihood, theta, x_dim, j, values)
        p = np.exp(log_p - log_p.max())
        p /= p.sum()
        often = N * p >= 10
        counts = np.array([(x[:, j] == v).sum() for v in values[often]])
        observed = np.append(counts, N - counts.sum())
        expected = np.append(N * p[often], N * (1 - p[often].sum()))
        if expected[-1] < 10:
            observed[-2] += observed[-1]
            expected[-2] += expected[-1]
            observed, expected = observed[:-1], expected[:-1]
        statistic = ((observed - expected) ** 2 / expected).sum()
        assert stats.chi2.sf(statistic, len(observed) - 1) > 1e-3, f"column {j}"


@pytest.mark.parametrize(("make", "x_dim", "theta"), ALL.values(), ids=ALL)
def test_the_mode_is_where_log_p_is_greatest(make, x_dim, theta):
    """Of all draws none has a higher log p than the mode, which lies in the support."""
    likelihood, x, theta = drawn(make, x_dim, theta)
    mode = likelihood.mode(theta[None])
    assert mode.shape == (1, x_dim)
    likelihood.check(mode)
    rows = np.broadcast_to(theta, (1, len(x) + 1, len(theta)))
    log_p = likelihood.forward(rows, np.vstack([x, mode]))[0][0]
    assert log_p[:-1].max() <= log_p[-1] + 1e-12


@pytest.mark.parametrize(("logit", "log_whole"), [(0.0, 0.0), (-1.0, 0.3), (1.0, 0.0)])
def test_beta_samples_of_densities_that_rise_at_the_edges(logit, log_whole):
    theta = np.broadcast_to([logit, log_whole], (N, 2))
    x = nv.Beta("decoder").sample(theta, np.random.default_rng(0))[:, 0]
    whole, m = np.exp(log_whole), 1 / (1 + np.exp(-logit))
    assert stats.kstest(x, stats.beta(whole * m, whole * (1 - m)).cdf).pvalue > 1e-3


def test_the_mode_of_a_beta():
    likelihood = nv.Beta("decoder")
    logits, log_whole = np.array([0.0, 1.0, -2.0, 2.0]), np.array([2.0, 4.0, 0.0, 0.0])
    mode = likelihood.mode(np.concatenate([logits, log_whole])[None])[0]
    grid = np.linspace(0.001, 0.999, 999)
    for j in (0, 1):
        a = np.exp(log_whole[j]) / (1 + np.exp(-logits[j]))
        log_p = stats.beta.logpdf(grid, a, np.exp(log_whole[j]) - a)
        assert abs(grid[log_p.argmax()] - mode[j]) < 1e-3
    assert mode[2:].tolist() == [0, 1]


def test_one_hot_samples_are_the_categorical_s():
    theta = np.linspace(-2, 2, 5)
    rows = np.broadcast_to(theta, (N, 5))
    x = nv.OneHot((3, 2)).sample(rows, np.random.default_rng(0))
    labels = nv.Categorical((3, 2)).sample(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(x[:, :3].argmax(1), labels[:, 0])
    np.testing.assert_array_equal(x[:, 3:].argmax(1), labels[:, 1])
    np.testing.assert_array_equal(nv.OneHot((3, 2)).mode(theta[None]), [[0, 0, 1, 0, 1]])


def test_rates_beyond_the_sampler_are_cut_and_samples_stay_in_the_support():
    rng = np.random.default_rng(0)
    assert np.isfinite(nv.Poisson().sample(np.array([[700.0]]), rng)).all()
    for dtype in (np.float32, np.float64):
        for logit in (-30.0, 30.0):
            theta = np.array([[logit, 0.0]] * 50, dtype)
            nv.Beta("decoder").check(nv.Beta("decoder").sample(theta, rng))
            likelihood = nv.ContinuousBernoulli()
            likelihood.check(likelihood.sample(100 * theta, rng))

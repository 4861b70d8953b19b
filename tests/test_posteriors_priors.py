"""Densities against SciPy and quadrature, the KL against Monte Carlo, samples by their moments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from npvae import VAE, posteriors
from npvae.core import bind, n_parameters, registered, registered_parts
from npvae.gradcheck import check_gradients
from npvae.levels import GaussianKL, Level
from npvae.posteriors import (
    LOGVAR_BOUNDS,
    REAL,
    DiagonalGaussian,
    GaussianLogProb,
    Reparameterise,
)
from npvae.priors import StandardNormal

N = 40_000
LOW, HIGH = LOGVAR_BOUNDS

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
LIBRARY = {n: cls for n, cls in registered_parts().items() if cls.__module__.startswith("npvae.")}


def each(family):
    """Run a test for every part of that family, by its name."""
    prefix = f"{family}."
    return pytest.mark.parametrize(
        family, [n.removeprefix(prefix) for n in LIBRARY if n.startswith(prefix)]
    )


each_prior, each_posterior = each("prior"), each("posterior")


@pytest.fixture
def rng():
    return np.random.default_rng(23)


def example(family, name):
    return LIBRARY[f"{family}.{name}"].example(np.random.default_rng(0))[0]


def q(rng, rows=5, z_dim=3):
    """mu and logvar, (B, Z), from narrow to wide."""
    return rng.normal(0, 2, (rows, z_dim)), rng.uniform(-4, 3, (rows, z_dim))


def within(draws, want, errors=4.5):
    """The mean over axis 0 is `want`, within so many of its standard errors."""
    spread = draws.std(0, ddof=1) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - want) < errors * spread).all()


def prior_of(name, z_dim, rng):
    """A prior for z_dim dimensions, and the posteriors that it is made of, where it is."""
    arguments = {"flows": ["coupling"]} if name == "flow" else {}
    prior = LIBRARY[f"prior.{name}"](**arguments)
    prior.build(z_dim, 5)
    prior.allocate(rng)
    n = 1 if prior.of_context else 0 if prior.pseudo_inputs is None else 7
    return prior, (rng.normal(size=(n, z_dim)), rng.uniform(-1, 0.5, (n, z_dim))) if n else ()


@pytest.mark.parametrize("prior", ["conditional", "mixture", "standard", "vamp"])
def test_prior_density_integrates_to_one(prior, rng):
    """Priors of flows, which need two dimensions, are summed over a grid in test_flows.py."""
    prior, components = prior_of(prior, 1, rng)

    def density(z):
        return np.exp(prior.forward(np.full((1, 1, 1), z), *components)[0][0, 0])

    assert integrate.quad(density, -20, 20, points=[0])[0] == pytest.approx(1, rel=1e-9)


@pytest.mark.smoke(4)
@pytest.mark.parametrize(
    "prior",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "coupling" else [])  # four flows
        for name in registered("prior")
        if example("prior", name).support == REAL
    ],
)
def test_prior_samples_and_density_are_of_one_distribution(prior, rng):
    """E[∇log p] = 0, and E[(∇log p)²] = -E[∇² log p], z drawn by `sample`."""
    prior, components = prior_of(prior, 2, rng)
    bind(prior, np.zeros(n_parameters(prior)), "d")
    z = prior.sample(N, 2, rng, *components)
    assert z.shape == (N, 2)

    def slope(z):
        log_p, cache = prior.forward(z[None], *components)
        dz = prior.backward(cache, np.ones_like(log_p))
        return (dz[0] if components else dz)[0]

    within(slope(z), 0)
    for j, h in enumerate(1e-5 * np.eye(2)):
        within(slope(z)[:, j] ** 2 + (slope(z + h) - slope(z - h))[:, j] / 2e-5, 0)


def test_standard_normal_log_prob(rng):
    z = np.concatenate([rng.normal(size=(4, 3, 5)), np.full((1, 3, 5), 30.0)])
    log_p, _ = StandardNormal().forward(z)
    np.testing.assert_allclose(log_p, stats.norm.logpdf(z).sum(-1), rtol=1e-14)
    several = stats.multivariate_normal(np.zeros(5)).logpdf(z)
    np.testing.assert_allclose(log_p, several, rtol=1e-12)


def test_standard_normal_samples(rng):
    z = StandardNormal().sample(N, 2, rng)
    for j in range(2):
        assert stats.kstest(z[:, j], stats.norm.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(z.T)[0, 1]) < 4 / np.sqrt(N)


def test_log_prob_is_the_normal_density(rng):
    (mu, logvar), z = q(rng), rng.normal(0, 3, (4, 5, 3))
    log_q, _ = GaussianLogProb().forward(z, mu, logvar)
    std = np.sqrt(np.exp(logvar))
    np.testing.assert_allclose(log_q, stats.norm.logpdf(z, mu, std).sum(-1), rtol=1e-12)


@pytest.mark.parametrize("logvar", [-6.0, 0.0, 3.0])
def test_log_prob_integrates_to_one(logvar):
    mu, std = np.array([[0.7]]), np.exp(logvar / 2)

    def density(z):
        z = np.full((1, 1, 1), z)
        return np.exp(GaussianLogProb().forward(z, mu, np.array([[logvar]]))[0][0, 0])

    total = integrate.quad(density, 0.7 - 12 * std, 0.7 + 12 * std)[0]
    assert total == pytest.approx(1, rel=1e-9)


def test_log_prob_gradients_are_the_closed_forms(rng):
    """Of log N(z; mu, v): -(z - mu)/v, (z - mu)/v and ((z - mu)² / v - 1) / 2 per log v."""
    (mu, logvar), z = q(rng), rng.normal(0, 3, (4, 5, 3))
    d = rng.normal(size=(4, 5))
    _, cache = GaussianLogProb().forward(z, mu, logvar)
    dz, dmu, dlogvar = GaussianLogProb().backward(cache, d)
    u = (z - mu) / np.exp(logvar)
    weight = d[:, :, None]
    np.testing.assert_allclose(dz, -weight * u, rtol=1e-12)
    np.testing.assert_allclose(dmu, (weight * u).sum(0), rtol=1e-9)
    want = (weight * ((z - mu) * u - 1) / 2).sum(0)
    np.testing.assert_allclose(dlogvar, want, rtol=1e-9)


def test_samples_have_the_moments_of_q(rng):
    """The standard deviation is exp(logvar / 2): no gradient can tell it from exp(logvar)."""
    mu, logvar = q(rng)
    z, _ = Reparameterise().forward(mu, logvar, rng.standard_normal((N, 5, 3)))
    within(z, mu)
    within((z - mu) ** 2, np.exp(logvar))
    for b in range(5):
        distribution = stats.norm(mu[b, 0], np.exp(logvar[b, 0] / 2))
        assert stats.kstest(z[:, b, 0], distribution.cdf).pvalue > 1e-3


def test_sampling_is_linear_in_the_noise(rng):
    mu, logvar = q(rng)
    eps = np.stack([np.zeros((5, 3)), np.ones((5, 3)), np.full((5, 3), -2.0)])
    z, _ = Reparameterise().forward(mu, logvar, eps)
    std = np.sqrt(np.exp(logvar))
    np.testing.assert_array_equal(z[0], mu)
    np.testing.assert_allclose(z[1] - mu, std, rtol=1e-12)
    np.testing.assert_allclose(z[2] - mu, -2 * std, rtol=1e-12)


def test_sampling_gradients_are_sums_over_samples(rng):
    mu, logvar = q(rng)
    eps, dz = rng.normal(size=(2, 4, 5, 3))
    _, cache = Reparameterise().forward(mu, logvar, eps)
    dmu, dlogvar, deps = Reparameterise().backward(cache, dz)
    std = np.sqrt(np.exp(logvar))
    np.testing.assert_allclose(dmu, sum(dz), rtol=1e-12)
    np.testing.assert_allclose(dlogvar, sum(dz * eps) * std / 2, rtol=1e-12)
    np.testing.assert_allclose(deps, dz * std, rtol=1e-12)


def test_kl_against_quadrature(rng):
    mu, logvar = q(rng, rows=2)
    kl, _ = GaussianKL().forward(mu, logvar)
    assert kl.shape == (1, 2, 3)
    for b, j in np.ndindex(2, 3):
        distribution = stats.norm(mu[b, j], np.exp(logvar[b, j] / 2))
        gap = integrate.quad(
            lambda z, d=distribution: d.pdf(z) * (d.logpdf(z) - stats.norm.logpdf(z)),
            *distribution.interval(1 - 1e-15),
        )[0]
        assert kl[0, b, j] == pytest.approx(gap, rel=1e-7)


PAIRS = [
    (q, p)
    for q in registered("posterior")
    for p in registered("prior")
    if example("posterior", q).support == example("prior", p).support
]
CLOSED = [(q, p) for q, p in PAIRS if Level(example("posterior", q), example("prior", p)).kl]


@pytest.mark.parametrize(("posterior", "prior"), CLOSED)
def test_kl_against_monte_carlo(posterior, prior, rng):
    """E_q[log q - log p] of the level's own samples, within standard errors."""
    level = Level(example("posterior", posterior), example("prior", prior))
    z_dim = level.posterior.own_z_dim or 2
    stats = rng.normal(size=(3, level.posterior.n_outputs(z_dim)))
    needs, inputs = ("kl", "log_qz", "log_pz"), ()
    if level.prior.of_context:
        inputs = rng.normal(size=(2, 3, 2))
    (_, terms), _ = level.forward(stats, rng.standard_normal((N, 3, z_dim)), needs, tuple(inputs))
    within(terms.log_qz - terms.log_pz, terms.kl[0].sum(-1))


@each_dtype
def test_kl_is_zero_at_the_prior_and_nowhere_below(dtype, rng):
    at_prior, _ = GaussianKL().forward(np.zeros((2, 3), dtype), np.zeros((2, 3), dtype))
    np.testing.assert_array_equal(at_prior, 0)
    near = rng.normal(size=100_000) * 10 ** rng.uniform(-12, 1.5, 100_000)
    logvar = np.clip(near, LOW, HIGH).astype(dtype)[None]
    kl, _ = GaussianKL().forward(np.zeros_like(logvar), logvar)
    assert kl.min() >= 0
    kl, _ = GaussianKL().forward(logvar, np.zeros_like(logvar))
    np.testing.assert_allclose(kl[0], logvar * logvar / 2, rtol=1e-6)


def test_kl_keeps_its_digits_near_the_prior():
    """½ (v²/2 + v³/6 + ...) for a small logvar v, where exp(v) - 1 - v would be all rounding."""
    v = np.array([[1e-3, -1e-3, 1e-5]])
    kl, _ = GaussianKL().forward(np.zeros_like(v), v)
    series = 0.5 * (v**2 / 2 + v**3 / 6 + v**4 / 24)
    np.testing.assert_allclose(kl[0], series, rtol=1e-9, atol=1e-21)


def test_kl_gradients_are_the_closed_forms(rng):
    (mu, logvar), dkl = q(rng), rng.normal(size=(1, 5, 3))
    _, cache = GaussianKL().forward(mu, logvar)
    dmu, dlogvar = GaussianKL().backward(cache, dkl)
    np.testing.assert_allclose(dmu, dkl[0] * mu, rtol=1e-14)
    np.testing.assert_allclose(dlogvar, dkl[0] * (np.exp(logvar) - 1) / 2, rtol=1e-9)


def bent(raw):
    """What becomes of raw log-variances (N,)."""
    (mu, logvar), _ = DiagonalGaussian().forward(np.stack([0 * raw, raw], axis=-1))
    assert logvar.dtype == raw.dtype
    np.testing.assert_array_equal(mu, 0)
    return logvar[:, 0]


@each_dtype
def test_log_variance_is_monotone_and_within_its_bounds(dtype):
    raw = np.linspace(-60, 60, 12_001).astype(dtype)
    logvar = bent(raw)
    assert (np.diff(logvar) >= 0).all()
    assert (np.diff(logvar[(raw > LOW) & (raw < HIGH)]) > 0).all()
    assert logvar.min() >= LOW
    assert logvar.max() <= HIGH
    np.testing.assert_array_equal(bent(np.array([-1e4, 1e4], dtype)), [LOW, HIGH])


@each_dtype
def test_log_variance_is_left_alone_between_5_and_5(dtype):
    """To the rounding of float32."""
    raw = np.linspace(-5, 5, 2001).astype(dtype)
    rounding = np.finfo(np.float32).eps * np.maximum(1, np.abs(raw))
    assert (np.abs(bent(raw) - raw) <= rounding).all()


@each_dtype
def test_log_variance_is_bent_by_log_2_at_its_bounds(dtype):
    got = bent(np.array([LOW, HIGH], dtype))
    np.testing.assert_allclose(got, [LOW + np.log(2), HIGH - np.log(2)], rtol=1e-6)


def test_the_bend_s_gradient_is_its_slope():
    """A half at either bound, and nothing far outside."""
    raw = np.array([[-60.0], [LOW], [0.0], [HIGH], [60.0]])
    ones = np.ones((5, 1))
    dstats = DiagonalGaussian().backward(np.concatenate([0 * raw, raw], 1), ones, ones)
    np.testing.assert_array_equal(dstats[:, 0], 1)
    np.testing.assert_allclose(dstats[:, 1], [0, 0.5, 1, 0.5, 0], atol=1e-8)


@pytest.mark.parametrize("target", [DiagonalGaussian, pytest.param(VAE, marks=pytest.mark.slow)])
def test_the_bend_s_gradient_at_bounds_that_are_not_symmetric(target, monkeypatch):
    """Between -20 and 20 the slope at raw is the slope at -raw: a wrong sign would not show."""
    monkeypatch.setattr(posteriors, "LOGVAR_BOUNDS", (-2.0, 0.5))
    report = check_gradients(target)
    assert report.ok, str(report)


def test_heads_split_mu_from_logvar(rng):
    stats_ = rng.normal(size=(4, 6))
    (mu, logvar), cache = DiagonalGaussian().forward(stats_)
    np.testing.assert_array_equal(mu, stats_[:, :3])
    np.testing.assert_allclose(logvar, stats_[:, 3:], atol=1e-7)
    assert DiagonalGaussian().n_outputs(3) == 6
    mu[...] = 0  # a copy: the encoder's output stays as it was
    assert stats_[:, :3].all()
    dmu, dlogvar = rng.normal(size=(2, 4, 3))
    dstats = DiagonalGaussian().backward(cache, dmu, dlogvar)
    np.testing.assert_allclose(dstats, np.concatenate([dmu, dlogvar], 1), rtol=1e-6)

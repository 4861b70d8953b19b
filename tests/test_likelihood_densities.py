"""Log-densities against SciPy: over ordinary ranges, and of extreme parameters and data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

import npvae as nv

K, B, D = 3, 6, 8


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def with_columns(likelihood, log_spread):
    """The likelihood on as many columns as there are values for its second parameter."""
    log_spread = np.atleast_1d(np.asarray(log_spread, float))
    likelihood.declare(len(log_spread))
    likelihood.allocate(np.random.default_rng(0))
    getattr(likelihood, f"log_{likelihood.quantity}")[...] = log_spread
    return likelihood


def inflated(x, mean, size, pi):
    log_p = stats.nbinom.logpmf(x, size, size / (size + mean)) + np.log1p(-pi)
    return np.where(x == 0, np.logaddexp(np.log(pi), log_p), log_p)


def beta_logpdf(x, m, whole):
    return stats.beta.logpdf(x, m * whole, (1 - m) * whole)


CASES = {
    "gaussian": (nv.GaussianColumnScale, "any", lambda x, t, s: stats.norm.logpdf(x, t, s)),
    "laplace": (nv.Laplace, "any", lambda x, t, s: stats.laplace.logpdf(x, t, s)),
    "student_t": (
        lambda: nv.StudentT(df=2.5), "any", lambda x, t, s: stats.t.logpdf(x, 2.5, t, s)
    ),
    "negative_binomial": (
        nv.NegativeBinomial, "counts",
        lambda x, t, s: stats.nbinom.logpmf(x, s, s / (s + np.exp(t))),
    ),
    "beta": (nv.Beta, "rates", lambda x, t, s: beta_logpdf(x, special.expit(t), s)),
}  # fmt: skip
each_case = pytest.mark.parametrize(("make", "kind", "scipys"), CASES.values(), ids=CASES)


def data(kind, rng):
    if kind == "counts":
        return rng.negative_binomial(0.7, 0.05, (B, D)).astype(float)
    return rng.random((B, D)) if kind == "rates" else rng.normal(0, 3, (B, D))


@each_case
def test_a_spread_for_each_column(make, kind, scipys, rng):
    theta, x, log_spread = rng.normal(0, 2, (K, B, D)), data(kind, rng), rng.normal(0, 1.5, D)
    log_px = with_columns(make(), log_spread).log_prob(theta, x)
    want = scipys(x, theta, np.exp(log_spread)).sum(-1)
    np.testing.assert_allclose(log_px, want, rtol=1e-10, atol=1e-10)


DECODERS = {
    "gaussian": nv.GaussianHeteroscedastic,
    "laplace": lambda: nv.Laplace("decoder"),
    "student_t": lambda: nv.StudentT(2.5, "decoder"),
    "negative_binomial": lambda: nv.NegativeBinomial("decoder"),
    "beta": lambda: nv.Beta("decoder"),
}


@pytest.mark.parametrize("name", DECODERS)
def test_a_spread_for_each_entry(name, rng):
    """The decoder's second head, bent into (-bound, bound)."""
    likelihood, (_, kind, scipys) = DECODERS[name](), CASES[name]
    location, raw, x = rng.normal(size=(K, B, D)), rng.normal(0, 2, (K, B, D)), data(kind, rng)
    bound = likelihood.bound
    bent = np.logaddexp(-np.logaddexp(-raw, -bound), -bound)
    theta = np.concatenate([location, raw], -1)
    want = scipys(x, location, np.exp(bent)).sum(-1)
    np.testing.assert_allclose(likelihood.log_prob(theta, x), want, rtol=1e-10, atol=1e-10)
    assert likelihood.n_outputs(D) == 2 * D
    far = likelihood.heads(np.full((1, 2), 1e4))[1], likelihood.heads(np.full((1, 2), -1e4))[1]
    np.testing.assert_allclose(far, [[[bound]], [[-bound]]], rtol=1e-6)


def test_poisson(rng):
    log_rate, x = rng.normal(1, 2, (K, B, D)), rng.poisson(5, (B, D)).astype(float)
    want = stats.poisson.logpmf(x, np.exp(log_rate)).sum(-1)
    np.testing.assert_allclose(nv.Poisson().log_prob(log_rate, x), want, rtol=1e-10)


@pytest.mark.parametrize("given_by", ["column", "decoder"])
def test_zero_inflated(given_by, rng):
    log_mean, gate, log_size = rng.normal(size=(3, K, B, D))
    x = rng.poisson(1.0, (B, D)).astype(float)
    likelihood = nv.ZeroInflatedNegativeBinomial(given_by)
    theta = [log_mean, gate, log_size]
    if given_by == "column":
        log_size = theta.pop()[0, 0]
        with_columns(likelihood, log_size)
    else:
        log_size = np.logaddexp(-np.logaddexp(-log_size, -20), -20)
    log_px = likelihood.log_prob(np.concatenate(theta, -1), x)
    want = inflated(x, np.exp(log_mean), np.exp(log_size), special.expit(gate)).sum(-1)
    np.testing.assert_allclose(log_px, want, rtol=1e-10, atol=1e-10)


def test_categorical_and_one_hot_are_scipys_softmax(rng):
    sizes = (3, 2, 4)
    logits = rng.normal(0, 5, (K, B, 9))
    labels = np.stack([rng.integers(c, size=B) for c in sizes], -1).astype(float)
    groups = np.split(logits, [3, 5], -1)
    want = sum(
        np.stack([special.log_softmax(g, -1)[:, b, int(labels[b, j])] for b in range(B)], -1)
        for j, g in enumerate(groups)
    )
    columns = [np.eye(c)[labels[:, j].astype(int)] for j, c in enumerate(sizes)]
    for likelihood, x in (
        (nv.Categorical(sizes), labels),
        (nv.OneHot(sizes), np.hstack(columns)),
    ):
        np.testing.assert_allclose(likelihood.log_prob(logits, x), want, rtol=1e-12, atol=1e-12)
    same = nv.Categorical(3), nv.Categorical((3, 3))
    x = rng.integers(3, size=(B, 2)).astype(float)
    one, other = (c.log_prob(logits[..., :6], x) for c in same)
    np.testing.assert_array_equal(one, other)
    far = np.array([[1e4, 0.0, -1e4]])
    np.testing.assert_array_equal(nv.Categorical(3).log_prob(far, np.array([[2.0]])), [-2e4])


def test_ordinal_is_the_logistic_mass_between_cutpoints(rng):
    sizes, cuts = (3, 2, 4), ([-1.0, 0.5], [0.25], [-2.0, -1.5, 3.0])
    likelihood = nv.Ordinal(sizes)
    likelihood.declare(3)
    likelihood.allocate(rng)
    likelihood.cuts[...] = np.concatenate([[c[0], *np.log(np.diff(c))] for c in cuts])
    eta = rng.normal(0, 3, (K, B, 3))
    labels = np.stack([rng.integers(c, size=B) for c in sizes], -1).astype(float)
    want, mean = 0.0, np.empty_like(eta)
    for j, own in enumerate(cuts):
        edges = stats.logistic.cdf(np.array([-np.inf, *own, np.inf]) - eta[..., j, None])
        p = np.diff(edges)
        want = want + np.log(p[:, np.arange(B), labels[:, j].astype(int)])
        mean[..., j] = p @ np.arange(sizes[j])
    np.testing.assert_allclose(likelihood.log_prob(eta, labels), want, rtol=1e-10)
    np.testing.assert_allclose(likelihood.mean(eta), mean, rtol=1e-10)
    far = np.array([[-700.0, 700.0, 0.0]])
    log_p = likelihood.log_prob(far, np.array([[2.0, 0.0, 0.0]]))
    np.testing.assert_allclose(log_p, -700.5 - 699.75 + stats.logistic.logcdf(-2.0), rtol=1e-12)


def test_ordinal_starts_from_the_shares_of_the_labels():
    likelihood = nv.Ordinal(3)
    likelihood.declare(1)
    likelihood.allocate(np.random.default_rng(0))
    rows = np.repeat([0.0, 1.0, 2.0, np.nan], [20, 50, 30, 7])[:, None]
    likelihood.start_from(rows)
    p = np.exp([likelihood.log_prob(np.zeros((1, 1)), np.array([[v]])) for v in (0.0, 1.0, 2.0)])
    np.testing.assert_allclose(p.ravel(), np.array([20.5, 50.5, 30.5]) / 101.5)


LOGITS = [-700.0, -40.0, -3.0, -1.0001, -0.9999, -0.1, -1e-8, 0.0, 1e-8, 0.5, 1.0, 5.0, 60.0]


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_normaliser_is_the_integral(logit):
    """∫₀¹ λ^x (1 - λ)^(1 - x) dx by quadrature, in units of its maximum; and the mean likewise."""
    at = np.linspace(0, 1, 3)[:, None]
    log_p = nv.ContinuousBernoulli().log_prob(np.full((3, 1), logit), at)
    top = max(logit, 0.0)
    edge = min(1.0, 40 / max(abs(logit), 1e-300))  # beyond it from the maximum nothing is left
    span = (0, edge) if logit < 0 else (1 - edge, 1)
    mass, _ = integrate.quad(lambda x: np.exp(x * logit - top), *span, epsabs=0, epsrel=1e-13)
    np.testing.assert_allclose(log_p, at[:, 0] * logit - top - np.log(mass), rtol=1e-11, atol=1e-12)
    moment, _ = integrate.quad(lambda x: x * np.exp(x * logit - top), *span, epsabs=0)
    mean = nv.ContinuousBernoulli().mean(np.array([logit]))
    np.testing.assert_allclose(mean, moment / mass, rtol=1e-10)


def test_continuous_bernoulli_normaliser_is_the_papers(rng):
    """Loaiza-Ganem & Cunningham 2019, equation 8: C(λ) = 2 artanh(1 - 2λ) / (1 - 2λ)."""
    logits, x = rng.normal(0, 4, (K, B, D)), rng.random((B, D))
    p = special.expit(logits)
    C = 2 * np.arctanh(1 - 2 * p) / (1 - 2 * p)
    want = (np.log(C) + x * np.log(p) + (1 - x) * np.log1p(-p)).sum(-1)
    np.testing.assert_allclose(
        nv.ContinuousBernoulli().log_prob(logits, x), want, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("off", [-600, -60, 60, 600])
def test_far_out(off):
    x, mean = np.array([[1.0 + 0.1 * off]]), np.array([[1.0]])
    log_scale = np.log(0.1)
    for make, scipys in (
        (nv.GaussianColumnScale, stats.norm),
        (nv.Laplace, stats.laplace),
        (nv.StudentT, stats.t(df=4)),
    ):
        got = with_columns(make(), log_scale).log_prob(mean, x)
        want = scipys.logpdf((x - 1) / 0.1) - log_scale
        np.testing.assert_allclose(got, want[:, 0], rtol=1e-12)


@pytest.mark.parametrize("df", [0.01, 1.0, 30.0, 1e8, 1e300])
def test_student_t_of_any_df(df):
    x = np.array([[-3.0], [0.0], [0.5], [60.0]])
    got = with_columns(nv.StudentT(df), 0.0).log_prob(np.zeros((4, 1)), x)
    want = stats.t.logpdf(x, df) if df < 1e7 else stats.norm.logpdf(x)
    rtol = 1e-10 if df < 1e7 else 1e-4  # (u²)²/df is what sets it apart from the normal
    np.testing.assert_allclose(got, want[:, 0], rtol=rtol)


@pytest.mark.parametrize("x", [0.0, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("ratio", [1e-6, 0.5, 1.0, 1.001, 3.0])
def test_poisson_of_large_counts(x, ratio):
    log_rate = np.log(ratio * max(x, 1))
    want = stats.poisson.logpmf(x, np.exp(log_rate))
    got = nv.Poisson().log_prob(np.array([[log_rate]]), np.array([[x]]))
    np.testing.assert_allclose(got, [want], rtol=1e-8)


@pytest.mark.parametrize("size", [1e-8, 1e-3, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("x", [0.0, 1.0, 7.0, 1e6])
@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.0])
def test_negative_binomial_of_extreme_dispersions_and_counts(size, x, ratio):
    mean = ratio * max(x, 1)
    got = with_columns(nv.NegativeBinomial(), np.log(size)).log_prob(
        np.array([[np.log(mean)]]), np.array([[x]])
    )
    want = stats.nbinom.logpmf(x, size, size / (size + mean))
    slack = 1e-15 * (special.gammaln(x + size) + x + 1)  # what SciPy's terms round to
    np.testing.assert_allclose(got, [want], rtol=1e-6, atol=slack)


def test_negative_binomial_tends_to_poisson(rng):
    log_mean, x = rng.normal(2, 1, (K, B, 1)), rng.poisson(8, (B, 1)).astype(float)
    got = with_columns(nv.NegativeBinomial(), 60.0).log_prob(log_mean, x)
    np.testing.assert_allclose(got, nv.Poisson().log_prob(log_mean, x), rtol=1e-13)


@pytest.mark.parametrize("x", [1e-7, 0.3, 1 - 1e-7])
@pytest.mark.parametrize("whole", [1e-8, 0.1, 5.0, 1e4])
@pytest.mark.parametrize("logit", [-9.0, 0.0, 4.0])
def test_beta_near_the_edges(x, whole, logit):
    got = with_columns(nv.Beta(), np.log(whole)).log_prob(np.array([[logit]]), np.array([[x]]))
    want = beta_logpdf(x, special.expit(logit), whole)
    np.testing.assert_allclose(got, [want], rtol=1e-6 if whole < 1e-3 else 1e-9)


def test_beta_of_a_large_concentration_is_nearly_normal():
    """Whose terms, at a concentration of 1e8, are a billion and cancel to a few nats."""
    m, whole = 0.3, 1e8
    deviation = np.sqrt(m * (1 - m) / whole)
    x = m + deviation * np.array([[-2.0], [0.0], [1.5]])
    logit = np.full((3, 1), special.logit(m))
    got = with_columns(nv.Beta(), np.log(whole)).log_prob(logit, x)
    np.testing.assert_allclose(got, stats.norm.logpdf(x, m, deviation)[:, 0], rtol=1e-4)

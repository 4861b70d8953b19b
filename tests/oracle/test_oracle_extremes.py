"""Densities of extreme counts, dispersions and rates against 60-digit arithmetic."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import npvae as nv

SPREADS = [1e-8, 1e-3, 1.0, 300.0, 1e8]


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(60):
        yield


def with_column(likelihood, log_spread):
    likelihood.declare(1)
    likelihood.allocate(np.random.default_rng(0))
    getattr(likelihood, f"log_{likelihood.quantity}")[...] = log_spread
    return likelihood


def check(likelihood, theta, x, log_p, argument):
    """The value, and the gradient along theta and, where there is one, the own parameter."""
    theta, x = np.array([[theta]]), np.array([[x]])
    got = likelihood.log_prob(theta, x)[0]
    np.testing.assert_allclose(got, float(log_p(*argument)), rtol=1e-10)
    _, cache = likelihood.forward(theta[None], x)
    own = np.zeros(1)
    if len(argument) > 1:
        setattr(likelihood, f"dlog_{likelihood.quantity}", own)
    dtheta, _ = likelihood.backward(cache, np.ones((1, 1)))
    for i, slope in enumerate([dtheta.item(), own.item()][: len(argument)]):
        want = mp.diff(lambda t, i=i: log_p(*argument[:i], t, *argument[i + 1 :]), argument[i])
        np.testing.assert_allclose(slope, float(want), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("x", [0, 1, 7, 1000, 10**6])
@pytest.mark.parametrize("log_ratio", [-12.0, -0.5, 0.0, 1e-3, 1.0])
def test_poisson(x, log_ratio):
    log_rate = float(np.log(max(x, 1))) + log_ratio
    check(
        nv.Poisson(), log_rate, float(x),
        lambda t: x * t - mp.exp(t) - mp.loggamma(x + 1), [mp.mpf(log_rate)],
    )  # fmt: skip


@pytest.mark.parametrize("size", SPREADS)
@pytest.mark.parametrize("x", [0, 1, 7, 10**6])
@pytest.mark.parametrize("log_ratio", [-12.0, 0.0, 1e-3, 1.0])
def test_negative_binomial(size, x, log_ratio):
    log_mean, log_size = float(np.log(max(x, 1))) + log_ratio, float(np.log(size))

    def log_p(t, s):
        d, m = mp.exp(s), mp.exp(t)
        top = mp.loggamma(x + d) - mp.loggamma(d) - mp.loggamma(x + 1)
        return top + d * mp.log(d / (d + m)) + x * mp.log(m / (d + m))

    likelihood = with_column(nv.NegativeBinomial(), log_size)
    check(likelihood, log_mean, float(x), log_p, [mp.mpf(log_mean), mp.mpf(log_size)])


@pytest.mark.parametrize("whole", SPREADS)
@pytest.mark.parametrize("x", [1e-7, 0.3, 1 - 1e-7])
@pytest.mark.parametrize("logit", [-9.0, 0.0, 4.0])
def test_beta(whole, x, logit):
    log_whole = float(np.log(whole))

    def log_p(t, s):
        m = 1 / (1 + mp.exp(-t))
        a, b = m * mp.exp(s), (1 - m) * mp.exp(s)
        log_beta = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
        return (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - mp.mpf(x)) - log_beta

    check(with_column(nv.Beta(), log_whole), logit, x, log_p, [mp.mpf(logit), mp.mpf(log_whole)])


@pytest.mark.parametrize("logit", [-500.0, -30.0, -0.999, -1e-9, 1e-4, 0.7, 1.001, 45.0])
def test_continuous_bernoulli(logit):
    x = 0.3
    check(
        nv.ContinuousBernoulli(), logit, x,
        lambda t: x * t - mp.log(mp.expm1(t) / t), [mp.mpf(logit)],
    )  # fmt: skip

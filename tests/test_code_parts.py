"""The parts of latent codes: relaxed draws, divergences, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats

import npvae as nv
from npvae.core.numerics import log_softmax
from npvae.discrete import BernoulliCode, CategoricalCode
from npvae.discrete.bernoulli import BernoulliKL, BinaryConcrete
from npvae.discrete.categorical import CategoricalKL, GumbelSoftmax
from npvae.layers.mode import relaxing

N = 20_000


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_relaxed_codes_lie_where_their_distributions_say(temperature):
    """Of two classes: z above s has the probability of a logistic variable above τ logit s."""
    rng, logit = np.random.default_rng(0), 0.8
    log_q = np.array([[0.0, logit]]) - np.logaddexp(0, logit)
    z, _ = GumbelSoftmax(2, temperature).forward(log_q, rng.normal(size=(N, 1, 2)))
    one, _ = BinaryConcrete(temperature).forward(np.array([[logit]]), rng.normal(size=(N, 1, 1)))
    for share in (z[:, 0, 1], one[:, 0, 0]):
        noise = temperature * np.log(share / (1 - share)) - logit
        assert stats.kstest(noise, stats.logistic.cdf).pvalue > 1e-3


def test_relaxed_codes_are_the_formulas():
    rng = np.random.default_rng(3)
    a, eps = rng.normal(size=(2, 6)), rng.normal(size=(4, 2, 6))
    u, log_q = stats.norm.cdf(eps), log_softmax(a.reshape(4, 3).T).T.reshape(2, 6)
    z, _ = BinaryConcrete(0.7).forward(a, eps)
    assert_allclose(z, special.expit((a + special.logit(u)) / 0.7), rtol=1e-10)
    with relaxing():
        (drawn, _), _ = BernoulliCode(temperature=0.7).draw((a,), eps, density=False)
    assert_array_equal(drawn, z)
    z, _ = GumbelSoftmax(3, 0.7).forward(log_q, eps)
    wanted = special.softmax(((log_q - np.log(-np.log(u))) / 0.7).reshape(4, 2, 2, 3), axis=-1)
    assert_allclose(z, wanted.reshape(4, 2, 6), rtol=1e-10)


def test_every_code_is_of_the_model_s_type():
    posterior = CategoricalCode(2, 3, "exact")
    posterior.build(6)
    (z, _), _ = posterior.every((np.zeros((4, 6), np.float32),))
    assert z.dtype == np.float32


def test_noise_is_gumbel_far_into_its_tails():
    eps = np.array([-6.0, -3.0, 0.0, 3.0, 5.5])
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 2e-5)):
        given = np.stack([eps, 0 * eps], -1)[:, None].astype(dtype)
        z, _ = GumbelSoftmax(2).forward(np.zeros((1, 2), dtype), given)
        difference = np.log(z[:, 0, 0] / z[:, 0, 1])
        want = stats.gumbel_r.ppf(stats.norm.cdf(eps)) - stats.gumbel_r.ppf(0.5)
        want[-1] = -np.log(-stats.norm.logcdf(5.5)) + np.log(np.log(2))
        assert_allclose(difference, want, rtol=rtol, atol=rtol)


def test_kls_are_sums_of_q_log_q_over_p():
    rng = np.random.default_rng(5)
    q = rng.dirichlet([0.3, 1, 2], size=(4, 2))
    kl, _ = CategoricalKL(3).forward(np.log(q).reshape(4, 6))
    assert kl.shape == (1, 4, 2)
    assert_allclose(kl[0], (q * np.log(3 * q)).sum(-1), rtol=1e-12)
    ones, p = rng.random((4, 3)), 0.2
    kl, _ = BernoulliKL(math.log(p / (1 - p))).forward(np.log(ones / (1 - ones)))
    want = ones * np.log(ones / p) + (1 - ones) * np.log((1 - ones) / (1 - p))
    assert_allclose(kl[0], want, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kls_are_nowhere_below_zero_and_keep_their_digits(dtype):
    off = np.array([[1e-3, -1e-3, 0.0], [0.0, 0.0, 0.0]], dtype)
    log_q = off - np.log(np.exp(off.astype(float)).sum(-1, keepdims=True)).astype(dtype)
    kl, _ = CategoricalKL(3).forward(log_q)
    assert_allclose(kl[0, :, 0], [1e-6 / 3, 0], rtol=2e-3, atol=1e-12)
    assert kl.min() >= 0
    kl, _ = BernoulliKL(0.0).forward(np.array([[2e-3, 0.0, 30.0, -90.0]], dtype))
    assert_allclose(kl[0, 0], [(1e-3) ** 2 / 2, 0, math.log(2), math.log(2)], rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(z_dim=7, posterior="categorical:n=2,classes=3"), "6 latent dimensions; got z_dim 7"),
        (dict(posterior="categorical", prior="standard"), "take prior='uniform:classes=10'"),
        (dict(posterior="categorical:classes=4", prior="uniform:classes=5"), "one of 5 classes"),
        (dict(z_dim=3, posterior="bernoulli", prior="mixture"), "take prior='bernoulli'"),
        (dict(z_dim=3, prior="bernoulli"), "take prior='standard'"),
        (dict(posterior="categorical:n=20,classes=3,estimator=exact"), "at most 1,024 codes"),
        (dict(z_dim=11, posterior="bernoulli:estimator=exact"), "got 2,048"),
        (dict(posterior="categorical:estimator=reinforce"), "relaxed, straight_through, exact"),
        (dict(posterior="categorical:temperature=0"), "temperature is a finite number above 0"),
        (dict(posterior="categorical:temperature=(linear:start=1,stop=0,epochs=3)"), "above 0"),
        (dict(posterior="categorical:classes=1"), "classes is a whole number, 2 or more"),
        (dict(posterior="categorical:n=0"), "1 or more"),
        (dict(posterior="bernoulli"), "z_dim is a whole number"),
        (dict(z_dim=2, posterior="bernoulli", prior="bernoulli:p=1"), "between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(nv.ConfigError, match=sentence):
        nv.VAE(6, **arguments)


def test_spellings():
    assert nv.VAE(6, posterior=CategoricalCode(2, 5)).z_dim == 10
    assert nv.VAE(6, 4, posterior=BernoulliCode()).prior.p == 0.5
    assert nv.VAE(6, 10, posterior="categorical").posterior.classes == 10
    assert nv.VAE(6, posterior="categorical:n=2,classes=5").config["z_dim"] == 10

"""Each objective where its answer is exact, and with gaps, weights, binarised rows and levels."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae.core import LevelTerms, Terms
from npvae.core.registry import registered
from npvae.gradcheck.linear_gaussian import LinearGaussian, encode_posterior, linear_vae

N = 12
ENDS = (-math.inf, math.inf)
BOUNDS = [
    nv.IWAE(1), nv.IWAE(7), nv.DReG(7), nv.MIWAE(3, 4), nv.CIWAE(0.3, 6), nv.STL(3),
    *(nv.Renyi(alpha, 5) for alpha in (*ENDS, -2.0, 0.0, 0.5, 1.0, 3.0)),
]  # fmt: skip


def named(objective):
    return str(objective.config)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def linear(rng, off=0.0):
    """A linear model, rows that it draws, and its closed forms; `off` by which the encoder errs."""
    model = linear_vae(rng, x_dim=5, z_dim=2, scale=0.8, axes=True)
    encode_posterior(model)
    model.params["encoder.layers.0.W"][:2] += off * rng.normal(size=(2, 5))
    exact = LinearGaussian.of(model)
    return model, exact.sample(N, rng), exact


def at_signs(n=N):
    """Noise at ±1 in both dimensions, (4, n, 2): the mean over it is exact for quadratics."""
    signs = np.array([*product((-1.0, 1.0), repeat=2)])
    return np.repeat(signs[:, None], n, axis=1)


def loss_of(model, objective, x, eps):
    return nv.value_and_grad(model, objective, x, eps)[0]


@pytest.mark.parametrize("objective", BOUNDS, ids=named)
def test_with_the_exact_posterior_each_bound_is_log_p(objective, rng):
    """Whatever the noise: each weight is p(x)."""
    model, x, exact = linear(rng)
    eps = model.draw_noise(N, objective.n_samples, rng)
    wanted = stats.multivariate_normal(exact.b, exact.covariance).logpdf(x).mean()
    assert loss_of(model, objective, x, eps) == pytest.approx(-wanted, rel=1e-10)


def two_terms(model, x):
    """The exact E_q[-log p(x given z)] and each dimension's KL of each row."""
    mu, logvar = model.encode(x)
    W, b = model.params["decoder.layers.0.W"], model.params["decoder.layers.0.b"]
    s2 = model.likelihood.scale**2
    squares = ((x - mu @ W.T - b) ** 2).sum(1) + np.exp(logvar) @ (W**2).sum(0)
    rec = 0.5 * (squares / s2 + x.shape[1] * math.log(2 * math.pi * s2))
    return rec, 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)


@pytest.mark.parametrize(
    ("objective", "of_terms"),
    [
        (nv.ELBO(n_samples=4), lambda rec, kl: (rec + kl.sum(1)).mean()),
        (nv.ELBO(2.5, 4), lambda rec, kl: (rec + 2.5 * kl.sum(1)).mean()),
        (nv.ELBO(7.0, 4, capacity=0.4),
         lambda rec, kl: rec.mean() + 7 * abs(kl.sum(1).mean() - 0.4)),
        (nv.ELBO(7.0, 4, capacity=40),
         lambda rec, kl: rec.mean() + 7 * abs(kl.sum(1).mean() - 40)),
        (nv.ELBO(1.0, 4, free_bits=0.6),
         lambda rec, kl: rec.mean() + np.maximum(kl.mean(0), 0.6).sum()),
        (nv.ELBO(1.0, 4, free_bits=5.0, free_bits_per="level"),
         lambda rec, kl: rec.mean() + max(kl.sum(1).mean(), 5.0)),
    ],
    ids=lambda value: named(value) if hasattr(value, "config") else "",
)  # fmt: skip
def test_the_elbo_and_its_kin(objective, of_terms, rng):
    model, x, _ = linear(rng, off=0.3)
    wanted = of_terms(*two_terms(model, x))
    assert loss_of(model, objective, x, at_signs()) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("kind", [1, 2])
def test_dip_of_codes_whose_covariance_is_known(kind, rng):
    model, x, _ = linear(rng, off=0.3)
    mu, logvar = model.encode(x)
    rec, kl = two_terms(model, x)
    covariance = np.cov(mu.T, bias=True) + (kind == 2) * np.diag(np.exp(logvar).mean(0))
    off = covariance[0, 1]
    penalty = 2 * 0.7 * off**2 + 1.3 * ((np.diag(covariance) - 1) ** 2).sum()
    wanted = (rec + kl.sum(1)).mean() + penalty
    loss = loss_of(model, nv.DIP(kind, 0.7, 1.3, n_samples=4), x, at_signs())
    assert loss == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize(("estimator", "n_data"), [("weighted", None), ("stratified", 50)])
def test_betatc_by_scipys_densities(estimator, n_data, rng):
    """rec + alpha mi + beta tc + gamma dkl, each by the densities of q, one draw for each row."""
    model, x, _ = linear(rng, off=0.3)
    eps = model.draw_noise(N, 1, rng)
    mu, logvar = model.encode(x)
    std = np.exp(0.5 * logvar)
    z = mu + std * eps[0]
    each = stats.norm.logpdf(z[:, None], mu, std)  # (N, N, Z)
    shares = np.full((N, N), 1 / N)
    if n_data:  # Chen et al. 2018, appendix C.2
        shares = np.full((N, N), 1 / (N - 1))
        np.fill_diagonal(shares, 1 / n_data)
        shares[np.arange(N), (np.arange(N) + 1) % N] = (n_data - N + 1) / (n_data * (N - 1))
    log_joint = np.log((shares * np.exp(each.sum(-1))).sum(1))
    log_marginals = np.log((shares[..., None] * np.exp(each)).sum(1)).sum(1)
    log_q = each[np.arange(N), np.arange(N)].sum(-1)
    mi, tc = (log_q - log_joint).mean(), (log_joint - log_marginals).mean()
    dkl = (log_marginals - stats.norm.logpdf(z).sum(1)).mean()
    W, b = model.params["decoder.layers.0.W"], model.params["decoder.layers.0.b"]
    rec = -stats.norm.logpdf(x, z @ W.T + b, model.likelihood.scale).sum(1).mean()
    objective = nv.BetaTC(3.0, 0.5, 1.5, estimator, n_data)
    wanted = rec + 0.5 * mi + 3 * tc + 1.5 * dkl
    assert loss_of(model, objective, x, eps) == pytest.approx(wanted, rel=1e-10)


def test_mmd_knows_the_aggregate_posterior_of_a_linear_model(rng):
    """Rows of the model and the exact posterior have N(0, I) for q(z): the penalty is noise."""
    model, _, exact = linear(rng)
    x, objective = exact.sample(400, rng), nv.MMD()
    near = nv.value_and_grad(model, objective, x, model.draw_noise(400, 1, rng))
    model.params["encoder.layers.0.b"][:2] += 1.0
    far = nv.value_and_grad(model, objective, x, model.draw_noise(400, 1, rng))
    assert far[0] > near[0]


OBJECTIVES = {
    title: objective
    for cls in registered("objective").values()
    if cls.__module__.startswith("npvae.")
    for title, objective in cls.examples().items()
}


def train(objective, model, x, **options):
    """Two epochs, whose losses and weights are finite."""
    history = nv.fit(model, x, objective=objective, epochs=2, batch_size=16, **options)
    assert np.isfinite(history["train_loss"]).all()
    assert np.isfinite(model.flat).all()


@pytest.mark.parametrize("title", OBJECTIVES)
def test_gaps_weights_and_binarised_rows(title, rng):
    x = rng.random((40, 6))
    x[rng.random(x.shape) < 0.2] = np.nan
    weights = rng.random(40)
    weights[:5] = 0
    objective = OBJECTIVES[title]
    if getattr(objective, "n_data", None):
        objective = nv.BetaTC(3.0, 0.5, 1.5, "stratified", n_data=40)
    model = nv.VAE(6, 2, hidden=(8,), missing="mask")
    train(objective, model, x, weights=weights, binarise=True)


FOR_ONE_LEVEL = ("BetaTC", "DIP", "DReG", "MMD")


@pytest.mark.parametrize("title", OBJECTIVES)
def test_several_levels_work_or_are_refused_in_a_sentence(title, rng):
    model, x = nv.HierarchicalVAE(6, (3, 2), hidden=(8,)), rng.random((40, 6))
    if title == "ELBO with a beta per level":
        with pytest.raises(nv.ConfigError, match="a number for each latent level"):
            train(OBJECTIVES[title], model, x)
        train(nv.ELBO(level_betas=[1.0, 0.5]), model, x)
        return
    if not title.startswith(FOR_ONE_LEVEL):
        train(OBJECTIVES[title], model, x)
        return
    with pytest.raises(nv.ConfigError, match="one latent level") as refused:
        train(OBJECTIVES[title], model, x)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("cls", [nv.BetaTC, nv.DIP, nv.DReG, nv.MMD])
def test_two_levels_of_any_model_are_refused(cls, rng):
    level = LevelTerms(
        np.zeros((1, 3, 2)), *np.zeros((2, 1, 3)), np.zeros((1, 3, 2)), tuple(np.zeros((2, 3, 2)))
    )
    with pytest.raises(nv.ConfigError, match="is for one latent level; this model has 2"):
        cls()(Terms(np.zeros((1, 3)), [level, level]))

"""Bounds and likelihoods against the linear Gaussian model, whose every quantity is known exactly.

With identity layers x = W z + b + s·noise, so p(x) = N(b, W Wᵀ + s² I), and the true posterior is
N(S Wᵀ (x - b) / s², S) with S = (I + Wᵀ W / s²)⁻¹.
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import pytest
from scipy import special, stats

import npvae as nv
from npvae.core.row_streams import row_streams

evaluation = sys.modules[nv.log_likelihood.__module__]

SCALE = 0.8
W = np.array([[1.2, 0.3], [-0.4, 0.9], [0.5, -0.7], [0.1, 1.1]])
B = np.array([0.3, -0.2, 1.0, 0.0])


def linear_gaussian(W=W, off=0.3):
    """The model, with an encoder that is `off` from the best one."""
    d, z = W.shape
    model = nv.VAE(d, z, hidden=(), likelihood=nv.Gaussian(SCALE), dtype="float64", seed=2)
    p = model.params
    p["decoder.layers.0.W"][...] = W
    p["decoder.layers.0.b"][...] = B
    S = np.linalg.inv(np.eye(z) + W.T @ W / SCALE**2)
    gain = S @ W.T / SCALE**2 + off * np.random.default_rng(7).normal(size=(z, d)) / d
    logvar = np.log(np.diag(S)) + off
    p["encoder.layers.0.W"][...] = np.vstack([gain, np.zeros((z, d))])
    p["encoder.layers.0.b"][...] = np.concatenate([-gain @ B, logvar])
    return model


def exact(x, W=W):
    return stats.multivariate_normal(B, W @ W.T + SCALE**2 * np.eye(len(B))).logpdf(x)


def kl_to_the_true_posterior(model, x, W=W):
    """KL(q(z given x) ‖ p(z given x)) of each row, the closed form for two Gaussians."""
    mu, logvar = model.encode(x)
    precision = np.eye(W.shape[1]) + W.T @ W / SCALE**2
    mean = np.linalg.solve(precision, W.T @ (x - B).T).T / SCALE**2
    off = mu - mean
    trace = (np.diag(precision) * np.exp(logvar)).sum(1)
    quadratic = np.einsum("bi,ij,bj->b", off, precision, off)
    return 0.5 * (trace + quadratic - W.shape[1] - np.linalg.slogdet(precision)[1] - logvar.sum(1))


def draw(n, seed=0):
    rng = np.random.default_rng(seed)
    return B + rng.normal(size=(n, 2)) @ W.T + SCALE * rng.normal(size=(n, 4))


def quadrature(n):
    """Noise at ±1 in every dimension: it integrates quadratics in a Gaussian exactly."""
    signs = np.array(list(product((-1.0, 1.0), repeat=2)))
    return np.repeat(signs[:, None], n, axis=1)


def test_elbo_is_log_p_minus_the_kl_to_the_true_posterior():
    model, x = linear_gaussian(), draw(6)
    bound = exact(x) - kl_to_the_true_posterior(model, x)
    for i in range(len(x)):
        row = x[i : i + 1]
        loss, _ = nv.value_and_grad(model, nv.ELBO(n_samples=4), row, quadrature(1))
        np.testing.assert_allclose(-loss, bound[i], rtol=1e-10)
    loss, _ = nv.value_and_grad(model, nv.ELBO(), x, quadrature(6))
    np.testing.assert_allclose(-loss, bound.mean(), rtol=1e-10)
    many = model.elbo(np.repeat(x, 2000, axis=0), seed=1).reshape(6, 2000)
    error = many.std(1, ddof=1) / np.sqrt(2000)
    assert (abs(many.mean(1) - bound) < 4 * error).all()


def test_with_the_true_posterior_every_bound_is_log_p():
    orthogonal = np.array([[1.2, 0.6], [-0.6, 1.2], [0.5, 0.0], [0.0, 0.5]])
    model, x = linear_gaussian(orthogonal, off=0.0), draw(5)
    for n_samples in (1, 3):
        np.testing.assert_allclose(
            nv.log_likelihood(model, x, n_samples), exact(x, orthogonal), rtol=1e-7
        )
    loss, _ = nv.value_and_grad(model, nv.ELBO(), x, quadrature(5))
    np.testing.assert_allclose(-loss, exact(x, orthogonal).mean(), rtol=1e-7)


def test_log_likelihood_comes_close_to_log_p():
    model, x = linear_gaussian(), draw(8)
    np.testing.assert_allclose(nv.log_likelihood(model, x, 20_000, seed=3), exact(x), atol=0.05)


@pytest.mark.slow
def test_more_samples_make_a_tighter_bound():
    model, x = linear_gaussian(off=0.8), draw(4)
    repeats = 1500
    rows = np.repeat(x, repeats, axis=0)
    below = exact(x) - kl_to_the_true_posterior(model, x)  # the ELBO
    for n_samples in (2, 8, 64):
        values = nv.log_likelihood(model, rows, n_samples, seed=n_samples).reshape(4, repeats)
        mean, error = values.mean(1), values.std(1, ddof=1) / np.sqrt(repeats)
        assert (mean - below > 4 * error).all(), n_samples
        assert (mean < exact(x) + 4 * error).all(), n_samples
        below = mean
    loss, _ = nv.value_and_grad(
        model, nv.IWAE(8), rows, model.draw_noise(len(rows), 8, np.random.default_rng(0))
    )
    assert nv.log_likelihood(model, rows, 2).mean() < -loss < exact(x).mean()
    np.testing.assert_allclose(-loss, nv.log_likelihood(model, rows, 8).mean(), atol=0.05)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_log_likelihood_is_its_definition_on_the_documented_noise(likelihood):
    model = nv.VAE(5, 2, hidden=(4,), likelihood=likelihood, dtype="float64", seed=1)
    model.flat += 0.3 * np.random.default_rng(2).normal(size=model.n_params)
    x = (np.random.default_rng(3).random((6, 5)) < 0.5).astype(float)
    mu, logvar = model.encode(x)
    z = mu + np.exp(logvar / 2) * model.draw_noise(
        6, 50, row_streams(x, None, 9, evaluation._DRAWN)
    )
    mean = model.decode(z.reshape(-1, 2)).reshape(50, 6, 5)
    if likelihood == "bernoulli":
        log_px = stats.bernoulli.logpmf(x, mean)
    else:
        log_px = stats.norm.logpdf(x, mean)
    log_w = log_px.sum(-1) + stats.norm.logpdf(z).sum(-1)
    log_w -= stats.norm.logpdf(z, mu, np.exp(logvar / 2)).sum(-1)
    expected = special.logsumexp(log_w, axis=0) - np.log(50)
    np.testing.assert_allclose(nv.log_likelihood(model, x, 50, seed=9), expected, rtol=1e-10)


@pytest.mark.parametrize("block", [1, 6 * 4 * 3, 6 * 4 * 7])
def test_blocks_of_samples_do_not_show(monkeypatch, block):
    model, x = linear_gaussian(), draw(6)
    expected = nv.log_likelihood(model, x, 40, seed=5)
    monkeypatch.setattr(evaluation, "_BLOCK", block)
    np.testing.assert_allclose(nv.log_likelihood(model, x, 40, seed=5), expected, rtol=1e-12)


def test_chunks_of_rows_do_not_change_the_estimate(monkeypatch):
    model, x = linear_gaussian(), draw(30)
    monkeypatch.setattr(evaluation, "_ROWS", 4)
    monkeypatch.setattr(evaluation, "_DRAWS", 1)
    chunked = nv.log_likelihood(model, x, 3000)
    assert chunked.shape == (30,)
    np.testing.assert_allclose(chunked, exact(x), atol=0.15)
    np.testing.assert_allclose(chunked.mean(), exact(x).mean(), atol=0.03)


def test_log_likelihood_is_fixed_by_its_seed():
    model, x = linear_gaussian(), draw(3)
    first = nv.log_likelihood(model, x, 10, seed=1)
    np.testing.assert_array_equal(first, nv.log_likelihood(model, x, 10, seed=1))
    assert not np.array_equal(first, nv.log_likelihood(model, x, 10, seed=2))


def test_log_likelihood_survives_where_every_weight_underflows():
    far = np.full((1, 4), 300.0)  # log p(x) is about -1e5
    model = linear_gaussian()
    np.testing.assert_allclose(nv.log_likelihood(model, far, 2000), exact(far), rtol=0.1)
    assert np.isfinite(nv.log_likelihood(model, far, 1)).all()


def test_active_units_are_those_whose_mean_moves():
    model = nv.VAE(3, 4, hidden=(), dtype="float64")
    x = np.random.default_rng(0).random((500, 3))
    weight = model.params["encoder.layers.0.W"]
    weight[...] = 0
    per_unit = np.sqrt(1 / x[:, 0].var())  # the weight on column 0 that gives a variance of 1
    weight[0, 0] = 0.101 * per_unit
    weight[1, 0] = 0.099 * per_unit
    weight[2, 0] = 2.0 * per_unit
    weight[4:, :] = 1.0  # the log-variances move, which is no use of a dimension
    model.params["encoder.layers.0.b"][3] = 5.0  # a mean that is off but stays
    assert nv.active_units(model, x).tolist() == [True, False, True, False]
    assert nv.active_units(model, x, threshold=0.0097).tolist() == [True, True, True, False]
    assert nv.active_units(model, x, threshold=1.0).tolist() == [False, False, True, False]
    assert nv.active_units(model, x).dtype == bool


def test_a_collapsed_model_has_no_active_unit_and_no_kl():
    model = nv.VAE(3, 2, hidden=(4,), dtype="float64")
    model.params["encoder.layers.1.W"][...] = 0
    x = np.random.default_rng(0).random((50, 3))
    figures = nv.metrics(model, x, n_samples=20)
    assert figures["active_units"] == 0
    assert figures["kl"] == pytest.approx(0, abs=1e-15)


def test_evaluate_gathers_what_the_single_calls_give():
    model, x = linear_gaussian(), draw(12)
    figures = nv.metrics(model, x, n_samples=30, seed=4)
    log_px, kl = model.elbo_terms(x, seed=4)
    log_p, error, effective = nv.log_likelihood(model, x, 30, seed=4, diagnostics=True)
    assert figures == {
        "n": 12,
        "elbo": pytest.approx(model.elbo(x, seed=4).mean()),
        "rec": pytest.approx(-log_px.mean()),
        "kl": pytest.approx(kl.mean()),
        "log_likelihood": pytest.approx(log_p.mean()),
        "log_likelihood_se": pytest.approx(stats.sem(log_p)),
        "n_samples": 30,
        "monte_carlo_se": pytest.approx(np.sqrt((error**2).sum()) / 12),
        "effective_samples": pytest.approx(np.median(effective)),
        "few_effective": (effective < 10).sum(),
        "active_units": 2,
        "z_dim": 2,
    }
    assert figures["elbo"] == pytest.approx(-(figures["rec"] + figures["kl"]))
    assert all(type(v) in (int, float) for v in figures.values())
    assert nv.metrics(model, x[:1], 3)["log_likelihood_se"] is None

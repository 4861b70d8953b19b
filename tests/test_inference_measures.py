"""log p with its diagnostics, refinement, gaps and information, on models where each is known."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from scipy import special, stats

import npvae as nv
from npvae.core.row_streams import row_streams
from npvae.gradcheck.linear_gaussian import (
    LinearGaussian,
    encode_posterior,
    exact_elbo,
    gaussian_kl,
    linear_vae,
)

likelihood = sys.modules[nv.log_likelihood.__module__]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def encoded(rng, off=0.0, axes=True, z_dim=2):
    model = linear_vae(rng, x_dim=5, z_dim=z_dim, scale=0.8, axes=axes)
    encode_posterior(model)
    model.params["encoder.layers.0.b"][...] += off
    return model


def test_diagnostics_by_hand(rng):
    model = encoded(rng, 0.4)
    x = LinearGaussian.of(model).sample(6, rng)
    log_p, error, effective = nv.log_likelihood(model, x, 50, seed=9, diagnostics=True)
    eps = model.draw_noise(6, 50, row_streams(x, None, 9, likelihood._DRAWN))
    log_w = model.forward(x, eps, needs=("log_px", "log_pz", "log_qz"))[0].log_w
    w = np.exp(log_w - log_w.max(0))
    np.testing.assert_allclose(log_p, special.logsumexp(log_w, 0) - math.log(50), rtol=1e-12)
    np.testing.assert_allclose(effective, w.sum(0) ** 2 / (w**2).sum(0), rtol=1e-10)
    np.testing.assert_allclose(error, w.std(0, ddof=1) / math.sqrt(50) / w.mean(0), rtol=1e-10)
    np.testing.assert_array_equal(log_p, nv.log_likelihood(model, x, 50, seed=9))


@pytest.mark.slow
def test_the_standard_error_is_that_of_the_estimate(rng):
    model = encoded(rng, 0.3)
    x = np.repeat(LinearGaussian.of(model).sample(1, rng), 4000, axis=0)
    log_p, error, effective = nv.log_likelihood(model, x, 200, diagnostics=True)
    assert log_p.std() == pytest.approx(np.sqrt((error**2).mean()), rel=0.1)
    assert 10 < effective.mean() < 200
    off = log_p - LinearGaussian.of(model).log_px(x)
    assert abs(off.mean()) < 0.5 * log_p.std()


def test_an_exact_posterior_has_all_samples_effective_and_no_error(rng):
    model = encoded(rng)
    x = LinearGaussian.of(model).sample(3, rng)
    log_p, error, effective = nv.log_likelihood(model, x, 100, diagnostics=True)
    np.testing.assert_allclose(log_p, LinearGaussian.of(model).log_px(x), rtol=1e-7)
    np.testing.assert_allclose(effective, 100, rtol=1e-7)
    np.testing.assert_allclose(error, 0, atol=1e-4)


def test_one_sample_has_no_standard_error(rng):
    model = encoded(rng, 0.3)
    log_p, error, effective = nv.log_likelihood(model, rng.normal(size=(2, 5)), 1, diagnostics=True)
    assert np.isfinite(log_p).all()
    assert np.isnan(error).all()
    np.testing.assert_allclose(effective, 1)


@pytest.mark.parametrize("proposal", ["posterior", "refined", "adaptive", "prior"])
@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_and_threads_change_no_result(proposal, threads, monkeypatch, rng):
    model = encoded(rng, 0.3)
    x = rng.normal(size=(7, 5))
    wanted = nv.log_likelihood(model, x, 60, diagnostics=True, proposal=proposal)
    monkeypatch.setattr(likelihood, "_BLOCK", 7 * 5 * 8)
    monkeypatch.setattr("npvae.core.threads.usable_cores", lambda: threads)
    found = nv.log_likelihood(model, x, 60, diagnostics=True, proposal=proposal)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


@pytest.mark.parametrize("proposal", ["refined", "prior"])
def test_other_proposals_come_to_the_same(proposal, rng):
    model = encoded(rng, 0.2)
    x = LinearGaussian.of(model).sample(4, rng)
    log_p, error, _ = nv.log_likelihood(model, x, 20_000, diagnostics=True, proposal=proposal)
    assert (error < 0.2).all()
    assert (np.abs(log_p - LinearGaussian.of(model).log_px(x)) < 4 * error + 1e-4).all()


@pytest.mark.parametrize("prior", ["mixture:n_components=3", "vamp:n_components=3", "conditional"])
def test_rows_are_refined_under_every_prior(prior, rng):
    x = rng.normal(size=(6, 5))
    given = {"context": rng.normal(size=(6, 2))} if prior == "conditional" else {}
    model = nv.VAE(5, 2, likelihood="gaussian", prior=prior, context_dim=2 * len(given))
    fitted = nv.refine(model, x, steps=40, **given)
    assert all(np.isfinite(each).all() for each in fitted)
    plain, better = (
        nv.log_likelihood(model, x, 400, diagnostics=True, proposal=proposal, **given)
        for proposal in ("posterior", "refined")
    )
    assert better[2].mean() > plain[2].mean()


def test_naive_monte_carlo_fails_in_many_dimensions(rng):
    """Of draws from the prior one carries all the weight, and log p(x) comes out far too low."""
    model = linear_vae(rng, x_dim=30, z_dim=12, scale=0.3, axes=True)
    encode_posterior(model)
    exact = LinearGaussian.of(model)
    x = exact.sample(5, rng)
    naive, _, few = nv.log_likelihood(model, x, 2000, diagnostics=True, proposal="prior")
    good, _, many = nv.log_likelihood(model, x, 2000, diagnostics=True)
    assert (few < 10).all()
    assert (many > 1900).all()
    assert (naive < exact.log_px(x) - 10).all()
    np.testing.assert_allclose(good, exact.log_px(x), atol=0.01)


def test_rows_of_few_effective_samples_are_refined(rng):
    """Where the encoder is far off log p(x) is exact all the same; other rows stay as they were."""
    model = linear_vae(rng, x_dim=8, z_dim=3, scale=0.3, axes=True)
    encode_posterior(model)
    exact = LinearGaussian.of(model)
    x = exact.sample(6, rng)
    gain = model.params["encoder.layers.0.W"]
    gain[:3] += np.linalg.norm(gain) * rng.normal(size=gain[:3].shape) * np.array([[1], [0], [0]])
    plain, _, before = nv.log_likelihood(model, x, 500, diagnostics=True)
    log_p, error, after = nv.log_likelihood(model, x, 500, diagnostics=True, proposal="adaptive")
    few = before < 10
    assert few.any()
    np.testing.assert_array_equal(log_p[~few], plain[~few])
    assert (after[few] > 10).all()
    assert (np.abs(log_p - exact.log_px(x))[few] < 4 * error[few] + 1e-3).all()
    assert nv.metrics(model, x, 500)["few_effective"] == (after < 10).sum()
    few_samples = nv.log_likelihood(model, x, 50, proposal="adaptive")
    np.testing.assert_array_equal(few_samples, nv.log_likelihood(model, x, 50))


def test_adaptive_takes_the_posterior_where_it_cannot_be_refined(rng):
    model = nv.VAE(5, 2, hidden=(4,), posterior="planar:n=2")
    x = rng.random((4, 5))
    log_p = nv.log_likelihood(model, x, 200, proposal="adaptive")
    np.testing.assert_array_equal(log_p, nv.log_likelihood(model, x, 200))


def test_an_unknown_proposal_is_refused(rng):
    with pytest.raises(
        nv.ConfigError, match="one of posterior, refined, adaptive, prior; got 'uniform'"
    ):
        nv.log_likelihood(encoded(rng), rng.normal(size=(2, 5)), proposal="uniform")


@pytest.mark.parametrize("from_encoder", [True, False])
def test_refine_finds_the_best_gaussian(from_encoder, rng):
    """On the linear model that is known: the posterior's mean, and 1/P_jj as variances."""
    model = linear_vae(rng, x_dim=5, z_dim=3, scale=0.8)
    x, exact = rng.normal(size=(6, 5)), LinearGaussian.of(model)
    mu, logvar = nv.refine(model, x, steps=800, lr=0.05, from_encoder=from_encoder)
    np.testing.assert_allclose(mu, exact.posterior_mean(x), atol=0.05)
    wanted = -np.log(np.diag(exact.precision))
    np.testing.assert_allclose(logvar, np.tile(wanted, (6, 1)), atol=0.25)
    np.testing.assert_allclose(logvar.mean(0), wanted, atol=0.07)


@pytest.mark.parametrize("prior", ["standard", "mixture"])
@pytest.mark.parametrize("context_dim", [0, 2])
def test_refines_gradient(prior, context_dim, rng):
    """Against central differences of each row's own bound, with the noise held."""
    from npvae.evaluate import refine

    module = sys.modules[refine.__module__]
    model = nv.VAE(
        4, 2, hidden=(5,), activation="tanh", prior=prior, dtype="float64", context_dim=context_dim
    )
    model.flat += 0.2 * rng.normal(size=model.n_params)
    x, context = rng.random((3, 4)), rng.normal(size=(3, 2)) if context_dim else None
    params, eps = tuple(rng.normal(size=(2, 3, 2))), rng.normal(size=(4, 3, 2))
    level = model.levels[0]

    def bound(mu, logvar):
        z = mu + np.exp(0.5 * logvar) * eps
        log_px = likelihood.log_px(model, z, x, context).mean(0)
        if level.kl is not None:
            return -log_px + level.kl.forward(mu, logvar)[0][0].sum(-1)
        log_qz = stats.norm.logpdf(z, mu, np.exp(0.5 * logvar)).sum(-1)
        return -log_px + (log_qz - level.prior.forward(z)[0]).mean(0)

    worker = model.with_gradients(np.zeros_like(model.flat))
    found = module.row_gradients(worker, worker.levels[0], params, eps, x, context, ())
    for which, at in ((0, (1, 0)), (0, (2, 1)), (1, (0, 1)), (1, (2, 0))):
        ends = []
        for sign in (1, -1):
            moved = [p.copy() for p in params]
            moved[which][at] += sign * 1e-6
            ends.append(bound(*moved)[at[0]])
        wanted = (ends[0] - ends[1]) / 2e-6
        assert found[which][at] == pytest.approx(wanted, rel=1e-6, abs=1e-8)


def test_refine_leaves_the_model_as_it_is_and_keeps_to_its_seed(rng):
    model = encoded(rng, 0.3)
    x, before = rng.normal(size=(3, 5)), model.flat.copy()
    one, other = (nv.refine(model, x, steps=5, seed=4) for _ in range(2))
    np.testing.assert_array_equal(model.flat, before)
    np.testing.assert_array_equal(one, other)
    start = nv.refine(model, x, steps=0)
    np.testing.assert_array_equal(start, model.encode(x))
    np.testing.assert_array_equal(nv.refine(model, x, steps=0, from_encoder=False), 0)


def test_refine_is_for_one_gaussian_level(rng):
    x = rng.random((2, 4))
    flows = nv.VAE(4, 2, hidden=(3,), posterior="planar:n=2")
    for call in (nv.refine, nv.information, nv.inference_gap):
        with pytest.raises(nv.ConfigError, match="one latent level and posterior='gaussian'"):
            call(flows, x)
    for model in (nv.Autoencoder(4, 2, hidden=(3,)), nv.HierarchicalVAE(4, (2, 2), hidden=(3,))):
        with pytest.raises(nv.ConfigError, match=f"this one has {len(model.levels)} levels"):
            nv.refine(model, x)


def test_the_gap_and_its_parts_where_they_are_known(rng):
    model = encoded(rng, 0.3, axes=False)
    exact = LinearGaussian.of(model)
    x = exact.sample(12, rng)
    found = nv.inference_gap(model, x, n_samples=3000, steps=400)
    best = np.diag(exact.precision)
    approximation = gaussian_kl(
        exact.posterior_mean(x), np.tile(1 / best, (12, 1)), exact.posterior_mean(x),
        exact.precision,
    ).mean()  # fmt: skip
    gap = (exact.log_px(x) - exact_elbo(model, x)).mean()
    assert found["gap"] == pytest.approx(gap, abs=0.15)
    assert found["approximation"] == pytest.approx(approximation, abs=0.1)
    assert found["amortisation"] == pytest.approx(gap - approximation, abs=0.15)
    assert found["gap"] == pytest.approx(found["amortisation"] + found["approximation"], rel=1e-9)


def test_rate_and_distortion_are_the_elbos_terms(rng):
    model = encoded(rng, 0.3)
    x = rng.normal(size=(9, 5))
    rate, distortion = nv.rate_distortion(model, x, n_samples=3, seed=2)
    log_px, kl = model.elbo_terms(x, 3, 2)
    assert (rate, distortion) == (kl.mean(), -log_px.mean())


def test_information_by_explicit_pairs(rng):
    model = encoded(rng, 0.3)
    x = rng.normal(size=(7, 5))
    found = nv.information(model, x, seed=3)
    mu, logvar = model.encode(x)
    std = np.exp(0.5 * logvar)
    z = mu + std * np.random.default_rng(3).standard_normal(mu.shape)
    low, high = [], []
    for i in range(7):
        each = np.array([stats.norm.logpdf(z[i], mu[j], std[j]).sum() for j in range(7)])
        low.append(each[i] - special.logsumexp(each) + math.log(7))
        high.append(each[i] - special.logsumexp(np.delete(each, i)) + math.log(6))
    assert found["mutual_information"] == pytest.approx(np.mean(low), rel=1e-12)
    assert found["mutual_information_at_most"] == pytest.approx(np.mean(high), rel=1e-12)
    kl = model.elbo_terms(x)[1].mean()
    assert found["kl"] == pytest.approx(kl, rel=1e-12)
    assert found["marginal_kl"] == pytest.approx(kl - np.mean(low), rel=1e-12)
    assert found["log_n"] == math.log(7)


def test_information_of_gaussians_whose_answer_is_known():
    """x ~ N(0, C), mu = A x: q(z) is Gaussian, and so I(x; z) and KL(q(z) ‖ p(z)) closed forms."""
    rng, n = np.random.default_rng(0), 3000
    model = linear_vae(rng, x_dim=5, z_dim=2, scale=0.8)
    layer = model.encoder.layers[0]
    layer.W[...] = np.vstack([0.5 * rng.normal(size=(2, 5)), np.zeros((2, 5))])
    layer.b[...] = [0.0, 0.0, -1.0, -0.5]
    x = rng.normal(size=(n, 5))
    noise = np.diag(np.exp([-1.0, -0.5]))
    whole = layer.W[:2] @ layer.W[:2].T + noise
    mutual = 0.5 * (np.linalg.slogdet(whole)[1] - np.linalg.slogdet(noise)[1])
    marginal = 0.5 * (np.trace(whole) - 2 - np.linalg.slogdet(whole)[1])
    found = nv.information(model, x)
    assert found["mutual_information"] == pytest.approx(mutual, abs=0.05)
    assert found["mutual_information_at_most"] == pytest.approx(mutual, abs=0.05)
    assert found["mutual_information"] < found["mutual_information_at_most"]
    assert found["marginal_kl"] == pytest.approx(marginal, abs=0.05)


def test_blocks_do_not_change_the_information(monkeypatch, rng):
    model = encoded(rng, 0.3)
    x = rng.normal(size=(9, 5))
    wanted = nv.information(model, x)
    monkeypatch.setattr(sys.modules[nv.information.__module__], "_BLOCK", 9 * 2 * 2)
    assert nv.information(model, x) == pytest.approx(wanted, rel=1e-12)


def test_metrics_tell_of_the_sampling(rng):
    model = encoded(rng, 0.4)
    x = LinearGaussian.of(model).sample(8, rng)
    figures = nv.metrics(model, x, n_samples=30)
    _, error, effective = nv.log_likelihood(model, x, 30, diagnostics=True)
    assert figures["monte_carlo_se"] == pytest.approx(math.sqrt((error**2).sum()) / 8)
    assert figures["effective_samples"] == np.median(effective)
    assert figures["few_effective"] == (effective < 10).sum()

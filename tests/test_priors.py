"""Mixture and VampPrior: values against SciPy, whole models against exact ones, and training."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import npvae as nv
from npvae.core import bind, n_parameters
from npvae.core.errors import ConfigError
from npvae.priors import PseudoInputs

K, B, M, Z = 4, 3, 5, 2
LEARNT = ["mixture", "vamp"]
each_learnt = pytest.mark.parametrize("prior", LEARNT)


@pytest.fixture
def rng():
    return np.random.default_rng(17)


def mixture(n_components, z_dim, rng):
    """With random parameters."""
    prior = nv.Mixture(n_components)
    prior.build(z_dim, 7)
    prior.allocate(rng)
    prior.logvar += 0.7 * rng.normal(size=prior.logvar.shape)
    prior.logits += rng.normal(size=prior.logits.shape)
    return prior


def log_mixture(z, mu, logvar, logits):
    """SciPy's, of any z (..., Z)."""
    log_n = stats.norm.logpdf(z[..., None, :], mu, np.sqrt(np.exp(logvar))).sum(-1)
    return special.logsumexp(special.log_softmax(logits) + log_n, axis=-1)


def small(prior, **options):
    options = {"hidden": (5,), "dtype": "float64", "activation": "tanh", "seed": 4, **options}
    return nv.VAE(6, Z, prior=prior, **options)


def binary(n=8, d=6):
    return (np.random.default_rng(0).random((n, d)) < 0.4).astype(float)


@pytest.mark.parametrize("far", [1, 60])
def test_mixture_is_scipy_s(far, rng):
    """60 standard deviations out, where every component's density is 0 in float64, too."""
    prior, z = mixture(M, Z, rng), far * rng.normal(size=(K, B, Z))
    want = log_mixture(z, prior.mu, prior.logvar, prior.logits)
    np.testing.assert_allclose(prior.forward(z)[0], want, rtol=1e-12)


@pytest.mark.parametrize("far", [1, 60])
def test_vamp_is_scipy_s_with_equal_weights(far, rng):
    z, mu, logvar = far * rng.normal(size=(K, B, Z)), *rng.normal(size=(2, M, Z))
    want = log_mixture(z, mu, logvar, np.zeros(M))
    np.testing.assert_allclose(nv.VampPrior(M).forward(z, mu, logvar)[0], want, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_standard_component_is_the_standard_normal_exactly(dtype, rng):
    z, d = rng.normal(0, 4, (K, B, Z)).astype(dtype), rng.normal(size=(K, B))
    one, standard = nv.Mixture(1), nv.StandardNormal()
    one.build(Z, 7)
    one.allocate(rng, dtype)
    one.mu[...] = one.logvar[...] = 0
    one.logits += 3  # a single weight is 1, whatever its logit
    nought = np.zeros((1, Z), dtype)
    pairs = [(one, ()), (nv.VampPrior(1), (nought, nought))]
    log_p, cache = standard.forward(z)
    for prior, components in pairs:
        ours, ours_cache = prior.forward(z, *components)
        np.testing.assert_array_equal(ours, log_p)
        bind(prior, np.zeros(5, dtype)[: n_parameters(prior)], "d")
        dz = prior.backward(ours_cache, d)
        dz = dz[0] if components else dz
        np.testing.assert_array_equal(dz, standard.backward(cache, d))


def test_samples_are_of_the_mixture(rng):
    prior, n = mixture(3, 1, rng), 20_000
    prior.mu[:, 0] = [-20, 0, 30]  # so far apart that each sample tells its component
    z = prior.sample(n, 1, rng)
    nearest = np.abs(z - prior.mu[:, 0]).argmin(1)
    counts = np.bincount(nearest, minlength=3)
    assert stats.chisquare(counts, n * special.softmax(prior.logits)).pvalue > 1e-3
    for m in range(3):
        own = stats.norm(prior.mu[m, 0], np.exp(prior.logvar[m, 0] / 2))
        assert stats.kstest(z[nearest == m, 0], own.cdf).pvalue > 1e-3


def test_the_mixture_starts_with_a_variance_of_about_1_and_means_apart():
    prior = small(nv.Mixture(2000)).prior
    variance = prior.mu.var(0) + np.exp(prior.logvar).mean(0)
    np.testing.assert_allclose(variance, 1, atol=0.05)
    assert len(np.unique(prior.mu[:, 0])) == 2000


def test_log_likelihood_of_a_linear_model_with_a_mixture_prior(rng):
    """x = W z + b + s noise with z from the mixture is a mixture of Gaussians too."""
    model = nv.VAE(4, Z, hidden=(), likelihood=nv.Gaussian(0.8), prior=nv.Mixture(3),
                   dtype="float64")  # fmt: skip
    p = model.params
    p["prior.mu"] *= 1.5
    p["prior.logits"] += [0.0, 1.0, -0.5]
    W, b = rng.normal(size=(4, Z)), rng.normal(size=4)
    p["decoder.layers.0.W"][...], p["decoder.layers.0.b"][...] = W, b
    p["encoder.layers.0.W"][...] = 0
    p["encoder.layers.0.b"][...] = [0, 0, 1, 1]  # as broad as the prior
    x = model.decode(model.prior.sample(6, Z, rng)) + 0.8 * rng.normal(size=(6, 4))
    components = [
        stats.multivariate_normal(W @ mu + b, W @ np.diag(np.exp(v)) @ W.T + 0.64 * np.eye(4))
        for mu, v in zip(p["prior.mu"], p["prior.logvar"], strict=True)
    ]
    log_w = special.log_softmax(p["prior.logits"])
    exact = special.logsumexp([w + c.logpdf(x) for w, c in zip(log_w, components, strict=True)], 0)
    estimates = np.array([nv.log_likelihood(model, x, 20_000, seed=s) for s in range(5)])
    error = estimates.std(0, ddof=1)
    assert error.max() < 0.05
    assert (np.abs(estimates.mean(0) - exact) < 4.5 * error / np.sqrt(5) + 1e-3).all()


def test_the_sampled_kl_is_the_closed_form_within_standard_errors():
    """Of two models that are one, since the mixture is the standard normal."""
    closed, sampled = small("standard"), small(nv.Mixture(1))
    for name, value in closed.params.items():
        sampled.params[name][...] = value
    sampled.params["prior.mu"][...] = sampled.params["prior.logvar"][...] = 0
    x = binary()
    rec, kl = closed.elbo_terms(x, n_samples=3)
    same_rec, _ = sampled.elbo_terms(x, n_samples=3)
    np.testing.assert_allclose(same_rec, rec, rtol=1e-13)
    draws = np.array([sampled.elbo_terms(x, 50, seed)[1] for seed in range(40)])
    error = draws.std(0, ddof=1) / np.sqrt(40)
    assert (np.abs(draws.mean(0) - kl) < 4.5 * error).all()
    eps = closed.draw_noise(len(x), 4000, np.random.default_rng(1))
    loss, gradients = nv.value_and_grad(closed, nv.ELBO(1.5), x, eps)
    other, others = nv.value_and_grad(sampled, nv.ELBO(1.5), x, eps)
    assert other == pytest.approx(loss, rel=0.02)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(others[name], gradient, atol=0.05 * np.abs(gradient).max())


@each_learnt
@pytest.mark.parametrize("context_dim", [0, 3])
def test_the_terms_of_a_model_are_those_of_its_parts(prior, context_dim, rng):
    model = small(prior, context_dim=context_dim, likelihood="gaussian")
    model.flat += 0.3 * rng.normal(size=model.n_params)
    x, context = binary(), rng.normal(size=(8, 3)) if context_dim else None
    eps = model.draw_noise(8, 3, rng)
    terms, _ = model.forward(x, eps, context)
    mu, logvar = model.encode(x, context)
    z, p = mu + np.exp(logvar / 2) * eps, model.params
    if prior == "vamp":
        u = p["prior.pseudo_inputs.u"]
        assert u.shape == (50, 6 + context_dim)
        components = *model.encode(u[:, :6], u[:, 6:] if context_dim else None), np.zeros(50)
    else:
        components = p["prior.mu"], p["prior.logvar"], p["prior.logits"]
    log_pz = log_mixture(z, *components)
    log_qz = stats.norm.logpdf(z, mu, np.exp(logvar / 2)).sum(-1)
    (level,) = terms.levels
    assert level.kl is None
    np.testing.assert_allclose(level.log_pz, log_pz, rtol=1e-12)
    np.testing.assert_allclose(level.log_qz, log_qz, rtol=1e-12)
    np.testing.assert_allclose(terms.kl_per_row, log_qz - log_pz, rtol=1e-10)
    losses, _ = nv.ELBO(2.0)(terms)
    np.testing.assert_allclose(losses.kl, (log_qz - log_pz).mean(), rtol=1e-12)
    np.testing.assert_allclose(losses.loss, losses.rec + 2 * losses.kl, rtol=1e-14)


@each_learnt
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("context_dim", [0, 3])
def test_every_method_with_a_learnt_prior(prior, dtype, context_dim, tmp_path, rng):
    model, x = small(prior, dtype=dtype, context_dim=context_dim), binary()
    context = rng.normal(size=(8, 3)) if context_dim else None
    nv.fit(model, x, context=context, epochs=1, batch_size=5, valid=(x, context))
    nv.save(model, tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz")
    assert again.config == model.config
    one = None if context is None else context[0]
    new = model.sample(5, context=one)
    for twin in (again, model.copy()):
        np.testing.assert_array_equal(twin.sample(5, context=one), new)
        np.testing.assert_array_equal(twin.elbo(x, context=context), model.elbo(x, context=context))
    assert new.shape == (5, 6)
    assert new.dtype == dtype
    assert nv.log_likelihood(model, x, 7, context=context).shape == (8,)
    rec, kl = model.elbo_terms(x, 4, context=context)
    np.testing.assert_array_equal(model.elbo(x, 4, context=context), rec - kl)


def test_by_name_by_object_and_by_config():
    for choice in (nv.Mixture(3), {"name": "mixture", "n_components": 3}):
        assert small(choice).config["prior"] == {"name": "mixture", "n_components": 3}
    assert small("vamp").config["prior"] == {"name": "vamp", "n_components": 50}
    with pytest.raises(ConfigError, match="n_components is a whole number, 1 or more; got 0"):
        nv.Mixture(0)
    with pytest.raises(ConfigError, match=r"n_components is a whole number, 1 or more; got 2\.5"):
        nv.VampPrior(2.5)


@each_learnt
def test_one_object_serves_several_models(prior):
    given = nv.registered("prior")[prior](3)
    first, second = small(given), nv.VAE(9, 4, prior=given)
    third = nv.VAE(7, 3, prior=first.prior)
    for model, x_dim in ((first, 6), (second, 9), (third, 7)):
        assert all(np.shares_memory(p, model.flat) for p in model.params.values())
        assert model.copy().n_params == model.n_params
        assert model.sample(2).shape == (2, x_dim)
    assert n_parameters(given) == 0


@each_learnt
def test_free_bits_need_a_closed_form(prior):
    message = "free bits need the KL per latent dimension in closed form"
    with pytest.raises(ConfigError, match=message):
        nv.fit(small(prior, dtype="float32"), binary(), objective=nv.ELBO(free_bits=0.1))


def test_pseudo_inputs_start_from_training_rows_and_only_once():
    x = np.random.default_rng(3).uniform(0.2, 1, (30, 6))
    model = small(nv.VampPrior(4))
    u = model.params["prior.pseudo_inputs.u"]
    assert 0 < np.abs(u).max() < PseudoInputs.START
    nv.fit(model, x, epochs=0)
    distances = np.abs(u[:, None] - x[None]).max(-1)
    assert (distances.min(1) < PseudoInputs.START).all()
    assert len(set(distances.argmin(1))) == 4
    u += 0.5
    before = u.copy()
    nv.fit(model, x[::-1], epochs=0)
    np.testing.assert_array_equal(u, before)


def test_more_pseudo_inputs_than_rows_stay_apart():
    model = small(nv.VampPrior(7))
    nv.fit(model, binary(3), epochs=0)
    u = model.params["prior.pseudo_inputs.u"]
    np.testing.assert_allclose(u[3:6], u[:3], atol=2 * PseudoInputs.START)
    assert len(np.unique(u[:, 0])) == 7


@each_learnt
@pytest.mark.parametrize("objective", [nv.ELBO(), nv.IWAE(3)], ids=["elbo", "iwae"])
def test_fit_trains_the_prior(prior, objective):
    x, _ = nv.datasets.digits()
    model = nv.VAE(64, 4, hidden=(32,), prior=prior)
    nv.fit(model, x[:300], epochs=0)
    before = model.copy().params
    history = nv.fit(model, x[:300], epochs=40, batch_size=50, lr=3e-3, objective=objective)
    records = history.records
    assert records[-1]["train_loss"] < records[0]["train_loss"] - 1
    for name, value in model.params.items():
        assert np.isfinite(value).all()
        assert (value != before[name]).any(), name


def test_blocks_of_importance_samples_count_the_components():
    assert small("standard").largest_row == 6
    assert small(nv.VampPrior(40)).largest_row == 40

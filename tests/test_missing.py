"""Missing entries, NaN in x: likelihoods leave them out, models with missing="mask" take them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from proofs import each_proof

import npvae as nv
from npvae.core import registered
from npvae.gradcheck import check_gradients

library = {n: c for n, c in registered("likelihood").items() if c.__module__.startswith("npvae.")}
each_likelihood = pytest.mark.parametrize("cls", library.values(), ids=library)


def example(cls, seed=5):
    """A likelihood, theta, x and where to make x missing: one row as a whole, one not at all."""
    likelihood, (theta, x) = cls.example(np.random.default_rng(seed))
    theta, x = (np.concatenate([a, a, a], axis=-2) for a in (theta, x))
    missing = np.zeros(x.shape, bool)
    missing[0], missing[1:3, 0], missing[4, -1] = True, True, True
    if cls is nv.OneHot:  # of whose groups each is one label
        missing[1:3, :3], missing[4, 3:] = True, True
    return likelihood, theta, x, missing


@each_likelihood
def test_every_likelihood_of_npvae_takes_them(cls):
    assert example(cls)[0].takes_missing


@pytest.mark.smoke(6)
@each_likelihood
@each_proof
def test_gradients_with_missing_entries(cls, methods):
    likelihood, theta, x, missing = example(cls)
    report = check_gradients(likelihood, (theta, np.where(missing, np.nan, x)), methods=methods)
    assert report.ok, str(report)


@each_likelihood
def test_log_prob_with_missing_entries(cls):
    """A row whose entries all are missing says nothing; the others are as they are alone."""
    likelihood, theta, x, missing = example(cls)
    gaps = np.where(missing, np.nan, x)
    likelihood.check(gaps)
    log_px = likelihood.log_prob(theta, gaps)
    np.testing.assert_array_equal(log_px[:, 0], 0)
    whole = ~missing.any(-1)
    np.testing.assert_array_equal(log_px[:, whole], likelihood.log_prob(theta, x)[:, whole])
    assert (log_px[:, 1:] != 0).all()
    assert np.isfinite(log_px).all()


@each_likelihood
def test_an_entry_outside_the_support_is_found_beside_missing_ones(cls):
    likelihood, _, x, missing = example(cls)
    if type(likelihood).real or cls is nv.Transformed:
        return  # every number is in its support
    x = np.where(missing, np.nan, x)
    x[5, 1] = 7.5
    with pytest.raises(nv.DataError):
        likelihood.check(x)
    likelihood.check(np.full_like(x, np.nan))


def test_a_label_in_one_hot_columns_is_missing_as_a_whole():
    x = np.array([[1.0, 0.0, np.nan], [0.0, 1.0, 0.0]])
    with pytest.raises(nv.DataError, match="single 1 among zeros"):
        nv.OneHot().check(x)


@each_likelihood
def test_features_are_what_an_encoder_can_take(cls):
    likelihood, _, x, missing = example(cls)
    features = likelihood.features(np.where(missing, np.nan, x))
    assert features.shape == (len(x), likelihood.n_features(x.shape[1]))
    assert np.isnan(features[0]).all()
    assert np.isfinite(features[5]).all()
    want = [True, False, False, True] if cls is nv.Mixed else [cls.real] * x.shape[1]
    np.testing.assert_array_equal(likelihood.real_columns(x.shape[1]), want)


def test_features_of_counts_and_labels():
    x = np.array([[2.0, 0.0]])
    np.testing.assert_allclose(nv.Poisson().features(x), np.log([[3, 1]]))
    np.testing.assert_array_equal(nv.Categorical((3, 2)).features(x), [[0, 0, 1, 1, 0]])
    model = nv.VAE(2, 1, hidden=(4,), likelihood=nv.Categorical((3, 2)), context_dim=2)
    assert model.params["encoder.layers.0.W"].shape == (4, 5 + 2)


# Models


def correlated(n, d=8, seed=0):
    """Columns that two latent numbers explain, but for a noise of 0.3."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ np.random.default_rng(9).normal(size=(2, d))
    return x + 0.3 * rng.normal(size=(n, d))


def with_gaps(x, share=0.2, seed=1):
    return np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x)


def small(**options):
    given = {"likelihood": nv.GaussianColumnScale(), "hidden": (6,), "missing": "mask", **options}
    return nv.VAE(8, 2, **given)


def test_the_encoder_is_given_zeros_and_a_mask():
    x = with_gaps(correlated(5))
    model = small(hidden=(), dtype="float64", context_dim=1)
    context = np.arange(5.0)[:, None]
    known = ~np.isnan(x)
    given = np.hstack([np.where(known, x, 0), known, context])
    W, b = model.params["encoder.layers.0.W"], model.params["encoder.layers.0.b"]
    assert W.shape == (4, 8 + 8 + 1)
    mu, logvar = model.encode(x, context)
    stats = given @ W.T + b
    np.testing.assert_allclose(mu, stats[:, :2], rtol=1e-12)
    np.testing.assert_allclose(logvar, stats[:, 2:], atol=1e-7)  # but for its bounds


@pytest.mark.smoke
@pytest.mark.parametrize("prior", ["standard", nv.VampPrior(3)], ids=["standard", "vamp"])
@pytest.mark.parametrize("cls", [nv.Bernoulli, nv.Poisson, nv.Categorical, nv.GaussianColumnScale])
def test_gradients_of_models(cls, prior):
    model = small(likelihood=cls(), prior=prior, hidden=(3,), activation="tanh", dtype="float64")
    rng = np.random.default_rng(2)
    x = with_gaps((rng.random((4, 8)) < 0.5).astype(float))
    for objective in (nv.ELBO(), nv.IWAE(2)):
        eps = model.draw_noise(4, objective.n_samples, rng)
        report = check_gradients(model, (x, eps), objective=objective, methods=["complex"])
        assert report.ok, str(report)


def test_log_p_of_a_model_is_that_of_the_known_columns():
    x = correlated(4)
    x[:, 5:] = np.nan
    model = small(dtype="float64")
    theta = model.decoder.forward(model.encode(x)[0])[0]
    log_px = model.likelihood.log_prob(theta, x)
    own = nv.GaussianColumnScale()
    own.declare(5)
    own.allocate(np.random.default_rng(0))
    np.testing.assert_allclose(log_px, own.log_prob(theta[:, :5], x[:, :5]))
    assert np.isfinite(model.elbo_terms(x)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_from_fit_to_file(dtype, tmp_path):
    x = with_gaps(correlated(150))
    model = small(dtype=dtype)
    history = nv.fit(model, x[:100], valid=x[100:], epochs=3, checkpoint=tmp_path / "run.npz")
    losses = [record["valid_loss"] for record in history.records]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    model = nv.load(tmp_path / "run.npz")
    assert model.config["missing"] == "mask"
    twin = nv.VAE(**json.loads(json.dumps(model.config)), parameters=model.params)
    np.testing.assert_array_equal(twin.elbo(x), model.elbo(x))
    filled = np.where(np.isnan(x), model.reconstruct(x), x)
    assert np.isfinite(filled).all()
    assert np.isfinite(nv.log_likelihood(model, x, n_samples=20)).all()
    figures = nv.metrics(model, x, n_samples=20)
    assert figures["elbo"] <= figures["log_likelihood"] + 0.5


def test_training_is_the_same_eagerly_and_in_compiled_steps():
    """In float32, of which `fit` may capture the steps, and from an array of either type."""
    x = with_gaps(correlated(200)).astype("float32")
    models = [small(), small(), small()]
    for model, data in zip(models, (x, x.astype("float64"), x), strict=True):
        nv.use_kernels("numpy" if model is models[2] else None)
        nv.fit(model, data, epochs=2, batch_size=60)
    nv.use_kernels(None)
    for model in models[1:]:
        np.testing.assert_allclose(model.flat, models[0].flat, rtol=1e-3, atol=1e-4)


def test_held_out_entries_are_better_than_the_column_means():
    x = correlated(400)
    gaps = with_gaps(x)
    hidden = np.isnan(gaps)
    model = small(hidden=(16,), activation="tanh")
    nv.fit(model, gaps, epochs=60, lr=1e-2, batch_size=100)
    error = (model.reconstruct(gaps) - x)[hidden]
    of_means = (np.nanmean(gaps, axis=0) - x)[hidden]
    assert np.mean(error**2) < 0.4 * np.mean(of_means**2)


def test_the_start_is_the_mean_of_what_is_known():
    x = with_gaps(correlated(50) + 100, share=0.5)
    model = small()
    nv.fit(model, x, epochs=0)
    bias = model.params["decoder.layers.1.b"]
    np.testing.assert_allclose(bias, np.nanmean(x, axis=0), rtol=1e-6)


# What is refused


def refused(function, *fragments, error=nv.DataError):
    with pytest.raises(error) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message, message


def test_without_a_mask_nan_is_refused_and_the_fix_is_named():
    x = correlated(5)
    x[3, 2] = np.nan
    model = small(missing=None)
    for use in (model.encode, model.elbo, lambda x: nv.fit(model, x)):
        refused(lambda use=use: use(x), "nan in row 3, column 2", "missing='mask'")


def test_infinity_is_refused_with_a_mask_too():
    x = with_gaps(correlated(5))
    x[3, 2] = -np.inf
    for use in (small().encode, small().elbo, lambda x: nv.fit(small(), x)):
        refused(lambda use=use: use(x), "-inf in row 3, column 2")


def test_a_context_and_a_latent_vector_are_never_missing():
    model = small(context_dim=1)
    refused(lambda: model.decode(np.full((2, 2), np.nan), np.zeros((2, 1))), "z needs finite")
    refused(lambda: model.encode(correlated(2), np.full((2, 1), np.nan)), "context needs finite")


def test_a_column_that_is_all_missing_is_named():
    x = with_gaps(correlated(20))
    x[:, 6] = np.nan
    model = small()
    refused(lambda: nv.fit(model, x), "column 6", "missing in every row", "Drop")
    model.elbo(x)  # once trained, it may be so
    nv.fit(model, correlated(20), valid=x, epochs=1)


@pytest.mark.parametrize("missing", ["masked", True, 0, "none"])
def test_other_ways_to_take_them(missing):
    refused(lambda: small(missing=missing), "'mask'", repr(missing), error=nv.ConfigError)


def test_a_likelihood_that_does_not_say_that_it_takes_them():
    class Plain(nv.Likelihood, abstract=True):
        name = "plain"
        mean = sample = forward = backward = None

    refused(
        lambda: small(likelihood=Plain()), "'plain'", "takes_missing = True", error=nv.ConfigError
    )
    small(likelihood=Plain(), missing=None)

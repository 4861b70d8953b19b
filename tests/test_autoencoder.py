"""The autoencoder: its gradient, and PCA, which a linear one is."""

from __future__ import annotations

import numpy as np
import pytest
from proofs import each_proof

import npvae as nv
from npvae.gradcheck import check_gradients


@pytest.mark.parametrize("noise", [0.0, 0.3])
@each_proof
def test_the_gradient(noise, methods):
    rng = np.random.default_rng(0)
    model = nv.Autoencoder(
        6, 2, hidden=(5,), noise=noise, activation="tanh", missing="mask", context_dim=2,
        dtype="float64",
    )  # fmt: skip
    model.flat += 0.3 * rng.normal(size=model.n_params)
    x, context = rng.random((4, 6)), rng.normal(size=(4, 2))
    x[0, 1] = np.nan
    eps = model.draw_noise(4, 2, rng)
    report = check_gradients(
        model, (x, eps, context), objective="elbo:n_samples=2", methods=methods
    )
    assert report.ok, str(report)


def test_a_linear_one_is_pca():
    """Its squared error comes down to that of the first principal components."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(400, 5))
    model = nv.Autoencoder(5, 2, hidden=(), likelihood="gaussian", dtype="float64")
    nv.fit(model, x, epochs=150, batch_size=50, lr=1e-2)
    error = ((x - model.reconstruct(x)) ** 2).sum()
    least = (np.linalg.svd(x - x.mean(0), compute_uv=False)[2:] ** 2).sum()
    assert least <= error < 1.02 * least


def test_noise_is_added_to_the_features_alone():
    """In training; what people encode has none."""
    model = nv.Autoencoder(3, 2, hidden=(), noise=0.5, missing="mask", dtype="float64")
    inputs = np.arange(12.0).reshape(2, 6)
    eps = model.draw_noise(2, 4000, np.random.default_rng(0))
    noisy = model._noisy(inputs, eps)
    assert eps.shape == noisy.shape == (4000, 2, 6)
    np.testing.assert_array_equal(noisy[..., 3:], np.broadcast_to(inputs[:, 3:], (4000, 2, 3)))
    np.testing.assert_allclose((noisy - inputs)[..., :3], 0.5 * eps[..., :3], rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_noise_makes_it_shrink_towards_the_mean():
    """The best reconstruction from x + noise is Wiener's filter: factor v / (v + noise²)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 1))
    model = nv.Autoencoder(1, 1, hidden=(), noise=1.0, likelihood="gaussian", dtype="float64")
    nv.fit(model, x, epochs=60, batch_size=100, lr=1e-2)
    slope = np.diff(model.reconstruct([[0.0], [1.0]]), axis=0).item()
    assert slope == pytest.approx(x.var() / (x.var() + 1), abs=0.05)


def test_what_it_offers(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.random((60, 6)).astype("float32")
    model = nv.Autoencoder(z_dim=2, hidden=(5,))
    history = nv.fit(model, x, epochs=10, batch_size=16, valid=x[:9])
    assert history.records[-1]["train_loss"] < history.records[0]["train_loss"]
    assert history.records[-1]["valid_kl"] == 0
    z = model.encode(x)
    assert z.shape == (60, 2)
    np.testing.assert_array_equal(model.decode(z), model.reconstruct(x))
    assert model.sample(3).shape == (3, 6)
    log_px, kl = model.elbo_terms(x)
    np.testing.assert_array_equal(model.elbo(x), log_px)
    assert not kl.any()
    model.save(tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.encode(x), z)
    assert again.config == model.config


@pytest.mark.parametrize(
    ("objective", "asked"),
    [("iwae", "log_pz, log_qz"), ("betatc", "gaussian, log_pz, log_qz, z")],
)
def test_objectives_of_a_density_are_refused(objective, asked):
    model = nv.Autoencoder(6, 2, hidden=(5,))
    with pytest.raises(nv.ConfigError, match=f"a point, which has no density; .* for {asked}. Tak"):
        nv.fit(model, np.eye(6), objective=objective)


def test_log_likelihood_is_refused():
    with pytest.raises(nv.ConfigError, match="a point, which has no density"):
        nv.log_likelihood(nv.Autoencoder(6, 2, hidden=(5,)), np.eye(6), 5)


@pytest.mark.parametrize("noise", [-1, float("nan"), "much"])
def test_noise_that_is_refused(noise):
    with pytest.raises(nv.ConfigError, match="noise is a finite number, 0 or more"):
        nv.Autoencoder(6, 2, noise=noise)

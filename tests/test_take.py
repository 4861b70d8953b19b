"""What of p(x given z) decode, reconstruct and sample give out: its mean, a draw, or its mode."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv

X = (np.random.default_rng(0).random((7, 6)) < 0.4).astype(float)


def small(likelihood="bernoulli", **options):
    model = nv.VAE(6, 2, hidden=(5,), likelihood=likelihood, dtype="float64", **options)
    model.flat += 0.3 * np.random.default_rng(1).normal(size=model.n_params)
    return model


@pytest.mark.parametrize("likelihood", ["bernoulli", "poisson", "gaussian_column_scale"])
def test_each_is_the_likelihood_s_own(likelihood):
    model, z = small(likelihood), np.random.default_rng(2).normal(size=(5, 2))
    theta = model.decoder.forward(z)[0]
    np.testing.assert_array_equal(model.decode(z), model.likelihood.mean(theta))
    np.testing.assert_array_equal(model.decode(z, take="mean"), model.likelihood.mean(theta))
    np.testing.assert_array_equal(model.decode(z, take="mode"), model.likelihood.mode(theta))
    draws = model.decode(z, take="draw", seed=3)
    np.testing.assert_array_equal(draws, model.decode(z, take="draw", seed=3))
    assert (draws != model.decode(z, take="draw", seed=4)).any()
    model.likelihood.check(draws)


def test_every_call_takes_it():
    model = small(context_dim=1)
    c = np.linspace(0, 1, 7)[:, None]
    for take in ("mean", "draw", "mode"):
        for give in (
            lambda take=take: model.reconstruct(X, c, take=take, seed=1),
            lambda take=take: model.sample(7, seed=1, context=c, take=take),
        ):
            assert np.isin(give(), (0, 1)).all() == (take != "mean")
            np.testing.assert_array_equal(give(), give())


def test_draws_have_the_distribution_of_the_model():
    """A Gaussian's vary by its scale about the means, and by nothing that z was drawn with."""
    model = small(nv.Gaussian(2.0))
    means, draws = model.sample(4000, seed=5), model.sample(4000, seed=5, take="draw")
    noise = draws - means
    assert abs(noise.std() - 2) < 0.05
    z = np.random.default_rng(5).standard_normal((4000, 2))
    np.testing.assert_allclose(model.decode(z), means)
    assert np.abs(np.corrcoef(np.hstack([z, noise]).T)[:2, 2:]).max() < 0.06


def test_more_rows_than_a_chunk_get_draws_of_their_own():
    model = small()
    draws = model.decode(np.zeros((5000, 2)), take="draw")
    assert (draws[:2048] != draws[2048:4096]).any()


@pytest.mark.parametrize("take", ["means", "", None, 1])
def test_what_there_is_not(take):
    model = small()
    for give in (
        lambda: model.decode(np.zeros((1, 2)), take=take),
        lambda: model.sample(1, take=take),
    ):
        with pytest.raises(nv.ConfigError, match="take is 'mean', 'draw' or 'mode'; got"):
            give()

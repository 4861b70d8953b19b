"""The training report: a word for each thing that goes wrong, and silence when all is well."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(1200, 2)) @ rng.normal(size=(2, 6)) + rng.normal(size=(1200, 6))


def trained(x, epochs=60, **options):
    options = dict(likelihood="gaussian", hidden=(16,), z_dim=2) | options
    model = nv.VAE(x.shape[1], **options)
    history = nv.fit(model, x[:900], valid=x[900:], epochs=epochs, batch_size=50, lr=5e-3)
    return model, history


def test_silence_when_all_is_well(rows):
    model, history = trained(rows)
    assert nv.report(model, rows[:900], rows[900:], history) == []


def test_dimensions_that_are_not_used(rows):
    model, _ = trained(rows, z_dim=10)
    (said,) = nv.report(model, rows[:900])
    assert said.startswith("2 of 10 latent dimensions are in use")


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_scale_that_does_not_fit(rows, factor):
    model = nv.VAE(6, 2, hidden=(16,), likelihood=nv.Gaussian(1.0))
    nv.fit(model, factor * rows, epochs=20, batch_size=50, lr=5e-3)
    assert any("gaussian_column_scale" in said for said in nv.report(model, factor * rows))


def test_counts_that_vary_more_than_poissons():
    rng = np.random.default_rng(0)
    wide, narrow = rng.negative_binomial(1, 0.1, (600, 5)), rng.poisson(9, (600, 5))
    for x, says in ((wide, True), (narrow, False)):
        model = nv.VAE(5, 1, hidden=(8,), likelihood="poisson")
        nv.fit(model, x, epochs=10, batch_size=50)
        said = nv.report(model, x)
        assert any("negative_binomial" in one for one in said) is says


def test_rows_that_were_learnt_by_heart(rows):
    model = nv.VAE(6, 2, hidden=(200,), likelihood="gaussian_column_scale")
    history = nv.fit(model, rows[:30], epochs=800, batch_size=30, lr=5e-3)
    said = nv.report(model, rows[:30], rows[900:], history)
    assert any("not trained on are" in one and "EarlyStopping" in one for one in said)


def test_training_that_was_cut_short(rows):
    model, history = trained(rows, epochs=10)
    said = nv.report(model, rows[:900], rows[900:], history)
    assert any("still falling" in one for one in said)


def test_an_autoencoder_has_no_latent_distribution_to_report(rows):
    model = nv.Autoencoder(6, 2, hidden=(16,), likelihood="gaussian")
    nv.fit(model, rows, epochs=30, batch_size=50, lr=5e-3)
    assert nv.report(model, rows) == []

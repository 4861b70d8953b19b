"""KL by dimension, labels told by codes, and errors of reconstructions, where each is known."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_kl_by_dimension_is_the_closed_form_and_sums_to_the_kl(rng):
    model = nv.VAE(6, 3, hidden=(5,), dtype="float64")
    model.flat += 0.3 * rng.normal(size=model.n_params)
    x = rng.random((50, 6))
    mu, logvar = model.encode(x)
    by_hand = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(0)
    (kl,) = nv.kl_by_dimension(model, x)
    np.testing.assert_allclose(kl, by_hand, rtol=1e-10)
    assert kl.sum() == pytest.approx(nv.rate_distortion(model, x)[0], rel=1e-10)


def test_kl_by_dimension_of_levels_and_where_it_is_sampled(rng):
    x = rng.random((40, 6))
    levels = nv.kl_by_dimension(nv.HierarchicalVAE(6, (3, 2), hidden=(5,)), x)
    assert [kl.shape for kl in levels] == [(3,), (2,)]
    (kl,) = nv.kl_by_dimension(nv.VAE(6, 3, hidden=(5,), prior="mixture:n_components=4"), x)
    assert kl.shape == (1,)
    assert nv.kl_by_dimension(nv.Autoencoder(6, 3, hidden=(5,)), x) == []


def test_labels_of_apart_and_of_mixed_clusters(rng):
    y = np.repeat(["a", "b", "c"], 60)
    centres = {"a": (0, 6), "b": (6, 0), "c": (-6, -6)}
    z = np.array([centres[label] for label in y]) + rng.normal(size=(180, 2))
    told = nv.label_accuracy(z, y)
    assert told["nearest"] == told["linear"] == 1
    assert told["most_frequent"] == pytest.approx(1 / 3)
    told = nv.label_accuracy(rng.normal(size=(180, 2)), y)
    assert max(told["nearest"], told["linear"]) < 0.5


def test_a_ring_is_told_by_the_nearest_code_and_by_no_line(rng):
    radius = np.repeat([1.0, 4.0], 100)
    angle = rng.uniform(0, 2 * np.pi, 200)
    z = np.c_[radius * np.cos(angle), radius * np.sin(angle)]
    told = nv.label_accuracy(z, radius)
    assert told["nearest"] == 1
    assert told["linear"] < 0.75


def test_the_linear_classifier_is_scikit_learns(rng):
    """The same folds, the same penalty: nearly every label told alike."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    from npvae.evaluate.representation import _DECAY, _linear

    z, y = nv.datasets.digits()
    z, new = np.asarray(z[:1200], float), np.asarray(z[1200:], float)
    spread = np.where(z.std(0) > 0, z.std(0), np.inf)
    told = _linear(z, y[:1200].astype(int), new)
    theirs = linear_model.LogisticRegression(C=1 / (_DECAY * 1200), max_iter=2000)
    theirs.fit((z - z.mean(0)) / spread, y[:1200])
    alike = told == theirs.predict((new - z.mean(0)) / spread)
    assert alike.mean() > 0.985


def test_labels_that_are_missing_or_too_few(rng):
    y = np.array([0.0, 1.0] * 10 + [np.nan] * 5)
    z = np.r_[np.c_[y[:20], y[:20]], rng.normal(size=(5, 2))]
    assert nv.label_accuracy(z, y)["nearest"] == 1
    with pytest.raises(nv.DataError, match="two labels on; got 25 rows with 1"):
        nv.label_accuracy(z, np.ones(25))
    with pytest.raises(nv.DataError, match="a row for each example"):
        nv.label_accuracy(z, y[:4])


def test_reconstruction_errors_by_hand(rng):
    model = nv.VAE(6, 2, hidden=(5,), likelihood="gaussian", missing="mask", standardise=True)
    x = 10 + 3 * rng.normal(size=(40, 6))
    x[::3, 1] = np.nan
    nv.fit(model, x, epochs=2)
    off = x - model.reconstruct(x)
    found = nv.reconstruction_error(model, x)
    assert found["rmse"] == pytest.approx(np.sqrt(np.nanmean(off**2)), rel=1e-6)
    assert found["mae"] == pytest.approx(np.nanmean(np.abs(off)), rel=1e-6)


def test_errors_of_bytes_are_in_the_units_of_what_is_decoded(rng):
    x = rng.integers(0, 256, (40, 6), dtype=np.uint8)
    model = nv.VAE(6, 2, hidden=(5,))
    nv.fit(model, x, epochs=1)
    off = x / 255 - model.reconstruct(x)
    assert nv.reconstruction_error(model, x)["rmse"] == pytest.approx(np.sqrt((off**2).mean()))

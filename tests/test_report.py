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


@pytest.mark.slow
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


def test_one_sentence_for_each_finding_and_ten_lines_at_most(rows):
    model, history = trained(rows, epochs=5)
    said = nv.report(model, 5 * rows[:900], rows[900:], history)
    assert 2 <= len(said) <= 10
    assert all(line.endswith(".") and "\n" not in line for line in said)


def test_a_collapsed_posterior(rows):
    model = nv.VAE(6, 2, hidden=(8,), likelihood="gaussian_column_scale")
    model.params["encoder.layers.1.W"][...] = 0
    (said,) = nv.report(model, rows)
    assert said.startswith("none of 2 latent dimensions is in use")
    assert "nv.Linear(0, 1, epochs)" in said


def test_a_warm_up_that_did_not_end(rows):
    model = nv.VAE(6, 2, hidden=(16,), likelihood="gaussian_column_scale")
    with pytest.warns(UserWarning, match="beta reaches its end"):
        history = nv.fit(model, rows, objective=nv.ELBO(nv.Linear(0, 1, 100)), epochs=20)
    assert any("warm-up had not ended" in said for said in nv.report(model, rows, history=history))
    history = nv.fit(model, rows, objective=nv.ELBO(nv.Linear(0, 1, 5)), epochs=20)
    assert not any("warm-up" in said for said in nv.report(model, rows, history=history))
    history = nv.fit(model, rows, objective=nv.ELBO(nv.Linear(0, 1, 2)), epochs=3)
    assert history["beta"][-1] > history["beta"][-2]
    assert not any("warm-up" in said for said in nv.report(model, rows, history=history))


@pytest.mark.slow
def test_where_overfitting_turned(rows):
    """Said of weights after the turn; not of the best ones, whose rows are no worse for it."""
    of = dict(likelihood="gaussian_column_scale", hidden=(200,))
    model = nv.VAE(6, 2, **of)
    options = dict(epochs=600, batch_size=30, lr=5e-3, valid=rows[900:])
    history = nv.fit(model, rows[:30], **options)
    (said,) = [one for one in nv.report(model, rows[:30], rows[900:], history) if "worse" in one]
    best = 1 + int(np.argmin(history["valid_loss"]))
    assert f"their loss was least after epoch {best}: stop" in said
    kept = nv.VAE(6, 2, **of)
    history = nv.fit(kept, rows[:30], callbacks=[nv.EarlyStopping(500)], **options)
    assert not any("worse" in one for one in nv.report(kept, rows[:30], rows[900:], history))


def test_a_log_variance_at_its_bound(rows):
    model, _ = trained(rows)
    assert not any("bound of" in said for said in nv.report(model, rows))
    model.params["encoder.layers.1.b"][2:] = -40
    assert any("log-variance is at its bound of -20" in said for said in nv.report(model, rows))


def test_shades_are_no_zeros_and_ones():
    rng = np.random.default_rng(0)
    for x, says in (
        (rng.beta(5, 5, (300, 6)), True),
        (rng.beta(0.2, 0.2, (300, 6)), False),
        ((rng.random((300, 6)) < 0.5).astype(float), False),
    ):
        model = nv.VAE(6, 2, hidden=(8,))
        assert any("continuous_bernoulli" in said for said in nv.report(model, x)) is says


def test_counts_that_were_taken_for_bytes_of_images():
    counts = np.random.default_rng(0).poisson(4.0, (300, 6)).astype(np.uint8)
    model = nv.VAE(6, 2, hidden=(8,))
    nv.fit(model, counts, epochs=1)
    (said,) = [one for one in nv.report(model, counts) if "whole numbers" in one]
    assert f"up to {counts.max()}, and were divided by 255" in said
    assert "negative_binomial" in said
    images = (255 * nv.datasets.digits()[0]).astype(np.uint8)
    model = nv.VAE(64, 2, hidden=(8,))
    nv.fit(model, images, epochs=1)
    assert not any("whole numbers" in said for said in nv.report(model, images))


def test_counts_are_judged_at_the_totals_of_their_rows():
    """With library sizes a row's mean is its total times a share: no overdispersion of the rest."""
    rng = np.random.default_rng(0)
    depth = rng.gamma(2.0, 50.0, (600, 1))
    x = rng.poisson(depth * np.full((1, 5), 0.2))
    model = nv.VAE(5, 1, hidden=(8,), likelihood=nv.Poisson(library=True))
    nv.fit(model, x, epochs=20, batch_size=50)
    assert not any("counts vary" in said for said in nv.report(model, x))


@pytest.mark.parametrize("make", [
    lambda: nv.HierarchicalVAE(6, (3, 2), hidden=(16,), likelihood="gaussian"),
    lambda: nv.SemiSupervisedVAE(6, 2, 2, hidden=(16,), likelihood="gaussian"),
    lambda: nv.VAE(6, 2, hidden=(16,), likelihood="gaussian", missing="mask"),
])  # fmt: skip
def test_other_models_are_reported_of(make, rows):
    model = make()
    x = rows.copy()
    if getattr(model, "missing", None):
        x[::3, 0] = np.nan
    context = np.zeros(len(x), int) if isinstance(model, nv.SemiSupervisedVAE) else None
    far = nv.report(
        model, (20 * x, context), (20 * x[:50], None if context is None else context[:50])
    )
    assert any("gaussian_column_scale" in said for said in far)


def test_counts_are_judged_by_held_out_rows():
    """A wide model comes close to the few rows that it was trained on, whatever their spread."""
    rng = np.random.default_rng(0)
    x = rng.negative_binomial(1, 0.1, (400, 20))
    model = nv.VAE(20, 5, hidden=(100,), likelihood=nv.Poisson(library=True))
    nv.fit(model, x[:40], epochs=300, batch_size=20, lr=5e-3)
    assert any("negative_binomial:library=true" in one for one in nv.report(model, x[:40], x[40:]))


def test_what_depends_on_a_context_is_reported_of():
    """Also of a Bernoulli, whose rows are looked at as it takes them."""
    rng = np.random.default_rng(0)
    shades, labels = rng.uniform(0.2, 0.8, (60, 6)), rng.integers(3, size=60)
    model = nv.VAE(6, 2, hidden=(8,), condition=nv.Labels(3))
    said = nv.report(model, (shades, labels), (shades, labels))
    assert any("continuous_bernoulli" in one for one in said)

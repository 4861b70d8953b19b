"""Mixed on tables as people have them: entries that are missing, columns in units of their own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import npvae as nv
from npvae.core import bind, n_parameters

B, K = 5, 2
GROUPS = [
    ("gaussian_column_scale", (4, 0)),
    ("poisson", (1,)),
    ({"name": "categorical", "classes": 3}, (3,)),
    ("bernoulli", (2,)),
]


@pytest.fixture
def rng():
    return np.random.default_rng(6)


def table(rng, n=B, share=0.3):
    """Rows in the support of GROUPS, of which a share of the entries is missing."""
    x = rng.normal([300, 0, 0, 0, -2], [40, 0, 0, 0, 0.01], (n, 5))
    x[:, 1], x[:, 2], x[:, 3] = rng.poisson(4, n), rng.integers(2, size=n), rng.integers(3, size=n)
    x[rng.random((n, 5)) < share] = np.nan
    return x


def network(**options):
    model = nv.VAE(
        5, 2, hidden=(4,), activation="tanh", likelihood=nv.Mixed(GROUPS), missing="mask", **options
    )
    model.flat += 0.2 * np.random.default_rng(1).normal(size=model.n_params).astype(model.dtype)
    return model


def test_log_p_is_that_of_the_known_entries(rng):
    likelihood, x = nv.Mixed(GROUPS), table(rng)
    bind(likelihood, rng.normal(0, 0.4, n_parameters(likelihood)))
    theta = rng.normal(size=(K, B, 7))
    theta[..., :2] += [-2, 300]
    entries = np.empty((K, B, 5))
    scale = np.exp(likelihood.parts[0].log_scale)
    entries[..., [4, 0]] = stats.norm.logpdf(x[:, [4, 0]], theta[..., :2], scale)
    entries[..., 1] = stats.poisson.logpmf(np.nan_to_num(x[:, 1]), np.exp(theta[..., 2]))
    labels = np.nan_to_num(x[:, 3]).astype(int)
    entries[..., 3] = special.log_softmax(theta[..., 3:6], -1)[:, np.arange(B), labels]
    flags = np.nan_to_num(x[:, 2])
    entries[..., 2] = stats.bernoulli.logpmf(flags, special.expit(theta[..., 6]))
    want = np.where(np.isnan(x), 0, entries).sum(-1)
    np.testing.assert_allclose(likelihood.log_prob(theta, x), want, rtol=1e-11)
    likelihood.check(x)


def test_the_encoder_is_given_each_group_in_a_form_of_its_own(rng):
    likelihood, x = nv.Mixed(GROUPS), table(rng)
    assert likelihood.n_features(5) == 2 + 1 + 3 + 1
    features = likelihood.features(x)
    hot = np.where(np.isnan(x[:, [3]]), np.nan, x[:, [3]] == np.arange(3))
    want = np.hstack([x[:, [4, 0]], np.log1p(x[:, [1]]), hot, x[:, [2]]])
    np.testing.assert_array_equal(features, want)
    assert network().encoder.layers[0].W.shape == (4, 7 + 5)  # and the mask of x


def test_real_columns_are_in_the_table_s_order():
    likelihood = nv.Mixed(GROUPS)
    np.testing.assert_array_equal(likelihood.real_columns(5), [True, False, False, False, True])
    with pytest.raises(nv.ConfigError, match="groups for 5 columns, and data of 4"):
        likelihood.real_columns(4)


def test_it_takes_missing_entries_if_all_of_its_groups_do():
    class Strict(nv.Bernoulli, abstract=True):
        takes_missing = False

    assert nv.Mixed(GROUPS).takes_missing
    some = nv.Mixed([("gaussian", (0,)), (Strict(), (1,))])
    assert not some.takes_missing
    with pytest.raises(nv.ConfigError, match="missing='mask' needs a likelihood that leaves NaN"):
        nv.VAE(2, 1, likelihood=some, missing="mask")


@pytest.mark.slow
def test_gradients_where_entries_are_missing(rng):
    model, x, objective = network(), table(rng), nv.IWAE(2)
    x[:, [0, 4]] = (x[:, [0, 4]] - [300, -2]) / [40, 0.01]  # a unit in which tanh is no constant
    inputs = x, model.draw_noise(B, objective.n_samples, rng)
    report = nv.check_gradients(model, inputs, objective=objective)
    assert report.ok, str(report)


def test_standardising_changes_the_units_and_not_the_density(rng):
    """Of the real columns alone: log p stays that of x in the table's units."""
    x = table(rng, 60)
    model = network(standardise=True, dtype="float64")
    nv.fit(model, x, epochs=0)
    config = model.config["standardise"]
    real = [0, 4]
    np.testing.assert_allclose(np.take(config["mean"], real), np.nanmean(x, 0)[real], rtol=1e-10)
    np.testing.assert_allclose(np.take(config["scale"], real), np.nanstd(x, 0)[real], rtol=1e-8)
    assert np.take(config["mean"], [1, 2, 3]).tolist() == [0, 0, 0]
    assert np.take(config["scale"], [1, 2, 3]).tolist() == [1, 1, 1]
    inner = (x - config["mean"]) / config["scale"]
    by_hand = nv.VAE(**{**model.config, "standardise": False}, parameters=model.params)
    shift = (np.log(config["scale"]) * ~np.isnan(x)).sum(1)
    np.testing.assert_allclose(model.elbo(x), by_hand.elbo(inner) - shift, rtol=1e-10)
    given = by_hand.reconstruct(inner) * config["scale"] + config["mean"]
    np.testing.assert_allclose(model.reconstruct(x), given, rtol=1e-10)


@pytest.mark.parametrize("kernel_set", ["numpy", "numba"])
def test_a_table_trains_with_weights_and_is_saved_and_loaded(kernel_set, rng, tmp_path):
    x, weights = table(rng, 96), rng.random(96)
    nv.use_kernels(kernel_set)
    try:
        model = network(standardise=True)
        history = nv.fit(model, x, weights=weights, valid=x[:20], epochs=8, batch_size=16, lr=0.01)
    finally:
        nv.use_kernels(None)
    losses = [record["train_loss"] for record in history.records]
    assert losses[-1] < losses[0]
    nv.save(model, tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.elbo(x), model.elbo(x))
    filled = again.reconstruct(x, take="mode")
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[:, 1:4] % 1, 0)
    drawn = again.sample(300, take="draw")
    assert abs(drawn[:, 0].mean() - 300) < 40
    again.likelihood.check(drawn)


def test_a_column_that_is_missing_in_every_row_is_named_as_the_table_has_it(rng):
    x = table(rng, 20)
    x[:, 3] = np.nan
    with pytest.raises(nv.DataError, match="column 3"):
        nv.fit(network(), x, epochs=1)

"""Data of any scale: large counts and wide rows train, and what can't is told what is at fault."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae.data.units import MOST_INPUT
from npvae.executor.describe import describe

N = 240


@pytest.fixture(params=["numpy", "numba"])
def kernels(request):
    nv.use_kernels(request.param)
    yield
    nv.use_kernels(None)


def counts(scale, seed=0):
    """Rows of six columns that two factors explain, of a mean around `scale`."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(N, 2)) @ rng.normal(0, 0.4, (2, 6))
    return rng.poisson(scale * rng.gamma(20, 0.05, (N, 6)) * np.exp(factors)).astype(float)


def of_columns_alone(x):
    """-log p of a row by a negative binomial for each column, by the moments."""
    mean, variance = x.mean(0), x.var(0)
    size = mean**2 / (variance - mean)
    return -stats.nbinom.logpmf(x, size, size / (size + mean)).sum(1).mean()


@pytest.mark.smoke(1)
@pytest.mark.parametrize("scale", [1e3, 1e6, 1e8])
def test_counts_of_any_size_train(scale, kernels):
    x = counts(scale)
    for likelihood in ("negative_binomial", "zero_inflated_negative_binomial"):
        model = nv.VAE(6, 2, hidden=(16,), likelihood=likelihood)
        history = nv.fit(model, x, epochs=30, batch_size=16, lr=3e-3)
        assert -model.elbo(x, n_samples=20).mean() < of_columns_alone(x) + 1
        assert np.isfinite([r["train_loss"] for r in history.records]).all()


@pytest.mark.smoke(2)
@pytest.mark.parametrize("scale", [1e3, 1e6, 1e8])
def test_poisson_learns_alike_at_every_scale(scale):
    """Far above 1 Poisson's log p is -x (log of rate over x)² / 2: it grows with the scale."""
    x = counts(scale)
    model = nv.VAE(6, 2, hidden=(16,), likelihood="poisson")
    losses = [r["train_loss"] for r in nv.fit(model, x, epochs=30, batch_size=16).records]
    assert losses[-1] < 0.5 * losses[0]
    errors = np.abs(np.log((model.reconstruct(x) + 1) / (x + 1)))
    of_means = np.abs(np.log((x.mean(0) + 1) / (x + 1)))
    assert errors.mean() < 0.8 * of_means.mean()


def test_the_elbo_of_large_counts_is_scipy_s():
    x = counts(1e8)
    model = nv.VAE(6, 2, hidden=(16,), likelihood="poisson", dtype="float64")
    nv.fit(model, x, epochs=2, batch_size=16)
    log_px, _ = model.elbo_terms(x, seed=5)
    mu, logvar = model.encode(x)
    z = mu + np.exp(logvar / 2) * np.random.default_rng(5).standard_normal((N, 2))
    want = stats.poisson.logpmf(x, model.decode(z)).sum(1)
    np.testing.assert_allclose(log_px, want, rtol=1e-8)


def test_large_features_are_standardised_and_small_ones_left_alone():
    x = counts(1e6)
    x[:, 0] = np.random.default_rng(1).poisson(3.0, N)
    model = nv.VAE(6, 2, hidden=(8,), likelihood="poisson")
    nv.fit(model, x, epochs=1)
    log_x = np.log1p(x)[:, 1:]
    np.testing.assert_allclose(model.inputs.mean, [0, *log_x.mean(0)], rtol=1e-6)
    np.testing.assert_allclose(model.inputs.scale, [1, *log_x.std(0)], rtol=1e-5)
    small = nv.VAE(6, 2, hidden=(8,), likelihood="poisson")
    nv.fit(small, counts(10), epochs=1)
    assert small.inputs is None
    assert "inputs" not in small.config


def test_wide_rows_are_scaled_and_their_mask_with_them():
    rng = np.random.default_rng(0)
    x = rng.poisson(4.0, (40, 900)).astype(float)
    x[rng.random(x.shape) < 0.1] = np.nan
    model = nv.VAE(900, 2, hidden=(8,), likelihood="poisson", missing="mask")
    nv.fit(model, x, epochs=1)
    size = np.nansum(np.log1p(x), 1).mean() + (~np.isnan(x)).sum(1).mean()
    assert set(model.inputs.scale) == {2.0 ** np.ceil(np.log2(size / MOST_INPUT))}
    assert not model.inputs.mean.any()


def test_what_inputs_are_standardised_by_is_kept(tmp_path):
    x = counts(1e7)
    model = nv.VAE(6, 2, hidden=(8,), likelihood="poisson")
    nv.fit(model, x, epochs=2, checkpoint=tmp_path / "c.npz")
    model.save(tmp_path / "m.npz")
    again, twin = nv.load(tmp_path / "m.npz"), nv.VAE(6, 2, hidden=(8,), likelihood="poisson")
    np.testing.assert_array_equal(again.encode(x)[0], model.encode(x)[0])
    np.testing.assert_array_equal(model.copy().encode(x)[0], model.encode(x)[0])
    nv.fit(model, x, epochs=1)
    nv.fit(again, x, epochs=1)
    np.testing.assert_array_equal(again.flat, model.flat)
    nv.fit(twin, x, epochs=3, checkpoint=tmp_path / "c.npz", resume=True)
    whole = nv.VAE(6, 2, hidden=(8,), likelihood="poisson")
    nv.fit(whole, x, epochs=3)
    np.testing.assert_array_equal(twin.flat, whole.flat)
    kept = model.inputs.config
    nv.fit(model, counts(1e4), epochs=1)  # a trained encoder goes on as it was
    assert model.inputs.config == kept


def test_inputs_are_checked():
    for inputs, message in (
        ("yes", "inputs is None or"), ({"mean": [0], "scale": [1]}, "inputs needs a mean and a"),
    ):  # fmt: skip
        with pytest.raises(nv.ConfigError, match=message):
            nv.VAE(6, 2, hidden=(8,), likelihood="poisson", inputs=inputs)


def test_captured_and_eager_steps_agree_on_standardised_inputs():
    x, flats = counts(1e7), []
    for name in ("numpy", "numba"):
        nv.use_kernels(name)
        model = nv.VAE(6, 2, hidden=(8,), likelihood="negative_binomial")
        nv.fit(model, x, epochs=2, batch_size=50)
        flats.append(model.flat)
    nv.use_kernels(None)
    np.testing.assert_allclose(*flats, atol=2e-4)
    assert model.inputs is not None
    assert describe(model, nv.ELBO()) == "captured as a whole"


# What is at fault


def stopped(model, x, **options):
    with pytest.raises(nv.NonFiniteLoss) as caught:
        nv.fit(model, x, epochs=2, **options)
    return str(caught.value)


@pytest.mark.parametrize("lr", [1e-12, 1e-3, 1.0])
def test_a_first_step_blames_the_scale_and_names_the_columns(lr):
    x = np.random.default_rng(0).random((40, 4))
    x[:, 2] *= 1e30
    said = stopped(nv.VAE(4, 2, hidden=(8,), likelihood="gaussian"), x, lr=lr, batch_size=8)
    assert "epoch 1, step 1" in said
    assert "the scale of the data is at fault, not the learning rate" in said
    assert f"values up to {x[:, 2].max():.3g} in column 2 (counted from 0)" in said
    assert "smaller lr" not in said


def test_a_single_wild_cell_is_blamed_too():
    x = np.random.default_rng(0).random((40, 4))
    x[7, 1] = 1e30
    said = stopped(nv.VAE(4, 2, hidden=(8,), likelihood="gaussian"), x, batch_size=8)
    assert "epoch 1, step" in said
    assert "1e+30 in column 1 (counted from 0)" in said


def test_columns_of_a_table_are_named():
    schema = nv.tables.Schema([nv.tables.Number("mass"), nv.tables.Number("length")])
    x = np.random.default_rng(0).random((40, 2)) * [1e30, 1]
    options = {**schema.options(), "standardise": False}
    said = stopped(nv.VAE(z_dim=1, hidden=(4,), **options), x)
    assert "in 'mass';" in said


def test_without_large_values_the_first_step_blames_neither():
    model = nv.VAE(4, 2, hidden=(8,))
    model.params["decoder.layers.0.W"][0] = np.nan
    said = stopped(model, np.random.default_rng(0).random((40, 4)))
    assert "a smaller lr does not mend it: look at the weights" in said


# Rates and eps that a type can't hold


def test_steps_that_a_type_can_t_hold_are_refused(kernels):
    x = np.random.default_rng(0).random((40, 4))
    for options, message in (
        ({"lr": 1e39}, "lr is at most 3.4e[+]37 where weights are float32"),
        ({"lr": nv.Linear(1e-3, 1e40, epochs=2), "epochs": 3}, "lr is at most"),
        ({"optimiser": nv.Adam(eps=1e-46)}, "eps is 3.7e-37 or more where weights are float32"),
    ):
        model = nv.VAE(4, 2, hidden=(8,))
        with pytest.raises(nv.ConfigError, match=message):
            nv.fit(model, x, **{"epochs": 1, **options})
        assert np.isfinite(model.flat).all()
    nv.fit(nv.VAE(4, 2, hidden=(8,), dtype="float64"), x, epochs=1, optimiser=nv.Adam(eps=1e-46))


@pytest.mark.parametrize("options", [{"lr": 3e37}, {"optimiser": nv.Adam(weight_decay=1e41)}])
def test_no_weight_is_nan_after_success(options, kernels):
    model = nv.VAE(4, 2, hidden=(8,))
    x = np.random.default_rng(0).random((4, 4))
    with contextlib.suppress(nv.NonFiniteLoss):
        nv.fit(model, x, epochs=1, **options)
    assert np.isfinite(model.flat).all()


@pytest.mark.parametrize("likelihood", ["poisson", "negative_binomial"])
def test_counts_that_hardly_vary_beside_their_size_train_captured(likelihood):
    """log(1 + x) is then rounded by much of its deviation, which must not be blown up."""
    x = np.random.default_rng(0).poisson([1e8, 3e7], (60, 2)).astype(float)
    nv.use_kernels("numba")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nv.fit(nv.VAE(2, 1, hidden=(8,), likelihood=likelihood), x, epochs=2, batch_size=16)
    nv.use_kernels(None)


def test_rows_that_validate_are_blamed_for_a_loss_that_is_no_number(kernels):
    x = np.random.default_rng(0).random((40, 4))
    wild = x.copy()
    wild[3, 2] = 1e25
    model = nv.VAE(4, 2, hidden=(8,), likelihood="gaussian")
    said = "validation loss is no finite number; the scale of the rows that validate is at fault: "
    with pytest.warns(UserWarning, match=said + "they have values up to 1e[+]25 in column 2"):
        records = nv.fit(model, x, valid=wild, epochs=3).records
    assert not np.isfinite(records[0]["valid_loss"])
    assert np.isfinite(model.flat).all()


# Scoring what lies far from all that was seen


def test_a_bound_that_is_no_number_is_said_and_float64_mends_it():
    model = nv.VAE(4, 2, hidden=(8,), likelihood="gaussian")
    x = np.random.default_rng(0).random((5, 4))
    x[3] *= 1e20
    with pytest.warns(UserWarning, match="ELBO of 1 of 5 rows is no finite number, first that of"):
        bound = model.elbo(x)
    assert np.isfinite(bound).tolist() == [True, True, True, False, True]
    with pytest.warns(UserWarning, match="log-likelihood of 1 of 5 rows"):
        nv.log_likelihood(model, x, n_samples=3)
    assert np.isfinite(model.astype("float64").elbo(x)).all()

"""standardise=True: the model works on standardised columns, and its user in the table's units."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import npvae as nv
from npvae.data.reader import Reader
from npvae.gradcheck import check_gradients
from npvae.training.rows import Rows
from npvae.training.sources import RowSources

SCALE = np.array([1e-3, 1.0, 7.0, 1e4])
MEAN = np.array([5.0, -3.0, 0.0, 1e5])


def table(n=120, seed=0):
    """Correlated columns in units of their own."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 1)) * [1, -1, 0.5, 2] + 0.4 * rng.normal(size=(n, 4))
    return MEAN + SCALE * z


def small(**options):
    given = {"likelihood": "gaussian", "hidden": (5,), "activation": "tanh", "standardise": True}
    return nv.VAE(4, 2, **{**given, **options})


def plain_twin(model):
    """The same weights without units."""
    config = {**model.config, "standardise": False}
    return nv.VAE(**config, parameters=model.params)


@pytest.fixture
def fitted():
    model = small(dtype="float64")
    nv.fit(model, table(), epochs=3, lr=1e-2)
    return model


def test_mean_and_scale_are_those_of_the_first_training_table(fitted):
    x = table()
    np.testing.assert_allclose(fitted.units.mean, x.mean(0), rtol=1e-13)
    np.testing.assert_allclose(fitted.units.scale, x.std(0), rtol=1e-12)
    kept = fitted.config
    nv.fit(fitted, 3 * table(seed=1), epochs=1)
    assert fitted.config == kept


def test_the_elbo_is_changed_by_the_change_of_variables(fitted):
    x, units, plain = table(seed=1), fitted.units, plain_twin(fitted)
    u = (x - units.mean) / units.scale
    log_px, kl = fitted.elbo_terms(x)
    log_pu, kl_u = plain.elbo_terms(u)
    np.testing.assert_allclose(log_px, log_pu - np.log(units.scale).sum(), rtol=1e-12)
    np.testing.assert_array_equal(kl, kl_u)
    np.testing.assert_array_equal(fitted.encode(x), plain.encode(u))
    np.testing.assert_allclose(
        nv.log_likelihood(fitted, x, 10),
        nv.log_likelihood(plain, u, 10) - np.log(units.scale).sum(),
        rtol=1e-12,
    )


def test_missing_columns_have_no_units():
    model = small(dtype="float64", missing="mask", standardise={"mean": MEAN, "scale": SCALE})
    x = table(3)
    x[0, 1] = x[1, 2:] = np.nan
    want = plain_twin(model).elbo((x - MEAN) / SCALE)
    lost = np.log(SCALE) * ~np.isnan(x)
    np.testing.assert_allclose(model.elbo(x), want - lost.sum(-1), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("objective", [nv.ELBO(), nv.IWAE(3)])
def test_units_do_not_matter(dtype, objective):
    """Data in other units trains alike; only log p knows them, by D log 1000."""
    x, records, models = table(), [], []
    for data in (x, 1000 * x + 5):
        models.append(small(dtype=dtype))
        history = nv.fit(models[-1], data[:100], valid=data[100:], epochs=2, objective=objective)
        records.append(history.records[-1])
    tolerance = 1e-4 if dtype == "float32" else 1e-8
    np.testing.assert_allclose(models[0].flat, models[1].flat, rtol=tolerance, atol=tolerance)
    shift = 4 * np.log(1000)
    for loss in ("train_loss", "train_rec", "valid_loss", "valid_rec"):
        assert records[1][loss] == pytest.approx(records[0][loss] + shift, abs=10 * tolerance)
    assert records[1]["train_kl"] == pytest.approx(records[0]["train_kl"], abs=10 * tolerance)
    np.testing.assert_allclose(
        models[0].elbo(x) - shift, models[1].elbo(1000 * x + 5), atol=100 * tolerance
    )


def test_what_comes_out_is_in_the_table_s_units(fitted):
    x, units, plain = table(seed=1), fitted.units, plain_twin(fitted)
    u = (x - units.mean) / units.scale
    for take in ("mean", "draw", "mode"):
        for ours, bare in (
            (fitted.reconstruct(x, take=take), plain.reconstruct(u, take=take)),
            (fitted.sample(9, take=take), plain.sample(9, take=take)),
            (fitted.decode(np.ones((2, 2)), take=take), plain.decode(np.ones((2, 2)), take=take)),
        ):
            np.testing.assert_allclose(ours, units.mean + units.scale * bare, rtol=1e-12)


def test_gradients(fitted):
    for objective in (nv.ELBO(), nv.IWAE(2)):
        report = check_gradients(fitted, objective=objective, methods=["complex"])
        assert report.ok, str(report)


def test_the_config_keeps_the_numbers_bit_by_bit(fitted, tmp_path):
    x = table(seed=1)
    config = json.loads(json.dumps(fitted.config))
    again = nv.VAE(**config, parameters=fitted.params)
    np.testing.assert_array_equal(again.elbo(x), fitted.elbo(x))
    nv.save(fitted, tmp_path / "model.npz")
    np.testing.assert_array_equal(nv.load(tmp_path / "model.npz").sample(3), fitted.sample(3))
    for twin in (fitted.copy(), fitted.astype("float64")):
        np.testing.assert_array_equal(twin.elbo(x), fitted.elbo(x))
    assert "standardise=True" in repr(fitted)
    assert small().config["standardise"] is True
    assert small(standardise=False).config["standardise"] is False


def test_a_wide_table_s_numbers_are_no_reason_to_refuse_a_file(tmp_path):
    kinds = ("gaussian", "poisson", "bernoulli")
    groups = [(kind, range(1000 * i, 1000 * i + 1000)) for i, kind in enumerate(kinds)]
    likelihood = nv.Mixed(groups)
    model = nv.VAE(3000, 1, hidden=(), likelihood=likelihood, standardise=True)
    nv.fit(model, np.random.default_rng(0).integers(0, 2, (20, 3000)), epochs=0)
    for name in ("standardise", "likelihood"):
        assert len(json.dumps(model.config[name])) > 10_000
    nv.save(model, tmp_path / "model.npz")
    assert nv.load(tmp_path / "model.npz").config == model.config


def test_resuming(tmp_path):
    path, x = tmp_path / "run.npz", table()
    whole, parts = small(), [small(), small()]
    nv.fit(whole, x, epochs=4)
    nv.fit(parts[0], x, epochs=2, checkpoint=path)
    nv.fit(parts[1], x, epochs=4, checkpoint=path, resume=True)
    np.testing.assert_array_equal(parts[1].flat, whole.flat)
    with pytest.raises(nv.ConfigError, match="another model"):
        nv.fit(small(standardise=False), x, epochs=4, checkpoint=path, resume=True)


def test_a_large_offset_costs_no_digits():
    """Columns of 1e9 and a spread of 1, in float64, through a model in float32 and back."""
    x = 1e9 + np.round(table() / SCALE, 3)
    models = [small(), small()]
    for model, data in zip(models, (x, x - 1e9), strict=True):
        nv.fit(model, data, epochs=3, lr=1e-2)
    np.testing.assert_allclose(models[0].flat, models[1].flat, atol=1e-4)
    np.testing.assert_allclose(models[0].units.scale, x.std(0), rtol=1e-6)
    ours, others = (m.reconstruct(d) for m, d in zip(models, (x, x - 1e9), strict=True))
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours - 1e9, others, atol=1e-3)


def test_float32_tables_are_not_read_as_they_are():
    x = table().astype("float32")
    model = small()
    nv.fit(model, x, epochs=0)
    rows = Rows(model.reader(x), None)
    source = RowSources(rows)
    assert source.sources["x"].address == 0
    np.testing.assert_allclose(rows.batch(np.arange(120))[0].std(0), 1, rtol=1e-5)
    for a, b in zip(*(fit_twice(x, kernels) for kernels in (None, "numpy")), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def fit_twice(x, kernels):
    nv.use_kernels(kernels)
    try:
        model = small()
        history = nv.fit(model, x, epochs=2, batch_size=50, valid=x[:30])
    finally:
        nv.use_kernels(None)
    return model.flat, [history.records[-1][k] for k in ("train_loss", "valid_loss")]


def units_of(x, real=None, missing=False):
    real = np.ones(x.shape[1], bool) if real is None else np.array(real)
    return Reader(x, x.shape[1], "float32", missing=missing).measured(real)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e7, 1e300])
def test_a_constant_column_keeps_its_scale(value):
    units = units_of(np.full((5000, 1), value))
    assert (units.mean[0], units.scale[0]) == (value, 1.0)


def test_what_only_rounding_tells_apart_is_constant():
    x = np.full((9, 1), 0.3)
    x[4] = 0.1 + 0.2
    assert x[4] != x[0]
    assert units_of(x).scale[0] == 1


@pytest.mark.parametrize("size", [1e-150, 1e-30, 1.0, 1e30, 1e150])
@pytest.mark.parametrize("offset", [0.0, -1e6])
def test_units_of_any_size(size, offset):
    z = np.random.default_rng(0).normal(size=(5000, 2)) + offset
    units = units_of(size * z)
    np.testing.assert_allclose(units.mean, size * z.mean(0), rtol=1e-10, atol=1e-12 * size)
    np.testing.assert_allclose(units.scale, size * z.std(0), rtol=1e-9)


def test_missing_numbers_are_left_out():
    x = np.random.default_rng(0).normal(size=(3000, 3))
    x[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    units = units_of(x, missing=True)
    np.testing.assert_allclose(units.mean, np.nanmean(x, 0), rtol=1e-12)
    np.testing.assert_allclose(units.scale, np.nanstd(x, 0), rtol=1e-12)


def test_whole_weights_are_like_repeated_rows():
    x, weights = table(), np.arange(120) % 4
    x[weights > 0, 2] = 5.0  # rows of no weight alone are different
    weighted, repeated = small(), small()
    nv.fit(weighted, x, weights=weights, epochs=0)
    nv.fit(repeated, np.repeat(x, weights, axis=0), epochs=0)
    np.testing.assert_allclose(weighted.units.mean, repeated.units.mean, rtol=1e-6)
    np.testing.assert_allclose(weighted.units.scale, repeated.units.scale, rtol=1e-6)


def test_columns_that_are_no_real_numbers_are_left_alone():
    x = table()
    units = units_of(x, [True, False, True, False])
    np.testing.assert_array_equal(units.mean[[1, 3]], 0)
    np.testing.assert_array_equal(units.scale[[1, 3]], 1)
    np.testing.assert_array_equal(units.standardised(x)[:, [1, 3]], x[:, [1, 3]])
    np.testing.assert_array_equal(units.restored(x)[:, [1, 3]], x[:, [1, 3]])
    np.testing.assert_allclose(units.restored(units.standardised(x)), x, rtol=1e-13)


def test_integers_are_standardised_after_their_scale():
    x = np.random.default_rng(0).integers(0, 200, (50, 4))
    one, other = small(scale=10.0, dtype="float64"), small(dtype="float64")
    nv.fit(one, x, epochs=1)
    nv.fit(other, x / 10, epochs=1)
    np.testing.assert_allclose(one.flat, other.flat, rtol=1e-12)
    np.testing.assert_allclose(one.elbo(x), other.elbo(x / 10), rtol=1e-12)


def test_data_that_is_refused_leaves_no_trace():
    model, x = small(missing="mask"), table()
    x[:, 2] = np.nan
    with pytest.raises(nv.DataError, match="column 2"):
        nv.fit(model, x)
    assert model.units is None
    nv.fit(model, table(), epochs=0)
    np.testing.assert_allclose(model.units.mean, table().mean(0))


@pytest.mark.parametrize(
    ("standardise", "fragment"),
    [
        ("yes", "True, False or {'mean'"),
        (None, "got None"),
        ({"mean": [0.0] * 4}, "got {'mean'"),
        ({"mean": [0.0] * 3, "scale": [1.0] * 3}, "each of the 4 columns; got 3"),
        ({"mean": [0.0] * 4, "scale": [1.0] * 3}, "each column"),
        ({"mean": [0.0] * 4, "scale": [1, 1, 0, 1]}, "above 0"),
        ({"mean": [0, 0, 0, np.inf], "scale": [1.0] * 4}, "mean is a list of finite numbers"),
        ({"mean": [0.0] * 4, "scale": "wide"}, "scale is a list of finite numbers"),
        ({"mean": [[0.0]] * 4, "scale": [1.0] * 4}, "mean is a list"),
        ({"mean": [0, [1]], "scale": [1.0] * 4}, "mean is a list"),
    ],
)
def test_units_that_are_none(standardise, fragment):
    with pytest.raises(nv.ConfigError) as caught:
        small(standardise=standardise)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("likelihood", ["bernoulli", "poisson", "beta", "categorical"])
def test_a_likelihood_of_no_real_numbers(likelihood):
    with pytest.raises(nv.ConfigError, match=rf"columns of real numbers; {likelihood} has none"):
        small(likelihood=likelihood)


@pytest.mark.parametrize("wild", [9999.0, -1e9])
def test_a_cell_far_from_all_others_is_said(wild):
    x = table(n=200)
    x[57, 1] = wild
    where = re.escape(f"lie {wild:.6g} in row 57, column 1 (counted from 0)")
    with pytest.warns(UserWarning, match=where):
        nv.fit(small(), x, epochs=1)


def test_heavy_tails_and_sparse_columns_are_no_wild_cells(recwarn):
    rng = np.random.default_rng(0)
    x = table(n=200)
    x[:, 0] = rng.lognormal(0, 2, 200)
    x[:, 1] = np.arange(200) == 7  # the others do not differ
    x[:, 2] = np.where(rng.random(200) < 0.9, 0, rng.exponential(size=200))
    nv.fit(small(), x, epochs=1)
    assert not recwarn.list

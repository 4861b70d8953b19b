"""A model of a table: it keeps the schema, fills gaps, and is scored column by column."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae import tables

NAN = float("nan")
N = 240


def rows(rng):
    """A table in which two hidden numbers say most of all columns but the last."""
    a, b = rng.normal(size=(2, N))
    return {
        "weight": [f"{v:.1f}" for v in 70 + 9 * a + 2 * rng.normal(size=N)],
        "height": [f"{v:.2f}" for v in 1.7 + 0.09 * a + 0.02 * rng.normal(size=N)],
        "visits": rng.poisson(np.exp(1.5 + b)).tolist(),
        "smoker": np.where(b + 0.3 * rng.normal(size=N) > 0, "yes", "no").tolist(),
        "group": np.digitize(a, [-0.7, 0.7]).astype("U1").tolist(),
        "noise": [f"{v:.3f}" for v in rng.normal(size=N)],
    }


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    columns = rows(rng)
    columns["group"] = ["abc"[int(v)] for v in columns["group"]]
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *lines]))
    return tables.read(path)


@pytest.fixture(scope="module")
def gaps(table):
    return np.random.default_rng(1).random(table.x.shape) < 0.2


@pytest.fixture(scope="module")
def model(table, gaps):
    model = nv.VAE(z_dim=3, hidden=(32,), **table.schema.options())
    x = np.where(gaps, NAN, table.x)
    nv.fit(model, x, epochs=150, batch_size=32, lr=3e-3)
    return model


def test_the_options_make_a_model_of_the_table(table, model):
    parts = {part.name: tuple(columns) for part, columns in zip(
        model.likelihood.parts, model.likelihood.columns, strict=True)}  # fmt: skip
    assert parts == {
        "transformed": (0, 1, 2, 5), "bernoulli": (3,), "categorical": (4,),
    }  # fmt: skip
    assert model.missing == "mask"
    assert model.schema == table.schema
    other = nv.VAE(z_dim=1, **table.schema.options(number="gaussian_column_scale", count="poisson"))
    names = [part.name for part in other.likelihood.parts]
    assert names[::2] == ["gaussian_column_scale", "poisson"]
    with pytest.raises(nv.ConfigError, match="6 columns, as many as its schema; got x_dim 5"):
        nv.VAE(z_dim=1, **{**table.schema.options(), "x_dim": 5, "likelihood": "gaussian"})
    assert nv.VAE(4, 2).schema is None


def test_the_schema_survives_save_and_load(table, model, tmp_path):
    nv.save(model, tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    assert again.schema == table.schema
    drawn = model.sample(20, seed=1, take="draw")
    assert again.schema.rows(again.sample(20, seed=1, take="draw")) == table.schema.rows(drawn)


def test_draws_are_rows_like_the_table_s(table, model):
    drawn = model.sample(2000, take="draw")
    assert not np.isnan(drawn).any()
    for row in table.schema.rows(drawn[:200]):
        assert row["smoker"] in ("yes", "no")
        assert row["group"] in ("a", "b", "c")
        assert isinstance(row["visits"], int)
        assert row["visits"] >= 0
        assert row["weight"] == round(row["weight"], 1)
    for j in table.schema.where("number", "flag"):
        spread = table.x[:, j].std()
        assert abs(drawn[:, j].mean() - table.x[:, j].mean()) < 0.4 * spread
        assert 0.6 < drawn[:, j].std() / spread < 1.5


def test_gaps_are_filled_better_than_by_means_and_the_commonest_label(table, model, gaps):
    x = np.where(gaps, NAN, table.x)
    filled = tables.impute(model, x)
    np.testing.assert_array_equal(filled[~gaps], table.x[~gaps])
    assert not np.isnan(filled).any()
    for name, share in (("weight", 0.6), ("height", 0.6), ("visits", 0.9)):  # it has the flag alone
        j = table.columns.index(name)
        errors = np.square(filled - table.x)[gaps[:, j], j].mean()
        by_mean = np.square(np.nanmean(x[:, j]) - table.x[gaps[:, j], j]).mean()
        assert errors < share * by_mean, name
    for name in ("smoker", "group"):
        j = table.columns.index(name)
        hits = np.rint(filled)[gaps[:, j], j] == table.x[gaps[:, j], j]
        commonest = np.bincount(x[~gaps[:, j], j].astype(int)).argmax()
        assert hits.mean() > 0.1 + (table.x[gaps[:, j], j] == commonest).mean(), name


def test_entries_are_scored_one_by_one(table, model, gaps):
    x = np.where(gaps, NAN, table.x)
    nats = tables.column_nats(model, x, seed=4)
    np.testing.assert_array_equal(np.isnan(nats), gaps)
    eps = model.draw_noise(len(x), 1, np.random.default_rng(4))
    terms, _ = model.forward(model.reader(x).batch(slice(None)), eps)
    rounding = 1e-5 * np.nansum(np.abs(nats), axis=1)  # the entries' own: their sum may be near 0
    assert (np.abs(np.nansum(nats, axis=1) + terms.log_px[0]) < rounding).all()


def test_nats_are_saved_in_columns_that_others_explain(table, model):
    saved = dict(zip(table.columns, tables.nats_saved(model, table.x), strict=True))
    assert min(saved["weight"], saved["height"], saved["smoker"], saved["group"]) > 0.2
    assert abs(saved["noise"]) < 0.2 or saved["noise"] > 0
    assert sorted(saved, key=saved.get)[0] == "noise" or saved["visits"] < 0.2


def test_a_column_alone_has_the_distribution_of_its_values(table):
    class Blind:
        """A model that says 0 nats of every entry."""

        schema = table.schema

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npvae.tables.assess.column_nats", lambda model, x, seed, context: 0 * x)
        alone = -tables.nats_saved(Blind, table.x)
    weight, visits, group = (
        table.x[:, table.columns.index(n)] for n in ("weight", "visits", "group")
    )
    shares = (np.bincount(group.astype(int)) + 0.5) / (N + 1.5)
    np.testing.assert_allclose(alone[4], np.log(shares)[group.astype(int)].mean())
    whole = np.arange(visits.min(), visits.max() + 1)
    marginal = table.schema.modelled[2].marginal
    beyond = 1 - np.exp(marginal.log_prob(whole)).sum()  # in the tails
    assert 0 < beyond <= 2.01 / (len(visits) + 1)
    np.testing.assert_allclose(alone[2], marginal.log_prob(visits).mean())
    assert alone[0] > stats.norm(*stats.norm.fit(weight)).logpdf(weight).mean() - 0.03


def test_a_column_of_which_no_distribution_was_found_has_student_s_or_the_negative_binomial(table):
    class Blind:
        schema = tables.Schema([
            {"name": "weight", "kind": "number", "decimals": 1},
            {"name": "visits", "kind": "count"},
        ])  # fmt: skip

    x = table.x[:, [0, 2]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npvae.tables.assess.column_nats", lambda model, x, seed, context: 0 * x)
        alone = -tables.nats_saved(Blind, x)
    weight, visits = x.T
    _, at, scale = stats.t.fit(weight, fdf=8)
    heavy = stats.t(8, at, scale).logpdf(weight).mean()
    m, d = visits.mean(), visits.mean() ** 2 / (visits.var() - visits.mean())
    counts = stats.nbinom(d, d / (d + m)).logpmf(visits).mean()
    np.testing.assert_allclose(alone, [heavy, counts], rtol=1e-7)

"""`npvae.sklearn.VAEImputer`: scikit-learn's own tests of imputers, and gaps in data frames."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import npvae as nv
from npvae.sklearn import VAEImputer

common = pytest.importorskip("sklearn.impute.tests.test_common")


def small(**options):
    return VAEImputer(**{"hidden": (16,), "max_iter": 10, "random_state": 0, **options})


@pytest.mark.parametrize("marker", [np.nan, -1, 0])
def test_indicators_as_scikit_learn_tests_them(marker):
    common.test_imputers_add_indicator(marker, small(max_iter=3))
    common.test_imputation_missing_value_in_test_array(small(max_iter=3))


@pytest.mark.parametrize("flag", [True, False])
def test_names_and_types_as_scikit_learn_tests_them(flag):
    common.test_imputers_pandas_na_integer_array_support(small(max_iter=3), flag)
    common.test_imputers_feature_names_out_pandas(small(max_iter=3), flag)
    common.test_keep_empty_features(small(max_iter=3), flag)
    missing = np.nan if flag else 1
    common.test_imputation_adds_missing_indicator_if_add_indicator_is_true(
        small(max_iter=3), missing
    )


def test_what_follows_from_the_other_columns_is_filled_in_with_it(rows):
    rng = np.random.default_rng(1)
    holes = rows.copy()
    gaps = rng.random(rows.shape) < 0.2
    gaps[gaps.all(1)] = False
    holes[gaps] = np.nan
    imputer = small(z_dim=1, max_iter=100)
    filled = imputer.fit_transform(holes)
    np.testing.assert_array_equal(filled[~gaps], rows[~gaps])

    def error(x):
        return np.sqrt(np.mean(np.square((x - rows) / rows.std(0))[gaps]))

    assert error(filled) < 0.65 * error(SimpleImputer().fit_transform(holes))
    np.testing.assert_array_equal(
        filled[gaps], nv.impute(imputer.model_.astype("float64"), holes)[gaps]
    )
    np.testing.assert_allclose(imputer.transform(holes[::-1])[::-1], filled, rtol=1e-9)


def test_a_column_that_is_a_function_of_another_is_filled_in_exactly():
    rng = np.random.default_rng(0)
    celsius = rng.normal(15, 8, 200).round(1)
    whole = np.stack([celsius, celsius * 1.8 + 32, rng.normal(size=200)], axis=1)
    holes = np.where(rng.random(whole.shape) < 0.1, np.nan, whole)
    for sample_posterior, off in ((False, 0.3), (True, 4.0)):  # a draw lies between its neighbours
        imputer = small(z_dim=1, max_iter=1, sample_posterior=sample_posterior)
        filled = imputer.fit_transform(holes)
        known = ~np.isnan(holes[:, :2]).all(1)
        np.testing.assert_allclose(filled[known, :2], whole[known, :2], atol=off)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_keep_all_but_their_gaps(table, library):
    table = table.assign(name=[f"Ann {i}" for i in range(len(table))], only=1.5, empty=np.nan)
    table.loc[["r3", "r7"], ["name", "only"]] = None, np.nan
    given = table if library == "pandas" else pl.from_pandas(table)
    imputer = small(max_iter=80).set_output(transform=library)
    filled = imputer.fit_transform(given)
    assert type(filled) is type(given)
    names = [name for name in table.columns if name != "empty"]
    assert list(filled.columns) == names == list(imputer.get_feature_names_out())
    if library == "polars":
        assert filled.schema == given.select(names).schema
        assert filled.null_count().sum_horizontal().item() == 2, "names are not made up"
        filled = filled.to_pandas().set_index(table.index)
    else:
        assert filled.dtypes.equals(table[names].dtypes)
        assert filled.index.equals(table.index)
    for name in names:
        known = table[name].notna()
        assert (filled[name].astype(str) == table[name].astype(str))[known].all()
        assert filled[name].notna().all() or name == "name"
    assert filled.loc[["r3", "r7"], "only"].tolist() == [1.5, 1.5]
    assert filled.loc["r5", "town"] in {"Rome", "Oslo", "Paris"}
    assert abs(filled.loc["r8", "income"] - 1000 - 50 * table.loc["r8", "age"]) < 800
    kept = small(keep_empty_features=True).set_output(transform=library).fit(given)
    assert (kept.transform(given)["empty"] == 0).all()


@pytest.mark.parametrize("library", ["pandas", "polars", "object"])
def test_columns_of_text_are_filled_in_as_their_cells_are_written(library):
    n = 60
    columns = {
        "share": [f"{i % 7}.5%" for i in range(n)],
        "price": [f"1.{i:03d},50 €" for i in range(n)],
        "day": [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2023" for i in range(n)],
        "took": [f"{i % 24}:{i:02d}:00" for i in range(n)],
    }
    for i, cells in enumerate(columns.values()):
        cells[i + 1] = None
    frame = pl.DataFrame(columns) if library == "polars" else pd.DataFrame(columns)
    frame = frame.astype(object) if library == "object" else frame
    asked = "polars" if library == "polars" else "pandas"
    imputer = small(max_iter=2).set_output(transform=asked).fit(frame)
    filled = imputer.transform(frame)
    ways = (r"\d\.\d%", r"1\.0\d\d,\d\d €", r"\d\d\.\d\d\.2023", r"\d+:\d\d:\d\d")
    for i, (name, way) in enumerate(zip(columns, ways, strict=True)):
        assert re.fullmatch(way, filled[name][i + 1]), filled[name][i + 1]


def test_without_set_output_a_frame_gives_the_array_of_its_values(table):
    imputer = small(add_indicator=True)
    filled = imputer.fit_transform(table)
    assert filled.shape == (160, 6 + 5)
    names = list(imputer.get_feature_names_out())
    assert names[6:] == [f"missingindicator_{c}" for c in table.columns[[0, 1, 2, 4, 5]]]
    np.testing.assert_array_equal(filled[:, 6].astype(bool), table["age"].isna())
    frame = imputer.set_output(transform="pandas").transform(table)
    assert list(frame.columns) == names
    assert frame["missingindicator_town"].sum() == 1
    assert frame.index.equals(table.index)
    polars = imputer.set_output(transform="polars").transform(pl.from_pandas(table))
    assert polars.columns == names


@pytest.mark.smoke(1)
@pytest.mark.parametrize("asked", ["pandas", "polars"])
def test_a_frame_of_the_other_library_has_columns_with_types_of_its_own(table, asked):
    given = pl.from_pandas(table) if asked == "pandas" else table
    filled = small(add_indicator=True, max_iter=2).set_output(transform=asked).fit_transform(given)
    assert type(filled) is {"pandas": pd, "polars": pl}[asked].DataFrame
    own = small(max_iter=2).fit(given)
    values = pd.DataFrame(own.transform(given), columns=own.get_feature_names_out())
    for name in values:
        assert "object" not in str(filled[name].dtype).lower(), name
        assert list(map(str, filled[name].to_list())) == list(map(str, values[name])), name


def test_numbers_that_stand_for_missing_values_and_columns_that_are_said(table):
    marked = pd.DataFrame({"a": [1.0, -9, 3, 4] * 10, "b": ["u", "v", "-9", "u"] * 10})
    filled = small(missing_values=-9).set_output(transform="pandas").fit_transform(marked)
    assert filled["a"].iloc[1] != -9
    assert set(filled["b"]) == {"u", "v"}
    numbers = pd.DataFrame({"a": [1, 2, 3, None] * 20, "b": [1.5, 2.5, 3.5, 3.5] * 20})
    assert small().fit(numbers).schema_ is None, "of numbers alone: an array"
    as_table = small(columns={"a": "category"}).set_output(transform="pandas")
    assert set(as_table.fit_transform(numbers)["a"]) == {1, 2, 3}


@pytest.mark.slow
def test_draws_differ_from_call_to_call_and_not_from_fit_to_fit(rows):
    rows[::3, 0] = np.nan
    imputer = small(sample_posterior=True, max_iter=80)
    one, two = imputer.fit_transform(rows), imputer.transform(rows)
    assert (one[::3, 0] != two[::3, 0]).all()
    np.testing.assert_array_equal(one[:, 1:], rows[:, 1:])
    np.testing.assert_array_equal(clone(imputer).fit_transform(rows), one)
    means = small(max_iter=80).fit_transform(rows)[::3, 0]
    draws = np.mean([imputer.transform(rows)[::3, 0] for _ in range(8)], axis=0)
    assert np.corrcoef(means, draws)[0, 1] > 0.9


@pytest.mark.slow
def test_it_stands_in_a_pipeline_and_can_be_pickled(rows):
    y = rows.sum(1)
    rows[::5, 1] = np.nan
    pipeline = make_pipeline(small(max_iter=40), LinearRegression())
    assert cross_val_score(pipeline, rows, y, cv=3).mean() > 0.9
    imputer = small().fit(rows)
    again = pickle.loads(pickle.dumps(imputer))
    np.testing.assert_array_equal(again.transform(rows), imputer.transform(rows))


def test_where_nothing_is_known_there_is_nothing_to_fill_in():
    x = np.full((4, 2), np.nan)
    assert small().fit_transform(x).shape == (4, 0)
    np.testing.assert_array_equal(
        small(keep_empty_features=True).fit_transform(x), 0 * np.ones((4, 2))
    )
    assert small().fit_transform(np.float32([[1, 2], [3, np.nan], [4, 5]])).dtype == np.float32

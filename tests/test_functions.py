"""Columns that are a function of another: found, and in drawn rows exactly."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

import npvae as nv
from npvae.data.functions import Functions, find
from npvae.gaps.guesses import fit_functions, fit_guesses

N, NAN = 400, np.nan


@pytest.fixture
def x():
    """A wage, its logarithm to two decimals of steps, a city, its country, noise; some missing."""
    rng = np.random.default_rng(0)
    wage, city = rng.gamma(9, 10, N), rng.integers(7, size=N).astype(float)
    country = np.array([2.0, 0, 1, 2, 1, 0, 2])[city.astype(int)]
    x = np.stack([country, np.log(wage), city, wage, rng.normal(size=N)], axis=1)
    x[rng.random(x.shape) < 0.05] = np.nan
    return x


NUMBERS = np.array([False, True, False, True, True])


def found_in(x):
    functions = find(x, NUMBERS, [0.0] * 5)
    return {} if functions is None else {f.of: f.by for f in functions.columns}, functions


def test_functions_of_values_and_of_labels_are_found_and_restored(x):
    of, functions = found_in(x)
    assert of in ({3: 1, 0: 2}, {1: 3, 0: 2})
    rng = np.random.default_rng(1)
    drawn = np.stack(
        [rng.integers(3, size=50), rng.uniform(3.5, 5, 50), rng.integers(7, size=50),
         rng.uniform(40, 140, 50), rng.normal(size=50)], axis=1,
    )  # fmt: skip
    kept = drawn.copy()
    made = functions.restored(drawn)
    np.testing.assert_array_equal(drawn, kept)
    np.testing.assert_allclose(made[:, 1], np.log(made[:, 3]), atol=0.01)
    np.testing.assert_array_equal(made[:, 0], [[2, 0, 1, 2, 1, 0, 2][int(c)] for c in made[:, 2]])
    np.testing.assert_array_equal(made[:, [2, 4]], drawn[:, [2, 4]])
    for known in ([1.0, NAN, NAN, NAN, NAN], [NAN, NAN, 1.0, NAN, NAN]):
        stays = functions.restored(drawn, np.array(known))
        np.testing.assert_array_equal(stays[:, 0], drawn[:, 0], "it or its city was known")
        np.testing.assert_array_equal(stays[:, 1], made[:, 1])
    again = Functions.given(json.loads(json.dumps(functions.config)), 5)
    np.testing.assert_array_equal(again.restored(drawn), made)


def test_one_row_that_says_otherwise_or_chance_make_no_function(x):
    x = np.nan_to_num(x)
    x[0, 3], x[1, 3] = x[1, 3], x[0, 3]  # so that it does not rise
    rows = np.flatnonzero(x[:, 2] == 3)
    x[rows[0], 0] = 0
    assert not found_in(x)[0]
    rng = np.random.default_rng(2)
    chance = np.stack([np.arange(30.0), rng.permutation(30), rng.integers(2, size=30)], axis=1)
    assert find(chance, np.ones(3, bool), [0.0] * 3) is None, "every row has a value of its own"
    rare = np.stack([np.arange(30) // 2, np.arange(30) == 4, np.arange(30) == 4], axis=1) * 1.0
    assert find(rare[:, :2], np.ones(2, bool), [0.0] * 2) is None, "one row is soon alone"


def test_steps_and_lines():
    celsius = np.arange(-20.0, 40)
    x = np.stack([celsius, np.rint(celsius * 1.8 + 32)], axis=1).repeat(2, 0)
    functions = find(x, np.ones(2, bool), [0.0, 1.0])
    (f,) = functions.columns
    assert (f.of, f.by, f.line, f.step) == (1, 0, True, 1.0)
    assert f.at(np.array([0.5, 100])).tolist() == [33.0, 102.0]  # 32.9, and the last of all


@pytest.mark.parametrize("step", ["1/100", "3/100", "7/86400", "5/2", "30"])
def test_what_follows_is_to_the_last_bit_what_was_seen(step):
    """3 steps of 0.1 are 0.30000000000000004, which no cell says."""
    n = np.arange(-40, 60)
    y = np.array([float(Fraction(step) * int(i)) for i in n])
    x = np.stack([y, np.exp(0.1 * n)], axis=1).repeat(3, 0)
    functions = find(x, np.ones(2, bool), [float(Fraction(step)), 0.0])
    assert functions.columns[0].line
    gaps = x.copy()
    gaps[::2, 0] = gaps[1::2, 1] = NAN
    np.testing.assert_array_equal(functions.completed(gaps), x)


def test_gaps_that_follow_from_what_is_known_are_completed(x):
    _, functions = found_in(x)
    wage, low = x[7, 3], np.nanmin(x[:, 3])
    rows = np.array([
        [NAN, NAN, 3.0, wage, NAN], [NAN, np.log(wage), NAN, NAN, 1.0],
        [2.0, NAN, NAN, low - 1, NAN],
        [0.0, 7.0, 3.0, wage, NAN], [NAN, NAN, 2.5, NAN, NAN], [NAN, NAN, 0.5, NAN, NAN],
    ])  # fmt: skip
    kept = rows.copy()
    want = rows.copy()
    want[0, [0, 1]] = 2.0, np.log(wage)  # a city has one country
    want[1, 3] = wage  # a logarithm that rises can be undone; the third country has three cities
    made = functions.completed(rows)
    np.testing.assert_array_equal(rows, kept)
    np.testing.assert_allclose(made, want, rtol=1e-3)
    known = ~np.isnan(rows)
    np.testing.assert_array_equal(made[known], rows[known])


def test_what_follows_from_what_follows_is_completed():
    a = np.repeat(np.arange(30.0), 10)
    x = np.stack([np.square(a) // 10 + a, np.exp(a / 9), a], axis=1)
    functions = find(x, np.ones(3, bool), [0.0] * 3)
    for j in range(3):
        row = np.where(np.arange(3) == j, x[40], NAN)
        np.testing.assert_allclose(functions.completed(row[None])[0], x[40], rtol=1e-12)


def test_draws_between_two_known_values_of_a_line_are_uniform():
    x = np.arange(21.0)
    functions = Functions([[0, 1, x, np.square(x), True, 0.0], [2, 1, x, x + 1, True, 1.0]])
    rows = np.array([[NAN, 2.5, NAN], [NAN, 3.0, NAN], [NAN, NAN, 5.0], [30.0, NAN, NAN]])
    shares = np.linspace(0, 1, 11)[:, None] * np.ones(len(rows))
    drawn = functions.drawn(np.zeros((11, 4, 3)), rows, shares)
    np.testing.assert_allclose(drawn[:, 0, 0], 4 + 5 * shares[:, 0])
    assert set(drawn[:, 0, 2]) == {3.0, 4.0}, "whole numbers as the others"
    np.testing.assert_array_equal(drawn[:, 1], np.tile([9.0, 3.0, 4.0], (11, 1)))
    np.testing.assert_array_equal(drawn[:, 2], np.tile([16.0, 4.0, 5.0], (11, 1)))
    np.testing.assert_allclose(drawn[:, 3, 1], 5 + shares[:, 0])
    np.testing.assert_allclose(drawn[:, 3, 2], np.rint(6 + shares[:, 0]))


def test_rows_that_contradict_what_is_known_do_not_agree(x):
    _, functions = found_in(x)
    drawn = np.zeros((7, 5))
    drawn[:, 2] = np.arange(7)
    norway = functions.agree(drawn, np.array([0.0, NAN, NAN, NAN, NAN]))
    assert norway.tolist() == [False, True, False, False, False, True, False]
    for other in ([0.0, NAN, 0.0, NAN, NAN], [9.0, NAN, NAN, NAN, NAN], [NAN] * 5):
        assert functions.agree(drawn, np.array(other)).all()


def test_gaps_are_filled_with_what_follows(x):
    """In means, medians and draws; and of a draw of both columns one follows from the other."""
    units = {"mean": np.nanmean(x, 0).tolist(), "scale": np.nanstd(x, 0).tolist()}
    model = nv.VAE(
        5, 1, hidden=(2,), likelihood="gaussian_column_scale", missing="mask", standardise=units
    )
    fit_functions(model, x)
    fit_guesses(model, x)
    completed = model.functions.completed(x)
    assert np.isnan(completed).sum() < np.isnan(x).sum()
    known, both = ~np.isnan(completed), np.isnan(completed[:, [1, 3]]).all(1)
    (f,) = (f for f in model.functions.columns if {f.of, f.by} == {1, 3})
    between = np.isnan(x) & ~np.isin(np.arange(5), [0, 2, 4]) & known
    assert both.any()
    assert between.any()
    for options in ({}, {"statistic": "median"}, {"n_draws": 4}):
        filled = nv.impute(model, x, **options)
        assert np.isfinite(filled).all()
        exact = known & (~between if options.get("n_draws") else True)
        np.testing.assert_array_equal(
            filled[..., exact], np.broadcast_to(completed, filled.shape)[..., exact]
        )
    np.testing.assert_allclose(
        filled[:, between], np.broadcast_to(completed, filled.shape)[:, between], rtol=0.05
    )
    np.testing.assert_array_equal(filled[:, both, f.of], f.at(filled[:, both, f.by]))
    assert filled[:, both, f.of].std(0).min() > 0


@pytest.mark.parametrize(
    "columns",
    [3, [[0, 1]], [[0, 0, [1.0], [1.0], False, 0.0]], [[0, 1, [1.0, 1.0], [1.0, 2.0], True, 0.0]],
     [[0, 1, [1.0], [np.nan], True, 0.0]], [[0, 1, [], [], True, 0.0]],
     [[0, 1, [1.0], [1.0], True, 0.0], [1, 0, [1.0], [1.0], True, 0.0]],
     [[0, 1, [1.0], [1.0], True, 0.0, -1.0]]],
)  # fmt: skip
def test_functions_that_are_none(columns):
    with pytest.raises(nv.ConfigError, match="functions have two columns"):
        Functions(columns)


def test_functions_of_other_columns_are_refused():
    config = {"columns": [[0, 2, [1.0], [1.0], False, 0.0]]}
    with pytest.raises(nv.ConfigError, match="are of column 2, and there are 2"):
        nv.VAE(2, 1, functions=config)
    with pytest.raises(nv.ConfigError, match="functions is None or"):
        nv.VAE(2, 1, functions=3)


@pytest.mark.parametrize("given", [None, {"city": "Rome"}, {"country": "Norway"}, {"code": "101"}])
def test_drawn_rows_of_a_table_have_them(tmp_path, given):
    rng = np.random.default_rng(0)
    city = rng.integers(4, size=300)
    frame = {
        "city": np.array(["Rome", "Oslo", "Pisa", "Bergen"])[city].tolist(),
        "country": np.array(["Italy", "Norway"])[city % 2].tolist(),
        "code": (100 + city).tolist(),
        "age": rng.integers(20, 60, 300).tolist(),
    }
    pandas = pytest.importorskip("pandas")
    table = nv.tables.read(pandas.DataFrame(frame))
    model = nv.VAE(z_dim=2, hidden=(8,), **table.schema.options())
    nv.fit(model, table.x, epochs=1)
    nv.calibrate(model, table.x)
    model = nv.load(nv.save(model, tmp_path / "m.npz") or tmp_path / "m.npz")
    drawn = table.schema.frame(nv.tables.sample(model, 200, given))
    norway = drawn["city"].isin(["Oslo", "Bergen"])
    assert (norway == (drawn["country"] == "Norway")).all()
    code = drawn["city"].map({"Rome": 100, "Oslo": 101, "Pisa": 102, "Bergen": 103})
    assert (code == drawn["code"].astype(int)).all()
    for name, value in (given or {}).items():
        assert (drawn[name].astype(str) == value).all()
    assert "functions" not in repr(model) or "True" in repr(model)

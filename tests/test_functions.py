"""Columns that are a function of another: found, and in drawn rows exactly."""

from __future__ import annotations

import json

import numpy as np
import pytest

import npvae as nv
from npvae.data.functions import Functions, find

N = 400


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
    stays = functions.restored(drawn, np.array([True, False, False, False, False]))
    np.testing.assert_array_equal(stays[:, 0], drawn[:, 0])
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


@pytest.mark.parametrize(
    "columns",
    [3, [[0, 1]], [[0, 0, [1.0], [1.0], False, 0.0]], [[0, 1, [1.0, 1.0], [1.0, 2.0], True, 0.0]],
     [[0, 1, [1.0], [np.nan], True, 0.0]], [[0, 1, [], [], True, 0.0]],
     [[0, 1, [1.0], [1.0], True, 0.0], [1, 0, [1.0], [1.0], True, 0.0]]],
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


@pytest.mark.smoke(1)
@pytest.mark.parametrize("given", [None, {"city": "Rome"}])
def test_drawn_rows_of_a_table_have_them(tmp_path, given):
    rng = np.random.default_rng(0)
    city = rng.integers(4, size=300)
    frame = {
        "city": np.array(["Rome", "Oslo", "Pisa", "Bergen"])[city].tolist(),
        "country": np.array(["Italy", "Norway"])[city % 2].tolist(),
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
    assert "functions" not in repr(model) or "True" in repr(model)

"""Guesses by the rows nearby: their formula, its slope, what they find, and how they are kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

import npvae as nv
from npvae.data.neighbours import Neighbours, error_and_slope, learnt, powers_of
from npvae.gaps import guesses as fitting
from npvae.gaps.guesses import fit_guesses

NAN = np.nan


def of_three(**changed):
    rows = np.random.default_rng(0).normal(size=(9, 3))
    rows[0, 1], rows[1, 2] = NAN, NAN
    return Neighbours(**{
        "columns": [0, 1, 2], "labels": [None] * 3, "mean": [1.0, -2.0, 0.5],
        "scale": [2.0, 0.5, 1.0], "rows": rows, "weights": [0.25, 0.5, 0.0],
        "nearness": [[0, 1.5, 0.2], [0.7, 0, 2.0], [0, 0, 0]],
        **changed,
    })  # fmt: skip


def naive(made, x, own=-1):
    """The guess of each gap of one row x (D,), by the formula."""
    f, others = ((a - made.mean) / made.scale for a in (x, np.asarray(made.rows, float)))
    found = np.full(len(x), NAN)
    for t in range(len(x)):
        if not np.isnan(x[t]) or not made.nearness[t].any():
            continue
        square = np.square(f - others)
        d = (made.nearness[t] * np.where(np.isnan(square), 2.0, square)).sum(1)
        k = np.where(np.isnan(others[:, t]) | (np.arange(len(others)) == own), 0.0, np.exp(-d))
        found[t] = made.mean[t] + made.scale[t] * (k @ np.nan_to_num(others[:, t])) / k.sum()
    return found


def days(n_days=60, n=12, seed=0):
    """Rows of days: each day has numbers of its own, which no line through the days gives."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(n_days, dtype=float), n)
    own = rng.normal(size=(n_days, 2))[day.astype(int)]
    return np.column_stack(
        [day, own + 0.05 * rng.normal(size=own.shape), rng.normal(size=len(day))]
    )


def poor(x_dim=4):
    return nv.VAE(
        x_dim, 1, hidden=(2,), likelihood="gaussian_column_scale", missing="mask", standardise=True
    )


@pytest.fixture(scope="module")
def trained():
    x = days()
    seen = np.where(np.random.default_rng(1).random(x.shape) < 0.2, NAN, x)
    model = poor()
    nv.fit(model, seen, epochs=1, threads=1)
    fit_guesses(model, seen)
    return model, x, seen


def test_guesses_are_those_of_the_formula():
    made, rng = of_three(), np.random.default_rng(1)
    x = rng.normal(size=(20, 3))
    x[rng.random(x.shape) < 0.5] = NAN
    x[0], x[1] = NAN, 1.0
    want = np.stack([naive(made, row) for row in x])
    np.testing.assert_allclose(made.guesses(x), want, rtol=1e-12)
    alone = np.concatenate([made.guesses(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(alone, want, rtol=1e-12)


def test_a_row_that_is_kept_can_be_left_out():
    made = of_three()
    seen = np.array(made.rows, float)
    seen[:, 0] = NAN
    want = np.stack([naive(made, row, i) for i, row in enumerate(seen)])
    np.testing.assert_allclose(made.guesses(seen, np.arange(len(seen))), want, rtol=1e-12)
    assert not np.allclose(made.guesses(seen)[:, 0], want[:, 0])


def test_the_slope_is_that_of_the_error():
    rng = np.random.default_rng(0)
    f = rng.normal(size=(15, 4))
    y = f[:, 0].copy()
    f[rng.random(f.shape) < 0.2] = NAN
    f[:, 0] = NAN  # what is guessed says nothing
    others, some = powers_of(f), np.array([3, 0, 7, 11])
    powers = others[:, some] * (rng.random((len(some), 4)) < 0.8)
    w = rng.random(4) + 0.2
    error, slope = error_and_slope(w, powers, others, y, some)
    for c in range(4):
        step = 1e-6 * (np.arange(4) == c)
        ends = [error_and_slope(w + s * step, powers, others, y, some)[0] for s in (1, -1)]
        np.testing.assert_allclose(slope[c], (ends[0] - ends[1]) / 2e-6, atol=1e-8)
    assert slope[0] == 0
    assert error > 0


def test_what_is_learnt_is_which_column_says_something():
    f = days()
    f = (f - f.mean(0)) / f.std(0)
    w = learnt(f, 1, np.arange(4) != 1, 0.2, np.random.default_rng(0))
    assert w[1] == 0
    assert w[0] > 100 * w[3]


def test_the_same_day_is_found_again(trained):
    model, x, seen = trained
    assert model.neighbours.weights[1:3].min() > 0.8
    missing = np.isnan(seen)
    plain = model.copy()
    plain.neighbours = None

    def error(m):
        return np.square(nv.impute(m, seen) - x)[:, 1:3][missing[:, 1:3]].mean()

    assert error(model) < 0.4 * error(plain)


def test_a_row_is_filled_in_the_same_way_wherever_it_stands(trained, tmp_path):
    model, _, seen = trained
    filled = nv.impute(model, seen)
    alone = np.concatenate([nv.impute(model, seen[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, filled[:20], rtol=1e-9)
    nv.save(model, tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(nv.impute(again, seen), filled)
    assert again.copy().neighbours.config == model.neighbours.config
    assert "neighbours=True" in repr(model)


def test_draws_medians_and_known_cells_are_as_they_were(trained):
    model, _, seen = trained
    plain = model.copy()
    plain.linear = plain.neighbours = None
    for options in ({"n_draws": 3}, {"statistic": "median"}):
        got, want = (nv.impute(m, seen[:9], n_samples=40, **options) for m in (model, plain))
        np.testing.assert_array_equal(got, want)
    known = ~np.isnan(seen)
    np.testing.assert_array_equal(nv.impute(model, seen)[known], seen[known])


def test_rows_are_kept_where_they_help_alone():
    """Independent columns: nothing is near anything."""
    x = np.random.default_rng(0).normal(size=(300, 3))
    model = poor(3)
    nv.fit(model, x, epochs=1, threads=1)
    fit_guesses(model, x)
    found = model.neighbours
    assert found is None or found.weights.max() < 0.3


def test_no_more_rows_are_kept_than_there_is_time_for(monkeypatch):
    monkeypatch.setattr(fitting, "_MOST_WORK_NEARBY", 4 * 4 * 100)
    x = days()
    model = poor()
    nv.fit(model, x, epochs=1, threads=1)
    fit_guesses(model, x)
    assert len(model.neighbours.rows) <= 100


def test_the_config_comes_back_bit_by_bit():
    made = of_three(labels=[None, 1, None])
    again = Neighbours.given(json.loads(json.dumps(made.config)), 3)
    assert again.config == made.config
    np.testing.assert_array_equal(again.rows, made.rows)


@pytest.mark.parametrize(
    "changed",
    [{"scale": [1.0, 0.0, 1.0]}, {"weights": [0.5, 1.5, 0]}, {"weights": [NAN, 0, 0]},
     {"mean": [0.0]}, {"nearness": [[1.0]]}, {"nearness": -np.ones((3, 3))},
     {"rows": np.ones((4, 2))}, {"rows": np.full((4, 3), np.inf)}, {"rows": [3, "AAAA"]},
     {"rows": [3, "?"]}, {"rows": [0, ""]}, {"rows": 3}, {"columns": [-1, 0, 1]},
     {"labels": [np.inf, None, None]}],
)  # fmt: skip
def test_neighbours_that_are_none(changed):
    with pytest.raises(nv.ConfigError, match="neighbours have"):
        of_three(**changed)


def test_neighbours_of_other_columns_are_refused():
    with pytest.raises(nv.ConfigError, match="of column 2, and there are 2"):
        nv.VAE(2, 1, missing="mask", neighbours=of_three().config)
    with pytest.raises(nv.ConfigError, match="neighbours is"):
        nv.VAE(2, 1, missing="mask", neighbours=3)

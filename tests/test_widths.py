"""How wide draws are: their ranks, what true values ask for, and how it is kept."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest

import npvae as nv
from npvae.data.widths import Widths, ranks, width_of
from npvae.gaps.spread import fit_widths


def naive_rank(x, pool, weights, share):
    below = sum(w for p, w in zip(pool, weights, strict=True) if p < x)
    return below + share * sum(w for p, w in zip(pool, weights, strict=True) if p == x)


def pool_of(n=60, seed=0):
    """Weighted draws of three rows with two columns, the second of whole numbers."""
    rng = np.random.default_rng(seed)
    pool = rng.normal(size=(n, 3, 2))
    pool[:, :, 1] = np.rint(2 * pool[:, :, 1])
    weights = rng.random((n, 3))
    return pool, weights / weights.sum(0), rng


def test_ranks_are_shares_of_weight():
    pool, weights, rng = pool_of()
    x, shares = pool[:4, :, 1], rng.random((4, 3))
    want = [
        [naive_rank(x[m, b], pool[:, b, 1], weights[:, b], shares[m, b]) for b in range(3)]
        for m in range(4)
    ]
    np.testing.assert_allclose(ranks(x, pool[:, :, 1], weights, shares), want, rtol=1e-12)


def test_a_draw_becomes_the_one_of_the_rank_that_its_width_says():
    pool, weights, rng = pool_of()
    drawn, shares = pool[5:9], rng.random((4, 3))
    made = Widths([0.7, 1.0]).changed(drawn, pool, weights, shares)
    np.testing.assert_array_equal(made[..., 1], drawn[..., 1])
    for m in range(4):
        for b in range(3):
            u = naive_rank(drawn[m, b, 0], pool[:, b, 0], weights[:, b], shares[m, b])
            wanted = 1 / (1 + ((1 - u) / u) ** 0.7)
            order = np.argsort(pool[:, b, 0])
            place = np.searchsorted(np.cumsum(weights[order, b]), wanted)
            assert made[m, b, 0] == pool[order[place], b, 0]


def test_draws_stay_such_as_the_model_draws_and_in_their_order():
    pool, weights, _ = pool_of()
    drawn, shares = pool[:20], np.full((20, 3), 0.5)
    for width in (0.6, 1.7):
        made = Widths([width, width]).changed(drawn, pool, weights, shares)
        for b in range(3):
            for j in range(2):
                assert np.isin(made[:, b, j], pool[:, b, j]).all()
                order = np.argsort(drawn[:, b, j], kind="stable")
                assert (np.diff(made[order, b, j]) >= 0).all()
        assert (made[..., 0].std() < drawn[..., 0].std()) == (width < 1)


def test_the_width_is_that_of_draws_that_are_too_wide_or_too_narrow():
    u = np.random.default_rng(0).random(4000)
    assert abs(width_of(u, 0.0) - 1) < 0.03
    for width in (0.6, 1.5):
        narrower = 1 / (1 + ((1 - u) / u) ** width)
        np.testing.assert_allclose(width_of(narrower, 0.0), width, rtol=0.03)
        np.testing.assert_allclose(
            np.log(width_of(narrower, 4000.0)), np.log(width_of(narrower, 0.0)) / 2, rtol=1e-9
        )
    assert width_of(np.full(500, 0.5), 0.0) == 0.5


def test_held_out_cells_mend_draws_that_are_too_wide():
    """Numbers from N(0, 1), of a model that takes them for N(0, 1.5²) whatever z is."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 3))
    model = nv.VAE(3, 1, hidden=(2,), likelihood="gaussian_column_scale", missing="mask")
    for name, values in model.params.items():
        values[...] = np.log(1.5) if name == "likelihood.log_scale" else 0.0
    fit_widths(model, x[100:])
    p = np.array([NormalDist().cdf(value / 1.5) for value in rng.normal(size=20_000)])
    wanted = np.abs(np.log(p / (1 - p))).mean() / (2 * np.log(2))
    n = 0.2 * 900  # cells of a column that are hidden
    measured = np.log(model.widths.columns) * (n + 50) / n
    np.testing.assert_allclose(measured.mean(), np.log(wanted), atol=0.1)
    seen = np.where(rng.random((100, 3)) < 0.3, np.nan, x[:100])
    missing = np.isnan(seen)
    draws = nv.impute(model, seen, n_draws=50, n_samples=60)
    assert 1.05 < draws[:, missing].std() < 1.35
    np.testing.assert_array_equal(draws[:, ~missing], np.tile(seen[~missing], (50, 1)))


def test_they_are_kept_with_the_model(tmp_path):
    model = nv.VAE(2, 1, hidden=(2,), missing="mask", widths={"columns": [0.8, 1.25]})
    nv.save(model, tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    assert again.widths.config == json.loads(json.dumps(model.widths.config))
    assert again.copy().widths.config == model.widths.config
    assert "widths=True" in repr(model)


def test_nothing_held_out_leaves_draws_as_they_are():
    model = nv.VAE(2, 1, hidden=(2,), missing="mask", widths={"columns": [0.8, 1.25]})
    fit_widths(model, np.empty((0, 2)))
    assert model.widths is None


@pytest.mark.parametrize("columns", [[0.4, 1.0], [1.0, 2.1], [np.nan], [[1.0]], "a", 1.0])
def test_widths_that_are_none(columns):
    with pytest.raises(nv.ConfigError, match="widths are a number"):
        Widths(columns)


@pytest.mark.parametrize(
    ("config", "said"),
    [({"columns": [1.0]}, "of 1 columns, and there are 2"), (3, "widths is None")],
)
def test_widths_of_others_are_refused(config, said):
    with pytest.raises(nv.ConfigError, match=said):
        nv.VAE(2, 1, missing="mask", widths=config)

"""How rare a cell is in its column: a kernel density, or the share of the rows that have it."""

from __future__ import annotations

import numpy as np
from scipy import stats

from npvae.outliers.columns import DF, WIDTH, rarity

RNG = np.random.default_rng


def test_the_density_is_that_of_the_kernels():
    x = RNG(0).normal(3, 5, (300, 2))
    u = (x - x.mean(0)) / x.std(0)
    pairs = stats.t.pdf((u[:, None] - u) / WIDTH, DF) / WIDTH
    exact = -np.log(pairs.mean(1)).sum(1)
    found = rarity(x, np.ones(2, bool))
    np.testing.assert_allclose(found - found.mean(), exact - exact.mean(), atol=0.1)


def test_labels_have_their_share():
    x = np.array([[0.0], [0.0], [0.0], [2.0]])
    np.testing.assert_allclose(rarity(x, np.zeros(1, bool)), -np.log([0.75, 0.75, 0.75, 0.25]))


def test_a_missing_cell_and_a_constant_column_add_nothing():
    x = RNG(1).normal(size=(50, 1))
    more = np.column_stack([x, np.full(50, 7.0), np.full(50, np.nan)])
    np.testing.assert_array_equal(rarity(more, np.ones(3, bool)), rarity(x, np.ones(1, bool)))
    x[3] = np.nan
    assert rarity(x, np.ones(1, bool))[3] == 0


def test_a_cell_far_from_all_others_is_the_rarest():
    x = RNG(2).normal(size=(100, 3))
    x[40, 1] = 1e6
    assert rarity(x, np.ones(3, bool)).argmax() == 40

"""log p of a row, entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae.core import registered
from npvae.likelihoods.likelihood import as_rows

library = {n: c for n, c in registered("likelihood").items() if c.__module__.startswith("npvae.")}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("cls", library.values(), ids=library)
def test_entries_are_what_a_row_has_without_the_other_columns(cls, rng):
    likelihood, (theta, x) = cls.example(rng)
    theta, x = theta[0], x.copy()
    scores = likelihood.entries(theta, x)
    assert scores.shape == x.shape
    np.testing.assert_allclose(scores.sum(1), likelihood.forward(theta[None], x)[0][0], rtol=1e-9)
    if likelihood.takes_missing:
        for j in range(x.shape[1]):
            alone = np.full_like(x, np.nan)
            alone[:, j] = x[:, j]
            want = likelihood.forward(theta[None], alone)[0][0]
            np.testing.assert_allclose(scores[:, j], want, rtol=1e-9, atol=1e-12)
            without = np.where(np.arange(x.shape[1]) == j, np.nan, x)
            assert (likelihood.entries(theta, without)[:, j] == 0).all()


@pytest.mark.parametrize("spread", ["column", "decoder"])
def test_entries_of_counts_by_library_size_have_their_row_s_total(spread, rng):
    x = rng.poisson(3.0, (5, 4)).astype(float)
    likelihood = nv.NegativeBinomial(spread, library=10.0)
    likelihood.declare(4)
    likelihood.allocate(rng)
    theta = rng.normal(size=(5, likelihood.n_outputs(4)))
    mean = np.exp(theta[:, :4]) * x.sum(1, keepdims=True) / 10
    size = np.exp(likelihood.heads(theta)[1])
    want = stats.nbinom.logpmf(x, size, size / (size + mean))
    np.testing.assert_allclose(likelihood.entries(theta, x), want, rtol=1e-9)


def test_rows_of_heads():
    a = np.array([[1, 2, 3, 10, 20, 30], [4, 5, 6, 40, 50, 60]])
    assert as_rows(a, 3).tolist() == [[1, 10], [2, 20], [3, 30], [4, 40], [5, 50], [6, 60]]


def test_the_cost_grows_with_the_columns_not_with_their_square(rng, monkeypatch):
    """Of 3,000 columns every density is asked for once."""
    calls = []
    density = nv.NegativeBinomial.density
    monkeypatch.setattr(
        nv.NegativeBinomial, "density", lambda *a: calls.append(a[2].size) or density(*a)
    )
    likelihood = nv.NegativeBinomial()
    likelihood.declare(3000)
    likelihood.allocate(rng)
    likelihood.entries(np.zeros((2, 3000)), np.ones((2, 3000)))
    assert calls == [6000]

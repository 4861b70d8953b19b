"""What filled gaps are made of: `expected` and `guess`, against sums over all that x can be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import npvae as nv
from npvae.core import bind, n_parameters
from npvae.data.marginal import Marginal

SIZES = (3, 2, 4)


def probabilities(likelihood, theta):
    """Of each label of each column, from log p(x) of all rows that there are: (K, B, Σ sizes)."""
    rows = np.array(list(itertools.product(*map(range, SIZES))), float)
    shape = (*theta.shape[:2], sum(SIZES))
    total = np.zeros(shape)
    starts = np.cumsum([0, *SIZES[:-1]])
    for row in rows:
        log_px, _ = likelihood.forward(theta, np.broadcast_to(row, (theta.shape[1], len(row))))
        for place in starts + row.astype(int):
            total[..., place] += np.exp(log_px)
    return total


@pytest.mark.parametrize("make", [nv.Categorical, nv.Ordinal])
def test_labels_are_expected_by_their_probabilities(make):
    likelihood = make(SIZES)
    likelihood.declare(len(SIZES))
    bind(likelihood, np.random.default_rng(2).normal(size=n_parameters(likelihood)))
    theta = np.random.default_rng(3).normal(size=(2, 5, likelihood.n_outputs(len(SIZES))))
    want = probabilities(likelihood, theta)
    np.testing.assert_allclose(likelihood.expected(theta), want, rtol=1e-12)
    np.testing.assert_allclose(likelihood.expected(theta[0, 1]), want[0, 1], rtol=1e-12)


def test_one_number_of_classes_is_that_of_each_column():
    logits = np.random.default_rng(0).normal(size=(2, 5, 12))
    e = np.exp(logits.reshape(2, 5, 3, 4))
    want = (e / e.sum(-1, keepdims=True)).reshape(logits.shape)
    np.testing.assert_allclose(nv.Categorical(4).expected(logits), want, rtol=1e-12)


def test_the_likeliest_label_of_an_average_is_guessed():
    shares = np.array([[0.2, 0.5, 0.3, 0.6, 0.4, 0.1, 0.2, 0.3, 0.4]])
    likelihood = nv.Categorical(SIZES)
    np.testing.assert_array_equal(likelihood.guess(shares), [[1, 0, 3]])


def test_numbers_are_expected_by_their_means():
    likelihood = nv.Poisson()
    theta = np.random.default_rng(0).normal(size=(2, 5, 3))
    counts = np.arange(60.0)
    log_px, _ = likelihood.forward(theta[:, :1, :1], counts[:, None])
    want = (np.exp(log_px) * counts).sum(-1)
    np.testing.assert_allclose(likelihood.expected(theta)[:, 0, 0], want, rtol=1e-9)


def test_groups_of_a_table_keep_their_order_until_the_guess():
    labels, numbers = nv.Categorical((3, 2)), nv.Gaussian()
    mixed = nv.Mixed([(labels, [2, 0]), (numbers, [1])])
    mixed.declare(3)
    theta = np.random.default_rng(1).normal(size=(4, 6, mixed.n_outputs(3)))
    expected = mixed.expected(theta)
    for part in (slice(0, 3), slice(3, 5)):
        e = np.exp(theta[..., part])
        shares = e / e.sum(-1, keepdims=True)
        np.testing.assert_allclose(expected[..., part], shares, rtol=1e-12)
    np.testing.assert_array_equal(expected[..., 5], numbers.mean(theta[..., 5:])[..., 0])
    guess = mixed.guess(expected[0])
    np.testing.assert_array_equal(guess[:, 2], theta[0, :, :3].argmax(-1))
    np.testing.assert_array_equal(guess[:, 0], theta[0, :, 3:5].argmax(-1))
    np.testing.assert_array_equal(guess[:, 1], expected[0, :, 5])


@pytest.mark.parametrize("scale", ["column", "decoder"])
def test_where_it_is_wanted_it_is_the_same_bit_by_bit(scale):
    marginals = [
        Marginal([-3.0, -1.0, 0.5, 4.0], [-2.0, -0.5, 0.5, 2.5]),
        Marginal([-0.5, 0.5, 2.5, 7.5], [-1.5, -0.5, 0.5, 2.0], 1.0),
    ]
    shaped, labels = nv.Transformed(marginals, scale), nv.Categorical(3)
    mixed = nv.Mixed([(labels, [1]), (shaped, [2, 0])])
    mixed.declare(3)
    bind(mixed, np.random.default_rng(2).normal(size=n_parameters(mixed)))
    theta = np.random.default_rng(1).normal(size=(4, 6, mixed.n_outputs(3)))
    wanted = np.random.default_rng(0).random((6, 3)) < 0.5
    want, got = mixed.expected(theta), mixed.expected_where(theta, wanted)
    columns = np.repeat(wanted[:, [1, 2, 0]], [3, 1, 1], axis=1)
    np.testing.assert_array_equal(got[:, columns], want[:, columns])
    assert np.isfinite(got).all()

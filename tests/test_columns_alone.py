"""What the columns' own distributions give, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae.evaluate import columns_alone

N, NAN = 400, float("nan")


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def of(likelihood, x, **options):
    model = nv.VAE(x.shape[1], 2, hidden=(4,), likelihood=likelihood, **options)
    nv.fit(model, x, epochs=1)
    return columns_alone(model, x[:300], x[300:])


def test_of_ones_and_zeros(rng):
    x = (rng.random((N, 3)) < [0.1, 0.5, 0.8]).astype(float)
    p = (x[:300].sum(0) + 0.5) / 301
    want = -stats.bernoulli.logpmf(x[300:], p).sum(1)
    np.testing.assert_allclose(of("bernoulli", x), want, rtol=1e-5)


def test_of_bytes(rng):
    x = rng.integers(0, 256, (N, 3)).astype(np.uint8)
    p = (x[:300].mean(0) / 255 * 300 + 0.5) / 301
    want = -(x[300:] / 255 * np.log(p) + (1 - x[300:] / 255) * np.log1p(-p)).sum(1)
    np.testing.assert_allclose(of("bernoulli", x), want, rtol=1e-5)


def test_of_numbers_in_their_units(rng):
    x = rng.normal([100, -3], [20, 0.1], (N, 2))
    scale = x.std(0)
    want = -stats.norm.logpdf(x[300:], x[:300].mean(0), scale).sum(1)
    found = of("gaussian_column_scale", x, standardise=True)
    np.testing.assert_allclose(found, want, rtol=1e-4)


def test_of_counts_with_gaps(rng):
    x = rng.negative_binomial(3, 0.2, (N, 2)).astype(float)
    x[rng.random(x.shape) < 0.2] = NAN
    mean, variance = np.nanmean(x[:300], 0), np.nanvar(x[:300], 0)
    size = mean**2 / (variance - mean)
    want = np.nansum(-stats.nbinom.logpmf(x[300:], size, size / (size + mean)), axis=1)
    found = of("negative_binomial", x, missing="mask")
    np.testing.assert_allclose(found, want, rtol=0.01)
    want = np.nansum(-stats.poisson.logpmf(x[300:], mean + 0.5 / 300), axis=1)
    np.testing.assert_allclose(of("poisson", x, missing="mask"), want, rtol=1e-5)


def test_of_a_mixed_table(rng):
    likelihood = nv.Mixed([("bernoulli", (1,)), ("gaussian", (0,))])
    x = np.column_stack([rng.normal(size=N), rng.random(N) < 0.3]).astype(float)
    p = (x[:300, 1].sum() + 0.5) / 301
    want = -stats.norm.logpdf(x[300:, 0], x[:300, 0].mean())
    want = want - stats.bernoulli.logpmf(x[300:, 1], p)
    np.testing.assert_allclose(of(likelihood, x), want, rtol=1e-5)


def test_a_likelihood_without_a_start_has_none(rng):
    x = rng.integers(0, 3, (N, 2)).astype(float)
    model = nv.VAE(2, 1, hidden=(4,), likelihood=nv.Categorical(3))
    nv.fit(model, x, epochs=1)
    assert columns_alone(model, x, x) is None


def test_a_model_is_not_changed_by_it(rng):
    x = rng.poisson(3.0, (N, 2)).astype(float)
    model = nv.VAE(2, 1, hidden=(4,), likelihood="negative_binomial")
    nv.fit(model, x, epochs=1)
    before = model.flat.copy()
    columns_alone(model, x, x)
    np.testing.assert_array_equal(model.flat, before)

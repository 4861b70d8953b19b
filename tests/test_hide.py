"""fit(hide=...): entries hidden from the model at random, others at every visit."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.data.reader import Reader
from npvae.training.rows import Rows

X = np.random.default_rng(0).random((400, 5)).astype("float32")


def table(**more):
    return Rows(Reader(X, 5, "float32", missing=True), None, hide=0.3, **more)


def test_so_many_entries_are_hidden_and_the_others_stay():
    stream = np.random.default_rng(1)
    first, second = (table().batch(slice(0, 400), stream).x for _ in range(2))
    hidden = np.isnan(first)
    assert abs(hidden.mean() - 0.3) < 4 * np.sqrt(0.21 / X.size)
    np.testing.assert_array_equal(first[~hidden], X[~hidden])
    assert first.dtype == np.float32
    assert 0.2 < (hidden != np.isnan(second)).mean() < 0.6


@pytest.mark.parametrize("binarise", [False, True])
def test_rows_of_two_calls_are_those_of_one(binarise):
    rows = table(binarise=binarise)
    whole = rows.batch(slice(0, 30), np.random.default_rng(2)).x
    stream = np.random.default_rng(2)
    pieces = [rows.batch(slice(*ends), stream).x for ends in ((0, 1), (1, 20), (20, 30))]
    np.testing.assert_array_equal(np.vstack(pieces), whole)
    known = whole[~np.isnan(whole)]
    assert set(known) <= ({0, 1} if binarise else set(X.ravel()))


def test_without_a_stream_nothing_is_hidden():
    np.testing.assert_array_equal(table().batch(slice(0, 9)).x, X[:9])


def test_one_hot_columns_are_hidden_together():
    likelihood = nv.Mixed([(nv.OneHot((3,)), (0, 2, 4)), ("gaussian", (1, 3))])
    rows = table(variables=likelihood.variables(5))
    hidden = np.isnan(rows.batch(slice(0, 400), np.random.default_rng(3)).x)
    for j in (2, 4):
        np.testing.assert_array_equal(hidden[:, 0], hidden[:, j])
    assert (hidden[:, 1] != hidden[:, 3]).any()


def correlated(n, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, 8)) + 0.2 * rng.normal(size=(n, 8))


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_a_model_of_complete_rows_learns_to_fill_gaps(kernels):
    x = correlated(600, 1)
    train, test = x[:500], x[500:]
    gaps = np.random.default_rng(2).random(test.shape) < 0.3
    errors = []
    nv.use_kernels(kernels)
    try:
        for hide in (0.0, 0.3):
            model = nv.VAE(
                8, 2, hidden=(16,), likelihood="gaussian_column_scale", missing="mask", seed=1
            )
            nv.fit(model, train, epochs=40, batch_size=25, lr=5e-3, hide=hide)
            centre = model.reconstruct(np.where(gaps, np.nan, test))
            errors.append(np.square(centre - test)[gaps].mean())
    finally:
        nv.use_kernels(None)
    assert errors[1] < 0.7 * errors[0]


def test_captured_and_eager_steps_hide_the_same():
    found = []
    for kernels in ("numpy", "numba"):
        nv.use_kernels(kernels)
        try:
            model = nv.VAE(5, 2, hidden=(6,), likelihood="gaussian", missing="mask")
            nv.fit(model, X, epochs=2, batch_size=64, hide=0.4)
        finally:
            nv.use_kernels(None)
        found.append(model.flat)
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-4)


def test_a_resumed_run_hides_what_an_unbroken_one_does(tmp_path):
    options = dict(batch_size=64, hide=0.2, seed=3)

    def network():
        return nv.VAE(5, 2, hidden=(6,), likelihood="gaussian", missing="mask")

    whole, broken = network(), network()
    nv.fit(whole, X, epochs=3, **options)
    path = tmp_path / "c.npz"
    nv.fit(broken, X, epochs=1, checkpoint=path, **options)
    nv.fit(broken, X, epochs=3, checkpoint=path, resume=True, **options)
    np.testing.assert_array_equal(broken.flat, whole.flat)
    with pytest.raises(nv.ConfigError, match="same hide as before"):
        nv.fit(network(), X, epochs=3, checkpoint=path, resume=True, batch_size=64, seed=3)


def test_what_it_refuses():
    bare = nv.VAE(5, 2, hidden=(), likelihood="gaussian")
    with pytest.raises(nv.ConfigError, match=r"hide=0.2 .* missing='mask'"):
        nv.fit(bare, X, hide=0.2)
    masked = nv.VAE(5, 2, hidden=(), likelihood="gaussian", missing="mask")
    for wrong in (-0.1, 1.0, "some"):
        with pytest.raises(nv.ConfigError, match="hide"):
            nv.fit(masked, X, hide=wrong)

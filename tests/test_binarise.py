"""Dynamic binarisation: ones and zeros drawn anew at every visit, and always the same ones."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.data.reader import Reader
from npvae.training import rows

X = np.random.default_rng(0).random((40, 5)).astype("float32")
BYTES = np.random.default_rng(1).integers(0, 256, (40, 5)).astype("uint8")
OPTIONS = dict(epochs=3, batch_size=9, lr=3e-3, seed=4, binarise=True)


pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def seen(monkeypatch):
    """What was drawn, (probabilities, ones and zeros) of each batch in order."""
    found = []
    draw = rows.binarised

    def spy(x, draws):
        found.append((x, draw(x, draws)))
        return found[-1][1]

    monkeypatch.setattr(rows, "binarised", spy)
    return found


def network(**options):
    return nv.VAE(**{"x_dim": 5, "z_dim": 2, "hidden": (4,), **options})


def test_draws_are_ones_as_often_as_x_says():
    """Within 4.5 standard errors in each entry, and for 0 and 1 always."""
    x = np.linspace(0, 1, 11).reshape(1, 11)
    n = 40_000
    drawn = rows.binarised(np.repeat(x, n, axis=0), np.random.default_rng(2))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    error = np.sqrt(x[0] * (1 - x[0]) / n)
    assert (np.abs(drawn.mean(0) - x[0]) <= 4.5 * error).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws_are_the_same_in_either_type_and_however_they_are_cut(dtype):
    x = X.astype(dtype)
    whole = rows.binarised(x, np.random.default_rng(3))
    assert whole.dtype == dtype
    np.testing.assert_array_equal(whole, rows.binarised(X, np.random.default_rng(3)))
    stream = np.random.default_rng(3)
    pieces = [rows.binarised(piece, stream) for piece in (x[:1], x[1:8], x[8:9], x[9:])]
    np.testing.assert_array_equal(whole, np.vstack(pieces))


def test_what_is_missing_stays_missing():
    x = np.array([[0.5, np.nan, 1.0]])
    drawn = rows.binarised(x, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(drawn), np.isnan(x))
    assert drawn[0, 2] == 1


def test_a_batch_without_a_stream_is_not_binarised():
    """As what training starts from: the columns' means, and the prior's pseudo-inputs."""
    table = rows.Rows(Reader(X, 5, "float32"), None, binarise=True)
    np.testing.assert_array_equal(table.batch(slice(0, 4)).x, X[:4])
    drawn = table.batch(slice(0, 4), np.random.default_rng(0)).x
    assert set(np.unique(drawn)) <= {0, 1}
    models = network(), network()
    nv.fit(models[0], X, **{**OPTIONS, "epochs": 0})
    nv.fit(models[1], X, **{**OPTIONS, "epochs": 0, "binarise": False})
    np.testing.assert_array_equal(models[0].flat, models[1].flat)


def test_every_visit_draws_anew(seen):
    nv.fit(network(), X, **OPTIONS)
    assert len(seen) == 3 * 5
    epochs = [seen[5 * e : 5 * e + 5] for e in range(3)]
    tables = []
    for e, batches in enumerate(epochs):
        order = np.random.default_rng([4, e + 1, 0]).permutation(40)
        np.testing.assert_array_equal(np.vstack([x for x, _ in batches]), X[order])
        table = np.empty_like(X)
        table[order] = np.vstack([drawn for _, drawn in batches])
        tables.append(table)
    assert 0.2 < (tables[0] != tables[1]).mean() < 0.5  # ⅓ is expected of uniform x
    assert (tables[1] != tables[2]).any()


def test_the_validation_draws_are_the_same_after_every_epoch(seen):
    nv.fit(network(), X, valid=X[:7], **OPTIONS)
    of_validation = [drawn for x, drawn in seen if len(x) == 7]
    assert len(of_validation) == 3
    for drawn in of_validation:
        np.testing.assert_array_equal(drawn, of_validation[0])
    history = nv.fit(network(), X, valid=X[:7], **{**OPTIONS, "lr": 0.0})
    assert len({record["valid_loss"] for record in history.records}) == 1
    assert len({record["train_loss"] for record in history.records}) == 3


def test_the_same_seed_gives_the_same_run():
    runs = [network() for _ in range(3)]
    for model, seed in zip(runs, (4, 4, 5), strict=True):
        nv.fit(model, X, **{**OPTIONS, "seed": seed})
    np.testing.assert_array_equal(runs[0].flat, runs[1].flat)
    assert (runs[0].flat != runs[2].flat).any()


@pytest.mark.parametrize("kernel_set", ["numpy", "numba"])
def test_resuming_is_the_same_as_never_stopping(tmp_path, kernel_set):
    nv.use_kernels(kernel_set)
    path = tmp_path / "model.npz"
    options = {**OPTIONS, "valid": X[:7]}
    unbroken = network()
    wanted = nv.fit(unbroken, X, **options).records
    nv.fit(network(), X, **{**options, "epochs": 1}, checkpoint=path)
    resumed = network(seed=9)
    records = nv.fit(resumed, X, **options, checkpoint=path, resume=True).records
    np.testing.assert_array_equal(resumed.flat, unbroken.flat)
    for one, other in zip(records, wanted, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    with pytest.raises(nv.ConfigError, match="same binarise as before, True; got False"):
        nv.fit(network(), X, **{**options, "binarise": False}, checkpoint=path, resume=True)


def test_bytes_are_divided_by_255_first(seen):
    model = network()
    nv.fit(model, BYTES, **{**OPTIONS, "epochs": 1})
    assert model.scale == 255
    for x, _ in seen:
        assert 0 <= x.min() <= x.max() <= 1
    same = network()
    nv.fit(same, BYTES / np.float32(255), **{**OPTIONS, "epochs": 1})
    np.testing.assert_allclose(same.flat, model.flat, rtol=1e-5, atol=1e-7)


def test_it_is_data_that_are_drawn_and_what_is_ones_and_zeros_stays():
    binary = (X > 0.5).astype("float32")
    runs = network(), network()
    for model, binarise in zip(runs, (True, False), strict=True):
        nv.fit(model, binary, **{**OPTIONS, "binarise": binarise})
    np.testing.assert_array_equal(runs[0].flat, runs[1].flat)


def test_with_weights_and_a_context(seen):
    model = network(context_dim=1)
    weights = np.linspace(0, 1, 40)
    nv.fit(model, X, weights=weights, context=X[:, :1], **OPTIONS)
    assert len(seen) == 15


@pytest.mark.parametrize(
    "likelihood", ["gaussian", "beta", "poisson", nv.Categorical(2), nv.OneHot()], ids=str
)
def test_a_likelihood_that_is_not_of_ones_and_zeros(likelihood):
    model = network(likelihood=likelihood)
    with pytest.raises(nv.ConfigError, match=r"binarise=True draws ones and zeros, of which"):
        nv.fit(model, X, binarise=True)


def test_mixed_of_such_is_taken():
    both = nv.Mixed([("bernoulli", (0, 3)), ("continuous_bernoulli", (1, 2, 4))])
    nv.fit(network(likelihood=both), X, **{**OPTIONS, "epochs": 1})


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_it_is_true_or_false(value):
    with pytest.raises(nv.ConfigError, match="binarise is True or False; got"):
        nv.fit(network(), X, binarise=value)


def test_data_outside_of_0_to_1_are_refused():
    with pytest.raises(nv.DataError, match=r"Bernoulli needs data in \[0, 1\]; got a maximum of 2"):
        nv.fit(network(), 2 * np.ones((3, 5)), binarise=True)

"""Captured training with weights of rows, and on draws of ones and zeros, against eager."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import OBJECTIVES, network, numbers, settings

import npvae as nv
from npvae.training import rows

X = numbers((50, 5))
WEIGHTS = np.random.default_rng(1).gamma(1.0, 2.0, 50)
WEIGHTS[3] = 0
OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4)


@pytest.mark.smoke(3)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_weights(alike, share_all, objective, threads):
    captured = alike(network(), X, weights=WEIGHTS, objective=objective, threads=threads, **OPTIONS)
    assert not captured.full.python_calls


@pytest.mark.smoke(3)
@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 7},  # the last batch has one row
        {"batch_size": 50},
        {"batch_size": 1, "epochs": 1},
        {"valid": X[:7]},
        {"weights": np.ones(50, "uint8")},
        {"weights": np.eye(50)[7]},
        {"objective": nv.ELBO(beta=nv.Linear(0, 4, epochs=1.5))},
    ],
    ids=settings,
)
def test_settings_of_a_run(alike, options):
    alike(network(), X, **{**OPTIONS, "weights": WEIGHTS, **options})


@pytest.mark.parametrize("x", [X, X.astype("float64"), X.astype("float16")], ids=lambda x: x.dtype)
def test_with_a_context_and_data_that_are_staged(alike, x):
    """Then the weights are staged as well: all share their row numbers."""
    alike(network(context_dim=2), x, context=numbers((50, 2), 9), weights=WEIGHTS, **OPTIONS)
    alike(network(), x, weights=WEIGHTS, **OPTIONS)


class Sampled(nv.ELBO, abstract=True):
    """Takes the KL from the samples, as for a prior without a closed form of it."""

    needs = ("log_px", "log_pz", "log_qz")


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("n_samples", [1, 3])
def test_a_sampled_kl(alike, share_all, weights, n_samples):
    objective = Sampled(nv.Linear(0, 2, epochs=2), n_samples)
    captured = alike(network(), X, weights=weights, objective=objective, threads=2, **OPTIONS)
    assert not captured.full.python_calls


class Own(nv.ELBO, abstract=True):
    """Python runs it, since it counts: it finds the weights in the terms."""

    count = 0

    def __call__(self, terms, epoch=np.inf):
        assert terms.weights.shape == terms.log_px.shape[1:]
        self.count += 1
        return super().__call__(terms, epoch)


def test_an_objective_that_python_runs(alike):
    captured = alike(network(), X, weights=WEIGHTS, objective=Own(n_samples=2), **OPTIONS)
    assert captured.full.python_calls


def test_the_weights_matter():
    models = network(), network()
    for model, weights in zip(models, (None, WEIGHTS), strict=True):
        nv.fit(model, X, weights=weights, **OPTIONS)
    assert np.abs(models[0].flat - models[1].flat).max() > 1e-3


BYTES = np.random.default_rng(0).integers(0, 256, (50, 5)).astype("uint8")


@pytest.fixture
def drawn(monkeypatch):
    """All that was drawn since it was last asked for, as one table."""
    found = []
    draw = rows.binarised

    def spy(x, draws):
        found.append(draw(x, draws))
        return found[-1]

    monkeypatch.setattr(rows, "binarised", spy)

    def taken():
        table = np.vstack(found)
        found.clear()
        return table

    return taken


@pytest.mark.smoke
@pytest.mark.parametrize("x", [X, X.astype("float64"), BYTES], ids=lambda x: x.dtype)
@pytest.mark.parametrize("batch_size", [16, 7])
def test_binarised_draws_are_the_eager_ones_bit_for_bit(drawn, x, batch_size):
    options = {**OPTIONS, "batch_size": batch_size, "valid": x[:9], "binarise": True}
    tables = []
    for kernel_set in (None, "numpy"):
        nv.use_kernels(kernel_set)
        nv.fit(network(), x, **options)
        tables.append(drawn())
    nv.use_kernels(None)
    assert len(tables[0]) == 3 * (50 + 9)
    np.testing.assert_array_equal(*tables)


@pytest.mark.smoke
@pytest.mark.parametrize("x", [X, BYTES], ids=lambda x: x.dtype)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_binarised_training(alike, x, weights):
    captured = alike(network(), x, binarise=True, valid=x[:9], weights=weights, **OPTIONS)
    assert captured.table.most_rows is not None
    context = numbers((50, 2), 9)
    alike(network(context_dim=2), x, context=context, binarise=True, weights=weights, **OPTIONS)


def test_resuming_binarised_training(tmp_path):
    unbroken, resumed = network(), network()
    options = {**OPTIONS, "binarise": True, "weights": WEIGHTS, "valid": X[:9]}
    nv.fit(unbroken, X, **options)
    path = tmp_path / "model.npz"
    nv.fit(network(), X, **{**options, "epochs": 2}, checkpoint=path)
    nv.fit(resumed, X, **options, checkpoint=path, resume=True)
    np.testing.assert_array_equal(resumed.flat, unbroken.flat)

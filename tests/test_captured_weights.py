"""Importance weights by compiled code, against those that NumPy makes of the same noise."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import npvae as nv
from npvae import kernels
from npvae.evaluate import captured
from npvae.models.blocks import Batches

likelihood = sys.modules[nv.log_likelihood.__module__]
D, C = 8, 3


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Small jobs are captured too, in several steps, unless a test asks for NumPy."""
    monkeypatch.setattr(kernels.choice, "_chosen", None)
    monkeypatch.setattr(likelihood, "_WORTHWHILE", 0)
    monkeypatch.setattr(captured, "COLUMNS", 64)


def perturbed(model):
    model.flat += 0.3 * np.random.default_rng(2).normal(size=model.n_params).astype("float32")
    return model


def rows(n=19):
    return (np.random.default_rng(3).random((n, D)) < 0.5).astype("float32")


def by_numpy(*arguments, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likelihood, "_WORTHWHILE", np.inf)
        return nv.log_likelihood(*arguments, **options)


def weights_of(model, x, context=None):
    return captured.captured_weights(model, Batches(model, x, context))


MODELS = {
    "bernoulli": lambda: nv.VAE(D, 2, hidden=(6, 5), activation="tanh"),
    "a learnt scale": lambda: nv.VAE(D, 3, likelihood="gaussian_learnt_scale", prior="mixture"),
    "a posterior with flows": lambda: nv.VAE(D, 2, hidden=(6,), posterior="planar:n=2"),
    "two levels": lambda: nv.HierarchicalVAE(D, (3, 2), hidden=(6,)),
    "images": lambda: nv.ConvVAE((2, 4, 1), 2, channels=(3,), hidden=(5,)),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_weights_are_those_that_numpy_gives(make):
    model, x = perturbed(make()), rows()
    assert weights_of(model, x) is not None
    eps = model.draw_noise(len(x), 30, np.random.default_rng(1))
    wanted = model.forward(x, eps, needs=("log_px", "log_pz", "log_qz"))[0].log_w
    np.testing.assert_allclose(weights_of(model, x).of_rows(x, None)(eps), wanted, rtol=1e-4)
    wanted = by_numpy(model, x, 90, diagnostics=True)
    found = nv.log_likelihood(model, x, 90, diagnostics=True)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5)
    np.testing.assert_allclose(found[2], wanted[2], rtol=1e-3)


def test_rows_with_a_context_with_gaps_and_in_units_of_their_own():
    rng = np.random.default_rng(4)
    x, context = rng.normal(3, 2, size=(19, D)), rng.normal(size=(19, C))
    x[rng.random(x.shape) < 0.2] = np.nan
    units = {"mean": np.full(D, 3.0), "scale": np.full(D, 2.0)}
    model = nv.VAE(
        D, 2, likelihood="gaussian", context_dim=C, missing="mask", standardise=units
    )  # fmt: skip
    model = perturbed(model)
    assert weights_of(model, x, context) is not None
    found = nv.log_likelihood(model, x, 50, context=context)
    np.testing.assert_allclose(found, by_numpy(model, x, 50, context=context), rtol=1e-5)


@pytest.mark.smoke(8)
@pytest.mark.parametrize("n_samples", [1, 3, 64, 65])
@pytest.mark.parametrize("n", [1, 2, 16, 17, 33])
def test_any_number_of_rows_and_samples(n, n_samples):
    model = perturbed(nv.VAE(D, 2, hidden=(6,)))
    found = nv.log_likelihood(model, rows(n), n_samples, seed=1)
    np.testing.assert_allclose(found, by_numpy(model, rows(n), n_samples, seed=1), rtol=1e-5)


@pytest.mark.parametrize("columns", [16, 48, 512])
@pytest.mark.parametrize("threads", [1, 3])
def test_neither_steps_nor_threads_change_a_bit(columns, threads, monkeypatch):
    model, x = perturbed(nv.VAE(D, 2, hidden=(6,))), rows(40)
    wanted = nv.log_likelihood(model, x, 70)
    monkeypatch.setattr(captured, "COLUMNS", columns)
    monkeypatch.setattr(captured, "STEPS", 1)
    monkeypatch.setattr("npvae.core.threads.usable_cores", lambda: threads)
    monkeypatch.setattr("npvae.core.threads.WORTHWHILE", 0)
    np.testing.assert_allclose(nv.log_likelihood(model, x, 70), wanted, rtol=1e-13)


def test_rows_that_are_refined_are_the_same_either_way():
    model, x = perturbed(nv.VAE(D, 2, hidden=(6,))), rows()
    model.params["encoder.layers.1.b"][:2] += 6.0  # far off
    wanted = by_numpy(model, x, 200, proposal="adaptive")
    assert not np.allclose(wanted, by_numpy(model, x, 200), rtol=1e-3)
    np.testing.assert_allclose(nv.log_likelihood(model, x, 200, proposal="adaptive"), wanted, 1e-4)


class OwnGaussian(nv.Gaussian, abstract=True):
    """In plain NumPy, as a user writes it."""

    def forward(self, mean, x):
        u = (x - mean) / self.scale
        return (-0.5 * (u * u + np.log(2 * np.pi)) - np.log(self.scale)).sum(-1), u / self.scale


def test_what_is_not_captured_is_weighed_by_numpy(monkeypatch):
    x, model = rows(), nv.VAE(D, 2, hidden=(6,))
    assert weights_of(nv.VAE(D, 2, likelihood=OwnGaussian(0.5)), x) is None
    assert weights_of(model.astype("float64"), x) is None
    nv.use_kernels("numpy")
    assert weights_of(model, x) is None
    nv.use_kernels(None)
    assert weights_of(model, x) is not None
    run = captured.CapturedWeights._run
    monkeypatch.setattr(captured.CapturedWeights, "_run", lambda *given: run(*given) + 1.0)
    assert weights_of(model, x) is None
    np.testing.assert_array_equal(nv.log_likelihood(model, x, 9), by_numpy(model, x, 9))

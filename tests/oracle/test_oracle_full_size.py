"""The classic 784-400-20 VAE on 128 digits: gradients against autodiff, float32, Taylor's order."""

from __future__ import annotations

import jax_witness
import numpy as np
import pytest
import torch_witness
from oracle_compare import assert_agree, losses_and_gradients

import npvae as nv

OBJECTIVES = {"elbo": nv.ELBO(), "iwae": nv.IWAE()}
LOSSES = {
    "elbo": lambda w, terms: w.elbo_loss(terms),
    "iwae": lambda w, terms: w.iwae_loss(terms),
}


@pytest.fixture
def classic(mnist_batch):
    """The model somewhat off its initial weights, the digits and the noise of two samples."""
    model = nv.VAE(784, 20, dtype="float64")
    rng = np.random.default_rng(0)
    model.flat += 0.01 * rng.normal(size=model.n_params)
    return model, mnist_batch, model.draw_noise(128, 2, rng)


@pytest.mark.parametrize("witness", [torch_witness, jax_witness], ids=["torch", "jax"])
def test_gradients(classic, witness, use_kernels):
    model, x, eps = classic
    expected = losses_and_gradients(witness, model, LOSSES, x, eps)
    for kernels in ("numpy", "numba"):
        use_kernels(kernels)
        for name, objective in OBJECTIVES.items():
            loss, gradients = nv.value_and_grad(model, objective, x, eps)
            assert loss == pytest.approx(expected[name][0], rel=1e-12)
            assert_agree(gradients, expected[name][1], 1e-10)


def away_from_kinks(model, x, eps):
    """The rows at which float32's rounding takes no ReLU to its other side."""
    terms, _ = model.forward(x, eps, needs=("log_px", "z"))
    rows = np.full(len(x), True)
    for h, layer in (
        (x[None], model.encoder.layers[0]),
        (terms.levels[0].z, model.decoder.layers[0]),
    ):
        rows &= (np.abs(h @ layer.W.T + layer.b) > 1e-5).all((0, 2))
    return x[rows], eps[:, rows]


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_float32_is_float64_but_for_rounding(classic, objective, kernels, use_kernels):
    """The loss to 1e-7, each gradient to 5e-6 of its largest entry."""
    model, x, eps = classic
    use_kernels(kernels)
    single = model.astype("float32")
    model.flat[:] = single.flat
    x, eps = away_from_kinks(model, *(a.astype("float32").astype("float64") for a in (x, eps)))
    assert len(x) > 100
    loss, gradients = nv.value_and_grad(single, objective, x, eps)
    exact_loss, exact = nv.value_and_grad(model, objective, x, eps)
    assert loss == pytest.approx(exact_loss, rel=1e-7)
    assert {gradient.dtype.name for gradient in gradients.values()} == {"float32"}
    assert_agree(gradients, exact, 5e-6)


def test_taylor_remainder(classic):
    model, x, eps = classic
    report = nv.check_gradients(model, (x, eps[:1]), methods=("taylor",))
    assert report.ok, str(report)
    assert [row.argument for row in report] == list(model.params)
    for row in report:
        assert row.error == pytest.approx(2.0, abs=0.1), str(report)

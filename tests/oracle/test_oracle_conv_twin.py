"""The witness of `bench.conv_quality` is the same net: loss and gradients of every parameter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import npvae as nv
from bench.peers import conv_twin

MODELS = {
    "grey": dict(likelihood="bernoulli", hidden=(5,)),
    "real": dict(likelihood="gaussian_learnt_scale", standardise=True),
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_loss_and_gradients_are_the_models(options):
    rng = np.random.default_rng(0)
    x = rng.random((6, 48), dtype=np.float32)
    model = nv.ConvVAE((8, 6), 2, channels=(3, 4), **options)
    nv.fit(model, x, epochs=1)
    twin = conv_twin.Twin(model)
    conv_twin.check(twin, model, x)
    eps = model.draw_noise(6, 1, rng)
    loss, gradients = nv.value_and_grad(model, nv.ELBO(), x, eps)
    log_px, kl = twin.terms(torch.from_numpy(twin.standardised(x)), torch.from_numpy(eps[0]))
    (kl - log_px).mean().backward()
    assert float((kl - log_px).mean().detach()) == pytest.approx(loss, rel=1e-5)
    found = dict(twin.named_parameters())
    for name, gradient in gradients.items():
        scale = np.abs(gradient).max()
        own = found[name.replace(".", "_")].grad.numpy()
        np.testing.assert_allclose(own, gradient, atol=1e-4 * scale, rtol=1e-4)

"""Importance-sampled log-likelihoods against the same in PyTorch, and against exact ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch_witness
from oracle_parts.models import vae
from torch.distributions import LowRankMultivariateNormal

import npvae as nv
from npvae.core.row_streams import row_streams
from npvae.evaluate.likelihood import _DRAWN

N, D, Z, C = 9, 8, 3, 2


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "gaussian_learnt_scale"])
@pytest.mark.parametrize("context_dim", [0, C])
@pytest.mark.parametrize("block", [1 << 22, 7 * N * D], ids=["one block", "blocks of 7"])
def test_same_noise_same_estimate(likelihood, context_dim, block, monkeypatch):
    monkeypatch.setattr("npvae.evaluate.likelihood._BLOCK", block)
    rng = np.random.default_rng(0)
    model = nv.VAE(
        D, Z, hidden=(6,), activation="silu", likelihood=likelihood, context_dim=context_dim,
        dtype="float64",
    )  # fmt: skip
    model.flat[:] = rng.normal(0, 0.7, model.n_params)
    x = rng.random((N, D))
    context = rng.normal(size=(N, C)) if context_dim else None

    own = row_streams(x, context, 5, _DRAWN)
    eps = np.stack([stream.standard_normal((50, Z)) for stream in own], axis=1)
    data = (torch.tensor(a) for a in (x, eps, context) if a is not None)
    p = {name: torch.tensor(value) for name, value in model.params.items()}
    terms = vae(torch_witness, model, p, *data)
    log_w = terms["log_px"] + terms["log_pz"] - terms["log_qz"]
    expected = torch_witness.log_mean_exp(log_w).numpy()

    got = nv.log_likelihood(model, x, n_samples=50, seed=5, context=context)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("n_samples", [1, 10])
def test_exact_posterior_gives_the_exact_likelihood(n_samples):
    """A linear decoder x = W z + b + noise has p(x) = N(b, W Wᵀ + scale²).

    Where the columns of W are orthogonal its posterior is a diagonal Gaussian, with precision
    1 + ‖w‖² / scale². With q set to it every weight is p(x), however few the samples.
    """
    rng = np.random.default_rng(0)
    scale = 0.6
    W = np.linalg.qr(rng.normal(size=(D, Z)))[0] * [0.5, 1.0, 2.0]
    b = rng.normal(size=D)
    precision = 1 + (W**2).sum(0) / scale**2
    model = nv.VAE(D, Z, hidden=(), likelihood=nv.Gaussian(scale), dtype="float64")
    p = model.params
    p["decoder.layers.0.W"][:], p["decoder.layers.0.b"][:] = W, b
    to_mean = W.T / scale**2 / precision[:, None]
    p["encoder.layers.0.W"][:] = np.vstack([to_mean, np.zeros((Z, D))])
    p["encoder.layers.0.b"][:] = np.concatenate([-to_mean @ b, -np.log(precision)])

    x = rng.normal(0, 2, (N, D))
    W, b, x = map(torch.tensor, (W, b, x))
    noise = torch.full((D,), scale**2, dtype=torch.float64)
    exact = LowRankMultivariateNormal(b, W, noise).log_prob(x).numpy()
    # The bend of the log-variance is 1e-8 here, and with it the posterior is so far from exact.
    got = nv.log_likelihood(model, x.numpy(), n_samples=n_samples)
    np.testing.assert_allclose(got, exact, rtol=1e-7)

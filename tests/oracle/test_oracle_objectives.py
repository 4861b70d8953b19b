"""The objectives besides ELBO and IWAE against PyTorch's and JAX's autodiff."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch_witness
from oracle_compare import assert_agree, losses_and_gradients
from oracle_parts import B
from test_oracle_models import RTOL, each_witness, small_model

import npvae as nv


def log_w(terms):
    return terms["log_px"] + terms["log_pz"] - terms["log_qz"]


def power_mean(w, lw, power):
    """log of the mean of exp(power · log w), over power."""
    return w.log_mean_exp(power * lw) / power


OBJECTIVES = {
    "renyi 0.5": (nv.Renyi(0.5, 6), lambda w, t: -power_mean(w, log_w(t), 0.5).mean()),
    "renyi 3": (nv.Renyi(3.0, 6), lambda w, t: -power_mean(w, log_w(t), -2.0).mean()),
    "best": (nv.Renyi(-math.inf, 6), lambda w, t: -w.largest(log_w(t)).mean()),
    "worst": (nv.Renyi(math.inf, 6), lambda w, t: w.largest(-log_w(t)).mean()),
    "miwae": (
        nv.MIWAE(2, 3),
        lambda w, t: -0.5 * sum(w.log_mean_exp(log_w(t)[g]).mean() for g in (slice(3), slice(3, 6)))
    ),
    "ciwae": (
        nv.CIWAE(0.3, 6),
        lambda w, t: -(0.3 * log_w(t).mean() + 0.7 * w.log_mean_exp(log_w(t)).mean()),
    ),
    "capacity": (
        nv.ELBO(2.0, capacity=30.0),
        lambda w, t: -t["log_px"].mean() + 2 * abs(t["kl"].mean((0, 1)).sum() - 30),
    ),
    "small capacity": (
        nv.ELBO(2.0, capacity=0.1),
        lambda w, t: -t["log_px"].mean() + 2 * abs(t["kl"].mean((0, 1)).sum() - 0.1),
    ),
}  # fmt: skip


@each_witness
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian_learnt_scale"])
def test_each_objective(witness, likelihood):
    rng = np.random.default_rng(0)
    model, x = small_model(rng, likelihood=likelihood)
    eps = model.draw_noise(B, 6, rng)
    losses = {name: loss for name, (_, loss) in OBJECTIVES.items()}
    expected = losses_and_gradients(witness, model, losses, x, eps, None)
    for name, (objective, _) in OBJECTIVES.items():
        loss, gradients = nv.value_and_grad(model, objective, x, eps)
        assert loss == pytest.approx(expected[name][0], rel=RTOL), name
        assert_agree(gradients, expected[name][1], RTOL)


def densities(t, i):
    """log q(z_bj given x_i) of draw i, (b, i, j)."""
    gap = t["z"][i][:, None] - t["mu"]
    return -0.5 * (gap**2 * torch.exp(-t["logvar"]) + t["logvar"] + math.log(2 * math.pi))


def betatc(t, alpha, beta, gamma, log_shares):
    """Chen et al. 2018, equation 4, by their own code's logsumexps."""
    parts = []
    for i, log_qz in enumerate(t["log_qz"]):
        each = densities(t, i)
        joint = torch.logsumexp(each.sum(-1) + log_shares, 1)
        marginal = torch.logsumexp(each + log_shares[..., None], 1).sum(-1)
        mi, tc = (log_qz - joint).mean(), (joint - marginal).mean()
        parts.append(alpha * mi + beta * tc + gamma * (marginal - t["log_pz"][i]).mean())
    return -t["log_px"].mean() + sum(parts) / len(parts)


def weighted():
    return torch.full((B, B), -math.log(B), dtype=torch.float64)


def stratified(n):
    """Appendix C.2: the row itself, the next one, and the rest."""
    shares = torch.full((B, B), 1 / (B - 1), dtype=torch.float64)
    for b in range(B):
        shares[b, b], shares[b, (b + 1) % B] = 1 / n, (n - B + 1) / (n * (B - 1))
    return torch.log(shares)


def dip(t, kind):
    centred = t["mu"] - t["mu"].mean(0)
    covariance = centred.T @ centred / B
    if kind == 2:
        covariance = covariance + torch.diag(torch.exp(t["logvar"]).mean(0))
    on = torch.eye(len(covariance), dtype=torch.float64)
    penalty = ((1 - on) * covariance**2).sum() * 0.7 + (on * (covariance - 1) ** 2).sum() * 1.3
    return torch_witness.elbo_loss(t, 2.0) + penalty


OF_THE_BATCH = {
    "betatc": (nv.BetaTC(3.0, 0.5, 1.5, n_samples=2),
               lambda w, t: betatc(t, 0.5, 3.0, 1.5, weighted())),
    "stratified": (nv.BetaTC(3.0, 0.5, 1.5, "stratified", 20, 2),
                   lambda w, t: betatc(t, 0.5, 3.0, 1.5, stratified(20))),
    "dip 1": (nv.DIP(1, 0.7, 1.3, 2.0, 2), lambda w, t: dip(t, 1)),
    "dip 2": (nv.DIP(2, 0.7, 1.3, 2.0, 2), lambda w, t: dip(t, 2)),
}  # fmt: skip


def test_what_looks_at_the_whole_batch():
    rng = np.random.default_rng(0)
    model, x = small_model(rng)
    eps = model.draw_noise(B, 2, rng)
    losses = {name: loss for name, (_, loss) in OF_THE_BATCH.items()}
    expected = losses_and_gradients(torch_witness, model, losses, x, eps, None)
    for name, (objective, _) in OF_THE_BATCH.items():
        loss, gradients = nv.value_and_grad(model, objective, x, eps)
        assert loss == pytest.approx(expected[name][0], rel=RTOL), name
        assert_agree(gradients, expected[name][1], RTOL)

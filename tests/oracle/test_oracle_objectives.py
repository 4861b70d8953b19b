"""The objectives besides ELBO and IWAE against PyTorch's and JAX's autodiff."""

from __future__ import annotations

import math

import numpy as np
import pytest
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

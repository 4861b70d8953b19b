"""fit, step by step, against a loop in PyTorch from the same weights, order and noise."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch_witness
from oracle_parts.models import vae
from torch.nn.utils import clip_grad_norm_

import npvae as nv

EPOCHS, BATCH, SEED, LR = 2, 64, 3, 2e-3
ORDER, NOISE, VALIDATION = range(3)


class Setting(NamedTuple):
    """What fit is given, and the same for the loop in PyTorch; `now` is the epoch as a float."""

    model: dict[str, Any]
    fit: dict[str, Any]
    loss: Any
    optimiser: Any = torch.optim.Adam
    options: dict[str, Any] = {}  # noqa: RUF012  (never written to)
    lr: Any = lambda now: LR
    clip_norm: float = math.inf


def elbo(terms, now):
    return torch_witness.elbo_loss(terms)


def halved_by_a_cosine(now):
    return LR * (0.75 + 0.25 * math.cos(math.pi * now / EPOCHS))


SETTINGS = {
    "adam": Setting({}, {}, elbo),
    "adamw": Setting(
        {"activation": "gelu"},
        {"optimiser": nv.Adam(weight_decay=0.3)},
        elbo,
        torch.optim.AdamW,
        {"weight_decay": 0.3},
    ),
    "clipping": Setting({}, {"optimiser": nv.Adam(clip_norm=3.0)}, elbo, clip_norm=3.0),
    "betas": Setting(
        {"likelihood": "gaussian_learnt_scale"},
        {"optimiser": nv.Adam(beta1=0.8, beta2=0.95)},
        elbo,
        options={"betas": (0.8, 0.95)},
    ),
    "schedules": Setting(
        {"activation": "tanh"},
        {
            "objective": nv.ELBO(beta=nv.Linear(0, 1, EPOCHS), n_samples=2),
            "lr": nv.Cosine(LR, LR / 2, EPOCHS),
        },
        lambda terms, now: torch_witness.elbo_loss(terms, now / EPOCHS),
        lr=halved_by_a_cosine,
    ),
    "context": Setting({"context_dim": 10}, {}, elbo),
    "iwae": Setting(
        {"likelihood": nv.Gaussian(0.3)},
        {"objective": nv.IWAE(3)},
        lambda terms, now: torch_witness.iwae_loss(terms),
    ),
}


def digits(model):
    """300, so that the last batch is a short one, and their classes where the model takes them."""
    x, y = nv.datasets.digits()
    return x[:300].astype(np.float64), np.eye(10)[y[:300]] if model.context_dim else None


def new_model(setting):
    return nv.VAE(64, 5, hidden=(32,), dtype="float64", **setting.model)


def stream(epoch, purpose):
    return np.random.default_rng([SEED, epoch, purpose])


def starting_weights(model, x):
    """The model's own, the last bias from the data's mean."""
    p = {n: torch.tensor(v, requires_grad=True) for n, v in model.params.items()}
    mean = torch.tensor(x.mean(0))
    if model.likelihood.name == "bernoulli":
        mean = torch.logit((mean * len(x) + 0.5) / (len(x) + 1))
    with torch.no_grad():
        p["decoder.layers.1.b"].copy_(mean)
    return p


def pick(context, rows):
    return None if context is None else context[rows]


def terms_of(model, p, x, eps, context):
    data = (torch.tensor(a) for a in (x, eps, context) if a is not None)
    return vae(torch_witness, model, p, *data)


def clip(parameters, clip_norm):
    """torch's clipping, but for the 1e-6 that it adds to the norm by which it divides."""
    norm = float(clip_grad_norm_(parameters, math.inf))
    clip_grad_norm_(parameters, clip_norm * (norm + 1e-6) / norm)
    return norm


def train_in_torch(setting, n_samples):
    """The weights after training, the mean training loss and the validation loss per epoch."""
    model = new_model(setting)
    x, context = digits(model)
    p = starting_weights(model, x)
    optimiser = setting.optimiser(p.values(), lr=LR, eps=1e-8, **setting.options)
    losses, valid_losses, norms = [], [], []
    for epoch in range(1, EPOCHS + 1):
        order, noise = stream(epoch, ORDER).permutation(len(x)), stream(epoch, NOISE)
        batches = [order[start : start + BATCH] for start in range(0, len(x), BATCH)]
        total = 0.0
        for step, rows in enumerate(batches):
            now = epoch - 1 + step / len(batches)
            eps = noise.standard_normal((n_samples, len(rows), model.z_dim))
            loss = setting.loss(terms_of(model, p, x[rows], eps, pick(context, rows)), now)
            optimiser.zero_grad()
            loss.backward()
            norms.append(clip(list(p.values()), setting.clip_norm))
            optimiser.param_groups[0]["lr"] = setting.lr(now)
            optimiser.step()
            total += float(loss.detach()) * len(rows)
        losses.append(total / len(x))
        eps = stream(0, VALIDATION).standard_normal((1, len(x), model.z_dim))
        with torch.no_grad():
            valid_losses.append(float(elbo(terms_of(model, p, x, eps, context), now)))
    if math.isfinite(setting.clip_norm):
        assert min(norms) < setting.clip_norm < max(norms)
    return {n: v.detach().numpy() for n, v in p.items()}, losses, valid_losses


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_fit(setting, kernels, use_kernels):
    use_kernels(kernels)
    model = new_model(setting)
    x, context = digits(model)
    options = {"objective": nv.ELBO(), "lr": LR, **setting.fit}
    valid = x if context is None else (x, context)
    history = nv.fit(
        model, x, context=context, valid=valid, epochs=EPOCHS, batch_size=BATCH, seed=SEED,
        **options,
    )  # fmt: skip
    weights, losses, valid_losses = train_in_torch(setting, options["objective"].n_samples)
    for name, value in model.params.items():
        np.testing.assert_allclose(value, weights[name], rtol=0, atol=1e-11, err_msg=name)
    assert [r["train_loss"] for r in history.records] == pytest.approx(losses, rel=1e-11)
    assert [r["valid_loss"] for r in history.records] == pytest.approx(valid_losses, rel=1e-11)

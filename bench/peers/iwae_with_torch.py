"""The importance weighted autoencoder of Burda et al. 2016 in PyTorch, by their protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)

from .with_torch import TorchVAE, state_of, tensor

_PARTS = (("encoder", ("mu", "logvar")), ("decoder", ("out",)))


class TorchIWAE(TorchVAE):
    """784-200-200-50 with tanh, and the importance weights of its draws."""

    def __init__(self, hidden: Sequence[int] = (200, 200), z_dim: int = 50) -> None:
        super().__init__(784, hidden, z_dim, "tanh")

    def log_w(self, x: torch.Tensor, samples: int) -> torch.Tensor:
        """log p(x, z) - log q(z given x) of each draw, (K, B)."""
        mu, logvar = self.encode(x)
        eps = torch.randn(samples, *mu.shape)
        z = mu + eps * torch.exp(0.5 * logvar)
        logits = self.out(self.decoder(z))
        log_px = -F.binary_cross_entropy_with_logits(
            logits, x.expand_as(logits), reduction="none"
        ).sum(-1)
        # The constants of the two Gaussians cancel.
        return log_px - 0.5 * z.pow(2).sum(-1) + 0.5 * (logvar + eps.pow(2)).sum(-1)


def train(
    model: Any,
    x: np.ndarray,
    samples: int,
    rates: Sequence[float],
    seed: int,
    after_epoch: Callable[[float], None],
) -> None:
    """Train an npvae model's weights in place, one epoch at each of the rates.

    `after_epoch` is called with the mean loss, the weights being in `model`.
    """
    torch.manual_seed(seed)
    torch_model = TorchIWAE()
    torch_model.load_state_dict(state_of(model.params))
    parameters, data = list(torch_model.parameters()), tensor(x)
    adam = torch.optim.Adam(parameters, rates[0], betas=(0.99, 0.999), eps=1e-4)
    for parameter in parameters:  # the second moment starts at 1
        zeros, ones = torch.zeros_like(parameter), torch.ones_like(parameter)
        adam.state[parameter] = dict(step=torch.zeros(()), exp_avg=zeros, exp_avg_sq=ones)
    for rate in rates:
        for group in adam.param_groups:
            group["lr"] = rate
        total = torch.zeros(())
        for batch in torch.randperm(len(data)).split(20):
            adam.zero_grad()
            bound = torch.logsumexp(torch_model.log_w(torch.bernoulli(data[batch]), samples), 0)
            loss = -(bound - math.log(samples)).sum()
            loss.backward()
            adam.step()
            total += loss.detach()
        _load_into(model, torch_model)
        after_epoch(float(total) / len(data))


def _load_into(model: Any, torch_model: TorchVAE) -> None:
    """Give an npvae VAE the weights of a `TorchVAE`: the way back from `state_of`."""
    state = torch_model.state_dict()
    for part, last_names in _PARTS:
        for kind, name in (("W", "weight"), ("b", "bias")):
            *hidden, last = [
                view
                for of, view in model.params.items()
                if of.startswith(part) and of.endswith(kind)
            ]
            for i, view in enumerate(hidden):
                view[...] = state[f"{part}.{2 * i}.{name}"]
            last[...] = torch.cat([state[f"{n}.{name}"] for n in last_names])

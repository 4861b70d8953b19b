"""The same VAE in PyTorch, as users of it write it: what npvae is held against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)


class TorchVAE(nn.Module):
    """A dense VAE with one hidden layer, ReLU and a Bernoulli likelihood."""

    def __init__(self, x_dim: int, hidden: int, z_dim: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(x_dim, hidden), nn.ReLU())
        self.mu, self.logvar = nn.Linear(hidden, z_dim), nn.Linear(hidden, z_dim)
        self.decoder = nn.Sequential(nn.Linear(z_dim, hidden), nn.ReLU(), nn.Linear(hidden, x_dim))

    def terms(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """-log p(x given z) at one draw of z, and the KL: sums over the batch, in nats."""
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        logits = self.decoder(mu + torch.randn_like(mu) * torch.exp(0.5 * logvar))
        rec = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return rec, -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


def train_torch(
    model: TorchVAE,
    x: torch.Tensor,
    epochs: int,
    batch_size: int,
    after_epoch: Callable[[float], None],
) -> None:
    """Adam at 1e-3 on the summed loss, fused; calls `after_epoch` with the mean loss."""
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    for _ in range(epochs):
        order, total = torch.randperm(len(x)), torch.zeros(())
        for start in range(0, len(x), batch_size):
            optimiser.zero_grad()
            loss = sum(model.terms(x[order[start : start + batch_size]]))
            loss.backward()
            optimiser.step()
            total += loss.detach()
        after_epoch(float(total) / len(x))


def tensor(x: np.ndarray) -> torch.Tensor:
    """Bytes as PyTorch users feed them: floats in [0, 1]."""
    return torch.from_numpy((x / np.float32(255)).astype(np.float32))

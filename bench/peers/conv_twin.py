"""A `ConvVAE` in PyTorch, from npvae's weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)

import npvae as nv

if TYPE_CHECKING:
    from ..conv_quality import Protocol

AGREE = 1e-3
"""Relative, in float32: what npvae and PyTorch may differ by on a batch."""


class Twin(nn.Module):
    """The same net, with a Bernoulli likelihood or a Gaussian one of a learnt scale.

    Its parameters have npvae's names with _ for each point, and npvae's shapes.
    """

    def __init__(self, model: nv.ConvVAE) -> None:
        super().__init__()
        self.model = [model]  # not a module
        for name, value in model.params.items():
            self.register_parameter(_own(name), nn.Parameter(torch.tensor(value)))
        units = model.units
        mean, scale = (units.mean, units.scale) if units else (np.zeros(1), np.ones(1))
        self.mean, self.scale = mean, scale
        self.log_scales = float(np.log(scale).sum())

    def standardised(self, rows: np.ndarray) -> np.ndarray:
        return ((rows - self.mean) / self.scale).astype(np.float32)

    def through(self, network: str, rows: torch.Tensor) -> torch.Tensor:
        for i, layer in enumerate(getattr(self.model[0], network).layers):
            weight, bias = (
                getattr(self, _own(f"{network}.layers.{i}.{name}")) for name in ("W", "b")
            )
            if layer.name == "dense":
                rows = F.linear(rows, weight)
            else:
                images = rows.view(-1, *layer.in_shape).permute(0, 3, 1, 2)
                weight = weight.permute(0, 3, 1, 2)
                if layer.name == "conv2d":
                    images = F.conv2d(images, weight, None, layer.stride, layer.padding)
                else:
                    window = layer.stride, layer.padding, layer.output_padding
                    images = F.conv_transpose2d(images, weight, None, *window)
                rows = images.permute(0, 2, 3, 1).reshape(len(rows), -1)
            rows = (rows.view(-1, len(bias)) + bias).view(len(rows), -1)
            rows = F.relu(rows) if layer.activation.name == "relu" else rows
        return rows

    def terms(
        self, x: torch.Tensor, eps: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """log p(x given z) and the KL of each row, standardised."""
        mu, logvar = self.through("encoder", x).chunk(2, 1)
        eps = torch.randn_like(mu) if eps is None else eps
        theta = self.through("decoder", mu + eps * torch.exp(0.5 * logvar))
        kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1)
        if self.model[0].likelihood.name == "bernoulli":
            return -F.binary_cross_entropy_with_logits(theta, x, reduction="none").sum(1), kl
        t = self.likelihood_log_scale
        each = 0.5 * ((x - theta) * torch.exp(-t)).pow(2) + t + 0.5 * math.log(2 * math.pi)
        return -each.sum(1) - self.log_scales, kl


def _own(name: str) -> str:
    return name.replace(".", "_")


def check(twin: Twin, model: nv.ConvVAE, x: np.ndarray) -> None:
    """Refuse a twin that makes another thing of a batch than the model."""
    eps = model.draw_noise(len(x), 1, np.random.default_rng(0))
    own = nv.value_and_grad(model, nv.ELBO(), x, eps)[0]
    with torch.no_grad():
        rows = torch.from_numpy(twin.standardised(x))
        log_px, kl = twin.terms(rows, torch.from_numpy(np.asarray(eps)[0]))
    if not math.isclose(own, float((kl - log_px).mean()), rel_tol=AGREE):
        raise AssertionError(f"npvae has a loss of {own}, PyTorch of {(kl - log_px).mean()}")


def train(twin: Twin, protocol: Protocol, epochs: int, rng: np.random.Generator) -> None:
    """As `fit` does it: all rows in an order anew for each epoch, schedules by the step."""
    x = twin.standardised(protocol.rows)
    optimiser = torch.optim.Adam(twin.parameters(), fused=True)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), protocol.batch):
            now = epoch + start / len(x)
            optimiser.param_groups[0]["lr"] = protocol.lr(now)
            optimiser.zero_grad()
            rows = x[order[start : start + protocol.batch]]
            rows = protocol.transform(rows, rng) if protocol.transform else rows
            log_px, kl = twin.terms(torch.from_numpy(rows))
            (protocol.beta(now) * kl - log_px).mean().backward()
            optimiser.step()

"""The same model families in PyTorch, as users of it write them.

Each is a module whose `forward` gives the loss, summed over the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)

from ..nets import LABELLED, N_CLASSES, N_FLOWS, Z_ABOVE, Net
from .masks import CONTEXT, autoregressive, unit_vectors
from .with_torch import by_steps, mlp, tensor


class Family(nn.Module):
    """An encoder with `more` outputs beside mean and log-variance, and a decoder.

    Both get `n_context` numbers more than x and z.
    """

    def __init__(self, net: Net, more: int = 0, n_context: int = 0) -> None:
        super().__init__()
        (width,), act = net.hidden, net.activation
        self.z_dim = net.z_dim
        self.encoder = network(net.x_dim + n_context, width, 2 * net.z_dim + more, act)
        self.decoder = network(net.z_dim + n_context, width, net.x_dim, act)

    def distortion(self, z: Tensor, x: Tensor) -> Tensor:
        return bernoulli(self.decoder(z), x).sum()


def network(n_in: int, width: int, n_out: int, activation: str) -> nn.Sequential:
    return nn.Sequential(mlp([n_in, width], activation), nn.Linear(width, n_out))


def bernoulli(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x) of each number."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def draw(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)


def kl_to_standard(mu: Tensor, logvar: Tensor) -> Tensor:
    return -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())


class Flowed(Family):
    """What both posteriors of flows share: log q(z) - log p(z) of the sample."""

    def forward(self, x: Tensor) -> Tensor:
        mu, logvar, h = self.encoder(x).tensor_split((self.z_dim, 2 * self.z_dim), dim=1)
        eps = torch.randn_like(mu)
        z, log_det = self.through(mu + eps * torch.exp(0.5 * logvar), h)
        rate = 0.5 * (z.pow(2) - eps.pow(2) - logvar).sum() - log_det
        return self.distortion(z, x) + rate


class Planar(Flowed):
    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.w = nn.Parameter(0.1 * torch.randn(N_FLOWS["planar"], net.z_dim))
        self.u = nn.Parameter(0.1 * torch.randn(N_FLOWS["planar"], net.z_dim))
        self.b = nn.Parameter(torch.zeros(N_FLOWS["planar"]))

    def through(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        along = (self.w * self.u).sum(1)
        m = F.softplus(along) - 1
        u = self.u + ((m - along) / self.w.pow(2).sum(1))[:, None] * self.w
        log_det = z.new_zeros(())
        for i in range(len(self.w)):
            bend = torch.tanh(z @ self.w[i] + self.b[i])
            z = z + bend[:, None] * u[i]
            log_det = log_det + torch.log1p((1 - bend.pow(2)) * m[i]).sum()
        return z, log_det


class Masked(nn.Linear):
    def __init__(self, mask: np.ndarray) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", torch.from_numpy(mask))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


class IAF(Flowed):
    def __init__(self, net: Net) -> None:
        n = N_FLOWS["iaf"]
        super().__init__(net, more=n * CONTEXT)
        masks = [autoregressive(net.z_dim, backwards=i % 2 == 1) for i in range(n)]
        self.steps = nn.ModuleList(
            nn.Sequential(Masked(first), nn.Tanh(), Masked(second)) for first, second in masks
        )
        for step in self.steps:  # npvae's start: nearly the identity
            step[2].weight.data *= 0.1

    def through(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        log_det = z.new_zeros(())
        for step, own in zip(self.steps, h.chunk(len(self.steps), 1), strict=True):
            shift, raw = step(torch.cat([z, own], 1)).chunk(2, 1)
            s = 3 * torch.tanh(raw / 3)
            z = z * torch.exp(s) + shift
            log_det = log_det + s.sum()
        return z, log_det


class Levels(Family):
    """q(z_2 given x) and q(z_1 given x, z_2), merged with p(z_1 given z_2) by precision."""

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        (width,), act = net.hidden, net.activation
        self.first = mlp([net.x_dim, width], act)
        self.encoder = nn.Linear(width, 2 * net.z_dim)
        self.second = network(width, width, 2 * Z_ABOVE, act)
        self.prior = network(Z_ABOVE, width, 2 * net.z_dim, act)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        mu, logvar = self.encoder(h).chunk(2, 1)
        mu_2, logvar_2 = self.second(h).chunk(2, 1)
        mu_p, logvar_p = self.prior(draw(mu_2, logvar_2)).chunk(2, 1)
        share = torch.sigmoid(logvar_p - logvar)
        mu_q = mu_p + share * (mu - mu_p)
        logvar_q = -torch.logaddexp(-logvar, -logvar_p)
        wider = logvar_q - logvar_p
        kl = 0.5 * ((mu_q - mu_p).pow(2) * torch.exp(-logvar_p) + torch.expm1(wider) - wider)
        rate = kl.sum() + kl_to_standard(mu_2, logvar_2).sum()
        return self.distortion(draw(mu_q, logvar_q), x) + rate


class Conditional(Family):
    def __init__(self, net: Net) -> None:
        super().__init__(net, n_context=N_CLASSES)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        mu, logvar = self.encoder(torch.cat([x, c], 1)).chunk(2, 1)
        z = torch.cat([draw(mu, logvar), c], 1)
        return self.distortion(z, x) + kl_to_standard(mu, logvar).sum()


class Semi(Family):
    """Kingma et al. 2014, M2; c are the known labels as unit vectors, and else zeros."""

    def __init__(self, net: Net) -> None:
        super().__init__(net, n_context=N_CLASSES)
        self.classifier = network(net.x_dim, net.hidden[0], N_CLASSES, net.activation)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        log_q = F.log_softmax(self.classifier(x), 1)
        classes = torch.eye(N_CLASSES)[:, None].expand(-1, len(x), -1)
        each = x.expand(N_CLASSES, -1, -1)
        mu, logvar = self.encoder(torch.cat([each, classes], 2)).chunk(2, 2)
        logits = self.decoder(torch.cat([draw(mu, logvar), classes], 2))
        of_class = bernoulli(logits, each).sum(2) + kl_to_standard(mu, logvar).sum(2)
        unknown = 1 - c.sum(1, keepdim=True)
        q = log_q.exp()
        loss = ((c + unknown * q).T * of_class).sum() + (unknown * q * log_q).sum()
        return loss + len(x) * np.log(N_CLASSES) - 0.1 * LABELLED * (c * log_q).sum()


FAMILIES = {
    "planar": Planar, "iaf": IAF, "levels": Levels, "conditional": Conditional, "semi": Semi,
}  # fmt: skip


def train(
    peer: str,
    net: Net,
    x: np.ndarray,
    epochs: int,
    threads: int,
    after_epoch: Callable[[float], None],
    family: str,
    labels: np.ndarray,
) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = FAMILIES[family](net)
    data = [tensor(x)]
    if family in ("conditional", "semi"):
        data.append(torch.from_numpy(unit_vectors(labels)))
    loss_of = torch.compile(model) if peer == "torch_compile" else model
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, fused=peer != "torch_classic")
    by_steps(loss_of, optimiser, data, epochs, net.batch, after_epoch)

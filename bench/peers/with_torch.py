"""The same VAE in PyTorch, as users of it write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)

if TYPE_CHECKING:
    from ..nets import Net

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


class TorchVAE(nn.Module):
    """A dense VAE with a Bernoulli likelihood."""

    def __init__(
        self, x_dim: int, hidden: Sequence[int], z_dim: int, activation: str = "relu"
    ) -> None:
        super().__init__()
        self.encoder = mlp([x_dim, *hidden], activation)
        self.mu, self.logvar = nn.Linear(hidden[-1], z_dim), nn.Linear(hidden[-1], z_dim)
        self.decoder = mlp([z_dim, *hidden[::-1]], activation)
        self.out = nn.Linear(hidden[0], x_dim)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.encoder(x)
        return self.mu(h), self.logvar(h)

    def logits(self, z: torch.Tensor) -> torch.Tensor:
        return self.out(self.decoder(z))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.logits(z))

    def score(self, x: torch.Tensor) -> torch.Tensor:
        """The ELBO of each row, with one draw of z."""
        mu, logvar = self.encode(x)
        logits = self.logits(mu + torch.randn_like(mu) * torch.exp(0.5 * logvar))
        log_px = -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        return log_px + 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1)

    def terms(
        self, x: torch.Tensor, samples: int = 1, classic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """-log p(x given z), its mean over the draws of z, and the KL: summed over the batch."""
        mu, logvar = self.encode(x)
        shape = mu.shape if samples == 1 else (samples, *mu.shape)
        logits = self.logits(mu + torch.randn(shape) * torch.exp(0.5 * logvar))
        x = x.expand_as(logits)
        if classic:
            rec = F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="sum")
        else:
            rec = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return rec / samples, -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


class TorchConvVAE(TorchVAE):
    """Its convolutional like, of square grey images in rows."""

    def __init__(self, images: Sequence[tuple[int, int, int]], z_dim: int, activation: str) -> None:
        nn.Module.__init__(self)
        act, (height, width, channels) = ACTIVATIONS[activation], images[-1]
        encoder: list[nn.Module] = [nn.Unflatten(1, (images[0][2], *images[0][:2]))]
        decoder: list[nn.Module] = []
        for (_, _, outer), (_, _, inner) in pairwise(images):
            encoder += [nn.Conv2d(outer, inner, 4, 2, 1), act()]
            decoder = [nn.ConvTranspose2d(inner, outer, 4, 2, 1), act(), *decoder]
        flat = height * width * channels
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), nn.Linear(flat, 2 * z_dim))
        start = [nn.Linear(z_dim, flat), act(), nn.Unflatten(1, (channels, height, width))]
        self.decoder = nn.Sequential(*start, *decoder[:-1], nn.Flatten())

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mu, logvar = self.encoder(x).chunk(2, 1)
        return mu, logvar

    def logits(self, z: torch.Tensor) -> torch.Tensor:
        return self.decoder(z)


def mlp(widths: Sequence[int], activation: str) -> nn.Sequential:
    layers = [(nn.Linear(m, n), ACTIVATIONS[activation]()) for m, n in pairwise(widths)]
    return nn.Sequential(*(part for layer in layers for part in layer))


def train_torch(
    model: TorchVAE,
    x: torch.Tensor,
    epochs: int,
    batch_size: int,
    after_epoch: Callable[[float], None],
    samples: int = 1,
    classic: bool = False,
    compiled: bool = False,
) -> None:
    """Adam at 1e-3 on the summed loss; calls `after_epoch` with the mean loss."""

    def loss_of(batch: torch.Tensor) -> torch.Tensor:
        rec, kl = model.terms(batch, samples, classic)
        return rec + kl

    step = torch.compile(loss_of) if compiled else loss_of
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, fused=not classic)
    by_steps(step, optimiser, [x], epochs, batch_size, after_epoch)


def by_steps(
    loss_of: Callable[..., torch.Tensor],
    optimiser: torch.optim.Optimizer,
    data: Sequence[torch.Tensor],
    epochs: int,
    batch_size: int,
    after_epoch: Callable[[float], None],
) -> None:
    """Steps on `loss_of` of a batch of each of the data, which is summed over the rows."""
    n = len(data[0])
    for _ in range(epochs):
        order, total = torch.randperm(n), torch.zeros(())
        for start in range(0, n, batch_size):
            optimiser.zero_grad()
            rows = order[start : start + batch_size]
            loss = loss_of(*(given[rows] for given in data))
            loss.backward()
            optimiser.step()
            total += loss.detach()
        after_epoch(float(total) / n)


def model_of(net: Net) -> TorchVAE:
    if net.channels:
        return TorchConvVAE(net.images, net.z_dim, net.activation)
    return TorchVAE(net.x_dim, net.hidden, net.z_dim, net.activation)


def train(
    peer: str,
    net: Net,
    x: np.ndarray,
    epochs: int,
    threads: int,
    after_epoch: Callable[[float], None],
) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = model_of(net)
    if peer.endswith("_last"):
        model = model.to(memory_format=torch.channels_last)
    train_torch(
        model,
        tensor(x),
        epochs,
        net.batch,
        after_epoch,
        net.samples,
        classic=peer == "torch_classic",
        compiled=peer.startswith("torch_compile"),
    )


def infer(peer: str, net: Net, threads: int, answer: Callable[..., None]) -> None:
    from . import with_npvae

    torch.set_num_threads(threads)
    model = model_of(net)
    model.load_state_dict(state_of(with_npvae.model_of(net).params))

    def call_of(function: Callable[[torch.Tensor], Any]) -> Any:
        if peer == "torch_compile":
            function = torch.compile(function, dynamic=False)

        def with_input(x: np.ndarray) -> Callable[[], Any]:
            batch = torch.from_numpy(x)
            return lambda: function(batch)

        return with_input

    with torch.inference_mode():
        answer(
            encode=call_of(model.encode), decode=call_of(model.decode), score=call_of(model.score)
        )


def state_of(params: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """The parameters of an npvae VAE as the state of a `TorchVAE`.

    npvae's encoder ends in one layer for mean and log-variance, which are two layers here; every
    other hidden layer is followed by its activation, so that they stand at 0, 2, 4, ...
    """
    state: dict[str, torch.Tensor] = {}
    for part, last_names in (("encoder", ("mu", "logvar")), ("decoder", ("out",))):
        for kind, name in (("W", "weight"), ("b", "bias")):
            values = [
                torch.tensor(value)
                for of, value in params.items()
                if of.startswith(part) and of.endswith(kind)
            ]
            *hidden, last = values
            state |= {f"{part}.{2 * i}.{name}": value for i, value in enumerate(hidden)}
            halves = last.chunk(len(last_names))
            state |= {f"{n}.{name}": half for n, half in zip(last_names, halves, strict=True)}
    return state


def tensor(x: np.ndarray) -> torch.Tensor:
    """Bytes as PyTorch users feed them: floats in [0, 1]."""
    from ..nets import floats

    return torch.from_numpy(floats(x))

"""npvae's own programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import npvae as nv

from ..nets import Net


def model_of(net: Net) -> nv.VAE:
    if net.channels:
        image = net.side, net.side
        return nv.ConvVAE(image, net.z_dim, channels=net.channels, activation=net.activation)
    return nv.VAE(net.x_dim, net.z_dim, hidden=net.hidden, activation=net.activation, seed=0)


def train(
    peer: str,
    net: Net,
    x: np.ndarray,
    epochs: int,
    threads: int,
    after_epoch: Callable[[float], None],
) -> None:
    if peer == "numpy":
        nv.use_kernels("numpy")
    nv.fit(
        model_of(net),
        x,
        objective=nv.ELBO(n_samples=net.samples),
        epochs=epochs,
        batch_size=net.batch,
        threads=threads,
        callbacks=[lambda model, record: after_epoch(record["train_loss"])],
    )


def infer(peer: str, net: Net, threads: int, answer: Callable[..., None]) -> None:
    model = model_of(net)

    def call_of(name: str) -> Any:
        def call(x: np.ndarray) -> Callable[[], Any]:
            compiled = peer == "npvae_compiled" and name != "elbo"
            function = getattr(nv.compiled(model, len(x), threads) if compiled else model, name)
            return lambda: function(x)

        return call

    answer(encode=call_of("encode"), decode=call_of("decode"), score=call_of("elbo"))

"""npvae's own programs of the model families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import npvae as nv

from ..nets import N_CLASSES, Z_ABOVE, Net

FLOWS = {"planar": "planar:n=16", "iaf": "iaf:n=4"}


def model_of(family: str, net: Net) -> Any:
    sizes = dict(hidden=net.hidden, activation=net.activation, seed=0)
    if family == "levels":
        return nv.HierarchicalVAE(net.x_dim, (net.z_dim, Z_ABOVE), **sizes)
    if family == "semi":
        return nv.SemiSupervisedVAE(net.x_dim, net.z_dim, N_CLASSES, **sizes)
    if family == "conditional":
        return nv.VAE(net.x_dim, net.z_dim, condition=nv.Labels(N_CLASSES), **sizes)
    return nv.VAE(net.x_dim, net.z_dim, posterior=FLOWS[family], **sizes)


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
    if peer == "numpy":
        nv.use_kernels("numpy")
    nv.fit(
        model_of(family, net),
        x,
        epochs=epochs,
        batch_size=net.batch,
        threads=threads,
        callbacks=[lambda model, record: after_epoch(record["train_loss"])],
        context=labels if family == "conditional" else None,
        y=labels if family == "semi" else None,
    )

"""The kernels of npvae/kernels/ordinal.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from .case import Array, Kernel
from .domains import gentle


def ordinal_terms(eta: Array, cuts: Array) -> Array:
    """Of each log-probability: |η|, the cutpoints, and the digits that small gaps lose in 1 - e."""
    spread = 1 + np.abs(cuts[::2]) + np.exp(cuts[1::2]) + np.abs(cuts[1::2])
    return np.repeat(np.abs(eta) + spread, 3, axis=-1)


def ordinal_backward_terms(d: Array, eta: Array, cuts: Array, sizes: Any) -> tuple[Array, Array]:
    slack = 1 + np.abs(eta) + np.abs(cuts[::2]) + np.exp(cuts[1::2])
    triple = np.abs(d).reshape(*eta.shape, 3).sum(-1) * slack
    whole = triple.sum((0, 1))
    return triple, np.stack([whole, whole * (1 + np.exp(cuts[1::2]))], -1).ravel()


KERNELS = {
    "ordinal_logits": Kernel(
        dict(eta="KBD", cuts="P"),
        4,
        dict(sizes=lambda n: (3,) * n["D"]),
        domain={"eta": gentle, "cuts": gentle},
        scales=lambda eta, cuts, sizes: (ordinal_terms(eta, cuts),),
    ),
    "ordinal_logits_backward": Kernel(
        dict(d="KBT", eta="KBD", cuts="P"),
        8,
        dict(sizes=lambda n: (3,) * n["D"]),
        domain={"eta": gentle, "cuts": gentle},
        scales=ordinal_backward_terms,
    ),
}

"""The kernels of npvae/kernels/norm.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from npvae import kernels

from .case import Array, Kernel
from .domains import positive


def mean_over(x: Array, axes: Any) -> Array:
    return x.sum(axes, keepdims=True) / max(1, np.prod([x.shape[axis] for axis in axes]))


def normalised_terms(x: Array, axes: Any, eps: float) -> tuple[Array, Array]:
    """x - mean loses the digits that x has before it."""
    inverse = kernels.normalised(x, axes, eps)[1]
    size = np.abs(x) + mean_over(np.abs(x), axes)
    lost = 1 + mean_over(size * size, axes) * inverse**2
    return size * inverse * lost, inverse * lost


def normalised_backward_terms(du: Array, u: Array, inverse: Array, axes: Any) -> tuple[Array]:
    du, u = np.abs(du), np.abs(u)
    return (np.abs(inverse) * (du + mean_over(du, axes) + u * mean_over(u * du, axes)),)


def centred_backward_terms(du: Array, u: Array, inverse: Array) -> tuple[None, Array, Array]:
    r = np.abs(inverse)
    return None, r * np.abs(du).sum(0), 0.5 * r * r * np.abs(u * du).sum(0)


KERNELS = {
    "normalised": Kernel(dict(x="REFI"), 8, dict(axes=(1, 3), eps=1e-5), scales=normalised_terms),
    "normalised_backward": Kernel(
        dict(du="REFI", u="REFI", inverse="R1F1"),
        8,
        dict(axes=(1, 3)),
        scales=normalised_backward_terms,
        domain={"u": lambda u: u / 4, "inverse": positive},
    ),
    "centred": Kernel(
        dict(x="RI", mean="I", variance="I"),
        6,
        dict(eps=1e-5),
        domain={"variance": positive},
        scales=lambda x, mean, v, eps: ((np.abs(x) + np.abs(mean)) / np.sqrt(v + eps), None),
    ),
    "centred_backward": Kernel(
        dict(du="RI", u="RI", inverse="I"), 6, scales=centred_backward_terms
    ),
    "scaled": Kernel(dict(u="RI", g="I"), 0.5),
    "scaled_backward": Kernel(
        dict(da="RI", u="RI", g="I"), 4, scales=lambda da, u, g: (None, np.abs(da * u).sum(0))
    ),
}

"""The kernels of npvae/kernels/aggregate.py."""

from __future__ import annotations

import numpy as np
from scipy import special

from .case import Array, Kernel
from .domains import unit


def decomposed_terms(
    log_qz: Array, log_pz: Array, z: Array, mu: Array, logvar: Array, alpha: float, beta: float,
    gamma: float, n_data: None, weights: None,
) -> tuple[Array, ...]:  # fmt: skip
    """What rounding leaves of a density is the relative error of its shares."""
    u = (z[:, :, None] - mu) * np.exp(-0.5 * logvar)  # (K, B, B, Z)
    density = -0.5 * (u**2 + logvar + np.log(2 * np.pi))
    shares = np.exp(density - special.logsumexp(density, axis=2, keepdims=True))
    joint = density.sum(-1, keepdims=True)
    shares_of_all = np.exp(joint - special.logsumexp(joint, axis=2, keepdims=True))
    far = 2 + 2 * (np.abs(density) + np.abs(u * z[:, :, None])).sum(-1).max(initial=0)
    g = far * (abs(beta - alpha) * shares_of_all + abs(gamma - beta) * shares) / log_qz.size
    inverse = np.exp(-0.5 * logvar)
    near = np.abs(u) + (np.abs(z[:, :, None]) + np.abs(mu)) * inverse
    sums = np.full(1, far + np.abs(log_qz).mean() + np.abs(log_pz).mean())
    slopes = np.ones_like(log_qz) / log_qz.size
    of_rows = (g * near * inverse).sum((0, 1)), (g * (near**2 + 1)).sum((0, 1))
    return *[4 * sums] * 5, slopes, slopes, (g * near * inverse).sum(2), *of_rows


KERNELS = {
    "decomposed_kl": Kernel(
        dict(log_qz="KB", log_pz="KB", z="KBZ", mu="BZ", logvar="BZ"),
        4,
        dict(alpha=0.5, beta=3.0, gamma=1.5, n_data=None, weights=None),
        scales=decomposed_terms,
        domain=dict(z=unit, mu=unit, logvar=unit),
        wide=("log_qz", "log_pz"),
        needs_rows=True,
    ),
}

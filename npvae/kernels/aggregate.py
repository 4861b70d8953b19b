"""The aggregate posterior q(z), the mean of q(z given x) over a batch, and the KL's parts by it."""

from __future__ import annotations

import numpy as np

from ..core.numerics import wide
from .dense import LOG_2PI
from .seam import Array, kernel

__all__ = ["decomposed_kl"]


@kernel
def decomposed_kl(
    log_qz: Array, log_pz: Array, z: Array, mu: Array, logvar: Array, alpha: float, beta: float,
    gamma: float, n_data: int | None, weights: Array | None,
) -> tuple[Array, ...]:  # fmt: skip
    """alpha mi + beta tc + gamma dkl; kl, mi, tc, dkl; and the gradients of the first by log_qz,
    log_pz, z, mu and logvar."""
    samples, batch = log_qz.shape
    w = np.ones(batch) if weights is None else weights
    share = w / log_qz.size
    rows = share[:, None].astype(logvar.real.dtype)
    log_shares = _log_shares(batch, n_data, w).astype(logvar.real.dtype)
    joint, marginal = np.empty_like(log_qz), np.zeros_like(log_qz)
    dz, dmu, dlogvar = np.empty_like(z), np.zeros_like(mu), np.zeros_like(logvar)
    inverse, spread = np.exp(-0.5 * logvar), -0.5 * (logvar + LOG_2PI)
    for sample in range(samples):
        # One dimension at a time: (b, i) of a batch stay in a processor's cache.
        u = [(z[sample, :, j, None] - mu[:, j]) * inverse[:, j] for j in range(mu.shape[1])]
        densities = [spread[:, j] - 0.5 * u_j * u_j for j, u_j in enumerate(u)]
        joint[sample], r_joint = _mixed(sum(densities, log_shares))
        r_joint = (beta - alpha) * rows * r_joint
        for j, u_j in enumerate(u):
            log_qzj, r = _mixed(densities[j] + log_shares)
            marginal[sample] += log_qzj
            g = r_joint + (gamma - beta) * rows * r  # (2)
            along = g * u_j
            dz[sample, :, j] = -along @ inverse[:, j]  # (3)
            dmu[:, j] += along.sum(0) * inverse[:, j]
            dlogvar[:, j] += 0.5 * ((along * u_j).sum(0) - g.sum(0))
    mi, tc, dkl = (
        (share * part).sum() for part in (log_qz - joint, joint - marginal, marginal - log_pz)
    )
    ones = np.ones_like(log_qz.real)
    gradients = alpha * share * ones, -gamma * share * ones, dz, dmu, dlogvar
    return alpha * mi + beta * tc + gamma * dkl, mi + tc + dkl, mi, tc, dkl, *gradients


def _mixed(log_terms: Array) -> tuple[Array, Array]:
    """log Σ_i exp of (b, i), in float64, and each one's share of it."""
    top = log_terms.real.max(axis=1, keepdims=True)
    shares = np.exp(log_terms - top)
    total = shares.sum(axis=1, keepdims=True, dtype=wide(shares.dtype))
    shares /= total.astype(shares.dtype)
    return (np.log(total) + top)[:, 0], shares


def _log_shares(batch: int, n_data: int | None, weights: Array) -> Array:
    """log W, (B, B): row b of what z_b's density is mixed of."""
    shares = np.full((batch, batch), 1 / batch)
    if n_data is not None and batch > 1:
        others = batch - 1
        shares[...] = 1 / others
        at = np.arange(batch)
        shares[at, at] = 1 / n_data
        shares[at, (at + 1) % batch] = (n_data - others) / (n_data * others)
    mean = weights.mean()
    with np.errstate(divide="ignore"):  # a row of weight 0 is none of the data
        return np.log(shares * (weights / mean if mean else 1.0))

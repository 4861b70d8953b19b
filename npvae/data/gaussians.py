"""A mixture of Gaussians fitted to points, by expectation maximisation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.numerics import log_softmax
from ..kernels.dense import LOG_2PI

Array = np.ndarray

LEAST_DEVIATION = 0.02
"""Of a component, in units of that of all points: none shrinks onto a single one."""


class Gaussians(NamedTuple):
    """Means and log-variances (M, Z), and the logits (M,) of the components' shares."""

    mu: Array
    logvar: Array
    logits: Array

    def log_each(self, z: Array) -> Array:
        """log of share times density of each component at z (N, Z): (N, M)."""
        inverse = np.exp(-self.logvar)
        squares = np.square(z) @ inverse.T - 2 * z @ (self.mu * inverse).T
        squares += (np.square(self.mu) * inverse).sum(1)
        size = self.logvar.sum(1) + z.shape[1] * LOG_2PI
        return np.asarray(log_softmax(self.logits) - 0.5 * (squares + size))

    def log_prob(self, z: Array) -> Array:
        """log density at z (N, Z): (N,)."""
        return np.asarray(np.logaddexp.reduce(self.log_each(z), axis=1))


def started(z: Array, n: int, rng: np.random.Generator) -> Gaussians:
    """n components at points of z (N, Z) that lie far from one another.

    Source: k-means++, Arthur & Vassilvitskii 2007, section 2.2.
    """
    centres = [z[rng.integers(len(z))]]
    squares = np.full(len(z), np.inf)
    for _ in range(n - 1):
        squares = np.minimum(squares, np.square(z - centres[-1]).sum(1))
        total = squares.sum()
        shares = squares / total if total > 0 else np.full(len(z), 1 / len(z))
        centres.append(z[rng.choice(len(z), p=shares)])
    logvar = np.log(z.var(0) + 1e-12) - np.log(2.0)
    return Gaussians(np.array(centres), np.tile(logvar, (n, 1)), np.zeros(n))


def improved(g: Gaussians, z: Array) -> Gaussians:
    """One step of expectation maximisation: z (N, Z) are likelier than they were, or as likely.

    With the responsibilities r_nm = exp(log_each_nm - log_prob_n) and their sums R_m = Σ_N r_nm:

      shares R_m / N, means Σ_N r_nm z_n / R_m, variances Σ_N r_nm z_n² / R_m - means²

    Source: Dempster, Laird & Rubin 1977, section 4.3.
    """
    log_each = g.log_each(z)
    r = np.exp(log_each - np.logaddexp.reduce(log_each, axis=1, keepdims=True))
    total = r.sum(0)
    held = np.maximum(total, 1e-9)[:, None]
    mu = r.T @ z / held
    least = np.square(LEAST_DEVIATION) * z.var(0) + 1e-12
    variance = np.maximum(r.T @ np.square(z) / held - np.square(mu), least)
    mu, variance = (np.where(held > 1e-6, new, old) for new, old in
                    ((mu, g.mu), (variance, np.exp(g.logvar))))  # fmt: skip
    return Gaussians(mu, np.log(variance), np.log(np.maximum(total / len(z), 1e-12)))

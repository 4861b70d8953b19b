"""The maximum mean discrepancy between the draws of z and the prior: InfoVAE, WAE-MMD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Losses, Objective, Terms
from ..core.checks import number
from ..core.errors import ConfigError
from .elbo import ELBO

Array = np.ndarray

KERNELS = ("imq", "rbf")

MOST_SCALES = 100
"""Each takes its time in every step."""


class MMD(ELBO):
    """rec + beta KL + weight MMD², MMD² between all draws of z of the batch and p(z) = N(0, I).

    With h = 2Z · scale the kernels are imq(r²) = h/(h + r²) and rbf(r²) = exp(-r²/h), summed over
    the scales; 2Z is the mean r² of two draws of the prior.

        MMD² = mean_{b≠c} k(z_b, z_c) - 2 mean_b E_z'[k(z_b, z')] + E_z'z''[k(z', z'')]

    Derivation, with z' and z'' of the prior:
      (1) for exp(-a r²) the expectations are Gaussian integrals: (1 + 2a)^(-Z/2) exp(-g ‖z‖²),
          g = a/(1 + 2a), and (1 + 4a)^(-Z/2); so nothing is drawn of the prior
      (2) h/(h + r²) = ∫ e^(-s) exp(-s r²/h) ds, a mean of those with a = s/h, by quadrature
      (3) ∂k/∂z_b = 2 k'(r²) (z_b - z_c), k' = -k/h for rbf and -k²/h for imq; each pair twice
      (4) of (1) ∂/∂z_b = -2 g z_b (1)
      (5) with weights of the rows the means weigh rows, and pairs by the product
    Of each of K samples its own, and the mean. The first mean leaves b = c out, so that MMD² is
    unbiased, and may be below 0; of a batch of one row it is 0.
    Source: Tolstikhin et al. 2018, algorithm 2, beta = 0; Zhao, Song & Ermon 2019, equation 6,
    beta = 1 - α and weight = α + λ - 1; the expectations: Rustamov 2019.

    Parameters
    ----------
    weight : float
        What the MMD² is multiplied by, 0 or more.
    kernel : {"imq", "rbf"}
    beta : float or schedule
        The weight of the KL, 0 or more.
    scales : sequence of float
    n_samples : int
        Draws of z per example.
    """

    needs = ("log_px", "kl", "z", "standard")
    losses = ("loss", "rec", "kl", "mmd")
    by_level = False

    def __init__(
        self,
        weight: float = 100.0,
        kernel: str = "imq",
        beta: Any = 0.0,
        scales: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
        n_samples: int = 1,
    ) -> None:
        super().__init__(beta, n_samples)
        self.weight = number("weight", weight, least=0)
        if kernel not in KERNELS:
            raise ConfigError(f"kernel is one of {', '.join(KERNELS)}; got {kernel!r}.")
        self.kernel = kernel
        if not isinstance(scales, (list, tuple)) or not 0 < len(scales) <= MOST_SCALES:
            raise ConfigError(
                f"scales are 1 to {MOST_SCALES} numbers, such as [0.5,1,2]; got {scales!r}."
            )
        self.scales = tuple(number("a scale", scale, above=0) for scale in scales)

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms, at an epoch of the schedule."""
        level = self.only_level(terms)
        losses, d_terms = super().__call__(terms, epoch)
        (d_level,) = d_terms.levels
        mmd, penalty, d_level.z = mmd_loss(
            level.z, self.weight, self.scales, self.kernel, terms.weights
        )
        loss = k.add(losses.loss, penalty)
        return Losses(loss, losses.rec, losses.kl, mmd=mmd), d_terms

    @property
    def note(self) -> str:
        return f"the loss is rec + beta KL + {self.weight:g} MMD."

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        return {
            "MMD": cls(2.0, scales=(0.5, 2.0)),
            "MMD with rbf, beta, 2 samples": cls(2.0, "rbf", 0.7, (0.5, 2.0), n_samples=2),
        }


@k.kernel
def mmd_loss(
    z: Array, weight: float, scales: Sequence[float], kernel: str, weights: Array | None
) -> tuple[Array, Array, Array]:
    """MMD² of z (K, B, Z), weight times it, and the gradient of that by z."""
    samples, batch, z_dim = z.shape
    if batch == 1:
        return np.zeros(()), np.zeros(()), np.zeros_like(z)
    w = np.ones(batch) if weights is None else weights
    pairs = np.outer(w, w) * (1 - np.eye(batch))
    pairs, rows = (p / (samples * (p.sum() or 1.0)) for p in (pairs, w))
    value, dz = np.zeros(()), np.empty_like(z)
    for i, points in enumerate(z):
        squares = (points**2).sum(-1)
        r2 = squares[:, None] + squares - 2 * (points @ points.T)
        slopes, pull = np.zeros_like(r2), np.zeros_like(squares)
        for h in (2 * z_dim * scale for scale in scales):
            of_pairs, slope = _kernel(r2, h, kernel)
            near, pulled = _expected(squares, h, kernel, z_dim)
            value = value + (pairs * of_pairs).sum() - 2 * (rows * near).sum()
            value = value + _expected_twice(h, kernel, z_dim) / samples
            slopes, pull = slopes + pairs * slope, pull + rows * pulled
        # (3): each pair is in the sum twice, and r² = ‖z_b‖² + ‖z_c‖² - 2 z_b·z_c; (4)
        d = 4 * ((slopes.sum(1) + pull)[:, None] * points - slopes @ points)
        dz[i] = weight * d
    return value, weight * value, dz


def _kernel(r2: Array, h: float, kernel: str) -> tuple[Array, Array]:
    """k(r²) and its slope."""
    if kernel == "rbf":
        value = np.exp(-r2 / h)
        return value, -value / h
    value = h / (h + r2)
    return value, -value * value / h


def _nodes(kernel: str) -> tuple[Array, Array]:
    """s and weights with k(r²) = Σ weight exp(-s r²/h): (2), or the one of rbf.

    By the double exponential rule s = exp(t - exp(-t)), even steps of t (Takahasi & Mori 1974).
    """
    if kernel == "rbf":
        return np.ones(1), np.ones(1)
    step = 0.08
    t = np.arange(-3.6, 4.0, step)
    s = np.exp(t - np.exp(-t))
    return s, step * np.exp(-s) * s * (1 + np.exp(-t))


def _expected(squares: Array, h: float, kernel: str, z_dim: int) -> tuple[Array, Array]:
    """E_z'[k(z, z')] for ‖z‖² = squares (B,), and minus its slope along that."""
    s, weights = _nodes(kernel)
    a = s / h
    g = a / (1 + 2 * a)
    each = weights * (1 + 2 * a) ** (-z_dim / 2) * np.exp(-squares[:, None] * g)
    return each.sum(1), (each * g).sum(1)


def _expected_twice(h: float, kernel: str, z_dim: int) -> float:
    """E_z'z''[k(z', z'')]."""
    s, weights = _nodes(kernel)
    return float((weights * (1 + 4 * s / h) ** (-z_dim / 2)).sum())

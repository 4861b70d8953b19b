"""Approximate posteriors q(z given x), and the sampling that gradients pass through."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import kernels as k
from .core import Part

Array = np.ndarray

LOGVAR_BOUNDS = (-20.0, 20.0)
"""Where log-variances are bent. Within (-4.5, 4.5) the bend is below float32's rounding."""


class Reparameterise(Part):
    """z = mu + exp(logvar / 2) · eps,  eps ~ N(0, I) given.

    Derivation, elementwise, with std = exp(logvar / 2) and L the loss:
      (1) dz/dmu     = 1                        ->  dmu     = Σ_K dz
      (2) dstd/dlogvar = std / 2
      (3) dz/dlogvar = eps · std / 2            ->  dlogvar = Σ_K dz · eps · std / 2
      (4) dz/deps    = std                      ->  deps    = dz · std
    mu and logvar serve all K samples, hence the sums.
    Shapes: mu, logvar (B, Z); eps, z (K, B, Z).  Source: Kingma & Welling 2014, section 2.4.
    """

    family = "posterior_step"

    def forward(self, mu: Array, logvar: Array, eps: Array) -> tuple[Array, Any]:
        z, std = k.reparameterise(mu, logvar, eps)
        return z, (std, eps)

    def backward(self, cache: Any, dz: Array) -> tuple[Array, Array, Array]:
        std, eps = cache
        return k.reparameterise_backward(dz, std, eps)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3)))


class GaussianLogProb(Part):
    """log q(z) = Σ_Z -½ (u² + logvar + log 2π),  u = (z - mu) / std,  std = exp(logvar / 2).

    Derivation, elementwise, with d the gradient of log q:
      (1) ∂u/∂z = 1 / std           ->  dz      = -d u / std
      (2) ∂u/∂mu = -1 / std         ->  dmu     = Σ_K d u / std = -Σ_K dz
      (3) ∂u/∂logvar = -u / 2       ->  dlogvar = Σ_K d (½ u² - ½)
    Shapes: z (K, B, Z); mu, logvar (B, Z); log q (K, B).
    """

    family = "posterior_step"

    def forward(self, z: Array, mu: Array, logvar: Array) -> tuple[Array, Any]:
        return k.gaussian_log_prob(z, mu, logvar), (z, mu, logvar)

    def backward(self, cache: Any, d_log_q: Array) -> tuple[Array, Array, Array]:
        return k.gaussian_log_prob_backward(d_log_q, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))


class DiagonalGaussian(Part):
    """q(z given x) = N(mu, diag exp(logvar)), from the encoder's output [mu, raw].

    `forward` gives mu and logvar; the steps that follow are `self.sample` and `self.log_prob`.
    This is the one place where log-variances are bounded, smoothly, into (low, high):

        c = -log(exp(-raw) + exp(-high)),   logvar = log(exp(c) + exp(low))

    Derivation, with σ the sigmoid:
      (1) dc/draw = exp(-raw) / (exp(-raw) + exp(-high)) = σ(high - raw)
      (2) dlogvar/dc = exp(c) / (exp(c) + exp(low)) = σ(c - low)
                                        ->  draw = dlogvar σ(c - low) σ(high - raw)
      (3) mu is copied                  ->  its gradient is dmu
    Shapes: stats (B, 2Z); mu, logvar (B, Z).  Source: Kingma & Welling 2014, equation 9.
    """

    family = "posterior"
    name = "gaussian"

    def __init__(self) -> None:
        self.sample = Reparameterise()
        self.log_prob = GaussianLogProb()

    def n_outputs(self, z_dim: int) -> int:
        """How many numbers the encoder gives for a latent of `z_dim` dimensions."""
        return 2 * z_dim

    def forward(self, stats: Array) -> tuple[tuple[Array, Array], Array]:
        return k.gaussian_heads(stats, *LOGVAR_BOUNDS), stats

    def backward(self, stats: Array, dmu: Array, dlogvar: Array) -> Array:
        return k.gaussian_heads_backward(dmu, dlogvar, stats, *LOGVAR_BOUNDS)  # (2), (3)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        stats = rng.normal(size=(3, 6))
        stats[0, 3:] = [-21.0, 19.0, 24.0]  # where the bend shows
        return cls(), (stats,)

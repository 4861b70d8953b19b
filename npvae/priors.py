"""Priors p(z)."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import kernels as k
from .core import Part

Array = np.ndarray


class GaussianKL(Part):
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)) = ½ (mu² + exp(logvar) - 1 - logvar) per dimension.

    Derivation, elementwise:
      (1) KL = E_q[log q - log p] = E_q[-½ (eps² + logvar) + ½ z²], and E_q[eps²] = 1,
          E_q[z²] = mu² + exp(logvar)
      (2) ∂KL/∂mu = mu                           ->  dmu     = dkl mu
      (3) ∂KL/∂logvar = ½ (exp(logvar) - 1)      ->  dlogvar = dkl ½ expm1(logvar)
    Shapes: mu, logvar (B, Z); kl (1, B, Z), the leading axis for K, on which it does not depend.
    Source: Kingma & Welling 2014, appendix B.
    """

    family = "prior_step"

    def forward(self, mu: Array, logvar: Array) -> tuple[Array, Any]:
        return k.gaussian_kl(mu, logvar), (mu, logvar)

    def backward(self, cache: Any, dkl: Array) -> tuple[Array, Array]:
        return k.gaussian_kl_backward(dkl, *cache)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))


class StandardNormal(Part):
    """log p(z) = Σ_Z -½ (z² + log 2π).

    Derivation: ∂log p/∂z = -z  ->  dz = -d z.
    `self.kl` is the closed form of KL(q ‖ p) for a diagonal Gaussian q.
    Shapes: z (K, B, Z), log p (K, B).
    """

    family = "prior"
    name = "standard"

    def __init__(self) -> None:
        self.kl = GaussianKL()

    def forward(self, z: Array) -> tuple[Array, Array]:
        return k.standard_normal_log_prob(z), z

    def backward(self, z: Array, d_log_p: Array) -> Array:
        return k.standard_normal_log_prob_backward(d_log_p, z)

    def sample(self, n: int, z_dim: int, rng: np.random.Generator) -> Array:
        """Draw n latent vectors, (n, Z)."""
        return rng.standard_normal((n, z_dim))

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(4, 2, 3)),)

"""The importance weighted bound with doubly reparameterised gradients."""

from __future__ import annotations

import math

from .. import kernels as k
from ..core import Losses, Terms
from .iwae import IWAE


class DReG(IWAE):
    """IWAE's bound, with a gradient of the encoder that is free of noise where q is the posterior.

    Derivation, with w̃ the normalised weights, z = z(eps, φ) and φ the posterior's parameters:
      (1) IWAE's gradient by φ is -1/B Σ_k w̃_k (∂log w_k/∂z_k ∂z_k/∂φ - ∂log q(z_k)/∂φ)
      (2) the score, reparameterised:  E[w̃_k ∂log q(z_k)/∂φ] = E[∂w̃_k/∂z_k ∂z_k/∂φ],
          with ∂w̃_k/∂z_k = w̃_k (1 - w̃_k) ∂log w_k/∂z_k
      (3) so the same mean has -1/B Σ_k w̃_k² ∂log w_k/∂z_k ∂z_k/∂φ  ->  dz_scale = w̃, no score
      (4) decoder and prior have IWAE's gradients
    It is not the derivative of the loss, but has the same mean, so no finite difference proves it.
    Source: Tucker, Lawson, Gu & Maddison 2019, equation 8.
    """

    name = "dreg"
    derivative = False

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        level = self.only_level(terms)
        losses, d_terms = super().__call__(terms, epoch)
        (d_level,) = d_terms.levels
        d_level.score = False  # (3)
        d_level.dz_scale = k.importance_weights(terms.log_px, level.log_pz, level.log_qz)
        return losses, d_terms

"""The evidence lower bound with a gradient without log q's own: sticking the landing."""

from __future__ import annotations

import math
from typing import Any

from ..core import Losses, Objective, Terms
from .elbo import ELBO


class STL(ELBO):
    """The ELBO with a sampled KL, and a gradient of the encoder that is 0 where q is the posterior.

    Derivation, with φ the posterior's parameters and z = z(eps, φ):
      (1) d/dφ of log p(x, z) - beta log q(z; φ) is what comes through z, minus beta ∂log q/∂φ at
          this z, the score
      (2) E_q[∂log q(z; φ)/∂φ] = ∂/∂φ ∫ q dz = 0    ->  it is noise of mean 0, and is left out
      (3) where q is the posterior, log p(x, z) - log q(z) is log p(x) for every z: so what comes
          through z is 0 for every sample, not in the mean alone (for beta = 1 and one level)
      (4) of several latent levels each score has the mean 0, given the levels that were drawn
          before, and is left out
      (5) decoder and prior have the ELBO's gradients
    It is not the derivative of the loss, but has the same mean: `npvae verify` compares the means.
    Source: Roeder, Wu & Duvenaud 2017, equation 5.

    Parameters
    ----------
    n_samples : int
        Draws of z per example.
    beta : float or schedule
        The weight of the KL, 0 or more.
    """

    needs = ("log_px", "log_pz", "log_qz")
    note = "KL is estimated by the samples, and can be below 0."
    derivative = False

    def __init__(self, n_samples: int = 1, beta: Any = 1.0) -> None:
        super().__init__(beta, n_samples)

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms, at an epoch of the schedule."""
        losses, d_terms = super().__call__(terms, epoch)
        for d_level in d_terms.levels:
            d_level.score = False  # (2)
        return losses, d_terms

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        return {"STL": cls(), "STL with beta, 2 samples": cls(n_samples=2, beta=2.5)}

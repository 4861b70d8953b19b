"""The ELBO with a penalty on the covariance of the aggregate posterior: DIP-VAE."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Losses, Objective, Terms
from ..core.checks import number
from ..core.errors import ConfigError
from .elbo import ELBO

Array = np.ndarray


class DIP(ELBO):
    """rec + beta KL + off_diagonal Σ_{i≠j} C_ij² + diagonal Σ_i (C_ii - 1)².

    C is the covariance over the batch of the posterior means (kind 1), or with the mean of their
    variances on its diagonal, of z ~ q(z) (kind 2).

    Derivation, with p_b = w_b / Σ w the rows' shares, m = Σ p_b mu_b the mean,
    C = Σ p_b (mu_b - m)(mu_b - m)ᵀ, and G the gradient of C: 2 off_diagonal C_ij beside its
    diagonal and 2 diagonal (C_ii - 1) on it:
      (1) dC = Σ p_b (dmu_b (mu_b - m)ᵀ + (mu_b - m) dmu_bᵀ), as Σ p_b (mu_b - m) = 0 takes out dm
      (2) G is symmetric               ->  dmu_b = 2 p_b G (mu_b - m)
      (3) kind 2: C_ii has Σ p_b exp(logvar_bi)  ->  dlogvar_bi = p_b G_ii exp(logvar_bi)
    Source: Kumar, Sattigeri & Balakrishnan 2018, equations 5 to 7.

    Parameters
    ----------
    kind : {1, 2}
    off_diagonal : float
        λ_od, 0 or more.
    diagonal : float, optional
        λ_d, 0 or more; by default 10 λ_od for kind 1 and λ_od for kind 2, as in the paper.
    beta : float or schedule
        The weight of the KL, 0 or more.
    n_samples : int
        Draws of z per example.
    """

    needs = ("log_px", "kl", "gaussian", "standard")
    losses = ("loss", "rec", "kl", "dip")
    by_level = False

    def __init__(
        self,
        kind: int = 1,
        off_diagonal: float = 10.0,
        diagonal: float | None = None,
        beta: Any = 1.0,
        n_samples: int = 1,
    ) -> None:
        super().__init__(beta, n_samples)
        if kind not in (1, 2):
            raise ConfigError(f"kind is 1 or 2, for DIP-VAE I or II; got {kind!r}.")
        self.kind = int(kind)
        self.off_diagonal = number("off_diagonal", off_diagonal, least=0)
        usual = self.off_diagonal * (10 if kind == 1 else 1)
        self.diagonal = usual if diagonal is None else number("diagonal", diagonal, least=0)

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms, at an epoch of the schedule."""
        level = self.only_level(terms)
        losses, d_terms = super().__call__(terms, epoch)
        (d_level,) = d_terms.levels
        mu, logvar = level.posterior
        dip, *d_level.posterior = dip_loss(
            mu, logvar, self.off_diagonal, self.diagonal, self.kind, terms.weights
        )
        return Losses(k.add(losses.loss, dip), losses.rec, losses.kl, dip=dip), d_terms

    @property
    def note(self) -> str:
        return "the loss is rec + beta KL + dip, the penalty on the covariance of z."

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        return {"DIP": cls(1, 0.7, 1.3), "DIP of kind 2": cls(2, 0.7, 1.3, beta=0.5)}


@k.kernel
def dip_loss(
    mu: Array, logvar: Array, off: float, diagonal: float, kind: int, weights: Array | None
) -> tuple[Array, Array, Array]:
    """The penalty on the covariance, and its gradients by mu and logvar, each (B, Z)."""
    w = np.ones(len(mu)) if weights is None else weights
    shares = (w / (w.sum() or 1.0))[:, None]
    centred = mu - (shares * mu).sum(0)
    covariance = (shares * centred).T @ centred
    if kind == 2:
        variance = shares * np.exp(logvar)
        covariance = covariance + np.diag(variance.sum(0))
    on = np.eye(len(covariance))
    off_by = covariance - on
    penalty = (off * (1 - on) + diagonal * on) * off_by**2
    g = 2 * (off * (1 - on) + diagonal * on) * off_by
    dmu = 2 * shares * (centred @ g)  # (2)
    dlogvar = variance * np.diag(g) if kind == 2 else np.zeros_like(logvar)  # (3)
    return penalty.sum(), dmu.astype(mu.dtype), dlogvar.astype(logvar.dtype)

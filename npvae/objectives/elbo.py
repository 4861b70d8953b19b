"""The evidence lower bound."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

from .. import kernels as k
from ..core import LevelTerms, Losses, Objective, Terms
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.schedules import schedule


class ELBO(Objective):
    """-ELBO = E_q[-log p(x given z)] + beta KL(q(z given x) ‖ p(z)), the mean over the batch.

    Derivation, with B rows, K samples and kl (K', B, Z), K' being K or 1:
      (1) rec = -1/(KB) Σ log_px                     ->  d_log_px = -1/(KB)
      (2) kl_j = 1/(K'B) Σ kl[..., j],  KL = Σ_j kl_j ->  d_kl = beta/(K'B)
      (3) with free bits, KL = Σ_j max(kl_j, λ)      ->  d_kl_j = 0 where kl_j < λ
      (4) for a level without a closed form, its estimate by the same samples,
          KL = 1/(KB) Σ (log_qz - log_pz)            ->  d_log_qz = beta/(KB) = -d_log_pz
      (5) of several latent levels the KLs are added ->  each has its own gradient, as above
      (6) with weights w (B,) every row's terms count w_b times, in (1), (2) and (4) and so in (3)
                                                     ->  each gradient above times w_b
    Source: Kingma & Welling 2014, equation 10; beta: Higgins et al. 2017, equation 4; free bits:
    Kingma et al. 2016, equation 15, with groups of one dimension.

    Parameters
    ----------
    beta : float or schedule
        The weight of the KL, 0 or more; a schedule maps the epoch (a float) to it.
    n_samples : int
        Draws of z per example.
    free_bits : float
        λ, the nats per latent dimension below which the KL is not pressed further.

    Raises
    ------
    ConfigError
        When called with free bits on terms without a closed-form KL.
    """

    def __init__(self, beta: Any = 1.0, n_samples: int = 1, free_bits: float = 0.0) -> None:
        self.beta = schedule("beta", beta)
        self.n_samples = whole("n_samples", n_samples)
        self.free_bits = number("free_bits", free_bits, least=0)

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms, at an epoch of the schedule."""
        beta = self.beta(epoch)
        rec, d_log_px = k.mean_loss(terms.log_px, terms.weights)  # (1)
        levels = [self._kl(level, beta, terms.weights) for level in terms.levels]
        if not levels:  # of an autoencoder
            return Losses(rec, rec, 0.0), Terms(d_log_px)
        kl = reduce(k.add, [kl for kl, _ in levels])  # (5)
        losses = Losses(k.weighted_loss(rec, kl, beta), rec, kl)
        return losses, Terms(d_log_px, [d_level for _, d_level in levels])

    def _kl(self, level: LevelTerms, beta: float, weights: Any) -> tuple[Any, LevelTerms]:
        """A level's KL, and the gradients of its terms."""
        if level.kl is not None:
            kl, d_kl = k.kl_loss(level.kl, beta, self.free_bits, weights)  # (2), (3)
            return kl, LevelTerms(kl=d_kl)
        if self.free_bits:
            raise ConfigError(
                "free bits need the KL per latent dimension in closed form, which this model's "
                "posterior and prior do not have together; use free_bits=0, or "
                "posterior='gaussian' with prior='standard'."
            )
        kl, d_log_qz, d_log_pz = k.sampled_kl_loss(level.log_qz, level.log_pz, beta, weights)  # (4)
        return kl, LevelTerms(log_pz=d_log_pz, log_qz=d_log_qz)

"""Objectives: from a model's Terms to one number, and to the gradient of each term.

They know losses and no models. All are in nats per example: summed over data and latent
dimensions, averaged over the batch, each row times its weight where the terms have weights.
``loss = rec + beta · kl`` holds for what each returns.
"""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar, NamedTuple

from . import kernels as k
from .core import LevelTerms, Terms
from .core.checks import number, whole
from .core.errors import ConfigError
from .core.losses import LOSSES
from .core.registry import Registered
from .core.schedules import Schedule, schedule


class Losses(NamedTuple):
    """One batch's loss and its two terms, nats per example."""

    loss: Any
    rec: Any
    kl: Any


class Objective(Registered, abstract=True):
    """Base of the objectives.

    Attributes
    ----------
    losses : names of what it returns; the first is what is minimised
    note : what its losses are, where they are not the ELBO's terms
    """

    family = "objective"
    losses: ClassVar[tuple[str, ...]] = LOSSES
    note: ClassVar[str] = ""


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

    needs: tuple[str, ...] = ("log_px", "kl")

    def __init__(self, beta: Any = 1.0, n_samples: int = 1, free_bits: float = 0.0) -> None:
        self.beta: Schedule = schedule("beta", beta)
        self.n_samples = whole("n_samples", n_samples)
        self.free_bits = number("free_bits", free_bits, least=0)

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms, at an epoch of the schedule."""
        beta = self.beta(epoch)
        rec, d_log_px = k.mean_loss(terms.log_px, terms.weights)  # (1)
        levels = [self._kl(level, beta, terms.weights) for level in terms.levels]
        kl = _total([kl for kl, _ in levels])
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


class IWAE(Objective):
    """-log 1/K Σ_k w_k,  w_k = p(x given z_k) p(z_k) / q(z_k given x), the mean over the batch.

    Derivation, with log w = log_px + log_pz - log_qz (K, B):
      (1) ∂/∂log w_k of log Σ exp(log w) is the normalised weight w̃_k = w_k / Σ w
      (2) the mean over B rows and the sign  ->  d_log_w = -w̃ / B
      (3) log w's terms                      ->  d_log_px = d_log_pz = d_log_w, d_log_qz = -d_log_w
      (4) with weights of the rows       ->  the gradients of row b times its weight
    Reported as the bound's two parts: rec = -mean log_px and kl = loss - rec.
    Source: Burda, Grosse & Salakhutdinov 2016, equations 8 and 14.

    Parameters
    ----------
    n_samples : int
        K, the draws of z per example; 1 gives the ELBO with a sampled KL.
    """

    needs: tuple[str, ...] = ("log_px", "log_pz", "log_qz")
    note = "KL is the rest of IWAE's bound, loss - rec, and can be below 0."

    def __init__(self, n_samples: int = 5) -> None:
        self.n_samples = whole("n_samples", n_samples)
        self.beta: Schedule = schedule("beta", 1.0)

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms."""
        levels = terms.levels
        loss, rec, kl, d_log_w, minus_d_log_w = k.iwae(
            terms.log_px,
            _total([level.log_pz for level in levels]),
            _total([level.log_qz for level in levels]),
            terms.weights,
        )
        d_levels = [LevelTerms(log_pz=d_log_w, log_qz=minus_d_log_w) for _ in levels]  # (3)
        return Losses(loss, rec, kl), Terms(d_log_w, d_levels)


def _total(levels: list[Any]) -> Any:
    """The sum over the latent levels."""
    return functools.reduce(k.add, levels)

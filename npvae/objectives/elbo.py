"""The evidence lower bound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from .. import kernels as k
from ..core import LevelTerms, Losses, Objective, Terms
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.losses import kl_of
from ..core.schedules import schedule


class ELBO(Objective):
    """-ELBO = E_q[-log p(x given z)] + beta KL(q(z given x) ‖ p(z)), the mean over the batch.

    Derivation, with B rows, K samples and kl (K', B, Z), K' being K or 1:
      (1) rec = -1/(KB) Σ log_px                     ->  d_log_px = -1/(KB)
      (2) kl_j = 1/(K'B) Σ kl[..., j],  KL = Σ_j kl_j ->  d_kl = beta/(K'B)
      (3) with free bits, KL = Σ_g max(kl_g, λ), kl_g being the sum of a group's kl_j
                                                     ->  d_kl_j = 0 where kl_g < λ
      (4) for a level without a closed form, its estimate by the same samples,
          KL = 1/(KB) Σ (log_qz - log_pz)            ->  d_log_qz = beta/(KB) = -d_log_pz
      (5) of several latent levels the KLs are added ->  each has its own gradient, as above
      (6) with weights w (B,) every row's terms count w_b times, in (1), (2) and (4) and so in (3)
                                                     ->  each gradient above times w_b
      (7) with weights b_l of levels, Σ_l b_l KL_l in KL's place
                                                     ->  a level's gradients above times b_l
      (8) with a capacity C, beta |KL - C| in beta KL's place
                                                     ->  (2), (4) times the sign of KL - C
    Source: Kingma & Welling 2014, equation 10; beta: Higgins et al. 2017, equation 4; free bits:
    Kingma et al. 2016, equation 15; capacity: Burgess et al. 2018, equation 8, with beta as γ.

    Parameters
    ----------
    beta : float or schedule
        The weight of the KL, 0 or more; a schedule maps the epoch (a float) to it.
    n_samples : int
        Draws of z per example.
    free_bits : float
        λ, the nats of a group below which its KL is not pressed further.
    capacity : float or schedule, optional
        C, the nats that the KL of all levels is drawn to, with beta as the weight of how far it is
        off, such as ``ELBO(beta=100, capacity=Linear(0, 25, epochs=20))``.
    free_bits_per : "dimension", "level" or int
        The groups that free bits are for: one latent dimension each, a whole latent level, or so
        many dimensions that follow one another.
    level_betas : sequence of floats or schedules, optional
        What beta is multiplied by for each latent level, the one next to x first: levels may so be
        warmed up one after the other, as by ``[1, Linear(0, 1, epochs=20)]``.

    Raises
    ------
    ConfigError
        When called with free bits per dimension or group on terms without a closed-form KL.
    """

    by_level = True
    later: ClassVar[dict[str, Any]] = {
        "capacity": None,
        "free_bits_per": "dimension",
        "level_betas": None,
    }

    def __init__(
        self,
        beta: Any = 1.0,
        n_samples: int = 1,
        free_bits: float = 0.0,
        capacity: Any = None,
        free_bits_per: Any = "dimension",
        level_betas: Any = None,
    ) -> None:
        self.beta = schedule("beta", beta)
        self.n_samples = whole("n_samples", n_samples)
        self.free_bits = number("free_bits", free_bits, least=0)
        self.capacity = None if capacity is None else schedule("capacity", capacity)
        self.free_bits_per = free_bits_per
        self._group = _group(free_bits_per)
        self.level_betas = _level_betas(level_betas)
        if self.free_bits and capacity is not None:
            raise ConfigError("free bits and a capacity both hold the KL up; give one of the two.")

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms, at an epoch of the schedule."""
        beta = self.beta(epoch)
        rec, d_log_px = k.mean_loss(terms.log_px, terms.weights)  # (1)
        if not terms.levels:  # of an autoencoder
            return Losses(rec, rec, 0.0), Terms(d_log_px)
        pressed = beta if self.capacity is None else 1.0
        levels = [self._kl(level, pressed, terms.weights) for level in terms.levels]
        kls = [kl for kl, _ in levels]
        d_levels = [d_level for _, d_level in levels]
        kl = pressed_kl = reduce(k.add, kls)  # (5)
        if self.level_betas is not None:
            each = self._level_betas(len(kls), epoch)
            pressed_kl = reduce(k.add, map(scaled, each, kls))
            d_levels = list(map(_times, each, d_levels))  # (7)
        if self.capacity is None:
            loss = k.weighted_loss(rec, pressed_kl, beta)
        else:
            loss, slope = capacity_loss(rec, pressed_kl, beta, self.capacity(epoch))
            d_levels = [_times(slope, d_level) for d_level in d_levels]  # (8)
        by_level = {kl_of(i): each for i, each in enumerate(kls, 1)} if len(kls) > 1 else {}
        return Losses(loss, rec, kl, **by_level), Terms(d_log_px, d_levels)

    def _level_betas(self, n_levels: int, epoch: float) -> list[float]:
        if len(self.level_betas) != n_levels:
            raise ConfigError(
                f"level_betas has a number for each latent level; the model has {n_levels}, and "
                f"they are {len(self.level_betas)}."
            )
        return [beta(epoch) for beta in self.level_betas]

    def _kl(self, level: LevelTerms, beta: float, weights: Any) -> tuple[Any, LevelTerms]:
        """A level's KL, and the gradients of its terms."""
        if level.kl is not None:
            kl, d_kl = k.kl_loss(level.kl, beta, self.free_bits, weights, self._group)  # (2), (3)
            return kl, LevelTerms(kl=d_kl)
        if self.free_bits and self._group:
            raise ConfigError(
                "free bits need the KL per latent dimension in closed form, which this model's "
                "posterior and prior do not have together; use free_bits=0, "
                "free_bits_per='level', or posterior='gaussian' with prior='standard'."
            )
        kl, d_log_qz, d_log_pz = k.sampled_kl_loss(
            level.log_qz, level.log_pz, beta, weights, self.free_bits
        )  # (4)
        return kl, LevelTerms(log_pz=d_log_pz, log_qz=d_log_qz)

    @property
    def note(self) -> str:
        if self.capacity is not None:
            return "the loss is rec + beta |KL - capacity|, and the KL is the true one."
        if self.level_betas is not None:
            return "the loss is rec + the sum of beta · its level's beta · KL, and the KL is plain."
        of = f"a {self.free_for}'s KL"
        return f"{of} counts as {self.free_bits:g} nats at least." if self.free_bits else ""

    @property
    def free_for(self) -> str:
        """What has free bits, each of its own."""
        if not self._group:
            return "latent level"
        return "latent dimension" if self._group == 1 else f"group of {self._group} dimensions"

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        return {
            "ELBO": cls(),
            "ELBO with beta, free bits, 2 samples": cls(beta=2.5, n_samples=2, free_bits=0.1),
            "ELBO with a capacity": cls(beta=2.5, capacity=0.3),
            "ELBO with free bits per level": cls(free_bits=0.1, free_bits_per="level"),
            "ELBO with a beta per level": cls(beta=2.0, level_betas=[0.3]),
        }


def _level_betas(betas: Any) -> Any:
    if betas is None:
        return None
    if isinstance(betas, (str, bytes, dict)) or not isinstance(betas, Iterable):
        raise ConfigError(
            f"level_betas is a list with a number or schedule for each level; got {betas!r:.60}."
        )
    return [schedule("each of level_betas", beta) for beta in betas]


def _group(free_bits_per: Any) -> int:
    """How many dimensions make a group, or 0 for all of a level."""
    if free_bits_per in ("dimension", "level"):
        return int(free_bits_per == "dimension")
    try:
        return whole("free_bits_per", free_bits_per)
    except ConfigError as error:
        raise ConfigError(
            "free_bits_per is 'dimension', 'level', or the number of latent dimensions in a group; "
            f"got {free_bits_per!r}."
        ) from error


@k.kernel
def capacity_loss(rec: Any, kl: Any, beta: float, capacity: float) -> tuple[Any, Any]:
    """rec + beta |KL - capacity|, and its slope along the KL."""
    slope = beta * np.sign(np.real(kl) - capacity)
    return rec + slope * (kl - capacity), slope


@k.kernel
def scaled(factor: float, d: Any) -> Any:
    return factor * d


def _times(factor: Any, d: LevelTerms) -> LevelTerms:
    """A level's gradients, each times a number."""
    if d.kl is not None:
        return LevelTerms(kl=scaled(factor, d.kl))
    return LevelTerms(log_pz=scaled(factor, d.log_pz), log_qz=scaled(factor, d.log_qz))

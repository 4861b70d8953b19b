"""What passes between a model and an objective."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .numerics import wide


@dataclass
class LevelTerms:
    """What a latent level says of a batch, or the gradient with respect to that.

    Nats. B batch, K samples, Z latent. A level fills what the objective's ``needs`` name and leaves
    the rest None. For "kl" it gives the closed form where posterior and prior have one together,
    and else log_qz and log_pz, of which the KL is the mean difference. "gaussian" asks for the
    posterior's mu and logvar, and with "standard" no model is taken whose prior is another one.

    Attributes
    ----------
    kl : (K or 1, B, Z), KL(q(z given x) ‖ p(z)) per latent dimension, in closed form
    log_pz, log_qz : (K, B), the densities of the sampled z
    z : (K, B, Z)
    log_share : (M, B), log q(z) of every z that there is, where the model goes through them all:
        log p(x given z) is then their mean, and there is one sample
    posterior : tuple, the posterior's parameters, each (B, Z)
    score : bool
        In a gradient: whether log q's own gradient reaches the posterior's parameters. With False
        they get only what comes through z.
    dz_scale : (K, B)
        In a gradient: what z's whole gradient is multiplied by on its way to the posterior.
    """

    kl: Any = None
    log_pz: Any = None
    log_qz: Any = None
    z: Any = None
    log_share: Any = None
    posterior: Any = None
    score: bool = True
    dz_scale: Any = None


@dataclass
class Terms:
    """What a model says of a batch, or (as ``d_terms``) the gradient with respect to that.

    Nats. B batch, K samples, C classes. An objective gives the gradients of what it used.

    Attributes
    ----------
    log_px : (K, B), log p(x given z)
    levels : list of LevelTerms, one for each latent level, the one next to x first
    log_qy : (C, B), log q(y given x) of a label that is summed out; the others then lead with C
    weights : (B,), how much each row counts in the losses, as the caller of the model sets it
    theta : (K, B, ·), what the decoder gave, where "theta" is needed and the model says it
    """

    log_px: Any = None
    levels: list[LevelTerms] = field(default_factory=list)
    log_qy: Any = None
    weights: Any = None
    theta: Any = None

    @property
    def kl_per_row(self) -> Any:
        """KL(q(z given x) ‖ p(z)) of each row, (K or 1, B): log_qz - log_pz where it is sampled."""
        kls = [
            level.log_qz - level.log_pz
            if level.kl is None
            else level.kl.sum(-1, dtype=wide(level.kl.dtype))
            for level in self.levels
        ]
        return sum(kls) if kls else 0.0 * self.log_px[:1]

    @property
    def log_w(self) -> Any:
        """log p(x, z) - log q(z given x) of each sample, (K, B): the importance weights' logs."""
        log_w = self.log_px
        for level in self.levels:
            log_w = log_w + level.log_pz - level.log_qz
        return log_w

"""What passes between a model and an objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .numerics import wide


@dataclass
class Terms:
    """What a model says of a batch, or (as ``d_terms``) the gradient with respect to that.

    Nats. B batch, K samples, Z latent; the lists have one entry per latent level. A model fills
    what the objective's ``needs`` name, an objective gives the gradients of what was filled. For
    "kl", a model whose prior has no closed form of it fills log_pz and log_qz instead, of which it
    is the mean difference.

    Attributes
    ----------
    log_px : (K, B), log p(x given z)
    kl : list of (K or 1, B, Z), closed-form KL(q(z given x) ‖ p(z)) per latent dimension
    log_pz, log_qz : lists of (K, B), the densities of the sampled z
    z : list of (K, B, Z)
    posterior : list of tuples, the posterior's parameters, each (B, Z)
    weights : (B,) or None, how much each row counts in the losses; whoever has the batch sets it
    """

    log_px: Any = None
    kl: list[Any] = field(default_factory=list)
    log_pz: list[Any] = field(default_factory=list)
    log_qz: list[Any] = field(default_factory=list)
    z: list[Any] = field(default_factory=list)
    posterior: list[Any] = field(default_factory=list)
    weights: Any = None

    @property
    def kl_per_row(self) -> Any:
        """KL(q(z given x) ‖ p(z)) of each row, (K or 1, B): log_qz - log_pz where it is sampled."""
        if self.kl:
            return sum(level.sum(-1, dtype=wide(level.dtype)) for level in self.kl)
        return sum(self.log_qz) - sum(self.log_pz)


class Objective(Protocol):
    """What training needs of an objective; see `objectives.py`."""

    needs: tuple[str, ...]
    n_samples: int
    beta: Callable[[float], float]

    def __call__(self, terms: Terms, epoch: float = ...) -> tuple[Any, Terms]: ...

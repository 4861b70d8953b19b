"""The importance weighted bound."""

from __future__ import annotations

import math
from functools import reduce

from .. import kernels as k
from ..core import LevelTerms, Losses, Objective, Terms
from ..core.checks import whole


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

    needs = ("log_px", "log_pz", "log_qz")
    note = "KL is the rest of IWAE's bound, loss - rec, and can be below 0."

    def __init__(self, n_samples: int = 5) -> None:
        self.n_samples = whole("n_samples", n_samples)

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        return {cls.__name__: cls(n_samples=3)}

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms."""
        levels = terms.levels
        loss, rec, kl, d_log_w, minus_d_log_w = k.iwae(
            terms.log_px,
            reduce(k.add, [level.log_pz for level in levels]),
            reduce(k.add, [level.log_qz for level in levels]),
            terms.weights,
        )
        d_levels = [LevelTerms(log_pz=d_log_w, log_qz=minus_d_log_w) for _ in levels]  # (3)
        return Losses(loss, rec, kl), Terms(d_log_w, d_levels)

"""Bounds from power means of the importance weights: Rényi's, and mixtures of ELBO and IWAE."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

from .. import kernels as k
from ..core import LevelTerms, Losses, Objective, Terms
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.schedules import Constant


class PowerMeans(Objective, abstract=True):
    """-(share · mean_K log w_k + (1 - share) · mean over groups of log M_p(w)), the mean over rows.

    M_p(w) = (1/k Σ w^p)^(1/p) is the power mean of the k importance weights of a group.

    Derivation, with log w = log_px + log_pz - log_qz (K, B), G groups of k = K/G:
      (1) ∂log M_p/∂log w_i = w_i^p / Σ w^p within the group, 1/k for p = 0, and for p = ±inf 1 at
          the largest or smallest w and 0 at the others
      (2) the other term's is 1/K      ->  d_log_w = -(share/K + (1 - share)/G · (1)) / B
      (3) log w's terms                ->  d_log_px = d_log_pz = d_log_w, d_log_qz = -d_log_w
      (4) with weights of the rows     ->  the gradients of row b times its weight
    Reported as the bound's two parts: rec = -mean log_px and kl = loss - rec. Several latent levels
    make one w: their log p(z) and log q(z) are added.
    """

    needs = ("log_px", "log_pz", "log_qz")
    note = "KL is the rest of the bound, loss - rec, and can be below 0."
    power: float = 1.0
    groups: int = 1
    share: float = 0.0

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms."""
        if len(terms.log_px) % self.groups:
            raise ConfigError(
                f"{type(self).__name__} takes samples in {self.groups} groups of the same size; "
                f"got {len(terms.log_px)}. Draw noise for n_samples={self.n_samples}."
            )
        levels = terms.levels
        loss, rec, kl, d_log_w, minus_d_log_w = k.power_means(
            terms.log_px,
            reduce(k.add, [level.log_pz for level in levels]),
            reduce(k.add, [level.log_qz for level in levels]),
            self.power,
            self.groups,
            self.share,
            terms.weights,
        )
        d_levels = [LevelTerms(log_pz=d_log_w, log_qz=minus_d_log_w) for _ in levels]  # (3)
        return Losses(loss, rec, kl), Terms(d_log_w, d_levels)


class Renyi(PowerMeans):
    """-1/(1 - α) log 1/K Σ_k w_k^(1 - α): Rényi's bound, a power mean with p = 1 - α.

    α = 1 is the ELBO with a sampled KL, α = 0 is IWAE; -inf takes the best sample alone (VR-max),
    +inf the worst. The bound falls as α grows. Derivation: `PowerMeans`.
    Source: Li & Turner 2016, equations 6 and 12.

    Parameters
    ----------
    alpha : float
        Any number, inf and -inf included.
    n_samples : int
        K, the draws of z per example.
    """

    def __init__(self, alpha: float = 0.5, n_samples: int = 5) -> None:
        infinite = str(alpha) in ("inf", "-inf")  # text too: what `arguments` has for them
        self.alpha = float(alpha) if infinite else number("alpha", alpha)
        self.n_samples = whole("n_samples", n_samples)
        self.power = 1 - self.alpha

    @property
    def arguments(self) -> dict[str, Any]:
        found = super().arguments
        return {**found, "alpha": str(self.alpha)} if math.isinf(self.alpha) else found

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        alphas = (-math.inf, -1.5, 0.5, 1.0, 2.0, math.inf)
        return {f"Renyi with alpha {a:g}": cls(a, n_samples=3) for a in alphas}


class MIWAE(PowerMeans):
    """-1/M Σ_m log 1/K Σ_k w_mk: the mean of M bounds of IWAE, each from K samples.

    The encoder's signal-to-noise ratio falls as K grows and rises as M does. Derivation:
    `PowerMeans`.
    Source: Rainforth et al. 2018, equation 8.

    Parameters
    ----------
    m, k : int
        M and K: there are M · K draws of z per example.
    """

    def __init__(self, m: int = 4, k: int = 4) -> None:
        self.m, self.k = whole("m", m), whole("k", k)
        self.n_samples, self.groups = self.m * self.k, self.m

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        return {"MIWAE": cls(m=2, k=3)}


class CIWAE(PowerMeans):
    """-(β ELBO + (1 - β) IWAE_K): both of the same samples. Derivation: `PowerMeans`.

    Source: Rainforth et al. 2018, equation 9.

    Parameters
    ----------
    beta : float
        The ELBO's share, 0 to 1.
    n_samples : int
        K, the draws of z per example.
    """

    def __init__(self, beta: float = 0.5, n_samples: int = 5) -> None:
        self.share = number("beta", beta, least=0)
        if self.share > 1:
            raise ConfigError(f"beta, the ELBO's share in CIWAE, is 0 to 1; got {beta!r}.")
        self.beta: Any = Constant(self.share)
        self.n_samples = whole("n_samples", n_samples)

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        return {"CIWAE": cls(beta=0.3, n_samples=3)}

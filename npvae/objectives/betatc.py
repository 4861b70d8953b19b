"""The ELBO with its KL taken apart, and each part weighed by itself: β-TCVAE."""

from __future__ import annotations

import math
from typing import Any

from .. import kernels as k
from ..core import LevelTerms, Losses, Objective, Terms
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.schedules import schedule

ESTIMATORS = ("weighted", "stratified")


class BetaTC(Objective):
    """rec + alpha I(x; z) + beta TC(z) + gamma Σ_j KL(q(z_j) ‖ p(z_j)), the mean over the batch.

    With q(z) the mean of q(z given x) over the data, the parts are the means of

        mi  = log q(z given x) - log q(z)        the index-code mutual information
        tc  = log q(z) - Σ_j log q(z_j)          the total correlation
        dkl = Σ_j log q(z_j) - log p(z)          the dimension-wise KL

    over rows and draws; kl is their sum, and alpha = beta = gamma = 1 the ELBO. q(z) is estimated
    from the batch, log q(z_b) = log Σ_i W_bi q(z_b given x_i), and so is each q(z_j).

    Derivation, with L_bij = log q(z_bj given x_i), u = (z_bj - mu_ij)/std_ij, c_b = 1/(KB):
      (1) R_bi = W_bi exp(Σ_j L_bij) / Σ_i of it is ∂log q(z_b)/∂Σ_j L_bij, and
          r_bij = W_bi exp(L_bij) / Σ_i of it is ∂log q(z_bj)/∂L_bij
      (2) log q(z_b given x_b) has alpha c_b, log q(z_b) (beta - alpha) c_b, each log q(z_bj)
          (gamma - beta) c_b, and log p(z_b) -gamma c_b
                          ->  G_bij = c_b ((beta - alpha) R_bi + (gamma - beta) r_bij)
      (3) L = -½ (u² + logvar + log 2π)  ->  dz_bj = -Σ_i G u/std, dmu_ij = Σ_b G u/std,
                                             dlogvar_ij = Σ_b G ½ (u² - 1)
      (4) with weights w of the rows c_b is w_b times as large, and W_bi is multiplied by w_i
    Each of K samples has its own q(z).
    Source: Chen, Li, Grosse & Duvenaud 2018, equations 2 and 4, appendix C.

    Parameters
    ----------
    beta : float or schedule
        The weight of the total correlation, 0 or more.
    alpha, gamma : float
        Those of the mutual information and of the dimension-wise KL, 0 or more.
    estimator : {"weighted", "stratified"}
        Of q(z), from a batch of M rows out of N. "weighted": W = 1/M; of the paper's 1/(NM) the
        1/N, which changes no gradient, is left out, so that mi and tc are not too large by log N
        and (Z - 1) log N. "stratified": 1/N for the row itself, (N - M + 1)/(N (M - 1)) for the
        next one, and 1/(M - 1) for each other.
    n_data : int, optional
        N, the rows of the training data; "stratified" needs it.
    n_samples : int
        Draws of z per example.
    """

    name = "betatc"
    needs = ("log_px", "log_pz", "log_qz", "z", "gaussian")
    losses = ("loss", "rec", "kl", "mi", "tc", "dkl")
    note = "mi, tc and dkl are the parts of the KL, estimated from the batch (mi is at most log M)."

    def __init__(
        self,
        beta: Any = 6.0,
        alpha: float = 1.0,
        gamma: float = 1.0,
        estimator: str = "weighted",
        n_data: int | None = None,
        n_samples: int = 1,
    ) -> None:
        self.beta = schedule("beta", beta)
        self.alpha = number("alpha", alpha, least=0)
        self.gamma = number("gamma", gamma, least=0)
        if estimator not in ESTIMATORS:
            raise ConfigError(f"estimator is one of {', '.join(ESTIMATORS)}; got {estimator!r}.")
        self.estimator = estimator
        self.n_data = None if n_data is None else whole("n_data", n_data)
        if estimator == "stratified" and n_data is None:
            raise ConfigError(
                "the stratified estimator needs n_data, the number of training rows; got none. "
                "Give n_data=..., or take estimator='weighted'."
            )
        self.n_samples = whole("n_samples", n_samples)

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[Losses, Terms]:
        """The losses of a batch and the gradients of its terms, at an epoch of the schedule."""
        level = self.only_level(terms)
        n_data = self.n_data if self.estimator == "stratified" else None
        if n_data is not None and n_data < terms.log_px.shape[1]:
            raise ConfigError(
                f"n_data is the number of training rows, at least a batch's "
                f"{terms.log_px.shape[1]}; got {n_data}."
            )
        rec, d_log_px = k.mean_loss(terms.log_px, terms.weights)
        mu, logvar = level.posterior
        loss, kl, mi, tc, dkl, d_log_qz, d_log_pz, dz, *d_posterior = k.decomposed_kl(
            level.log_qz, level.log_pz, level.z, mu, logvar, self.alpha, self.beta(epoch),
            self.gamma, n_data, terms.weights,
        )  # fmt: skip
        d_level = LevelTerms(log_pz=d_log_pz, log_qz=d_log_qz, z=dz, posterior=d_posterior)
        losses = Losses(k.add(rec, loss), rec, kl, mi=mi, tc=tc, dkl=dkl)
        return losses, Terms(d_log_px, [d_level])

    @classmethod
    def examples(cls) -> dict[str, Objective]:
        return {
            "BetaTC": cls(3.0, 0.5, 1.5),
            "BetaTC, stratified, 2 samples": cls(
                3.0, 0.5, 1.5, "stratified", n_data=20, n_samples=2
            ),
        }

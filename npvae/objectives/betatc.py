"""The ELBO with its KL taken apart, and each part weighed by itself: β-TCVAE."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import LevelTerms, Losses, Objective, Terms
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.numerics import wide
from ..core.schedules import schedule
from ..kernels.dense import LOG_2PI

Array = np.ndarray

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
                "the stratified estimator needs n_data, the number of training rows; got none."
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
        loss, kl, mi, tc, dkl, d_log_qz, d_log_pz, dz, *d_posterior = decomposed_kl(
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


@k.kernel
def decomposed_kl(
    log_qz: Array, log_pz: Array, z: Array, mu: Array, logvar: Array, alpha: float, beta: float,
    gamma: float, n_data: int | None, weights: Array | None,
) -> tuple[Array, ...]:  # fmt: skip
    """alpha mi + beta tc + gamma dkl; kl, mi, tc, dkl; and the gradients of the first by log_qz,
    log_pz, z, mu and logvar."""
    samples, batch = log_qz.shape
    w = np.ones(batch) if weights is None else weights
    share = w / log_qz.size
    rows = share[:, None].astype(logvar.real.dtype)
    log_shares = _log_shares(batch, n_data, w).astype(logvar.real.dtype)
    joint, marginal = np.empty_like(log_qz), np.zeros_like(log_qz)
    dz, dmu, dlogvar = np.empty_like(z), np.zeros_like(mu), np.zeros_like(logvar)
    inverse, spread = np.exp(-0.5 * logvar), -0.5 * (logvar + LOG_2PI)
    for sample in range(samples):
        # One dimension at a time: (b, i) of a batch stay in a processor's cache.
        u = [(z[sample, :, j, None] - mu[:, j]) * inverse[:, j] for j in range(mu.shape[1])]
        densities = [spread[:, j] - 0.5 * u_j * u_j for j, u_j in enumerate(u)]
        joint[sample], r_joint = _mixed(sum(densities, log_shares))
        r_joint = (beta - alpha) * rows * r_joint
        for j, u_j in enumerate(u):
            log_qzj, r = _mixed(densities[j] + log_shares)
            marginal[sample] += log_qzj
            g = r_joint + (gamma - beta) * rows * r  # (2)
            along = g * u_j
            dz[sample, :, j] = -along @ inverse[:, j]  # (3)
            dmu[:, j] += along.sum(0) * inverse[:, j]
            dlogvar[:, j] += 0.5 * ((along * u_j).sum(0) - g.sum(0))
    mi, tc, dkl = (
        (share * part).sum() for part in (log_qz - joint, joint - marginal, marginal - log_pz)
    )
    ones = np.ones_like(log_qz.real)
    gradients = alpha * share * ones, -gamma * share * ones, dz, dmu, dlogvar
    return alpha * mi + beta * tc + gamma * dkl, mi + tc + dkl, mi, tc, dkl, *gradients


def _mixed(log_terms: Array) -> tuple[Array, Array]:
    """log Σ_i exp of (b, i), in float64, and each one's share of it."""
    top = log_terms.real.max(axis=1, keepdims=True)
    shares = np.exp(log_terms - top)
    total = shares.sum(axis=1, keepdims=True, dtype=wide(shares.dtype))
    shares /= total.astype(shares.dtype)
    return (np.log(total) + top)[:, 0], shares


def _log_shares(batch: int, n_data: int | None, weights: Array) -> Array:
    """log W, (B, B): row b of what z_b's density is mixed of."""
    shares = np.full((batch, batch), 1 / batch)
    if n_data is not None and batch > 1:
        others = batch - 1
        shares[...] = 1 / others
        at = np.arange(batch)
        shares[at, at] = 1 / n_data
        shares[at, (at + 1) % batch] = (n_data - others) / (n_data * others)
    mean = weights.mean()
    with np.errstate(divide="ignore"):  # a row of weight 0 is none of the data
        return np.log(shares * (weights / mean if mean else 1.0))

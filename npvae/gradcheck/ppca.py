"""The linear VAE is probabilistic PCA: trained by npvae's `fit`, held against the closed form.

pPCA is the model of `linear_gaussian.py` at its maximum likelihood. With λ the eigenvalues of the
data's covariance, in falling order, and U its eigenvectors,

    noise = mean of λ_{Z+1}, ..., λ_D        W = U_Z (Λ_Z - noise I)^½ R,  R any rotation

Source: Tipping & Bishop 1999, equations 7 and 8. The ELBO of the linear VAE has the same maximum,
since there is an optimal W with orthogonal columns, for which the posterior is diagonal: Lucas et
al. 2019, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.schedules import Cosine
from ..datasets import digits
from ..evaluate import active_units
from ..likelihoods import Gaussian
from ..models import VAE
from ..training.fit import fit
from .claim import Claim, rounding
from .linear_gaussian import LOG_2PI, LinearGaussian, exact_elbo

Array = np.ndarray
Rng = np.random.Generator

NATS = 0.01
"""How near to the maximum training has to come, nats per column."""


@dataclass(frozen=True)
class Spectrum:
    """The eigenvalues (D,), falling, and eigenvectors (D, D) of the covariance of rows."""

    values: Array
    vectors: Array

    @classmethod
    def of(cls, x: Array) -> Spectrum:
        values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
        return cls(np.maximum(values[::-1], 0), vectors[:, ::-1])

    def noise(self, z_dim: int) -> float:
        """The mean of the discarded eigenvalues: the most likely noise."""
        return float(self.values[z_dim:].mean())

    def log_likelihood(self, z_dim: int, noise: float) -> float:
        """The greatest mean log p(x) of z_dim latents at this noise, nats per row.

        C has the eigenvectors U, and the eigenvalue that suits λ best: λ itself for the first Z
        where it is above the noise, the noise elsewhere. Where λ < noise the latent is of no use:
        that is posterior collapse, and it is the likelihood's own maximum.
        """
        own = np.full(len(self.values), noise)
        own[:z_dim] = np.maximum(self.values[:z_dim], noise)
        return float(-0.5 * (LOG_2PI + np.log(own) + self.values / own).sum())


def train_linear(
    x: Array, z_dim: int, likelihood: Any, seed: int, epochs: int, lr: float = 0.02
) -> VAE:
    """A VAE with no hidden layer, trained on the rows of x by `fit`."""
    model = VAE(x.shape[1], z_dim, hidden=(), likelihood=likelihood, dtype="float64", seed=seed)
    fit(model, x, epochs=epochs, batch_size=100, lr=Cosine(lr, 1e-5, epochs), seed=seed)
    return model


def linear_vae_is_ppca(x: Array, z_dim: int, seed: int, epochs: int) -> list[Claim]:
    """ELBO, noise and column space of a trained linear VAE are those of pPCA.

    How far noise and subspace may be off follows from how far the ELBO is, g nats per row: it
    bounds log p(x), and log p(x) falls from its maximum, to leading order, by
      (1) ¼ (D - Z) δ² where the noise is off by the factor 1 + δ
      (2) ½ sin²θ (λ_Z - λ_{Z+1}) (1/noise - 1/λ_Z) where the column space is off by the angle θ
          from the Z-th eigenvector to the next.
    """
    columns, spectrum = x.shape[1], Spectrum.of(x)
    model = train_linear(x, z_dim, "gaussian_learnt_scale", seed, epochs)
    exact = LinearGaussian.of(model)
    noise = spectrum.noise(z_dim)
    best = spectrum.log_likelihood(z_dim, noise)
    elbos = exact_elbo(model, x)
    elbo = float(elbos.mean())
    own = rounding(elbos, columns)
    gap = max(best - elbo, own)

    kept, next_one = spectrum.values[z_dim - 1 : z_dim + 1]
    span = np.linalg.qr(exact.W)[0]
    outside = span - spectrum.vectors[:, :z_dim] @ (spectrum.vectors[:, :z_dim].T @ span)
    sine = float(np.linalg.norm(outside, 2))
    price = 0.5 * (kept - next_one) * (1 / noise - 1 / kept)
    what = f"{len(x)} rows of {columns} columns, {z_dim} latents, {epochs} epochs"
    allowed = "what the ELBO's gap allows"
    return [
        Claim(
            "linear VAE: ELBO = pPCA's maximum, per column",
            elbo / columns, best / columns, NATS, "nats per column", what,
        ),
        Claim(
            "linear VAE: ELBO <= pPCA's maximum", elbo, best, own, "rounding",
            "no model of this form is above it, nats per row", "<=",
        ),
        Claim(
            "linear VAE: noise = mean discarded eigenvalue", exact.noise, noise,
            2 * noise * float(np.sqrt(gap / (columns - z_dim))), allowed,
            f"off by {exact.noise / noise - 1:+.2%}",
        ),
        Claim(
            "linear VAE: sine of the angle to the PCA space",
            sine, 0.0, float(np.sqrt(gap / price)), allowed,
            f"{np.degrees(np.arcsin(sine)):.2f}° from the principal subspace",
        ),
    ]  # fmt: skip


def collapse(x: Array, z_dim: int, seed: int, epochs: int) -> list[Claim]:
    """With the noise fixed at σ², the latents whose λ is below σ² collapse, and no others.

    At the maximum of the likelihood the j-th column of W has the length √(λ_j - σ²), or 0 where
    λ_j < σ² (`Spectrum.log_likelihood`); the posterior mean then varies by 1 - σ²/λ_j, or not at
    all. So collapse is not the KL term's doing. σ² lies in the widest gap of the first Z
    eigenvalues, in ratio.
    Source: Lucas et al. 2019, section 4.
    """
    spectrum = Spectrum.of(x)
    values = spectrum.values[:z_dim]
    active = int((values[:-1] / values[1:]).argmax()) + 1
    noise = float(np.sqrt(values[active - 1] * values[active]))
    model = train_linear(x, z_dim, Gaussian(float(np.sqrt(noise))), seed, epochs, lr=0.03)
    best = spectrum.log_likelihood(z_dim, noise) / x.shape[1]
    elbo = float(exact_elbo(model, x).mean()) / x.shape[1]
    spread = np.sort(model.encode(x)[0].var(0))[::-1]
    return [
        Claim(
            "fixed noise: ELBO = maximum there, per column", elbo, best, NATS, "nats per column",
            f"σ² = {noise:.4f}, between the eigenvalues {active} and {active + 1}; {z_dim} latents",
        ),
        Claim(
            "fixed noise: active units = eigenvalues above", float(active_units(model, x).sum()),
            float(active), 0.0, "a count",
            "variances of the posterior means: " + ", ".join(f"{s:.2g}" for s in spread),
        ),
    ]  # fmt: skip


def ppca_of_digits(rng: Rng) -> list[Claim]:
    """`linear_vae_is_ppca` on the embedded digits, with 4 latents."""
    return linear_vae_is_ppca(_digits(), 4, int(rng.integers(2**31)), epochs=150)


def collapse_on_digits(rng: Rng) -> list[Claim]:
    """`collapse` on the embedded digits, with 6 latents."""
    return collapse(_digits(), 6, int(rng.integers(2**31)), epochs=250)


def _digits() -> Array:
    return digits()[0].astype(np.float64)

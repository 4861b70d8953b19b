"""The one VAE of which everything is known: linear, with a Gaussian likelihood.

z ~ N(0, I) and x given z ~ N(W z + b, s² I), so with P = I + WᵀW / s² and C = W Wᵀ + s² I

    p(x) = N(b, C)        p(z given x) = N(P⁻¹ Wᵀ (x - b) / s², P⁻¹)

Source: Tipping & Bishop 1999, section 3. Nothing here calls npvae's own kernels: these
closed forms are what its results are held against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Terms
from ..likelihoods import Gaussian
from ..models import VAE
from ..posteriors import LOGVAR_BOUNDS
from .claim import rounding

Array = np.ndarray

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class LinearGaussian:
    """The closed forms of one model: W (D, Z), b (D,), noise s² the variance of every column."""

    W: Array
    b: Array
    noise: float

    @classmethod
    def of(cls, model: Any) -> LinearGaussian:
        """Those of a VAE with no hidden layer and a Gaussian likelihood, learnt scale or fixed."""
        learnt = getattr(model.likelihood, "log_scale", None)
        noise = model.likelihood.scale**2 if learnt is None else float(np.exp(2 * learnt[0]))
        last = model.decoder.layers[0]
        return cls(last.W.astype(np.float64), last.b.astype(np.float64), noise)

    @property
    def covariance(self) -> Array:
        """C, (D, D)."""
        return self.W @ self.W.T + self.noise * np.eye(len(self.b))

    @property
    def precision(self) -> Array:
        """P, the posterior's inverse covariance, (Z, Z)."""
        return np.eye(self.W.shape[1]) + self.W.T @ self.W / self.noise

    def posterior_mean(self, x: Array) -> Array:
        """E[z given x], (B, Z)."""
        return np.linalg.solve(self.precision, self.W.T @ (x - self.b).T / self.noise).T

    def log_px(self, x: Array) -> Array:
        """log p(x), (B,), in nats."""
        d = x - self.b
        square = (d * np.linalg.solve(self.covariance, d.T).T).sum(-1)
        return -0.5 * (square + np.linalg.slogdet(self.covariance)[1] + len(self.b) * LOG_2PI)

    def d_log_px(self, x: Array) -> tuple[Array, Array]:
        """The gradient of the mean of log p(x) over the rows: dW (D, Z), db (D,).

        d log p/dC = ½ (C⁻¹ d dᵀ C⁻¹ - C⁻¹), d = x - b, and dC = dW Wᵀ + W dWᵀ.
        """
        inverse = np.linalg.inv(self.covariance)
        solved = (x - self.b) @ inverse
        return (solved.T @ solved / len(x) - inverse) @ self.W, solved.mean(0)

    def rounding(self, size: Any) -> float:
        """What these closed forms may be off by, in units of `size`, by rounding.

        Gaussian elimination with D unknowns is a chain of 3D operations (Higham 2002, theorem 9.4).
        """
        return rounding(size, 3 * len(self.b), np.linalg.cond(self.covariance))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Rows of the model's own, (n, D)."""
        z = rng.normal(size=(n, self.W.shape[1]))
        noise = np.sqrt(self.noise) * rng.normal(size=(n, len(self.b)))
        return z @ self.W.T + self.b + noise


def linear_vae(
    rng: np.random.Generator, x_dim: int, z_dim: int, scale: float, axes: bool = False
) -> VAE:
    """A VAE with no hidden layer and random weights; `axes` makes W's columns orthogonal.

    Then P is diagonal, so that a diagonal q can be the posterior itself.
    """
    model = VAE(x_dim, z_dim, hidden=(), likelihood=Gaussian(scale), dtype="float64")
    model.flat[...] = rng.normal(0, 0.3, model.n_params)
    W = rng.normal(size=(x_dim, z_dim))
    model.decoder.layers[0].W[...] = np.linalg.qr(W)[0] * np.linspace(2, 1, z_dim) if axes else W
    return model


def encode_posterior(model: VAE) -> None:
    """Set the encoder to the best diagonal q: the posterior's mean, and 1/P_jj as variances.

    It is the posterior itself where P is diagonal. Source: Lucas et al. 2019, section 4.
    """
    exact = LinearGaussian.of(model)
    to_mean = np.linalg.solve(exact.precision, exact.W.T / exact.noise)
    layer = model.encoder.layers[0]
    layer.W[...] = np.vstack([to_mean, np.zeros_like(to_mean)])
    layer.b[...] = np.concatenate([-to_mean @ exact.b, _unbent(-np.log(np.diag(exact.precision)))])


def _unbent(logvar: Array) -> Array:
    """What the encoder has to give for DiagonalGaussian to bend it into `logvar`."""
    low, high = LOGVAR_BOUNDS
    capped = np.log(np.exp(logvar) - np.exp(low))
    return -np.log(np.exp(-capped) - np.exp(-high))


def cubature(batch: int, z_dim: int) -> Array:
    """Noise (2Z, B, Z) over which the mean of a polynomial in eps up to degree 3 is exact.

    The points ±√Z e_j have mean 0 and second moment I, as N(0, I) has, and odd moments of 0. On a
    linear model with a Gaussian likelihood every term of the ELBO is a quadratic in eps, so `eps`
    being an input makes the model's own forward an exact expectation.
    """
    points = np.sqrt(z_dim) * np.eye(z_dim)
    return np.repeat(np.concatenate([points, -points])[:, None], batch, axis=1)


def exact_terms(model: VAE, x: Array) -> Terms:
    """The model's terms at the noise of `cubature`, so that their mean over K is exact."""
    needs = ("log_px", "kl", "log_pz", "log_qz", "posterior")
    return model.forward(x, cubature(len(x), model.z_dim), needs=needs)[0]


def exact_elbo(model: VAE, x: Array) -> Array:
    """The ELBO of each row without sampling noise, (B,), by the model's own forward."""
    terms = exact_terms(model, x)
    return terms.log_px.mean(0) - terms.levels[0].kl.sum((0, -1))


def gaussian_kl(mu: Array, variance: Array, mean: Array, precision: Array) -> Array:
    """KL(N(mu, diag variance) ‖ N(mean, precision⁻¹)), (B,), mu, variance and mean being (B, Z)."""
    d = mean - mu
    spread = (variance * np.diag(precision)).sum(-1) + np.einsum("bi,ij,bj->b", d, precision, d)
    logs = np.log(variance).sum(-1) + np.linalg.slogdet(precision)[1]
    return 0.5 * (spread - mu.shape[-1] - logs)


def log_overlap(
    power: float, mean: Array, precision: Array, other_mean: Array, other_precision: Array
) -> float:
    """log ∫ p^a q^(1-a) for Gaussians p, q of means (Z,) and precisions (Z, Z), a = `power`.

    With p the posterior and q what is drawn from, w = p/q is the importance weight, and its
    moments E_q[w^a] are this: a = 2 gives 1 + χ²(p ‖ q), a = ½ the Bhattacharyya coefficient.
    The product of the densities is again a Gaussian's exponent; completing the square gives it.
    Infinite where the integral diverges.
    """
    weights = (power, 1 - power)
    means, precisions = (mean, other_mean), (precision, other_precision)
    total = sum(w * P for w, P in zip(weights, precisions, strict=True))
    if np.linalg.eigvalsh(total)[0] <= 0:
        return float("inf")
    pulls = [w * P @ m for w, P, m in zip(weights, precisions, means, strict=True)]
    peaks = sum(pull @ m for pull, m in zip(pulls, means, strict=True))
    logs = sum(w * np.linalg.slogdet(P)[1] for w, P in zip(weights, precisions, strict=True))
    pull = sum(pulls)
    square = pull @ np.linalg.solve(total, pull) - peaks
    return float(0.5 * (square + logs - np.linalg.slogdet(total)[1]))

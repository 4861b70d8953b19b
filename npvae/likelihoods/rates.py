"""The beta likelihood, for rates and shares in (0, 1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import divisor
from ..core.errors import DataError
from ..core.numerics import known_extremes
from .spread import Spread

Array = np.ndarray


class Beta(Spread):
    """log p(x given m, κ) = Σ_D (a - 1) log x + (b - 1) log(1 - x) - log B(a, b),  0 < x < 1.

    a = m κ and b = (1 - m) κ, so that m = σ(logit) is the mean and κ = exp(log_concentration) says
    how close to it x stays: the variance is m (1 - m) / (κ + 1).

    Derivation, with log B(a, b) = log Γ(a) + log Γ(b) - log Γ(κ) and ψ = (log Γ)':
      (1) ∂log p/∂a = log x - ψ(a) + ψ(κ), ∂log p/∂b = log(1 - x) - ψ(b) + ψ(κ), κ = a + b
      (2) ∂a/∂logit = κ m (1 - m) = -∂b/∂logit
          ->  ∂log p/∂logit = κ m (1 - m) (log x - log(1 - x) - ψ(a) + ψ(b)) = r
      (3) ∂a/∂log κ = a, ∂b/∂log κ = b  ->  ∂log p/∂log κ = a ∂log p/∂a + b ∂log p/∂b = slope
      (4) from r and slope to the gradients: `Spread`, (1) to (4)
    A large κ makes terms that cancel. With v = log(x/m), w = log((1 - x)/(1 - m)), φ(t) =
    exp(t) - 1 - t, log Γ(y) = (y - ½) log y - y + ½ log 2π + δ(y) and ρ(y) = log y - ψ(y) these are
      (5) log p = δ(κ) - δ(a) - δ(b) - a φ(v) - b φ(w) + ½ log(κ m (1 - m) / 2π) - log(x (1 - x)),
          since a (exp(v) - 1) + b (exp(w) - 1) = κ (x - m) + κ (m - x) = 0
      (6) r = κ m (1 - m) (v - w + ρ(a) - ρ(b))
      (7) slope = a ρ(a) + b ρ(b) - κ ρ(κ) - a φ(v) - b φ(w)
    Shapes: logit (K, B, D), x (B, D), log_concentration (D,), log_px (K, B); with
    concentration="decoder" the decoder gives (K, B, 2D), the last D of them for it.
    Source: Ferrari & Cribari-Neto 2004, equations 4 to 7; (5) as Loader 2000.

    Parameters
    ----------
    concentration : {"column", "decoder"}
        Whether each column learns one or the decoder gives one for each entry.
    """

    log_concentration: Array

    unit_interval = True
    quantity = "concentration"
    bound = 20.0

    def __init__(self, concentration: str = "column") -> None:
        super().__init__(concentration)
        self.concentration = concentration

    def density(self, logits: Array, x: Array, log_concentration: Array) -> tuple[Any, Any, Any]:
        return k.beta(logits, x, log_concentration)

    def mean(self, theta: Array) -> Array:
        return k.sigmoid(self.heads(theta)[0])

    def mode(self, theta: Array) -> Array:
        """(a - 1) / (κ - 2) where a and b are above 1; else the edge that the density rises to."""
        return k.beta_mode(*self.heads(theta))

    def sample(self, theta: Array, rng: np.random.Generator) -> Array:
        """A draw that rounding puts on an edge becomes the nearest number inside."""
        x = rng.beta(*k.beta_shapes(*self.heads(theta))).astype(theta.dtype)
        least = np.finfo(theta.dtype).tiny
        return np.clip(x, least, np.nextafter(theta.dtype.type(1), theta.dtype.type(0)))

    def check(self, x: Array) -> None:
        low, high = known_extremes(x)
        if not (low <= 0 or high >= 1):
            return
        came = f"a minimum of {low:.9g}" if low <= 0 else f"a maximum of {high:.9g}"
        fix = f"Divide by {divisor(high)}" if low > 0 and high > 1 else "Move them inside"
        raise DataError(
            f"Beta needs data above 0 and below 1; got {came}. {fix}, or use "
            "ContinuousBernoulli(), which takes 0 and 1."
        )

    def output_bias(self, mean: Array, n: int) -> Array:
        return self.beside_zeros(np.log(mean) - np.log1p(-mean))

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls.with_columns(rng, 4)
        part.log_concentration += 1.5
        return part, (rng.normal(size=(3, 2, 4)), rng.uniform(0.02, 0.98, (2, 4)))

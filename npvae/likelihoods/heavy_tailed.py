"""Likelihoods for numbers with outliers: Laplace and Student's t."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import number
from .spread import LocationScale

Array = np.ndarray


class Laplace(LocationScale):
    """log p(x given median) = Σ_D -|u| - log 2s,  u = (x - median) / s,  s = exp(log_scale).

    Derivation, with t = log_scale:
      (1) ∂|u|/∂u = sign(u), ∂u/∂median = -1/s  ->  ∂log p/∂median = sign(u) / s = r
      (2) ∂u/∂t = -u                            ->  ∂log p/∂t = |u| - 1 = slope
      (3) from r and slope to the gradients: `Spread`, (1) to (4)
    At x = median, a kink, r is 0.
    Shapes: median (K, B, D), x (B, D), log_scale (D,), log_px (K, B); with scale="decoder" the
    decoder gives (K, B, 2D), the last D of them for log_scale.
    Source: Laplace 1774.

    Parameters
    ----------
    scale : {"column", "decoder"}
        Whether each column learns one scale or the decoder gives one for each entry.
    """

    def __init__(self, scale: str = "column") -> None:
        super().__init__(scale)
        self.scale = scale

    def density(self, median: Array, x: Array, log_scale: Array) -> tuple[Array, Array, Array]:
        return k.laplace(median, x, log_scale)

    def noise(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return rng.laplace(size=shape)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls.with_columns(rng, 4)
        median = rng.normal(size=(3, 2, 4))
        x = median[0] + rng.choice([-1, 1], (2, 4)) * rng.uniform(6, 8, (2, 4))  # off the kinks
        return part, (median, x)


class StudentT(LocationScale):
    """log p(x given mean) = Σ_D log c - log s - ½ (ν + 1) log(1 + u²/ν),  u = (x - mean) / s.

    s = exp(log_scale), ν the degrees of freedom, c = Γ(½ν + ½) / (Γ(½ν) √(πν)).

    Derivation, with t = log_scale and the weight w = (ν + 1) / (ν + u²):
      (1) ∂/∂u of -½ (ν + 1) log(1 + u²/ν) = -w u
      (2) ∂u/∂mean = -1/s  ->  ∂log p/∂mean = w u / s = r: outliers, of large u, pull less and less
      (3) ∂u/∂t = -u       ->  ∂log p/∂t = w u² - 1 = slope
      (4) from r and slope to the gradients: `Spread`, (1) to (4)
    Shapes: mean (K, B, D), x (B, D), log_scale (D,), log_px (K, B); with scale="decoder" the
    decoder gives (K, B, 2D), the last D of them for log_scale.
    Source: Lange, Little & Taylor 1989, section 2.

    Parameters
    ----------
    df : float
        ν; the smaller, the heavier the tails. Up to 1 there is no mean, up to 2 no variance.
    scale : {"column", "decoder"}
        Whether each column learns one scale or the decoder gives one for each entry.
    """

    def __init__(self, df: float = 4.0, scale: str = "column") -> None:
        super().__init__(scale)
        self.df = number("StudentT's df", df, above=0)
        self.scale = scale

    def density(self, mean: Array, x: Array, log_scale: Array) -> tuple[Array, Array, Array]:
        return k.student_t(mean, x, log_scale, self.df)

    def noise(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return rng.standard_t(self.df, shape)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls.with_columns(rng, 4)
        return part, (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 4)))

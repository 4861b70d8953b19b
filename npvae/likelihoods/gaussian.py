"""Gaussian likelihoods: one scale, fixed or learnt, one per column, or one per entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import number
from .likelihood import Likelihood
from .spread import LocationScale, log_rms

Array = np.ndarray


class Gaussian(Likelihood):
    """log p(x given mean) = Σ_D -½ u² - log scale - ½ log 2π,  u = (x - mean) / scale.

    Derivation:
      (1) ∂u/∂mean = -1 / scale
      (2) ∂log p/∂mean = -u ∂u/∂mean = (x - mean) / scale² = r
      (3) log_px is weighed by d_log_px  ->  dmean = d_log_px r
    Shapes: mean (K, B, D), x (B, D), log_px (K, B).
    Source: Kingma & Welling 2014, appendix C.2, with a fixed variance.

    Parameters
    ----------
    scale : float
        The standard deviation of every column, in the data's units, or in standard deviations of
        the data where the model standardises them.
    """

    real = True
    takes_missing = True
    alike = True

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = number("Gaussian's scale", scale, above=0)

    def forward(self, mean: Array, x: Array) -> tuple[Array, Array]:
        return k.gaussian(mean, x, self.scale)

    def backward(self, r: Array, d_log_px: Array) -> tuple[Array, None]:
        return k.scale_rows(d_log_px, r), None  # (3)

    def mean(self, mean: Array) -> Array:
        return mean

    def mode(self, mean: Array) -> Array:
        return mean

    def sample(self, mean: Array, rng: np.random.Generator) -> Array:
        return (mean + self.scale * rng.standard_normal(mean.shape)).astype(mean.dtype)

    def output_bias(self, mean: Array, n: int) -> Array:
        return mean

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(scale=0.7), (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 4)))


class GaussianLearntScale(Likelihood):
    """log p(x given mean) = Σ_D -½ u² - log s - ½ log 2π,  u = (x - mean) / s,  s = exp(log_scale).

    One scale for all columns, learnt with the weights (the σ-VAE).

    Derivation, with t = log_scale:
      (1) ∂u/∂mean = -1/s   ->  ∂log p/∂mean = u/s = r       ->  dmean = d_log_px r
      (2) ∂u/∂t = -u        ->  ∂log p/∂t = Σ_D (u² - 1) = slope
      (3) t serves every sample and row                      ->  dt = Σ_KB d_log_px slope
    At the optimum of (2) the scale is the root mean square of x - mean, which `fit_scale` sets.
    Shapes: mean (K, B, D), x (B, D), log_scale (1,), log_px (K, B).
    Source: Rybkin, Daniilidis & Levine 2021, section 3.
    """

    log_scale: Array
    dlog_scale: Array

    real = True
    takes_missing = True
    alike = True

    def __init__(self) -> None:
        self.parameter("log_scale", (1,), lambda rng, shape: np.zeros(shape))

    def forward(self, mean: Array, x: Array) -> tuple[Array, Any]:
        log_px, r, slope = k.gaussian_learnt(mean, x, self.log_scale)
        return log_px, (r, slope)

    def backward(self, cache: Any, d_log_px: Array) -> tuple[Array, None]:
        dmean, dlog_scale = k.gaussian_learnt_backward(d_log_px, *cache)
        self.dlog_scale += dlog_scale  # (3)
        return dmean, None  # (1)

    def mean(self, mean: Array) -> Array:
        return mean

    def mode(self, mean: Array) -> Array:
        return mean

    def sample(self, mean: Array, rng: np.random.Generator) -> Array:
        noise = rng.standard_normal(mean.shape)
        return (mean + k.exp(self.log_scale) * noise).astype(mean.dtype)

    def fit_scale(self, mean: Array, x: Array) -> None:
        """Set the scale to its closed-form optimum for these rows: the residuals' root mean square.

        Called after each epoch (a callback can: ``model.likelihood.fit_scale(model.reconstruct(x),
        x)``) it gives the optimal σ-VAE; between two calls the gradient goes on from there.

        Parameters
        ----------
        mean : (..., B, D) array
            The decoder's output.
        x : (B, D) array
            As the decoder speaks of it: standardised, where the model standardises. NaN is missing.

        Source: Rybkin, Daniilidis & Levine 2021, section 3, the optimal σ-VAE.
        """
        self.log_scale[...] = log_rms(x - mean, None)

    def output_bias(self, mean: Array, n: int) -> Array:
        return mean

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls()
        part.allocate(rng)
        part.log_scale += 0.3
        return part, (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 4)))


class _Scaled(LocationScale, abstract=True):
    """What the Gaussians with more than one scale share."""

    def density(self, mean: Array, x: Array, log_scale: Array) -> tuple[Array, Array, Array]:
        return k.gaussian_scaled(mean, x, log_scale)

    def noise(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return rng.standard_normal(shape)


class GaussianColumnScale(_Scaled):
    """log p(x given mean) = Σ_D -½ u² - log s - ½ log 2π,  u = (x - mean) / s,  s = exp(log_scale).

    One scale for each column, learnt with the weights. So columns in other units, and columns that
    are harder to predict, weigh as much as they should.

    Derivation, with t = log_scale:
      (1) ∂u/∂mean = -1/s   ->  ∂log p/∂mean = u/s = r    ->  dmean = d_log_px r
      (2) ∂u/∂t = -u        ->  ∂log p/∂t = u² - 1 = slope, in each entry
      (3) t_j serves every sample and row of column j     ->  dt_j = Σ_KB d_log_px slope_j
    Shapes: mean (K, B, D), x (B, D), log_scale (D,), log_px (K, B).
    Source: Rybkin, Daniilidis & Levine 2021, section 3, column by column.
    """

    log_scale: Array

    def __init__(self) -> None:
        super().__init__("column")

    def fit_scale(self, mean: Array, x: Array) -> None:
        """`GaussianLearntScale.fit_scale` for each column."""
        self.log_scale[...] = log_rms((x - mean).reshape(-1, x.shape[-1]), 0)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls.with_columns(rng, 4), (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 4)))


class GaussianHeteroscedastic(_Scaled):
    """log p(x given theta) = Σ_D -½ u² - log s - ½ log 2π,  u = (x - mean) / s,  s = exp(t).

    The decoder gives both: theta is mean beside raw, and t is raw bent into (-10, 10).

    Derivation:
      (1) ∂log p/∂mean = u/s = r              ->  dmean = d_log_px r
      (2) ∂u/∂t = -u                          ->  dt = d_log_px (u² - 1)
      (3) t = log(exp(c) + exp(-10)), c = -log(exp(-raw) + exp(-10))
                                              ->  draw = dt σ(c + 10) σ(10 - raw)
    Unbounded, the scale of a column that is reconstructed exactly goes to 0 and log p to infinity.
    Shapes: theta (K, B, 2D), mean, raw, t (K, B, D), x (B, D), log_px (K, B).
    Source: Kingma & Welling 2014, appendix C.2.
    """

    def __init__(self) -> None:
        super().__init__("decoder")

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(3, 2, 8)), rng.normal(size=(2, 4)))

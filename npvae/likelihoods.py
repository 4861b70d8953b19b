"""Likelihoods: p(x given z), from the decoder's output.

A new one is one class here or anywhere else: `forward` gives log p(x given z) per sample and row,
`backward` its gradient; `mean`, `check` and the rest say how people use it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from . import kernels as k
from .checks import number
from .core import Part
from .errors import DataError
from .numerics import extremes, sigmoid

Array = np.ndarray


class Likelihood(Part, abstract=True):
    """Base of the likelihoods.

    ``forward(theta, x) -> log_px (K, B), cache`` and ``backward(cache, d_log_px) -> dtheta, None``,
    with theta the decoder's output (K, B, n_outputs) and x the data (B, D).
    """

    family = "likelihood"
    data_inputs = ("x",)
    unit_interval: ClassVar[bool] = False
    """Whether its data lie in [0, 1], so that bytes are divided by 255."""

    def n_outputs(self, x_dim: int) -> int:
        """How many numbers the decoder gives for a row of `x_dim` columns."""
        return x_dim

    @abstractmethod
    def mean(self, theta: Array) -> Array:
        """E[x given z], (..., D)."""

    @abstractmethod
    def sample(self, theta: Array, rng: np.random.Generator) -> Array:
        """Draw x given z, (..., D)."""

    def check(self, x: Array) -> None:
        """Raise `DataError` if x, (B, D) and finite, lies outside the support."""

    def clearly_supports(self, x: Array) -> bool:
        """Whether a glance shows that x, (B, D), is finite and lies in the support.

        Where it does not, the costlier checks say whether it is so, and what is wrong.
        """
        return False

    def output_bias(self, mean: Array, n: int) -> Array | None:
        """The decoder's output at which E[x] is the training mean (D,) of n rows, or None.

        Starting there spares the first steps of training from finding it.
        """
        return None


class Bernoulli(Likelihood):
    """log p(x given logit) = Σ_D x·logit - softplus(logit), with P(x = 1) = σ(logit).

    Derivation:
      (1) log σ(l) = l - softplus(l) and log(1 - σ(l)) = -softplus(l), so
          x log σ + (1 - x) log(1 - σ) = x l - softplus(l): no logarithm of a rounded 0
      (2) softplus' = σ                 ->  ∂log p/∂l = x - σ(l) = r
      (3) log_px is weighed by d_log_px ->  dl = d_log_px r
    x in (0, 1) is taken as the probability of a pixel being on, which is the common reading of
    grey images; log p is then an expected log-probability and no density over [0, 1].
    Shapes: logits (K, B, D), x (B, D), log_px (K, B).
    Source: Kingma & Welling 2014, appendix C.1.
    """

    unit_interval = True

    def forward(self, logits: Array, x: Array) -> tuple[Array, Array]:
        return k.bernoulli(logits, x)

    def backward(self, r: Array, d_log_px: Array) -> tuple[Array, None]:
        return k.scale_rows(d_log_px, r), None  # (3)

    def mean(self, logits: Array) -> Array:
        return sigmoid(logits)

    def sample(self, logits: Array, rng: np.random.Generator) -> Array:
        return (rng.random(logits.shape) < sigmoid(logits)).astype(logits.dtype)

    def check(self, x: Array) -> None:
        low, high = extremes(x)
        if low < 0 or high > 1:
            came = f"a minimum of {low:.9g}" if low < 0 else f"a maximum of {high:.9g}"
            fix = "Divide by 255" if low >= 0 and 2 <= high <= 255 else "Scale the columns"
            raise DataError(
                f"Bernoulli needs data in [0, 1]; got {came}. {fix}, or use Gaussian()."
            )

    def clearly_supports(self, x: Array) -> bool:
        low, high = extremes(x)
        # A subclass may have a rule of its own.
        return low >= 0 and high <= 1 and type(self).check is Bernoulli.check

    def output_bias(self, mean: Array, n: int) -> Array:
        p = (mean * n + 0.5) / (n + 1)  # half an example of each kind: pixels that are never on
        return np.log(p) - np.log1p(-p)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(0, 3, (3, 2, 4)), rng.random((2, 4)))


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
        The standard deviation of every column, in the data's units.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = number("Gaussian's scale", scale, above=0)

    def forward(self, mean: Array, x: Array) -> tuple[Array, Array]:
        return k.gaussian(mean, x, self.scale)

    def backward(self, r: Array, d_log_px: Array) -> tuple[Array, None]:
        return k.scale_rows(d_log_px, r), None  # (3)

    def mean(self, mean: Array) -> Array:
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
    At the optimum of (2) the scale is the root mean square of x - mean.
    Shapes: mean (K, B, D), x (B, D), log_scale (1,), log_px (K, B).
    Source: Rybkin, Daniilidis & Levine 2021, section 3.
    """

    log_scale: Array
    dlog_scale: Array

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

    def sample(self, mean: Array, rng: np.random.Generator) -> Array:
        noise = rng.standard_normal(mean.shape)
        return (mean + np.exp(self.log_scale) * noise).astype(mean.dtype)

    def output_bias(self, mean: Array, n: int) -> Array:
        return mean

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls()
        part.allocate(rng)
        part.log_scale += 0.3
        return part, (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 4)))

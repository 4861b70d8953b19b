"""Likelihoods for data in [0, 1]: binary images, and grey ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import divisor
from ..core.errors import DataError
from ..core.numerics import extremes, known_extremes, uniform_cgf_slope
from .likelihood import Likelihood

Array = np.ndarray


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
    takes_missing = True
    alike = True

    def forward(self, logits: Array, x: Array) -> tuple[Array, Array]:
        return k.bernoulli(logits, x)

    def backward(self, r: Array, d_log_px: Array) -> tuple[Array, None]:
        return k.scale_rows(d_log_px, r), None  # (3)

    def log_px(self, logits: Array, x: Array) -> Array:
        """In fewer passes than `forward`: softplus(l) = [l > 0] l + log1p(exp(-|l|))."""
        if type(self) is not Bernoulli or np.isnan(x).any():
            return super().log_px(logits, x)
        rest = np.abs(logits)
        np.negative(rest, out=rest)
        np.exp(rest, out=rest)
        np.log1p(rest, out=rest)
        entries = x - (logits > 0)
        entries *= logits
        entries -= rest
        log_px: Array = entries.sum(-1, dtype=np.float64)
        return log_px

    def mean(self, logits: Array) -> Array:
        return k.sigmoid(logits)

    def mode(self, logits: Array) -> Array:
        return k.step(logits)

    def sample(self, logits: Array, rng: np.random.Generator) -> Array:
        return (rng.random(logits.shape) < k.sigmoid(logits)).astype(logits.dtype)

    def check(self, x: Array) -> None:
        _check_unit_interval("Bernoulli", x)

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


class ContinuousBernoulli(Likelihood):
    """log p(x given l) = Σ_D x·l - A(l),  A(l) = log((exp(l) - 1) / l),  for x in [0, 1].

    The density over [0, 1] that is proportional to λ^x (1 - λ)^(1 - x), with λ = σ(l). It is the
    Bernoulli's log p of a grey image, with the normaliser that makes it a density.

    Derivation:
      (1) λ^x (1 - λ)^(1 - x) = (1 - λ) exp(x l), and ∫₀¹ exp(x l) dx = (exp(l) - 1) / l, so
          p(x) = exp(x l - A(l)); in the paper's terms log C(λ) = softplus(l) - A(l)
      (2) A' = 1 / (1 - exp(-l)) - 1 / l = E[x], since A is the logarithm of E[exp(l U)], U uniform
      (3) ∂log p/∂l = x - A'(l) = r, and log_px is weighed by d_log_px  ->  dl = d_log_px r
    Near l = 0, which is λ = ½, (1) and (2) are 0/0 and ∞ - ∞; for |l| < 1 they are taken as the
    series l/2 + l²/24 - ... and ½ + l/12 - ... (`numerics.uniform_cgf`).
    Shapes: l (K, B, D), x (B, D), log_px (K, B).
    Source: Loaiza-Ganem & Cunningham 2019, equations 5 to 8.
    """

    unit_interval = True
    takes_missing = True
    alike = True

    def forward(self, logits: Array, x: Array) -> tuple[Array, Array]:
        return k.continuous_bernoulli(logits, x)  # (1)

    def backward(self, r: Array, d_log_px: Array) -> tuple[Array, None]:
        return k.scale_rows(d_log_px, r), None  # (3)

    def mean(self, logits: Array) -> Array:
        return k.continuous_bernoulli_mean(logits)  # (2)

    def mode(self, logits: Array) -> Array:
        """The edge that the density rises to: 0 or 1."""
        return k.step(logits)

    def sample(self, logits: Array, rng: np.random.Generator) -> Array:
        """By the inverse of F(x) = (exp(l x) - 1) / (exp(l) - 1), at -|l|, where nothing overflows.

        The density at l is that at -l with 1 - x for x.
        """
        u, tilt = rng.random(logits.shape), -np.abs(logits.astype(np.float64))
        level = np.where(tilt > -1e-8, -1.0, tilt)
        x = np.where(tilt > -1e-8, u, np.log1p(u * np.expm1(level)) / level)
        return np.where(logits > 0, 1 - x, x).astype(logits.dtype)

    def check(self, x: Array) -> None:
        _check_unit_interval("ContinuousBernoulli", x)

    def output_bias(self, mean: Array, n: int) -> Array:
        """By bisection of (2), up to ±100: the mean is then within 0.01 of an edge."""
        target = np.asarray(mean, np.float64)
        low, high = np.full(target.shape, -100.0), np.full(target.shape, 100.0)
        for _ in range(50):
            middle = 0.5 * (low + high)
            above = uniform_cgf_slope(middle) > target
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return 0.5 * (low + high)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(0, 3, (3, 2, 4)), rng.random((2, 4)))


def _check_unit_interval(who: str, x: Array) -> None:
    low, high = known_extremes(x)
    if low < 0 or high > 1:
        came = f"a minimum of {low:.9g}" if low < 0 else f"a maximum of {high:.9g}"
        fix = "Scale the columns" if low < 0 else f"Divide by {divisor(high)}"
        raise DataError(f"{who} needs data in [0, 1]; got {came}. {fix}, or use Gaussian().")

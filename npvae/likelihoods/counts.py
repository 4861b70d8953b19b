"""Likelihoods for counts: Poisson, negative binomial, and that with additional zeros.

**Library size.** The total of a row of counts often says more about the measurement (a cell's
reads, a document's length) than about what is measured. With ``library=L`` the decoder's rates are
those of a row whose total is L, and `forward` multiplies them by Σ_D x / L, the sum of the row's
known entries over L.
``library=True`` is L = 1: rates are then shares of the total. `mean`, `mode` and `sample`, which
know no row, speak of rows with a total of L. The total is plugged in as if it were known before x,
like the observed library size of Lopez et al. 2018; log p is no density of x alone, so compare it
only with that of models with the same setting. A row without counts has the total 1.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import number
from ..core.errors import DataError
from ..core.numerics import softplus
from .likelihood import Likelihood
from .spread import Spread

Array = np.ndarray

_MOST = 1e18
"""Where NumPy's Poisson sampler ends."""


class Counts(Likelihood, abstract=True):
    """Base of the likelihoods of counts: theta gives the logarithms of their means."""

    takes_missing = True
    alike = True
    usual_size = 4.0  # of logarithms: counts of 54

    def features(self, x: Array) -> Array:
        """log(1 + x), since counts may span orders of magnitude."""
        return k.log1p(x)

    def _measured_by(self, library: bool | float) -> None:
        self.library = library if isinstance(library, bool) else number("library", library, least=0)
        self._total = float(library)

    def check(self, x: Array) -> None:
        wrong = (x < 0) | (x > np.floor(x))  # neither holds of NaN
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            came = f"{x[row, column]:.9g} in column {column} (counted from 0)"
            raise DataError(
                f"{type(self).__name__} needs counts, whole numbers from 0 on; got {came}. "
                "Give counts that were not scaled or shifted, or use Gaussian()."
            )

    def entries(self, theta: Array, x: Array) -> Array:
        """log p of each entry, (B, D); with a library size, that of its whole row."""
        if not self._total:
            return super().entries(theta, x)
        without = copy.copy(self)
        without._measured_by(False)
        return without.entries(self.for_rows(theta, x), x)

    def for_rows(self, theta: Array, x: Array) -> Array:
        """With a library size, theta at the rows' totals: the sums of their known entries."""
        if not self._total:
            return theta
        totals = np.maximum(np.nansum(x, axis=1, keepdims=True), 1)
        theta = theta.copy()
        theta[..., : x.shape[1]] += np.log(totals / self._total)
        return theta

    def _start(self, mean: Array, n: int) -> Array:
        """Log-means (D,), half a count added to each column so that none is -inf."""
        mean = mean + 0.5 / n
        return np.log(mean * (self._total / mean.sum()) if self._total else mean)


class Poisson(Counts):
    """log p(x given log_rate) = Σ_D x·log_rate - rate - log x!,  rate = exp(log_rate).

    Derivation:
      (1) ∂rate/∂log_rate = rate       ->  ∂log p/∂log_rate = x - rate = r
      (2) log_px is weighed by d_log_px  ->  dlog_rate = d_log_px r
      (3) with a library size L, log_rate is the decoder's plus log(Σ_D x / L): (1) stays as it is
    For large counts the terms are millions that cancel; log p is therefore computed as
      (4) log x! = x log x - x + log √(2πx) + δ(x), δ Stirling's error, so with v = log(rate / x)
          log p = -x (exp(v) - 1 - v) - log √(2πx) - δ(x): how far rate is from x, and log p at x
    Shapes: log_rate (K, B, D), x (B, D), log_px (K, B).
    Source: (4) is Loader 2000, section 2.

    Parameters
    ----------
    library : bool or float
        L, the total of the rows that the decoder's rates are for (see the module); False for none.
    """

    def __init__(self, library: bool | float = False) -> None:
        self._measured_by(library)

    def forward(self, log_rate: Array, x: Array) -> tuple[Array, Array]:
        return k.poisson(log_rate, x, self._total)

    def backward(self, r: Array, d_log_px: Array) -> tuple[Array, None]:
        return k.scale_rows(d_log_px, r), None  # (2)

    def mean(self, log_rate: Array) -> Array:
        return k.exp(log_rate)

    def mode(self, log_rate: Array) -> Array:
        return k.floor(k.exp(log_rate))

    def sample(self, log_rate: Array, rng: np.random.Generator) -> Array:
        return _poisson(k.wide_exp(log_rate), rng).astype(log_rate.dtype)

    def output_bias(self, mean: Array, n: int) -> Array:
        return self._start(mean, n)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(0.5, 1, (3, 2, 4)), rng.poisson(2.0, (2, 4)).astype(float))


class NegativeBinomial(Counts, Spread):
    """log p(x given m, d) = Σ_D log Γ(x + d) - log Γ(d) - log x! + d log(d/(d+m)) + x log(m/(d+m)).

    Counts of mean m = exp(log_mean) and variance m + m²/d: Poisson counts of which the rate itself
    varies, as a gamma variable. The greater the dispersion d = exp(log_dispersion), the more it is
    like Poisson's (d is scVI's θ, and R's size).

    Derivation, with σ = m / (d + m) and ψ the derivative of log Γ:
      (1) ∂m/∂log_mean = m  ->  ∂log p/∂log_mean = x - (x + d) σ = x (1 - σ) - d σ = r
      (2) ∂log p/∂d = ψ(x + d) - ψ(d) + log(d/(d+m)) + 1 - (x + d)/(d + m), and times d
          it is ∂log p/∂log_dispersion = slope
      (3) from r and slope to the gradients: `Spread`, (1) to (4)
      (4) with a library size L, log_mean is the decoder's plus log(Σ_D x / L): (1) stays as it is
    Large x or d make terms of millions that cancel. With log Γ(y + 1) = y log y - y + log √(2πy) +
    δ(y), δ Stirling's error, w = log((x + d) / (m + d)), v = log(m/x) + w, φ(t) = exp(t) - 1 - t,
    and ρ(y) = log y - ψ(y), the same are
      (5) log p = -x φ(v) - d φ(w) + δ(x + d) - δ(x) - δ(d) - log √(2πx (1 + x/d)), x > 0,
          since x (exp(v) - 1) + d (exp(w) - 1) = 0; and d w = -d log(1 + m/d) where x = 0
      (6) slope = d (ρ(d) - ρ(x + d) - φ(w)), from ψ(x + d) - ψ(d) = log(1 + x/d) + ρ(d) - ρ(x + d)
    Shapes: log_mean (K, B, D), x (B, D), log_dispersion (D,), log_px (K, B); with
    dispersion="decoder" the decoder gives (K, B, 2D), the last D of them for log_dispersion.
    Source: Lopez et al. 2018, methods; (5) is Loader 2000, section 4.

    Parameters
    ----------
    dispersion : {"column", "decoder"}
        Whether each column learns one dispersion or the decoder gives one for each entry.
    library : bool or float
        L, the total of the rows that the decoder's means are for (see the module); False for none.
    """

    log_dispersion: Array

    quantity = "dispersion"
    bound = 20.0

    def __init__(self, dispersion: str = "column", library: bool | float = False) -> None:
        Spread.__init__(self, dispersion)
        self._measured_by(library)
        self.dispersion = dispersion

    def density(self, log_mean: Array, x: Array, log_dispersion: Array) -> tuple[Any, Any, Any]:
        return k.negative_binomial(log_mean, x, log_dispersion, self._total)

    def mean(self, theta: Array) -> Array:
        return k.exp(self.heads(theta)[0])

    def mode(self, theta: Array) -> Array:
        return k.negative_binomial_mode(*self.heads(theta))

    def sample(self, theta: Array, rng: np.random.Generator) -> Array:
        return _gamma_poisson(*self.heads(theta), rng).astype(theta.dtype)

    def start_from(self, rows: Array) -> None:
        """Each column's dispersion starts at that of its known counts, by mean and variance.

        From 1, in steps of a learning rate, it takes thousands to reach that of large counts.
        """
        if self._by_decoder or self._total:
            return
        counts = np.asarray(rows, np.float64)
        n = np.maximum((~np.isnan(counts)).sum(0), 1)
        mean = np.nansum(counts, axis=0) / n + 0.5 / n
        excess = np.nansum(np.square(counts - mean), axis=0) / n - mean
        self.log_dispersion[...] = np.log(mean**2 / np.maximum(excess, 1e-3 * mean)).clip(-5, 8)

    def output_bias(self, mean: Array, n: int) -> Array:
        return self.beside_zeros(self._start(mean, n))

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls.with_columns(rng, 4)
        return part, (rng.normal(0.5, 1, (3, 2, 4)), rng.poisson(2.0, (2, 4)).astype(float))


class ZeroInflatedNegativeBinomial(Counts, Spread):
    """p(x given m, d, g) = π [x = 0] + (1 - π) NB(x; m, d) in each of D columns,  π = σ(g).

    Zeros have a second cause, of probability π, beside the count itself.

    Derivation, with n = log NB(x; m, d), log π = -softplus(-g) and log(1 - π) = -softplus(g):
      (1) x > 0: log p = n - softplus(g)
      (2) x = 0: log p = log(exp(g) + exp(n)) - softplus(g) = n + softplus(g - n) - softplus(g)
      (3) q = ∂log p/∂n is the probability that x is a count: 1 where x > 0, σ(n - g) where x = 0
      (4) ∂log p/∂g = 1 - q - σ(g); along log_mean and log_dispersion it is q times NB's
      (5) from there to the gradients: `Spread`, (1) to (4)
    Shapes: theta (K, B, 2D), log_mean beside g, x (B, D), log_dispersion (D,), log_px (K, B); with
    dispersion="decoder" theta is (K, B, 3D), the last D of them for log_dispersion.
    Source: Lopez et al. 2018, methods.

    Parameters
    ----------
    dispersion, library
        As `NegativeBinomial` takes them.
    """

    quantity = "dispersion"
    locations = 2
    bound = 20.0

    def __init__(self, dispersion: str = "column", library: bool | float = False) -> None:
        Spread.__init__(self, dispersion)
        self._measured_by(library)
        self.dispersion = dispersion

    def density(self, heads: Array, x: Array, log_dispersion: Array) -> tuple[Any, Any, Any]:
        return k.zero_inflated_negative_binomial(heads, x, log_dispersion, self._total)

    def _three(self, theta: Array) -> tuple[Array, Array, Array]:
        location, log_dispersion = self.heads(theta)
        x_dim = location.shape[-1] // 2
        return location[..., :x_dim], location[..., x_dim:], log_dispersion

    def mean(self, theta: Array) -> Array:
        log_mean, gate, _ = self._three(theta)
        return k.zero_inflated_mean(log_mean, gate)

    def mode(self, theta: Array) -> Array:
        """0, or the mode of the counts where it has the higher probability."""
        return k.zero_inflated_mode(*self._three(theta))

    def sample(self, theta: Array, rng: np.random.Generator) -> Array:
        log_mean, gate, log_dispersion = self._three(theta)
        counts = _gamma_poisson(log_mean, log_dispersion, rng)
        return np.where(rng.random(gate.shape) < k.sigmoid(gate), 0, counts).astype(theta.dtype)

    def output_bias(self, mean: Array, n: int) -> Array:
        """Few additional zeros, π = 0.12, and a mean of the counts that makes up for them."""
        gate = np.full(len(mean), -2.0)
        start = self.beside_zeros(self._start(mean, n) + softplus(gate))
        start[len(mean) : 2 * len(mean)] = gate
        return start

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls.with_columns(rng, 4)
        return part, (rng.normal(0.5, 1, (3, 2, 8)), rng.poisson(1.0, (2, 4)).astype(float))


def _gamma_poisson(log_mean: Array, log_dispersion: Array, rng: np.random.Generator) -> Array:
    size = k.wide_exp(log_dispersion)
    factor = rng.standard_gamma(np.broadcast_to(size, log_mean.shape)) / size
    return _poisson(k.wide_exp(log_mean) * factor, rng)


def _poisson(rate: Array, rng: np.random.Generator) -> Array:
    return rng.poisson(np.fmin(rate, _MOST))

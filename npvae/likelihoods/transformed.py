"""A likelihood for columns of any shape: skewed, bounded, rounded, with spikes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.errors import ConfigError
from ..core.numerics import all_finite
from ..data.marginal import Lines, Marginal, stacked, tails
from .likelihood import as_rows
from .spread import LocationScale

Array = np.ndarray

START = -0.6
"""log_scale at which logistic noise has a variance of about 1."""


class Transformed(LocationScale):
    """x = Q(y), y = location + s · logistic noise, Q a function of the column's: a `Marginal`.

    Q never falls. Some values, such as rounded numbers, zeros that many rows have, or the least and
    the greatest value, come from all y in a cell [low, high], and have its probability. The others
    come from one y, and have a density. With a = (low - location) / s, b = (high - location) / s,
    s = exp(log_scale) and g = b - a:

      log p = Σ_D log(σ(b) - σ(a)) - log step, in a cell (step 1 where x is not rounded)
      log p = Σ_D log(σ(a) σ(-a) / s) + log dy/dx, at one y

    Derivation, with t = log_scale:
      (1) σ(b) - σ(a) = σ(b) σ(-a) (1 - exp(-g))  ->  log p = log σ(b) + log σ(-a) + inside, and
          inside is log(1 - exp(-g)); at one y, where b = a, it is -t
      (2) ∂ log σ(b)/∂b = σ(-b), ∂ log σ(-a)/∂a = -σ(a), and g does not depend on the location;
          ∂a/∂location = ∂b/∂location = -1/s  ->  ∂log p/∂location = (σ(a) - σ(-b)) / s = r
      (3) ∂a/∂t = -a, ∂b/∂t = -b, ∂g/∂t = -g  ->  ∂log p/∂t = a σ(a) - b σ(-b) - h = slope, with
          h = g exp(-g) / (1 - exp(-g)) in a cell, and 1 at one y
      (4) from r and slope to the gradients: `Spread`, (1) to (4)
    As Q is fixed, its dy/dx has no gradient.
    Shapes: location (K, B, D), x (B, D), log_scale (D,), log_px (K, B); with scale="decoder" the
    decoder gives (K, B, 2D), the last D of them for log_scale.
    Source: transformation models, Hothorn, Möst & Bühlmann 2018; of the cells, Kingma et al. 2016,
    section 4 (the discretised logistic).

    Parameters
    ----------
    marginals : sequence of Marginal, or of their configs
        For each column the function that a standard normal y gives its values by.
    scale : {"decoder", "column"}
        Whether the decoder gives a scale for each entry or each column learns one.
    """

    log_scale: Array

    real = False
    bound = 4.0

    def __init__(self, marginals: Sequence[Any], scale: str = "decoder") -> None:
        super().__init__(scale)
        self.scale = scale
        if not isinstance(marginals, (list, tuple)) or not marginals:
            raise ConfigError(
                f"Transformed needs a marginal for each column; got {marginals!r:.60}."
            )
        self.marginals = [Marginal.of(m) for m in marginals]
        self._lines, self._tails = stacked(self.marginals), tails(self.marginals)

    def declare(self, x_dim: int) -> None:
        if x_dim != len(self.marginals):
            raise ConfigError(
                f"Transformed needs a marginal for each column; got {len(self.marginals)} for "
                f"{x_dim}."
            )
        super().declare(x_dim)

    def density(self, location: Array, x: Array, log_scale: Array) -> tuple[Any, Any, Any]:
        low, high, width, offset = k.cells(x, *self._lines, self._tails)
        return k.logistic_cells(location, low, high, width, offset, log_scale)

    def entries(self, theta: Array, x: Array) -> Array:
        location, log_scale = self.heads(theta)
        parts = (
            location,
            *k.cells(x, *self._lines, self._tails),
            np.broadcast_to(log_scale, x.shape),
        )
        first, low, high, width, offset, last = (as_rows(part, x.shape[1]) for part in parts)
        log_p = k.logistic_cells(first[None], low, high, width, offset, last[None])[0]
        return log_p.reshape(x.shape)

    def features(self, x: Array) -> Array:
        """The middle of each value's cell: to an encoder all columns look normal."""
        return k.cell_scores(x, *self._lines)

    def mean(self, theta: Array) -> Array:
        return k.mean_from_scores(*self.heads(theta), *self._lines)

    def expected(self, theta: Array) -> Array:
        """The mean by a line with fewer knots: it is averaged over draws of z, of which each is off
        by more."""
        return k.mean_from_scores(*self.heads(theta), *self._coarse)

    def expected_where(self, theta: Array, wanted: Array) -> Array:
        location, log_scale = self.heads(theta)
        log_scale, found = np.broadcast_to(log_scale, location.shape), np.zeros(location.shape)
        for j, column in enumerate(wanted.T):
            rows, one = np.flatnonzero(column), slice(j, j + 1)
            line = (part[one] for part in self._coarse)
            of_rows = location[:, rows, one], log_scale[:, rows, one]
            found[:, rows, one] = k.mean_from_scores(*of_rows, *line)
        return found

    @cached_property
    def _coarse(self) -> Lines:
        return stacked([m.coarse() for m in self.marginals])

    def mode(self, theta: Array) -> Array:
        """The median: which x is likeliest depends on the unit that a density is per."""
        return k.from_scores(self.heads(theta)[0], *self._lines)

    def sample(self, theta: Array, rng: np.random.Generator) -> Array:
        return k.from_scores(super().sample(theta, rng), *self._lines)

    def noise(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return rng.logistic(size=shape)

    def clearly_supports(self, x: Array) -> bool:
        return all_finite(x)

    def start_from(self, rows: Array) -> None:
        if not self._by_decoder:
            self.log_scale[...] = START

    def output_bias(self, mean: Array, n: int) -> Array:
        """Where y is nearly standard normal, as the columns are."""
        bias = np.zeros(self.n_outputs(len(mean)))
        bias[len(mean) :] = START
        return bias

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        smooth = Marginal([-3.0, -1.0, 0.5, 4.0], [-2.0, -0.5, 0.5, 2.5])
        spiked = Marginal([0.0, 0.0, 1.0, 1.0, 5.0], [-0.5, 0.1, 0.6, 1.0, 2.0])
        whole = Marginal([-0.5, 0.5, 2.5, 7.5], [-1.5, -0.5, 0.5, 2.0], 1.0)
        part = cls.with_columns(rng, 4, marginals=[smooth, spiked, whole, spiked], scale="column")
        x = np.array([[-0.2, 0.0, 3.0, 2.5], [2.0, 1.0, 7.0, 5.0]])
        return part, (rng.normal(size=(3, 2, 4)), x)

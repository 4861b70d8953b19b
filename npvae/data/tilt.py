"""What drawn rows are chosen by, so that their columns go together as those of the data do."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConfigError
from .features import OfThresholds, chosen, numbers_or_nan

Array = np.ndarray

MOST_DEVIATIONS = 4.0
"""Numbers further from their mean count as if they were there: no single row decides a moment."""


class Tilt(OfThresholds):
    """p'(x) = p(x) w(x) with log w(x) = Σ λ f_i(x) f_j(x) f_k(x) - log Z, over terms (i, j, k).

    f_0 = 1. The other f are standardised columns, or whether a column has a certain label, or
    whether it is above a threshold: so the terms may be means (0, 0, k), squares (0, k, k) and
    products of two columns, the moments that correlations are made of, and squares by label (i, i,
    k). Of all distributions with the moments that p' has, p' is the closest to p in KL(p' ‖ p).
    Draws of p' are draws of p that are kept with probability w / `most`; the few of which w is
    larger than that are kept always.
    Source: Csiszár 1975, section 3; of what is kept, von Neumann 1951.

    Parameters
    ----------
    columns : sequence of F whole numbers
        The column of each f.
    labels : sequence of F whole numbers or None
        The label that f stands for; None if it is the column's number.
    mean, scale : sequences of F numbers
    terms : sequence of P triples of whole numbers from 0 to F
    weights : sequence of P numbers
        λ.
    log_z : float
    most : float
        What w is cut at, 1 or more.
    above : sequence of F numbers or None, optional
        The threshold above which f is 1; None if it is the column's number or a label.

    Raises
    ------
    ConfigError
        If they are something else.
    """

    option = "tilt"
    called = "the tilt is", "that"

    def __init__(
        self,
        columns: Any,
        labels: Any,
        mean: Any,
        scale: Any,
        terms: Any,
        weights: Any,
        log_z: float,
        most: float,
        above: Any = None,
    ) -> None:
        try:
            self._take(columns, labels, mean, scale)
            none = [None] * len(self.columns)
            self.above = numbers_or_nan(none if above is None else above)
            self.terms = np.array(terms, np.intp).reshape(-1, 3)
            self.weights = np.array(weights, np.float64)
            self.log_z, self.most = float(log_z), float(most)
            self._check()
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(
                "a tilt has a column, a label or None, a mean and a scale for each feature, and a "
                f"weight for each pair of features; got others ({error})."
            ) from error

    def _check(self) -> None:
        self._check_features()
        if self.weights.shape != (len(self.terms),):
            raise ValueError("their numbers differ")
        if not np.isfinite([*self.weights, self.log_z, self.most]).all():
            raise ValueError("some are not finite")
        if self.most < 1:
            raise ValueError("some are too small")
        if self.terms.size and not 0 <= self.terms.min() <= self.terms.max() <= len(self.columns):
            raise ValueError("a term is of features that there are not")

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {
            **super().config,
            "terms": self.terms.tolist(),
            "weights": self.weights.tolist(),
            "log_z": self.log_z,
            "most": self.most,
        }

    def log_weight(self, x: Array) -> Array:
        """log w of each row of x (N, D), (N,); a missing entry counts as the mean."""
        f = features(x, self.columns, self.labels, self.above, self.mean, self.scale)
        return np.asarray(moments(f, self.terms) @ self.weights - self.log_z)

    def kept(self, x: Array, rng: np.random.Generator) -> Array:
        """Which of the drawn rows x (N, D) are kept, (N,) bool."""
        return np.log(rng.random(len(x))) < self.log_weight(x) - np.log(self.most)


def features(
    x: Array, columns: Array, labels: Array, above: Array, mean: Array, scale: Array
) -> Array:
    """f of each row of x (N, D), (N, 1 + F): 1, then the columns standardised, 0 where missing."""
    f = chosen(x, columns, labels)
    f = np.where(np.isnan(above) | np.isnan(f), f, f > above)
    f = np.nan_to_num((f - mean) / scale)
    f = np.clip(f, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    return np.concatenate([np.ones((len(f), 1)), f], axis=1)


def moments(f: Array, terms: Array) -> Array:
    """f_i f_j f_k of each row for each term, (N, P), of f (N, 1 + F)."""
    i, j, k = terms.T
    return f[:, i] * f[:, j] * f[:, k]

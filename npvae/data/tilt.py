"""What drawn rows are chosen by, so that their columns go together as those of the data do."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConfigError

Array = np.ndarray

MOST_DEVIATIONS = 4.0
"""Numbers further from their mean count as if they were there: no single row decides a moment."""


class Tilt:
    """p'(x) = p(x) w(x) with log w(x) = Σ λ f_i(x) f_k(x) - log Z, sums over pairs (i, k).

    f_0 = 1. The other f are standardised columns, or whether a column has a certain label: so the
    sum is over means (0, k), squares (k, k) and products of two columns, the moments that
    correlations are made of. Of all distributions with the moments that p' has, p' is the closest
    to p in KL(p' ‖ p). Draws of p' are draws of p that are kept with probability w / `most`; the
    few of which w is larger than that are kept always.
    Source: Csiszár 1975, section 3; of what is kept, von Neumann 1951.

    Parameters
    ----------
    columns : sequence of F whole numbers
        The column of each f.
    labels : sequence of F whole numbers or None
        The label that f stands for; None if it is the column's number.
    mean, scale : sequences of F numbers
    pairs : sequence of P pairs of whole numbers from 0 to F
    weights : sequence of P numbers
        λ.
    log_z : float
    most : float
        What w is cut at, 1 or more.

    Raises
    ------
    ConfigError
        If they are something else.
    """

    def __init__(
        self,
        columns: Any,
        labels: Any,
        mean: Any,
        scale: Any,
        pairs: Any,
        weights: Any,
        log_z: float,
        most: float,
    ) -> None:
        try:
            self.columns = np.array(columns, np.intp)
            self.labels = np.array([np.nan if l is None else l for l in labels], np.float64)
            self.mean, self.scale = np.array(mean, np.float64), np.array(scale, np.float64)
            self.pairs = np.array(pairs, np.intp).reshape(-1, 2)
            self.weights = np.array(weights, np.float64)
            self.log_z, self.most = float(log_z), float(most)
            self._check()
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(
                "a tilt has a column, a label or None, a mean and a scale for each feature, and a "
                f"weight for each pair of features; got others ({error})."
            ) from error

    def _check(self) -> None:
        sizes = {a.shape for a in (self.columns, self.labels, self.mean, self.scale)}
        finite = [self.mean, self.scale, self.weights, np.array([self.log_z, self.most])]
        if sizes != {(len(self.columns),)} or self.weights.shape != (len(self.pairs),):
            raise ValueError("their numbers differ")
        if not all(np.isfinite(a).all() for a in finite) or np.isinf(self.labels).any():
            raise ValueError("some are not finite")
        if (self.scale <= 0).any() or self.most < 1 or (self.columns < 0).any():
            raise ValueError("some are too small")
        if self.pairs.size and not 0 <= self.pairs.min() <= self.pairs.max() <= len(self.columns):
            raise ValueError("a pair is of features that there are not")

    @classmethod
    def given(cls, config: Any, x_dim: int) -> Tilt:
        """That of a config, for rows of x_dim columns; raises `ConfigError`."""
        if not isinstance(config, dict):
            raise ConfigError(f"tilt is None or what model.config has of it; got {config!r:.60}.")
        try:
            tilt = cls(**config)
        except TypeError as error:
            raise ConfigError(f"tilt is what model.config has of it; {error}.") from error
        if len(tilt.columns) and tilt.columns.max() >= x_dim:
            raise ConfigError(
                f"the tilt is of column {tilt.columns.max()}, and there are {x_dim}; give that of "
                "this model's table."
            )
        return tilt

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {
            "columns": self.columns.tolist(),
            "labels": [None if l != l else int(l) for l in self.labels],
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "pairs": self.pairs.tolist(),
            "weights": self.weights.tolist(),
            "log_z": self.log_z,
            "most": self.most,
        }

    def __deepcopy__(self, memo: Any) -> Tilt:
        """Itself: nothing changes it."""
        return self

    def log_weight(self, x: Array) -> Array:
        """log w of each row of x (N, D), (N,); a missing entry counts as the mean."""
        terms = moments(features(x, self.columns, self.labels, self.mean, self.scale), self.pairs)
        return np.asarray(terms @ self.weights - self.log_z)

    def kept(self, x: Array, rng: np.random.Generator) -> Array:
        """Which of the drawn rows x (N, D) are kept, (N,) bool."""
        return np.log(rng.random(len(x))) < self.log_weight(x) - np.log(self.most)


def features(x: Array, columns: Array, labels: Array, mean: Array, scale: Array) -> Array:
    """f of each row of x (N, D), (N, 1 + F): 1, then the columns standardised, 0 where missing."""
    chosen = np.asarray(x, np.float64)[:, columns]
    chosen = np.where(np.isnan(labels) | np.isnan(chosen), chosen, chosen == labels)
    f = np.clip(np.nan_to_num((chosen - mean) / scale), -MOST_DEVIATIONS, MOST_DEVIATIONS)
    return np.concatenate([np.ones((len(f), 1)), f], axis=1)


def moments(f: Array, pairs: Array) -> Array:
    """f_i f_k of each row for each pair, (N, P), of f (N, 1 + F)."""
    return f[:, pairs[:, 0]] * f[:, pairs[:, 1]]

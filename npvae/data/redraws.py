"""Labels of drawn rows that are drawn anew given the other columns."""

from __future__ import annotations

from operator import index
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import ConfigError
from ..core.numerics import logsumexp
from .features import OfThresholds, numbers_or_nan
from .functions import Functions
from .tilt import features

Array = np.ndarray


class OfColumn(NamedTuple):
    """A column that has one of `labels` (L,), by weights (1 + F, L) of the features."""

    column: int
    labels: Array
    weights: Array


class Redraws(OfThresholds):
    """p(label l given the other columns) = softmax_l(Σ_k f_k W_kl), over the features f of a tilt.

    f_0 = 1, and the features of the column itself have no weight. One after the other columns get
    labels from it, which is a sweep of Gibbs sampling that starts from a model's draws.

    Source: Geman & Geman 1984; conditionals that are fitted one by one, van Buuren 2007, and rows
    that are drawn from them, Nowok, Raab & Dibben 2016.

    Parameters
    ----------
    columns, labels, mean, scale, above : sequences of F numbers, or None
        As a `Tilt` has them.
    redrawn : sequence of (column, L labels, weights), the weights 1 + F sequences of L numbers

    Raises
    ------
    ConfigError
        If they are something else.
    """

    option = "redraws"
    called = "redraws are", "those"

    def __init__(
        self, columns: Any, labels: Any, mean: Any, scale: Any, above: Any, redrawn: Any
    ) -> None:
        try:
            self._take(columns, labels, mean, scale)
            self.above = numbers_or_nan(above)
            self.redrawn = [
                OfColumn(index(column), np.array(its, np.float64), np.array(weights, np.float64))
                for column, its, weights in redrawn
            ]
            self._check()
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(
                "redraws have a column, a label or None, a mean, a scale and a threshold or "
                "None for each feature, and for each column its labels and weights of the features "
                f"for each; got others ({error})."
            ) from error

    def _check(self) -> None:
        self._check_features()
        n = len(self.columns)
        for r in self.redrawn:
            if r.labels.ndim != 1 or r.weights.shape != (1 + n, len(r.labels)):
                raise ValueError("a column has other weights than features and labels")
            if r.column not in self.columns or len(r.labels) < 2:
                raise ValueError("a column has no feature, or fewer than two labels")
            if not (np.isfinite(r.labels).all() and np.isfinite(r.weights).all()):
                raise ValueError("some are not finite")

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {
            **super().config,
            "redrawn": [[r.column, r.labels.tolist(), r.weights.tolist()] for r in self.redrawn],
        }

    def drawn(
        self, x: Array, rng: np.random.Generator, functions: Functions | None, known: Array
    ) -> Array:
        """Rows x (N, D) with labels drawn anew, and what follows from them by the functions.

        Columns that are not NaN in `known` (D,) stay as they are.
        """
        f = self.features(x, np.ones(len(self.columns), bool))
        for r in self.redrawn:
            if not np.isnan(known[r.column]):
                continue
            before, x = x, np.array(x)
            below = np.exp(log_shares(f, r.weights)).cumsum(1)
            which = (below[:, :-1] < rng.random((len(x), 1)) * below[:, -1:]).sum(1)
            x[:, r.column] = r.labels[which]
            if functions is not None:
                x = functions.restored(x, known)
            changed = (x != before).any(0)[self.columns]
            f[:, 1:][:, changed] = self.features(x, changed)[:, 1:]
        return x

    def features(self, x: Array, which: Array) -> Array:
        """1 and the features `which` (F,) bool of rows x (N, D)."""
        described = self.columns, self.labels, self.above, self.mean, self.scale
        return features(x, *(a[which] for a in described))


def log_shares(f: Array, weights: Array) -> Array:
    """log softmax of f W, (N, L), of features f (N, 1 + F)."""
    b = f @ weights
    return np.asarray(b - logsumexp(b, axis=1)[:, None])


def mended(
    x: Array,
    functions: Functions | None,
    redraws: Redraws | None,
    rng: np.random.Generator,
    known: Array | None = None,
) -> Array:
    """Rows x (N, D) that a model drew, with what they lack: functions, and columns drawn anew.

    Columns that are not NaN in `known` (D,) stay as they are.
    """
    if functions is not None:
        x = functions.restored(x, known)
    if redraws is not None:
        none = np.full(x.shape[1], np.nan)
        x = redraws.drawn(x, rng, functions, none if known is None else known)
    return x

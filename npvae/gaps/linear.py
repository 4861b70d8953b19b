"""Linear guesses for a model's gaps, fitted to its rows, and how much they are to count."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.features import chosen, frequent_labels, labels_or_none
from ..data.linear import MOST_DEVIATIONS, LinearGuesses, coded, fitted
from .fill import impute

Array = np.ndarray

_FEWEST_ROWS, _FEWEST_OF_LABEL = 20, 10
_MOST_FEATURES = 100
_MOST_ROWS, _MOST_WORK, _ROWS_EACH = 3000, 5e8, 10
"""Rows that the covariance is of, at most, and times features cubed; but so many for a feature."""
_HIDDEN, _JUDGED = 0.2, 1000
"""The share of cells that are hidden to weigh the guesses, and in how many rows at least; few rows
are taken several times, with other cells hidden."""
_APART = 0.1
"""How far columns' weights are thought to be apart."""
_SAMPLES = 50
_HIDING = 23
"""The purpose of a random stream, beside the seed."""


def fit_linear(model: Any, x: Array, seed: int = 0) -> LinearGuesses | None:
    """What the numbers that fill gaps of such rows are to be moved towards.

    The weights are those at which cells of x that were hidden are guessed best.

    Parameters
    ----------
    model : Model
        Trained on x. A `linear` that it has is left out of account.
    x : (N, D) array
    seed : int
        Of which cells are hidden.

    Returns
    -------
    LinearGuesses or None
        None where the model takes no gaps, rows are few, columns are many, or weights are 0.
    """
    takes_gaps = model.missing is not None and model.has_density and model.scale is None
    if not takes_gaps or len(x) < _FEWEST_ROWS:
        return None
    described = _features(x, model.likelihood.mean_columns(model.x_dim))
    if described is None:
        return None
    columns, labels = described
    f = chosen(x, columns, labels)
    least, most = np.nanmin(f, axis=0), np.nanmax(f, axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = np.nanmean(f, axis=0), np.nanstd(f, axis=0)
    if not (np.isfinite(scale) & (scale > 0)).all():  # numbers near the ends of their type
        return None
    n = max(_ROWS_EACH * len(columns), min(_MOST_ROWS, int(_MOST_WORK / len(columns) ** 3)))
    some = x[:: -(-len(x) // n)]
    shift, covariance = fitted(coded(some, columns, labels, mean, scale))
    mean = mean + scale * shift
    none = np.zeros(len(columns))
    linear = LinearGuesses(
        columns, labels_or_none(labels), mean, scale, least, most, covariance, none
    )
    linear.weights = _weights(model, linear, x, seed)
    return linear if linear.weights.any() else None


def _features(x: Array, numbers: Array) -> tuple[Array, Array] | None:
    """The column and the label, or NaN, of each feature; None where they are too few or too many.

    `numbers` (D,) says which columns are no labels. Of those all labels have a feature but the
    commonest, of which there are as many as the others leave.
    """
    found: list[tuple[int, float]] = []
    for j in range(x.shape[1]):
        if numbers[j]:
            varies = len(np.unique(x[~np.isnan(x[:, j]), j])) > 1
            found += [(j, np.nan)] if varies else []
        else:
            found += [(j, label) for label in frequent_labels(x[:, j], _FEWEST_OF_LABEL)]
    if not 2 <= len(found) <= _MOST_FEATURES:
        return None
    columns, labels = np.array(found).T
    return columns.astype(np.intp), labels


def _weights(model: Any, linear: LinearGuesses, x: Array, seed: int) -> Array:
    """How much each column's guesses count, (F,), by cells that are hidden.

    Derivation, with b = guess - v and r = truth - v, where the model filled in v:
      (1) Σ (r - w b)² is convex in w, and least where Σ b (r - w b) = 0  ->  w = Σ b r / Σ b²
      (2) that is the table's weight W, over all cells. A column's w is thought to be normal around
          W, with deviation t = `_APART`, and its r - w b too, with variance s²  ->  of the sum
          Σ (r - w b)² / s² + (w - W)² / t² the least is at w = (Σ b r + λ W) / (Σ b² + λ), with
          λ = s² / t²
      (3) both end at 0 and 1
    In standard deviations of the columns.
    """
    rng = np.random.default_rng([seed, _HIDING])
    rows = np.tile(x, (-(-_JUDGED // len(x)), 1)) if len(x) < _JUDGED else x
    rows = rows[:: -(-len(rows) // (2 * _JUDGED))]
    variables = model.likelihood.variables(model.x_dim)  # what is known or missing together
    hidden = (rng.random(rows.shape) < _HIDDEN)[:, variables] & ~np.isnan(rows)
    seen = np.where(hidden, np.nan, rows)
    plain = model.copy()
    plain.linear = None
    filled, guesses = impute(plain, seen, n_samples=_SAMPLES, seed=seed), linear.guesses(seen)
    hidden &= ~np.isnan(guesses)
    columns = linear.columns

    def apart(a: Array, b: Array) -> Array:
        off = (a - b)[:, columns] / linear.scale
        return np.where(hidden[:, columns], np.clip(off, -MOST_DEVIATIONS, MOST_DEVIATIONS), 0.0)

    b, r = apart(guesses, filled), apart(rows, filled)
    numbers = np.isnan(linear.labels)
    if not b[:, numbers].any():
        return np.zeros(len(columns))
    squares, products = np.square(b).sum(0), (b * r).sum(0)
    of_all = np.clip(products[numbers].sum() / squares[numbers].sum(), 0.0, 1.0)  # (1)
    variance = np.square(r - of_all * b).sum(0) / np.maximum(hidden[:, columns].sum(0), 1)
    ridge = np.maximum(variance, 1e-4) / _APART**2
    each = np.clip((products + ridge * of_all) / (squares + ridge), 0.0, 1.0)  # (2), (3)
    return np.where(numbers, each, 0.0)

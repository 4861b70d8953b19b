"""What fills gaps beside a model, fitted to its rows: functions of known columns, linear guesses,
and those by the rows nearby."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..data.features import chosen, coded, described, numbers_or_none
from ..data.functions import find
from ..data.linear import LinearGuesses, fitted
from ..data.neighbours import Neighbours, learnt
from .hidden import HIDDEN, HiddenCells, hidden_cells, weights

Array = np.ndarray

_FEWEST_ROWS, _FEWEST_OF_LABEL = 20, 10
_MOST_FEATURES = 100
_MOST_ROWS, _MOST_WORK, _ROWS_EACH = 3000, 5e8, 10
"""Rows that the covariance is of, at most, and times features cubed; but so many for a feature."""
_MOST_NEIGHBOURS, _MOST_WORK_NEARBY = 8000, 4e6
"""Rows that the model keeps, at most, and times features times guessed features."""
_WORTH = 0.01
"""The share of the squared error that they have to take off for that."""
_NEARNESS = 24
"""The purpose of a random stream, beside the seed."""


def fit_functions(model: Any, x: Array) -> None:
    """Set the columns that follow from others in all rows x (N, D)."""
    if model.schema is None:
        numbers = model.likelihood.mean_columns(model.x_dim)
        steps = [float((np.rint(c) == c)[~np.isnan(c)].all()) for c in x.T]
    else:
        columns = model.schema.modelled
        numbers = np.array([not c.labels for c in columns])
        steps = [c.marginal.step if c.marginal else float(c.kind == "count") for c in columns]
    model.functions = find(x, numbers, steps)


def fit_guesses(model: Any, x: Array, seed: int = 0) -> None:
    """Set what the numbers that fill gaps of such rows are to be moved towards.

    The weights are those at which cells of x that were hidden are guessed best: those of linear
    guesses beside the model's, and those of neighbours beside both. A model that takes no gaps gets
    none, and one that few rows or many columns trained; nor are there any of which all weights are
    0. Neighbours are kept where they help clearly, since they are rows of training.

    Parameters
    ----------
    model : Model
        Trained on x; with its functions.
    x : (N, D) array
    seed : int
        Of which cells are hidden.
    """
    model.linear = model.neighbours = None
    if model.functions is not None:
        x = model.functions.completed(x)
    features = _features(model, x)
    if features is None:
        return
    cells = hidden_cells(model, x, seed)
    linear = fit_linear(features, x, cells)
    if linear.weights.any():
        model.linear = linear
        cells = cells.moved(linear)
    neighbours = fit_neighbours(features, x, cells, seed)
    if neighbours.weights.any():
        model.neighbours = neighbours


class Features(NamedTuple):
    """What `OfFeatures` has of F features, and the least and the most of each."""

    columns: Array
    labels: Array
    mean: Array
    scale: Array
    least: Array
    most: Array


def fit_linear(features: Features, x: Array, cells: HiddenCells) -> LinearGuesses:
    """Linear guesses by rows x (N, D), weighed by hidden cells."""
    columns, labels, mean, scale, least, most = features
    n = max(_ROWS_EACH * len(columns), min(_MOST_ROWS, int(_MOST_WORK / len(columns) ** 3)))
    some = x[:: -(-len(x) // n)]
    shift, covariance = fitted(coded(some, columns, labels, mean, scale))
    mean = mean + scale * shift
    none = np.zeros(len(columns))
    linear = LinearGuesses(
        columns, numbers_or_none(labels), mean, scale, least, most, covariance, none
    )
    linear.weights = weights(cells, linear, linear.guesses(cells.seen))
    return linear


def fit_neighbours(features: Features, x: Array, cells: HiddenCells, seed: int) -> Neighbours:
    """Guesses by the rows nearby among x (N, D), weighed by hidden cells."""
    columns, labels, mean, scale = features[:4]
    numbers = np.flatnonzero(np.isnan(labels))
    most = min(_MOST_NEIGHBOURS, int(_MOST_WORK_NEARBY / (len(columns) * max(1, len(numbers)))))
    kept = np.arange(0, len(x), -(-len(x) // most))
    rows = np.asarray(x[kept], np.float32)
    f = coded(rows, columns, labels, mean, scale)
    nearness = np.zeros((len(columns), len(columns)))
    for t in numbers:
        if (~np.isnan(f[:, t])).sum() >= _FEWEST_ROWS:
            rng = np.random.default_rng([seed, _NEARNESS, int(t)])
            nearness[t] = learnt(f, int(t), columns != columns[t], HIDDEN, rng)
    none = np.zeros(len(columns))
    made = Neighbours(columns, numbers_or_none(labels), mean, scale, rows, nearness, none)
    place = np.full(len(x), -1)
    place[kept] = np.arange(len(kept))
    guesses = made.guesses(cells.seen, place[cells.own])
    made.weights = weights(cells, made, guesses, _WORTH)
    made.nearness[made.weights == 0] = 0
    return made


def _features(model: Any, x: Array) -> Features | None:
    """Those of rows x, or None where there are to be no guesses."""
    takes_gaps = model.missing is not None and model.has_density and model.scale is None
    if not takes_gaps or len(x) < _FEWEST_ROWS:
        return None
    columns, labels = described(x, model.likelihood.mean_columns(model.x_dim), _FEWEST_OF_LABEL)
    if not 2 <= len(columns) <= _MOST_FEATURES:
        return None
    f = chosen(x, columns, labels)
    least, most = np.nanmin(f, axis=0), np.nanmax(f, axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = np.nanmean(f, axis=0), np.nanstd(f, axis=0)
    if not (np.isfinite(scale) & (scale > 0)).all():  # numbers near the ends of their type
        return None
    return Features(columns, labels, mean, scale, least, most)

"""How far the values of one table lie from another's, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray
Labels = Sequence[Sequence[str]]
"""For each column what its numbers 0, 1, ... stand for; empty for a column of plain numbers."""


def column_distances(x: Any, y: Any, labels: Labels | None = None) -> Array:
    """How far apart the distributions of each column are in two tables, (D,), from 0 to 1.

    The Kolmogorov-Smirnov distance, which is the largest difference of the distribution functions;
    for a column with labels the total variation, which is half the sum over labels of the
    differences of their shares. NaN entries are left out; the distance is NaN where one of the
    tables knows no value of a column.

    Parameters
    ----------
    x, y : (N, D) and (M, D) arrays
    labels : sequence of D sequences of str, optional
    """
    pairs = zip(np.asarray(x).T, np.asarray(y).T, labels or [()] * np.shape(x)[1], strict=True)
    return np.array([_distance(a[a == a], b[b == b], len(words)) for a, b, words in pairs])


def _distance(a: Array, b: Array, n_labels: int) -> float:
    if not len(a) or not len(b):
        return np.nan
    if n_labels:
        return 0.5 * float(np.abs(_shares(a, n_labels) - _shares(b, n_labels)).sum())
    a, b = np.sort(a), np.sort(b)
    at = np.concatenate([a, b])
    ranks = [np.searchsorted(values, at, "right") / len(values) for values in (a, b)]
    return float(np.abs(ranks[0] - ranks[1]).max())


def _shares(places: Array, n_labels: int) -> Array:
    places = np.rint(places).astype(int).clip(0, n_labels - 1)
    return np.bincount(places, minlength=n_labels) / len(places)


def outside(x: Array, y: Array) -> Array:
    """Which entries of y (M, D) lie outside the range of their column of x, (M, D) bool."""
    with np.errstate(invalid="ignore"):
        return (y < np.fmin.reduce(x, 0)) | (y > np.fmax.reduce(x, 0))


def outside_the_others(x: Array) -> Array:
    """Which rows of x have an entry outside the range of all other rows, (N,) bool.

    The mean is what `outside` gives for one more row of the kind of x.
    """
    alone = np.zeros(len(x), bool)
    for end in (np.fmin.reduce(x, 0), np.fmax.reduce(x, 0)):
        at_the_end = x == end
        alone |= (at_the_end & (at_the_end.sum(0) == 1)).any(1)
    return alone

"""How strongly the columns of a table go together, whatever their kinds."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def associations(x: Any, nominal: Any = ()) -> Array:
    """The association of each pair of columns of x (N, D), (D, D).

    Of two columns of numbers Pearson's correlation, from -1 to 1; of a number and a nominal column
    the correlation ratio, from 0 to 1: the root of the share of the variance that lies between
    labels; of two nominal ones Cramér's V, from 0 to 1. Each pair has the rows that know both. A
    column with one value is associated with none: 0.
    Source: Cramér 1946, section 21.9; for the correlation ratio, Fisher 1925, section 45.

    Parameters
    ----------
    nominal : sequence of int
        The columns whose numbers 0, 1, ... are labels without an order. A column of two labels, or
        of ordered ones, is as good as one of numbers.
    """
    x = np.array(x, float)
    nominal = sorted(nominal)
    numbers = [j for j in range(x.shape[1]) if j not in set(nominal)]
    table = np.zeros((x.shape[1], x.shape[1]))
    table[np.ix_(numbers, numbers)] = _correlations(x[:, numbers])
    for place, i in enumerate(nominal):
        for j in numbers:
            table[i, j] = table[j, i] = _correlation_ratio(x[:, i], x[:, j])
        for j in nominal[:place]:
            table[i, j] = table[j, i] = _cramers_v(x[:, i], x[:, j])
    np.fill_diagonal(table, 1)
    return table


def _correlations(x: Array) -> Array:
    known = (~np.isnan(x)).astype(float)
    varies = np.fmax.reduce(x, 0) > np.fmin.reduce(x, 0)
    centre = np.nansum(x, 0) / np.maximum(known.sum(0), 1)
    x = np.where(known.astype(bool) & varies, x - centre, 0)
    x /= np.where(varies, np.abs(x).max(0), 1)
    n = np.maximum(known.T @ known, 1)
    sums = x.T @ known  # of column i over the rows that know column j
    variance = np.square(x).T @ known - sums**2 / n
    covariance = x.T @ x - sums * sums.T / n
    return _ratio(covariance, np.sqrt(np.maximum(variance * variance.T, 0))).clip(-1, 1)


def _correlation_ratio(labels: Array, x: Array) -> float:
    both = ~np.isnan(labels) & ~np.isnan(x)
    places, x = labels[both].astype(int), x[both]
    if not len(x) or x.min() == x.max():
        return 0.0
    x = (x - x.mean()) / (x.max() - x.min())
    counts = np.bincount(places)
    between = _ratio(np.square(np.bincount(places, x)), counts).sum()
    return float(np.sqrt(_ratio(between, np.square(x).sum()).clip(0, 1)))


def _cramers_v(a: Array, b: Array) -> float:
    both = ~np.isnan(a) & ~np.isnan(b)
    if not both.any():
        return 0.0
    _, a = np.unique(a[both], return_inverse=True)
    _, b = np.unique(b[both], return_inverse=True)
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1)
    expected = np.outer(counts.sum(1), counts.sum(0)) / len(a)
    chi2 = (np.square(counts - expected) / expected).sum()
    return float(np.sqrt(_ratio(chi2, len(a) * (min(counts.shape) - 1)).clip(0, 1)))


def _ratio(above: Any, below: Any) -> Array:
    """above / below, and 0 where below is 0, or is round-off."""
    above, below = np.asarray(above, float), np.asarray(below, float)
    return np.divide(above, below, out=np.zeros_like(above), where=below > 1e-12)

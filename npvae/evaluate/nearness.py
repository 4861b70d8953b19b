"""Whether drawn rows lie nearer to the rows of training than to others of their kind."""

from __future__ import annotations

import numpy as np

from .by_column import Labels

Array = np.ndarray

_MOST_ENTRIES = 1 << 22
"""In one block of differences."""
_MOST_DIFFERENCES = 5e8
"""In all: some seconds. Of wide tables and long ones fewer drawn rows are looked at."""


def nearer_to_training(drawn: Array, x: Array, valid: Array, labels: Labels) -> tuple[float, float]:
    """The share of drawn rows that lie nearer to a row of x than to one of valid, and its error.

    Let T rows be in x, V in valid, M = T + V and p = T / M, and let w_r be the share of the drawn
    rows that have row r of the M as their nearest; of equally near rows each has a part. The share
    of the drawn rows that are nearer to x is s = Σ_{r in x} w_r, weighed as if there were as many
    of both:

        share = (s / T) / (s / T + (1 - s) / V)

    Copies of rows of x have 1. Where drawn rows have nothing to do with which of the M rows were
    trained on, these are a random choice, and s is a sum over a sample without replacement: its
    mean is p, for which the share is 1/2, and its variance p (1 - p) W with
    W = (Σ w² - 1 / M) M / (M - 1). The slope of the share at p is 1 / (4 p (1 - p)), so that its
    standard error is √(W / (p (1 - p))) / 4. If few rows are the nearest to nearly all, W is near
    1, and the share says nothing.
    Source of the variance: Cochran 1977, theorem 2.2.

    Parameters
    ----------
    drawn, x, valid : (n, D), (T, D) and (V, D) arrays
        A distance is the mean over the columns that both rows know: of numbers the difference in
        units of their range from 5 % to 95 % in x, of labels 0 or 1.
    """
    drawn = drawn[: max(100, int(_MOST_DIFFERENCES / (x.size + valid.size)))]
    weights = _shares_of_nearest(drawn, np.concatenate([x, valid]), _spans(x), labels)
    m, p = len(weights), len(x) / len(weights)
    s = min(1.0, weights[: len(x)].sum())
    share = (s / p) / (s / p + (1 - s) / (1 - p))
    spread = max(0.0, np.square(weights).sum() - 1 / m) * m / (m - 1)
    return float(share), float(np.sqrt(spread / (p * (1 - p))) / 4)


def _spans(x: Array) -> Array:
    """The width of each column's range, (D,), without the outermost values if it can."""
    x = np.where(np.isnan(x).all(0), 0, x)
    low, high = np.nanquantile(x, (0.05, 0.95), axis=0)
    whole = np.fmax.reduce(x, 0) - np.fmin.reduce(x, 0)
    span = np.where(high > low, high - low, whole)
    return np.where(span > 0, span, 1.0)


def _shares_of_nearest(rows: Array, others: Array, spans: Array, labels: Labels) -> Array:
    """For each of the others the share of the rows that it is the nearest to."""
    shares = np.zeros(len(others))
    block = max(1, _MOST_ENTRIES // len(others))
    for part in np.split(rows, range(block, len(rows), block)):
        total, known = np.zeros((2, len(part), len(others)))
        for j, words in enumerate(labels):
            gap = np.abs(part[:, j, None] - others[:, j])
            missing = np.isnan(gap)
            gap = gap > 0.5 if words else gap / spans[j]
            total += np.where(missing, 0, gap)
            known += ~missing
        distance = np.where(known > 0, total / np.maximum(known, 1), np.inf)
        nearest = distance == distance.min(1, keepdims=True)
        shares += (nearest / nearest.sum(1, keepdims=True)).sum(0)
    return shares / len(rows)

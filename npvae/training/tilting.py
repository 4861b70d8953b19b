"""After training: by which means of columns and of their products drawn rows are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.features import chosen, described, numbers_or_none
from ..data.tilt import Tilt, features, moments
from ..models import Model

Array = np.ndarray

_FEWEST_ROWS = 20
_MOST_POINTS = 20_000
"""Rows of training that are looked at."""
_DRAWS, _MANY_DRAWS = 10_000, 30_000
"""Drawn rows whose moments are compared with those of the data; more for those of many rows."""
_FEWEST_OF_LABEL = 30
"""A label of a category with fewer rows has no moments."""
_MOST_FEATURES, _MOST_TERMS, _MANY_TERMS = 1000, 300, 600
_MANY_ROWS = 1000
"""From so many rows on the deviation of each label's rows is a moment, too, and how many rows are
above some thresholds."""
THRESHOLDS = 0.1, 0.3, 0.5, 0.7, 0.9
"""The shares of the rows that are not above them."""
_RIDGE = 30.0
"""How many times the variance of a mean moments are held loosely by. Measured: docs/training.md."""
_LEAST_EFFECTIVE = 0.5
"""The effective share of the drawn rows; where it is less, moments are held more loosely."""
_MOST_WEIGHT = 6.0
"""Weights are cut at it: so one of six drawn rows or more is kept."""


def fit_tilt(model: Model, x: Array, seed: int) -> tuple[Tilt | None, float]:
    """The tilt, and the effective share of the rows drawn; None where there is nothing to tilt."""
    found = described_features(model, x)
    if found is None:
        return None, 1.0
    columns, labels, above, mean, scale = found
    many = len(x) >= _MANY_ROWS
    some = x[:: -(-len(x) // _MOST_POINTS)]
    n_draws = _MANY_DRAWS if many else _DRAWS
    drawn = features(model.sample(n_draws, seed, take="draw"), *found)
    data = features(some, *found)
    held = np.concatenate([np.ones((len(some), 1), bool), ~np.isnan(some[:, columns])], axis=1)
    terms, goal, n = _most_different(drawn, data, held.astype(float), columns, above)
    products = moments(drawn.astype(np.float32), terms)
    ridge = _RIDGE * (products.var(0) + 1e-3) / n * len(some) / len(x)
    weights = np.zeros(len(terms))
    for _ in range(8):
        weights = _fitted(products, goal, ridge, weights)
        log_w = _single(products, weights)
        log_z = float(np.logaddexp.reduce(log_w) - np.log(len(log_w)))
        w = np.exp(log_w - log_z)
        effective = float(1 / np.mean(np.square(w)))
        if effective >= _LEAST_EFFECTIVE:
            most = max(1.0, min(_MOST_WEIGHT, float(w.max())))
            of = columns, numbers_or_none(labels), mean, scale
            tilt = Tilt(*of, terms, weights, log_z, most, numbers_or_none(above))
            return tilt, effective
        ridge = ridge * 4
    return None, 1.0


def described_features(
    model: Model, x: Array, shares: Sequence[float] = THRESHOLDS
) -> tuple[Array, ...] | None:
    """Column, label, threshold, mean and scale of each feature; None if too few or too many."""
    schema: Any = getattr(model, "schema", None)
    kinds = ["number"] * x.shape[1] if schema is None else [c.kind for c in schema.modelled]
    numbers = np.array([kind != "category" for kind in kinds])
    columns, labels = described(x, numbers, _FEWEST_OF_LABEL)
    if not 2 <= len(columns) <= _MOST_FEATURES or len(x) < _FEWEST_ROWS:
        return None
    f = chosen(x, columns, labels)
    inner = np.clip(f, *np.nanquantile(f, (0.005, 0.995), axis=0))
    mean, spread = np.nanmean(inner, axis=0), np.nanstd(inner, axis=0)
    varies = spread > 1e-9 * (1 + np.abs(mean))
    if varies.sum() < 2:
        return None
    plain = columns[varies], labels[varies], np.full(varies.sum(), np.nan)
    high = _thresholds(x, plain[0][np.isnan(plain[1])], shares)
    if len(x) < _MANY_ROWS or not 0 < len(high) <= _MOST_FEATURES - len(plain[0]):
        return *plain, mean[varies], spread[varies]
    of, above, share = high.T
    more = of.astype(np.intp), np.full(len(of), np.nan), above, share, np.sqrt(share * (1 - share))
    fewer = (*plain, mean[varies], spread[varies])
    return tuple(np.concatenate(pair) for pair in zip(fewer, more, strict=True))


def _thresholds(x: Array, columns: Array, shares: Sequence[float]) -> Array:
    """Column, threshold and the share of rows above it, (T, 3), of columns that are numbers."""
    found = []
    for j in columns.tolist():
        known = x[~np.isnan(x[:, j]), j]
        if len(np.unique(known)) > 2:
            for above in np.unique(np.quantile(known, shares, method="lower")).tolist():
                rows = int((known > above).sum())
                if min(rows, len(known) - rows) >= _FEWEST_OF_LABEL:
                    found.append((j, above, rows / len(known)))
    return np.array(found).reshape(-1, 3)


def _most_different(
    drawn: Array, data: Array, held: Array, columns: Array, above: Array
) -> tuple[Array, Array, Array]:
    """The terms that differ most, in standard errors, (P, 3); their means in data, and of n rows.

    Means, products of two columns, squares of numbers; and, where there are rows enough, squares of
    numbers by label: the deviation of each label's rows.
    """
    binary = np.array([len(np.unique(f)) <= 2 for f in data.T])
    column = np.concatenate([[-1], columns])
    i, k = np.triu_indices(len(column))
    useful = (column[i] != column[k]) | ((i == k) & ~binary[i])
    terms = [np.stack([0 * i, i, k], axis=1)[useful]]
    many = len(data) >= _MANY_ROWS
    if many:
        of, by = np.flatnonzero(~binary), np.flatnonzero(binary[1:] & np.isnan(above)) + 1
        squared, label = np.repeat(of, len(by)), np.tile(by, len(of))
        terms.append(np.stack([squared, squared, label], axis=1))
    found = [_means(drawn, data, held, some) for some in terms]
    apart, goal, n = (np.concatenate(parts) for parts in zip(*found, strict=True))
    most = np.sort(np.argsort(-apart, kind="stable")[: _MANY_TERMS if many else _MOST_TERMS])
    return np.concatenate(terms)[most], goal[most], n[most]


def _means(drawn: Array, data: Array, held: Array, terms: Array) -> tuple[Array, Array, Array]:
    """Of terms (P, 3): how far drawn rows are off, squared, their means in data, and of n rows."""
    a, b, k = terms.T
    by_square = bool(a.any())

    def first(f: Array) -> Array:
        return np.square(f) if by_square else f

    mean = (first(drawn).T @ drawn / len(drawn))[b, k]
    squares = (np.square(first(drawn)).T @ np.square(drawn) / len(drawn))[b, k]
    n = np.maximum(held.T @ held, 1)[b, k]
    goal = (first(data).T @ data)[b, k] / n
    return np.square(goal - mean) / (squares - np.square(mean) + 1e-3), goal, n


def _fitted(terms: Array, goal: Array, ridge: Array, weights: Array) -> Array:
    """λ that minimises log mean exp(terms λ) - goal λ + ½ Σ ridge λ², by Newton's method.

    Its gradient is the difference of the weighted mean of the terms (N, P) and the goal (P,), and
    its curvature their weighted covariance: it is convex.
    """

    def loss(weights: Array) -> float:
        log_w = _single(terms, weights)
        penalty = 0.5 * (ridge * np.square(weights)).sum()
        return float(np.logaddexp.reduce(log_w) - np.log(len(log_w)) - goal @ weights + penalty)

    now = loss(weights)
    for _ in range(25):
        log_w = _single(terms, weights)
        w = np.exp(log_w - np.logaddexp.reduce(log_w))
        mean = _single(w, terms)
        root = terms * np.sqrt(w).astype(np.float32)[:, None]
        curvature = (root.T @ root).astype(np.float64) - np.outer(mean, mean) + np.diag(ridge)
        step = np.linalg.solve(curvature, goal - mean - ridge * weights)
        size, then = 1.0, loss(weights + step)
        while then > now and size > 1e-4:
            size /= 2
            then = loss(weights + size * step)
        if not now - then > 1e-7:
            break
        weights, now = weights + size * step, then
    return weights


def _single(a: Array, b: Array) -> Array:
    """A product in float32, of which there is no copy in float64."""
    return np.asarray(a.astype(np.float32, copy=False) @ b.astype(np.float32, copy=False), float)

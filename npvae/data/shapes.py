"""Which marginal a column of numbers gets: several are fitted, and held-out rows decide."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from ..core.errors import ConfigError
from .marginal import Marginal

Array = np.ndarray

FOLDS = 4
MOST_ROWS = 4000
"""Of more rows, as many evenly spread ones decide."""
NEIGHBOURS = 15
"""So many rows to either side say how often a value were to come if it was no atom."""
MOST_ATOMS = 400
"""Each takes two knots, and a marginal has `MOST_KNOTS` at most."""
FAR = 5.0
"""A cell is far out where it is so many times as far from the median as all but the odd ones."""
OUTER = 0.9
"""The quantile above which values say how far those go that are greater than all."""
SHAPES = 0.25, 1.0
"""Of tails: no lighter, so that one wild cell costs tens of nats and no millions."""
_LINE = 16
"""Knots of a curve that is no line."""


class Fitted(NamedTuple):
    """A marginal, what it is called, and log p of a held-out value, its mean."""

    marginal: Marginal
    name: str
    log_p: float


def shape_of(values: Array, step: float, quick: bool = False) -> Fitted | None:
    """The marginal under which held-out values are likeliest; None where there are too few.

    Parameters
    ----------
    values : (N,) array, without NaN
    step : what they are multiples of, or 0
    quick : whether the first that is tried will do: as many quantiles as the rows bear
    """
    values = values[~far_out(values)]
    if len(np.unique(values)) < 3:
        return None
    if quick:
        n = round(len(values) ** 0.4)
        return Fitted(
            with_tails(by_quantiles(values, step, n), values), f"its {n} quantiles", np.nan
        )
    some = values[:: -(-len(values) // MOST_ROWS)]
    gap = 1.0 if step else float(np.diff(np.unique(some)).min())
    best = max(_fits(len(some)).items(), key=lambda fit: _held_out(fit[1], some, step, gap))
    found = with_tails(best[1](values, step), values)
    return Fitted(found, best[0], _held_out(best[1], some, step))


def held_out_folds(n: int) -> list[Array]:
    """Which of n rows each fold holds out, (n,) bool."""
    fold = np.random.default_rng(0).permutation(n) % FOLDS
    return [fold == i for i in range(min(FOLDS, n))]


def far_out(values: Array) -> Array:
    """Cells that lie more than `FAR` times as far from the median as all others on their side.

    (N,) bool; at most a hundredth of the cells at either end, or one.
    """
    most = max(1, len(values) // 100)
    order = np.argsort(values, kind="stable")
    middle = np.median(values) if len(values) else 0.0
    far = np.zeros(len(values), bool)
    if len(values) < 20:
        return far
    for ends in (order, order[::-1]):
        distance = np.abs(values[ends[: most + 1]] - middle)
        gaps = np.flatnonzero(distance[:-1] > FAR * np.maximum(distance[1:], _spread(values)))
        if len(gaps):
            far[ends[: gaps[-1] + 1]] = True
    return far


def _spread(values: Array) -> float:
    """Half of the distance between the quartiles."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low) / 2


def _fits(n: int) -> dict[str, Callable[[Array, float], Marginal]]:
    """By name what makes a marginal of values and a step; of the finest that n rows bear."""
    quantiles = {f"its {m} quantiles": partial(by_quantiles, n=m) for m in (4, 8, 16, 32) if m < n}
    return {"normal": normal, "log-normal": log_normal, **quantiles}


def _held_out(
    fit: Callable[[Array, float], Marginal], values: Array, step: float, gap: float = 1.0
) -> float:
    """log p of a value under what was fitted to the others, its mean over folds.

    Densities are per `gap`. Where that is the least distance of two values, they compare with the
    probabilities of atoms, whatever the column's unit is.
    """
    folds = held_out_folds(len(values))
    scores = []
    try:
        for out in folds:
            marginal = fit(values[~out], step)
            smooth = ~np.isin(values[out], marginal.x[1:][np.diff(marginal.x) == 0])
            scores.append(marginal.log_prob(values[out]) + np.log(gap) * smooth)
    except ConfigError:  # all others are equal, or not above 0
        return -np.inf
    return float(np.concatenate(scores).mean())


def with_tails(marginal: Marginal, values: Array) -> Marginal:
    """A marginal with the tails of the values that it was fitted to.

    A further value is the greatest of all n + 1 with probability 1 / (n + 1), whatever their
    distribution, and the least likewise. How far it is beyond says a generalised Pareto
    distribution of what lies above the `OUTER` quantile, by its probability-weighted moments.
    Source: Hosking & Wallis 1987, section 3.
    """
    unit = marginal.step or 1.0
    at_ends = unit * np.exp(marginal.log_prob(np.array([values.min(), values.max()])))
    shares = np.minimum(0.5, 1 / (len(values) + 1) / at_ends).tolist()
    low, high = _tail(-values, marginal.step), _tail(values, marginal.step)
    tails = [*low, shares[0], *high, shares[1]]
    return Marginal(marginal.x, marginal.y, marginal.step, tails)


def _tail(values: Array, step: float) -> tuple[float, float]:
    """Scale and shape of what lies above the greatest of the values (N,)."""
    ordered = np.sort(values)
    start = int(min(OUTER * len(ordered), len(ordered) - min(20, len(ordered))))
    above = ordered[start:] - ordered[start]
    mean = above.mean()
    weighted = (above * (1 - (np.arange(len(above)) + 0.65) / len(above))).mean()
    shape = 2 - mean / (mean - 2 * weighted) if mean > 2 * weighted else SHAPES[1]
    scale = 2 * mean * weighted / (mean - 2 * weighted) if mean > 2 * weighted else mean
    shape = float(np.clip(shape, *SHAPES))
    least = max(step, 0.01 * _spread(values), 1e-6 * float(np.ptp(values)))
    return max(float(scale + shape * above[-1]), least), shape


def normal(values: Array, step: float) -> Marginal:
    """A normal distribution, cut off at the least and the greatest value."""
    ends = np.array([values.min() - step / 2, values.max() + step / 2])
    return Marginal(ends, (ends - values.mean()) / (values.std() or 1.0), step)


def log_normal(values: Array, step: float) -> Marginal:
    """The logarithms normal; raises `ConfigError` if values are not above 0."""
    if values.min() <= 0:
        raise ConfigError("a log-normal column is above 0.")
    logs = np.log(values)
    least = max(values.min() - step / 2, values.min() / 2)
    x = np.geomspace(least, values.max() + step / 2, _LINE)
    x[0] = values.min() - step / 2
    y = (np.log(np.maximum(x, least)) - logs.mean()) / (logs.std() or 1.0)
    return Marginal(x, y, step)


def by_quantiles(values: Array, step: float, n: int) -> Marginal:
    """n quantiles become those of the normal; values that come too often are atoms.

    Where values are rounded, knots lie on the edges of their cells.
    """
    unit, half = (step, 0.5) if step else (1.0, 0.0)
    places, counts = np.unique(np.rint(values / unit) if step else values, return_counts=True)
    atoms = _commonest(_are_atoms(places, counts, bool(step)), counts)
    spikes, times = places[atoms], counts[atoms]
    edges, shares = _line(places[~atoms], counts[~atoms], n, half)
    low, high = places[0] - half, places[-1] + half
    if len(edges) < 2:
        edges, shares = np.array([low, high]), np.array([0.0, 1.0])
    below, above = int(low < edges[0]), int(high > edges[-1])  # spikes outside of the others
    shares = 0.01 * below + (1 - 0.01 * (below + above)) * shares
    edges = np.concatenate([[low] * below, edges, [high] * above])
    shares = np.concatenate([[0.0] * below, shares, [1.0] * above])

    if step:
        x = np.unique(np.concatenate([edges, spikes - half, spikes + half]))
        upto = np.searchsorted(spikes + half, x, "right")
    else:
        x = np.sort(np.concatenate([np.setdiff1d(edges, spikes), spikes, spikes]))
        second = np.concatenate([[False], x[1:] == x[:-1]])
        upto = np.searchsorted(spikes, x, "left") + second
    others = max(int(counts[~atoms].sum()), 1)
    rows = others * np.interp(x, edges, shares) + np.concatenate([[0], np.cumsum(times)])[upto]
    y = _normal_quantiles((rows + 0.5) / (others + times.sum() + 1))
    return Marginal(x * unit, y + 1e-9 * np.arange(len(y)), step)


def _line(places: Array, counts: Array, n: int, half: float) -> tuple[Array, Array]:
    """Knots of the share of rows below x: n quantiles, and finer towards both ends."""
    if len(places) < 3:
        return places[:0], places[:0]
    upto, total = np.cumsum(counts), counts.sum()
    powers = 2.0 ** np.arange(1, max(1, np.log2(total / n)))
    ranks = np.concatenate([np.linspace(0, total, n + 1)[1:-1], powers, total - powers])
    chosen = np.unique(np.searchsorted(upto[:-1], ranks))
    chosen = chosen[chosen < len(places) - 1]
    between = places[:-1] + half if half else 0.5 * (places[:-1] + places[1:])
    edges = np.concatenate([[places[0] - half], between[chosen], [places[-1] + half]])
    return edges, np.concatenate([[0.0], upto[chosen] / total, [1.0]])


def _are_atoms(places: Array, counts: Array, rounded: bool) -> Array:
    """Which values come more often than the rows around them explain."""
    rows = np.repeat(places, counts)
    end = np.cumsum(counts)
    start = end - counts
    first, last = np.maximum(start - NEIGHBOURS, 0), np.minimum(end + NEIGHBOURS, len(rows))
    cells = rows[last - 1] - rows[first] if rounded else np.full(len(places), np.inf)
    expected = (start - first + last - end) / np.maximum(cells, 1)
    return (counts >= 3) & (counts > expected + 3 * np.sqrt(expected) + 1.5)


def _commonest(atoms: Array, counts: Array) -> Array:
    """At most `MOST_ATOMS` of the atoms, (K,) bool: those with the greatest counts."""
    order = np.argsort(np.where(atoms, -counts, 0), kind="stable")
    chosen = np.zeros(len(atoms), bool)
    chosen[order[: min(int(atoms.sum()), MOST_ATOMS)]] = True
    return chosen


def _normal_quantiles(shares: Array) -> Array:
    inverse = NormalDist().inv_cdf
    return np.array([inverse(share) for share in shares.tolist()])

"""Missing entries filled in: by conditional means, medians and likeliest labels, or by draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arrays import as_array
from ..core.checks import whole
from ..core.errors import ConfigError, DataError
from ..core.memory import check_memory
from ..core.public import public
from ..core.row_streams import row_streams
from ..data.features import Guesses
from ..data.functions import Functions
from ..data.widths import ranks
from .posterior import AT_ONCE, Samples, metropolis, weighted_samples

Array = np.ndarray
Streams = list[np.random.Generator]

ENOUGH = 30.0
"""Effective samples of a row below which its draws are made by Metropolis steps."""
FOR_MEANS, FOR_DRAWS = 60, 200
"""Importance samples of a row where nobody says how many. More leave the errors of means as they
are: docs/training.md."""
_BLOCK = 1 << 21
"""Numbers in the largest array: few enough to stay in a large cache."""
_SAMPLES, _DRAWS, _SHARES = 21, 22, 25
"""Purposes of random streams, beside the seed."""


@public
def impute(
    model: Any,
    x: Any,
    n_draws: int | None = None,
    n_samples: int | None = None,
    seed: int = 0,
    context: Any = None,
    statistic: str = "mean",
    diagnostics: bool = False,
) -> Any:
    """x with its missing entries, NaN, filled in by what the model makes of the known ones.

    Each is E[x missing given x known], by importance sampling: z drawn from q(z given x known)
    and weighed by p(x known given z) p(z) / q(z given x known). A label is the likeliest one, by
    probabilities that are averaged in the same way; of ones and zeros (`Bernoulli`) it is the
    probability of a one. Where `calibrate` found that cells are guessed better so, numbers are
    moved from there towards linear guesses (`data.linear`) and towards those of rows nearby
    (`data.neighbours`); medians and draws are not, but draws are as wide as held-out cells asked
    for (`data.widths`). What follows from a known entry, as `calibrate`
    found (`data.functions`), is that, in draws too, and a draw of both has one follow from the
    other. Known entries stay as they are. What a row is filled with depends neither on the rows
    beside it nor on its place.

    Parameters
    ----------
    model : Model
        Built with ``missing="mask"``.
    x : (N, D) array
        In the units of the training data.
    n_draws : int, optional
        M: give draws from p(x missing given x known) instead, for multiple imputation. They are
        importance samples, drawn again by their weights. Where the weights of a row leave fewer
        than 30 effective samples, Metropolis steps go on from there. Equal rows have draws of their
        own.
    n_samples : int, optional
        K, the importance samples of each row: by default 60, but 200 for draws and medians.
    seed : int
    context : (N, C) array, optional
        For a model that has a context.
    statistic : {"mean", "median"}
        What numbers and counts are filled in with, and labels that have an order by the median.
    diagnostics : bool
        Whether to give as well the effective sample size of each row, (N,), from 1 to K, which is
        K for a row without gaps: where it is low, the filled entries are less sure.

    Returns
    -------
    (N, D) array, or (M, N, D) with n_draws
        Floating, of x's own type if that is. With `diagnostics` a pair.

    Raises
    ------
    DataError
        If x is not such data as the model takes, or has gaps and the model takes none.
    ConfigError
        If an argument is out of its range, or the model has no densities.

    Source: Mattei & Frellsen 2019, section 3; with Metropolis steps, Mattei & Frellsen 2018,
    section 3.
    """
    if n_samples is None:
        means = n_draws is None and statistic == "mean"
        n_samples = FOR_MEANS if means else FOR_DRAWS
    n_samples = whole("n_samples", n_samples)
    n_draws = None if n_draws is None else whole("n_draws", n_draws)
    seed = whole("seed", seed, least=0)
    if statistic not in ("mean", "median"):
        raise ConfigError(f"statistic is 'mean' or 'median'; got {statistic!r}.")
    if not model.has_density:
        raise ConfigError(
            "gaps are filled with draws that are weighed by their densities, and model "
            f"{model.name!r} has none; its reconstructions have guesses in their place."
        )
    x = as_array(x, "x")
    gaps = gaps_of(model, x)
    given, functions = x, model.functions if gaps.any() else None
    if functions is not None:
        x = functions.completed(x)
        gaps = np.isnan(x)
    shape = x.shape if n_draws is None else (n_draws, *x.shape)
    if n_draws is not None:
        what = f"filling {len(x):,} rows {n_draws:,} times"
        check_memory(what, 8 * n_draws * x.size, "take fewer draws")
    filled = np.broadcast_to(x, shape).astype(x.dtype if x.dtype.kind == "f" else np.float64)
    effective = np.full(len(x), float(n_samples))
    rows = np.flatnonzero(gaps.any(1))
    for block in Blocks(model, x, context, rows, n_samples, seed, n_draws or 0):
        if n_draws is not None:
            values = block.draws(n_draws)
        else:
            values = block.means() if statistic == "mean" else block.medians()
        _put(filled, block.rows, gaps[block.rows], values)
        effective[block.rows] = block.samples.effective
    if n_draws is None and statistic == "mean":
        for guesses in guesses_of(model):
            filled[rows] = guesses.moved(filled[rows], x[rows])
    if n_draws is not None and functions is not None:
        _draw_what_follows(functions, filled, given, seed)
    return (filled, effective) if diagnostics else filled


def _draw_what_follows(functions: Functions, filled: Array, x: Array, seed: int) -> None:
    """Have draws (M, N, D) of the gaps of rows x (N, D) follow the functions, in place."""
    rows = np.flatnonzero(np.isnan(x).any(1))
    streams = row_streams(x[rows], None, seed, _SHARES)
    shares = np.stack([stream.random(len(filled)) for stream in streams], axis=1)
    filled[:, rows] = functions.drawn(filled[:, rows], x[rows], shares)


def guesses_of(model: Any) -> list[Guesses]:
    """What the numbers that fill gaps are moved towards, one after the other."""
    return [guesses for guesses in (model.linear, model.neighbours) if guesses is not None]


def gaps_of(model: Any, x: Array) -> Array:
    """Where x (N, D) is missing, (N, D) bool; raises `DataError` for what the model can't take."""
    model.reader(x)
    gaps = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
    if gaps.any() and model.missing is None:
        row, column = np.argwhere(gaps)[0]
        raise DataError(
            f"x has gaps, the first in row {row}, column {column} (counted from 0), and this model "
            "was built without missing='mask', so its encoder can't take them. Train one that was "
            "built with it."
        )
    return gaps


def _put(filled: Array, rows: Array, gaps: Array, values: Array) -> None:
    """Write the values (..., B, D) of some rows where they have gaps."""
    filled[..., rows, :] = np.where(gaps, values, filled[..., rows, :])


class Blocks:
    """The rows that have gaps, some at a time, with their importance samples."""

    def __init__(
        self,
        model: Any,
        x: Array,
        context: Any,
        rows: Array,
        n_samples: int,
        seed: int,
        n_draws: int = 0,
    ) -> None:
        self.model = model.astype("float64")
        self.x, self.rows, self.n_samples, self.seed = x, rows, n_samples, seed
        self.context = None if context is None else np.asarray(context)
        self.model.context_reader(context, len(x))
        n_outputs = self.model.likelihood.n_outputs(self.model.x_dim)
        widest = max(model.largest_row, model.z_dim, n_outputs, *model.hidden, *model.noise_widths)
        kept = n_samples * (sum(model.noise_widths) + n_outputs + 4) + n_draws * model.x_dim
        check_memory(f"a row of {n_samples:,} samples", 16 * kept, "take fewer, or fewer draws")
        self.size = max(1, _BLOCK // max(AT_ONCE * widest, n_draws * widest, kept))

    def __iter__(self) -> Any:
        for start in range(0, len(self.rows), self.size):
            rows = self.rows[start : start + self.size]
            context = None if self.context is None else self.context[rows]
            batches = self.model.batches(self.x[rows], context)
            done = 0
            for xb, cb in batches:  # more than one where a block is larger than a reader's chunk
                here = rows[done : done + len(xb)]
                done += len(xb)
                rng = np.random.default_rng([self.seed, _SAMPLES])
                samples = weighted_samples(self.model, xb, cb, self.n_samples, rng)
                yield Block(self.model, here, xb, cb, samples, self.seed)


class Block:
    """Some rows with their importance samples, and what is made of them, in the units of x."""

    def __init__(
        self, model: Any, rows: Array, x: Array, context: Any, samples: Samples, seed: int
    ) -> None:
        self.model, self.rows, self.x, self.context = model, rows, x, context
        self.samples, self.seed = samples, seed

    def means(self) -> Array:
        """E[x given x known] of numbers, and the likeliest labels, (B, D)."""
        likelihood, total, gaps = self.model.likelihood, 0.0, np.isnan(self.x)
        for k in range(0, len(self.samples.z), AT_ONCE):
            some = slice(k, k + AT_ONCE)
            theta = likelihood.for_rows(self.samples.theta[some], self.x)
            weights = self.samples.weights[some]
            total = total + (weights[..., None] * likelihood.expected_where(theta, gaps)).sum(0)
        return self._in_units(likelihood.guess(total))

    def medians(self) -> Array:
        """The median of p(x given x known) in each column, (B, D); of nominal labels the means'."""
        nominal = self.model.likelihood.nominal_columns(self.model.x_dim)
        medians = self.quantiles([0.5])[0]
        return np.where(nominal, self.means(), medians) if nominal.any() else medians

    def quantiles(self, levels: Any) -> Array:
        """Quantiles of p(x given x known) in each column, (levels, B, D), by one draw a sample."""
        return weighted_quantiles(self._pool(self._streams()), self.samples.weights, levels)

    def ranks(self, x: Array, shares: Array) -> Array:
        """`data.widths.ranks` of x (B, D) in p(x given x known), by one draw a sample: (B, D)."""
        pool, weights = self._pool(self._streams()), self.samples.weights[:, :, None]
        return ranks(x[None], pool, weights, shares[None, :, None])[0]

    def draws(self, n_draws: int, enough: float = ENOUGH) -> Array:
        """Draws from p(x given x known), (M, B, D)."""
        samples, streams, places = self.samples, self._streams(), np.arange(len(self.rows))
        chosen = _resampled(samples.weights, n_draws, streams)
        z = samples.z[chosen, places]
        few = np.flatnonzero(samples.effective < enough)
        if len(few):
            eps = [level[chosen[:, few], 0] for level in samples.eps]
            context = None if self.context is None else self.context[few]
            own = [streams[i] for i in few]
            z[:, few] = metropolis(self.model, self.x[few], context, eps, own)
        drawn = self._drawn(self.model.theta(z, self.context), streams)
        if self.model.widths is None:
            return drawn
        pool = self._pool(streams)
        shares = np.stack([stream.random(n_draws) for stream in streams], axis=1)
        changed = self.model.widths.changed(drawn, pool, samples.weights, shares)
        changed[:, few] = drawn[:, few]  # whose pool is as poor as their weights
        return changed

    def _pool(self, streams: Streams) -> Array:
        """A draw of x for each importance sample, (K, B, D)."""
        parts = range(0, len(self.samples.z), AT_ONCE)
        theta = self.samples.theta
        return np.concatenate([self._drawn(theta[k : k + AT_ONCE], streams) for k in parts])

    def _streams(self) -> Streams:
        return row_streams(self.x, self.context, self.seed, _DRAWS)

    def _drawn(self, theta: Array, streams: Streams) -> Array:
        """x given theta (K, B, ·), each row's by its own stream: (K, B, D)."""
        theta = self.model.likelihood.for_rows(theta, self.x)
        sample = self.model.likelihood.sample
        drawn = [sample(theta[:, i], stream) for i, stream in enumerate(streams)]
        return self._in_units(np.stack(drawn, axis=1))

    def _in_units(self, values: Array) -> Array:
        units = self.model.units
        return values if units is None else units.restored(values)


def weighted_quantiles(values: Array, weights: Array, levels: Any) -> Array:
    """The least values (levels, B, D) up to which so much of the weight lies.

    values (K, B, D), weights (K, B) that add up to 1.
    """
    order = np.argsort(values, axis=0)
    below = np.cumsum(np.take_along_axis(weights[..., None], order, 0), axis=0)
    ordered = np.take_along_axis(values, order, 0)
    places = [(below < level - 1e-12).sum(0).clip(0, len(values) - 1) for level in levels]
    return np.stack([np.take_along_axis(ordered, p[None], 0)[0] for p in places])


def _resampled(weights: Array, n_draws: int, streams: Streams) -> Array:
    """Which of K samples are drawn, by their weights (K, B): (M, B)."""
    u = np.stack([stream.random(n_draws) for stream in streams], axis=1)
    edges = np.cumsum(weights, axis=0)
    return np.stack(
        [np.searchsorted(edges[:, i] / edges[-1, i], u[:, i], "right") for i in range(u.shape[1])],
        axis=1,
    ).clip(0, len(weights) - 1)

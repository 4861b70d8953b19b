"""After training: what new rows are drawn from is fitted once more to the rows of training."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..core.arrays import as_array
from ..core.checks import whole
from ..core.errors import ConfigError
from ..core.public import public
from ..data.features import chosen, described, numbers_or_none
from ..data.gaussians import Gaussians, improved, started
from ..data.tilt import Tilt, features, moments
from ..gaps.guesses import fit_functions, fit_guesses
from ..gaps.spread import fit_widths
from ..models import Model
from ..priors import Mixture

Array = np.ndarray
AnyModel = TypeVar("AnyModel", bound=Model)

_STEPS, _PATIENCE = 50, 5
"""Of expectation maximisation, at most, and how many may pass without being any better."""
_FEWEST_ROWS = 20
_MOST_POINTS = 20_000
"""Latent vectors, and rows of training, that are looked at."""
_DRAWS, _MANY_DRAWS = 10_000, 30_000
"""Drawn rows whose moments are compared with those of the data; more for those of many rows."""
_FEWEST_OF_LABEL = 30
"""A label of a category with fewer rows has no moments."""
_MOST_FEATURES, _MOST_TERMS, _MANY_TERMS = 1000, 300, 600
_MANY_ROWS = 1000
"""From so many rows on the deviation of each label's rows is a moment, too, and how many rows are
above some thresholds."""
_THRESHOLDS = 0.1, 0.3, 0.5, 0.7, 0.9
"""The shares of the rows that are not above them."""
_RIDGE = 30.0
"""How many times the variance of a mean moments are held loosely by. Measured: docs/training.md."""
_LEAST_EFFECTIVE = 0.5
"""The effective share of the drawn rows; where it is less, moments are held more loosely."""
_MOST_WEIGHT = 6.0
"""Weights are cut at it: so one of six drawn rows or more is kept."""


class Calibration(NamedTuple):
    """What `calibrate` changed.

    Attributes
    ----------
    nats : by how many nats a row the prior predicts held-out z better; 0 if it is as it was
    moments : how many means of columns and of their products drawn rows are weighted by
    effective : as how many independent rows a weighted one counts, from 0 to 1
    """

    nats: float
    moments: int
    effective: float


@public
def calibrate(model: Model, x: Any, valid: Any = None, seed: int = 0) -> Calibration:
    """Fit what new rows are drawn from to the rows x (N, D) that the model was trained on.

    And what gaps are filled with. Five things, in place, after training and in seconds:

    1. A prior that is a `Mixture` is fitted to draws of the posteriors q(z given x) by expectation
       maximisation, which is the best that the ELBO can get of it. It is kept if z of held-out rows
       are likelier under it. Other priors stay.
    2. ``sample(take="draw")`` keeps rows with a probability that makes the means, squares and
       products of their columns those of x, as nearly as so few rows bear: `data.tilt.Tilt`. Weak
       associations are not worth a latent dimension's nats to training, so draws lacked them.
    3. ``sample(take="draw")`` has columns that are a function of another in all of x as what they
       are there, and so has `impute` where the other is known: `data.functions.Functions`.
    4. `impute` moves the numbers that it fills gaps with towards linear guesses (`data.linear`),
       and then towards those of rows that are near (`data.neighbours`), by weights that cells of x
       decide which are hidden for it. For models that take gaps. Where rows nearby help, the model
       keeps 8,000 rows of x at most, in its file as well; `model.neighbours = None` forgets them.
    5. Draws that fill gaps are as wide as cells of `valid` ask for, which are hidden for it:
       `data.widths.Widths`.

    Log-likelihoods and bounds are those of the model without the last four, which are for `VAE`
    alone.

    Parameters
    ----------
    model : Model, without a context
    x : (N, D) array
    valid : (M, D) array, optional
        Rows that were held out; without them, a tenth of x judges the prior.
    seed : int
        Of the draws.

    Returns
    -------
    Calibration
        What it did, in figures.
    """
    if model.context_dim:
        raise ConfigError("what a conditional model draws is not calibrated; leave it as it is.")
    x, rng = as_array(x, "x"), np.random.default_rng([whole("seed", seed, least=0), 0])
    nats = _fit_prior(model, x, valid, rng)
    model.tilt = tilt = None
    model.linear = model.neighbours = model.functions = model.widths = None
    effective = 1.0
    kept = inspect.signature(type(model)).parameters  # what its files would keep
    if "functions" in kept:
        fit_functions(model, np.asarray(x, np.float64))
    if "tilt" in kept:
        tilt, effective = _tilt(model, np.asarray(x, np.float64), seed)
        model.tilt = tilt
    if "linear" in kept:
        fit_guesses(model, x, seed)
        if valid is not None:
            fit_widths(model, as_array(valid, "valid"), seed)
    return Calibration(nats, 0 if tilt is None else len(tilt.terms), effective)


@public
def fit_prior(
    model: AnyModel, x: Any, valid: Any = None, n_components: int = 30, seed: int = 0
) -> AnyModel:
    """A model of the same networks whose prior is a `Mixture`, fitted to the posteriors of x.

    Whatever prior it was trained with, drawn z then lie where those of the rows do. If z of rows
    that were held out are no likelier under it, what is given is a copy of the model.

    Parameters
    ----------
    model : Model, with one latent level and without a context
    x : (N, D) array
        The rows that it was trained on.
    valid : (M, D) array, optional
        Rows that were held out; without them, a tenth of x judges the prior.
    n_components : int
    seed : int
        Of the draws from the posteriors, and of the components' starts.

    Returns
    -------
    Model

    Source: Dempster, Laird & Rubin 1977; of the aggregate posterior as the best prior, Hoffman &
    Johnson 2016.
    """
    n = whole("n_components", n_components)
    check_prior_can_be_fitted(model, n, len(as_array(x, "x")))
    rng = np.random.default_rng([whole("seed", seed, least=0), 0])
    z, held_out, before = _points(model, as_array(x, "x"), valid, rng)
    fitted, score = _most_likely(started(z, n, rng), z, held_out)
    if score <= before:
        return model.copy()
    config = {**model.config, "prior": {"name": "mixture", "n_components": n}}
    own = {name: a for name, a in model.params.items() if not name.startswith("prior.")}
    of_prior = {f"prior.{name}": array for name, array in fitted._asdict().items()}
    make: Any = type(model)
    made: AnyModel = make(**config, parameters={**own, **of_prior})
    return made


def check_prior_can_be_fitted(model: Model, n_components: int, n_rows: int) -> None:
    """Raise `ConfigError` for a model that `fit_prior` does not take, or too many components."""
    if n_components > n_rows:
        raise ConfigError(
            f"a prior that is fitted to {n_rows} rows has as many components at most; got "
            f"{n_components}."
        )
    if model.context_dim or len(model.levels) != 1 or getattr(model, "prior", None) is None:
        raise ConfigError(
            "a prior is fitted for a model with one latent level, a prior of its own and no "
            f"context; this is a {type(model).__name__} that is conditioned or has "
            f"{len(model.levels)} levels."
        )


def _fit_prior(model: Model, x: Array, valid: Any, rng: np.random.Generator) -> float:
    """Fit a prior that is a mixture, in place; by how many nats held-out z are likelier."""
    prior: Any = getattr(model, "prior", None)
    if type(prior) is not Mixture or len(model.levels) != 1 or len(x) < _FEWEST_ROWS:
        return 0.0
    z, held_out, _ = _points(model, x, valid, rng)
    own = prior.mu, prior.logvar, prior.logits
    start = Gaussians(*(array.astype(np.float64) for array in own))
    before = float(start.log_prob(held_out).mean())
    best, score = _most_likely(start, z, held_out)
    if score > before:
        for old, new in zip(own, best, strict=True):
            old[...] = new
    return score - before


def _points(
    model: Model, x: Array, valid: Any, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    """z (n, Z) to fit a prior to, such as judge it, and the mean log p(z) of these as it is."""
    z, log_p = _latent(model, x[:: -(-len(x) // _MOST_POINTS)], rng)
    if valid is None or not len(valid):
        held_out, log_p = z[:, ::10], log_p[:, ::10]
        z = np.delete(z, np.s_[::10], axis=1)
    else:
        held_out, log_p = _latent(model, valid, rng)
    return z.reshape(-1, z.shape[-1]), held_out.reshape(-1, z.shape[-1]), float(log_p.mean())


def _most_likely(g: Gaussians, z: Array, held_out: Array) -> tuple[Gaussians, float]:
    """Of the steps of expectation maximisation the one that held-out points are likeliest after."""
    best, score, since = g, float(g.log_prob(held_out).mean()), 0
    for _ in range(_STEPS):
        g, since = improved(g, z), since + 1
        now = float(g.log_prob(held_out).mean())
        if now > score:
            best, score, since = g, now, 0
        if since == _PATIENCE:
            break
    return best, score


def _latent(model: Model, x: Any, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draws z (S, N, Z) of the posteriors of rows, enough in all, and log p(z) (S, N)."""
    samples = max(1, min(20, _MOST_POINTS // len(x)))
    level: Any = model.levels[0]
    drawn, log_ps = [], []
    for batch, _ in model.batches(x, None):
        eps = model.draw_noise(len(batch), samples, rng)
        (z, _), _ = level.posterior.draw(model.posteriors(batch, None)[0], eps, density=False)
        drawn.append(z.astype(np.float64))
        log_pz, _ = level.prior.forward(z, *model.prior_inputs(None))
        log_ps.append(log_pz.astype(np.float64))
    return np.concatenate(drawn, axis=1), np.concatenate(log_ps, axis=1)


def _tilt(model: Model, x: Array, seed: int) -> tuple[Tilt | None, float]:
    """The tilt, and the effective share of the rows drawn; None where there is nothing to tilt."""
    found = _features(model, x)
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


def _features(model: Model, x: Array) -> tuple[Array, ...] | None:
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
    high = _thresholds(x, plain[0][np.isnan(plain[1])])
    if len(x) < _MANY_ROWS or not 0 < len(high) <= _MOST_FEATURES - len(plain[0]):
        return *plain, mean[varies], spread[varies]
    of, above, share = high.T
    more = of.astype(np.intp), np.full(len(of), np.nan), above, share, np.sqrt(share * (1 - share))
    fewer = (*plain, mean[varies], spread[varies])
    return tuple(np.concatenate(pair) for pair in zip(fewer, more, strict=True))


def _thresholds(x: Array, columns: Array) -> Array:
    """Column, threshold and the share of rows above it, (T, 3), of columns that are numbers."""
    found = []
    for j in columns.tolist():
        known = x[~np.isnan(x[:, j]), j]
        if len(np.unique(known)) > 2:
            for above in np.unique(np.quantile(known, _THRESHOLDS, method="lower")).tolist():
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

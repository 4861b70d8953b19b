"""After training: what new rows are drawn from is fitted once more to the rows of training."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..core.arrays import as_array
from ..core.checks import whole
from ..core.errors import ConfigError
from ..core.public import public
from ..data.gaussians import Gaussians, improved, started
from ..gaps.guesses import fit_functions, fit_guesses
from ..gaps.spread import fit_widths
from ..models import Model
from ..models.owner import CALIBRATED
from ..priors import Mixture
from .redraws import fit_redraws
from .tilting import fit_tilt

Array = np.ndarray
AnyModel = TypeVar("AnyModel", bound=Model)

_STEPS, _PATIENCE = 50, 5
"""Of expectation maximisation, at most, and how many may pass without being any better."""
_FEWEST_ROWS = 20
_MOST_POINTS = 20_000
"""Latent vectors, and rows of training, that are looked at."""


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

    And what gaps are filled with. Six things, in place, after training and in seconds:

    1. A prior that is a `Mixture` is fitted to draws of the posteriors q(z given x) by expectation
       maximisation, which is the best that the ELBO can get of it. It is kept if z of held-out rows
       are likelier under it. Other priors stay.
    2. ``sample(take="draw")`` keeps rows with a probability that makes the means, squares and
       products of their columns those of x, as nearly as so few rows bear: `data.tilt.Tilt`. Weak
       associations are not worth a latent dimension's nats to training, so draws lacked them.
    3. ``sample(take="draw")`` has columns that are a function of another in all of x as what they
       are there, and so has `impute` where the other is known: `data.functions.Functions`.
    4. ``sample(take="draw")`` draws labels anew given the other columns, where these say more of
       them in x than the model and its draws do: `data.redraws.Redraws`.
    5. `impute` moves the numbers that it fills gaps with towards linear guesses (`data.linear`),
       and then towards those of rows that are near (`data.neighbours`), by weights that cells of x
       decide which are hidden for it. For models that take gaps. Where rows nearby help, the model
       keeps 8,000 rows of x at most, in its file as well; `model.neighbours = None` forgets them.
    6. Draws that fill gaps are as wide as cells of `valid` ask for, which are hidden for it:
       `data.widths.Widths`.

    Log-likelihoods and bounds are those of the model without the last five, which are for `VAE`
    alone.

    Parameters
    ----------
    model : Model, without a context
    x : (N, D) array
    valid : (M, D) array, optional
        Rows that were held out; without them, a tenth of x judges the prior and which labels are
        drawn anew, and the sixth is left out.
    seed : int
        Of the draws.

    Returns
    -------
    Calibration
        What it did, in figures.

    Raises
    ------
    DataError
        If x or valid are not such data as the model takes.
    ConfigError
        If the model has a context.
    """
    if model.context_dim:
        raise ConfigError("what a conditional model draws is not calibrated; leave it as it is.")
    rng = np.random.default_rng([whole("seed", seed, least=0), 0])
    rows = model.reader(x).whole()
    held_out = None if valid is None or not len(valid) else model.reader(valid, "valid").whole()
    nats = _fit_prior(model, rows, held_out, rng)
    for name in CALIBRATED:
        setattr(model, name, None)
    tilt, effective = None, 1.0
    kept = inspect.signature(type(model)).parameters  # what its files would keep
    if "functions" in kept:
        fit_functions(model, rows)
    if "redraws" in kept:
        model.redraws = fit_redraws(model, rows, held_out, seed)
    if "tilt" in kept:
        tilt, effective = fit_tilt(model, rows, seed)
        model.tilt = tilt
    if "linear" in kept:
        fit_guesses(model, rows, seed)
    if "widths" in kept and held_out is not None:
        fit_widths(model, held_out, seed)
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

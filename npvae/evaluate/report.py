"""What is likely wrong with a trained model, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..core.public import public
from ..models.base import Model
from ..posteriors import LOGVAR_BOUNDS
from .course import last_tenth, losses_of, risen, still_falling, warming_up
from .measures import active_units

Array = np.ndarray

_ROWS = 1000
"""So many rows tell as much as all."""
_FAR = 4.0
"""Standard errors between training and held-out rows that chance does not explain."""
_WORTH = 0.02
"""The share of the bound that a difference must be, to be worth a word."""
_SHADES = 0.6
"""The share of entries well inside (0, 1) that images of ink on paper do not have."""


class Finding(NamedTuple):
    """What is wrong, and what mends it: in Python, and as an option of ``npvae train``."""

    what: str
    python: str
    option: str


@public
def report(
    model: Model, x: Any, valid: Any = None, history: Any = None, seed: int = 0
) -> list[str]:
    """What is likely wrong with a trained model, each with its remedy; [] if all is well.

    Parameters
    ----------
    model : Model
    x : (N, D) array, or (array, context)
        Rows that it was trained on; at most 1,000 of them are looked at.
    valid : (M, D) array, or (array, context), optional
        Rows that it was not trained on: without them nothing is said of overfitting.
    history : History, optional
        As `fit` gave it: without it nothing is said of losses that were still falling, of the epoch
        since which they rise, and of a warm-up that did not end.
    seed : int
        Of the bounds' noise and of the rows.

    Returns
    -------
    list of str
    """
    records = [] if history is None else history.records
    found = [*of_the_model(model, x, valid, seed), *of_the_warm_up(records)]
    if valid is not None:
        found += _overfitted(model, _some(x, seed), _some(valid, seed), records, seed)
    return [f"{one.what}: {one.python}." for one in [*found, *_still_falling(records)]]


def of_the_model(model: Model, x: Any, valid: Any = None, seed: int = 0) -> list[Finding]:
    """What some of the rows tell of a model: at most three things.

    Whether a likelihood fits is told by held-out rows, if there are any, since a model comes as
    close as it can to those that it was trained on.
    """
    train = _some(x, seed)
    held_out = train if valid is None else _some(valid, seed)
    found = [*_collapsed(model, *train), *_misfit(model, *held_out)]
    return [*found, *_at_the_bound(model, *train)]


def of_the_warm_up(records: list[dict[str, Any]]) -> Iterator[Finding]:
    """Whether beta was still rising as training ended."""
    beta = warming_up(records)
    if beta is not None:
        yield Finding(
            f"the warm-up had not ended: beta was {beta:.3g} and rising, and the loss is no bound "
            "that compares with others",
            "train longer, or let beta rise in fewer epochs",
            "more --epochs, or a smaller --warmup",
        )


def _some(x: Any, seed: int) -> tuple[Any, Any]:
    """Some of the rows, with their context."""
    x, context = x if isinstance(x, tuple) else (x, None)
    if len(x) <= _ROWS:
        return x, context
    rows = np.sort(np.random.default_rng(seed).choice(len(x), _ROWS, replace=False))
    x = x.iloc[rows] if hasattr(x, "iloc") else x[rows]
    return x, None if context is None else np.asarray(context)[rows]


def _collapsed(model: Model, x: Any, context: Any) -> Iterator[Finding]:
    if not model.levels:
        return
    units = active_units(model, x, context=context)
    if not units.any():
        yield Finding(
            f"none of {len(units)} latent dimensions is in use, and all rows are reconstructed "
            "alike (the posterior has collapsed onto the prior)",
            "raise beta from 0 (beta=nv.Linear(0, 1, epochs)), or give free_bits",
            "--warmup, or --free-bits",
        )
    elif units.sum() < len(units) / 2 and model.levels[0].posterior.own_z_dim is None:
        yield Finding(
            f"{units.sum()} of {len(units)} latent dimensions are in use",
            f"z_dim={max(1, int(units.sum()))} does as well; to have more in use, raise beta from "
            "0 (beta=nv.Linear(0, 1, epochs)) or give free_bits",
            f"--z-dim {units.sum()} does as well; --warmup or --free-bits may bring more into use",
        )


def _misfit(model: Model, x: Any, context: Any) -> Iterator[Finding]:
    """Whether rows lie about their reconstructions as the likelihood says."""
    name = model.likelihood.name
    if name == "bernoulli":
        yield from _no_zeros_and_ones(model, x, context)
    if name not in ("poisson", "gaussian"):
        return
    squares, mean = _residuals(model, x, context)
    if name == "poisson":
        spread = float(np.nanmean(squares)) / max(float(np.nanmean(mean)), 1e-9)
        if spread > 2:
            library = ":library=true" if model.likelihood.library else ""
            yield _take(
                f"negative_binomial{library}",
                f"counts vary {spread:.3g} times as much as Poisson's allow",
            )
        return
    spread = float(np.sqrt(np.nanmean(squares)) / model.likelihood.scale)
    if not 0.5 < spread < 2:
        yield _take(
            "gaussian_column_scale",
            f"rows lie {spread:.3g} times as far from their reconstructions as Gaussian(scale="
            f"{model.likelihood.scale:g}) says",
            ", which learns it",
        )


def _no_zeros_and_ones(model: Model, x: Any, context: Any) -> Iterator[Finding]:
    """Whether what a Bernoulli takes for zeros and ones, or ink on paper, is something else."""
    rows = _batch(model, x, context)
    known = rows[~np.isnan(rows)]
    if not known.size:
        return
    if model.scale and known.max() < 0.25 and np.asarray(x).dtype.kind in "iu":
        most = int(np.asarray(x).max())
        yield _take(
            "negative_binomial",
            f"rows are whole numbers up to {most}, and were divided by {model.scale:g} as bytes of "
            "images are",
            " if they are counts",
        )
    elif np.mean((known > 0.1) & (known < 0.9)) > _SHADES:
        yield _take(
            "continuous_bernoulli",
            "rows are shades more than zeros and ones, of which a Bernoulli's log p is no density",
            " or gaussian_column_scale to compare it",
        )


def _take(likelihood: str, what: str, so_that: str = "") -> Finding:
    """A finding that another likelihood mends."""
    python, option = f"take likelihood='{likelihood}'", f"--likelihood {likelihood}"
    return Finding(what, python + so_that, option + so_that)


def _batch(model: Model, x: Any, context: Any) -> Array:
    """Rows as the likelihood takes them."""
    return np.concatenate([np.asarray(rows, np.float64) for rows, _ in model.batches(x, context)])


def _residuals(model: Any, x: Any, context: Any) -> tuple[Array, Array]:
    """Rows' squared distances from their reconstructions, and these, as the likelihood has x."""
    z, at = model.centres(x, context)[0], 0
    squares, means = [], []
    for xb, cb in model.batches(x, context):
        theta = model.theta(z[at : at + len(xb)], cb)
        mean = model.likelihood.mean(model.likelihood.for_rows(theta, xb)).astype(np.float64)
        squares.append((xb - mean) ** 2)
        means.append(mean)
        at += len(xb)
    return np.concatenate(squares), np.concatenate(means)


def _at_the_bound(model: Model, x: Any, context: Any) -> Iterator[Finding]:
    if not model.levels or any(level.posterior.relaxes for level in model.levels):
        return
    encoded = model.encode(x, context)
    logvars = [pair[1] for pair in (encoded if isinstance(encoded, list) else [encoded])]
    low, high = LOGVAR_BOUNDS
    if any(np.any((logvar < low + 1) | (logvar > high - 1)) for logvar in logvars):
        yield Finding(
            f"a posterior's log-variance is at its bound of {low:g} or {high:g}: inputs are likely "
            "far apart in size, or steps too large",
            "give standardise=True, or a smaller lr",
            "a smaller --lr, or columns scaled to mean 0 and deviation 1",
        )


def _overfitted(
    model: Model,
    train: tuple[Any, Any],
    valid: tuple[Any, Any],
    records: list[dict[str, Any]],
    seed: int,
) -> Iterator[Finding]:
    """Whether held-out rows are worse, and their loss had turned before the weights' epoch."""
    bounds = [model.elbo(x, 5, seed, context) for x, context in (train, valid)]
    apart = bounds[0].mean() - bounds[1].mean()
    error = np.sqrt(sum(bound.var() / len(bound) for bound in bounds))
    if not apart > max(_FAR * error, _WORTH * abs(bounds[1].mean())):
        return
    turned = ""
    name, losses = losses_of(records) if records else ("", [])
    if name == "validation loss":
        best = risen(losses)
        kept = abs(-bounds[1].mean() - min(losses)) < abs(-bounds[1].mean() - losses[-1])
        if best is None or kept:
            return  # a gap that more training did not widen at their cost
        turned = f"; their loss was least after epoch {best}"
    yield Finding(
        f"rows that it was not trained on are {apart:.3g} nats worse{turned}",
        "stop when their loss does not fall (nv.EarlyStopping), or take narrower hidden layers or "
        "weight decay (nv.Adam(weight_decay=...))",
        "--patience keeps the best epoch; or a narrower --hidden, or --weight-decay",
    )


def _still_falling(records: list[dict[str, Any]]) -> Iterator[Finding]:
    name, losses = losses_of(records) if records else ("", [])
    fall = still_falling(losses)
    if fall is not None:
        tenth = last_tenth(len(losses))
        epochs = "epoch" if tenth == 1 else f"{tenth} epochs"
        yield Finding(
            f"the {name} was still falling, by {fall:.2g} nats in the last {epochs}",
            "train longer",
            "more --epochs",
        )

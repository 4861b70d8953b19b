"""What is likely wrong with a trained model, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.public import public
from ..models.base import Model
from ..posteriors import LOGVAR_BOUNDS
from .measures import active_units

Array = np.ndarray

_ROWS = 1000
"""So many rows tell as much as all."""
_FAR = 4.0
"""Standard errors between training and held-out rows that chance does not explain."""
_WORTH = 0.02
"""The share of the bound that a difference must be, to be worth a word."""


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
        As `fit` gave it: without it nothing is said of losses that were still falling.
    seed : int
        Of the bounds' noise and of the rows.
    """
    rows, context = _some(x, seed)
    found = [*_collapsed(model, rows, context), *_misfit(model, rows, context)]
    found += _at_the_bound(model, rows, context)
    if valid is not None:
        found += _overfitted(model, (rows, context), _some(valid, seed), seed)
    if history is not None:
        found += _still_falling(history)
    return found


def _some(x: Any, seed: int) -> tuple[Array, Any]:
    """Some of the rows, with their context."""
    x, context = x if isinstance(x, tuple) else (x, None)
    x = np.asarray(x)
    if len(x) <= _ROWS:
        return x, context
    rows = np.sort(np.random.default_rng(seed).choice(len(x), _ROWS, replace=False))
    return x[rows], None if context is None else np.asarray(context)[rows]


def _collapsed(model: Model, x: Array, context: Any) -> Iterator[str]:
    units = active_units(model, x, context=context)
    if model.levels and units.sum() < len(units) / 2:
        yield (
            f"{units.sum()} of {len(units)} latent dimensions are in use: a smaller z_dim does as "
            "well; if rows are reconstructed badly, raise beta from 0 (beta=nv.Linear(0, 1, "
            "epochs), --warmup) or give free_bits."
        )


def _misfit(model: Model, x: Array, context: Any) -> Iterator[str]:
    """Whether rows lie about their reconstructions as the likelihood says."""
    name = model.likelihood.name
    if name not in ("poisson", "gaussian"):
        return
    given = model.reader(x).batch(slice(None)).astype(np.float64)
    mean = model.reconstruct(x, context=context).astype(np.float64)
    if model.units is not None:
        mean = (mean - model.units.mean) / model.units.scale
    squares = (given - mean) ** 2
    if name == "poisson":
        spread = float(np.nanmean(squares)) / max(float(np.nanmean(mean)), 1e-9)
        if spread > 2:
            yield (
                f"counts vary {spread:.3g} times as much as Poisson's allow: take "
                "likelihood='negative_binomial'."
            )
        return
    spread = float(np.sqrt(np.nanmean(squares)) / model.likelihood.scale)
    if not 0.5 < spread < 2:
        yield (
            f"rows lie {spread:.3g} times as far from their reconstructions as Gaussian(scale="
            f"{model.likelihood.scale:g}) says: take likelihood='gaussian_column_scale', which "
            "learns it."
        )


def _at_the_bound(model: Model, x: Array, context: Any) -> Iterator[str]:
    encoded = model.encode(x, context)
    pairs = encoded if isinstance(encoded, list) else [encoded]
    for pair in pairs if model.levels else ():
        if np.any(pair[1] > LOGVAR_BOUNDS[1] - 1) or np.any(pair[1] < LOGVAR_BOUNDS[0] + 1):
            yield (
                "a posterior's log-variance is at its bound: inputs are likely far apart in size; "
                "give standardise=True or a smaller learning rate."
            )
            return


def _overfitted(
    model: Model, train: tuple[Array, Any], valid: tuple[Array, Any], seed: int
) -> Iterator[str]:
    bounds = [model.elbo(x, 5, seed, context) for x, context in (train, valid)]
    apart = bounds[0].mean() - bounds[1].mean()
    error = np.sqrt(sum(bound.var() / len(bound) for bound in bounds))
    if apart > max(_FAR * error, _WORTH * abs(bounds[1].mean())):
        yield (
            f"rows that it was not trained on are {apart:.3g} nats worse: stop when their loss "
            "does not fall (nv.EarlyStopping, --patience), or take narrower hidden layers."
        )


def _still_falling(history: Any) -> Iterator[str]:
    losses = [r["valid_loss"] for r in history.records if r.get("valid_loss") is not None]
    last = max(3, len(losses) // 10)
    if len(losses) < 2 * last:
        return
    fall = float(np.mean(losses[-2 * last : -last]) - np.mean(losses[-last:]))
    if fall > 0.25 * _WORTH * abs(losses[-1]):
        yield (
            f"the validation loss was still falling, by {fall:.2g} nats in the last {last} epochs: "
            "train longer."
        )

"""What a model makes of a table's rows, column by column: guesses, and how good they are."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from ..core.arrays import as_array
from ..core.progress import counting
from ..core.public import public
from .distributions import negative_binomial, student_t
from .kinds import Column

Array = np.ndarray


@public
def guess(model: Any, z: Any, context: Any = None) -> Array:
    """The model's best guess of the rows of latent vectors z (N, Z): (N, D), as x has them.

    The mean of p(x given z) for numbers and counts; for a category, ordered or not, the likeliest
    label, since a mean is none; and for a flag its probability.

    Parameters
    ----------
    model : Model, with a schema
    z : (N, Z) array
    context : (N, C) array, optional

    Returns
    -------
    (N, D) array
    """
    guesses = np.array(model.decode(z, context))
    labels = model.schema.where("category", "ordered")
    if labels:
        guesses[:, labels] = model.decode(z, context, "mode")[:, labels]
    return guesses


@public
def nats_saved(
    model: Any,
    x: Any,
    reference: Any = None,
    seed: int = 0,
    progress: bool = False,
    context: Any = None,
) -> Array:
    """How many nats the model saves in each column over the column's own distribution, (D,).

    The mean, over the rows where the column is known, of log p(x_j given z), z drawn from
    q(z given x), less the log p of a model that knows nothing of the row: Student's t, a
    negative binomial or a frequency for each label, fitted to the column alone. A column that is
    not reconstructed at all has 0, and NaN if x never knows it. Units have no influence.

    Parameters
    ----------
    model : Model, with a schema
    x : (N, D) array
    reference : (M, D) array, optional
        The rows that the columns' distributions are fitted to, such as those of training; by
        default x.
    seed : int
        Of the draws of z.
    progress : bool
        Whether a bar shows on a terminal.
    context : (N, C) array, optional
        Of the rows x, for a model that has one.

    Returns
    -------
    (D,) array
    """
    x = as_array(x, "x").astype(np.float64)
    reference = x if reference is None else as_array(reference, "reference").astype(np.float64)
    saved = -column_nats(model, x, seed, context)
    columns = model.schema.modelled
    with counting(len(columns), "columns") if progress else nullcontext(lambda done: None) as count:
        for j, column in enumerate(columns):
            known = reference[:, j][~np.isnan(reference[:, j])]
            saved[:, j] -= _log_p_alone(column, known, x[:, j])
            count(1)
    counts = (~np.isnan(saved)).sum(0)
    with np.errstate(invalid="ignore"):
        return np.nansum(saved, axis=0) / counts


@public
def column_nats(model: Any, x: Any, seed: int = 0, context: Any = None) -> Array:
    """-log p(x_j given z) of each entry, (N, D), in nats, at one draw of z from q(z given x).

    NaN where x is.

    Parameters
    ----------
    model : Model, with a schema
    x : (N, D) array
    seed : int
        Of the draws.
    context : (N, C) array, optional

    Returns
    -------
    (N, D) array
    """
    rng = np.random.default_rng(seed)
    log_scale = 0.0 if model.units is None else np.array(model.units.log_scale)
    nats = []
    for xb, cb in model.batches(x, context):
        theta = model.drawn_theta(xb, model.draw_noise(len(xb), 1, rng), cb)
        entries = model.likelihood.entries(theta[0], xb)
        nats.append(np.where(np.isnan(xb), np.nan, log_scale - entries))
    return np.concatenate(nats)


def _log_p_alone(column: Column, known: Array, x: Array) -> Array:
    """log p of a column's entries x (N,) by the distribution of its known values."""
    if column.labels:
        shares = np.bincount(known.astype(int), minlength=len(column.labels)) + 0.5
        place = np.where(np.isnan(x), 0, x).astype(int)
        return np.where(np.isnan(x), np.nan, np.log(shares / shares.sum())[place])
    if column.marginal is not None:
        return column.marginal.log_prob(x)
    alone = student_t if column.modelled_as == "number" else negative_binomial
    return np.where(np.isnan(x), np.nan, alone(known, x))

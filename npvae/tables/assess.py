"""What a model makes of a table's rows, column by column: guesses, and how good they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core.arrays import as_array
from ..core.public import public
from .distributions import negative_binomial
from .kinds import Column
from .schema import LIKELIHOODS

Array = np.ndarray


@public
def guess(model: Any, z: Any) -> Array:
    """The model's best guess of the rows of latent vectors z (N, Z): (N, D), as x has them.

    The mean of p(x given z) for numbers and counts; for a category, ordered or not, the likeliest
    label, since a mean is none; and for a flag its probability.
    """
    guesses = np.array(model.decode(z))
    labels = model.schema.where("category", "ordered")
    if labels:
        guesses[:, labels] = model.decode(z, take="mode")[:, labels]
    return guesses


@public
def nats_saved(model: Any, x: Any, reference: Any = None, seed: int = 0) -> Array:
    """How many nats the model saves in each column over the column's own distribution, (D,).

    The mean, over the rows where the column is known, of log p(x_j given z), z drawn from
    q(z given x), less the log p of a model that knows nothing of the row: Student's t, a
    negative binomial or a frequency for each label, fitted to the column alone. A column that is
    not reconstructed at all has 0, and NaN if x never knows it. Units have no influence.

    Parameters
    ----------
    x : (N, D) array
    reference : (M, D) array, optional
        The rows that the columns' distributions are fitted to, such as those of training; by
        default x.
    """
    x = as_array(x, "x").astype(np.float64)
    reference = x if reference is None else as_array(reference, "reference").astype(np.float64)
    saved = -column_nats(model, x, seed)
    for j, column in enumerate(model.schema.modelled):
        known = reference[:, j][~np.isnan(reference[:, j])]
        saved[:, j] -= _log_p_alone(column, known, x[:, j])
    counts = (~np.isnan(saved)).sum(0)
    with np.errstate(invalid="ignore"):
        return np.nansum(saved, axis=0) / counts


@public
def column_nats(model: Any, x: Any, seed: int = 0) -> Array:
    """-log p(x_j given z) of each entry, (N, D), in nats, at one draw of z from q(z given x).

    NaN where x is.
    """
    rng = np.random.default_rng(seed)
    log_scale = 0.0 if model.units is None else np.array(model.units.log_scale)
    nats = []
    for xb, _ in model.batches(x, None):
        terms, _ = model.forward(xb, model.draw_noise(len(xb), 1, rng), needs=("log_px", "z"))
        theta = model.theta(terms.levels[0].z, None)
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
    if column.modelled_as == "number":
        mean, scale, df = _student_t(known)
        log_p = k.student_t(*_as_kernel(x, mean, np.log(scale)), df)[0][0]
    else:
        log_p = negative_binomial(known, x)
    return np.where(np.isnan(x), np.nan, log_p)


def _student_t(x: Array, steps: int = 50) -> tuple[float, float, float]:
    """Mean, scale and degrees of freedom of the Student's t that x is likeliest under, by EM.

    Source: Lange, Little & Taylor 1989, section 4.
    """
    df = float(LIKELIHOODS["number"]["df"])
    mean, scale = x.mean(), x.std() or 1.0
    for _ in range(steps if x.std() else 0):
        weights = (df + 1) / (df + np.square((x - mean) / scale))
        mean = (weights @ x) / weights.sum()
        scale = np.sqrt(weights @ np.square(x - mean) / len(x))
    return mean, scale, df


def _as_kernel(x: Array, location: float, log_spread: float) -> tuple[Array, Array, Array]:
    """The arguments of a likelihood's kernel for entries x (N,): each is a row of one column."""
    shape = (1, len(x), 1)
    return np.full(shape, location), x[:, None], np.full(shape, log_spread)

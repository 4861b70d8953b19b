"""How good a trained model is: bounds, likelihoods, and how much of the latent space is used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.checks import number
from ..core.errors import ConfigError
from ..core.public import public
from ..models import Model
from .likelihood import FEW, log_likelihood

Array = np.ndarray


@public
def active_units(model: Model, x: Any, threshold: float = 0.01, context: Any = None) -> Array:
    """Which latent dimensions are used: those whose posterior mean varies over the data, (Z,) bool.

    A dimension is active where the variance over x of E[z given x] is above `threshold`. With
    several latent levels, Z counts the dimensions of all; those of the level next to x come first.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    threshold : float
    context : (N, C) array, or labels, optional

    Returns
    -------
    (Z,) array of bool

    Source: Burda et al. 2016, section 5.2.
    """
    threshold = number("threshold", threshold, least=0)
    variances = [z.var(axis=0, dtype=np.float64) for z in model.centres(x, context)]
    return np.concatenate(variances) > threshold


@public
def reconstruction_error(model: Model, x: Any, context: Any = None) -> dict[str, float]:
    """How far the known entries of x lie from what is decoded at the posteriors' centres.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    context : (N, C) array, or labels, optional

    Returns
    -------
    dict
        ``rmse``, the root of the mean squared error, and ``mae``, the mean absolute error, over all
        entries, in units of x: for bytes that the model divides by 255, of what it makes of them.

    Raises
    ------
    DataError
        If x is not such data as the model takes.
    """
    reader, made = model.reader(x), model.reconstruct(x, context)
    sums, known = np.zeros(2), 0
    for rows in reader.chunks():
        off = reader.array[rows] / (reader.scale or 1) - made[rows].astype(np.float64)
        off = off[~np.isnan(off)]
        sums += np.square(off).sum(), np.abs(off).sum()
        known += off.size
    squares, absolute = sums / max(known, 1)
    return {"rmse": float(np.sqrt(squares)), "mae": float(absolute)}


@public
def metrics(
    model: Model,
    x: Any,
    n_samples: int = 5000,
    seed: int = 0,
    context: Any = None,
    progress: bool = False,
) -> dict[str, Any]:
    """The figures by which VAEs are compared, means over the rows of x.

    Rows that the model was trained on flatter it: give it others.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    n_samples : int
        K, the importance samples of each row.
    seed : int
        Of the noise.
    context : (N, C) array, or labels, optional
    progress : bool
        Whether a bar shows on a terminal how far it is.

    Returns
    -------
    dict
        ``n`` rows; ``elbo``, ``rec`` = -E_q[log p(x given z)] and ``kl`` with elbo = -(rec + kl);
        ``log_likelihood`` importance-sampled with `n_samples`, and ``log_likelihood_se``, its
        standard error over the rows (None for a single one); ``monte_carlo_se``, that of the
        sampling alone; all in nats per example. ``effective_samples`` is the median over rows of
        the effective sample size, and ``few_effective`` the rows where it is below 10, also after
        `log_likelihood` has refined their posterior (``proposal="adaptive"``). What is
        importance-sampled is None of a model without densities (an autoencoder, or one that sums
        out a label). ``active_units`` counts the latent dimensions in use, of ``z_dim``.

    Raises
    ------
    DataError
        If x is not such data as the model takes.
    """
    log_px, kl = model.elbo_terms(x, seed=seed, context=context)
    rec = -log_px
    sampled = dict.fromkeys(_SAMPLED)
    if model.has_density:
        found = log_likelihood(
            model, x, n_samples, seed, context, progress, diagnostics=True, proposal="adaptive"
        )
        sampled = _summary(n_samples, *found)
    units = active_units(model, x, context=context)
    return {
        "n": len(rec),
        "elbo": float(-(rec + kl).mean()),
        "rec": float(rec.mean()),
        "kl": float(kl.mean()),
        **sampled,
        "active_units": int(units.sum()),
        "z_dim": len(units),
    }


_SAMPLED = (
    "log_likelihood", "log_likelihood_se", "n_samples", "monte_carlo_se", "effective_samples",
    "few_effective",
)  # fmt: skip


def _summary(n_samples: int, log_p: Array, error: Array, effective: Array) -> dict[str, Any]:
    """What `metrics` says of importance-sampled log-likelihoods (N,)."""
    n = len(log_p)
    return {
        "log_likelihood": float(log_p.mean()),
        "log_likelihood_se": float(log_p.std(ddof=1) / np.sqrt(n)) if n > 1 else None,
        "n_samples": n_samples,
        "monte_carlo_se": float(np.sqrt((error**2).sum()) / n) if n_samples > 1 else None,
        "effective_samples": float(np.median(effective)),
        "few_effective": int((effective < FEW).sum()),
    }


@public
def accuracy(model: Any, x: Any, y: Any) -> tuple[float, int]:
    """The share of rows whose label the model predicts, and how many have one that is known.

    Parameters
    ----------
    model : SemiSupervisedVAE
    x : (N, D) array
    y : (N,) array
        Labels, -1 (or None, NaN, "") where one is not known; without any the share is NaN.

    Returns
    -------
    share : float
    n_known : int

    Raises
    ------
    DataError
        If a label is none of the model's classes.
    """
    if not model.predicts:
        raise ConfigError(
            f"accuracy is of a model that predicts labels, such as nv.SemiSupervisedVAE; "
            f"{type(model).__name__} predicts none."
        )
    y = np.asarray(y)
    known = np.flatnonzero(model.condition.known(y))
    if not len(known):
        return math.nan, 0
    predicted = model.predict_proba(np.asarray(x)[known]).argmax(-1)
    return float((predicted == model.condition.index(y[known])).mean()), len(known)

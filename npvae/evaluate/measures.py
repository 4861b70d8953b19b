"""How good a trained model is: bounds, likelihoods, and how much of the latent space is used."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from ..core.checks import number, whole
from ..core.public import public
from ..models import Model
from ..models.base import warn_of_infinite

Array = np.ndarray

_BLOCK = 1 << 22
"""Numbers in the largest array of an importance sampling block; bounds memory, not precision."""


@public
def log_likelihood(
    model: Model,
    x: Any,
    n_samples: int = 5000,
    seed: int = 0,
    context: Any = None,
    progress: bool = False,
) -> Array:
    """log p(x) of each row by importance sampling, (N,), in nats.

        log p(x) ≈ log 1/K Σ_k p(x given z_k) p(z_k) / q(z_k given x),   z_k ~ q(z given x)

    A lower bound in expectation that rises to log p(x) with K = n_samples. With `progress` a bar
    shows on a terminal.
    Source: Rezende, Mohamed & Wierstra 2014, appendix E; Burda et al. 2016, theorem 1.

    Raises
    ------
    DataError
        If x is not such data as the model takes.
    """
    n_samples = whole("n_samples", n_samples)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    estimates = []
    with _counting(progress, n_samples * len(model.reader(x))) as count:
        for xb, cb in model.batches(x, context):
            block = max(1, _BLOCK // (len(xb) * model.largest_row))
            total = np.full(len(xb), -np.inf)
            for start in range(0, n_samples, block):
                eps = model.draw_noise(len(xb), min(block, n_samples - start), rng)
                with np.errstate(over="ignore", invalid="ignore"):
                    terms, _ = model.forward(xb, eps, cb, needs=("log_px", "log_pz", "log_qz"))
                    total = np.logaddexp(total, np.logaddexp.reduce(terms.log_w, axis=0))
                count(terms.log_px.size)
            estimates.append(total - np.log(n_samples))
    log_p = np.concatenate(estimates)
    warn_of_infinite("log-likelihood", log_p, model.dtype)
    return log_p


def _counting(progress: bool, total: int) -> AbstractContextManager[Any]:
    if not progress:
        return nullcontext(lambda done: None)
    from ..core.progress import counting  # scoring without a bar needs no such module

    return counting(total, "samples")


@public
def active_units(model: Model, x: Any, threshold: float = 0.01, context: Any = None) -> Array:
    """Which latent dimensions are used: those whose posterior mean varies over the data, (Z,) bool.

    A dimension is active where the variance over x of E[z given x] is above `threshold`. With
    several latent levels, Z counts the dimensions of all; those of the level next to x come first.
    Source: Burda et al. 2016, section 5.2.
    """
    threshold = number("threshold", threshold, least=0)
    variances = [z.var(axis=0, dtype=np.float64) for z in model.centres(x, context)]
    return np.concatenate(variances) > threshold


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

    Returns
    -------
    dict
        ``n`` rows; ``elbo``, ``rec`` = -E_q[log p(x given z)] and ``kl`` with elbo = -(rec + kl);
        ``log_likelihood`` importance-sampled with `n_samples`, and ``log_likelihood_se``, its
        standard error over the rows (None for a single one); all in nats per example.
        ``active_units`` counts the latent dimensions in use, of ``z_dim``.
    """
    log_px, kl = model.elbo_terms(x, seed=seed, context=context)
    rec = -log_px
    log_p = log_likelihood(model, x, n_samples, seed, context, progress)
    n = len(rec)
    return {
        "n": n,
        "elbo": float(-(rec + kl).mean()),
        "rec": float(rec.mean()),
        "kl": float(kl.mean()),
        "log_likelihood": float(log_p.mean()),
        "log_likelihood_se": float(log_p.std(ddof=1) / np.sqrt(n)) if n > 1 else None,
        "n_samples": n_samples,
        "active_units": int(active_units(model, x, context=context).sum()),
        "z_dim": int(sum(model.noise_widths)),
    }

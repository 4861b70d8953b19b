"""How likely cells are given the other cells of their rows, to a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.numerics import logsumexp
from .fill import FOR_MEANS, Blocks

Array = np.ndarray


def log_given(model: Any, x: Array, cells: Array, which: Array, seed: int = 0) -> Array:
    """log p of the cell in column `which` (D,) bool of each row x (N, D), given the other cells
    but `cells` (D,) bool: (N,), in nats.

    l_K = log Σ_k W_k p(x_j given z_k), with the K weighted samples by which gaps are filled, is too
    small by some c / K in the mean, so that with l_K/2, the mean of those of both halves,
    2 l_K - l_K/2 is not.
    Source: Mattei & Frellsen 2019, equation 10, with the density of x_j as f; Nowozin 2018.
    """
    seen = np.where(cells | which, np.nan, x)
    found = np.zeros(len(x))
    for block in Blocks(model, seen, None, np.arange(len(x)), FOR_MEANS, seed):
        ((full, _),) = block.model.batches(x[block.rows], None)
        entries = [
            block.model.likelihood.entries(theta, full)[:, which].sum(1)
            for theta in block.samples.theta
        ]
        log_w, log_p = block.samples.log_w, np.array(entries)
        halves = [_mean(log_w[k::2], log_p[k::2]) for k in (0, 1)]
        found[block.rows] = 2 * _mean(log_w, log_p) - (halves[0] + halves[1]) / 2
    return found


def _mean(log_w: Array, log_p: Array) -> Array:
    """log of the mean of p (K, B), weighed by w (K, B): (B,)."""
    with np.errstate(invalid="ignore"):  # where no sample counts
        return logsumexp(log_w + log_p, axis=0) - logsumexp(log_w, axis=0)

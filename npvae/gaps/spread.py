"""How far draws of each column are spread, by held-out cells that are hidden."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.widths import Widths, width_of
from .fill import ENOUGH, Blocks
from .hidden import hide

Array = np.ndarray

_ROWS, _SAMPLES = 2000, 100
"""Rows that are looked at, at most, and importance samples of each."""
_DOUBT = 50.0
"""As many cells count for widths of 1."""
_SPREAD = 26
"""The purpose of a random stream, beside the seed."""


def fit_widths(model: Any, held_out: Array, seed: int = 0) -> None:
    """Set how much wider or narrower than the model's the draws that fill gaps are to be.

    Cells of rows (N, D) that the model was not trained on are hidden, and their ranks among its
    draws say so. Labels, and rows whose weights leave few samples, are left out.
    """
    model.widths = None
    if model.missing is None or not model.has_density or not len(held_out):
        return
    rng = np.random.default_rng([seed, _SPREAD])
    rows = np.asarray(held_out[:: -(-len(held_out) // _ROWS)], np.float64)
    hidden, seen = hide(model, rows, rng)
    found: list[list[Array]] = [[] for _ in rows.T]
    gaps = np.flatnonzero(hidden.any(1))
    for block in Blocks(model, seen, None, gaps, _SAMPLES, seed):
        sure = block.samples.effective >= ENOUGH
        ranks = block.ranks(rows[block.rows], rng.random(len(block.rows)))
        for own, u, known in zip(found, ranks.T, hidden[block.rows].T, strict=True):
            own.append(u[known & sure])
    numbers = model.likelihood.mean_columns(model.x_dim)
    columns = [np.concatenate(own) if own else np.empty(0) for own in found]
    least = 0.5 / _SAMPLES
    widths = [
        width_of(u.clip(least, 1 - least), _DOUBT) if number and len(u) else 1.0
        for u, number in zip(columns, numbers, strict=True)
    ]
    model.widths = Widths(widths)

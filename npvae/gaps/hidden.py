"""Cells of known rows, hidden for a while: how much guesses are to count beside a model's."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..data.features import MOST_DEVIATIONS, Guesses
from .fill import FOR_MEANS, impute

Array = np.ndarray

HIDDEN = 0.2
"""The share of cells that are hidden."""
_JUDGED = 1000
"""In how many rows at least; few rows are taken several times, with other cells hidden."""
_APART = 0.1
"""How far columns' weights are thought to be apart."""
_HIDING = 23
"""The purpose of a random stream, beside the seed."""


class HiddenCells(NamedTuple):
    """Some rows x of which cells were hidden, and what they are filled with.

    Attributes
    ----------
    rows : (N, D) array
    own : (N,) array
        Which rows of all these are.
    hidden : (N, D) bool
        Without those that follow from what is known.
    seen : (N, D) array, rows with NaN there
    filled : (N, D) array, seen without NaN
    """

    rows: Array
    own: Array
    hidden: Array
    seen: Array
    filled: Array

    def moved(self, guesses: Guesses) -> HiddenCells:
        """These, filled in with the help of the guesses as well."""
        return self._replace(filled=guesses.moved(self.filled, self.seen))


def hidden_cells(model: Any, x: Array, seed: int) -> HiddenCells:
    """Cells of rows x (N, D) hidden at random, and filled in by the model alone."""
    rng = np.random.default_rng([seed, _HIDING])
    own = np.arange(len(x))
    own = np.tile(own, -(-_JUDGED // len(x))) if len(x) < _JUDGED else own
    own = own[:: -(-len(own) // (2 * _JUDGED))]
    rows = x[own]
    hidden, seen = hide(model, rows, rng)
    plain = model.copy()
    plain.linear = plain.neighbours = None
    filled = impute(plain, seen, n_samples=FOR_MEANS, seed=seed)
    return HiddenCells(rows, own, hidden, seen, filled)


def hide(model: Any, rows: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Which cells of rows (N, D) are hidden and do not follow from others, and rows without."""
    variables = model.likelihood.variables(model.x_dim)  # what is known or missing together
    hidden = (rng.random(rows.shape) < HIDDEN)[:, variables] & ~np.isnan(rows)
    seen = np.where(hidden, np.nan, rows)
    if model.functions is not None:
        seen = model.functions.completed(seen)
        hidden &= np.isnan(seen)
    return hidden, seen


def weights(cells: HiddenCells, made: Guesses, guesses: Array, worth: float = 0.0) -> Array:
    """How much each column's guesses (N, D) count, (F,), by cells that are hidden.

    Zeros where they take less than the share `worth` off the squared error of all these cells.

    Derivation, with b = guess - v and r = truth - v, where the model filled in v:
      (1) Σ (r - w b)² is convex in w, and least where Σ b (r - w b) = 0  ->  w = Σ b r / Σ b²
      (2) that is the table's weight W, over all cells. A column's w is thought to be normal around
          W, with deviation t = `_APART`, and its r - w b too, with variance s²  ->  of the sum
          Σ (r - w b)² / s² + (w - W)² / t² the least is at w = (Σ b r + λ W) / (Σ b² + λ), with
          λ = s² / t²
      (3) both end at 0 and 1
    In standard deviations of the columns.
    """
    columns, numbers = made.columns, np.isnan(made.labels)
    hidden = (cells.hidden & ~np.isnan(guesses))[:, columns]

    def apart(a: Array, b: Array) -> Array:
        off = (a - b)[:, columns] / made.scale
        return np.where(hidden, np.clip(off, -MOST_DEVIATIONS, MOST_DEVIATIONS), 0.0)

    b, r = apart(guesses, cells.filled), apart(cells.rows, cells.filled)
    if not b[:, numbers].any():
        return np.zeros(len(columns))
    squares, products = np.square(b).sum(0), (b * r).sum(0)
    of_all = np.clip(products[numbers].sum() / squares[numbers].sum(), 0.0, 1.0)  # (1)
    variance = np.square(r - of_all * b).sum(0) / np.maximum(hidden.sum(0), 1)
    ridge = np.maximum(variance, 1e-4) / _APART**2
    each = np.clip((products + ridge * of_all) / (squares + ridge), 0.0, 1.0)  # (2), (3)
    each = np.where(numbers, each, 0.0)
    before, after = (np.square(r - w * b)[:, numbers].sum() for w in (0.0, each))
    return each if after <= (1 - worth) * before else np.zeros(len(columns))

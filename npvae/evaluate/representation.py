"""How well labels can be told from codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arrays import as_array
from ..core.checks import whole
from ..core.errors import DataError
from ..core.public import public

Array = np.ndarray

FOLDS = 5
STEPS = 300
"""Of the linear classifier: after so many its accuracy stands still."""
_MOST_ROWS = 5000
_DECAY = 1e-3
"""Of the classifier's weights, of standardised codes: so that they stay finite."""


@public
def label_accuracy(z: Any, y: Any, seed: int = 0) -> dict[str, float]:
    """How often a label is told rightly from its row's code, by rows that are left out.

    The rows are cut into five folds, and each is judged by the other four. Of more than 5,000 rows
    as many are drawn.

    Parameters
    ----------
    z : (N, Z) array
        A code for each row, such as the posterior's mean.
    y : (N,) array
        Labels of any kind; rows with NaN, None or "" for a label are left out.
    seed : int
        Of the folds.

    Returns
    -------
    dict
        ``nearest``, by the label of the nearest code (Euclidean distance); ``linear``, by
        multinomial logistic regression on standardised codes; ``most_frequent``, the share of the
        label that most rows have, which is what they have to beat.

    Raises
    ------
    DataError
        If shapes don't fit, or there are fewer than ten rows or two labels.
    """
    z, codes = _checked(z, y)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    order = rng.permutation(len(z))[:_MOST_ROWS]
    z, codes = z[order], codes[order]
    told = np.zeros(2)
    for fold in np.array_split(np.arange(len(z)), FOLDS):
        rest = np.setdiff1d(np.arange(len(z)), fold)
        for i, predict in enumerate((_nearest, _linear)):
            told[i] += (predict(z[rest], codes[rest], z[fold]) == codes[fold]).sum()
    nearest, linear = told / len(z)
    most = np.bincount(codes).max() / len(z)
    return {"nearest": float(nearest), "linear": float(linear), "most_frequent": float(most)}


def _checked(z: Any, y: Any) -> tuple[Array, Array]:
    """Codes, and labels as numbers from 0, of the rows that have one."""
    z, y = as_array(z, "z").astype(np.float64), np.asarray(y)
    if z.ndim != 2 or y.shape != (len(z),):
        raise DataError(
            f"z (N, Z) and y (N,) have a row for each example; got {z.shape}, {y.shape}."
        )
    known = np.array([value not in (None, "") and value == value for value in y.tolist()], bool)
    labels, codes = np.unique(y[known].astype(str), return_inverse=True)
    if known.sum() < 10 or len(labels) < 2:
        raise DataError(
            f"labels are told apart from ten rows and two labels on; got {known.sum()} rows with "
            f"{len(labels)}."
        )
    return z[known], codes.reshape(-1)


def _nearest(z: Array, codes: Array, new: Array) -> Array:
    distances = (z**2).sum(1) - 2 * new @ z.T  # less |new|², which is the same for all
    return codes[distances.argmin(1)]


def _linear(z: Array, codes: Array, new: Array) -> Array:
    """Multinomial logistic regression, by steps that can't overshoot.

    With P the probabilities and Y the labels one-hot, the gradient of -log-likelihood by the
    weights is Xᵀ (P - Y), and its second derivative is nowhere above ½ Xᵀ X; so a step of
    2 (Xᵀ X)⁻¹ times the gradient always goes down (Böhning 1992). Nesterov's momentum (1983) makes
    them faster.
    """
    centre, spread = z.mean(0), z.std(0)
    spread = np.where(spread > 1e-9 * max(spread.max(), 1e-300), spread, np.inf)
    x, new = (np.c_[(rows - centre) / spread, np.ones(len(rows))] for rows in (z, new))
    y = np.eye(codes.max() + 1)[codes]
    ridge = _DECAY * len(x) * np.eye(x.shape[1])
    inverse = np.linalg.inv(0.5 * x.T @ x + ridge)
    weights = ahead = np.zeros((x.shape[1], y.shape[1]))
    for step in range(STEPS):
        logits = x @ ahead
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        before, weights = weights, ahead - inverse @ (x.T @ (p - y) + ridge @ ahead)
        ahead = weights + step / (step + 3) * (weights - before)
    return (new @ weights).argmax(1)

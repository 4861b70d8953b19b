"""After training: labels that are drawn anew given the other columns, and how likely each is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..data.features import numbers_or_none
from ..data.redraws import OfColumn, Redraws, log_shares
from ..data.tilt import features
from ..gaps.likelihood import log_given
from ..models import Model
from .tilting import described_features

Array = np.ndarray

_FEWEST_ROWS, _MOST_ROWS, _MOST_HELD = 200, 20_000, 1000
_MOST_LABELS = 50
_THRESHOLDS = 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98
"""The shares of the rows that are not above them."""
_RIDGES = 100.0, 30.0, 10.0, 3.0
"""In rows. Weights are held at 0 by less and less, until held-out labels are no likelier by it."""
_STEPS, _EACH, _CLOSE = 300, 10, 1e-4
"""Of a fit, at most; and by how little the loss falls in so many of them at its end."""
_SURE = 1.0
"""By how many standard errors labels of drawn rows have to surprise more; and by how many held-out
ones may be less likely than to the model. Measured: docs/training.md."""
_DECIMALS = 6
"""Of the weights in a model's file."""


class _Rows(NamedTuple):
    """Rows x (N, D) and their features f (N, 1 + F)."""

    x: Array
    f: Array

    def labelled(self, j: int, labels: Array) -> tuple[Array, Array]:
        """The features (n, 1 + F) of rows that have one of these labels in column j, and its place
        among them (n,)."""
        known = self.having(j, labels)
        return self.f[known].astype(np.float32), np.searchsorted(labels, self.x[known, j])

    def having(self, j: int, labels: Array) -> Array:
        """Which rows have one of these labels in column j, (N,) bool."""
        return np.isin(self.x[:, j], labels)


def fit_redraws(model: Any, x: Array, valid: Array | None, seed: int) -> Redraws | None:
    """The columns of labels that other columns say better than the model and its draws do.

    That is so where both hold:

    * what rows x (N, D) say of labels is surprised more by those of drawn rows than by those of
      the half of x that it was not learnt from: a blurred label is where another was sure;
    * labels of held-out rows are not clearly less likely by what x says of them than to the model
      itself, which may know more of the other columns than sums of their features.

    The column whose draws surprise most is drawn last, as what is drawn last goes with all else.
    Columns that follow from others by a function are left to it. `valid` (M, D) are rows that the
    model was not trained on; without them a tenth of x is held out here.
    """
    if model.schema is None or model.missing is None or len(x) < _FEWEST_ROWS:
        return None
    x = x[:: -(-len(x) // _MOST_ROWS)]
    if valid is None or not len(valid):
        valid, x = x[::10], np.delete(x, np.s_[::10], axis=0)
    valid = valid[:: -(-len(valid) // _MOST_HELD)]
    described = described_features(model, x, _THRESHOLDS)
    if described is None:
        return None
    drawn = model.sample(len(x), seed, take="draw")
    real, made, held = (_Rows(rows, features(rows, *described)) for rows in (x, drawn, valid))
    columns, labels, above, mean, scale = described
    found = []
    for j in np.unique(columns).tolist():
        with_it = _following(model, j)
        if model.schema.modelled[j].labels and with_it:
            others = np.concatenate([[True], ~np.isin(columns, with_it)])
            found += _better(model, with_it, others, real, made, held, seed)
    if not found:
        return None
    redrawn = [one for _, one in sorted(found, key=lambda pair: pair[0])]
    of_features = columns, numbers_or_none(labels), mean, scale, numbers_or_none(above)
    return Redraws(*of_features, redrawn)


def _better(
    model: Any, with_it: list[int], others: Array, real: _Rows, made: _Rows, held: _Rows, seed: int
) -> list[tuple[float, OfColumn]]:
    """The first of these columns by the features `others` (1 + F,) bool, and by which share of
    -log p its drawn labels surprise more; none where draws or the model do as well."""
    j = with_it[0]
    labels = np.unique(real.x[~np.isnan(real.x[:, j]), j])
    (f, y), (g, v) = real.labelled(j, labels), made.labelled(j, labels)
    if not 1 < len(labels) <= _MOST_LABELS or min(len(y), len(v)) < _FEWEST_ROWS:
        return []
    of_real, of_drawn, error, ridge = _surprise((f[:, others], y), (g[:, others], v))
    more = float(of_drawn.mean() - of_real.mean())
    if more <= _SURE * np.hypot(_standard_error(of_real), _standard_error(of_drawn)):
        return []
    weights = np.zeros((len(others), len(labels)))
    weights[others] = fitted(f[:, others], y, weights[others], ridge).round(_DECIMALS)
    known, places = held.x[held.having(j, labels)], np.arange(held.x.shape[1])
    if not len(known):
        return []
    by_model = log_given(model, known, np.isin(places, with_it), places == j, seed)
    better = _log_p(held.labelled(j, labels), weights) - by_model
    if better.mean() <= -_SURE * _standard_error(better):
        return []
    return [(more / error, OfColumn(j, labels, weights))]


def _standard_error(a: Array) -> float:
    return float(a.std() / np.sqrt(len(a)))


def _following(model: Model, j: int) -> list[int] | None:
    """Column j and those that are functions of it; None if it is one itself."""
    with_it = [j]
    for f in [] if model.functions is None else model.functions.columns:
        if f.of == j:
            return None
        if f.by in with_it:
            with_it.append(f.of)
    return with_it


def _surprise(
    real: tuple[Array, Array], drawn: tuple[Array, Array]
) -> tuple[Array, Array, float, float]:
    """By how much -log p of labels exceeds what p itself expects of it, of real rows, p being what
    the other half of them says, and of drawn rows; the mean of -log p of real ones; and the ridge
    at which one half says most of the other."""
    one, other = _halves(*real)
    w, ridge = _best(one, other)
    by_other = fitted(*other, np.zeros_like(w), ridge)
    of_real = np.concatenate([_excess(other, w), _excess(one, by_other)])
    of_drawn = (_excess(drawn, w) + _excess(drawn, by_other)) / 2
    error = -float(np.concatenate([_log_p(other, w), _log_p(one, by_other)]).mean())
    return of_real, of_drawn, error, ridge


def _excess(labelled: tuple[Array, Array], w: Array) -> Array:
    """-log p of the labels of rows less its mean under p, (n,)."""
    f, y = labelled
    log_p = log_shares(f, w)
    return np.asarray((np.exp(log_p) * log_p).sum(1) - log_p[np.arange(len(y)), y])


def _halves(f: Array, y: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    return (f[::2], y[::2]), (f[1::2], y[1::2])


def _best(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, float]:
    """The weights by which one half says most of the other, and their ridge."""
    f, y = one
    w = np.zeros((f.shape[1], 1 + int(max(y.max(), other[1].max()))))
    best, most, best_ridge = w, -np.inf, _RIDGES[0]
    for ridge in _RIDGES:
        w = fitted(f, y, w, ridge)
        now = _log_p(other, w).mean()
        if now < most:
            break
        best, most, best_ridge = w, now, ridge
    return best, best_ridge


def _log_p(labelled: tuple[Array, Array], w: Array) -> Array:
    """log p of the labels of rows, (n,)."""
    f, y = labelled
    return log_shares(f, w)[np.arange(len(y)), y]


def fitted(f: Array, y: Array, w: Array, ridge: float) -> Array:
    """The weights (F, L) at which the labels y (N,) of rows f (N, F) have the least

      loss = mean of -log softmax(f W)_y + ridge / 2N Σ W²,

    found from w on.

    Derivation:
      (1) P = softmax(f W), Y the labels as ones among zeros  ->  dW = fᵀ(P - Y) / N + r W, with
          r = ridge / N
      (2) a row's curvature diag p - p pᵀ is at most I/2  ->  that of the loss is at most
          C = fᵀf / 2N + r I for each label  ->  W - C⁻¹ dW has a lower loss
      (3) a step goes on where the one before went, farther each time, and no more once the loss
          has risen
    Source: (2) Böhning 1992; (3) Nesterov 1983, begun anew as O'Donoghue & Candès 2015 do.
    """
    n, at = len(y), np.arange(len(y))
    r = ridge / n
    inverse = np.linalg.inv((f.T @ f).astype(np.float64) / (2 * n) + r * np.eye(f.shape[1]))
    ahead, momentum, before, checked = w, 1.0, np.inf, np.inf
    for step in range(_STEPS):
        log_p = log_shares(f, ahead.astype(f.dtype))
        loss = float(r / 2 * np.square(ahead).sum() - log_p[at, y].mean(dtype=np.float64))
        if step % _EACH == 0:
            if checked - loss < _CLOSE:
                break
            checked = loss
        p = np.exp(log_p)
        p[at, y] -= 1
        dw = (f.T @ p).astype(np.float64) / n + r * ahead  # (1)
        last, w = w, ahead - inverse @ dw  # (2)
        momentum = 1.0 if loss > before else momentum  # (3)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead, momentum, before = w + (momentum - 1) / faster * (w - last), faster, loss
    return w

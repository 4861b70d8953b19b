"""The semi-supervised VAE as a classifier."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from .. import models
from ..core.errors import DataError
from ..training.fit import fit
from .base import CONSTRAINTS, VAEEstimator

Array = np.ndarray

_TAKES = (
    "z_dim", "hidden", "activation", "likelihood", "max_iter", "batch_size", "lr", "columns",
    "n_jobs", "random_state", "verbose",
)  # fmt: skip
UNKNOWN = -1


class VAEClassifier(ClassifierMixin, VAEEstimator):
    """A classifier that learns from rows without a label too: `npvae.SemiSupervisedVAE`.

    Parameters
    ----------
    z_dim, hidden, activation, likelihood, batch_size, lr, columns, n_jobs, random_state, verbose
        As in `VAE`.
    alpha : float
        How much a label counts beside the rows' own likelihood, on the paper's scale.
    max_iter : int
        The most epochs; fewer where rows are many, so that there are some 30,000 steps.

    Attributes
    ----------
    model_ : npvae.SemiSupervisedVAE
    classes_ : (C,) array
        The labels, sorted.
    history_ : npvae.History
    n_iter_ : int
        Epochs that were trained.

    Source: Kingma, Rezende, Mohamed & Welling 2014.
    """

    _numbers_as_arrays = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{name: CONSTRAINTS[name] for name in _TAKES},
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        z_dim: int | None = None,
        *,
        hidden: Any = None,
        activation: Any = "relu",
        likelihood: Any = None,
        alpha: float = 1.0,
        max_iter: int = 200,
        batch_size: int | None = None,
        lr: float = 2e-3,
        columns: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.z_dim = z_dim
        self.hidden = hidden
        self.activation = activation
        self.likelihood = likelihood
        self.alpha = alpha
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.lr = lr
        self.columns = columns
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> VAEClassifier:
        """Train a new model.

        Parameters
        ----------
        X : (N, D) array or data frame
        y : (N,) array
            Labels. A row whose label is not known has -1, if any label is another whole number
            than -1 and 1, and else None or NaN.
        sample_weight : (N,) array, optional
            How much each row counts.
        """
        if y is None:
            raise ValueError("VAEClassifier requires y to be passed, but the target y is None.")
        x = self._rows(X, reset=True, least=2)
        y = column_or_1d(y, warn=True, dtype=None)
        check_consistent_length(x, y)
        known = ~_unknown(y)
        given = np.asarray(y[known].tolist())
        if given.dtype.kind == "f" and np.isinf(given).any():
            raise ValueError("Input y contains infinity, which is no label.")
        check_classification_targets(given)
        self.classes_, codes = np.unique(given, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                f"a classifier needs two classes or more; got one class, {self.classes_.tolist()}."
            )
        labels = np.full(len(y), UNKNOWN)
        labels[known] = codes
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, x, ensure_non_negative=True)
        seed = self._seed()
        self.model_ = self._new_classifier(x, seed)
        batch_size, epochs = self._length(x, self.max_iter)
        self.history_ = fit(
            self.model_, x, y=labels, epochs=epochs, batch_size=batch_size, lr=float(self.lr),
            seed=seed, threads=self._threads, progress=bool(self.verbose), weights=weights,
        )  # fmt: skip
        self.n_iter_ = len(self.history_.records)
        return self

    def _new_classifier(self, x: Array, seed: int) -> models.SemiSupervisedVAE:
        size = self._size(x)
        return models.SemiSupervisedVAE(
            n_classes=len(self.classes_), alpha=float(self.alpha), activation=self.activation,
            seed=seed, **size, **self._likelihood_for(x.shape[1]),
        )  # fmt: skip

    def predict_proba(self, X: Any) -> Array:
        """q(y given x) of each class, (N, C)."""
        model: Any = self._exact
        proba: Array = model.predict_proba(self._rows(X, reset=False))
        return proba

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row, (N,)."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def _unknown(y: Array) -> Array:
    """Which labels are not known."""
    if y.dtype.kind == "O":
        return np.array([label is None or label != label for label in y.tolist()], bool)
    if y.dtype.kind == "f":
        missing = np.isnan(y)
        if missing.any():
            return missing
    if y.dtype.kind in "if" and not set(np.unique(y).tolist()) <= {-1, 1}:
        return y == UNKNOWN
    return np.zeros(len(y), bool)

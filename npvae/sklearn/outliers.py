"""Strange rows, as scikit-learn's detectors find them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OutlierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..outliers import Detector, fit_detector
from ..outliers.detector import MOST_STEPS
from .base import TableEstimator

Array = np.ndarray

FAR = 3.5
"""Robust deviations above which a score is an outlier's: Iglewicz & Hoaglin 1993."""


_MOST_REFERENCE = 1000
"""Training rows by which is measured what a column usually adds."""


class VAEOutlierDetector(OutlierMixin, TableEstimator):
    """Finds strange rows by small robust VAEs: `npvae.fit_detector` as an estimator.

    It is fitted to rows that nobody has labelled, strange ones among them: an array of numbers, or
    a data frame of mixed columns, both with missing values. A data frame of numbers alone is taken
    as the array of them.

    Parameters
    ----------
    contamination : float or "auto"
        The share of the training rows that are outliers, above 0 and up to 0.5. "auto" takes those
        that lie more than 3.5 robust standard deviations above the usual.
    max_iter : int
        The most training steps of each model.
    columns : dict, optional
        The kinds of some columns of a data frame, as `npvae.tables.read` takes them.
    random_state : int, RandomState or None

    Attributes
    ----------
    detector_ : npvae.Detector
    offset_ : float
        The score below which a row is an outlier.
    schema_ : npvae.tables.Schema or None
        What the columns of the data frame are.
    n_iter_ : int
        Training steps of the model that had the most.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "contamination": [Interval(Real, 0, 0.5, closed="right"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "columns": [dict, None],
        "random_state": ["random_state"],
    }
    _numbers_as_arrays = True
    detector_: Detector

    def __init__(
        self,
        contamination: Any = 0.1,
        *,
        max_iter: int = MOST_STEPS,
        columns: Any = None,
        random_state: Any = None,
    ) -> None:
        self.contamination = contamination
        self.max_iter = max_iter
        self.columns = columns
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> VAEOutlierDetector:
        """Train on rows of which some may be strange.

        Parameters
        ----------
        X : (N, D) array or data frame
        y : ignored
        sample_weight : (N,) array, optional
            How much each row counts in training.
        """
        x = self._rows(X, reset=True, least=2)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, x, ensure_non_negative=True)
        share = 0.1 if self.contamination == "auto" else float(self.contamination)
        self.detector_ = fit_detector(
            x,
            contamination=share,
            schema=self.schema_,
            seed=self._seed(),
            weights=weights,
            most_steps=self.max_iter,
        )
        self.n_iter_ = min(self.max_iter, MOST_STEPS)
        self._reference = x[:: -(-len(x) // _MOST_REFERENCE)]
        self.offset_ = -FAR
        if self.contamination != "auto":
            self.offset_ = float(np.percentile(-self.detector_.train_scores, 100 * share))
        return self

    def score_samples(self, X: Any) -> Array:
        """How usual each row is, (N,): the lower, the stranger.

        Minus the robust standard deviations by which its -ELBO lies above the usual.
        """
        check_is_fitted(self)
        return -self.detector_.scores(self._rows(X, reset=False))

    def decision_function(self, X: Any) -> Array:
        """`score_samples` less `offset_`, (N,): below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Array:
        """-1 for outliers, 1 for all other rows, (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def contributions(self, X: Any) -> Array:
        """How many nats each column adds to a row's strangeness over what it usually adds, (N, D).

        The columns are those of X, or of a data frame those in ``schema_.names``.
        """
        check_is_fitted(self)
        return self.detector_.contributions(self._rows(X, reset=False), self._reference)

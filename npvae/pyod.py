"""A detector by PyOD's conventions, for whoever has code that takes PyOD's detectors.

PyOD itself is not needed; where it is installed, the class counts as one of its detectors.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from inspect import signature
from typing import Any

import numpy as np

from .core.checks import number
from .core.errors import ConfigError, NotFitted, nearest
from .outliers import Detector, fit_detector

Array = np.ndarray

_MOST_TERMS = 1 << 20
"""Of binomial probabilities, that lie in memory at a time."""


class VAE:
    """`npvae.fit_detector` with the methods and attributes of PyOD's detectors.

    Parameters
    ----------
    contamination : float
        The share of the training rows that is held for strange, above 0 and up to 0.5.
    random_state : int
        Same number and machine: same scores.

    Attributes
    ----------
    detector_ : Detector
    decision_scores_ : (N,) array
        Scores of the training rows, the higher the stranger.
    threshold_ : float
        What a strange row scores more than.
    labels_ : (N,) int array
        1 for the strange training rows, 0 for the others.

    Source: Zhao, Nasrullah & Li 2019, for the conventions.
    """

    detector_: Detector

    def __init__(self, contamination: float = 0.1, random_state: int = 0) -> None:
        if number("contamination", contamination, above=0) > 0.5:
            raise ConfigError(f"contamination is above 0 and at most 0.5; got {contamination!r}.")
        self.contamination = contamination
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> VAE:
        """Train on unlabelled rows X (N, D), NaN where an entry is missing; y is not used."""
        self.detector_ = fit_detector(X, contamination=self.contamination, seed=self.random_state)
        self.decision_scores_ = self.detector_.train_scores
        self.threshold_ = self.detector_.threshold
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        self._classes = 2
        self._mu, self._sigma = self.decision_scores_.mean(), self.decision_scores_.std()
        self.n_features_in_ = self.detector_.x_dim
        return self

    def fit_predict(self, X: Any, y: Any = None) -> Array:
        """`labels_` after a fit to X."""
        return self.fit(X).labels_

    def decision_function(self, X: Any) -> Array:
        """The score of each row, (N,), the higher the stranger."""
        if "detector_" not in vars(self):
            raise NotFitted("this VAE is not fitted yet; call fit with training rows before.")
        return self.detector_.scores(X)

    def predict(self, X: Any, return_confidence: bool = False) -> Any:
        """1 for each strange row and 0 for the others, (N,); with the confidence a pair."""
        labels = (self.decision_function(X) > self.threshold_).astype(int)
        return (labels, self.predict_confidence(X)) if return_confidence else labels

    def predict_proba(self, X: Any, method: str = "linear", return_confidence: bool = False) -> Any:
        """The probabilities of being usual and of being strange, (N, 2).

        "linear" takes scores from the least to the greatest of training to [0, 1]; "unify" takes
        erf((score - mean) / (√2 deviation)), or 0 below the mean.
        Source of "unify": Kriegel, Kröger, Schubert & Zimek 2011, section 4.
        """
        scores = self.decision_function(X)
        if method == "linear":
            low, high = self.decision_scores_.min(), self.decision_scores_.max()
            strange = (scores - low) / (high - low if high > low else 1.0)
        elif method == "unify":
            units = (scores - self._mu) / (self._sigma * math.sqrt(2))
            strange = np.array([math.erf(u) for u in units])
        else:
            raise ConfigError(f"method is 'linear' or 'unify'; got {method!r}.")
        strange = strange.clip(0, 1)
        pair = np.stack([1 - strange, strange], axis=1)
        return (pair, self.predict_confidence(X)) if return_confidence else pair

    def predict_confidence(self, X: Any) -> Array:
        """How surely each row would be judged the same by other training rows, (N,) in [0, 1].

        Of n training rows k score at most what the row does, so that another one does with
        probability p = (1 + k) / (2 + n). A row is held for strange if that is so of more than
        n - nc rows, c the contamination, which has a binomial probability.
        Source: Perini, Vercruyssen & Davis 2020, section 3.
        """
        scores, n = self.decision_function(X), len(self.decision_scores_)
        below = np.searchsorted(np.sort(self.decision_scores_), scores, "right")
        counts, back = np.unique(below, return_inverse=True)
        strange = _more_than(n - int(n * self.contamination), n, (1 + counts) / (2 + n))[back]
        return np.where(scores > self.threshold_, strange, 1 - strange)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **params: Any) -> VAE:
        """Change arguments; what was fitted stays until the next fit."""
        known = self.get_params()
        for name in params:
            if name not in known:
                raise ConfigError(f"VAE has no parameter {name!r}{nearest(name, known)}")
        vars(self).update(vars(type(self)(**{**known, **params})))
        return self

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"VAE({arguments})"


def _more_than(least: int, n: int, p: Array) -> Array:
    """P(a binomial number of n tries of probability p (M,) is above `least`), (M,)."""
    k = np.arange(least + 1, n + 1)
    log_n = [math.lgamma(i + 1) for i in range(n + 1)]
    log_ways = np.array([log_n[n] - log_n[i] - log_n[n - i] for i in k])
    found = np.zeros(len(p))
    block = max(1, _MOST_TERMS // max(1, len(k)))
    for start in range(0, len(p), block):
        some = p[start : start + block, None]
        found[start : start + block] = np.exp(
            log_ways + k * np.log(some) + (n - k) * np.log1p(-some)
        ).sum(1)
    return found.clip(0, 1)


def _count_as_one_of_pyods() -> None:
    if find_spec("pyod") is not None:
        from pyod.models.base import BaseDetector

        BaseDetector.register(VAE)


_count_as_one_of_pyods()

"""The VAE as a transformer and a density."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils.validation import check_array, check_is_fitted

from ..tables import guess
from .base import VAEEstimator

Array = np.ndarray


class VAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, VAEEstimator):
    """A variational autoencoder: rows to latent vectors and back, new rows, and densities.

    It takes arrays of numbers and data frames of mixed columns, both with missing values.

    Attributes
    ----------
    model_ : npvae.VAE
    schema_ : npvae.tables.Schema or None
        What the columns of the data frame are.
    history_ : npvae.History
        The losses by epoch.
    n_iter_ : int
        Epochs that were trained.

    Source: Kingma & Welling 2014.
    """

    __doc__ = f"{__doc__}\n{VAEEstimator.__doc__}"

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> VAE:
        """Train a new model.

        Parameters
        ----------
        X : (N, D) array or data frame
        y : ignored
        sample_weight : (N,) array, optional
            How much each row counts.
        """
        x = self._rows(X, reset=True, least=2)
        seed = self._seed()
        self.model_ = self._new_model(x, seed)
        self.history_ = self._train(x, sample_weight, self.max_iter, seed)
        self.n_iter_ = len(self.history_.records)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> VAE:
        """Train on for one epoch of these rows; the first ones say what the columns are."""
        first = not hasattr(self, "model_")
        x = self._rows(X, reset=first)
        if first:
            self.model_, self.n_iter_ = self._new_model(x, self._seed()), 0
        self.history_ = self._train(x, sample_weight, 1, self._seed() + self.n_iter_)
        self.n_iter_ += 1
        return self

    def transform(self, X: Any) -> Array:
        """The posterior's centre of each row, (N, Z)."""
        model = self._exact
        return model.centres(self._rows(X, reset=False))[0]

    def inverse_transform(self, X: Any) -> Any:
        """What latent vectors (N, Z) stand for: means, of labels the likeliest.

        A data frame if the estimator was fitted to one, and else an array (N, D).
        """
        model = self._exact
        z = check_array(X)
        return self._as_given(model.decode(z) if self.schema_ is None else guess(model, z))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """New rows, drawn from the model; a data frame if the estimator was fitted to one.

        Parameters
        ----------
        n_samples : int
        random_state : int, RandomState or None
            None is that of the estimator.
        """
        model = self._exact
        return self._as_given(model.sample(n_samples, seed=self._seed(random_state), take="draw"))

    def score_samples(self, X: Any) -> Array:
        """The evidence lower bound of each row's log-likelihood, (N,), in nats."""
        model = self._exact
        return bounds(model, self._rows(X, reset=False))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`; the greater the better."""
        return float(np.mean(self.score_samples(X)))

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return self.model_.z_dim


def bounds(model: Any, x: Array) -> Array:
    """stand-in until nv.anomaly_scores"""
    rng = np.random.default_rng(0)
    eps = rng.standard_normal((16, 1, model.z_dim))
    out = []
    for xb, _ in model.batches(x, None):
        terms, _ = model.forward(xb, np.broadcast_to(eps, (16, len(xb), model.z_dim)).copy())
        out.append(terms.log_px.mean(0) - terms.kl_per_row.mean(0))
    return np.concatenate(out)

"""The VAE as a transformer and a density."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils.validation import check_array, check_is_fitted

from ..outliers import anomaly_scores
from ..tables import guess
from .base import CONSTRAINTS, VAEEstimator

Array = np.ndarray


class VAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, VAEEstimator):
    """A variational autoencoder: rows to latent vectors and back, new rows, and densities.

    It takes arrays of numbers and data frames of mixed columns, both with missing values.

    Parameters
    ----------
    z_dim : int, optional
        Latent dimensions; by default 8, but fewer than the columns.
    hidden : sequence of int, optional
        Widths of the encoder's hidden layers, mirrored in the decoder; by default one of 128, or
        of 256 from 1,000 rows on.
    activation, posterior : str
        As `npvae.VAE` takes them.
    likelihood : str, dict or Likelihood, optional
        By default each column of a data frame has that of its kind, and the numbers of an array
        Student's t.
    prior : str, dict or Prior, optional
        By default a mixture.
    objective : str, dict or Objective
    max_iter : int
        The most epochs; fewer where rows are many, so that there are some 30,000 steps.
    batch_size : int, optional
        By default 32 for fewer than 3,000 rows, and else 128.
    lr : float
        Adam's learning rate.
    early_stopping : bool or "auto"
        Whether to hold out rows, and to keep the weights under which their loss is lowest. "auto"
        does from 50 rows on.
    validation_fraction : float
        The share of the rows that are held out.
    n_iter_no_change : int, optional
        Epochs without a lower loss of these rows after which training stops; by default a tenth of
        all, and some 500 steps at least.
    columns : dict, optional
        The kinds of some columns of a data frame, as `npvae.tables.read` takes them:
        ``{"zip": "category", "id": "skip"}``.
    n_jobs : int, optional
        Threads; None is one, -1 as many as there are cores.
    random_state : int, RandomState or None
    verbose : int
        With 1 training shows how far it is.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS

    def __init__(
        self,
        z_dim: int | None = None,
        *,
        hidden: Any = None,
        activation: Any = "relu",
        likelihood: Any = None,
        posterior: Any = "gaussian",
        prior: Any = None,
        objective: Any = "elbo",
        max_iter: int = 1000,
        batch_size: int | None = None,
        lr: float = 2e-3,
        early_stopping: Any = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        columns: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.z_dim = z_dim
        self.hidden = hidden
        self.activation = activation
        self.likelihood = likelihood
        self.posterior = posterior
        self.prior = prior
        self.objective = objective
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.lr = lr
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.columns = columns
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

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
        check_is_fitted(self)
        return -anomaly_scores(self.model_, self._rows(X, reset=False))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`; the greater the better."""
        return float(np.mean(self.score_samples(X)))

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return self.model_.z_dim

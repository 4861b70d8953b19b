"""What the estimators share: their parameters, how data become rows, and how models are trained."""

from __future__ import annotations

import re
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import models
from ..core import Part, clone, resolve
from ..core.threads import usable_cores
from ..posteriors import REAL
from ..tables import Schema
from ..tables.frames import frame_of, library_named, library_of
from ..tables.on_disk import of_frame
from ..tables.schema import LIKELIHOODS
from ..tables.usual import usual
from ..training.callbacks import EarlyStopping
from ..training.fit import fit
from ..training.history import History
from ..training.length import WIDE, epochs_of

Array = np.ndarray

_NUMERIC = re.compile("u?int|float|double|decimal", re.IGNORECASE)
_FEW_ROWS = 3000
"""With fewer rows batches are small, so that there are steps enough."""
_PATIENCE = 500
"""Steps for which training goes on at least without a lower loss."""
_ENOUGH_ROWS = 50
"""From so many rows on, some are held out to stop by."""
SEEDS = 2**31 - 1


CONSTRAINTS: dict[str, Any] = {
    "z_dim": [Interval(Integral, 1, None, closed="left"), None],
    "hidden": ["array-like", None],
    "activation": [str, dict, Part],
    "likelihood": [str, dict, Part, None],
    "posterior": [str, dict, Part],
    "prior": [str, dict, Part, None],
    "objective": "no_validation",
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "early_stopping": ["boolean", StrOptions({"auto"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
    "columns": [dict, None],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
"""What a parameter may be, by its name."""


class TableEstimator(BaseEstimator):
    """Base of the estimators: arrays of numbers, or data frames as tables, become rows x.

    Attributes
    ----------
    schema_ : Schema or None
        What the columns of the data frame are that the estimator was fitted to.
    n_features_in_ : int
    feature_names_in_ : array of str, of a data frame
    """

    _numbers_as_arrays: ClassVar[bool] = False
    """Whether a data frame of plain numbers alone is taken as the array of them."""
    _unknown: Any = None
    """What stands for a missing value in a data frame, where not what does in files."""
    columns: Any
    random_state: Any
    schema_: Schema | None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    def _rows(self, X: Any, reset: bool, least: int = 1) -> Array:
        """x (N, D) of what the user gave; NaN where a value is missing.

        With `reset` what the columns are is found too.
        """
        if library_of(X) is None or self._is_plain(X):
            x = validate_data(
                self, X, reset=reset, ensure_all_finite="allow-nan", ensure_min_samples=least
            )
            if reset:
                self.schema_ = None
            return x if self.schema_ is None else self._table(self._as_frame(x)).x
        validate_data(self, X, reset=reset, skip_check_array=True)
        if reset:
            table = of_frame(X, self.columns, missing=self._unknown, labelled=False)
            self.schema_, self._like = table.schema, X[:0]
            return table.x
        if self.schema_ is None:  # it was fitted to an array
            return validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return self._table(X).x

    def _is_plain(self, frame: Any) -> bool:
        plain = self._numbers_as_arrays and self.columns is None
        return plain and all(_NUMERIC.match(str(dtype)) for dtype in frame.dtypes)

    def _seed(self, random_state: Any = None) -> int:
        chosen = self.random_state if random_state is None else random_state
        return int(check_random_state(chosen).randint(SEEDS))

    def _table(self, frame: Any) -> Any:
        return of_frame(frame, schema=self.schema_, labelled=False)

    def _as_frame(self, x: Array) -> Any:
        """The columns of an array as those of the data frame that was fitted."""
        module = library_named(library_of(self._like))
        named = zip(self._like.columns, x.T, strict=True)
        return module.DataFrame({name: values.tolist() for name, values in named})

    def _as_given(self, x: Array) -> Any:
        """Rows x (N, D) as the data that were fitted: a data frame, or the array."""
        if self.schema_ is None:
            return x
        return frame_of(self.schema_.columns, self.schema_.with_constants(x), self._like)


class VAEEstimator(TableEstimator):
    """Base of those with a VAE of their own: how it is made and trained, unless they ask.

    Attributes
    ----------
    model_ : npvae.VAE
    """

    model_: Any
    max_iter: int
    z_dim: int | None = None
    hidden: Any = None
    activation: Any = "relu"
    likelihood: Any = None
    posterior: Any = "gaussian"
    prior: Any = None
    objective: Any = "elbo"
    batch_size: int | None = None
    lr: float = 2e-3
    early_stopping: Any = "auto"
    validation_fraction: float = 0.1
    n_iter_no_change: int | None = None
    n_jobs: int | None = None
    verbose: int = 0

    def _new_model(self, x: Array, seed: int) -> models.VAE:
        """A model for rows x (N, D)."""
        posterior = resolve("posterior", self.posterior)
        real = posterior.support == REAL  # else it is of codes, and has a prior of its own
        size = self._size(x)
        if self.z_dim is None and posterior.own_z_dim:
            size["z_dim"] = posterior.own_z_dim
        return models.VAE(
            **size,
            activation=self.activation,
            posterior=self.posterior,
            prior=usual(*x.shape)["prior"] if self.prior is None and real else self.prior,
            seed=seed,
            **self._likelihood_for(x.shape[1]),
        )

    def _size(self, x: Array) -> dict[str, Any]:
        """Latent dimensions and widths: as given, or as usual for so many rows and columns."""
        size = usual(*x.shape)
        return {
            "z_dim": self.z_dim or size["z_dim"],
            "hidden": size["hidden"] if self.hidden is None else self.hidden,
        }

    def _likelihood_for(self, d: int) -> dict[str, Any]:
        """The arguments of a model that say how d columns are distributed."""
        if self.schema_ is not None and self.likelihood is None:
            return self.schema_.options()
        chosen = LIKELIHOODS["number"] if self.likelihood is None else self.likelihood
        likelihood = clone(resolve("likelihood", chosen))
        return {
            "x_dim": d,
            "likelihood": likelihood,
            "missing": "mask" if likelihood.takes_missing else None,
            "standardise": bool(likelihood.real_columns(d).any()),
            "schema": self.schema_,
        }

    def _train(self, x: Array, sample_weight: Any, max_iter: int, seed: int) -> History:
        """Train `model_` on rows x (N, D), for at most so many epochs and some 30,000 steps."""
        n = len(x)
        batch_size, epochs = self._length(x, max_iter)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, x, ensure_non_negative=True)
        held_out = np.zeros(n, bool)
        if max_iter > 1 and self._stops_early(n):
            some = max(1, round(self.validation_fraction * n))
            held_out[np.random.default_rng(seed).permutation(n)[:some]] = True
        stops = held_out.any()
        steps = -(-(n - held_out.sum()) // batch_size)
        patience = self.n_iter_no_change or max(20, epochs // 10, _PATIENCE // steps)
        return fit(
            self.model_,
            x[~held_out] if stops else x,
            objective=self.objective,
            epochs=epochs,
            batch_size=batch_size,
            lr=float(self.lr),
            valid=x[held_out] if stops else None,
            seed=seed,
            threads=self._threads,
            progress=bool(self.verbose),
            callbacks=[EarlyStopping(patience)] if stops else (),
            weights=None if weights is None else weights[~held_out],
        )

    def _length(self, x: Array, max_iter: int) -> tuple[int, int]:
        """Rows a step, and how many epochs there are at most."""
        n = len(x)
        batch_size = self.batch_size or (32 if n < _FEW_ROWS else 128)
        most = epochs_of(-(-n // batch_size), self.model_.n_params, wide=x.shape[1] >= WIDE)
        return batch_size, min(max_iter, most)

    def _stops_early(self, n: int) -> bool:
        return n >= _ENOUGH_ROWS if self.early_stopping == "auto" else bool(self.early_stopping)

    @property
    def _threads(self) -> int:
        if self.n_jobs is None:
            return 1
        return max(1, usable_cores() + 1 + self.n_jobs if self.n_jobs < 0 else self.n_jobs)

    @property
    def _exact(self) -> models.VAE:
        """The model in float64, so that a row has one result whatever rows stand beside it."""
        check_is_fitted(self)
        model: models.VAE = self.model_.astype("float64")
        return model

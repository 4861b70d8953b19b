"""Missing values filled in, as scikit-learn's imputers do it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import TransformerMixin, _fit_context
from sklearn.impute import MissingIndicator
from sklearn.utils import check_random_state
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils._param_validation import MissingValues
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ..gaps import impute
from ..gaps.guesses import fit_functions, fit_guesses
from ..tables import Number, Schema
from ..tables.cells import is_missing
from ..tables.frames import (
    library_named,
    library_of,
    of_library,
    series_for,
    series_of,
    values_of,
)
from ..tables.sheets import cell_text
from .base import CONSTRAINTS, SEEDS, VAEEstimator

Array = np.ndarray

_OF_TRAINING = ("z_dim", "hidden", "max_iter", "columns", "n_jobs", "random_state", "verbose")


class VAEImputer(TransformerMixin, VAEEstimator):
    """Fills missing values by what a VAE makes of the known ones: `npvae.impute` as an estimator.

    It takes arrays of numbers, and data frames of mixed columns, of which it fills in numbers,
    labels and dates; columns of names and ids stay as they are. A data frame of numbers alone is
    taken as the array of them, unless `columns` are said. Known values are never touched.

    Parameters
    ----------
    z_dim : int, optional
        Latent dimensions; by default 8, but fewer than the columns.
    hidden : sequence of int, optional
        Widths of the encoder's hidden layers; by default one of 128, or of 256 from 1,000 rows on.
    max_iter : int
        The most epochs of training; fewer where rows are many.
    missing_values : number, str, NaN, None or pandas.NA
        What stands for a missing value, beside NaN.
    sample_posterior : bool
        Whether to fill in draws from p(x missing given x known) instead of its mean (of labels:
        the likeliest), other ones at each call of `transform`: for multiple imputation.
    add_indicator : bool
        Whether to append a column for each that had missing values in training, which says where a
        value was missing.
    keep_empty_features : bool
        Whether to keep columns without a known value in training, filled with 0.
    columns : dict, optional
        The kinds of some columns of a data frame, as `npvae.tables.read` takes them.
    n_jobs : int, optional
        Threads; None is one, -1 as many as there are cores.
    random_state : int, RandomState or None
    verbose : int

    Attributes
    ----------
    model_ : npvae.VAE or None
        None where there was nothing known.
    schema_ : npvae.tables.Schema or None
        What the columns of the data frame are.
    indicator_ : sklearn.impute.MissingIndicator or None
    n_iter_ : int
        Epochs that were trained.

    Source: Mattei & Frellsen 2019.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **{name: CONSTRAINTS[name] for name in _OF_TRAINING},
        "missing_values": [MissingValues()],
        "sample_posterior": ["boolean"],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
    }
    _numbers_as_arrays = True
    _is_empty: Any

    def __init__(
        self,
        z_dim: int | None = None,
        *,
        hidden: Any = None,
        max_iter: int = 1000,
        missing_values: Any = np.nan,
        sample_posterior: bool = False,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        columns: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.z_dim = z_dim
        self.hidden = hidden
        self.max_iter = max_iter
        self.missing_values = missing_values
        self.sample_posterior = sample_posterior
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.columns = columns
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> VAEImputer:
        """Train on rows (N, D) of which some may have missing values."""
        x = self._rows(X, reset=True)
        self._draws = check_random_state(self._seed())
        missing = self._missing(X, x)
        self._is_empty = missing.all(0)
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False).fit(_as_gaps(missing))
        x = x if self.schema_ is not None else x[:, ~self._is_empty]
        self.model_, self.n_iter_ = None, 1
        if x.shape[1]:
            seed = self._seed()
            self.model_ = self._new_model(x, seed)
            self.n_iter_ = len(self._train(x, None, self.max_iter, seed).records)
            fit_functions(self.model_, x)
            fit_guesses(self.model_, x, seed)
        return self

    def transform(self, X: Any) -> Any:
        """The rows with what was missing filled in, and with indicators if they are asked for.

        An array (N, D), of the table's own values for a data frame; or a data frame with X's index
        and types, where `set_output` says so.
        """
        check_is_fitted(self)
        x = self._rows(X, reset=False)
        missing = self._missing(X, x)
        filled = self._array(x) if self.schema_ is None else self._frame(X, x, missing)
        if self.indicator_ is None:
            return filled
        flags = self.indicator_.transform(_as_gaps(missing))
        return _beside(filled, flags, list(self.get_feature_names_out())[-flags.shape[1] :])

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The columns of what `transform` gives."""
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        kept = names if self.keep_empty_features else names[~self._is_empty]
        if self.indicator_ is None:
            return kept
        return np.concatenate([kept, self.indicator_.get_feature_names_out(names)])

    def _rows(self, X: Any, reset: bool, least: int = 1) -> Array:
        x = super()._rows(X, reset, least)
        if self.schema_ is not None or self._unknown is None:
            return x
        return np.where(x == self.missing_values, np.nan, x)

    @property
    def _unknown(self) -> list[str] | None:
        marker = self.missing_values
        usual = marker is None or is_pandas_na(marker) or is_scalar_nan(marker)
        return None if usual else [cell_text(marker)]

    def _missing(self, X: Any, x: Array) -> Array:
        """Where values are missing, (N, n_features_in_) bool."""
        if self.schema_ is None:
            return np.isnan(x)
        modelled = dict(zip(self.schema_.names, np.isnan(x).T, strict=True))
        found = [
            modelled[name] if name in modelled else self._is_unknown(series)
            for name, series in series_of(self._frame_of(X)).items()
        ]
        return np.stack(found, axis=1)

    def _is_unknown(self, series: Any) -> Array:
        """Which values of a column that is not modelled are missing, (N,)."""
        missing = None if self.schema_ is None else self.schema_.missing
        texts = (cell_text(value).strip() for value in values_of(series))
        return np.fromiter((is_missing(text, missing) for text in texts), bool)

    def _filled(self, x: Array) -> Array:
        """x (N, D) of the columns that are modelled, without gaps."""
        if self.model_ is None:
            return x
        if not self.sample_posterior:
            return impute(self._exact, x)
        return impute(self._exact, x, n_draws=1, seed=self._draws.randint(SEEDS))[0]

    def _array(self, x: Array) -> Array:
        """The rows of an array, filled in."""
        kept = ~self._is_empty
        filled = x.astype(x.dtype if x.dtype.kind == "f" else np.float64)
        filled[:, kept] = self._filled(filled[:, kept])
        return (
            np.where(np.isnan(filled), 0, filled) if self.keep_empty_features else filled[:, kept]
        )

    def _frame(self, X: Any, x: Array, missing: Array) -> Any:
        """The rows of a data frame, filled in: as such or as an array, as `set_output` says."""
        frame, schema = self._frame_of(X), Schema.of(self.schema_)
        module = library_named(library_of(frame))
        values = schema.with_constants(self._filled(x))
        columns = {c.name: (c, values[:, j]) for j, c in enumerate(schema.columns)}
        filled = {}
        for i, (name, series) in enumerate(series_of(frame).items()):
            if self._is_empty[i] and not self.keep_empty_features:
                continue
            if self._is_empty[i]:
                columns[name] = Number(name, 0), np.zeros(len(x))
            if name in columns and missing[:, i].any():
                series = _put(series, missing[:, i], series_for(module, *columns[name], series))
            filled[name] = series
        made = module.DataFrame(filled)
        asked = _get_output_config("transform", self)["dense"]
        if asked == "default":
            return _values(made)
        return made if asked == library_of(frame) else of_library(asked, made)

    def _frame_of(self, X: Any) -> Any:
        return X if library_of(X) is not None else self._as_frame(np.asarray(X))


def _put(series: Any, where: Array, values: Any) -> Any:
    """A column of pandas or polars with other values where they are to be."""
    if hasattr(series, "zip_with"):
        return values.zip_with(type(series)(where.tolist()), series)
    values.index = series.index
    return series.mask(where, values)


def _values(frame: Any) -> Array:
    """The rows of a data frame as an array, of Python's values where its columns' types differ."""
    if hasattr(frame, "rows") and not all(dtype.is_numeric() for dtype in frame.dtypes):
        return np.array(frame.rows(), object)
    array: Array = frame.to_numpy()
    return array


def _as_gaps(missing: Array) -> Array:
    """What `MissingIndicator` takes for these gaps."""
    return np.where(missing, np.nan, 0.0)


def _beside(filled: Any, flags: Array, names: list[str]) -> Any:
    """Indicators (N, I) beside rows that are filled in."""
    if library_of(filled) is None:
        return np.hstack([filled, flags])
    if hasattr(filled, "assign"):
        return filled.assign(**dict(zip(names, flags.T, strict=True)))
    return filled.with_columns(**{n: f.tolist() for n, f in zip(names, flags.T, strict=True)})

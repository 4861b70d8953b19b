"""Features of rows: columns of numbers, standardised, and whether a column has a certain label."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import numpy as np

from ..core.errors import ConfigError

Array = np.ndarray
Own = TypeVar("Own", bound="OfFeatures")

MOST_DEVIATIONS = 10.0
"""Numbers further from their mean count as if they were there: no single cell decides a slope."""


class OfFeatures:
    """What is said of F features of a row, and is kept in a model's config.

    `_take` sets which features they are: columns (F,); labels (F,), NaN where a feature is its
    column's number; mean and scale (F,).

    Attributes
    ----------
    option : the argument of a model that has it
    called : the words for it, with "is" or "are", and "that" or "those"
    """

    option: ClassVar[str]
    called: ClassVar[tuple[str, str]]

    columns: Array
    labels: Array
    mean: Array
    scale: Array

    def _take(self, columns: Any, labels: Any, mean: Any, scale: Any) -> None:
        self.columns = np.array(columns, np.intp)
        self.labels = numbers_or_nan(labels)
        self.mean, self.scale = np.array(mean, np.float64), np.array(scale, np.float64)

    @classmethod
    def given(cls: type[Own], config: Any, x_dim: int) -> Own:
        """That of a config, for rows of x_dim columns; raises `ConfigError`."""
        if not isinstance(config, dict):
            raise ConfigError(
                f"{cls.option} is None or what model.config has of it; got {config!r:.60}."
            )
        try:
            found = cls(**config)
        except TypeError as error:
            raise ConfigError(f"{cls.option} is what model.config has of it; {error}.") from error
        if len(found.columns) and found.columns.max() >= x_dim:
            words, that = cls.called
            raise ConfigError(
                f"{words} of column {found.columns.max()}, and there are {x_dim}; give {that} of "
                "this model's table."
            )
        return found

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {
            "columns": self.columns.tolist(),
            "labels": [None if l is None else int(l) for l in numbers_or_none(self.labels)],
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
        }

    def __deepcopy__(self: Own, memo: Any) -> Own:
        """Itself: nothing changes it."""
        return self


class OfThresholds(OfFeatures):
    """What is said of features of which some are whether a column is above a threshold.

    Attributes
    ----------
    above : (F,) array, the thresholds; NaN where a feature is a number or a label
    """

    above: Array

    def _check_features(self) -> None:
        """Raise `ValueError` if the features are not as many or not such as they are to be."""
        of_each = (self.columns, self.labels, self.above, self.mean, self.scale)
        if {a.shape for a in of_each} != {(len(self.columns),)}:
            raise ValueError("their numbers differ")
        if (
            not (np.isfinite(self.mean).all() and np.isfinite(self.scale).all())
            or np.isinf([self.labels, self.above]).any()
        ):
            raise ValueError("some are not finite")
        if (self.scale <= 0).any() or (self.columns < 0).any():
            raise ValueError("some are too small")

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {**super().config, "above": numbers_or_none(self.above)}


class Guesses(OfFeatures):
    """Guesses of missing numbers beside a model's: a gap that a model filled with v is moved to
    v + w (guess - v), w the column's weight.

    Attributes
    ----------
    weights : (F,) array, from 0 to 1; of labels without a meaning
    made_of : what they are, in words
    """

    made_of: ClassVar[str]

    weights: Array

    def _check_ranges(self) -> None:
        """Raise `ValueError` if a scale, a column or a weight is none."""
        outside = (self.scale <= 0) | (self.columns < 0) | (self.weights < 0) | (self.weights > 1)
        if outside.any():
            raise ValueError("some are out of their range")

    def guesses(self, x: Array) -> Array:
        """Of each missing number in rows x (N, D) that is guessed, (N, D), else NaN."""
        raise NotImplementedError

    def moved(self, filled: Array, x: Array) -> Array:
        """What a model filled the gaps of x with, both (N, D), moved towards the guesses."""
        guesses, weights = self.guesses(x), np.zeros(x.shape[1])
        numbers = np.isnan(self.labels)
        weights[self.columns[numbers]] = self.weights[numbers]
        moved = filled + weights * (guesses - filled)
        return np.where(np.isnan(guesses), filled, moved).astype(filled.dtype)


def coded(x: Array, columns: Array, labels: Array, mean: Array, scale: Array) -> Array:
    """The features of rows x (N, D), (N, F), NaN where a cell is missing."""
    f = (chosen(x, columns, labels) - mean) / scale
    return np.clip(f, -MOST_DEVIATIONS, MOST_DEVIATIONS)


def numbers_or_nan(given: Any) -> Array:
    """What a config has as numbers (F,), NaN for None."""
    return np.array([np.nan if l is None else l for l in given], np.float64)


def numbers_or_none(numbers: Array) -> list[float | None]:
    """Numbers (F,), NaN where there is none, as a config has them."""
    return [None if l != l else l for l in numbers.tolist()]


def described(x: Array, numbers: Array, fewest: int) -> tuple[Array, Array]:
    """The columns and the labels (F,) of features of rows x (N, D), NaN for a column's number.

    `numbers` (D,) says which columns are no labels; those of one value are no features. Of labels
    all have one that so many rows have, but the commonest, which is what the others leave.
    """
    found: list[tuple[int, float]] = []
    for j, is_number in enumerate(numbers):
        if is_number:
            known = x[~np.isnan(x[:, j]), j]
            found += [(j, np.nan)] if len(known) and known.min() < known.max() else []
        else:
            found += [(j, label) for label in frequent_labels(x[:, j], fewest)]
    columns, labels = np.array(found).reshape(-1, 2).T
    return columns.astype(np.intp), labels


def frequent_labels(column: Array, fewest: int) -> list[float]:
    """All labels that so many rows have but the commonest, which is what the others leave."""
    there, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    if not len(there):
        return []
    often = (counts >= fewest) & (np.arange(len(there)) != counts.argmax())
    return [float(label) for label in there[often]]


def chosen(x: Array, columns: Array, labels: Array) -> Array:
    """Numbers, and whether rows have labels, of rows x (N, D): (N, F), NaN where one is missing."""
    f = np.asarray(x, np.float64)[:, columns]
    return np.where(np.isnan(labels) | np.isnan(f), f, f == labels)

"""Categorical likelihoods: labels in columns, or columns of ones and zeros."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import whole
from ..core.errors import ConfigError, DataError
from .likelihood import Likelihood

Array = np.ndarray


class Groups(Likelihood, abstract=True):
    """Base of the categorical likelihoods: theta holds a group of logits for each variable."""

    takes_missing = True
    side_by_side = True

    @abstractmethod
    def _sizes(self, n_outputs: int) -> tuple[int, ...]:
        """The number of classes of each variable, as many outputs as there are."""

    def _labels(self, logits: Array) -> Array:
        """The likeliest label of each variable, (..., number of variables)."""
        return k.likeliest_label(logits, self._sizes(logits.shape[-1]))

    def _draw(self, logits: Array, rng: np.random.Generator) -> Array:
        """Labels (..., number of variables): argmax of logits + Gumbel noise."""
        return self._labels(logits + rng.gumbel(size=logits.shape)).astype(logits.dtype)

    def _one_hot(self, labels: Array, n_outputs: int) -> Array:
        return k.one_hot(labels, self._sizes(n_outputs))


class Categorical(Groups):
    """log p(x given logits) = Σ_D logits_j[x_j] - log Σ_c exp(logits_j[c]), x_j in 0, ..., C_j - 1.

    Each of D columns holds whole numbers that name a class; the decoder gives C_j logits for column
    j, side by side.

    Derivation, within a column, with h the label as a one-hot vector and p = softmax(logits):
      (1) log p(x) = Σ_c h_c log p_c, log p_c = logits_c - log Σ exp(logits)
      (2) ∂log p_c/∂logits_e = [c = e] - p_e, and Σ_c h_c = 1  ->  ∂log p/∂logits_e = h_e - p_e = r
      (3) log_px is weighed by d_log_px                        ->  dlogits = d_log_px r
    Shapes: logits (K, B, Σ_j C_j), x (B, D), log_px (K, B).
    Source: Bishop 2006, section 4.3.4.

    Parameters
    ----------
    classes : int or sequence of int
        C, the number of classes of every column, or a number for each. Labels are 0 to C - 1.
    """

    def __init__(self, classes: Any = 2) -> None:
        self.classes: int | tuple[int, ...] = _classes(type(self).__name__, classes)

    def declare(self, x_dim: int) -> None:
        if isinstance(self.classes, tuple) and len(self.classes) != x_dim:
            raise ConfigError(
                f"{type(self).__name__}'s classes are one number for each column; got "
                f"{len(self.classes)} for {x_dim} columns. Give one number if all have as many."
            )

    def n_outputs(self, x_dim: int) -> int:
        return sum(self._columns(x_dim))

    def n_features(self, x_dim: int) -> int:
        return self.n_outputs(x_dim)

    def features(self, x: Array) -> Array:
        """The labels one-hot: they have no order."""
        return k.one_hot(x, self._columns(x.shape[-1]))

    def forward(self, logits: Array, x: Array) -> tuple[Array, Array]:
        sizes = self._columns(x.shape[1])
        return k.categorical(logits, k.one_hot(x, sizes), sizes)

    def backward(self, r: Array, d_log_px: Array) -> tuple[Array, None]:
        return k.scale_rows(d_log_px, r), None  # (3)

    def entries(self, theta: Array, x: Array) -> Array:
        return label_log_probs(theta, x, self._columns(x.shape[-1]))

    def mean(self, logits: Array) -> Array:
        """The mean of the labels taken as numbers; `mode` has the likeliest labels."""
        return k.mean_label(logits, self._sizes(logits.shape[-1]))

    def mode(self, logits: Array) -> Array:
        return self._labels(logits)

    def expected(self, logits: Array) -> Array:
        """The labels' probabilities."""
        return k.softmax(logits, self._sizes(logits.shape[-1]))

    def guess(self, expected: Array) -> Array:
        return k.likeliest_label(expected, self._sizes(expected.shape[-1]))

    def nominal_columns(self, x_dim: int) -> Array:
        return np.ones(x_dim, bool)

    def mean_columns(self, x_dim: int) -> Array:
        return np.zeros(x_dim, bool)

    def sample(self, logits: Array, rng: np.random.Generator) -> Array:
        return self._draw(logits, rng)

    def check(self, x: Array) -> None:
        sizes = np.array(self._columns(x.shape[-1]))
        wrong = (x < 0) | (x >= sizes) | (x > np.floor(x))  # none holds of NaN
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise DataError(
                f"{type(self).__name__} needs whole numbers from 0 to {sizes[column] - 1} in "
                f"column {column} (counted from 0); got {x[row, column]:.9g}. Number the classes "
                "from 0 on, and give as many classes as there are."
            )

    def _columns(self, x_dim: int) -> tuple[int, ...]:
        return (self.classes,) * x_dim if isinstance(self.classes, int) else self.classes

    def _sizes(self, n_outputs: int) -> tuple[int, ...]:
        if isinstance(self.classes, int):
            return (self.classes,) * (n_outputs // self.classes)
        return self.classes

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        labels = np.stack([rng.integers(c, size=2) for c in (3, 2, 4)], axis=-1)
        return cls((3, 2, 4)), (rng.normal(size=(3, 2, 9)), labels.astype(float))


class OneHot(Groups):
    """`Categorical` of data that are one-hot already: log p = Σ_D x·log softmax(logits).

    Each group of columns holds a single 1 among zeros; the softmax is taken within a group.

    Derivation: `Categorical`'s, with h = x.
    Shapes: logits (K, B, D), x (B, D), log_px (K, B).
    Source: Bishop 2006, section 4.3.4.

    Parameters
    ----------
    classes : int or sequence of int, optional
        How many columns every group has, or a number for each. None: all columns are one group.
    """

    def __init__(self, classes: Any = None) -> None:
        self.classes = None if classes is None else _classes("OneHot", classes)

    def declare(self, x_dim: int) -> None:
        if sum(self._sizes(x_dim)) != x_dim:
            raise ConfigError(
                f"OneHot's classes add up to the number of columns; got {self.classes} for {x_dim} "
                "columns. Give one number for each group of columns."
            )

    def variables(self, x_dim: int) -> Array:
        sizes = self._sizes(x_dim)
        return np.repeat(np.arange(len(sizes)), sizes)

    def forward(self, logits: Array, x: Array) -> tuple[Array, Array]:
        return k.categorical(logits, x, self._sizes(x.shape[1]))

    def backward(self, r: Array, d_log_px: Array) -> tuple[Array, None]:
        return k.scale_rows(d_log_px, r), None

    def mean(self, logits: Array) -> Array:
        return k.softmax(logits, self._sizes(logits.shape[-1]))

    def mode(self, logits: Array) -> Array:
        return self._one_hot(self._labels(logits), logits.shape[-1])

    def guess(self, expected: Array) -> Array:
        return self.mode(expected)

    def nominal_columns(self, x_dim: int) -> Array:
        return np.ones(x_dim, bool)

    def mean_columns(self, x_dim: int) -> Array:
        return np.zeros(x_dim, bool)

    def sample(self, logits: Array, rng: np.random.Generator) -> Array:
        return self._one_hot(self._draw(logits, rng), logits.shape[-1])

    def check(self, x: Array) -> None:
        groups = np.split(x, np.cumsum(self._sizes(x.shape[-1]))[:-1], axis=-1)
        for j, group in enumerate(groups):
            wrong = (group.sum(-1) != 1) | ((group != 0) & (group != 1)).any(-1)
            wrong &= ~np.isnan(group).all(-1)  # a label is known or missing as a whole
            if wrong.any():
                raise DataError(
                    f"OneHot needs a single 1 among zeros in each group of columns; got "
                    f"{np.round(group[wrong][0], 6).tolist()} in group {j} (counted from 0). "
                    "Give classes= the sizes of the groups, or use Categorical() for labels."
                )

    def output_bias(self, mean: Array, n: int) -> Array:
        return np.log(mean + 0.5 / n)  # half an example of each class

    def _sizes(self, n_outputs: int) -> tuple[int, ...]:
        if isinstance(self.classes, int):
            return (self.classes,) * (n_outputs // self.classes)
        return self.classes or (n_outputs,)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        x = np.hstack([np.eye(c)[rng.integers(c, size=2)] for c in (3, 2)])
        return cls((3, 2)), (rng.normal(size=(3, 2, 5)), x)


def label_log_probs(logits: Array, x: Array, sizes: tuple[int, ...]) -> Array:
    """log p of each label of x (B, D), by logits (B, Σ sizes): (B, D), 0 where x is NaN."""
    starts = np.cumsum(sizes, dtype=np.int64) - np.array(sizes)
    total = np.logaddexp.reduceat(logits, starts, axis=-1)
    known = ~np.isnan(x)
    chosen = np.take_along_axis(logits, starts + np.where(known, x, 0).astype(int), -1)
    return np.where(known, chosen - total, 0.0)


def _classes(who: str, classes: Any) -> int | tuple[int, ...]:
    what = f"{who}'s number of classes"
    if isinstance(classes, Iterable) and not isinstance(classes, (str, bytes)):
        sizes = tuple(whole(what, c, least=2) for c in classes)
        if not sizes:
            raise ConfigError(f"{what} is one for each column; got none.")
        return sizes
    return whole(what, classes, least=2)

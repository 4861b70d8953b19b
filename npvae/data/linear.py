"""The best linear guesses of a row's missing numbers, by a normal distribution of the columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConfigError
from .features import Guesses, coded

Array = np.ndarray

_RIDGE = 1.0
"""As many rows without any correlation as are added to the data."""
_LEAST = 1e-3
"""The least variance of those: a label may have none of the rows that are looked at."""
_STEPS, _CLOSE = 25, 1e-3
"""Of expectation maximisation, at most, and by how little a covariance changes at its end."""
_BLOCK = 1 << 20
"""Numbers in the largest array."""


class LinearGuesses(Guesses):
    """f ~ N(0, C) over features f of a row, so that for its missing ones m and known ones k

      E[f_m given f_k] = C_mk C_kk⁻¹ f_k,

    which is the best linear guess whatever the distribution is. The features are columns of
    numbers, standardised, and of labels whether a row has a certain one, less how many have it.

    Source: the normal's, Anderson 2003, section 2.5; of guesses that are combined by their errors
    at what they did not see, Wolpert 1992 and Breiman 1996.

    Parameters
    ----------
    columns : sequence of F whole numbers
        The column of each f.
    labels : sequence of F whole numbers or None
        The label that f stands for; None if it is the column's number.
    mean, scale : sequences of F numbers
    least, most : sequences of F numbers
        What the columns lie between.
    covariance : F sequences of F numbers
    weights : sequence of F numbers from 0 to 1
        Of labels without a meaning.

    Raises
    ------
    ConfigError
        If they are something else.
    """

    option = "linear"
    called = "the linear guesses are", "those"
    made_of = "linear guesses"

    def __init__(
        self,
        columns: Any,
        labels: Any,
        mean: Any,
        scale: Any,
        least: Any,
        most: Any,
        covariance: Any,
        weights: Any,
    ) -> None:
        try:
            self._take(columns, labels, mean, scale)
            self.least, self.most = np.array(least, np.float64), np.array(most, np.float64)
            self.covariance = np.array(covariance, np.float64)
            self.weights = np.array(weights, np.float64)
            self._check()
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(
                "linear guesses have a column, a label or None, a mean, a scale, two bounds and a "
                "weight from 0 to 1 for each feature, and the features' covariance; got others "
                f"({error})."
            ) from error

    def _check(self) -> None:
        n = len(self.columns)
        numbers = (self.mean, self.scale, self.least, self.most, self.weights)
        of_each = (self.columns, self.labels, *numbers)
        if {a.shape for a in of_each} != {(n,)} or self.covariance.shape != (n, n):
            raise ValueError("their numbers differ")
        if (
            not all(np.isfinite(a).all() for a in (*numbers, self.covariance))
            or np.isinf(self.labels).any()
        ):
            raise ValueError("some are not finite")
        self._check_ranges()
        np.linalg.cholesky(self.covariance)  # LinAlgError, a ValueError, if it is not one

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {
            **super().config,
            "least": self.least.tolist(),
            "most": self.most.tolist(),
            "covariance": self.covariance.tolist(),
            "weights": self.weights.tolist(),
        }

    def guesses(self, x: Array) -> Array:
        """Of each missing number in rows x (N, D), (N, D), within what its column had; else NaN."""
        found = np.full(x.shape, np.nan)
        numbers = np.flatnonzero(np.isnan(self.labels))
        size = max(1, _BLOCK // max(1, len(self.columns)) ** 2)
        for start in range(0, len(x), size):
            some = slice(start, start + size)
            f = coded(x[some], self.columns, self.labels, self.mean, self.scale)
            guess = expected(f, self.covariance)[0] * self.scale + self.mean
            guess = np.clip(guess, self.least, self.most)
            found[some, self.columns[numbers]] = guess[:, numbers]
        return np.where(np.isnan(x), found, np.nan)


def expected(f: Array, covariance: Array) -> tuple[Array, Array]:
    """Rows f (N, F) of N(0, C) with E[f_m given f_k] for NaN, and the covariances of what is
    guessed, C_mm - C_mk C_kk⁻¹ C_km, summed over the rows, (F, F).

    The C_kk of each pattern of gaps stands in an (F, F) matrix, with ones on the diagonal at m: its
    inverse is that of C_kk at k. So a row's guesses depend on no other row.
    """
    known = ~np.isnan(f)
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    k, which = patterns.astype(np.float64), which.reshape(-1)
    both = k[:, :, None] * k[:, None, :]
    inverse = both * np.linalg.inv(covariance * both + np.eye(f.shape[1]) * (1 - k)[:, None])
    slopes = covariance @ inverse
    guess = (slopes[which] @ np.where(known, f, 0.0)[:, :, None])[:, :, 0]
    left = (covariance - slopes @ covariance) * ((1 - k)[:, :, None] * (1 - k)[:, None, :])
    return np.where(known, f, guess), np.tensordot(np.bincount(which), left, 1)


def fitted(f: Array) -> tuple[Array, Array]:
    """The mean (F,) and covariance (F, F) of rows f (N, F) with NaN, by expectation maximisation.

    Derivation, with μ and C those of the step before:
      (1) E: what is missing in a row has the mean and the covariance that `expected` gives
      (2) M: μ' = mean of the rows filled in, C' = mean of their squares + covariances - μ'μ'ᵀ
      (3) `_RIDGE` rows without correlations beside the n: C' = (n C' + r diag C') / (n + r)
    Source: Dempster, Laird & Rubin 1977, section 4.1.1.
    """
    n, width = f.shape
    mean, covariance = np.nanmean(f, axis=0), np.diag(np.maximum(np.nanvar(f, axis=0), _LEAST))
    size = max(1, _BLOCK // width**2)
    for _ in range(_STEPS):
        total, squares = np.zeros(width), np.zeros((width, width))
        for start in range(0, n, size):
            filled, left = expected(f[start : start + size] - mean, covariance)  # (1)
            total += filled.sum(0)
            squares += filled.T @ filled + left
        shift = total / n
        mean = mean + shift
        before, covariance = covariance, squares / n - np.outer(shift, shift)  # (2)
        covariance = 0.5 * (covariance + covariance.T)
        diagonal = np.diag(np.maximum(np.diag(covariance), _LEAST))
        covariance = (n * covariance + _RIDGE * diagonal) / (n + _RIDGE)  # (3)
        if np.abs(covariance - before).max() < _CLOSE:
            break
    return mean, covariance

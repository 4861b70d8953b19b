"""Guesses of a row's missing numbers by the rows that are near it, by distances that are learnt."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ..core.errors import ConfigError
from .features import Guesses, coded

Array = np.ndarray

_STEPS, _BATCH, _AMONG = 40, 128, 4000
"""Of each step some rows are guessed, by that many."""
_RATE, _MOMENTS = 0.4, (0.8, 0.9)
_START, _LEAST, _MOST = -2.0, -8.0, 12.0
"""Of log w: all columns count a little; none more than tells 365 days of a year apart."""
_ALONE, _TRIED, _TRIED_AMONG = 9.0, 100, 2000
"""log w of a column that training begins with if it says more alone than all; judged by so many
rows, guessed by so many. From afar no gradient finds days of which each is worth a look."""
_INDEPENDENT = 2.0
"""The mean square of the difference of two independent numbers of variance 1."""
_BLOCK = 1 << 21
"""Numbers in the largest array."""


class Neighbours(Guesses):
    """A missing number is guessed as the mean of it in other rows n, weighed by how near they are:

      g = Σ_n k_n y_n / Σ_n k_n,   k_n = exp(-d_n),   d_n = Σ_c w_c (f_c - f_nc)²

    over the features f that linear guesses have as well. Where f_c or f_nc is missing, the square
    is 2, its mean for rows that have nothing to do with each other. Each guessed column has w of
    its own. So it finds the same day again where others know it; a decoder of a few latent
    dimensions, and a linear guess, do not.

    Source: Nadaraya 1964, Watson 1964; distances that are learnt: Weinberger & Tesauro 2007.

    Parameters
    ----------
    columns, labels, mean, scale : sequences of F numbers
        As `LinearGuesses` has them.
    rows : (M, D) array, or the text that a config has of it
        Those whose numbers are taken; in float32.
    nearness : F sequences of F numbers
        w for each guessed feature; zeros for what is not guessed.
    weights : sequence of F numbers from 0 to 1

    Raises
    ------
    ConfigError
        If they are something else.
    """

    option = "neighbours"
    called = "neighbours are", "those"
    made_of = "similar rows of training"

    def __init__(
        self,
        columns: Any,
        labels: Any,
        mean: Any,
        scale: Any,
        rows: Any,
        nearness: Any,
        weights: Any,
    ) -> None:
        try:
            self._take(columns, labels, mean, scale)
            self.rows = _rows_of(rows)
            self.nearness = np.array(nearness, np.float64)
            self.weights = np.array(weights, np.float64)
            self._check()
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(
                "neighbours have a column, a label or None, a mean, a scale and a weight from 0 to "
                "1 for each feature, rows, and how much each feature counts for each; got others "
                f"({error})."
            ) from error
        self._coded = coded(self.rows, self.columns, self.labels, self.mean, self.scale)
        self._powers = powers_of(self._coded)

    def _check(self) -> None:
        n = len(self.columns)
        of_each = (self.columns, self.labels, self.mean, self.scale, self.weights)
        if {a.shape for a in of_each} != {(n,)} or self.nearness.shape != (n, n):
            raise ValueError("their numbers differ")
        finite = (self.mean, self.scale, self.weights, self.nearness)
        if not all(np.isfinite(a).all() for a in finite) or np.isinf(self.labels).any():
            raise ValueError("some are not finite")
        self._check_ranges()
        if (self.nearness < 0).any():
            raise ValueError("some are out of their range")
        if np.isinf(self.rows).any() or self.columns.max(initial=-1) >= self.rows.shape[1]:
            raise ValueError("the rows are of other columns")

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        text = base64.b64encode(self.rows.astype("<f4").tobytes()).decode()
        return {
            **super().config,
            "rows": [self.rows.shape[1], text],
            "nearness": self.nearness.tolist(),
            "weights": self.weights.tolist(),
        }

    def guesses(self, x: Array, own: Array | None = None) -> Array:
        """Of each missing number in rows x (N, D) the guess, (N, D), else NaN.

        `own` (N,) says which of `rows` not to look at, -1 for none.
        """
        found = np.full(x.shape, np.nan)
        powers = powers_of(coded(x, self.columns, self.labels, self.mean, self.scale))
        own = np.full(len(x), -1) if own is None else own
        size = max(1, _BLOCK // max(1, len(self.rows)))
        for t in np.flatnonzero(self.nearness.any(1)):
            column = self.columns[t]
            there = np.flatnonzero(~np.isnan(self._coded[:, t]))
            place = np.full(len(self.rows) + 1, -1)
            place[there] = np.arange(len(there))
            gaps = np.flatnonzero(np.isnan(x[:, column]))
            for start in range(0, len(gaps), size):
                some = gaps[start : start + size]
                shares = _shares(
                    powers[:, some], self._powers[:, there], self.nearness[t], place[own[some]]
                )
                guess = shares @ self._coded[there, t]
                found[some, column] = self.mean[t] + self.scale[t] * guess
        return found


def _rows_of(rows: Any) -> Array:
    """Rows (M, D) of float32, or what a config has of them: D, and the numbers in base64."""
    if isinstance(rows, np.ndarray):
        return rows.astype(np.float32)
    width, text = rows
    numbers = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    return numbers.reshape(-1, int(width)).astype(np.float32)


def powers_of(f: Array) -> Array:
    """Whether features f (N, F) are known, they themselves and their squares, 0 else: (3, N, F)."""
    known = ~np.isnan(f)
    f = np.where(known, f, np.zeros((), f.dtype))
    return np.stack([known.astype(f.dtype), f, np.square(f)])


def _sides(powers: Array, w: Array) -> Array:
    """What times a row's powers are the distances to it, less what is the same for all rows.

    Σ_c w_c [k k' ((f - f')² - 2) + 2], with k whether f is known: k (f² - 2) goes with k', -2 f
    with f', and k with f'². (N, 3F).
    """
    known, f, squared = powers
    return np.hstack([w * (squared - _INDEPENDENT * known), -2 * w * f, w * known])


def _shares(powers: Array, others: Array, w: Array, own: Array) -> Array:
    """k_n / Σ k of the other rows for each row, (N, M); none of its own, if that is not -1."""
    d = _sides(powers, w.astype(powers.dtype)) @ np.hstack(list(others)).T
    itself = np.flatnonzero(own >= 0)
    d[itself, own[itself]] = np.inf
    d -= d.min(1, keepdims=True)
    np.exp(np.negative(d, out=d), out=d)
    d /= d.sum(1, keepdims=True)
    return d


def learnt(f: Array, t: int, usable: Array, hidden: float, rng: np.random.Generator) -> Array:
    """w (F,) by which feature t of rows f (M, F) is guessed best by the others: by Adam.

    Each step takes other rows, guesses some of them by all, and hides a share of their cells.

    Parameters
    ----------
    f : (M, F) array, in standard deviations
    t : int
    usable : (F,) bool
        Which features say something of t: those of other columns.
    hidden : float
    rng : Generator

    Source: Weinberger & Tesauro 2007, section 3; Adam: Kingma & Ba 2015.
    """
    f = f[~np.isnan(f[:, t])].astype(np.float32)
    y, others = f[:, t], powers_of(np.where(usable, f, np.nan))
    u = _start(y, others, usable, hidden, rng)
    own = np.arange(min(_BATCH, len(f)))
    first, second = np.zeros(len(u)), np.zeros(len(u))
    for step in range(1, _STEPS + 1):
        among = rng.permutation(len(f))[:_AMONG]
        some = others[:, among]
        powers = some[:, own] * (rng.random((len(own), len(u))) >= hidden)
        w = np.where(usable, np.exp(u), 0.0)
        du = w * error_and_slope(w, powers, some, y[among], own)[1]
        first += (1 - _MOMENTS[0]) * (du - first)
        second += (1 - _MOMENTS[1]) * (np.square(du) - second)
        mean, square = (m / (1 - b**step) for m, b in zip((first, second), _MOMENTS, strict=True))
        rate = _RATE * min(1.0, 2 * (1 - step / (_STEPS + 1)))
        u = np.clip(u - rate * mean / (np.sqrt(square) + 1e-12), _LEAST, _MOST)
    return np.where(usable, np.exp(u), 0.0)


def error_and_slope(
    w: Array, powers: Array, others: Array, y: Array, own: Array
) -> tuple[float, Array]:
    """The mean squared error of guesses of y[own] (B,) by all y (M,) but the own, and ∂/∂w (F,).

    Derivation, with p_n = k_n / Σ k and the error e = g - y of a row, L = mean e²:
      (1) ∂p_n/∂d_m = -p_n (1[n = m] - p_m)  ->  ∂g/∂d_n = -p_n (y_n - g)
      (2) ∂L/∂d_n = -2 e p_n (y_n - g) / B = G_n
      (3) ∂d_n/∂w_c = the square in c  ->  ∂L/∂w_c = Σ G_n (square); its constant falls out, since
          Σ_n G_n = 0
    """
    p = _shares(powers, others, w, own)
    guess = p @ y
    e = guess - y[own]
    p *= (y - guess[:, None]) * (-2 / len(own) * e)[:, None]  # (2)
    by_known, by_own, by_squared = np.split(p @ np.hstack(list(others)), 3, axis=1)
    known, own_f, squared = powers
    square = (squared - _INDEPENDENT * known) * by_known - 2 * own_f * by_own + known * by_squared
    return float(np.square(e).mean()), square.sum(0)  # (3)


def _start(y: Array, others: Array, usable: Array, hidden: float, rng: Any) -> Array:
    """log w (F,) to begin with: of all columns the same, or of one much more."""
    among = rng.permutation(len(y))[:_TRIED_AMONG]
    y, others, own = y[among], others[:, among], np.arange(min(_TRIED, len(y)))
    powers = others[:, own] * (rng.random((len(own), len(usable))) >= hidden)

    def error(u: Array) -> float:
        p = _shares(powers, others, np.where(usable, np.exp(u), 0.0), own)
        return float(np.square(p @ y - y[own]).mean())

    same = np.full(len(usable), _START)
    ones = [np.where(np.arange(len(usable)) == c, _ALONE, same) for c in np.flatnonzero(usable)]
    return min([same, *ones], key=error)

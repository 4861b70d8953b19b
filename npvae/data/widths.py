"""How much wider or narrower than a model's own the draws of a column are to be."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConfigError
from ..core.numerics import sigmoid

Array = np.ndarray

LEAST, MOST = 0.5, 2.0


class Widths:
    """A draw that has rank u among a model's draws of a cell becomes the one of rank σ(c logit u).

    Below 1 the width c of its column takes draws nearer to their median. They stay such as the
    model draws: atoms, steps and bounds are kept, and so is which of two draws is greater.

    Source: Kuleshov, Fenner & Ermon 2018, section 3; of ranks, Hamill 2001.

    Parameters
    ----------
    columns : sequence of D numbers from 0.5 to 2

    Raises
    ------
    ConfigError
        If they are something else.
    """

    def __init__(self, columns: Any) -> None:
        try:
            self.columns = np.array(columns, np.float64)
        except (TypeError, ValueError, OverflowError):
            self.columns = np.zeros((1, 1))
        usable = self.columns.ndim == 1
        if not usable or not ((self.columns >= LEAST) & (self.columns <= MOST)).all():
            raise ConfigError(
                f"widths are a number from {LEAST} to {MOST:g} for each column; got "
                f"{columns!r:.60}."
            )

    @classmethod
    def given(cls, config: Any, x_dim: int) -> Widths:
        """Those of a config, for rows of x_dim columns; raises `ConfigError`."""
        if not isinstance(config, dict) or list(config) != ["columns"]:
            raise ConfigError(f"widths is None or what model.config has of it; got {config!r:.60}.")
        found = cls(config["columns"])
        if len(found.columns) != x_dim:
            raise ConfigError(
                f"the widths are of {len(found.columns)} columns, and there are {x_dim}; give "
                "those of this model's table."
            )
        return found

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {"columns": self.columns.tolist()}

    def __deepcopy__(self, memo: Any) -> Widths:
        """Itself: nothing changes it."""
        return self

    def changed(self, drawn: Array, pool: Array, weights: Array, shares: Array) -> Array:
        """Draws (M, B, D) with these widths, by a pool of draws (K, B, D) with weights (K, B).

        `shares` (M, B) from 0 to 1 say which rank draws have that the pool has several times.
        """
        made = np.array(drawn)
        least = 0.5 / len(pool)
        for j in np.flatnonzero(self.columns != 1):
            order = np.argsort(pool[:, :, j], axis=0)
            ordered = np.take_along_axis(pool[:, :, j], order, 0)
            below = np.cumsum(np.take_along_axis(weights, order, 0), axis=0)
            u = ranks(drawn[:, :, j], pool[:, :, j], weights, shares).clip(least, 1 - least)
            wanted = sigmoid(self.columns[j] * np.log(u / (1 - u)))
            places = np.stack([(below < rank - 1e-12).sum(0) for rank in wanted])
            made[:, :, j] = np.take_along_axis(ordered, places.clip(0, len(pool) - 1), 0)
        return made


def ranks(x: Array, pool: Array, weights: Array, shares: Array) -> Array:
    """Which share of a pool's weight lies below x, and of what equals it a share of, (M, ...).

    x and shares (M, ...), pool and weights (K, ...).
    """
    return np.stack(
        [
            (weights * (pool < one)).sum(0) + share * (weights * (pool == one)).sum(0)
            for one, share in zip(x, shares, strict=True)
        ]
    )


def width_of(u: Array, doubt: float) -> float:
    """The width that true values of ranks u (N,), from above 0 to below 1, ask for.

    Derivation: of draws that are right the ranks are uniform, so that logit u is logistic, with
    density σ(t) σ(-t) and E|t| = 2 log 2. If true values are as draws of width c, their logit u is
    c times as large  ->  c = mean |logit u| / (2 log 2). Its logarithm counts N / (N + doubt).
    """
    measured = max(np.abs(np.log(u / (1 - u))).mean() / (2 * np.log(2)), LEAST / 100)
    c = np.exp(len(u) / (len(u) + doubt) * np.log(measured))
    return float(np.clip(c, LEAST, MOST))

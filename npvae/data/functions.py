"""Columns that are a function of another in every row: drawn rows and filled gaps have it so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import ConfigError

Array = np.ndarray

SURE = 30.0
"""Nats: how unlikely it must be that rows in random order would follow a function as well."""
_MOST_VALUES = 1024
"""A line has no more knots, and other functions are of no more values."""
_MANY = 20
"""Between so many values or more of a rising or falling function lies a line."""
_FIRST, _MOST_COLUMNS = 200, 300
"""Rows by which most pairs of columns are seen to be none; columns of which pairs are looked at."""
_PARTS = 1.0, 1e6, 86400.0
"""Of which parts of 1 steps are so many: decimals, and seconds of a day."""


class Function(NamedTuple):
    """Column `of` is a function of column `by`: at `x`, which rises, it is `y`.

    Elsewhere it has the y of the nearest x; or where `line`, what lies on the line between them,
    rounded to a multiple of `step` unless that is 0. `by_step` is what x are multiples of.
    """

    of: int
    by: int
    x: Array
    y: Array
    line: bool
    step: float
    by_step: float = 0.0

    def at(self, x: Array, share: Array | None = None) -> Array:
        """The values at x, of any shape; with `share`, from 0 to 1, what lies so far between the y
        of the two nearest x, as all that a line says for sure.
        """
        if not self.line:
            return np.asarray(self.y[np.searchsorted(self.x[1:] / 2 + self.x[:-1] / 2, x)])
        if share is None:
            y = np.interp(x, self.x, self.y)
        else:
            low, high = self._between(x)
            y = low + share * (high - low)
        return np.asarray(_rounded(y, self.step) if self.step else y)

    def is_sure(self, x: Array) -> Array:
        """Whether the rows say what is at x: on a line, or between two x with the same y."""
        low, high = self._between(x)
        return np.asarray((self.x[0] <= x) & (x <= self.x[-1]) & (self.line | (low == high)))

    def _between(self, x: Array) -> tuple[Array, Array]:
        """The y of the nearest x that is no greater and no less; both are that of an equal one."""
        below = np.searchsorted(self.x, x, "right").clip(1) - 1
        above = np.searchsorted(self.x, x).clip(0, len(self.x) - 1)
        return self.y[below], self.y[above]

    def inverse(self) -> Function | None:
        """`by` as a function of `of`, if no two x have one y."""
        order = np.argsort(self.y)
        x, y = self.y[order], self.x[order]
        if not np.diff(x).all():
            return None
        return Function(self.by, self.of, x, y, self.line, self.by_step, self.step)


class Functions:
    """What columns of drawn rows and gaps are set to; a decoder with noise has it nearly alone.

    Parameters
    ----------
    columns : sequence of (of, by, x, y, line, step, by_step)
        What `Function` has. A column comes as `by` only before or without being `of`.

    Raises
    ------
    ConfigError
        If they are something else.
    """

    def __init__(self, columns: Any) -> None:
        try:
            self.columns = [_function(*one) for one in columns]
            of = [f.of for f in self.columns]
            if len(set(of)) < len(of) or any(f.by in of[i:] for i, f in enumerate(self.columns)):
                raise ValueError("one depends on itself")
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(
                "functions have two columns, x that rises and as many y, whether there is a line, "
                f"and steps; got others ({error})."
            ) from error
        inverses = [f.inverse() for f in reversed(self.columns)]
        self._inverses = [f for f in inverses if f is not None]

    @classmethod
    def given(cls, config: Any, x_dim: int) -> Functions:
        """Those of a config, for rows of x_dim columns; raises `ConfigError`."""
        if not isinstance(config, dict) or list(config) != ["columns"]:
            raise ConfigError(
                f"functions is None or what model.config has of it; got {config!r:.60}."
            )
        found = cls(config["columns"])
        most = max((max(f.of, f.by) for f in found.columns), default=0)
        if most >= x_dim:
            raise ConfigError(
                f"the functions are of column {most}, and there are {x_dim}; give those of this "
                "model's table."
            )
        return found

    @property
    def config(self) -> dict[str, Any]:
        """As JSON can hold it; the numbers come back bit by bit."""
        return {
            "columns": [[*f._replace(x=f.x.tolist(), y=f.y.tolist())] for f in self.columns],
        }

    def __deepcopy__(self, memo: Any) -> Functions:
        """Itself: nothing changes it."""
        return self

    def restored(self, x: Array, known: Array | None = None) -> Array:
        """Rows x (..., D) with the functions' values.

        But for columns that are not NaN in `known` (D,) or (N, D), and those that follow from such
        a one: what is known of those, `completed` says.
        """
        x = np.array(x)
        for f in self.columns:
            drawn = f.at(x[..., f.by].astype(np.float64))
            stays = False if known is None else ~np.isnan(known[..., [f.of, f.by]]).all(-1)
            x[..., f.of] = np.where(stays, x[..., f.of], drawn)
        return x

    def completed(self, x: Array, share: Array | None = None) -> Array:
        """Rows x (N, D) without the gaps that follow from what is known, by functions or inverses.

        From what follows other columns may follow: up to what a column is a function of, then down.
        With `share` (N,) as `Function.at` has it.
        """
        x = np.array(x)
        for f in [*self._inverses, *self.columns]:
            some = np.flatnonzero(np.isnan(x[:, f.of]) & ~np.isnan(x[:, f.by]))
            of_those = x[some, f.by].astype(np.float64)
            values = f.at(of_those, None if share is None else share[some])
            x[some, f.of] = np.where(f.is_sure(of_those), values, np.nan)
        return x

    def drawn(self, filled: Array, x: Array, shares: Array) -> Array:
        """Draws `filled` (M, N, D) for the gaps of rows x (N, D), with the functions' values.

        What lies between two known values of a line is drawn between them, by shares (M, N) that
        are uniform: no more is known of it.
        """
        filled = self.restored(filled, self.completed(x))
        for draw, share in zip(filled, shares, strict=True):
            known = self.completed(x, share)
            np.copyto(draw, known, where=~np.isnan(known))
        return filled

    def agree(self, x: Array, known: Array) -> Array:
        """Which rows x (N, D), drawn beside `known` (D,), NaN elsewhere, agree with it, (N,) bool.

        That is where a column that follows from a drawn one is known. On a line `completed` has set
        both.
        """
        good = np.ones(len(x), bool)
        for f in self.columns:
            if np.isnan(known[f.by]) and not f.line and (f.y == known[f.of]).any():
                good &= f.at(x[:, f.by].astype(np.float64)) == known[f.of]
        return good


def _rounded(y: Array, step: float) -> Array:
    """The nearest multiples of a step: 0.3 and not 0.30000000000000004, which 3 · 0.1 is."""
    n = np.rint(y / step)
    for parts in _PARTS:
        whole = np.rint(step * parts)
        if whole and abs(step * parts - whole) < 1e-9 * whole:
            return n * whole / parts
    return n * step


def _function(
    of: Any, by: Any, x: Any, y: Any, line: Any, step: Any, by_step: Any = 0.0
) -> Function:
    x, y = np.array(x, np.float64), np.array(y, np.float64)
    if not x.ndim == y.ndim == 1 or len(x) != len(y) or not len(x):
        raise ValueError("their numbers differ")
    steps = [step, by_step]
    if not np.isfinite([*x, *y, *steps]).all() or min(steps) < 0 or (x[1:] <= x[:-1]).any():
        raise ValueError("some are out of their range")
    if of != int(of) or by != int(by) or min(of, by) < 0 or of == by:
        raise ValueError("there are no such columns")
    return Function(int(of), int(by), x, y, bool(line), float(step), float(by_step))


def find(x: Array, numbers: Array, steps: Sequence[float]) -> Functions | None:
    """The functions among the columns of x (N, D), NaN where a value is missing; None if none.

    A column may be a function of those alone that have more values, or as many and stand before
    it, so that none depends on itself; of several it is that with the fewest. Rows that have both
    values say what it is.

    Parameters
    ----------
    numbers : (D,) bool
        Whether columns are numbers, and no labels.
    steps : D numbers
        What a column's values are multiples of, or 0.
    """
    if x.shape[1] > _MOST_COLUMNS:
        return None
    counts = [len(np.unique(c[~np.isnan(c)])) for c in x.T]
    order = sorted((j for j, n in enumerate(counts) if n > 1), key=lambda j: (-counts[j], j))
    found = []
    for place, of in enumerate(order):
        for by in reversed(order[:place]):
            known = ~np.isnan(x[:, of]) & ~np.isnan(x[:, by])
            a, b = x[known, by], x[known, of]
            f = _of_two(a, b, bool(numbers[of] and numbers[by]))
            if f is not None:
                found.append((of, by, *f, steps[of], steps[by]))
                break
    return Functions(found) if found else None


def _of_two(x: Array, y: Array, numbers: bool) -> tuple[Array, Array, bool] | None:
    """The values x, their y, and whether there is a line between them, if y (N,) is a function.

    Derivation of how sure it is: of the N! / Π n_y! orders of the y, as many as there are ways to
    give each of K values of x one of the C values of y would do, at most C^K. Of these that rise or
    fall with x there are 2, as every value's place follows from the n_y.
    """
    if _contradicted(x[:_FIRST], y[:_FIRST]) or _contradicted(x, y):
        return None
    values, first = np.unique(x, return_index=True)
    of_values = y[first]
    n = np.unique(y, return_counts=True)[1]
    if len(n) < 2:
        return None
    orders = math.lgamma(len(y) + 1) - sum(math.lgamma(c + 1) for c in n.tolist())
    steps = np.diff(of_values)
    rises = numbers and bool((steps >= 0).all() or (steps <= 0).all())
    ways = math.log(2) if rises else len(values) * math.log(len(n))
    if orders - ways < SURE:
        return None
    line = rises and bool(steps.all()) and len(values) >= _MANY
    if len(values) > _MOST_VALUES:
        if not line:
            return None
        some = np.linspace(0, len(values) - 1, _MOST_VALUES).astype(int)
        values, of_values = values[some], of_values[some]
    return values, of_values, line


def _contradicted(x: Array, y: Array) -> bool:
    """Whether equal x have different y."""
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    return bool(((x[1:] == x[:-1]) & (y[1:] != y[:-1])).any())

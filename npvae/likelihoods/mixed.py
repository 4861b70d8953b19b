"""A likelihood for each group of columns, so that a table of several kinds trains as one model."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, clone, resolve
from ..core.checks import whole
from ..core.errors import ConfigError, DataError
from .likelihood import Likelihood

Array = np.ndarray


class Mixed(Likelihood):
    """log p(x given theta) = Σ_g log p_g(x_g given theta_g), x_g being the columns of group g.

    Given z the columns are independent, so each group of them may have a likelihood of its own.
    theta has the groups' outputs side by side, in the groups' order; x, means, modes and draws have
    the columns in the table's order.

    Derivation:
      (1) theta_g is in the g-th term alone  ->  dtheta_g is that of group g's backward
      (2) theta = [theta_1, theta_2, ...]    ->  dtheta = [dtheta_1, dtheta_2, ...]
    Shapes: theta (K, B, Σ_g n_outputs of g), x (B, D), log_px (K, B).
    Source: Nazábal, Olmos, Ghahramani & Valera 2020, section 3.

    Parameters
    ----------
    groups : sequence of (likelihood, columns)
        For each group a likelihood, of which it takes a copy, and the numbers of its columns,
        counted from 0. Every column of x is in exactly one group.

    Raises
    ------
    ConfigError
        If a column is in several groups or in none, or a likelihood does not fit its columns.
    """

    def __init__(self, groups: Sequence[tuple[Any, Sequence[int]]]) -> None:
        pairs = [_pair(group) for group in _sequence("groups", groups)]
        self.columns = [columns for _, columns in pairs]
        self._back = tuple(_places(self.columns).tolist())
        self.parts: list[Any] = [clone(resolve("likelihood", choice)) for choice, _ in pairs]
        for part, columns in self._pairs:
            part.declare(len(columns))
        widths = [p.n_outputs(len(c)) for p, c in self._pairs]
        ends = np.cumsum(widths).tolist()
        self._outputs = [slice(end - n, end) for end, n in zip(ends, widths, strict=True)]

    @property
    def groups(self) -> list[list[Any]]:
        """The argument, as JSON can hold it."""
        return [[p.config, list(c)] for p, c in self._pairs]

    @property
    def unit_interval(self) -> bool:  # type: ignore[override]
        return all(part.unit_interval for part in self.parts)

    @property
    def takes_missing(self) -> bool:  # type: ignore[override]
        return all(part.takes_missing for part in self.parts)

    def declare(self, x_dim: int) -> None:
        if x_dim != len(self._back):
            raise ConfigError(
                f"Mixed needs every column in exactly one group; got groups for "
                f"{len(self._back)} columns, and data of {x_dim}. Put the others in a group, or "
                "leave out what the data does not have."
            )

    def n_outputs(self, x_dim: int) -> int:
        self.declare(x_dim)
        return self._outputs[-1].stop

    def n_features(self, x_dim: int) -> int:
        self.declare(x_dim)
        return sum(p.n_features(len(c)) for p, c in self._pairs)

    def features(self, x: Array) -> Array:
        """The groups' features side by side."""
        features = [p.features(k.take_columns(x, c)) for p, c in self._pairs]
        return functools.reduce(k.concat, features)

    def usual(self, x_dim: int) -> Array:
        self.declare(x_dim)
        return np.concatenate([p.usual(len(c)) for p, c in self._pairs])

    def real_columns(self, x_dim: int) -> Array:
        return self._of_columns(x_dim, "real_columns")

    def variables(self, x_dim: int) -> Array:
        self.declare(x_dim)
        found = np.empty(x_dim, int)
        n = 0
        for part, columns in self._pairs:
            own = part.variables(len(columns))
            found[list(columns)] = n + own
            n += own.max() + 1
        return found

    def forward(self, theta: Array, x: Array) -> tuple[Array, list[Any]]:
        log_pxs, caches = [], []
        for part, columns, outputs in zip(self.parts, self.columns, self._outputs, strict=True):
            log_px, cache = part.forward(theta[..., outputs], k.take_columns(x, columns))
            log_pxs.append(log_px)
            caches.append(cache)
        return functools.reduce(k.add, log_pxs), caches

    def backward(self, caches: list[Any], d_log_px: Array) -> tuple[Array, None]:
        pairs = zip(self.parts, caches, strict=True)
        dthetas = [part.backward(cache, d_log_px)[0] for part, cache in pairs]  # (1)
        return functools.reduce(k.concat, dthetas), None  # (2)

    def entries(self, theta: Array, x: Array) -> Array:
        shares = zip(self._split(theta), self.columns, strict=True)
        return self._as_the_table([p.entries(t, x[:, list(c)]) for (p, t), c in shares])

    def mean(self, theta: Array) -> Array:
        return self._as_the_table([part.mean(t) for part, t in self._split(theta)])

    def mode(self, theta: Array) -> Array:
        return self._as_the_table([part.mode(t) for part, t in self._split(theta)])

    def sample(self, theta: Array, rng: np.random.Generator) -> Array:
        return self._as_the_table([part.sample(t, rng) for part, t in self._split(theta)])

    def expected(self, theta: Array) -> Array:
        """The groups' own, side by side."""
        return np.concatenate([part.expected(t) for part, t in self._split(theta)], axis=-1)

    def expected_where(self, theta: Array, wanted: Array) -> Array:
        shares = zip(self._split(theta), self.columns, strict=True)
        parts = [part.expected_where(t, wanted[:, list(c)]) for (part, t), c in shares]
        return np.concatenate(parts, axis=-1)

    def guess(self, expected: Array) -> Array:
        some = np.zeros((1, self._outputs[-1].stop), expected.dtype)
        ends = np.cumsum([part.expected(t).shape[-1] for part, t in self._split(some)])
        shares = np.split(expected, ends[:-1], axis=-1)
        guesses = [part.guess(share) for part, share in zip(self.parts, shares, strict=True)]
        return self._as_the_table(guesses)

    def nominal_columns(self, x_dim: int) -> Array:
        return self._of_columns(x_dim, "nominal_columns")

    def mean_columns(self, x_dim: int) -> Array:
        return self._of_columns(x_dim, "mean_columns")

    def for_rows(self, theta: Array, x: Array) -> Array:
        shares = zip(self._split(theta), self.columns, strict=True)
        return np.concatenate([p.for_rows(t, x[:, list(c)]) for (p, t), c in shares], axis=-1)

    def check(self, x: Array) -> None:
        for part, columns in self._pairs:
            _check(part, x, columns)

    def clearly_supports(self, x: Array) -> bool:
        return all(part.clearly_supports(x[..., columns]) for part, columns in self._pairs)

    def start_from(self, rows: Array) -> None:
        for part, columns in self._pairs:
            part.start_from(rows[..., columns])

    def output_bias(self, mean: Array, n: int) -> Array:
        """The groups' own, side by side; zeros for one that has none."""
        starts = []
        for part, columns in self._pairs:
            start = part.output_bias(mean[list(columns)], n)
            starts.append(np.zeros(part.n_outputs(len(columns))) if start is None else start)
        return np.concatenate(starts)

    @property
    def _pairs(self) -> Iterable[tuple[Any, tuple[int, ...]]]:
        """Each group's likelihood and columns."""
        return zip(self.parts, self.columns, strict=True)

    def _of_columns(self, x_dim: int, which: str) -> Array:
        """What the groups say of their columns, (D,) bool."""
        self.declare(x_dim)
        found = np.empty(x_dim, bool)
        for part, columns in self._pairs:
            found[list(columns)] = getattr(part, which)(len(columns))
        return found

    def _split(self, theta: Array) -> Iterable[tuple[Any, Array]]:
        """Each group's likelihood with its share of theta."""
        shares = (theta[..., outputs] for outputs in self._outputs)
        return zip(self.parts, shares, strict=True)

    def _as_the_table(self, groups: list[Array]) -> Array:
        """The groups' columns in the table's order."""
        return k.take_columns(functools.reduce(k.concat, groups), self._back)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        labels = {"name": "categorical", "classes": 3}
        part = cls([("gaussian_column_scale", (3, 0)), ("bernoulli", (1,)), (labels, (2,))])
        part.allocate(rng)
        part.parts[0].log_scale += rng.normal(0, 0.3, 2)
        x = rng.normal(size=(2, 4))
        x[:, 1], x[:, 2] = rng.random(2), rng.integers(3, size=2)
        return part, (rng.normal(size=(3, 2, 6)), x)


def _pair(group: Any) -> tuple[Any, tuple[int, ...]]:
    """A group's likelihood and columns."""
    pair = _sequence("a group", group)
    if len(pair) != 2:
        raise ConfigError(
            f"a group of Mixed is a pair (likelihood, columns); got {group!r}, of {len(pair)}."
        )
    columns = _sequence("a group's columns", pair[1])
    return pair[0], tuple(whole("a group's column", column, least=0) for column in columns)


def _sequence(what: str, value: Any) -> list[Any]:
    items = list(value) if isinstance(value, Iterable) else []
    if not items or isinstance(value, (str, bytes, dict)):
        raise ConfigError(
            f"Mixed takes groups such as [('gaussian', (0, 2)), ('bernoulli', (1,))]; got "
            f"{value!r} for {what}."
        )
    return items


def _places(groups: list[tuple[int, ...]]) -> Array:
    """Where each column of the table lies in the groups that are side by side, (D,)."""
    order = np.concatenate(groups)
    column, times = np.unique(order, return_counts=True)
    rule = "Mixed needs every column in exactly one group"
    if times.max() > 1:
        twice = column[times.argmax()]
        where = [g for g, columns in enumerate(groups) for c in columns if c == twice]
        raise ConfigError(
            f"{rule}; got column {twice} in group {where[0]} and again in group {where[1]} "
            "(counted from 0). Leave it in one place."
        )
    if column[-1] >= len(column):
        free = int(np.flatnonzero(column != np.arange(len(column)))[0])
        raise ConfigError(
            f"{rule}; got none for column {free} (counted from 0), while there is one for column "
            f"{column[-1]}. Add it to a group."
        )
    return np.argsort(order)


def _check(part: Any, x: Array, columns: tuple[int, ...]) -> None:
    try:
        part.check(x[..., columns])
    except DataError as error:
        raise DataError(_of_table(str(error), part, x, columns)) from None


def _of_table(message: str, part: Any, x: Array, columns: tuple[int, ...]) -> str:
    """A group's error, with the table's number of the column that is wrong."""
    named = re.compile(r"\bcolumn (\d+)")
    if named.search(message):
        return named.sub(lambda found: f"column {columns[int(found[1])]}", message)
    wrong = [column for column in columns if _refuses(part, x[..., [column]])] or columns
    numbers = ", ".join(map(str, wrong[:5])) + (", ..." if len(wrong) > 5 else "")
    return f"in column{'s' * (len(wrong) > 1)} {numbers} (counted from 0), {message}"


def _refuses(part: Any, x: Array) -> bool:
    try:
        part.check(x)
    except (ValueError, IndexError):  # or it can't look at one column alone
        return True
    return False

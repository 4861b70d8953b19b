"""Data as training takes them: checked once, and read batch by batch."""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..core.checks import flag, relative_weights
from ..core.errors import ConfigError, DataError
from ..core.numerics import known_sums
from ..data.mapped import in_memory
from ..data.reader import CHUNK, Reader
from ..data.wild import wild_cells
from ..models import Model

Array = np.ndarray

_DIGESTED = 1 << 24
"""Numbers of which `digest` takes all; of more, every second row, every third, and so on."""


class Batch(NamedTuple):
    """x (B, D) with its context (B, C) and weights (B,), None where there is none."""

    x: Array
    context: Array | None
    weights: Array | None


@dataclass(frozen=True)
class Transform:
    """A user's function that changes batches, and a look at what it gives.

    Attributes
    ----------
    function : callable, from rows (B, D) and a random generator to rows (B, D)
    batch_size : int, the most rows that it is given at a time
    check : callable, which refuses rows outside of the likelihood's support
    """

    function: Callable[[Array, np.random.Generator], Array]
    batch_size: int
    check: Callable[[Array], None]

    def __call__(self, x: Array, draws: np.random.Generator) -> Array:
        given = self.function(x.copy(), draws)
        if not isinstance(given, np.ndarray) or given.shape != x.shape:
            came = getattr(given, "shape", given)
            raise DataError(
                f"batch_transform gives rows of the same shape, {x.shape}; this one gave {came!r}. "
                "It is called with (x, rng) and returns the changed rows."
            )
        changed: Array = given.astype(x.dtype)
        self.check(changed)
        return changed


@dataclass
class Rows:
    """Data with its context, as readers, and the weights of its rows.

    Attributes
    ----------
    weights : (N,) array of the type of the batches, or None where every row counts the same
    binarise : bool
        Whether x holds probabilities, of which a batch has draws: ones and zeros.
    hide : float
        The share of the entries that a batch has as missing, other ones at each visit of a row.
    variables : (D,) array or None
        Which variable each column is of: those of one are hidden together.
    transform : Transform or None
        What a batch goes through before that.
    """

    x: Reader
    context: Reader | None
    weights: Array | None = None
    binarise: bool = False
    hide: float = 0.0
    variables: Array | None = None
    transform: Transform | None = None

    @property
    def varies(self) -> bool:
        """Whether a batch is another one at each visit."""
        return self.binarise or self.hide > 0 or self.transform is not None

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def digest(self) -> str:
        """A digest of the data as they are before units; of rows evenly spread if they are many.

        Bytes and their quotients by the scale have the same one.
        """
        step = 1 + self.x.array.size // _DIGESTED
        plain = replace(self, x=copy.copy(self.x))
        plain.x.units = None
        found = hashlib.blake2b(digest_size=16)
        for start in range(0, len(self), step * CHUNK):
            x, context, weights = plain.batch(slice(start, start + step * CHUNK, step))
            weights = None if weights is None else weights.astype(np.float32)
            for part in (x, context, weights):
                found.update(b"" if part is None else np.ascontiguousarray(part).data)
        return found.hexdigest()

    def batch(self, rows: Any, draws: np.random.Generator | None = None) -> Batch:
        """Some of the rows; where they are to be binarised or hidden, that is drawn from `draws`.

        Rows that are asked for in two calls, one after the other, get what they get in one; where
        they are transformed, whole batches are asked for.
        """
        x = self.x.batch(rows)
        return Batch(
            self._drawn(x, draws) if self.varies and draws is not None else x,
            None if self.context is None else self.context.batch(rows),
            None if self.weights is None else self.weights[rows],
        )

    def _drawn(self, x: Array, draws: np.random.Generator) -> Array:
        if self.transform is None:
            return self._thinned(x, draws)
        size = self.transform.batch_size
        batches = (x[start : start + size] for start in range(0, len(x), size))
        return np.concatenate([self._thinned(self.transform(b, draws), draws) for b in batches])

    def _thinned(self, x: Array, draws: np.random.Generator) -> Array:
        """Ones and zeros, and gaps, as far as they are asked for."""
        if not self.hide:
            return binarised(x, draws) if self.binarise else x
        u = draws.random((len(x), 1 + self.binarise, x.shape[1]), np.float32)
        hidden = u[:, 0] < self.hide
        if self.variables is not None:
            hidden = hidden[:, self.variables]  # by the place of the variable's number
        return np.where(hidden, np.nan, _ones(x, u[:, 1]) if self.binarise else x).astype(x.dtype)


def binarised(x: Array, draws: np.random.Generator) -> Array:
    """Ones with probability x and zeros otherwise; NaN, where x is missing, stays."""
    return _ones(x, draws.random(x.shape, np.float32))


def _ones(x: Array, u: Array) -> Array:
    """1 where u (N, D), uniform on [0, 1), is below x, 0 elsewhere, NaN where x is."""
    drawn = (u < x).astype(x.dtype)
    np.copyto(drawn, x, where=np.isnan(x))
    return drawn


def check_binarise(model: Model, binarise: Any) -> None:
    """Refuse what is no bool, and a likelihood that is none of ones and zeros."""
    if not flag("binarise", binarise):
        return
    try:
        model.likelihood.check(np.repeat([[0.0], [1.0]], model.x_dim, axis=1))
        takes_both = model.likelihood.unit_interval
    except DataError:
        takes_both = False
    if not takes_both:
        raise ConfigError(
            f"binarise=True draws ones and zeros, of which {type(model.likelihood).__name__} is no "
            "likelihood; use Bernoulli(), or binarise=False."
        )


def check_hide(model: Model, hide: float) -> None:
    """Refuse a model that takes no gaps."""
    if hide and model.missing is None:
        raise ConfigError(
            f"hide={hide:g} hides entries from the model, which needs missing='mask'; this one was "
            "built without it."
        )


def training_rows(
    model: Model,
    x: Any,
    context: Any,
    weights: Any,
    binarise: bool,
    hide: float = 0.0,
    transform: Transform | None = None,
) -> tuple[Rows, Array]:
    """Check all of x once; find the scale of bytes, the units and the mean of every column.

    The model gets them last, so that data that are refused leave no trace.
    """
    reader = model.reader(in_memory(x))
    scale = model.scale
    if (
        scale is None
        and model.likelihood.unit_interval
        and reader.array.dtype == np.uint8
        and reader.array.max() > 1
    ):
        scale = reader.scale = 255.0
    if weights is not None:
        weights = relative_weights(weights, len(reader)).astype(reader.dtype)
    if model.standardise is True:
        reader.units = reader.measured(model.likelihood.real_columns(model.x_dim), weights)
        _warn_of_wild(reader)
    contexts = model.context_reader(context, len(reader))
    variables = model.likelihood.variables(model.x_dim) if hide else None
    rows = Rows(reader, contexts, weights, binarise, hide, variables, transform)
    total, known = _checked_sums(model, rows)
    if not known.all():
        where = "every row" if weights is None else "every row with a weight above 0"
        raise DataError(
            f"x needs a known number in every column; column {known.argmin()} (counted from 0) is "
            f"missing in {where}. Drop that column."
        )
    model.scale, model.units = scale, reader.units
    return rows, total / known


def _warn_of_wild(reader: Reader) -> None:
    """Say which cells alone decide what their columns are standardised by."""
    cells = wild_cells(reader, reader.units) if reader.units is not None else []
    if cells:
        shown = ", ".join(f"{v:.6g} in row {i}, column {j}" for i, j, v in cells[:3])
        more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
        warnings.warn(
            f"far from all other cells of their columns lie {shown}{more} (counted from 0): "
            "standardised by them, the others hardly differ. Correct them, or take missing='mask' "
            "and make them NaN.",
            stacklevel=5,
        )


def validation_rows(model: Model, valid: Any, binarise: bool) -> Rows | None:
    if valid is None:
        return None
    if isinstance(valid, tuple) and len(valid) != 2:
        raise ConfigError(
            f"valid is an array, or a pair (array, context); got a tuple of {len(valid)}."
        )
    x, context = valid if isinstance(valid, tuple) else (valid, None)
    reader = model.reader(in_memory(x), "valid")
    rows = Rows(reader, model.context_reader(context, len(reader)), binarise=binarise)
    _checked_sums(model, rows)
    return rows


def _checked_sums(model: Model, rows: Rows) -> tuple[Array, Array]:
    """The sum of every column's known numbers and their count, on a pass that checks all.

    Both are weighted as the rows are.
    """
    total, known = np.zeros((2, rows.x.array.shape[1]))
    for chunk in rows.x.chunks():
        batch = rows.x.checked(chunk)
        model.likelihood.check(batch)
        sums, counts = known_sums(batch, None if rows.weights is None else rows.weights[chunk])
        total += sums
        known += counts
        if rows.context is not None:
            rows.context.checked(chunk)
    return total, known

"""From the user's array to the batches that a model computes with."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.arrays import as_array, check_numbers
from ..core.errors import DataError
from ..core.numerics import all_finite
from .mapped import mapping
from .units import Units

Array = np.ndarray

CHUNK = 2048
"""Rows taken at a time where all of them are visited: keeps memory small at any size of data."""
BLOCK = 512
"""Rows that one thread computes at a time."""


class Reader:
    """A table of rows, checked in its form, and read as floating batches.

    The array stays as it is (bytes stay bytes, a memory-mapped file stays on disk); a batch is
    converted when it is taken.

    Parameters
    ----------
    x : (N, D) array, floating, integer or boolean
    width : int
        The D that the model has.
    dtype : the type of the batches
    scale : float, optional
        What integer input is divided by.
    what : str
        What the array is called in errors.
    units : Units, optional
        By which the batches are standardised.
    missing : bool
        Whether NaN is let through, as an entry that is missing.

    Raises
    ------
    DataError
        If x is no such array.
    """

    def __init__(
        self,
        x: Any,
        width: int,
        dtype: Any,
        scale: float | None = None,
        what: str = "x",
        units: Units | None = None,
        missing: bool = False,
    ) -> None:
        self.array = x = as_array(x, what)
        self._file = mapping(x)
        self.dtype = np.dtype(dtype)
        self.what, self.units, self.missing = what, units, missing
        kind = x.dtype.kind
        self.scale = scale if kind in "ui" else None
        check_numbers(x, what)
        if x.ndim != 2 or x.shape[1] != width:
            raise DataError(
                f"{what} needs shape (N, {width}) for this model; got {x.shape}. "
                + _shape_fix(x, width, what)
            )
        if len(x) == 0:
            raise DataError(f"{what} needs at least one row; got shape {x.shape}.")

    def __len__(self) -> int:
        return len(self.array)

    def batch(self, rows: Any) -> Array:
        """The rows of an index array or slice, (B, D), floating, scaled and standardised."""
        self.check_file()
        x = self.array[rows]
        if self.scale is not None:
            x = np.divide(x, self.scale, dtype=self.dtype if self.units is None else np.float64)
        if self.units is not None:
            x = self.units.standardised(x)
        if x.dtype == self.dtype:
            return x.copy() if x.base is not None else x  # never a view of the user's array
        with np.errstate(over="ignore"):  # too large for the type: inf, which `checked` refuses
            return x.astype(self.dtype)

    def check_file(self) -> None:
        """Raise `DataError` where the rows lie in a mapped file that has been cut short."""
        if self._file is not None:
            self._file.check(self.what)

    def checked(self, rows: slice) -> Array:
        """A batch in which every number is known to be finite, or else let through as missing.

        Raises
        ------
        DataError
            With the row and column of the first number that is not.
        """
        x = self.batch(rows)
        self.check(x, rows)
        return x

    def check(self, batch: Array, rows: slice) -> None:
        """Raise `DataError` where a number of the batch of these rows may not be there."""
        if all_finite(batch):
            return
        wrong = np.isinf(batch) if self.missing else ~np.isfinite(batch)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            row += rows.start or 0
            value = self.array[row, column]
            fix = (
                "Drop such rows or fill them in; in x, a model built with missing='mask' takes "
                "NaN as missing, and npvae train does so in a table (.csv)."
                if np.isnan(value)
                else "Drop such rows, fill them in or rescale the column."
            )
            raise DataError(
                f"{self.what} needs finite numbers that {self.dtype} can hold; got {value} in row "
                f"{row}, column {column} (counted from 0). {fix}"
            )

    def measured(self, real: Array, weights: Array | None = None) -> Units:
        """The units of these columns, found in two passes that check every number."""
        wide = self._wide()

        def batches() -> Iterator[tuple[Array, Array | None]]:
            for rows in wide.chunks():
                yield wide.checked(rows), None if weights is None else weights[rows]

        return Units.of(batches, real)

    def whole(self) -> Array:
        """All rows in float64, (N, D), scaled and not standardised; every number is checked."""
        return self._wide().checked(slice(0, len(self)))

    def _wide(self) -> Reader:
        """This one in float64 and in the units of the array."""
        wide = copy.copy(self)
        wide.dtype, wide.units = np.dtype(np.float64), None
        return wide

    def chunks(self) -> list[slice]:
        """Slices that cover all rows in order."""
        return slices(len(self.array), CHUNK)


def slices(n: int, size: int) -> list[slice]:
    """Slices of so many rows, the last of the rest, that cover n rows in order."""
    if n <= size:
        return [slice(0, n)]
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _shape_fix(x: Array, width: int, what: str) -> str:
    if x.ndim == 1 and x.size == width:
        return f"For a single row, pass {what}[None]."
    if x.ndim > 2 and int(np.prod(x.shape[1:])) == width:
        return f"Flatten each example: {what}.reshape(len({what}), -1)."
    if x.ndim == 2 and x.shape[0] == width:
        return f"It looks transposed: pass {what}.T."
    return "Check that it has the columns that the model was built for."

"""From the user's array to the batches that a model computes with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .errors import DataError

Array = np.ndarray

CHUNK = 2048
"""Rows taken at a time where all of them are visited: keeps memory small at any size of data."""


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

    Raises
    ------
    DataError
        If x is no such array.
    """

    def __init__(
        self, x: Any, width: int, dtype: Any, scale: float | None = None, what: str = "x"
    ) -> None:
        self.array = x = _table(x, what)
        self.dtype = np.dtype(dtype)
        self.scale = scale if x.dtype.kind in "ui" else None
        self.what = what
        if x.dtype.kind not in "fuib":
            raise DataError(
                f"{what} needs numbers; got an array of {x.dtype}. "
                "Turn categories and text into numbers first."
            )
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
        """The rows of an index array or slice, (B, D), floating and scaled."""
        with np.errstate(over="ignore"):  # too large for the type: inf, which `checked` refuses
            x = self.array[rows].astype(self.dtype)
        if self.scale is not None:
            x /= self.dtype.type(self.scale)
        return x

    def checked(self, rows: slice) -> Array:
        """A batch in which every number is known to be finite.

        Raises
        ------
        DataError
            With the row and column of the first number that is not.
        """
        x = self.batch(rows)
        finite = np.isfinite(x)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            row += rows.start or 0
            raise DataError(
                f"{self.what} needs finite numbers that {self.dtype} can hold; got "
                f"{self.array[row, column]} in row {row}, column {column} (counted from 0). "
                "Drop such rows, fill them in or rescale the column."
            )
        return x

    def chunks(self) -> Iterator[slice]:
        """Slices that cover all rows in order."""
        for start in range(0, len(self), CHUNK):
            yield slice(start, min(start + CHUNK, len(self)))


def _table(x: Any, what: str) -> Array:
    """x as a plain array: a memory-mapped file stays on disk, subclasses lose their own rules."""
    if np.ma.is_masked(x):
        raise DataError(
            f"{what} needs every number; got a masked array with gaps. "
            "Drop such rows or fill them in."
        )
    try:
        return np.asarray(x)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{what} needs rows of one length; got a list that has others.") from error


def _shape_fix(x: Array, width: int, what: str) -> str:
    if x.ndim == 1 and x.size == width:
        return f"For a single row, pass {what}[None]."
    if x.ndim > 2 and int(np.prod(x.shape[1:])) == width:
        return f"Flatten each example: {what}.reshape(len({what}), -1)."
    if x.ndim == 2 and x.shape[0] == width:
        return f"It looks transposed: pass {what}.T."
    return "Check that it has the columns that the model was built for."

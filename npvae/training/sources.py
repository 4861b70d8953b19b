"""Rows of data where compiled code can reach them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.reader import Reader
from ..executor.places import Source
from .rows import Rows

Array = np.ndarray

STAGED_ROWS = 4096
"""The most rows that are converted at a time."""


class RowSources:
    """Rows of data: bytes and float32 are read in place, all else is copied by and by.

    Attributes
    ----------
    sources : dict of Source: "x", and "context" and "weights" where there are some
    most_rows : int or None, how many rows can be asked for at a time
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.sources = {"x": _source(rows.x)}
        if rows.context is not None:
            self.sources["context"] = _source(rows.context)
        if rows.weights is not None:
            self.sources["weights"] = Source(1, 1.0, 1, rows.weights.ctypes.data)
        unreachable = any(source.address == 0 for source in self.sources.values())
        staged = unreachable or rows.varies
        if staged:  # then all are: they share their row numbers
            self.sources = {n: Source(1, 1.0, s.width) for n, s in self.sources.items()}
        self.most_rows = STAGED_ROWS if staged else None
        self._copies: dict[str, Any] = {}

    def find(self, rows: Array, draws: np.random.Generator | None = None) -> Array:
        """The numbers by which the gather operation finds these rows now.

        With `draws`, what varies from visit to visit is drawn: ones and zeros, and what is hidden.
        """
        if self.most_rows is None:
            for reader in filter(None, (self.rows.x, self.rows.context)):
                reader.check_file()
            return np.ascontiguousarray(rows, np.int64)
        self._copies = self.rows.batch(rows, draws)._asdict()
        for name, source in self.sources.items():
            source.address = self._copies[name].ctypes.data
        return np.arange(len(rows), dtype=np.int64)


def _source(reader: Reader) -> Source:
    """A table that is read in place; one whose address is 0 can't be."""
    array = reader.array
    reachable = array.flags.c_contiguous and array.dtype in (np.uint8, np.float32)
    reachable = reachable and reader.units is None  # what is standardised is other numbers
    if not reachable or not array.dtype.isnative:
        return Source(1, 1.0, array.shape[1])
    kind = 0 if array.dtype == np.uint8 else 1
    return Source(kind, reader.scale or 1.0, array.shape[1], array.ctypes.data)

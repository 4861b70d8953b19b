"""Single cells that alone decide what a column is standardised by."""

from __future__ import annotations

import numpy as np

from .reader import Reader
from .shapes import far_out
from .units import Units

Array = np.ndarray

_SHARE = 0.2
"""Of a column's variance; so much in one cell may be a mistake."""
_FEWEST_ROWS = 20
_MOST_COLUMNS = 50
"""Columns that are looked at closely; more are no single mistakes."""


def wild_cells(reader: Reader, units: Units) -> list[tuple[int, int, float]]:
    """Row, column and value of cells that lie far from all others of a standardised column.

    A cell is looked at where it has a fifth of its column's variance, and wild where `far_out` says
    so and the others differ.
    """
    n = len(reader)
    if n < _FEWEST_ROWS:
        return []
    largest = np.zeros(len(units.mean))
    for rows in reader.chunks():
        x = np.asarray(reader.array[rows], np.float64)
        largest = np.fmax(largest, np.fmax.reduce(np.abs((x - units.mean) / units.scale), axis=0))
    suspects = np.flatnonzero((np.square(largest) > _SHARE * n) & (units.scale != 1))
    found: list[tuple[int, int, float]] = []
    for j in suspects.tolist() if len(suspects) <= _MOST_COLUMNS else ():
        column = np.asarray(reader.array[:, j], np.float64)
        known = np.flatnonzero(~np.isnan(column))
        far = far_out(column[known])
        if np.ptp(column[known][~far]) > 0:
            found += [(int(row), j, float(column[row])) for row in known[far]]
    return found

"""How rare the cells of rows are in their columns, whatever else the rows have."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

WIDTH = 0.2
"""Of the kernel, in standard deviations of a column."""
DF = 4.0
"""Degrees of freedom of the kernel, a Student t: a cell far from all others has a density too."""
FAR = 10.0
"""Standard deviations from the mean beyond which cells count as being there."""
_STEPS = 401
"""Of the grid from -FAR to FAR on which densities are computed."""


def rarity(x: Array, real: Array) -> Array:
    """-Σ_D log p(x_j) of each row, (N,), by what its column has in all rows.

    Of `real` columns, (D,) bool, p is a kernel density, up to a constant; of the others it is the
    share of the rows that have the value. A missing cell, NaN, adds nothing.
    Source of kernel densities: Parzen 1962.
    """
    nats = np.zeros(len(x))
    kernel = _kernel()
    for values, is_real in zip(np.asarray(x, np.float64).T, real, strict=True):
        known = ~np.isnan(values)
        if known.any():
            cells = values[known]
            share = _density(cells, kernel) if is_real else _frequency(cells)
            nats[known] -= np.log(share)
    return nats


def _density(cells: Array, kernel: Array) -> Array:
    """The kernel density of each cell, (n,), at the grid's point that is nearest."""
    deviation = cells.std()
    if not deviation > 0:
        return np.ones(len(cells))
    u = np.clip((cells - cells.mean()) / deviation, -FAR, FAR)
    places = np.rint((u + FAR) * ((_STEPS - 1) / (2 * FAR))).astype(np.intp)
    counts = np.bincount(places, minlength=_STEPS) / len(cells)
    return (kernel @ counts)[places]


def _frequency(cells: Array) -> Array:
    _, places, counts = np.unique(cells, return_inverse=True, return_counts=True)
    return counts[places.ravel()] / len(cells)


def _kernel() -> Array:
    """The Student-t kernel between all pairs of points of the grid, up to a constant."""
    grid = np.linspace(-FAR, FAR, _STEPS)
    u = (grid[:, None] - grid) / WIDTH
    return (1 + u * u / DF) ** (-(DF + 1) / 2)

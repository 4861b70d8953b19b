"""Sprites: images of one shape each, drawn from five factors that are known."""

from __future__ import annotations

import numpy as np

from ..core.checks import whole
from ..core.public import public
from .dataset import Array

SHAPES = ("square", "ellipse", "triangle")
FACTORS = ("shape", "scale", "rotation", "x", "y")
LEVELS = (len(SHAPES), 6, 40, 32, 32)
"""How many values each factor has."""

_CHUNK = 512


@public
def sprites(n: int = 5000, size: int = 64, seed: int = 0) -> tuple[Array, Array]:
    """Draw sprites in the manner of dSprites, of factors that are drawn at random and apart.

    A shape's half width is from 0.1 to 0.2 of the image's side in six steps, its rotation any of 40
    evenly spread over the full circle, and its centre at one of 32 by 32 places.

    Parameters
    ----------
    n : int
    size : int
        Pixels of a side.
    seed : int

    Returns
    -------
    x : float32 array (n, size²)
        Images row by row, 1 inside the shape and 0 outside.
    factors : int64 array (n, 5)
        The values' numbers, from 0: shape (square, ellipse, triangle), scale, rotation, x, y.

    Raises
    ------
    ConfigError
        If a size is not a whole number above 0.

    Source: Matthey, Higgins, Hassabis & Lerchner 2017, dSprites.
    """
    n, size = whole("n", n), whole("size", size)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    factors = np.stack([rng.integers(levels, size=n) for levels in LEVELS], axis=1)
    x = np.empty((n, size * size), np.float32)
    for start in range(0, n, _CHUNK):
        x[start : start + _CHUNK] = _drawn(factors[start : start + _CHUNK], size)
    return x, factors


def _drawn(factors: Array, size: int) -> Array:
    """The images of some rows of factors, (n, size²) booleans."""
    shape, scale, rotation, x, y = factors.T
    half = (0.1 + 0.02 * scale)[:, None, None]
    margin = 0.3  # no corner leaves the image
    centre_x, centre_y = (margin + (1 - 2 * margin) * place / 31 for place in (x, y))
    angle = (2 * np.pi * rotation / 40)[:, None, None]
    pixel = (np.arange(size) + 0.5) / size
    right = pixel[None, None, :] - centre_x[:, None, None]
    down = pixel[None, :, None] - centre_y[:, None, None]
    u = (np.cos(angle) * right + np.sin(angle) * down) / half
    v = (np.cos(angle) * down - np.sin(angle) * right) / half
    inside = np.stack([
        np.maximum(np.abs(u), np.abs(v)) <= 1,
        u * u + 4 * v * v <= 1.5,
        (v <= 0.7) & (1.8 * np.abs(u) - v <= 1.2),
    ])  # fmt: skip
    return inside[shape, np.arange(len(factors))].reshape(len(factors), -1)

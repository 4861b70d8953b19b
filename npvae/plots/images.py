"""Images, grey or in colour, side by side; never blurred."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..core.checks import divisor
from ..core.errors import DataError
from .style import DPI, ORANGE, Array, Range, Shape, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_SIDE = 16
"""Pixels of the screen: of a narrower strip, such as 1 × 40, the values are drawn as oblongs."""


def guess_image_shape(d: int) -> tuple[int, int] | None:
    """(s, s) where d = s² is at least 16, else None: rows of 784 are probably 28 × 28 images.

    Parameters
    ----------
    d : int
        How many numbers a row has.

    Returns
    -------
    (int, int) or None
    """
    side = round(d**0.5)
    return (side, side) if side >= 4 and side * side == d else None


@house_style()
def image_grid(
    images: ArrayLike,
    image_shape: Shape,
    columns: int | None = None,
    value_range: Range = (0, 1),
    title: str = "Samples from the prior",
    data: ArrayLike | None = None,
) -> Figure:
    """Images (n, D) as a tight grid, row by row; about square where ``columns`` is None.

    With ``data`` (N, D) as many of its images, or all, stand on the left in a grid of their own.

    Parameters
    ----------
    images : (n, D) array
    image_shape : (height, width) or (height, width, channels)
    columns : int, optional
    value_range : (float, float)
        What is drawn black, and what white.
    title : str
    data : (N, D) array, optional

    Returns
    -------
    Figure
    """
    tiles = as_tiles("images", images, image_shape, value_range)
    if columns is None:
        flat = min(1.0, tiles.shape[1] / tiles.shape[2] * 4)  # strips stand below each other
        columns = int(np.ceil(np.sqrt(len(tiles) * flat)))
    if data is None:
        return mosaic(tiles, columns, value_range, title)[0]
    known = as_tiles("data", np.asarray(data)[: len(tiles)], image_shape, value_range)
    down = -(-len(tiles) // columns)
    both = np.concatenate([_grid(some, down, columns) for some in (known, tiles)], axis=1)
    across = 2 * columns
    figure, axes = mosaic(np.concatenate(both), across, value_range, title, bottom=0.25)
    axes.set_xticks([0.25, 0.75], ["data", "samples"])
    axes.axvline(0.5, color=ORANGE, linewidth=2)
    return figure


def manifold(
    decode: Callable[[Array], Array], image_shape: Shape, n: int = 20, value_range: Range = (0, 1)
) -> Figure:
    """What a two-dimensional latent space decodes to; ``decode`` maps (n·n, 2) to (n·n, D).

    The n × n points are the standard normal's quantiles (i + 1/2) / n, so that each image stands
    for an equal share of the prior. z[0] grows rightward, z[1] upward; ticks say at which z an
    image was decoded.

    Parameters
    ----------
    decode : callable
    image_shape : (height, width) or (height, width, channels)
    n : int
    value_range : (float, float)
        What is drawn black, and what white.

    Returns
    -------
    Figure
    """
    normal = NormalDist()
    z = np.array([normal.inv_cdf((i + 0.5) / n) for i in range(n)])
    images = decode(np.stack(np.meshgrid(z, z[::-1]), axis=-1).reshape(n * n, 2))
    tiles = as_tiles("decode(z)", images, image_shape, value_range)
    if len(tiles) != n * n:
        raise DataError(f"decode must give one image for each z, here {n * n}; got {len(tiles)}.")
    shown = np.unique(np.rint(np.linspace(0, n - 1, min(n, 6 + n % 2))).astype(int))
    labels = [f"{z[i]:.2f}".replace("-", "−") for i in shown]
    places = (shown + 0.5) / n
    with house_style():  # not around decode, which may take its time
        title = "Decoded latent space, at the quantiles of its prior"
        figure, axes = mosaic(tiles, n, value_range, title, gap=1, left=0.75, bottom=0.48)
        axes.set(xlabel="z[0]", xticks=places, xticklabels=labels)
        axes.set(ylabel="z[1]", yticks=places, yticklabels=labels)
        axes.tick_params(length=3)
    return figure


def _grid(tiles: Array, down: int, across: int) -> Array:
    """Tiles (down, across, ...), blank ones in the places that are left over."""
    blank = np.full((down * across - len(tiles), *tiles.shape[1:]), np.nan)
    return np.concatenate([tiles, blank]).reshape(down, across, *tiles.shape[1:])


def as_tiles(name: str, images: ArrayLike, shape: Shape, value_range: Range) -> Array:
    """Check (n, D) images and give them as (n, height, width) or (n, height, width, 3)."""
    images = np.asarray(images)
    if images.ndim != 2 or not images.size:
        raise DataError(f"{name} must be (n, D), an image a row; got {images.shape}. Reshape it.")
    d = images.shape[1]
    if not _is_shape(shape) or np.prod(shape) != d:  # type: ignore[arg-type]
        fix = f"Try {guess_image_shape(d)}." if guess_image_shape(d) else "Is it for other data?"
        raise DataError(
            f"image_shape must be (h, w) with h × w = {d}, or (h, w, 3) in colour; got {shape}. "
            f"{fix}"
        )
    if value_range and images.dtype.kind in "iu" and images.max() > value_range[1]:
        raise DataError(
            f"{name} must lie in {value_range}; got {images.max()}. Divide by "
            f"{divisor(images.max())}, or pass value_range=None."
        )
    return images.reshape(-1, *shape)  # type: ignore[misc]


def _is_shape(shape: Shape) -> bool:
    return (
        shape is not None
        and np.ndim(shape) == 1
        and (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3))
        and min(shape) >= 1
    )


def mosaic(
    tiles: Array,
    columns: int,
    value_range: Range,
    title: str,
    gap: int = 3,
    left: float = 0.1,
    bottom: float = 0.1,
) -> tuple[Figure, Axes]:
    """Show (n, h, w) or (n, h, w, 3) tiles row by row, in axes from 0 to 1.

    Every value is a square of whole screen pixels, or an oblong in a narrow strip, so nothing is
    ever blurred. ``left`` and ``bottom`` are the room for labels, in inches.
    """
    low, high = value_range or (np.nanmin(tiles), np.nanmax(tiles))
    pixels = _tile(tiles, columns, gap)
    if pixels.ndim == 3:  # matplotlib scales grey values, and takes colours as they are
        pixels = np.clip((pixels - low) / ((high - low) or 1), 0, 1)
        pixels[np.isnan(pixels)] = 1
    height, width = pixels.shape[:2]
    x0, y0 = round(left * DPI), round(bottom * DPI)
    titled = round(max(3, 0.092 * len(title)) * DPI) if title else 0
    full_width = x0 + max(width, titled) + round(0.1 * DPI)
    full_height = y0 + height + round((0.32 if title else 0.1) * DPI)
    figure = new_figure(full_width / DPI, full_height / DPI, layout=None)
    # A hair less: matplotlib before 3.11 rounds the picture's size up, and would stretch it.
    size = ((width - 1e-6) / full_width, (height - 1e-6) / full_height)
    box = (x0 / full_width, y0 / full_height, *size)
    axes = figure.add_axes(box, title=title, xticks=[], yticks=[], frame_on=False)
    axes.imshow(pixels, "gray", vmin=low, vmax=high, extent=(0, 1, 0, 1))
    axes.tick_params(length=0)
    return figure, axes


def _tile(tiles: Array, columns: int, gap: int) -> Array:
    """One picture of the tiles in screen pixels; gaps are NaN, drawn white."""
    height, width, *channels = tiles.shape[1:]
    down = -(-len(tiles) // columns)
    scale = int(np.clip(round(900 / (columns * width)), 1, max(2, 112 // width)))
    scale = min(scale, max(1, 1800 // (down * height)))
    tiles = tiles.astype(float)
    for axis, side in ((1, height), (2, width)):
        tiles = tiles.repeat(max(scale, -(-_LEAST_SIDE // side)), axis)
    blank = [(0, -len(tiles) % columns), (0, gap), (0, gap), *[(0, 0) for _ in channels]]
    tiles = np.pad(tiles, blank, constant_values=np.nan)
    h, w = tiles.shape[1:3]
    rows = tiles.reshape(-1, columns, h, w, *channels).swapaxes(1, 2)
    pixels = rows.reshape(-1, columns * w, *channels)
    return pixels[: len(pixels) - gap, : columns * w - gap]

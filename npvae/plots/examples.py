"""What a model makes of examples: reconstructions, and walks from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import DataError
from .by_column import MOST_PANELS, Labels
from .images import as_tiles, mosaic
from .lines import as_walks, walks
from .scatter import draw_points
from .style import (
    INK,
    MOST_COLUMNS,
    ORANGE,
    PALE,
    Array,
    Formats,
    Range,
    Shape,
    check_names,
    each_called,
    house_style,
    label_columns,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@house_style()
def reconstructions(
    x: ArrayLike,
    x_hat: ArrayLike,
    image_shape: Shape,
    n: int = 10,
    value_range: Range = (0, 1),
    names: Sequence[str] | None = None,
) -> Figure:
    """The first ``n`` of the inputs x (N, D), and their reconstructions x_hat (N, D).

    Images: a row of inputs above the row of reconstructions. Other data, ``image_shape`` None:
    a panel for each of five examples at most, with the columns' ``names`` (D); above 60 features,
    reconstruction against input.

    Parameters
    ----------
    x, x_hat : (N, D) arrays
    image_shape : (height, width), (height, width, channels) or None
    n : int
    value_range : (float, float)
        What is drawn black, and what white.
    names : sequence of D str, optional

    Returns
    -------
    Figure
    """
    x, x_hat = np.asarray(x), np.asarray(x_hat)
    if x.ndim != 2 or x.shape != x_hat.shape or not x.size or n < 1:
        got = f"got {x.shape}, {x_hat.shape} and n={n}. Is x_hat the reconstruction of this x?"
        raise DataError(f"x and x_hat must have one shape (N, D), and n be at least 1; {got}")
    x, x_hat = x[:n], x_hat[:n]
    if image_shape is None:
        check_names(names, x.shape[1])
        few = x.shape[1] <= MOST_COLUMNS
        return _profiles(x[:5], x_hat[:5], names) if few else _agreement(x, x_hat)
    both = [as_tiles(*pair, image_shape, value_range) for pair in (("x", x), ("x_hat", x_hat))]
    title = "Inputs and their reconstructions"
    figure, axes = mosaic(np.concatenate(both), len(x), value_range, title, left=1.05)
    axes.set_yticks([0.75, 0.25], ["input", "reconstruction"])
    return figure


@house_style()
def interpolation(
    decoded: ArrayLike,
    image_shape: Shape,
    value_range: Range = (0, 1),
    names: Sequence[str] | None = None,
    label: str = "decoded value",
    ends: ArrayLike | None = None,
) -> Figure:
    """Walks through latent space: ``decoded`` is (pairs, steps, D), and each pair has a row.

    ``ends`` (pairs, 2, D) are the two inputs that each walk goes between: they stand at its sides.
    ``image_shape`` None, other data with the columns' ``names`` (D): lines, as `walks` draws them;
    of more than 36 columns a heat map for each pair, steps downward, where ``label`` says what the
    colours are.

    Parameters
    ----------
    decoded : (pairs, steps, D) array
    image_shape : (height, width), (height, width, channels) or None
    value_range : (float, float)
        What is drawn black, and what white.
    names : sequence of D str, optional
    label : str
    ends : (pairs, 2, D) array, optional

    Returns
    -------
    Figure
    """
    decoded, ends = as_walks(decoded, ends)
    _, steps, d = decoded.shape
    if image_shape is None:
        check_names(names, d)
        return (
            walks(decoded, names, ends) if d <= MOST_PANELS else _heat_maps(decoded, names, label)
        )
    title, wide = "Latent interpolation", decoded.reshape(-1, d)
    if ends is None:
        tiles = as_tiles("decoded", wide, image_shape, value_range)
        figure, axes = mosaic(tiles, steps, value_range, title, bottom=0.25)
        axes.set_xticks([0.5 / steps, 1 - 0.5 / steps], ["start", "end"])
        return figure
    start, end = np.split(ends, 2, axis=1)
    wide = np.concatenate([start, decoded, end], axis=1).reshape(-1, d)
    tiles, across = as_tiles("ends and decoded", wide, image_shape, value_range), steps + 2
    figure, axes = mosaic(tiles, across, value_range, title, bottom=0.25)
    axes.set_xticks([0.5 / across, 0.5, 1 - 0.5 / across], ["input", "decoded", "input"])
    for place in (1 / across, 1 - 1 / across):
        axes.axvline(place, color=ORANGE, linewidth=2)
    return figure


@house_style()
def traversal(
    decoded: ArrayLike,
    image_shape: Shape,
    dims: Sequence[int],
    values: ArrayLike,
    value_range: Range = (0, 1),
    names: Sequence[str] | None = None,
    labels: Labels | None = None,
    formats: Formats | None = None,
) -> Figure:
    """What rows become along latent dimensions: ``decoded`` is (I, V, D), at V values of I dims.

    Images: a row for each dimension, the values from left to right. Other data, ``image_shape``
    None: a panel for each column and a line for each dimension, as `walks` draws them.

    Parameters
    ----------
    decoded : (I, V, D) array
    image_shape : (height, width), (height, width, channels) or None
    dims : sequence of I ints
    values : (V,) array
    value_range : (float, float)
        What is drawn black, and what white.
    names, labels, formats : optional
        As in `walks`.

    Returns
    -------
    Figure
    """
    decoded, values = np.asarray(decoded), np.asarray(values)
    if decoded.ndim != 3 or decoded.shape[:2] != (len(dims), len(values)) or len(values) < 2:
        raise DataError(
            f"decoded must be (dims, values, D), here ({len(dims)}, {len(values)}, D) with two "
            f"values or more; got {decoded.shape}."
        )
    called = [f"z[{dim}]" for dim in dims]
    if image_shape is None:
        title = "Walks through latent space, a line for each dimension"
        return walks(decoded, names, None, labels, formats, called, values, title)
    title, along = "What each latent dimension changes", "value of the dimension"
    return _grid(decoded, image_shape, values, called, value_range, title, along)


@house_style()
def attribute(
    decoded: ArrayLike,
    image_shape: Shape,
    strengths: ArrayLike,
    called: Sequence[str] | None = None,
    value_range: Range = (0, 1),
    names: Sequence[str] | None = None,
    labels: Labels | None = None,
    formats: Formats | None = None,
) -> Figure:
    """What rows become when an attribute is added: ``decoded`` is (N, S, D), at S strengths.

    Images: a row for each, the strengths from left to right. Other data, ``image_shape`` None: a
    panel for each column and a line for each row, as `walks` draws them.

    Parameters
    ----------
    decoded : (N, S, D) array
    image_shape : (height, width), (height, width, channels) or None
    strengths : (S,) array
        How many times the attribute's vector was added.
    called : sequence of N str, optional
        What each row is called; "row 1" and so on where it is not said.
    value_range : (float, float)
        What is drawn black, and what white.
    names, labels, formats : optional
        As in `walks`.

    Returns
    -------
    Figure
    """
    decoded, strengths = np.asarray(decoded), np.asarray(strengths)
    if decoded.ndim != 3 or decoded.shape[1:2] != strengths.shape or len(strengths) < 2:
        raise DataError(
            f"decoded must be (rows, strengths, D) with two strengths or more; got {decoded.shape} "
            f"and strengths of shape {strengths.shape}."
        )
    called = each_called(called, len(decoded), "row")
    if image_shape is None:
        title = "Rows on their way to the attribute, by its strength"
        return walks(decoded, names, None, labels, formats, called, strengths, title)
    title, along = "Rows on their way to the attribute", "strength of the attribute"
    return _grid(decoded, image_shape, strengths, called, value_range, title, along)


def _grid(
    decoded: Array,
    image_shape: Shape,
    values: Array,
    called: Sequence[str],
    value_range: Range,
    title: str,
    along: str,
) -> Figure:
    """Images (N, V, D): a row for each of N, which are called so, and a column for each value."""
    tiles = as_tiles("decoded", decoded.reshape(-1, decoded.shape[2]), image_shape, value_range)
    left = max(0.6, 0.15 + 0.085 * max(map(len, called)))
    figure, axes = mosaic(tiles, len(values), value_range, title, left=left, bottom=0.48)
    across, down = len(values), len(called)
    shown = np.unique(np.rint(np.linspace(0, across - 1, min(across, 5))).astype(int))
    axes.set_xticks((shown + 0.5) / across, [f"{v:.3g}".replace("-", "−") for v in values[shown]])
    axes.set_yticks(1 - (np.arange(down) + 0.5) / down, called)
    axes.set_xlabel(along)
    return figure


def _profiles(x: Array, x_hat: Array, names: Sequence[str] | None) -> Figure:
    figure = new_figure(6.5, 0.8 + 1.25 * len(x))
    panels = figure.subplots(len(x), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    feature = np.arange(x.shape[1])
    for i, axes in enumerate(panels):
        axes.vlines(feature, x[i], x_hat[i], color=PALE, linewidth=1)
        axes.plot(feature, x[i], "o", color=INK, markersize=3.5, label="input")
        axes.plot(feature, x_hat[i], "o", color=ORANGE, markersize=3.5, label="reconstruction")
        axes.set_ylabel(f"example {i + 1}")
    label_columns(panels[-1], x.shape[1], names)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    panels[0].set_title("Inputs and their reconstructions")
    return figure


def _agreement(x: Array, x_hat: Array) -> Figure:
    figure = new_figure(4.6, 4.6)
    axes = figure.subplots()
    points = np.column_stack([x.ravel(), x_hat.ravel()])
    axes.plot(*2 * [[points.min(), points.max()]], color=PALE, linewidth=1, zorder=0)
    draw_points(axes, points)
    if x.min() >= 0 and x.max() > 50 * x.mean():  # counts, say: a few tower over the rest
        axes.set(xscale="symlog", yscale="symlog")
    axes.set(title="Inputs and their reconstructions", xlabel="input", ylabel="reconstruction")
    return figure


def _heat_maps(decoded: Array, names: Sequence[str] | None, label: str) -> Figure:
    pairs, steps, d = decoded.shape
    width = 0.12 * d if names is not None and d <= MOST_COLUMNS else 0  # room for their names
    figure = new_figure(max(6.0, 1.6 + width), 0.9 + 0.9 * pairs)
    panels = figure.subplots(pairs, 1, sharex=True, squeeze=False)[:, 0]
    for i, axes in enumerate(panels):
        picture = axes.imshow(decoded[i], vmin=decoded.min(), vmax=decoded.max())
        axes.set(ylabel=f"pair {i + 1}", yticks=[0, steps - 1], yticklabels=["start", "end"])
        axes.spines[:].set_visible(False)
    panels[0].set_title("Latent interpolation")
    label_columns(panels[-1], d, names)
    figure.colorbar(picture, ax=panels, label=label, fraction=0.05)
    return figure

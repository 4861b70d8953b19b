"""What the tests of pictures share: data to draw, and what is seen in a figure."""

from __future__ import annotations

import numpy as np


def noise(*shape):
    return np.random.default_rng(0).random(shape)


def pixels(figure):
    return np.ma.filled(figure.axes[0].images[0].get_array(), float("nan"))


def tile(figure, row, column, shape):
    """The image at a place of the grid, each of its squares as one value."""
    array = pixels(figure)
    scale = np.isnan(array[0]).argmax() // shape[1]  # a gap of 3 ends the first image
    (height, width), gap = scale * np.array(shape), 3
    top, left = row * (height + gap), column * (width + gap)
    return array[top : top + height : scale, left : left + width : scale].ravel()


def dots(figure):
    """The offsets of the scatter, and its colours by offset."""
    collection = figure.axes[0].collections[0]
    collection.update_scalarmappable()
    offsets, colours = np.asarray(collection.get_offsets()), collection.get_facecolors()
    return offsets, {tuple(xy): tuple(rgba[:3]) for xy, rgba in zip(offsets, colours, strict=True)}


def rows(array):
    return sorted(map(tuple, array))


def legend_names(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]

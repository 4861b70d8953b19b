"""Convolution of images, channels last: one strided view and one matrix product.

Axes: R rows; an image is (height, width, channels). The weight of a convolution from C to O
channels is (O, kernel height, kernel width, C / groups): as in a dense layer, a row of it makes one
output. Channels are divided among groups in order, and each group's outputs see its inputs alone.

A window is ``stride, padding, dilation, groups``: three pairs of whole numbers, for height and
width, and one. With stride s, padding p and dilation d the tap (i, j) of the output at (y, x) meets
the input at (s y - p + d i, s x - p + d j), or 0 beyond the image's edge.

The three kernels are one trilinear form, Σ dy · weight · patches, differentiated by each of its
factors: so a transposed convolution needs no kernel of its own (`layers.conv`). Patches of all rows
at once would take many times the memory of the images, so they are copied in portions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .seam import Array, kernel

__all__ = ["conv2d", "conv2d_dw", "conv2d_dx", "stack_channels", "unstack_channels"]

Two = tuple[int, int]

_PORTION = 1_000_000
"""Numbers of patches that are copied at a time."""


def conv_size(size: int, taps: int, stride: int, padding: int, dilation: int) -> int:
    """How many places a window of so many taps has along an axis; below 1 where it has none."""
    return (size + 2 * padding - dilation * (taps - 1) - 1) // stride + 1


@kernel
def conv2d(x: Array, weight: Array, stride: Two, padding: Two, dilation: Two, groups: int) -> Array:
    """y = patches(x) weightᵀ.  x (R, H, W, C), weight (O, kh, kw, C / groups), y (R, H', W', O)."""
    n_out, kh, kw, _ = weight.shape
    patches = _patches(x, (kh, kw), stride, padding, dilation)
    y = np.empty((*patches.shape[:3], n_out), np.result_type(x, weight))
    columns = _matrices(weight, groups).swapaxes(1, 2)
    for rows in _portions(patches.shape):
        by_group = _grouped(patches[rows], groups) @ columns
        y[rows] = by_group.swapaxes(0, 1).reshape(y[rows].shape)
    return y


@kernel
def conv2d_dx(
    dy: Array, weight: Array, size: Two, stride: Two, padding: Two, dilation: Two, groups: int
) -> Array:
    """dx = Σ over taps of dy weight, each added where its tap was; x is (R, *size, C)."""
    (n, *places, n_out), (_, *taps, n_in) = dy.shape, weight.shape
    (height, width), (top, left), channels = size, padding, groups * n_in
    padded = height + 2 * top, width + 2 * left
    dx = np.zeros((n, *padded, groups, n_in), np.result_type(dy, weight))
    for rows in _portions((n, *places, *taps, channels)):
        some = len(dy[rows])
        slopes = dy[rows].reshape(some * places[0] * places[1], groups, n_out // groups)
        by_tap = slopes.swapaxes(0, 1) @ _matrices(weight, groups)
        by_tap = by_tap.reshape(groups, some, *places, *taps, n_in)
        for i in range(taps[0]):
            lines = _line(i * dilation[0], places[0], stride[0])
            for j in range(taps[1]):
                columns = _line(j * dilation[1], places[1], stride[1])
                dx[rows, lines, columns] += np.moveaxis(by_tap[..., i, j, :], 0, 3)
    inside = dx[:, top : padded[0] - top, left : padded[1] - left]
    return inside.reshape(n, height, width, channels)


@kernel
def conv2d_dw(
    dy: Array, x: Array, taps: Two, stride: Two, padding: Two, dilation: Two, groups: int
) -> Array:
    """dweight = dyᵀ patches(x), which sums over rows and places.  dy (R, H', W', O)."""
    patches = _patches(x, taps, stride, padding, dilation)
    n_out, n_in = dy.shape[-1], x.shape[-1] // groups
    dw = np.zeros((groups, n_out // groups, taps[0] * taps[1] * n_in), np.result_type(dy, x))
    for rows in _portions(patches.shape):
        by_group = _grouped(patches[rows], groups)
        slopes = dy[rows].reshape(by_group.shape[1], groups, n_out // groups)
        dw += slopes.transpose(1, 2, 0) @ by_group
    return dw.reshape(n_out, *taps, n_in)


def _patches(x: Array, taps: Two, stride: Two, padding: Two, dilation: Two) -> Array:
    """What the window sees at each of its places, a view (R, H', W', kh, kw, C)."""
    (top, left), (down, right), (deep, wide) = padding, stride, dilation
    if top or left:
        x = np.pad(x, ((0, 0), (top, top), (left, left), (0, 0)))
    spans = deep * (taps[0] - 1) + 1, wide * (taps[1] - 1) + 1
    view = np.lib.stride_tricks.sliding_window_view(x, spans, (1, 2))
    return view[:, ::down, ::right, :, ::deep, ::wide].transpose(0, 1, 2, 4, 5, 3)


def _portions(shape: tuple[int, ...]) -> Iterator[slice]:
    """The rows of patches of this shape, so many at a time."""
    n, *of_row = shape
    step = max(1, _PORTION // max(1, math.prod(of_row)))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _grouped(patches: Array, groups: int) -> Array:
    """(groups, places of all rows, taps · channels of one group)."""
    *shape, channels = patches.shape
    apart = np.moveaxis(patches.reshape(*shape, groups, channels // groups), 5, 0)
    return apart.reshape(groups, math.prod(shape[:3]), math.prod(shape[3:]) * channels // groups)


def _matrices(weight: Array, groups: int) -> Array:
    """(groups, outputs, taps · channels) of one group each."""
    n_out, kh, kw, n_in = weight.shape
    return weight.reshape(groups, n_out // groups, kh * kw * n_in)


def _line(start: int, places: int, stride: int) -> slice:
    """Where a tap meets the padded image along one axis, the first time at `start`."""
    return slice(start, start + stride * (places - 1) + 1, stride)


@kernel
def stack_channels(x: Array, pixels: int, channels: tuple[int, ...]) -> Array:
    """Images that lie one after another, as one image with the channels of all: x (R, F), y alike.

    The way back, which is its gradient too, is `unstack_channels`.
    """
    starts = np.cumsum(channels)[:-1] * pixels
    apart = zip(np.split(x, starts, axis=1), channels, strict=True)
    images = [image.reshape(len(x) * pixels, own) for image, own in apart]
    return np.concatenate(images, axis=1).reshape(x.shape)


@kernel
def unstack_channels(y: Array, pixels: int, channels: tuple[int, ...]) -> Array:
    """The channels of an image as images that lie one after another."""
    images = np.split(y.reshape(len(y), pixels, sum(channels)), np.cumsum(channels)[:-1], axis=2)
    rows = [image.reshape(len(y), image.shape[1] * image.shape[2]) for image in images]
    return np.concatenate(rows, axis=1)

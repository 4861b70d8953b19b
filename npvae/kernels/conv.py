"""Convolution of images, channels last: one strided view and one matrix product.

Axes: R rows; an image is (height, width, channels). The weight of a convolution from C to O
channels is (O, kernel height, kernel width, C / groups): as in a dense layer, a row of it makes one
output. Channels are divided among groups in order, and each group's outputs see its inputs alone.

A window is ``stride, padding, dilation, groups``: three pairs of whole numbers, for height and
width, and one. With stride s, padding p and dilation d the tap (i, j) of the output at (y, x) meets
the input at (s y - p + d i, s x - p + d j), or 0 beyond the image's edge.

The three kernels are one trilinear form, Σ dy · weight · patches, differentiated by each of its
factors: so a transposed convolution needs no kernel of its own (`layers.conv`).
"""

from __future__ import annotations

import numpy as np

from .seam import Array, kernel

__all__ = ["conv2d", "conv2d_dw", "conv2d_dx"]

Two = tuple[int, int]


def conv_size(size: int, taps: int, stride: int, padding: int, dilation: int) -> int:
    """How many places a window of so many taps has along an axis; below 1 where it has none."""
    return (size + 2 * padding - dilation * (taps - 1) - 1) // stride + 1


@kernel
def conv2d(x: Array, weight: Array, stride: Two, padding: Two, dilation: Two, groups: int) -> Array:
    """y = patches(x) weightᵀ.  x (R, H, W, C), weight (O, kh, kw, C / groups), y (R, H', W', O)."""
    patches = _patches(x, weight.shape[1:3], stride, padding, dilation)
    y = _grouped(patches, groups) @ _matrices(weight, groups).swapaxes(1, 2)
    return y.swapaxes(0, 1).reshape(*patches.shape[:3], len(weight))


@kernel
def conv2d_dx(
    dy: Array, weight: Array, size: Two, stride: Two, padding: Two, dilation: Two, groups: int
) -> Array:
    """dx = Σ over taps of dy weight, each added where its tap was; x is (R, *size, C)."""
    (n, *places, n_out), (_, *taps, n_in) = dy.shape, weight.shape
    by_group = dy.reshape(n * places[0] * places[1], groups, n_out // groups).swapaxes(0, 1)
    d_patches = by_group @ _matrices(weight, groups)
    d_patches = d_patches.reshape(groups, n, *places, *taps, n_in)
    height, width = (s + 2 * p for s, p in zip(size, padding, strict=True))
    dx = np.zeros((n, height, width, groups, n_in), d_patches.dtype)
    for i in range(taps[0]):
        rows = _line(i, places[0], stride[0], dilation[0])
        for j in range(taps[1]):
            columns = _line(j, places[1], stride[1], dilation[1])
            dx[:, rows, columns] += np.moveaxis(d_patches[..., i, j, :], 0, 3)
    dx = dx.reshape(n, height, width, groups * n_in)
    inside = tuple(slice(p, p + s) for s, p in zip(size, padding, strict=True))
    return np.ascontiguousarray(dx[(slice(None), *inside)])


@kernel
def conv2d_dw(
    dy: Array, x: Array, taps: Two, stride: Two, padding: Two, dilation: Two, groups: int
) -> Array:
    """dweight = dyᵀ patches(x), which sums over rows and places.  dy (R, H', W', O)."""
    by_group = _grouped(_patches(x, taps, stride, padding, dilation), groups)
    n_out = dy.shape[-1]
    dy = dy.reshape(by_group.shape[1], groups, n_out // groups)
    return (dy.transpose(1, 2, 0) @ by_group).reshape(n_out, *taps, x.shape[-1] // groups)


def _patches(x: Array, taps: Two, stride: Two, padding: Two, dilation: Two) -> Array:
    """What the window sees at each of its places, a view (R, H', W', kh, kw, C)."""
    (top, left), (down, right), (deep, wide) = padding, stride, dilation
    if top or left:
        x = np.pad(x, ((0, 0), (top, top), (left, left), (0, 0)))
    spans = deep * (taps[0] - 1) + 1, wide * (taps[1] - 1) + 1
    view = np.lib.stride_tricks.sliding_window_view(x, spans, (1, 2))
    return view[:, ::down, ::right, :, ::deep, ::wide].transpose(0, 1, 2, 4, 5, 3)


def _grouped(patches: Array, groups: int) -> Array:
    """(groups, places of all rows, taps · channels of one group)."""
    n, height, width, kh, kw, channels = patches.shape
    own = channels // groups
    apart = np.moveaxis(patches.reshape(n, height, width, kh, kw, groups, own), 5, 0)
    return apart.reshape(groups, n * height * width, kh * kw * own)


def _matrices(weight: Array, groups: int) -> Array:
    """(groups, outputs, taps · channels) of one group each."""
    n_out, kh, kw, n_in = weight.shape
    return weight.reshape(groups, n_out // groups, kh * kw * n_in)


def _line(tap: int, places: int, stride: int, dilation: int) -> slice:
    """Where a tap meets the padded image along one axis."""
    start = tap * dilation
    return slice(start, start + stride * (places - 1) + 1, stride)

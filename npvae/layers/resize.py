"""Layers that make images smaller or larger, channel by channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.arrays import constant
from ..core.errors import ConfigError
from ..core.image_shapes import Image, Two, by, image, two
from ..kernels.conv import conv_size
from .layer import Layer

Array = np.ndarray


class Resampling(Layer, abstract=True):
    """Base of the layers that are linear along height and width: y = D x Aᵀ for each channel.

    Derivation: y_uvc = Σ_ij D_ui x_ijc A_vj, so ∂y_uvc/∂x_ijc = D_ui A_vj  ->  dx = Dᵀ dy A.
    Shapes: x (..., H·W·C), D (H', H), A (W', W), y (..., H'·W'·C).
    """

    in_shape: Image
    out_shape: Image

    def _through(self, down: Array, along: Array) -> None:
        self._down, self._along = constant(down), constant(along)
        self._up, self._back = constant(down.T.copy()), constant(along.T.copy())
        self.out_shape = (len(down), len(along), self.in_shape[2])

    def forward(self, x: Array) -> tuple[Array, None]:
        y = k.resample(x.reshape(-1, *self.in_shape), self._down, self._along)
        return y.reshape(*x.shape[:-1], self.n_out), None

    def backward(self, cache: None, dy: Array, wrt_input: bool = True) -> Array | None:
        if not wrt_input:
            return None
        dx = k.resample(dy.reshape(-1, *self.out_shape), self._up, self._back)
        return dx.reshape(*dy.shape[:-1], self.n_in)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls((4, 6, 2), 2)  # type: ignore[call-arg]
        return part, (rng.normal(size=(2, 3, part.n_in)),)


class AveragePool2d(Resampling):
    """y is the mean of what a window sees: D_ui = 1 / k where s u ≤ i < s u + k, and else 0.

    With ``kernel=image_shape[:2]`` it is the mean of each channel. Derivation and shapes: those of
    `Resampling`.

    Parameters
    ----------
    in_shape : (height, width, channels)
    kernel : int or (int, int), of the window
    stride : int or (int, int), optional
        By default the kernel, so that windows lie side by side.
    """

    def __init__(self, in_shape: Any, kernel: Any = 2, stride: Any = None) -> None:
        self.in_shape, self.kernel, self.stride, places = pooled(self, in_shape, kernel, stride)
        matrices = [
            _means(self.in_shape[axis], self.kernel[axis], self.stride[axis], places[axis])
            for axis in (0, 1)
        ]
        self._through(matrices[0], matrices[1])


class Upsample2d(Resampling):
    """Images `factor` times as large: each pixel repeated, or lines between pixels' middles.

    Pixel u of the output has its middle at s = (u + ½) / f - ½ of the input. "nearest": D_ui = 1
    where i = ⌊u / f⌋. "bilinear": D_ui = max(0, 1 - |s - i|), with s held in [0, H - 1].
    Derivation and shapes: those of `Resampling`.

    Parameters
    ----------
    in_shape : (height, width, channels)
    factor : int or (int, int)
    how : {"nearest", "bilinear"}
    """

    def __init__(self, in_shape: Any, factor: Any = 2, how: str = "nearest") -> None:
        self.in_shape = image("Upsample2d's in_shape", in_shape)
        self.factor, self.how = two("Upsample2d's factor", factor), how
        if how not in ("nearest", "bilinear"):
            raise ConfigError(f"Upsample2d's how is 'nearest' or 'bilinear'; got {how!r}.")
        weights = _nearest if how == "nearest" else _bilinear
        height, width, _ = self.in_shape
        self._through(weights(height, self.factor[0]), weights(width, self.factor[1]))


class MaxPool2d(Layer):
    """y is the largest number that a window sees, channel by channel.

    Derivation: y = x_i for the i that is largest, so ∂y/∂x_i = 1 there and 0 elsewhere  ->  each dy
    is added to the dx of the first largest number of its window.
    Shapes: x (..., H·W·C), y (..., H'·W'·C).

    Parameters
    ----------
    in_shape : (height, width, channels)
    kernel : int or (int, int), of the window
    stride : int or (int, int), optional
        By default the kernel, so that windows lie side by side.
    """

    in_shape: Image
    out_shape: Image

    def __init__(self, in_shape: Any, kernel: Any = 2, stride: Any = None) -> None:
        self.in_shape, self.kernel, self.stride, places = pooled(self, in_shape, kernel, stride)
        self.out_shape = (*places, self.in_shape[2])

    def forward(self, x: Array) -> tuple[Array, Any]:
        images = x.reshape(-1, *self.in_shape)
        y = k.max_pool(images, self.kernel, self.stride)
        return y.reshape(*x.shape[:-1], self.n_out), (images, y)

    def backward(self, cache: Any, dy: Array, wrt_input: bool = True) -> Array | None:
        if not wrt_input:
            return None
        images, y = cache
        slopes = dy.reshape(-1, *self.out_shape)
        dx = k.max_pool_backward(slopes, images, y, self.kernel, self.stride)
        return dx.reshape(*dy.shape[:-1], self.n_in)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls((5, 4, 2), (3, 2), (1, 2))
        x = rng.permutation(6 * part.n_in).reshape(2, 3, -1)  # apart, so away from kinks
        return part, (0.1 * x,)


def pooled(layer: Layer, in_shape: Any, kernel: Any, stride: Any) -> tuple[Image, Two, Two, Two]:
    """A pooling's shape, kernel and stride, and how many places its window has."""
    kind = type(layer).__name__
    shape, taps = image(f"{kind}'s in_shape", in_shape), two(f"{kind}'s kernel", kernel)
    step = taps if stride is None else two(f"{kind}'s stride", stride)
    axes = zip(shape[:2], taps, step, strict=True)
    height, width = (conv_size(size, own, apart, 0, 1) for size, own, apart in axes)
    if min(height, width) < 1:
        raise ConfigError(
            f"{kind}'s window lies inside the image; got one of {by(taps)} for an image of "
            f"{by(shape[:2])}. Take a smaller kernel."
        )
    return shape, taps, step, (height, width)


def _means(size: int, taps: int, stride: int, places: int) -> Array:
    offset = np.arange(size)[None] - stride * np.arange(places)[:, None]
    return ((offset >= 0) & (offset < taps)) / taps


def _nearest(size: int, factor: int) -> Array:
    return np.repeat(np.eye(size), factor, axis=0)


def _bilinear(size: int, factor: int) -> Array:
    middles = (np.arange(size * factor) + 0.5) / factor - 0.5
    middles = np.clip(middles, 0, size - 1)
    return np.maximum(0, 1 - np.abs(middles[:, None] - np.arange(size)[None]))

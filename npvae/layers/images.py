"""Layers that rearrange the numbers of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import whole
from ..core.errors import ConfigError
from ..core.image_shapes import Two, two
from .layer import Layer

Array = np.ndarray


class Stacked(Layer):
    """Images that lie one after another in a row, as one image with the channels of all.

    A model's row may be an image and a mask of it, say, and a convolution is to see at each pixel
    both. `Unstacked` is the way back.

    Derivation: y = P x with a permutation P  ->  dx = Pᵀ dy, and Pᵀ is the way back.
    Shapes: x (..., H·W·C1 + H·W·C2 + ...), y (..., H·W·(C1 + C2 + ...)).

    Parameters
    ----------
    size : (height, width)
    channels : sequence of int, of each image
    """

    def __init__(self, size: Any, channels: Sequence[int]) -> None:
        self._describe(size, channels)
        self.in_shape, self.out_shape = (math.prod(self._image),), self._image

    def _describe(self, size: Any, channels: Sequence[int]) -> None:
        kind = type(self).__name__
        self.size: Two = two(f"{kind}'s size", size)
        if not isinstance(channels, (list, tuple)) or not channels:
            raise ConfigError(f"{kind}'s channels are a list of numbers; got {channels!r}.")
        self.channels = tuple(whole(f"{kind}'s channels", one) for one in channels)
        self._image = (*self.size, sum(self.channels))

    def forward(self, x: Array) -> tuple[Array, None]:
        return self._moved(k.stack_channels, x), None

    def backward(self, cache: None, dy: Array, wrt_input: bool = True) -> Array | None:
        return self._moved(k.unstack_channels, dy) if wrt_input else None

    def _moved(self, move: Any, x: Array) -> Array:
        rows = x.reshape(-1, self.n_in)
        moved: Array = move(rows, math.prod(self.size), self.channels).reshape(x.shape)
        return moved

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls((2, 3), (2, 1))
        return part, (rng.normal(size=(2, 4, part.n_in)),)


class Unstacked(Stacked):
    """The channels of an image as images that lie one after another in a row.

    A decoder gives them so to a likelihood that takes more than one number for each of x.

    Derivation: y = Pᵀ x with the permutation P of `Stacked`  ->  dx = P dy.
    Shapes and parameters: those of `Stacked`, the other way.
    """

    def __init__(self, size: Any, channels: Sequence[int]) -> None:
        self._describe(size, channels)
        self.in_shape, self.out_shape = self._image, (math.prod(self._image),)

    def forward(self, x: Array) -> tuple[Array, None]:
        return self._moved(k.unstack_channels, x), None

    def backward(self, cache: None, dy: Array, wrt_input: bool = True) -> Array | None:
        return self._moved(k.stack_channels, dy) if wrt_input else None

"""The contract of a layer."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np

from ..core import Part, resolve
from ..core.errors import ConfigError

Array = np.ndarray


class Layer(Part, abstract=True):
    """Base of the layers: parts that map rows of numbers to rows of numbers.

    The contract, where n_in and n_out are the sizes of one row and the leading axes, (B,) or
    (K, B), are kept::

        forward(x)                          x (..., n_in)  ->  y (..., n_out), cache
        backward(cache, dy, wrt_input=True) dy (..., n_out)  ->  dx (..., n_in), or None

    With ``wrt_input=False`` nobody asks for dx, as at the first layer of a model. A layer then
    returns None, and saves what dx would cost.

    Attributes
    ----------
    in_shape, out_shape : tuple of int or None
        What one row stands for: (n,), or (height, width, channels) of an image whose numbers lie
        in a row in this order. A constructor sets them. None: the layer takes rows of any size,
        and gives rows of the same size.
    """

    family = "layer"
    in_shape: tuple[int, ...] | None = None
    out_shape: tuple[int, ...] | None = None

    @property
    def n_in(self) -> int:
        """How many numbers a row has that goes in."""
        return math.prod(self.in_shape or ())

    @property
    def n_out(self) -> int:
        """How many numbers a row has that comes out."""
        return math.prod(self.out_shape or ())

    @property
    def output_bias(self) -> Array | None:
        """The parameter that is added to the output last, or None where there is none.

        Of shape (n_out,); or (n,), where every n numbers of the output have it added to them, as
        the channels of an image. A decoder's output starts from there at the mean of the data.
        """
        return None

    def hint(self, wanted: tuple[int, ...]) -> str:
        """What to change for rows of the wanted shape to come out; "" where that is not known."""
        return ""

    @abstractmethod
    def forward(self, x: Array) -> tuple[Array, Any]:
        """(y, cache) of rows x."""

    @abstractmethod
    def backward(self, cache: Any, dy: Array, wrt_input: bool = True) -> Array | None:
        """dx of rows x, or None where nobody asks for it; parameters' gradients are added."""


def as_layer(choice: Any) -> Layer:
    """The layer that an object, text or a config stands for; raises `ConfigError` for others."""
    layer = resolve("layer", choice)
    if not isinstance(layer, Layer):
        raise ConfigError(
            f"a network is made of layers, which derive from npvae.layers.Layer; got {layer!r}."
        )
    return layer

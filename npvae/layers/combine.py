"""Layers made of layers, and layers that join their inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, children, n_parameters
from ..core.checks import whole
from ..core.errors import ConfigError, DataError
from .dense import Dense
from .layer import Layer, as_layer

Array = np.ndarray


class Sequential(Layer):
    """y = f_n(... f_2(f_1(x))).

    Derivation (chain rule): with h_i = f_i(h_{i-1}), dh_{i-1} = (∂h_i/∂h_{i-1})ᵀ dh_i, so the
    layers' backwards run in reverse order, each on what the one after it returned.

    Parameters
    ----------
    layers : sequence of Layer
        Objects, or what stands for them: ``["dense:n_in=8,n_out=4,activation=tanh", ...]``.

    Raises
    ------
    ConfigError
        If a layer takes rows of another size than the layer before it gives, or if a layer with
        parameters is given twice.
    DataError
        By `forward`, if its rows or what a layer makes of them are of another size than it says.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        if not isinstance(layers, (list, tuple)):
            raise ConfigError(f"Sequential takes a list of layers; got {layers!r}.")
        self.layers: list[Any] = [as_layer(layer) for layer in layers]
        before: set[int] = set()
        for i, layer in enumerate(self.layers):
            own = set(_with_parameters(layer))
            if own & before:
                raise ConfigError(
                    f"{self._place(i)} is in it already, and no config could say that the two "
                    "share their parameters; give a copy, such as npvae.core.clone(layer)."
                )
            before |= own
        sized = [i for i, layer in enumerate(self.layers) if layer.in_shape is not None]
        for one, next_one in pairwise(sized):
            self._check_fit(one, next_one)
        if sized:
            self.in_shape = self.layers[sized[0]].in_shape
            self.out_shape = self.layers[sized[-1]].out_shape

    @property
    def output_bias(self) -> Array | None:
        return self.layers[-1].output_bias if self.layers else None

    def hint(self, wanted: tuple[int, ...]) -> str:
        return self.layers[-1].hint(wanted) if self.layers else ""

    def forward(self, x: Array) -> tuple[Array, list[Any]]:
        caches = []
        for i, layer in enumerate(self.layers):
            if layer.in_shape is not None and x.shape[-1] != layer.n_in:
                raise DataError(
                    f"{self._place(i)} takes rows of {layer.n_in} numbers; got {x.shape} from "
                    f"{self._place(i - 1) if i else 'outside'}."
                )
            x, cache = layer.forward(x)
            caches.append(cache)
        return x, caches

    def backward(self, caches: list[Any], dy: Any, wrt_input: bool = True) -> Any:
        for i in reversed(range(len(self.layers))):
            dy = self.layers[i].backward(caches[i], dy, wrt_input=wrt_input or i > 0)
        return dy

    def _check_fit(self, before: int, after: int) -> None:
        given, taken = self.layers[before].out_shape, self.layers[after].in_shape
        of_images = len(given) > 1 and len(taken) > 1
        if given != taken if of_images else math.prod(given) != math.prod(taken):
            hint = self.layers[before].hint(taken)
            fix = f". {hint}" if hint else "; change one of them."
            raise ConfigError(
                f"{self._place(after)} takes rows of {_size(taken)}, and {self._place(before)} "
                f"gives rows of {_size(given)}{fix}"
            )

    def _place(self, i: int) -> str:
        return f"layer {i} ({self.layers[i].__class__.__name__}) of a Sequential"

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return mlp(4, (5, 3), 2, "softplus").allocate(rng), (rng.normal(size=(6, 4)),)


def _with_parameters(layer: Part) -> Iterator[int]:
    """The ids of the layers in a layer, itself among them, that have parameters."""
    if isinstance(layer, Layer) and n_parameters(layer):
        yield id(layer)
    for _, child in children(layer):
        yield from _with_parameters(child)


def mlp(
    n_in: int,
    hidden: Sequence[int],
    n_out: int,
    activation: Any,
    init: str = "glorot_uniform",
    out_gain: float = 1.0,
    in_gain: Any = 1.0,
) -> Sequential:
    """Dense layers: the hidden ones with the activation, and a last one without.

    The first one's initial weights are multiplied by `in_gain`, a number or one for each input, and
    the last one's by `out_gain`.

    Parameters
    ----------
    n_in, n_out : int
    hidden : sequence of int
        The hidden layers' widths.
    activation : str or Activation
    init : str
        The weights' initialiser.
    in_gain : float or (n_in,) array
    out_gain : float

    Returns
    -------
    Sequential
    """
    widths = [n_in, *hidden, n_out]
    activations = [*([activation] * len(hidden)), "identity"]
    gains: list[Any] = [*([1.0] * len(hidden)), out_gain]
    gains[0] = np.multiply(in_gain, gains[0])
    sizes = zip(pairwise(widths), activations, gains, strict=True)
    return Sequential([Dense(a, b, f, init, gain) for (a, b), f, gain in sizes])


def _size(shape: tuple[int, ...]) -> str:
    return f"{math.prod(shape)} numbers" + (f", {shape}" if len(shape) > 1 else "")


class Beside(Layer):
    """y = [f(a), c] of rows x = [a, c]: a network of the first numbers, the others as they are.

    So an encoder convolves an image, and takes the context beside it only where that is done.

    Derivation: the gradients of [f(a), c] are those of `Concat`, so that with dy = [dh, dc]
    da = (∂f/∂a)ᵀ dh, and dx = [da, dc].
    Shapes: x (..., n_in of f + C), y (..., n_out of f + C).

    Parameters
    ----------
    network : Layer, which says its shapes
    width : int
        C, how many numbers pass by.
    """

    def __init__(self, network: Any, width: int) -> None:
        self.network, self.width = as_layer(network), whole("Beside's width", width)
        if self.network.in_shape is None:
            raise ConfigError(
                f"Beside divides rows by the shape that its network takes; {self.network!r} says "
                "none. Put it in a Sequential with a layer that does."
            )
        self.in_shape = (self.network.n_in + self.width,)
        self.out_shape = (self.network.n_out + self.width,)

    def forward(self, x: Array) -> tuple[Array, Any]:
        h, cache = self.network.forward(x[..., : self.network.n_in])
        return k.concat(h, x[..., self.network.n_in :]), cache

    def backward(self, cache: Any, dy: Array, wrt_input: bool = True) -> Array | None:
        n_out, passed = self.network.n_out, (*dy.shape[:-1], self.width)
        dh, dc = k.concat_backward(dy, n_out, passed)
        da = self.network.backward(cache, dh, wrt_input)
        return None if da is None else k.concat(da, dc)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls(mlp(4, (5,), 3, "tanh"), 2).allocate(rng)
        return part, (rng.normal(size=(2, 3, 6)),)


class Residual(Layer):
    """y = x + f(x), for a network f whose rows come out in the shape in which they go in.

    Derivation: ∂y/∂x = I + ∂f/∂x  ->  dx = dy + (∂f/∂x)ᵀ dy.
    Shapes: x, y (..., n).  Source: He et al. 2016.

    Parameters
    ----------
    network : Layer
    """

    def __init__(self, network: Any) -> None:
        self.network = as_layer(network)
        self.in_shape, self.out_shape = self.network.in_shape, self.network.out_shape
        if self.in_shape != self.out_shape:
            raise ConfigError(
                f"Residual adds what its network gives to what it takes; got one from "
                f"{self.in_shape} to {self.out_shape}. Change its last layer."
            )

    def forward(self, x: Array) -> tuple[Array, Any]:
        h, cache = self.network.forward(x)
        return k.add(x, h), cache

    def backward(self, cache: Any, dy: Array, wrt_input: bool = True) -> Array | None:
        dx = self.network.backward(cache, dy, wrt_input)
        return None if dx is None else k.add(dy, dx)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls(mlp(4, (5,), 4, "tanh")).allocate(rng)
        return part, (rng.normal(size=(2, 3, 4)),)


class Concat(Part):
    """y = [a, c], the context c repeated over a's leading axes.

    Derivation:
      (1) ∂y_j/∂a_i = 1 where j = i            ->  da = dy[..., :A]
      (2) ∂y_{A+j}/∂c_j = 1 in every repetition ->  dc = Σ dy[..., A:] over the repetitions
    Shapes: a (B, A) or (K, B, A), c (B, C), y (..., A + C).
    """

    family = "join"

    def forward(self, a: Array, c: Array) -> tuple[Array, Any]:
        return k.concat(a, c), (a.shape[-1], c.shape)

    def backward(self, cache: Any, dy: Array) -> tuple[Array, Array]:
        a_width, c_shape = cache
        return k.concat_backward(dy, a_width, c_shape)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 5)))

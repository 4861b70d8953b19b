"""Layers made of layers, and layers that join their inputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, resolve
from .dense import Dense

Array = np.ndarray


class Sequential(Part):
    """y = f_n(... f_2(f_1(x))).

    Derivation (chain rule): with h_i = f_i(h_{i-1}), dh_{i-1} = (∂h_i/∂h_{i-1})ᵀ dh_i, so the
    layers' backwards run in reverse order, each on what the one after it returned.
    """

    family = "layer"

    def __init__(self, layers: Sequence[Any]) -> None:
        self.layers: list[Any] = [resolve("layer", layer) for layer in layers]

    def forward(self, x: Array) -> tuple[Array, list[Any]]:
        caches = []
        for layer in self.layers:
            x, cache = layer.forward(x)
            caches.append(cache)
        return x, caches

    def backward(self, caches: list[Any], dy: Any, wrt_input: bool = True) -> Any:
        for i in reversed(range(len(self.layers))):
            dy = self.layers[i].backward(caches[i], dy, wrt_input=wrt_input or i > 0)
        return dy

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return mlp(4, (5, 3), 2, "softplus").allocate(rng), (rng.normal(size=(6, 4)),)


def mlp(
    n_in: int,
    hidden: Sequence[int],
    n_out: int,
    activation: Any,
    init: str = "glorot_uniform",
    out_gain: float = 1.0,
) -> Sequential:
    """Hidden layers with the activation and a last one without, with `out_gain` on its weights."""
    widths = [n_in, *hidden]
    layers = [Dense(a, b, activation, init) for a, b in pairwise(widths)]
    return Sequential([*layers, Dense(widths[-1], n_out, "identity", init, out_gain)])


class Concat(Part):
    """y = [a, c], the context c repeated over a's leading axes.

    Derivation:
      (1) ∂y_j/∂a_i = 1 where j = i            ->  da = dy[..., :A]
      (2) ∂y_{A+j}/∂c_j = 1 in every repetition ->  dc = Σ dy[..., A:] over the repetitions
    Shapes: a (B, A) or (K, B, A), c (B, C), y (..., A + C).
    """

    family = "layer"

    def forward(self, a: Array, c: Array) -> tuple[Array, Any]:
        return k.concat(a, c), (a.shape[-1], c.shape)

    def backward(self, cache: Any, dy: Array) -> tuple[Array, Array]:
        a_width, c_shape = cache
        return k.concat_backward(dy, a_width, c_shape)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(), (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 5)))

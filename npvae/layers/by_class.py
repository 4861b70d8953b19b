"""A network of rows beside a class, computed for every class."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from .combine import Sequential
from .dense import Dense

Array = np.ndarray


class DenseByClass(Dense, abstract=True):
    """h_l = f([x, e_c] Wᵀ + b), for each class c with its unit vector e_c: number l has l modulo C.

    Derivation, with a_l = x Wxᵀ + v_c, W = [Wx, V], v_c the c-th column of V, da as in `Dense`:
      (1) x serves all l         ->  dWx = (Σ_l da_l)ᵀ x
      (2) v_c serves all rows    ->  dv_c = Σ_l Σ_B da_l, over the l with this class
    So the product with x, which for wide rows is most of the arithmetic, is taken once.
    Shapes: x (B, I), W (O, I + C), h (L, B, O), L a multiple of C.
    """

    def each(self, x: Array, copies: int) -> tuple[Array, Any]:
        """h, L = copies, and what `each_backward` needs."""
        a = k.linear_by_class(x, self.W, copies).reshape(-1, self.n_out)
        h, saved = self.activation.forward(a, self.b)
        return h.reshape(copies, -1, self.n_out), (x, saved)

    def each_backward(self, cache: Any, dh: Array) -> None:
        """Nobody asks for the gradient of x, which is data."""
        x, saved = cache
        da, db = self.activation.backward(saved, dh.reshape(-1, self.n_out))
        da = da.reshape(-1, len(x), self.n_out)
        self.dW += k.linear_by_class_dw(da, x, self.n_in - x.shape[-1])
        self.db += db


class ByClass(Sequential, abstract=True):
    """Dense layers whose first is a `DenseByClass`.

    Derivation: that of `Sequential`.
    """

    def __init__(self, network: Sequential) -> None:
        first, *others = network.layers
        super().__init__(
            [
                DenseByClass(first.n_in, first.n_out, first.activation, first.init, first.gain),
                *others,
            ]
        )

    def each(self, x: Array, copies: int) -> tuple[Array, Any]:
        """The output (L, B, O) for each class, L = copies, and what `each_backward` needs."""
        first, *others = self.layers
        h, c_first = first.each(x, copies)
        caches = []
        for layer in others:
            h, cache = layer.forward(h)
            caches.append(cache)
        return h, (c_first, caches)

    def each_backward(self, cache: Any, dy: Array) -> None:
        first, *others = self.layers
        c_first, caches = cache
        for layer, c_layer in zip(reversed(others), reversed(caches), strict=True):
            dy = layer.backward(c_layer, dy)
        first.each_backward(c_first, dy)

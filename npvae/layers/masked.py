"""The dense layer with some of its weights held at 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core.arrays import constant
from ..core.memory import check_memory
from .dense import Dense

Array = np.ndarray


class MaskedDense(Dense, abstract=True):
    """h = f(x (W ∘ M)ᵀ + b), with a mask M of zeros and ones.

    Derivation: that of `Dense` for the weight V = W ∘ M, and ∂V/∂W = M  ->  dW = dV ∘ M.
    Source: Germain, Gregor, Murray & Larochelle 2015, equation 7.

    Parameters
    ----------
    mask : (O, I) array
    activation, init, gain
        As in `Dense`.
    """

    def __init__(
        self,
        mask: Array,
        activation: Any = "identity",
        init: str = "glorot_uniform",
        gain: float = 1.0,
    ) -> None:
        super().__init__(mask.shape[1], mask.shape[0], activation, init, gain)
        self.mask = constant(np.array(mask, np.float32))

    def forward(self, x: Array) -> tuple[Array, Any]:
        rows, weight = x.reshape(-1, self.n_in), k.masked(self.W, self.mask)
        h, saved = self.activation.forward(k.linear(rows, weight), self.b)
        return h.reshape(*x.shape[:-1], self.n_out), (rows, saved, weight, x.shape)

    def backward(self, cache: Any, dh: Array, wrt_input: bool = True) -> Array | None:
        rows, saved, weight, x_shape = cache
        da, db = self.activation.backward(saved, dh.reshape(-1, self.n_out))
        self.dW += k.masked(k.linear_dw(da, rows), self.mask)
        self.db += db
        return k.linear_dx(da, weight).reshape(x_shape) if wrt_input else None


def autoregressive_masks(
    z_dim: int, n_context: int, width: int, n_out: int, backwards: bool
) -> tuple[Array, Array]:
    """Masks of two layers, (width, Z + n_context) and (n_out Z, width).

    The outputs of dimension i, n_out of them, Z apart, then depend on the context and on the
    dimensions before i in the order, which is that of z or, `backwards`, the other.
    Source: Germain et al. 2015, equations 8 and 9.
    """
    needed = width * (16.0 + 5.0 * (z_dim * (1 + n_out) + n_context))  # with the weights
    what = f"an autoregressive network {width:,} wide, with {n_context:,} numbers of context,"
    check_memory(what, needed, "take fewer")
    degree = np.arange(1, z_dim + 1)
    degree = degree[::-1] if backwards else degree
    seen = np.concatenate([degree, np.zeros(n_context, int)])
    unit = np.arange(width) % z_dim
    return unit[:, None] >= seen, np.tile(degree, n_out)[:, None] > unit

"""The inverse autoregressive flow."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import whole
from ..layers import Sequential
from ..layers.masked import MaskedDense, autoregressive_masks
from .base import Flow

Array = np.ndarray


class IAF(Flow):
    """Each dimension is stretched and shifted by a network of those before it, and of a context.

    f(z)_i = z_i exp(s_i) + t_i, with s_i and t_i of z_1 ... z_{i-1} and of h, which the encoder
    gives; s is bounded to (-3, 3). Flows that follow one another take the dimensions in opposite
    orders.

    Derivation, with (t, raw) = network([z, h]):
      (1) f and the change are `stretched`'s  ->  dz, draw as its backward gives them, dt = dz'
      (2) z and h make t and raw              ->  dz += the network's, dh = Σ_K the network's
      (3) the Jacobian is triangular: the network's derivative adds nothing to its diagonal
    Shapes: z (K, B, Z); h (B, C) or (K, B, C); change (K, B).
    Source: Kingma et al. 2016, equations 9 to 11; the masks: Germain et al. 2015.

    Parameters
    ----------
    width : int
        Of the network's hidden layer, which is tanh.
    context : int
        C, how many numbers of each row the encoder gives this flow; 0 for none.
    """

    name = "iaf"

    def __init__(self, width: int = 64, context: int = 8) -> None:
        self.width = whole("width", width)
        self.context = whole("context", context, least=0)

    def build(self, z_dim: int) -> None:
        first, second = autoregressive_masks(
            z_dim, self.context, self.width, 2, backwards=self.place % 2 == 1
        )
        self._z_dim = z_dim
        layers = [MaskedDense(first, "tanh"), MaskedDense(second, gain=0.1)]
        self.network = Sequential(layers)

    def n_outputs(self, z_dim: int) -> int:
        return self.context

    def forward(self, z: Array, *h: Array) -> tuple[tuple[Array, Array], Any]:
        seen = k.concat(z, *h) if h else z
        out, c_network = self.network.forward(seen)
        shift, raw = out[..., : self._z_dim], out[..., self._z_dim :]
        return k.stretched(z, shift, raw), (c_network, z, raw, *(a.shape for a in h))

    def backward(self, cache: Any, dz: Array, d_change: Array) -> Any:
        c_network, z, raw, *h_shape = cache
        dz_own, d_raw = k.stretched_backward(dz, d_change, z, raw)  # (1)
        d_seen: Any = self.network.backward(c_network, k.concat(dz, d_raw))
        if not h_shape:
            return k.add(dz_own, d_seen)
        dz_seen, dh = k.concat_backward(d_seen, self._z_dim, *h_shape)
        return k.add(dz_own, dz_seen), dh  # (2)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls(width=5, context=2)
        part.build(3)
        part.allocate(rng)
        part.network.layers[-1].W += rng.normal(size=(6, 5))
        return part, (rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 2)))

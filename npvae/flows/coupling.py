"""The affine coupling flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part
from ..core.checks import whole
from ..core.errors import ConfigError
from ..kernels.flows import STRETCH
from ..layers import mlp
from .base import Flow

Array = np.ndarray


class Coupling(Flow):
    """One half of z is stretched and shifted, by a network of the other half.

    f(z) = [a, b exp(s(a)) + t(a)], s bounded to (-3, 3). Flows that follow one another take turns
    in which half stays.

    Derivation, with z = [a, b] and (t, raw) = network(a):
      (1) b' and the change are `stretched`'s   ->  db, draw as its backward gives them, dt = db'
      (2) a goes on as it is, and makes t, raw  ->  da = da' + the network's gradient
    Shapes: z (K, B, Z), with Z of 2 or more; change (K, B).
    Source: Dinh, Sohl-Dickstein & Bengio 2017, equations 4 to 8.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the network's hidden layers, which are tanh.

    Raises
    ------
    ConfigError
        If z has one dimension, which has no other half.
    """

    invertible = True

    def __init__(self, hidden: Sequence[int] = (32,)) -> None:
        if not isinstance(hidden, (list, tuple)):
            raise ConfigError(f"hidden is a sequence of widths such as (32,); got {hidden!r}.")
        self.hidden = tuple(whole("each width in hidden", width) for width in hidden)

    def build(self, z_dim: int) -> None:
        if z_dim < 2:
            raise ConfigError(
                "a coupling flow makes one half of z of the other half; got a z of one dimension. "
                "Take z_dim=2 or more."
            )
        self._middle = z_dim // 2 if self.place % 2 else z_dim - z_dim // 2
        stays = z_dim - self._middle if self.place % 2 else self._middle
        self.network = mlp(stays, self.hidden, 2 * (z_dim - stays), "tanh", out_gain=0.1)

    def forward(self, z: Array) -> tuple[tuple[Array, Array], Any]:
        stays, moves = self._halves(z)
        (shift, raw), c_network = self._by(stays)
        moved, change = k.stretched(moves, shift, raw)
        return (self._whole(stays, moved), change), (c_network, moves, raw)

    def backward(self, cache: Any, dz: Array, d_change: Array) -> Array:
        c_network, moves, raw = cache
        d_stays, d_moved = self._halves(dz)
        d_moves, d_raw = k.stretched_backward(d_moved, d_change, moves, raw)  # (1)
        by_network: Any = self.network.backward(c_network, k.concat(d_moved, d_raw))
        return self._whole(k.add(d_stays, by_network), d_moves)  # (2)

    def inverse(self, z: Array) -> Array:
        """The z that `forward` moved here: of the moving half (b' - t) exp(-s)."""
        stays, moved = self._halves(z)
        (shift, raw), _ = self._by(stays)
        return self._whole(stays, (moved - shift) * np.exp(-STRETCH * np.tanh(raw / STRETCH)))

    def _by(self, stays: Array) -> tuple[tuple[Array, Array], Any]:
        """What the moving half is shifted and stretched by, and the network's cache."""
        out, cache = self.network.forward(stays)
        n = out.shape[-1] // 2
        return (out[..., :n], out[..., n:]), cache

    def _halves(self, z: Array) -> tuple[Array, Array]:
        """The half that stays, and that which moves."""
        first, second = z[..., : self._middle], z[..., self._middle :]
        return (second, first) if self.place % 2 else (first, second)

    def _whole(self, stays: Array, moves: Array) -> Array:
        return k.concat(moves, stays) if self.place % 2 else k.concat(stays, moves)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls(hidden=(4,))
        part.build(3)
        part.allocate(rng)
        part.network.layers[-1].W += rng.normal(size=(2, 4))
        return part, (rng.normal(size=(4, 2, 3)),)

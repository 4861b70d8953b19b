"""The planar flow."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, bind
from ..core.numerics import sigmoid, softplus, wide
from .base import Flow

Array = np.ndarray


class Planar(Flow):
    """f(z) = z + û tanh(w·z + b): space stretched and squeezed along û, in bands across w.

    With û = u + c w, c = (m - s) / |w|², s = w·u and m = log(1 + exp(s)) - 1, so that û·w = m > -1
    and f is invertible (tanh' is at most 1).

    Derivation, with a = w·z + b, h = tanh(a), g = 1 - h² and j = 1 + g m = det ∂f/∂z > 0, and d the
    gradient of change = -log j:
      (1) f = z + h û              ->  dh = dz'·û,  dû = Σ_KB h dz',  dz = dz'
      (2) ∂change/∂h = 2 h m / j   ->  dh += 2 d h m / j
      (3) ∂change/∂m = -g / j      ->  dm = -Σ_KB d g / j
      (4) h = tanh(a)              ->  da = g dh,  dz += da w,  dw = Σ_KB da z,  db = Σ_KB da
      (5) û = u + c w              ->  du = dû,  dw += c dû,  dc = dû·w
      (6) c = (m - s) / |w|²       ->  dm += dc / |w|²,  ds = -dc / |w|²,  dw -= 2 c dc w / |w|²
      (7) m = log(1 + exp(s)) - 1  ->  ds += dm σ(s);   s = w·u  ->  du += ds w,  dw += ds u
    Shapes: z (K, B, Z); w, u (Z,); b (1,); a, h, g, j, change (K, B); c, s, m numbers.
    Source: Rezende & Mohamed 2015, equations 10 to 12 and appendix A.1.
    """

    w: Array
    u: Array
    b: Array
    dw: Array
    du: Array
    db: Array

    def build(self, z_dim: int) -> None:
        self.parameter("w", (z_dim,), lambda rng, shape: 0.1 * rng.normal(size=shape))
        self.parameter("u", (z_dim,), lambda rng, shape: 0.1 * rng.normal(size=shape))
        self.parameter("b", (1,), lambda rng, shape: np.zeros(shape))

    def forward(self, z: Array) -> tuple[tuple[Array, Array], Any]:
        return planar(z, self.w, self.u, self.b), (z, self.w, self.u, self.b)

    def backward(self, cache: Any, dz: Array, d_change: Array) -> Array:
        dz, dw, du, db = planar_backward(dz, d_change, *cache)
        self.dw += dw
        self.du += du
        self.db += db
        return dz

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls()
        part.build(3)
        bind(part, rng.normal(size=7))
        return part, (rng.normal(size=(4, 2, 3)),)


@k.kernel
def planar(z: Array, w: Array, u: Array, b: Array) -> tuple[Array, Array]:
    """f(z) and -log det ∂f/∂z."""
    s = (w * u).sum()
    m, h = softplus(s) - 1, np.tanh(z @ w + b)
    change = -np.log1p((1 - h * h) * m)
    u_hat = u + (m - s) / (w * w).sum() * w
    return z + h[..., None] * u_hat, change.astype(wide(change.dtype))


@k.kernel
def planar_backward(
    dz: Array, d: Array, z: Array, w: Array, u: Array, b: Array
) -> tuple[Array, Array, Array, Array]:
    d, s, square = d.astype(z.dtype), (w * u).sum(), (w * w).sum()
    m, h = softplus(s) - 1, np.tanh(z @ w + b)
    g, c = 1 - h * h, (m - s) / square
    u_hat, j = u + c * w, 1 + g * m
    da = g * (dz @ u_hat + 2 * d * h * m / j)  # (1), (2), (4)
    du = (h[..., None] * dz).sum((0, 1))
    dc = du @ w
    dm = dc / square - (d * g / j).sum()  # (3), (6)
    ds = dm * sigmoid(s) - dc / square
    dw = (da[..., None] * z).sum((0, 1)) + c * du + ds * u - 2 * c * dc / square * w
    return dz + da[..., None] * w, dw, du + ds * w, da.sum()[None]

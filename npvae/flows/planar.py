"""The planar flow."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, bind
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
        return k.planar(z, self.w, self.u, self.b), (z, self.w, self.u, self.b)

    def backward(self, cache: Any, dz: Array, d_change: Array) -> Array:
        dz, dw, du, db = k.planar_backward(dz, d_change, *cache)
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

"""The radial flow."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Part
from ..core.numerics import sigmoid, softplus, wide
from ..kernels.seam import kernel
from .base import Flow

Array = np.ndarray


@kernel
def radial(z: Array, z_0: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """f(z) = z + β h (z - z_0) and -log det ∂f/∂z, (K, B); z_0 (Z,), a and b (1,)."""
    alpha, beta, d, _, h = _radial_terms(z, z_0, a, b)
    p, q = beta * h, alpha * beta * h * h
    change = -(z.shape[-1] - 1) * np.log1p(p) - np.log1p(q)
    return z + p[..., None] * d, change.astype(wide(change.dtype))


@kernel
def radial_backward(
    dz: Array, d_change: Array, z: Array, z_0: Array, a: Array, b: Array
) -> tuple[Array, Array, Array, Array]:
    """Gradients of z, z_0, a and b; the numbers in parentheses are lines of `Radial`."""
    alpha, beta, d, r, h = _radial_terms(z, z_0, a, b)
    c, more = d_change.astype(z.dtype), z.shape[-1] - 1
    p, q = 1 + beta * h, 1 + alpha * beta * h * h
    along = (dz * d).sum(-1)
    d_beta = (h * along - c * (more * h / p + alpha * h * h / q)).sum()  # (1), (2)
    dh = beta * along - c * beta * (more / p + 2 * alpha * h / q)
    d_alpha = (-c * beta * h * h / q - h * h * dh).sum() - d_beta  # (2), (3), (5)
    dr = -h * h * dh
    dd = beta * h[..., None] * dz + (dr / np.where(r == 0, 1, r))[..., None] * d  # (4)
    return dz + dd, -dd.sum((0, 1)), alpha * d_alpha, sigmoid(b) * d_beta


def _radial_terms(z: Array, z_0: Array, a: Array, b: Array) -> tuple[Array, ...]:
    """α, β, d = z - z_0, r = |d| and h = 1 / (α + r)."""
    alpha = np.exp(a)
    d = z - z_0
    r = np.sqrt((d * d).sum(-1))
    return alpha, softplus(b) - alpha, d, r, 1 / (alpha + r)


class Radial(Flow):
    """f(z) = z + β h (z - z_0), h = 1 / (α + |z - z_0|): space drawn to a point, or pushed away.

    With α = exp(a) and β = log(1 + exp(b)) - α > -α, so that f is invertible.

    Derivation, with d = z - z_0, r = |d|, p = 1 + β h, q = 1 + α β h² and c the gradient of
    change = -(Z - 1) log p - log q (of det = p^(Z-1) (1 + β h - β r h²), and 1 - r h = α h):
      (1) f = z + β h d              ->  dz = dz',  dβ = Σ h dz'·d,  dh = β dz'·d,  dd = β h dz'
      (2) ∂change/∂β = -(Z-1) h / p - α h² / q,  ∂change/∂h = -(Z-1) β / p - 2 α β h / q,
          ∂change/∂α = -β h² / q     ->  each times c
      (3) h = 1 / (α + r)            ->  dα -= Σ h² dh,  dr = -h² dh
      (4) r = |d|                    ->  dd += dr d / r;  d = z - z_0  ->  dz += dd,  dz_0 = -Σ dd
      (5) β = log(1 + exp(b)) - α    ->  db = σ(b) dβ,  dα -= dβ;  α = exp(a)  ->  da = α dα
    Shapes: z (K, B, Z); z_0 (Z,); a, b (1,); r, h, change (K, B).
    Source: Rezende & Mohamed 2015, equation 14 and appendix A.2.
    """

    z_0: Array
    a: Array
    b: Array
    dz_0: Array
    da: Array
    db: Array

    def build(self, z_dim: int) -> None:
        self.parameter("z_0", (z_dim,), lambda rng, shape: rng.normal(size=shape))
        self.parameter("a", (1,), lambda rng, shape: np.zeros(shape))
        # softplus(b) = 1 = α: it begins as the identity
        self.parameter("b", (1,), lambda rng, shape: np.full(shape, np.log(np.expm1(1.0))))

    def forward(self, z: Array) -> tuple[tuple[Array, Array], Any]:
        return radial(z, self.z_0, self.a, self.b), (z, self.z_0, self.a, self.b)

    def backward(self, cache: Any, dz: Array, d_change: Array) -> Array:
        dz, dz_0, da, db = radial_backward(dz, d_change, *cache)
        self.dz_0 += dz_0
        self.da += da
        self.db += db
        return dz

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls()
        part.build(3)
        part.allocate(rng)
        part.a += rng.normal(size=1)
        part.b += rng.normal(size=1)
        return part, (rng.normal(size=(4, 2, 3)),)

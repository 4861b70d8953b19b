"""The radial flow."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Part
from ..core.numerics import sigmoid, softplus, wide
from ..kernels.seam import kernel
from .base import Amortisable, quiet, summed_over_rows

Array = np.ndarray


@kernel
def radial(z: Array, z_0: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """f(z) = z + β h (z - z_0) and -log det ∂f/∂z, (K, B); z_0 (Z,), a and b (1,)."""
    return _moved(z, z_0, a, b)


@kernel
def radial_backward(
    dz: Array, d_change: Array, z: Array, z_0: Array, a: Array, b: Array
) -> tuple[Array, Array, Array, Array]:
    """Gradients of z, z_0, a and b."""
    dz, dz_0, da, db = _gradients(dz, d_change, z, z_0, a, b)
    return (
        dz,
        dz_0.sum((0, 1)),
        da.reshape(-1).sum(keepdims=True),
        db.reshape(-1).sum(keepdims=True),
    )


@kernel
def radial_of_rows(z: Array, z_0: Array, a: Array, b: Array, stats: Array) -> tuple[Array, Array]:
    """`radial` with parameters of each row: stats (B, Z + 2) are added to z_0, a and b."""
    return _moved(z, *_added(z_0, a, b, stats))


@kernel
def radial_of_rows_backward(
    dz: Array, d_change: Array, z: Array, z_0: Array, a: Array, b: Array, stats: Array
) -> tuple[Array, Array]:
    """Gradients of z and of stats."""
    dz, dz_0, da, db = _gradients(dz, d_change, z, *_added(z_0, a, b, stats))
    dstats = np.concatenate([dz_0, da[..., None], db[..., None]], axis=-1)
    return dz, dstats if stats.ndim == 3 else dstats.sum(0)


def _added(z_0: Array, a: Array, b: Array, stats: Array) -> tuple[Array, Array, Array]:
    """The parameters of each row."""
    return z_0 + stats[..., :-2], a + stats[..., -2:-1], b + stats[..., -1:]


def _moved(z: Array, z_0: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """`radial` for parameters of all rows, (Z,) and (1,), or with axes of rows before these."""
    alpha, beta, d, _, h = _terms(z, z_0, a, b)
    p, q = beta * h, alpha * beta * h * h
    change = -(z.shape[-1] - 1) * np.log1p(p) - np.log1p(q)
    return z + p[..., None] * d, change.astype(wide(change.dtype))


def _gradients(
    dz: Array, d_change: Array, z: Array, z_0: Array, a: Array, b: Array
) -> tuple[Array, Array, Array, Array]:
    """Those of z, and of z_0 (K, B, Z), a, b (K, B), unsummed; the numbers are `Radial`'s lines."""
    alpha, beta, d, r, h = _terms(z, z_0, a, b)
    c, more = d_change.astype(z.dtype), z.shape[-1] - 1
    p, q = 1 + beta * h, 1 + alpha * beta * h * h
    along = (dz * d).sum(-1)
    d_beta = h * along - c * (more * h / p + alpha * h * h / q)  # (1), (2)
    dh = beta * along - c * beta * (more / p + 2 * alpha * h / q)
    d_alpha = -c * beta * h * h / q - h * h * dh - d_beta  # (2), (3), (5)
    dr = -h * h * dh
    dd = (beta * h)[..., None] * dz + (dr / np.where(r == 0, 1, r))[..., None] * d  # (4)
    return dz + dd, -dd, alpha * d_alpha, sigmoid(b[..., 0]) * d_beta


def _terms(z: Array, z_0: Array, a: Array, b: Array) -> tuple[Array, ...]:
    """α, β, d = z - z_0, r = |d| and h = 1 / (α + r)."""
    alpha = np.exp(a[..., 0])
    d = z - z_0
    r = np.sqrt((d * d).sum(-1))
    return alpha, softplus(b[..., 0]) - alpha, d, r, 1 / (alpha + r)


class Radial(Amortisable):
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
    Where it is amortised each row has z_0, a and b of its own, and the sums over B are left out:
      (6) z_0 = z_00 + ℓ what the encoder gives, ℓ = `LOUDNESS`, and so a and b
                                     ->  the gradient of that is ℓ dz_0, of z_00 Σ_B dz_0
    Shapes: z (K, B, Z); z_0 (Z,); a, b (1,); r, h, change (K, B).
    Source: Rezende & Mohamed 2015, equation 14 and appendix A.2; algorithm 1 has it amortised.

    Parameters
    ----------
    amortised : bool
        Whether the encoder gives each row Z + 2 numbers that are added to z_0, a and b.
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

    def widths(self, z_dim: int) -> tuple[int, ...]:
        return z_dim, 1, 1

    def forward(self, z: Array, *stats: Array) -> tuple[tuple[Array, Array], Any]:
        cache = (z, self.z_0, self.a, self.b, *map(quiet, stats))
        return radial_of_rows(*cache) if stats else radial(*cache), cache

    def backward(self, cache: Any, dz: Array, d_change: Array) -> Any:
        if self.amortised:
            dz, dstats = radial_of_rows_backward(dz, d_change, *cache)
            dz_0, da, db = summed_over_rows(dstats, self.widths(len(self.z_0)))  # (6)
        else:
            dz, dz_0, da, db = radial_backward(dz, d_change, *cache)
        self.dz_0 += dz_0
        self.da += da
        self.db += db
        return (dz, quiet(dstats)) if self.amortised else dz

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls()
        part.build(3)
        part.allocate(rng)
        part.a += rng.normal(size=1)
        part.b += rng.normal(size=1)
        return part, (rng.normal(size=(4, 2, 3)),)

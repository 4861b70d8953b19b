"""The planar flow."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, bind
from ..core.numerics import sigmoid, softplus, wide
from ..kernels.seam import kernel
from .base import Amortisable, quiet, summed_over_rows

Array = np.ndarray


@kernel
def planar_of_rows(z: Array, w: Array, u: Array, b: Array, stats: Array) -> tuple[Array, Array]:
    """`planar` with parameters of each row: stats (B, 2Z + 1) are added to w, u (Z,) and b (1,)."""
    h, m, w, u_hat, _ = _rows(z, w, u, b, stats)
    change = -np.log1p((1 - h * h) * m)
    return z + h[..., None] * u_hat, change.astype(wide(change.dtype))


@kernel
def planar_of_rows_backward(
    dz: Array, d: Array, z: Array, w: Array, u: Array, b: Array, stats: Array
) -> tuple[Array, Array]:
    """Gradients of z and of stats; the numbers in parentheses are lines of `Planar`."""
    h, m, w, u_hat, (s, square, c, u) = _rows(z, w, u, b, stats)
    d, g = d.astype(z.dtype), 1 - h * h
    j = g * (1 + m) + h * h  # 1 + g m, which cancels where m is near -1
    da = g * ((dz * u_hat).sum(-1) + 2 * d * h * m / j)  # (1), (2), (4)
    own = stats.ndim == 3  # whether each sample has parameters of its own
    du, dm, dw, db = h[..., None] * dz, -d * g / j, da[..., None] * z, da
    if not own:
        du, dm, dw, db = du.sum(0), dm.sum(0), dw.sum(0), db.sum(0)
    dc = (du * w).sum(-1)
    dm = dm + dc / square  # (3), (6)
    ds = dm * sigmoid(s) - dc / square
    dw = dw + c[..., None] * du + ds[..., None] * u - (2 * c * dc / square)[..., None] * w
    du = du + ds[..., None] * w
    dstats = np.concatenate([dw, du, db[..., None]], axis=-1)
    return dz + da[..., None] * w, dstats


def _rows(z: Array, w: Array, u: Array, b: Array, stats: Array) -> tuple[Any, ...]:
    """h (K, B); m (B,), w and û (B, Z) of each row; and s, |w|², c and u."""
    z_dim = z.shape[-1]
    w, u, b = w + stats[..., :z_dim], u + stats[..., z_dim : 2 * z_dim], b + stats[..., -1:]
    s, square = (w * u).sum(-1), (w * w).sum(-1)
    m = softplus(s) - 1
    c = (m - s) / square
    h = np.tanh((z * w).sum(-1) + b[..., 0])
    return h, m, w, u + c[..., None] * w, (s, square, c, u)


def _half_long(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A first w, of length 0.5: by shorter ones flows learn MNIST faster, the plane worse."""
    w = rng.normal(size=shape)
    return 0.5 * w / np.sqrt(w @ w)


def _beside(rng: np.random.Generator, shape: tuple[int, ...], w: Array) -> Array:
    """A first u, whose û is small and at right angles to w: s = log(e - 1), where m = 0.

    So a chain of any length begins without a change of volume. At u = 0 each flow would squeeze z
    to 1 + m = 0.69 of its width along w.
    """
    u = 0.1 * rng.normal(size=shape)
    return u + (np.log(np.e - 1) - w @ u) / (w @ w) * w


class Planar(Amortisable):
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
    Where it is amortised each row has w, u and b of its own, and the sums over B are left out:
      (8) w = w_0 + ℓ what the encoder gives, ℓ = `LOUDNESS`, and so u and b
                                    ->  the gradient of that is ℓ dw, of w_0 Σ_B dw
    Shapes: z (K, B, Z); w, u (Z,); b (1,); a, h, g, j, change (K, B); c, s, m numbers, or (B,).
    Source: Rezende & Mohamed 2015, equations 10 to 12 and appendix A.1; algorithm 1 has it
    amortised.

    Parameters
    ----------
    amortised : bool
        Whether the encoder gives each row 2Z + 1 numbers that are added to w, u and b. Python then
        calls the flow in the middle of a captured step.
    """

    w: Array
    u: Array
    b: Array
    dw: Array
    du: Array
    db: Array

    def widths(self, z_dim: int) -> tuple[int, ...]:
        return z_dim, z_dim, 1

    def build(self, z_dim: int) -> None:
        self.parameter("w", (z_dim,), _half_long)
        self.parameter("u", (z_dim,), _beside, given=("w",))
        self.parameter("b", (1,), lambda rng, shape: np.zeros(shape))

    def forward(self, z: Array, *stats: Array) -> tuple[tuple[Array, Array], Any]:
        cache = (z, self.w, self.u, self.b, *map(quiet, stats))
        return planar_of_rows(*cache) if stats else k.planar(*cache), cache

    def backward(self, cache: Any, dz: Array, d_change: Array) -> Any:
        if self.amortised:
            dz, dstats = planar_of_rows_backward(dz, d_change, *cache)
            dw, du, db = summed_over_rows(dstats, self.widths(len(self.w)))  # (8)
        else:
            dz, dw, du, db = k.planar_backward(dz, d_change, *cache)
        self.dw += dw
        self.du += du
        self.db += db
        return (dz, quiet(dstats)) if self.amortised else dz

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls()
        part.build(3)
        bind(part, rng.normal(size=7))
        return part, (rng.normal(size=(4, 2, 3)),)

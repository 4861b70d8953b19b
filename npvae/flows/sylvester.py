"""The Sylvester flow, its orthogonal matrix made of Householder reflections."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Part
from ..core.checks import whole
from ..core.errors import ConfigError
from ..core.numerics import wide
from ..kernels.seam import kernel
from .base import Flow

Array = np.ndarray
Arrays = tuple[Array, ...]


@kernel
def sylvester(z: Array, v: Array, upper: Array, inner: Array, b: Array) -> tuple[Array, Array]:
    """f(z) = z + Q R tanh(S Qᵀ z + b) and -log det ∂f/∂z, (K, B)."""
    q, r, s = _orthonormal(v, len(b))[-1], _triangle(upper), _triangle(inner)
    h = np.tanh(z @ q @ s.T + b)
    change = -np.log1p((1 - h * h) * (np.diag(r) * np.diag(s))).sum(-1)
    return z + h @ r.T @ q.T, change.astype(wide(change.dtype))


@kernel
def sylvester_backward(
    dz: Array, d: Array, z: Array, v: Array, upper: Array, inner: Array, b: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Gradients of z, v, R and S as they lie, and b; the numbers are lines of `Sylvester`."""
    steps, r, s = _orthonormal(v, len(b)), _triangle(upper), _triangle(inner)
    q, rows = steps[-1], z.reshape(-1, z.shape[-1])
    g, d = dz.reshape(rows.shape), d.astype(z.dtype).reshape(-1, 1)
    inside = rows @ q
    h = np.tanh(inside @ s.T + b)
    slope, both = 1 - h * h, np.diag(r) * np.diag(s)
    share = -d / (1 + slope * both)  # (2)
    g_q = g @ q
    dh = g_q @ r - 2 * share * both * h
    da = slope * dh  # (3)
    d_both = (share * slope).sum(0)
    dr = g_q.T @ h + np.diag(d_both * np.diag(s))  # (1), (2)
    ds = da.T @ inside + np.diag(d_both * np.diag(r))  # (3), (2)
    d_inside = da @ s
    dq = g.T @ (h @ r.T) + rows.T @ d_inside  # (1), (4)
    dz = (g + d_inside @ q.T).reshape(z.shape)
    return dz, _orthonormal_backward(v, steps, dq), *_turned(dr, ds, upper, inner), da.sum(0)


def _triangle(raw: Array) -> Array:
    """The upper triangle, with tanh of the diagonal."""
    return np.triu(raw, 1) + np.diag(np.tanh(np.diag(raw)))


def _turned(dr: Array, ds: Array, upper: Array, inner: Array) -> list[Array]:
    """The gradients of the triangles as they lie: (5)."""
    slopes = (1 - np.tanh(np.diag(raw)) ** 2 for raw in (upper, inner))
    pairs = zip((dr, ds), slopes, strict=True)
    return [np.triu(d, 1) + np.diag(np.diag(d) * slope) for d, slope in pairs]


def _orthonormal(v: Array, m: int) -> list[Array]:
    """The first m columns of the identity, and what each reflection at a row of v makes of them."""
    steps = [np.eye(v.shape[1], m, dtype=v.dtype)]
    for row in v:
        u = row / np.sqrt((row * row).sum())
        steps.append(steps[-1] - 2 * np.outer(u, u @ steps[-1]))
    return steps


def _orthonormal_backward(v: Array, steps: list[Array], dq: Array) -> Array:
    """The gradient of v from that of the last step: (6)."""
    dv = np.empty_like(v)
    for i in reversed(range(len(v))):
        before, size = steps[i], np.sqrt((v[i] * v[i]).sum())
        u = v[i] / size
        du = -2 * (dq @ (before.T @ u) + before @ (dq.T @ u))
        dv[i] = (du - u * (u @ du)) / size
        dq = dq - 2 * np.outer(u, u @ dq)
    return dv


class Sylvester(Flow):
    """f(z) = z + Q R tanh(S Qᵀ z + b): m planar flows at once, along directions at right angles.

    Q (Z, m) has orthonormal columns, of a product of Householder reflections. R and S (m, m) are
    upper triangular, with diagonals in (-1, 1), so that f is invertible.

    Derivation, with a = S Qᵀ z + b, h = tanh(a), g = 1 - h², e_j = R_jj S_jj and d the gradient of
    change = -Σ_j log(1 + g_j e_j):
      (1) f = z + Q R h           ->  dz = dz',  dR = Σ (Qᵀ dz') hᵀ,  dh = Rᵀ Qᵀ dz',
                                      dQ = Σ dz' (R h)ᵀ
      (2) with p_j = -d / (1 + g_j e_j), ∂change/∂e_j = p_j g_j / d,  ∂g_j/∂h_j = -2 h_j
                                  ->  dh_j -= 2 p_j e_j h_j,  de_j = Σ p_j g_j,
                                      dR_jj += de_j S_jj,  dS_jj += de_j R_jj
      (3) h = tanh(a)             ->  da = g dh,  dS = Σ da (Qᵀ z)ᵀ,  db = Σ da
      (4) a is made of Qᵀ z       ->  dz += Q Sᵀ da,  dQ += Σ z (Sᵀ da)ᵀ
      (5) diagonals are tanh of what lies there    ->  times 1 - tanh²
      (6) Q' = Q - 2 u uᵀ Q, u = v / |v|   ->  dQ = dQ' - 2 u uᵀ dQ',
          du = -2 (dQ' Qᵀ u + Q dQ'ᵀ u),  dv = (du - u u·du) / |v|
    Shapes: z (K, B, Z); v (H, Z); R, S (m, m); b (m,); change (K, B).
    Source: van den Berg, Hasenclever, Tomczak & Welling 2018, equations 10 to 16 and 3.2. Here all
    rows share the parameters; there the encoder gives each row's, which takes it HZ + 2m² + m
    numbers a flow.

    Parameters
    ----------
    m : int, optional
        How many directions, at most Z; all by default.
    reflections : int
        H, of which Q is made.
    """

    v: Array
    upper: Array
    inner: Array
    b: Array
    dv: Array
    dupper: Array
    dinner: Array
    db: Array

    def __init__(self, m: int | None = None, reflections: int = 4) -> None:
        self.m = None if m is None else whole("m", m)
        self.reflections = whole("reflections", reflections)

    def build(self, z_dim: int) -> None:
        m = self.m or z_dim
        if m > z_dim:
            raise ConfigError(
                f"sylvester's m is how many directions it takes, {z_dim} at most with a z_dim of "
                f"{z_dim}; got {m:,}. Leave it out to take all."
            )
        small = lambda rng, shape: 0.1 * rng.normal(size=shape)  # noqa: E731
        self.parameter("v", (self.reflections, z_dim), lambda rng, shape: rng.normal(size=shape))
        self.parameter("upper", (m, m), small)
        self.parameter("inner", (m, m), small)
        self.parameter("b", (m,), lambda rng, shape: np.zeros(shape))

    def forward(self, z: Array) -> tuple[tuple[Array, Array], Any]:
        given = (self.v, self.upper, self.inner, self.b)
        return sylvester(z, *given), (z, *given)

    def backward(self, cache: Any, dz: Array, d_change: Array) -> Array:
        dz, dv, d_upper, d_inner, db = sylvester_backward(dz, d_change, *cache)
        self.dv += dv
        self.dupper += d_upper
        self.dinner += d_inner
        self.db += db
        return dz

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls(m=2, reflections=2)
        part.build(3)
        part.allocate(rng)
        part.upper += rng.normal(size=(2, 2))
        part.inner += rng.normal(size=(2, 2))
        part.b += rng.normal(size=2)
        return part, (rng.normal(size=(4, 2, 3)),)

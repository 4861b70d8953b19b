"""Flows: maps of z, and the change of its log-density."""

from __future__ import annotations

import numpy as np

from ..core.numerics import sigmoid, softplus, wide
from .seam import Array, Pair, kernel

__all__ = ["less", "negative", "planar", "planar_backward", "stretched", "stretched_backward"]


@kernel
def less(log_p: Array, change: Array) -> Array:
    """log_p - change, (K, B): the density of what a flow was given, from that of what it made."""
    return log_p - change


@kernel
def negative(d: Array) -> Array:
    """The gradient of the change, from that of `less`."""
    return -d


@kernel
def planar(z: Array, w: Array, u: Array, b: Array) -> Pair:
    """f(z) = z + û tanh(w·z + b) and -log det ∂f/∂z, (K, B); w, u (Z,), b (1,).

    û = u + (m - s) w / |w|², with s = w·u and m = log(1 + exp(s)) - 1, so that û·w = m.
    """
    _, _, m, c = _planar_constants(w, u)
    h, own = np.tanh(z @ w + b), np.result_type(w, u)
    change = -np.log1p((1 - h * h) * m.astype(own))
    return z + h[..., None] * (u + c * w).astype(own), change.astype(wide(change.dtype))


@kernel
def planar_backward(
    dz: Array, d: Array, z: Array, w: Array, u: Array, b: Array
) -> tuple[Array, Array, Array, Array]:
    """Gradients of z, w, u and b from those of f(z) and of the change; `flows.Planar` derives them.

    The numbers in parentheses are its lines.
    """
    s, square, m, c = _planar_constants(w, u)
    h, own = np.tanh(z @ w + b), np.result_type(w, u)
    d, g, u_hat, bend = d.astype(z.dtype), 1 - h * h, (u + c * w).astype(own), m.astype(own)
    j = g * (1 + bend) + h * h  # 1 + g m, which cancels where m is near -1
    da = g * (dz @ u_hat + 2 * d * h * bend / j)  # (1), (2), (4)
    du = (h[..., None] * dz).sum((0, 1))
    dc = du @ w
    dm = dc / square - (d * g / j).sum()  # (3), (6)
    ds = dm * sigmoid(s) - dc / square + 0 * s  # NaN where s is infinite, which makes no flow
    dw = (da[..., None] * z).sum((0, 1)) + c * du + ds * u - 2 * c * dc / square * w
    du = du + ds * w
    return dz + da[..., None] * w, dw.astype(da.dtype), du.astype(da.dtype), da.sum()[None]


def _planar_constants(w: Array, u: Array) -> tuple[Array, Array, Array, Array]:
    """s, |w|², m and c = (m - s) / |w|², in float64: a small w has too small a square for less."""
    w = w.astype(wide(w.dtype))
    s, square = (w * u).sum(), (w * w).sum()
    m = softplus(s) - 1
    return s, square, m, (m - s) / square


STRETCH = 3.0
"""The logarithm of the most that a dimension is stretched or squeezed by."""


@kernel
def stretched(z: Array, shift: Array, raw: Array) -> Pair:
    """f(z) = z exp(s) + shift, s = 3 tanh(raw / 3), all (K, B, Z); and -Σ s, (K, B)."""
    s = STRETCH * np.tanh(raw / STRETCH)
    return z * np.exp(s) + shift, -s.sum(-1, dtype=wide(s.dtype))


@kernel
def stretched_backward(dz: Array, d: Array, z: Array, raw: Array) -> Pair:
    """Gradients of z and of raw, from those of f(z) and of the change; that of shift is dz."""
    h = np.tanh(raw / STRETCH)
    dz = dz * np.exp(STRETCH * h)
    return dz, (dz * z - d[..., None].astype(dz.dtype)) * (1 - h * h)

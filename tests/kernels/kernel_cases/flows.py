"""The kernels of npvae/kernels/flows.py."""

from __future__ import annotations

import numpy as np

from .case import Array, Kernel
from .domains import gentle


def off_zero(x: Array) -> Array:
    """Gentle, and of a size by whose square one can divide."""
    return np.copysign(np.abs(gentle(x)) + 0.05, x)


def planar_parts(z: Array, w: Array, u: Array, b: Array) -> tuple[Array, ...]:
    """m, j, and the magnitudes of what h, û, c and j sum or subtract."""
    s, square = (w * u).sum(), (w * w).sum()
    m, h = np.logaddexp(0, s) - 1, np.tanh(z @ w + b)
    g, off = 1 - h * h, 1 + np.abs(w * u).sum()
    heights = 1 + g * (np.abs(z) @ np.abs(w) + np.abs(b))
    j, scales = 1 + g * m, (1 + 2 * heights) * np.abs(m) + g * off
    return m, j, heights, np.abs(u) + off / square * np.abs(w), off / square, scales / j


def planar_terms(z: Array, w: Array, u: Array, b: Array) -> tuple[Array, Array]:
    *_, heights, u_hat, _, jacobians = planar_parts(z, w, u, b)
    return np.abs(z) + heights[..., None] * u_hat, jacobians


def planar_backward_terms(
    dz: Array, d: Array, z: Array, w: Array, u: Array, b: Array
) -> tuple[Array, ...]:
    m, j, heights, u_hat, c, jacobians = planar_parts(z, w, u, b)
    w, square = np.abs(w), (w * w).sum()
    changes = np.abs(d) * heights / j * (1 + jacobians)
    da = (1 + 2 * heights) * (np.abs(dz) @ u_hat + 2 * np.abs(m) * changes)
    du = (heights[..., None] * np.abs(dz)).sum((0, 1))
    dc = du @ w / square
    ds = 2 * dc + changes.sum()
    dw = (da[..., None] * np.abs(z)).sum((0, 1)) + c * du + ds * np.abs(u) + 2 * c * dc * w
    return np.abs(dz) + da[..., None] * w, dw, du + ds * w, da.sum()[None]


KERNELS = {
    "planar": Kernel(
        dict(z="KBZ", w="Z", u="Z", b="1"),
        8,
        domain={"w": off_zero, "u": gentle},
        scales=planar_terms,
    ),
    "planar_backward": Kernel(
        dict(dz="KBZ", d="KB", z="KBZ", w="Z", u="Z", b="1"),
        8,
        domain={"w": off_zero, "u": gentle},
        scales=planar_backward_terms,
        wide=("d",),
    ),
    "less": Kernel(
        dict(log_p="KB", change="KB"),
        1.5,
        wide=("log_p", "change"),
        scales=lambda log_p, change: (np.abs(log_p) + np.abs(change),),
    ),
    "negative": Kernel(dict(d="KB"), 0.5, wide=("d",)),
    "stretched": Kernel(
        dict(z="KBZ", shift="KBZ", raw="KBZ"),
        6,
        scales=lambda z, shift, raw: (
            20.1 * np.abs(z) * (1 + np.abs(3 * np.tanh(raw / 3))) + np.abs(shift),
            np.abs(3 * np.tanh(raw / 3)).sum(-1),
        ),
    ),
    "stretched_backward": Kernel(
        dict(dz="KBZ", d="KB", z="KBZ", raw="KBZ"),
        8,
        wide=("d",),
        scales=lambda dz, d, z, raw: (
            4 * np.abs(dz) * np.exp(3 * np.tanh(raw / 3)),
            4 * np.abs(dz * z) * np.exp(3 * np.tanh(raw / 3)) + np.abs(d)[..., None],
        ),
    ),
}

"""The kernels of npvae/kernels/dense.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, ndtr

from .case import Array, Kernel, Sizes
from .domains import positive, unit


def grid(x: Array) -> Array:
    """Multiples of 1/64: a + b is then exact, and the error that remains is the kernel's own."""
    return np.round(64 * x) / 64


def elu_range(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(-np.abs(x)))


def bias_sum(dh: Array, *_: Any) -> tuple[None, Array]:
    """For the backwards (da, db) of |f'| at most about 1: db is a sum of terms of either sign."""
    return None, np.abs(dh).sum(0)


def gelu_terms(a: Array, b: Array) -> tuple[Array, None]:
    """exp(-s²/2) magnifies the rounding of s² by s²/2."""
    s = a + b
    return np.abs(s) * ndtr(s) * (1 + s * s), None


def gelu_backward_terms(dh: Array, s: Array) -> tuple[Array, Array]:
    density = np.exp(-s * s / 2) / np.sqrt(2 * np.pi)
    da = np.abs(dh) * (ndtr(s) + np.abs(s) * density) * (1 + s * s)
    return da, da.sum(0)


def silu_backward_terms(dh: Array, s: Array) -> tuple[Array, Array]:
    da = np.abs(dh) * expit(s) * (1 + np.abs(s))
    return da, da.sum(0)


def every_other(n: Sizes) -> tuple[int, ...]:
    """Columns of D, in no order that a slice has."""
    return (*range(1, n["D"], 2), *range(0, n["D"], 2))


AB = dict(a="RH", b="H")

ON_GRID = dict(a=grid, b=grid)

KERNELS = {
    "linear": Kernel(dict(x="RI", W="OI"), 8, scales=lambda x, W: (np.abs(x) @ np.abs(W).T,)),
    "linear_dx": Kernel(dict(dy="RO", W="OI"), 8, scales=lambda y, W: (np.abs(y) @ np.abs(W),)),
    "linear_dw": Kernel(dict(dy="RO", x="RI"), 8, scales=lambda y, x: (np.abs(y).T @ np.abs(x),)),
    "add": Kernel(dict(a="KBZ", b="KBZ"), 0.5),
    "concat": Kernel(dict(a="KBD", c="BC"), 0),
    "take_columns": Kernel(dict(x="BD"), 0, dict(columns=every_other)),
    "concat_backward": Kernel(
        dict(dy="KBY"),
        3,
        dict(a_width=lambda n: n["D"], c_shape=lambda n: (n["B"], n["C"])),
        scales=lambda dy, a_width, c_shape: (None, np.abs(dy[..., a_width:]).sum(0)),
    ),
    "bias_identity": Kernel(AB, 0.5, domain=ON_GRID),
    "bias_identity_backward": Kernel(dict(dh="RH"), 4, scales=bias_sum),
    "bias_relu": Kernel(AB, 0.5, domain=ON_GRID),
    "bias_relu_backward": Kernel(dict(dh="RH", h="RH"), 4, scales=bias_sum, hides=("h",)),
    "bias_leaky_relu": Kernel(AB, 1.5, dict(slope=0.01), domain=ON_GRID),
    "bias_leaky_relu_backward": Kernel(
        dict(dh="RH", h="RH"), 4, dict(slope=0.01), scales=bias_sum, hides=("h",)
    ),
    "bias_tanh": Kernel(AB, 4, domain=ON_GRID),
    "bias_tanh_backward": Kernel(dict(dh="RH", h="RH"), 4, scales=bias_sum, domain={"h": np.tanh}),
    "bias_sigmoid": Kernel(AB, 4, domain=ON_GRID),
    "bias_sigmoid_backward": Kernel(dict(dh="RH", h="RH"), 4, scales=bias_sum, domain={"h": unit}),
    "bias_softplus": Kernel(AB, 4, domain=ON_GRID),
    "bias_softplus_backward": Kernel(
        dict(dh="RH", h="RH"), 4, scales=bias_sum, domain={"h": positive}
    ),
    "bias_elu": Kernel(AB, 4, dict(alpha=1.0), domain=ON_GRID),
    "bias_elu_backward": Kernel(
        dict(dh="RH", h="RH"), 4, dict(alpha=1.0), scales=bias_sum, domain={"h": elu_range}
    ),
    "bias_gelu": Kernel(AB, 12, scales=gelu_terms, domain=ON_GRID),
    "bias_gelu_backward": Kernel(dict(dh="RH", s="RH"), 6, scales=gelu_backward_terms),
    "bias_silu": Kernel(AB, 4, domain=ON_GRID),
    "bias_silu_backward": Kernel(dict(dh="RH", s="RH"), 5, scales=silu_backward_terms),
    "masked": Kernel(dict(W="OI", mask="OI"), 0.5, domain={"mask": lambda x: 1.0 * (x > 0)}),
}

"""Numbers brought to mean 0 and variance 1 along some axes, and scaled by column."""

from __future__ import annotations

import math

import numpy as np

from .seam import Array, Pair, Triple, kernel

__all__ = [
    "centred",
    "centred_backward",
    "normalised",
    "normalised_backward",
    "scaled",
    "scaled_backward",
]

Axes = tuple[int, ...]


def _mean(x: Array, axes: Axes) -> Array:
    n = math.prod(x.shape[axis] for axis in axes)
    return x.sum(axes, keepdims=True) / max(1, n)


@kernel
def normalised(x: Array, axes: Axes, eps: float) -> Pair:
    """u = (x - m) r and r = 1 / √(v + eps), with mean m and variance v along the axes."""
    apart = x - _mean(x, axes)
    inverse = 1 / np.sqrt(_mean(apart * apart, axes) + eps)
    return apart * inverse, inverse


@kernel
def normalised_backward(du: Array, u: Array, inverse: Array, axes: Axes) -> Array:
    """dx = r (du - mean du - u mean(u du)): through u itself, the mean and the variance."""
    return inverse * (du - _mean(du, axes) - u * _mean(u * du, axes))


@kernel
def centred(x: Array, mean: Array, variance: Array, eps: float) -> Pair:
    """u = (x - m) r and r = 1 / √(v + eps), given for each column.  x (R, C); m, v, r (C,)."""
    inverse = 1 / np.sqrt(variance + eps)
    return (x - mean) * inverse, inverse


@kernel
def centred_backward(du: Array, u: Array, inverse: Array) -> Triple:
    """dx = r du, dm = -r Σ_R du, dv = -½ r² Σ_R u du."""
    dmean = -inverse * du.sum(0)
    return du * inverse, dmean, -0.5 * inverse * inverse * (u * du).sum(0)


@kernel
def scaled(u: Array, g: Array) -> Array:
    """a = g u, column by column.  u (R, C), g (C,)."""
    return u * g


@kernel
def scaled_backward(da: Array, u: Array, g: Array) -> Pair:
    """du = g da, and dg = Σ_R u da."""
    return da * g, (u * da).sum(0)

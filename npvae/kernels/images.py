"""Images made smaller and larger, channels last: x (R, H, W, C)."""

from __future__ import annotations

import numpy as np

from .seam import Array, kernel

__all__ = ["max_pool", "max_pool_backward", "resample"]

Two = tuple[int, int]


@kernel
def resample(x: Array, down: Array, along: Array) -> Array:
    """y = down x alongᵀ for each channel.  down (H', H), along (W', W), y (R, H', W', C).

    Linear, and its gradient is itself with both matrices transposed: dx = downᵀ dy along.
    """
    n, height, _, channels = x.shape
    down, along = down.astype(x.dtype), along.astype(x.dtype)
    wide = along @ x
    tall = down @ wide.reshape(n, height, len(along) * channels)
    return tall.reshape(n, len(down), len(along), channels)


@kernel
def max_pool(x: Array, taps: Two, stride: Two) -> Array:
    """y, the largest number that a window sees at each of its places, or NaN, (R, H', W', C)."""
    first, *others = _by_tap(x, taps, stride)
    y = first.copy()
    for seen in others:
        np.copyto(y, seen, where=(seen.real > y.real) | np.isnan(seen))
    return y


@kernel
def max_pool_backward(dy: Array, x: Array, y: Array, taps: Two, stride: Two) -> Array:
    """dy goes to where y came from: the first of the taps that were as large."""
    dx, free = np.zeros(x.shape, dy.dtype), np.ones(y.shape, bool)
    pairs = zip(_by_tap(x, taps, stride), _by_tap(dx, taps, stride), strict=True)
    for seen, slopes in pairs:
        own = free & ((seen == y) | np.isnan(seen))  # then y is NaN too
        slopes += np.where(own, dy, 0)
        free &= ~own
    return dx


def _by_tap(x: Array, taps: Two, stride: Two) -> list[Array]:
    """What each tap of a window meets at all its places, as views (R, H', W', C)."""
    (kh, kw), (down, right) = taps, stride
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return [
        x[:, i : i + rows : down, j : j + columns : right] for i in range(kh) for j in range(kw)
    ]

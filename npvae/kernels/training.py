"""Objectives and the update: log_px, log_pz, log_qz (K, B), kl (K or 1, B, Z), losses numbers.

A loss is the mean over the rows of each row's loss times its weight, weights (B,); None weighs all
by 1.
"""

from __future__ import annotations

import numpy as np

from ..core.numerics import logmeanexp, logsumexp, wide
from .seam import Array, Pair, Triple, kernel

__all__ = [
    "adam", "importance_weights", "iwae", "kl_loss", "mean_loss", "power_means",
    "sampled_kl_loss", "weighted_loss",
]  # fmt: skip


def _weighted(values: Array, weights: Array | None) -> Array:
    """Values (..., B) of rows, times the rows' weights."""
    return values if weights is None else values * weights


@kernel
def mean_loss(log_px: Array, weights: Array | None = None) -> Pair:
    """rec = -mean weight · log p, and its gradient -weight/(KB)."""
    slope = np.full(log_px.shape, -1 / log_px.size)
    return -_weighted(log_px, weights).mean(), _weighted(slope, weights)


@kernel
def kl_loss(
    kl: Array, beta: float, free_bits: float, weights: Array | None = None, group: int = 1
) -> Pair:
    """KL = Σ_groups max(kl_g, free_bits), with kl_g the mean of weight · kl over samples and rows,
    summed over the dimensions of the group, and beta ∂KL/∂kl.

    A group is so many dimensions that follow one another, or for 0 all of them. The slope of a kl_g
    below free_bits is 0; NaN stays NaN. A sampled kl may be negative, and with free_bits = 0 it
    stays so.
    """
    column = None if weights is None else weights[:, None]
    per_dimension = _weighted(kl, column).mean((0, 1), dtype=wide(kl.dtype))
    size = group or kl.shape[2]
    groups = np.add.reduceat(per_dimension, np.arange(0, kl.shape[2], size))
    below = (groups.real < free_bits) & (free_bits > 0)
    slope = np.where(below, 0.0, beta / (kl.shape[0] * kl.shape[1])).repeat(size)[: kl.shape[2]]
    total = np.where(below, free_bits, groups).sum()
    return total, np.broadcast_to(_weighted(slope, column), kl.shape)


@kernel
def sampled_kl_loss(
    log_qz: Array,
    log_pz: Array,
    beta: float,
    weights: Array | None = None,
    free_bits: float = 0.0,
) -> Triple:
    """KL = mean weight · (log q - log p), and beta times its gradients, ± weight/(KB).

    Below free_bits, if they are above 0, it counts as these, and its gradients are 0.
    """
    kl = _weighted(log_qz - log_pz, weights).mean()
    below = (kl.real < free_bits) & (free_bits > 0)
    each = np.where(below, 0.0, beta / log_qz.size)
    slope = _weighted(np.full(log_qz.shape, each), weights)
    return np.where(below, free_bits, kl)[()], slope, -slope


@kernel
def weighted_loss(rec: Array, kl: Array, beta: float) -> Array:
    """rec + beta · KL."""
    return rec + beta * kl


@kernel
def iwae(
    log_px: Array, log_pz: Array, log_qz: Array, weights: Array | None = None
) -> tuple[Array, ...]:
    """loss = -mean over B of weight · log 1/K Σ_K w, with log w = log_px + log_pz - log_qz; its two
    parts rec = -mean weight · log_px and loss - rec; and its gradients by log_px (or log_pz) and by
    log_qz."""
    log_w = log_px + log_pz - log_qz
    bound = logmeanexp(log_w, axis=0)
    d_log_w = _weighted(-np.exp(log_w - bound) / log_w.size, weights)
    loss, rec = -_weighted(bound, weights).mean(), -_weighted(log_px, weights).mean()
    return loss, rec, loss - rec, d_log_w, -d_log_w


@kernel
def power_means(
    log_px: Array,
    log_pz: Array,
    log_qz: Array,
    power: float,
    groups: int,
    share: float,
    weights: Array | None = None,
) -> tuple[Array, ...]:
    """loss = -mean over B of weight · (share · mean_K log w + (1 - share) · mean over groups of
    log M), with M = (1/k Σ_k w^power)^(1/power) the power mean of a group of k = K/groups samples
    that follow one another; and the rest as `iwae`.

    M is the geometric mean for power 0, and for ±inf the largest or the smallest of the w.
    """
    log_w = log_px + log_pz - log_qz
    means, slopes = _log_power_means(log_w.reshape(groups, -1, log_w.shape[1]), power)
    rows = means.mean(0)
    if share:  # else its mean may be infinite
        rows = share * log_w.mean(0) + (1 - share) * rows
    slopes = share / len(log_w) + (1 - share) / groups * slopes.reshape(log_w.shape)
    d_log_w = _weighted(-slopes / log_w.shape[1], weights)
    loss, rec = -_weighted(rows, weights).mean(), -_weighted(log_px, weights).mean()
    return loss, rec, loss - rec, d_log_w, -d_log_w


def _log_power_means(log_w: Array, power: float) -> Pair:
    """log M (groups, B) over the samples of log w (groups, k, B), and ∂log M/∂log w."""
    if power == 0:
        return log_w.mean(1), np.full(log_w.shape, 1 / log_w.shape[1])
    if np.isinf(power):
        at = np.argmax(np.sign(power) * log_w.real, axis=1)[:, None]
        shares = np.zeros(log_w.shape)
        np.put_along_axis(shares, at, 1.0, axis=1)
        return np.take_along_axis(log_w, at, axis=1)[:, 0], shares
    scaled = power * log_w
    top = scaled.real.max(1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    # Of powers near 0 all w^power are near 1: the mean is taken of what they are off by.
    mean = np.expm1(scaled - top).mean(1, keepdims=True)
    shares = np.exp(scaled - top) / (log_w.shape[1] * (1 + mean))
    with np.errstate(divide="ignore"):
        return ((top + np.log1p(mean)) / power)[:, 0], shares


@kernel
def importance_weights(log_px: Array, log_pz: Array, log_qz: Array) -> Array:
    """w / Σ_K w, (K, B), with log w = log_px + log_pz - log_qz."""
    log_w = log_px + log_pz - log_qz
    return np.exp(log_w - logsumexp(log_w, axis=0))


@kernel
def adam(
    theta: Array,
    g: Array,
    m: Array,
    v: Array,
    step_size: float,
    beta1: float,
    beta2: float,
    eps: float,
    root: float,
    decay: float,
) -> None:
    """One Adam update of the flat vector, in place.

    step_size = lr / (1 - beta1ᵗ) and root = √(1 - beta2ᵗ) carry the bias correction, and
    decay = lr · weight_decay shrinks the weights themselves (decoupled, AdamW).
    """
    tiny = np.finfo(theta.dtype).tiny
    for start in range(0, theta.size, 32768):  # blocks that stay in the cache
        block = slice(start, start + 32768)
        wb, gb, mb, vb = theta[block], g[block], m[block], v[block]
        mb *= beta1
        mb += (1 - beta1) * gb
        vb *= beta2
        vb += (1 - beta2) * (gb * gb)
        # Moments of weights that get no gradient decay into denormals, which cost up to a hundred
        # times as much: after one epoch on MNIST, whose border never changes, a step takes thrice
        # as long.
        mb[np.abs(mb) < tiny] = 0
        vb[vb < tiny] = 0
        # step_size m / (√v / root + eps), with one division less for each weight
        change = (step_size * root) * (mb / (np.sqrt(vb) + eps * root))
        if decay:
            change += decay * wb
        wb -= change

"""Objectives and the update: log_px, log_pz, log_qz (K, B), kl (K or 1, B, Z), losses numbers."""

from __future__ import annotations

import numpy as np

from ...numerics import logmeanexp, wide


def mean_loss(log_px):
    """rec = -mean log p, and its gradient -1/(KB)."""
    return -log_px.mean(), np.full(log_px.shape, -1 / log_px.size)


def kl_loss(kl, beta, free_bits):
    """KL = Σ_Z max(kl_j, free_bits), with kl_j the mean over samples and rows, and beta ∂KL/∂kl.

    The slope of a kl_j below free_bits is 0; NaN stays NaN. A sampled kl may be negative, and with
    free_bits = 0 it stays so.
    """
    per_dimension = kl.mean((0, 1), dtype=wide(kl.dtype))
    below = (per_dimension.real < free_bits) & (free_bits > 0)
    slope = np.where(below, 0.0, beta / (kl.shape[0] * kl.shape[1]))
    total = np.where(below, free_bits, per_dimension).sum()
    return total, np.broadcast_to(slope, kl.shape)


def sampled_kl_loss(log_qz, log_pz, beta):
    """KL = mean(log q - log p), and beta times its gradients by log q and by log p, ± 1/(KB)."""
    slope = np.full(log_qz.shape, beta / log_qz.size)
    return (log_qz - log_pz).mean(), slope, -slope


def weighted_loss(rec, kl, beta):
    """rec + beta · KL."""
    return rec + beta * kl


def iwae(log_px, log_pz, log_qz):
    """loss = -mean over B of log 1/K Σ_K w, log w = log_px + log_pz - log_qz; its two parts
    rec = -mean log_px and loss - rec; and its gradients by log_px (or log_pz) and by log_qz."""
    log_w = log_px + log_pz - log_qz
    bound = logmeanexp(log_w, axis=0)
    d_log_w = -np.exp(log_w - bound) / log_w.size
    loss, rec = -bound.mean(), -log_px.mean()
    return loss, rec, loss - rec, d_log_w, -d_log_w


def adam(theta, g, m, v, step_size, beta1, beta2, eps, root, decay):
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

"""The kernels of npvae/kernels/labels.py."""

from __future__ import annotations

import numpy as np

from npvae import kernels

from .case import Array, Kernel
from .domains import part_of_one


def by_class_terms(x: Array, W: Array, copies: int) -> tuple[Array]:
    return (kernels.linear_by_class(np.abs(x), np.abs(W), copies),)


def over_labels_terms(
    log_px: Array, kl: Array, logits: Array, known: Array, alpha: float
) -> tuple[Array, Array]:
    """exp magnifies the rounding of the logits by their range; log p and KL are weighted by it."""
    worst = 2 + 2 * np.abs(logits).max(-1)
    log_p, shares = np.abs(log_px), (len(log_px) // known.shape[1], known.shape[1], len(known))
    of_x = log_p.reshape(shares).sum(1) * worst + worst
    of_z = np.abs(kl).reshape(*shares, kl.shape[-1]).sum(1) * worst[:, None]
    return of_x, np.concatenate([of_z, np.broadcast_to(worst, of_x.shape)[..., None]], -1)


def over_labels_backward_terms(
    d_log_px: Array,
    d_kl: Array,
    log_px: Array,
    kl: Array,
    logits: Array,
    known: Array,
    alpha: float,
) -> tuple[Array, Array, Array]:
    shares = (len(log_px) // known.shape[1], known.shape[1], len(known))
    worst, d_x = 2 + 2 * np.abs(logits).max(-1), np.abs(d_log_px)[:, None]
    d_z, d_y = np.abs(d_kl[..., :-1])[:, None], np.abs(d_kl[..., -1])
    each = d_z * np.abs(kl).reshape(*shares, kl.shape[-1])
    dr = (d_x * np.abs(log_px).reshape(shares)).sum((0, 1)) + each.sum((0, 1, -1))
    d_logits = (dr + (d_y * worst + d_x[:, 0]).sum(0)) * worst
    d_each = np.broadcast_to(d_x * worst, (len(d_x), *shares[1:])).reshape(log_px.shape)
    d_each_kl = np.broadcast_to(d_z * worst[:, None], each.shape).reshape(kl.shape)
    return d_each, d_each_kl, np.repeat(d_logits[:, None], known.shape[1], 1)


KERNELS = {
    "with_each_class": Kernel(dict(a="LBZ"), 0.5, dict(n_classes=lambda n: n["Q"])),
    "linear_by_class": Kernel(
        dict(x="BD", W="OA"), 4, dict(copies=lambda n: n["L"]), scales=by_class_terms
    ),
    "linear_by_class_dw": Kernel(
        dict(dy="LBO", x="BD"),
        4,
        dict(n_classes=lambda n: n["Q"]),
        scales=lambda dy, x, n: (kernels.linear_by_class_dw(np.abs(dy), np.abs(x), n),),
    ),
    "over_labels": Kernel(
        dict(log_px="LB", kl="LBZ", logits="BQ", known="BQ"),
        6,
        dict(alpha=0.3),
        domain={"known": part_of_one},
        scales=over_labels_terms,
        wide=("log_px",),
    ),
    "over_labels_backward": Kernel(
        dict(d_log_px="KB", d_kl="KBX", log_px="LB", kl="LBZ", logits="BQ", known="BQ"),
        8,
        dict(alpha=0.3),
        domain={"known": part_of_one},
        scales=over_labels_backward_terms,
        wide=("d_log_px", "log_px"),
    ),
}

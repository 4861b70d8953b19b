"""Labels that are summed out: rows beside each class, and means over the classes."""

from __future__ import annotations

import numpy as np

from ..core.numerics import logsumexp, wide
from .seam import Array, Pair, kernel

__all__ = [
    "linear_by_class", "linear_by_class_dw", "over_labels", "over_labels_backward",
    "with_each_class",
]  # fmt: skip


@kernel
def with_each_class(a: Array, n_classes: int) -> Array:
    """a (L, B, A) beside a class's unit vector, (L, B, A + C): number l has class l modulo C."""
    classes = np.tile(np.eye(n_classes, dtype=a.dtype), (len(a) // n_classes, 1))
    classes = np.broadcast_to(classes[:, None], (*a.shape[:2], n_classes))
    return np.concatenate([a, classes], axis=-1)


@kernel
def linear_by_class(x: Array, W: Array, copies: int) -> Array:
    """y = [x, e_c] Wᵀ for each class c, (L, B, O), L = copies: number l has class l modulo C.

    x (B, I), W (O, I + C). Of x the product is taken once.
    """
    width = x.shape[1]
    of_class = W[:, width:].T
    return x.dot(W[:, :width].T) + np.tile(of_class, (copies // len(of_class), 1))[:, None]


@kernel
def linear_by_class_dw(dy: Array, x: Array, n_classes: int) -> Array:
    """dW (O, I + C) = Σ_L dyᵀ [x, e_c]."""
    of_class = dy.sum(1).reshape(len(dy) // n_classes, n_classes, dy.shape[-1]).sum(0).T
    return np.concatenate([dy.sum(0).T.dot(x), of_class], axis=1)


@kernel
def over_labels(log_px: Array, kl: Array, logits: Array, known: Array, alpha: float) -> Pair:
    """log p(x) (K, B) and the KL (K, B, Z + 1) over the label, of those of each class.

    log_px (K·C, B), kl (K·C, B, Z), logits and known (B, C): the numbers in parentheses are lines
    of `SemiSupervisedVAE`.
    """
    log_q, _, r = _shares(logits, known)
    shape = (len(log_px) // known.shape[1], *known.shape[::-1])
    of_label = _kl_of_label(logits, known)  # (2)
    labelled = alpha * (known * log_q).sum(1)  # (3)
    of_z = np.einsum("kcbz,bc->kbz", kl.reshape(*shape, kl.shape[-1]), r)  # (1)
    of_x = np.einsum("kcb,bc->kb", log_px.reshape(shape), r) + labelled
    of_y = np.broadcast_to(of_label.astype(of_z.dtype), of_z.shape[:2])[..., None]
    return of_x, np.concatenate([of_z, of_y], axis=-1)


@kernel
def over_labels_backward(
    d_log_px: Array,
    d_kl: Array,
    log_px: Array,
    kl: Array,
    logits: Array,
    known: Array,
    alpha: float,
) -> tuple[Array, Array, Array]:
    """Gradients of log_px, kl and logits."""
    log_q, unknown, r = _shares(logits, known)
    shape = (len(log_px) // known.shape[1], *known.shape[::-1])
    d_of_z, d_of_y = d_kl[..., :-1], d_kl[..., -1].sum(0)
    d_each = np.einsum("kb,bc->kcb", d_log_px, r).reshape(log_px.shape)
    d_each_kl = np.einsum("kbz,bc->kcbz", d_of_z, r).reshape(kl.shape)
    dr = np.einsum("kb,kcb->bc", d_log_px, log_px.reshape(shape))  # (4)
    dr = dr + np.einsum("kbz,kcbz->bc", d_of_z, kl.reshape(*shape, kl.shape[-1]))
    dq = unknown[:, None] * (dr + d_of_y[:, None] * (log_q + 1))  # (5)
    q = np.exp(log_q)
    d_logits = q * (dq - (q * dq).sum(1, keepdims=True))  # (6)
    right = known - known.sum(1, keepdims=True) * q
    d_logits = d_logits + alpha * d_log_px.sum(0)[:, None] * right  # (7)
    return d_each, d_each_kl.astype(kl.dtype), d_logits.astype(logits.dtype)


def _kl_of_label(logits: Array, known: Array) -> Array:
    """(B,), in float64: where classes are nearly alike, log C all but cancels the rest."""
    log_q, unknown, r = _shares(logits.astype(wide(logits.dtype)), known)
    return (r * log_q).sum(1) * unknown + np.log(known.shape[1])


def _shares(logits: Array, known: Array) -> tuple[Array, Array, Array]:
    """log q(y given x); 1 for a row without a label, else 0; and how much each class counts."""
    log_q = logits - logsumexp(logits, axis=1)[:, None]
    unknown = 1 - known.sum(1)
    return log_q, unknown, known + unknown[:, None] * np.exp(log_q)

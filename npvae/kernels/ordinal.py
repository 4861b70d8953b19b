"""Ordered classes: the log-probabilities of the intervals between cutpoints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..core.numerics import sigmoid, softplus, wide
from .seam import Array, Pair, kernel

__all__ = ["ordinal_logits", "ordinal_logits_backward"]


@kernel
def ordinal_logits(eta: Array, cuts: Array, sizes: Sequence[int]) -> Array:
    """log p of the classes of each column, (..., Σ sizes): log(σ(c_k - η) - σ(c_k-1 - η)).

    eta is (..., D), and cuts (Σ (sizes - 1),) has for each column its first cutpoint and the
    logarithms of the gaps to the next ones. As products, which do not cancel:
    log σ(c_k - η) + log σ(η - c_k-1) + log(1 - exp(c_k-1 - c_k)).
    """
    columns = []
    for j, own in enumerate(_split(cuts, sizes)):
        u = _cutpoints(own) - eta[..., j, None]
        none = np.zeros_like(u[..., :1])
        log_p = np.concatenate([-softplus(-u), none], -1) + np.concatenate([none, -softplus(u)], -1)
        inside = np.zeros(len(own) + 1, own.dtype)
        inside[1:-1] = np.log(-np.expm1(-np.exp(own[1:])))
        columns.append(log_p + inside)
    return np.concatenate([eta[..., :0], *columns], axis=-1)


@kernel
def ordinal_logits_backward(d: Array, eta: Array, cuts: Array, sizes: Sequence[int]) -> Pair:
    """Gradients of eta, and of cuts summed over all else, from d (..., Σ sizes)."""
    d_eta, d_cuts, start = [], [], 0
    for j, own in enumerate(_split(cuts, sizes)):
        dj = d[..., start : start + len(own) + 1]
        start += len(own) + 1
        u = _cutpoints(own) - eta[..., j, None]
        e = dj[..., :-1] * sigmoid(-u) - dj[..., 1:] * sigmoid(u)
        d_eta.append(-e.sum(-1, keepdims=True))
        over, own_sums = tuple(range(e.ndim - 1)), wide(e.dtype)
        after = np.cumsum(e.sum(over, dtype=own_sums)[::-1])[::-1]
        inside = dj[..., 1:-1].sum(over, dtype=own_sums)
        gaps = np.exp(own[1:])
        d_cuts += [after[:1], gaps * after[1:] + inside * gaps / np.expm1(gaps)]
    whole_d_eta = np.concatenate([eta[..., :0], *d_eta], axis=-1)
    return whole_d_eta, np.concatenate([cuts[:0], *d_cuts]).astype(cuts.dtype)


def _split(cuts: Array, sizes: Sequence[int]) -> list[Array]:
    ends = np.cumsum([0, *(size - 1 for size in sizes)])
    return [cuts[start:end] for start, end in pairwise(ends)]


def _cutpoints(own: Array) -> Array:
    """The cutpoints of one column, from the first and the logarithms of the gaps."""
    return np.cumsum(np.concatenate([own[:1], np.exp(own[1:])]))

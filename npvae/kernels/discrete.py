"""Codes: log_q or logits (B, Z), or (K, B, Z) of each sample; z, eps (K, B, Z).

Where a code is made of classes, Z = V·C: the C classes of one variable after those of another.
"""

from __future__ import annotations

import math

import numpy as np

from ..core.numerics import logsumexp, normal_cdf, sigmoid, softplus, wide
from .latent import _summed
from .seam import Array, Pair, kernel

__all__ = [
    "bernoulli_code_log_prob", "bernoulli_code_log_prob_backward", "bernoulli_kl",
    "bernoulli_kl_backward", "binary_concrete", "binary_concrete_backward", "categorical_kl",
    "categorical_kl_backward", "class_log_probs", "class_log_probs_backward", "code_log_prob",
    "code_log_prob_backward", "for_every_row", "gumbel_softmax", "gumbel_softmax_backward",
    "likelier_side", "likeliest_class", "mean_over_codes", "mean_over_codes_backward",
    "shared_by_rows", "shared_by_rows_backward",
]  # fmt: skip


def _by_class(a: Array, classes: int) -> Array:
    return a.reshape(*a.shape[:-1], a.shape[-1] // classes, classes)


def _exponential(eps: Array) -> Array:
    """-log Φ(eps), exponentially distributed for a standard normal eps, exact in both tails."""
    tail = normal_cdf(-np.abs(eps))
    return np.where(eps < 0, -np.log(tail), -np.log1p(-tail))


def _divergence(t: Array) -> Array:
    """exp(t) t - exp(t) + 1, which is 0 or more; p times it, t = log q/p, adds up to the KL."""
    return np.exp(t) * t - np.expm1(t)


@kernel
def class_log_probs(logits: Array, classes: int) -> Array:
    """log softmax of each variable's logits."""
    a = _by_class(logits, classes)
    return (a - logsumexp(a, axis=-1)[..., None]).reshape(logits.shape)


@kernel
def class_log_probs_backward(d: Array, log_q: Array, classes: int) -> Array:
    q, d = _by_class(np.exp(log_q), classes), _by_class(d, classes)
    return (d - q * d.sum(-1, keepdims=True)).reshape(log_q.shape)


@kernel
def gumbel_softmax(log_q: Array, eps: Array, classes: int, temperature: float) -> Array:
    """softmax((log_q + g) / temperature) of each variable, g = -log(-log Φ(eps)): (K, B, Z)."""
    a = _by_class((log_q - np.log(_exponential(eps))) / temperature, classes)
    return np.exp(a - logsumexp(a, axis=-1)[..., None]).reshape(eps.shape)


@kernel
def gumbel_softmax_backward(
    dz: Array, z: Array, log_q: Array, classes: int, temperature: float
) -> Array:
    share, d = _by_class(z, classes), _by_class(dz, classes)
    d = share * (d - (share * d).sum(-1, keepdims=True)) / temperature
    return _summed(d.reshape(z.shape), log_q.ndim)


@kernel
def likeliest_class(z: Array, classes: int) -> Array:
    """1 for each variable's largest class, the first of equal ones, and 0 for the others."""
    a = _by_class(z, classes)
    hot = a.real.argmax(-1)[..., None] == np.arange(classes)
    return hot.reshape(z.shape) + 0 * z  # NaN stays NaN


@kernel
def code_log_prob(z: Array, log_q: Array) -> Array:
    """Σ_Z z log_q: (K, B)."""
    return (z * log_q).sum(-1, dtype=wide(np.result_type(z, log_q)))


@kernel
def code_log_prob_backward(d: Array, z: Array, log_q: Array) -> Pair:
    d = d[..., None].astype(np.result_type(z, log_q))
    return d * log_q, _summed(d * z, log_q.ndim)


@kernel
def categorical_kl(log_q: Array, classes: int) -> Array:
    """Σ_C q log(C q) of each variable, (1 or K, B, V): KL(q ‖ uniform)."""
    kl = _divergence(_by_class(log_q, classes) + math.log(classes)).sum(-1) / classes
    return kl if kl.ndim == 3 else kl[None]


@kernel
def categorical_kl_backward(dkl: Array, log_q: Array, classes: int) -> Array:
    a = _by_class(log_q, classes)
    dkl = dkl.reshape(*a.shape[:-1], 1).astype(log_q.dtype)
    return (dkl * np.exp(a) * (a + math.log(classes))).reshape(log_q.shape)


@kernel
def binary_concrete(logits: Array, eps: Array, temperature: float) -> Array:
    """σ((logits + log Φ(eps) - log Φ(-eps)) / temperature): (K, B, Z)."""
    return sigmoid((logits + _exponential(-eps) - _exponential(eps)) / temperature)


@kernel
def binary_concrete_backward(dz: Array, z: Array, logits: Array, temperature: float) -> Array:
    return _summed(dz * z * (1 - z) / temperature, logits.ndim)


@kernel
def likelier_side(z: Array) -> Array:
    """1 where z is above ½, else 0."""
    return (z.real > 0.5) + 0 * z  # NaN stays NaN


@kernel
def bernoulli_code_log_prob(z: Array, logits: Array) -> Array:
    """Σ_Z z logits - log(1 + exp(logits)): (K, B)."""
    log_p = z * logits - softplus(logits)
    return log_p.sum(-1, dtype=wide(log_p.dtype))


@kernel
def bernoulli_code_log_prob_backward(d: Array, z: Array, logits: Array) -> Pair:
    d = d[..., None].astype(np.result_type(z, logits))
    return d * logits, _summed(d * (z - sigmoid(logits)), logits.ndim)


@kernel
def bernoulli_kl(logits: Array, prior_logit: float) -> Array:
    """KL(q ‖ p), (1 or K, B, Z), of ones of probability q = σ(logits) and p = σ(prior_logit)."""
    log_p, log_rest = -_log_1p_exp(-prior_logit), -_log_1p_exp(prior_logit)
    ones = math.exp(log_p) * _divergence(-softplus(-logits) - log_p)
    kl = ones + math.exp(log_rest) * _divergence(-softplus(logits) - log_rest)
    return kl if kl.ndim == 3 else kl[None]


@kernel
def bernoulli_kl_backward(dkl: Array, logits: Array, prior_logit: float) -> Array:
    slope = sigmoid(logits) * sigmoid(-logits) * (logits - prior_logit)
    return dkl.reshape(logits.shape).astype(logits.dtype) * slope


def _log_1p_exp(number: float) -> float:
    return max(number, 0.0) + math.log1p(math.exp(-abs(number)))


@kernel
def for_every_row(codes: Array, batch: int) -> Array:
    """codes (M, Z) for each row of a batch: (M, B, Z)."""
    return np.repeat(codes[:, None], batch, axis=1)


@kernel
def shared_by_rows(theta: Array, batch: int) -> Array:
    """What all rows share, theta (M, 1, D), for each row of a batch: (M, B, D)."""
    return np.repeat(theta, batch, axis=1)


@kernel
def shared_by_rows_backward(d: Array) -> Array:
    return d.sum(1, keepdims=True)


@kernel
def mean_over_codes(log_px: Array, log_q: Array) -> Array:
    """Σ_M exp(log_q) log_px, (1, B), of (M, B)."""
    return (np.exp(log_q) * log_px).sum(0, keepdims=True)


@kernel
def mean_over_codes_backward(d: Array, log_px: Array, log_q: Array) -> Pair:
    share = np.exp(log_q) * d
    return share, share * log_px

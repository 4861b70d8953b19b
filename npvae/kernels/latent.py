"""Posterior and prior: mu, logvar (B, Z), or (K, B, Z) of each sample; z, eps (K, B, Z)."""

from __future__ import annotations

import numpy as np

from ..core.numerics import (
    extremes,
    log_softmax,
    logsumexp,
    sigmoid,
    soft_maximum,
    soft_minimum,
    wide,
)
from .dense import LOG_2PI
from .seam import Array, Pair, Triple, kernel

__all__ = [
    "gaussian_heads", "gaussian_heads_backward", "gaussian_kl", "gaussian_kl_backward",
    "gaussian_kl_between", "gaussian_kl_between_backward", "gaussian_log_prob",
    "gaussian_log_prob_backward", "mixture_log_prob", "mixture_log_prob_backward",
    "precision_weighted", "precision_weighted_backward", "reparameterise",
    "reparameterise_backward", "standard_normal_log_prob", "standard_normal_log_prob_backward",
]  # fmt: skip

_MARGINS = {np.dtype(t): -float(np.log(np.finfo(t).eps)) for t in (np.float32, np.float64)}
"""By type, how far below 0 an exponential is lost beside a 1."""


@kernel
def gaussian_heads(stats: Array, low: float, high: float) -> Pair:
    """Split stats (B, 2Z) in mu and logvar, and bend the latter smoothly into (low, high)."""
    z_dim = stats.shape[-1] // 2
    mu, raw = stats[..., :z_dim].copy(), stats[..., z_dim:].copy()
    if _far_inside(raw, low, high):
        return mu, raw
    return mu, soft_maximum(soft_minimum(raw, high), low)


@kernel
def gaussian_heads_backward(
    dmu: Array, dlogvar: Array, stats: Array, low: float, high: float
) -> Array:
    raw = stats[..., stats.shape[-1] // 2 :]
    if not _far_inside(raw, low, high):
        dlogvar = dlogvar * sigmoid(soft_minimum(raw, high) - low) * sigmoid(high - raw)
    return np.concatenate([dmu, dlogvar], axis=-1)


def _far_inside(raw: Array, low: float, high: float) -> bool:
    """Whether the bend at every raw, exp(raw - high) or exp(low - raw), is below the last place."""
    margin = _MARGINS.get(raw.dtype)
    if margin is None or raw.size == 0:
        return False
    least, greatest = extremes(raw)
    return low + margin < least and greatest < high - margin


@kernel
def reparameterise(mu: Array, logvar: Array, eps: Array) -> Pair:
    std = np.exp(0.5 * logvar)
    return mu + std * eps, std


@kernel
def reparameterise_backward(dz: Array, std: Array, eps: Array) -> Triple:
    return _summed(dz, std.ndim), 0.5 * std * _summed(dz * eps, std.ndim), dz * std


def _summed(d: Array, axes: int) -> Array:
    """The gradient of a variable that serves all samples, Σ_K d; where each has its own, d.

    The first has two axes, the second three.
    """
    return d if axes == d.ndim else d.sum(0)


@kernel
def gaussian_kl(mu: Array, logvar: Array) -> Array:
    """½ (mu² + exp(logvar) - 1 - logvar): KL(q ‖ N(0, 1)) per dimension, (1 or K, B, Z).

    exp(logvar) - 1 is taken as expm1, since for a posterior near the prior the sum is a small
    difference of ones.
    """
    kl = 0.5 * (mu * mu + (np.expm1(logvar) - logvar))
    return kl if kl.ndim == 3 else kl[None]


@kernel
def gaussian_kl_backward(dkl: Array, mu: Array, logvar: Array) -> Pair:
    dkl = dkl.reshape(mu.shape).astype(mu.dtype)
    return dkl * mu, dkl * 0.5 * np.expm1(logvar)


@kernel
def gaussian_kl_between(mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array) -> Array:
    """½ (u² + exp(w) - 1 - w), u = (mu - prior_mu) / prior_std, w = logvar - prior_logvar.

    KL(q ‖ p) of two Gaussians per dimension, (1, B, Z), or (K, B, Z) where one has samples.
    """
    u, w = (mu - prior_mu) * np.exp(-0.5 * prior_logvar), logvar - prior_logvar
    kl = 0.5 * (u * u + (np.expm1(w) - w))
    return kl if kl.ndim == 3 else kl[None]


@kernel
def gaussian_kl_between_backward(
    dkl: Array, mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array
) -> tuple[Array, Array, Array, Array]:
    inverse_std, w = np.exp(-0.5 * prior_logvar), logvar - prior_logvar
    u, dkl = (mu - prior_mu) * inverse_std, dkl.astype(mu.dtype)
    dmu, dw = dkl * u * inverse_std, 0.5 * dkl * np.expm1(w)
    d_prior = -dmu, -dw - 0.5 * dkl * u * u
    return (
        _summed(dmu, mu.ndim),
        _summed(dw, mu.ndim),
        _summed(d_prior[0], prior_mu.ndim),
        _summed(d_prior[1], prior_mu.ndim),
    )


@kernel
def precision_weighted(mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array) -> Pair:
    """Mean and log-variance of the Gaussian that is proportional to the product of two.

    Its precision is the sum of both precisions, its mean is theirs, weighted by precision.
    """
    share = sigmoid(prior_logvar - logvar)
    return prior_mu + share * (mu - prior_mu), soft_minimum(logvar, prior_logvar)


@kernel
def precision_weighted_backward(
    d_mean: Array, d_spread: Array, mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array
) -> tuple[Array, Array, Array, Array]:
    share = sigmoid(prior_logvar - logvar)
    rest = sigmoid(logvar - prior_logvar)
    dmu, turned = d_mean * share, d_mean * (mu - prior_mu) * share * rest
    dlogvar, d_prior_mu = d_spread * share - turned, d_mean * rest
    d_prior_logvar = d_spread * rest + turned
    return (
        _summed(dmu, mu.ndim),
        _summed(dlogvar, mu.ndim),
        _summed(d_prior_mu, prior_mu.ndim),
        _summed(d_prior_logvar, prior_mu.ndim),
    )


@kernel
def gaussian_log_prob(z: Array, mu: Array, logvar: Array) -> Array:
    """log N(z; mu, exp(logvar)), summed over Z: (K, B)."""
    u = (z - mu) * np.exp(-0.5 * logvar)
    return -0.5 * (u * u + logvar + LOG_2PI).sum(-1, dtype=wide(u.dtype))


@kernel
def gaussian_log_prob_backward(d: Array, z: Array, mu: Array, logvar: Array) -> Triple:
    inverse_std = np.exp(-0.5 * logvar)
    u = (z - mu) * inverse_std
    d = d[..., None].astype(u.dtype)
    dz = -d * u * inverse_std
    return dz, -_summed(dz, mu.ndim), _summed(0.5 * d * (u * u - 1), mu.ndim)


@kernel
def standard_normal_log_prob(z: Array) -> Array:
    """log N(z; 0, I), summed over Z: (K, B)."""
    return -0.5 * (z * z + LOG_2PI).sum(-1, dtype=wide(z.dtype))


@kernel
def standard_normal_log_prob_backward(d: Array, z: Array) -> Array:
    return -d[..., None].astype(z.dtype) * z


@kernel
def mixture_log_prob(z: Array, mu: Array, logvar: Array, logits: Array) -> Pair:
    """log Σ_M w_m N(z; mu_m, exp(logvar_m)), w = softmax(logits): (K, B), and responsibilities.

    mu, logvar (M, Z), logits (M,). The responsibilities r_m = w_m N_m / Σ w N are (K, B, M). One
    component after the other, so that nothing is of size K·B·M·Z.
    """
    components = zip(log_softmax(logits), mu, logvar, strict=True)
    joint = np.stack([w + gaussian_log_prob(z, m, v) for w, m, v in components], axis=-1)
    log_p = logsumexp(joint, axis=-1)
    r = np.exp(joint - log_p[..., None])
    return log_p, r.astype(np.result_type(z, mu, logvar, logits))


@kernel
def mixture_log_prob_backward(
    d: Array, z: Array, mu: Array, logvar: Array, logits: Array, r: Array
) -> tuple[Array, Array, Array, Array]:
    """Each component is a Gaussian whose log-density is weighed by d · r_m."""
    dz, dmu, dlogvar = np.zeros_like(z), np.empty_like(mu), np.empty_like(logvar)
    for m in range(len(mu)):
        dz_m, dmu_m, dlogvar_m = gaussian_log_prob_backward(d * r[..., m], z, mu[m], logvar[m])
        dz += dz_m
        dmu[m], dlogvar[m] = dmu_m.sum(0), dlogvar_m.sum(0)
    dlogits = (d[..., None] * (r - np.exp(log_softmax(logits)))).sum((0, 1))
    return dz, dmu, dlogvar, dlogits.astype(logits.dtype)

"""Every array operation of a training step in plain NumPy: this is the definition.

Kernels are functions on plain arrays. They never write to their inputs (`adam` alone does: it is
the update), know no randomness and no globals, and take real or complex arrays of any float type.
A backward stands directly under its forward and takes first the gradients of its outputs.

Axes: B batch, K samples, Z latent, D data, H hidden; R rows, which are B or K·B. Sums over D or Z
that users see come out in float64 (complex128 for complex input).
"""

from __future__ import annotations

import numpy as np

from ..numerics import (
    extremes,
    kept,
    logmeanexp,
    magnitude,
    maximum,
    minimum,
    normal_cdf,
    positive_part,
    sigmoid,
    soft_maximum,
    soft_minimum,
    softplus,
    unbroadcast,
    wide,
)

LOG_2PI = float(np.log(2 * np.pi))

_MARGINS = {np.dtype(t): -float(np.log(np.finfo(t).eps)) for t in (np.float32, np.float64)}
"""By type, how far below 0 an exponential is lost beside a 1."""


# Products by the method, which for a single row takes half the time of the operator.


def linear(x, W):
    """y = x Wᵀ.  x (R, I), W (O, I), y (R, O)."""
    return x.dot(W.T)


def linear_dx(dy, W):
    """dx = dy W."""
    return dy.dot(W)


def linear_dw(dy, x):
    """dW = dyᵀ x, which sums over the rows."""
    return dy.T.dot(x)


def add(a, b):
    """a + b, where two gradients of one variable meet."""
    return a + b


def concat(a, c):
    """[a, c] along the last axis; c (B, C) is repeated over the leading axes of a (..., B, A)."""
    return np.concatenate([a, np.broadcast_to(c, (*a.shape[:-1], c.shape[-1]))], axis=-1)


def concat_backward(dy, a_width, c_shape):
    return dy[..., :a_width], unbroadcast(dy[..., a_width:], c_shape)


# Bias and activation: a (R, H) is a product, b (H,) its bias; backward gives da (R, H), db (H,).
# b[None], since to broadcast (H,) over (1, H) takes twice as long as the sum of a single row.


def bias_identity(a, b):
    return a + b[None]


def bias_identity_backward(dh):
    return dh, dh.sum(0)


def bias_relu(a, b):
    return maximum(a + b[None], 0)


def bias_relu_backward(dh, h):
    da = kept(dh, h.real > 0)
    return da, da.sum(0)


def bias_leaky_relu(a, b, slope):
    s = a + b[None]
    return positive_part(s) + slope * minimum(s, 0)


def bias_leaky_relu_backward(dh, h, slope):
    right = h.real > 0
    da = kept(dh, right) + kept(slope * dh, ~right)
    return da, da.sum(0)


def bias_tanh(a, b):
    return np.tanh(a + b[None])


def bias_tanh_backward(dh, h):
    da = dh * (1 - h) * (1 + h)
    return da, da.sum(0)


def bias_sigmoid(a, b):
    return sigmoid(a + b[None])


def bias_sigmoid_backward(dh, h):
    da = dh * h * (1 - h)
    return da, da.sum(0)


def bias_softplus(a, b):
    return softplus(a + b[None])


def bias_softplus_backward(dh, h):
    da = dh * -np.expm1(-h)
    return da, da.sum(0)


def bias_elu(a, b, alpha):
    s = a + b[None]
    return positive_part(s) + alpha * np.expm1(minimum(s, 0))


def bias_elu_backward(dh, h, alpha):
    right = h.real > 0
    da = kept(dh, right) + kept(dh * (h + alpha), ~right)
    return da, da.sum(0)


def bias_gelu(a, b):
    s = a + b[None]
    return s * normal_cdf(s), s


def bias_gelu_backward(dh, s):
    density = np.exp(-0.5 * (s * s + LOG_2PI))
    da = dh * (normal_cdf(s) + s * density)
    return da, da.sum(0)


def bias_silu(a, b):
    s = a + b[None]
    return s * sigmoid(s), s


def bias_silu_backward(dh, s):
    g = sigmoid(s)
    da = dh * (g + s * g * (1 - g))
    return da, da.sum(0)


# Likelihoods: the forwards give log p(x given z) (K, B) and its gradient r (K, B, D) in one pass.


def bernoulli(logits, x):
    """log p = x·logit - softplus(logit), summed over D;  r = x - sigmoid(logit)."""
    e = np.exp(-magnitude(logits))
    log_p = x * logits - positive_part(logits) - np.log1p(e)
    r = x - maximum(e, logits.real > 0) / (1 + e)  # sigmoid(logit), of the same e
    return log_p.sum(-1, dtype=wide(log_p.dtype)), r


def gaussian(mean, x, scale):
    """log p = Σ_D -½ u² - log scale - ½ log 2π;  r = u / scale;  u = (x - mean) / scale."""
    u = (x - mean) / scale
    constant = x.shape[-1] * (np.log(scale) + 0.5 * LOG_2PI)
    return -0.5 * (u * u).sum(-1, dtype=wide(u.dtype)) - constant, u / scale


def gaussian_learnt(mean, x, log_scale):
    """`gaussian` with scale = exp(log_scale), log_scale (1,), and its slope along it, (K, B)."""
    inverse = np.exp(-log_scale)
    u = (x - mean) * inverse
    square = (u * u).sum(-1, dtype=wide(u.dtype))
    constant = x.shape[-1] * (log_scale.astype(square.dtype) + 0.5 * LOG_2PI)
    return -0.5 * square - constant, u * inverse, square - x.shape[-1]


def gaussian_learnt_backward(d, r, slope):
    return scale_rows(d, r), (d * slope).sum(keepdims=True).reshape(1).astype(r.dtype)


def scale_rows(d, r):
    """d[..., None] · r: the gradient of a density per row times that row's own gradient."""
    return d[..., None].astype(r.dtype) * r


# Posterior and prior: mu, logvar (B, Z); z, eps (K, B, Z).


def gaussian_heads(stats, low, high):
    """Split stats (B, 2Z) in mu and logvar, and bend the latter smoothly into (low, high)."""
    z_dim = stats.shape[-1] // 2
    mu, raw = stats[..., :z_dim].copy(), stats[..., z_dim:].copy()
    if _far_inside(raw, low, high):
        return mu, raw
    return mu, soft_maximum(soft_minimum(raw, high), low)


def gaussian_heads_backward(dmu, dlogvar, stats, low, high):
    raw = stats[..., stats.shape[-1] // 2 :]
    if not _far_inside(raw, low, high):
        dlogvar = dlogvar * sigmoid(soft_minimum(raw, high) - low) * sigmoid(high - raw)
    return np.concatenate([dmu, dlogvar], axis=-1)


def _far_inside(raw, low, high):
    """Whether the bend at every raw, exp(raw - high) or exp(low - raw), is below the last place."""
    margin = _MARGINS.get(raw.dtype)
    if margin is None or raw.size == 0:
        return False
    least, greatest = extremes(raw)
    return low + margin < least and greatest < high - margin


def reparameterise(mu, logvar, eps):
    std = np.exp(0.5 * logvar)
    return mu + std * eps, std


def reparameterise_backward(dz, std, eps):
    dstd_eps = dz * eps
    return dz.sum(0), 0.5 * std * dstd_eps.sum(0), dz * std


def gaussian_kl(mu, logvar):
    """½ (mu² + exp(logvar) - 1 - logvar): KL(q ‖ N(0, 1)) per dimension, (1, B, Z).

    exp(logvar) - 1 is taken as expm1, since for a posterior near the prior the sum is a small
    difference of ones.
    """
    return (0.5 * (mu * mu + (np.expm1(logvar) - logvar)))[None]


def gaussian_kl_backward(dkl, mu, logvar):
    dkl = dkl[0].astype(mu.dtype)
    return dkl * mu, dkl * 0.5 * np.expm1(logvar)


def gaussian_log_prob(z, mu, logvar):
    """log N(z; mu, exp(logvar)), summed over Z: (K, B)."""
    u = (z - mu) * np.exp(-0.5 * logvar)
    return -0.5 * (u * u + logvar + LOG_2PI).sum(-1, dtype=wide(u.dtype))


def gaussian_log_prob_backward(d, z, mu, logvar):
    inverse_std = np.exp(-0.5 * logvar)
    u = (z - mu) * inverse_std
    d = d[..., None].astype(u.dtype)
    dz = -d * u * inverse_std
    return dz, -dz.sum(0), (0.5 * d * (u * u - 1)).sum(0)


def standard_normal_log_prob(z):
    """log N(z; 0, I), summed over Z: (K, B)."""
    return -0.5 * (z * z + LOG_2PI).sum(-1, dtype=wide(z.dtype))


def standard_normal_log_prob_backward(d, z):
    return -d[..., None].astype(z.dtype) * z


# Objectives: log_px, log_pz, log_qz (K, B), kl (K or 1, B, Z); the losses are single numbers.


def mean_loss(log_px):
    """rec = -mean log p, and its gradient -1/(KB)."""
    return -log_px.mean(), np.full(log_px.shape, -1 / log_px.size)


def kl_loss(kl, beta, free_bits):
    """KL = Σ_Z max(kl_j, free_bits), with kl_j the mean over samples and rows, and beta ∂KL/∂kl.

    The slope of a kl_j below free_bits is 0; NaN stays NaN.
    """
    per_dimension = kl.mean((0, 1), dtype=wide(kl.dtype))
    below = per_dimension.real < free_bits
    slope = np.where(below, 0.0, beta / (kl.shape[0] * kl.shape[1]))
    total = np.where(below, free_bits, per_dimension).sum()
    return total, np.broadcast_to(slope, kl.shape)


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

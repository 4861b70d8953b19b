"""Every array operation of a training step in plain NumPy: this is the definition.

Kernels are functions on plain arrays. They never write to their inputs (`adam` alone does: it is
the update), know no randomness and no globals, and take real or complex arrays of any float type.
A backward stands directly under its forward and takes first the gradients of its outputs.

Axes: B batch, K samples, Z latent, D data, H hidden, M mixture components; R rows, which are B or
K·B. Sums over D or Z that users see come out in float64 (complex128 for complex input).
"""

from __future__ import annotations

import numpy as np

from ..numerics import (
    digamma_gap,
    exp_gap,
    extremes,
    kept,
    log_softmax,
    logmeanexp,
    logsumexp,
    magnitude,
    maximum,
    minimum,
    normal_cdf,
    positive_part,
    sigmoid,
    soft_maximum,
    soft_minimum,
    softplus,
    stirling_error,
    unbroadcast,
    uniform_cgf,
    uniform_cgf_slope,
    wide,
)

LOG_2 = float(np.log(2))
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


# A second parameter per entry, such as log_scale, has any shape that broadcasts to (K, B, D); its
# slope, the gradient of log p along it, comes out after r, (K, B, D) as well.


def continuous_bernoulli(logits, x):
    """log p = Σ_D x·logit - A(logit), A = log((exp - 1) / logit);  r = x - A'(logit)."""
    log_p = x * logits - uniform_cgf(logits)
    return log_p.sum(-1, dtype=wide(log_p.dtype)), x - uniform_cgf_slope(logits)


def gaussian_scaled(mean, x, log_scale):
    """`gaussian` with scale = exp(log_scale) for each entry."""
    inverse = np.exp(-log_scale)
    u = (x - mean) * inverse
    log_p = -0.5 * (u * u + LOG_2PI) - log_scale
    return log_p.sum(-1, dtype=wide(u.dtype)), u * inverse, u * u - 1


def laplace(median, x, log_scale):
    """log p = Σ_D -|u| - log 2 - log_scale,  u = (x - median) / exp(log_scale)."""
    inverse = np.exp(-log_scale)
    u = (x - median) * inverse
    distance = magnitude(u)
    log_p = -distance - log_scale - LOG_2
    return log_p.sum(-1, dtype=wide(u.dtype)), np.sign(u.real) * inverse, distance - 1


def student_t(mean, x, log_scale, df):
    """log p = Σ_D log c - log_scale - ½ (df + 1) log(1 + u²/df),  u = (x - mean) / exp(log_scale),
    c = Γ(½ df + ½) / (Γ(½ df) √(π df))."""
    half = np.array(0.5 * df)
    shift = half * np.log1p(0.5 / half) - 0.5 + stirling_error(half + 0.5) - stirling_error(half)
    inverse = np.exp(-log_scale)
    u = (x - mean) * inverse
    square = u * u
    log_p = float(shift) - 0.5 * LOG_2PI - log_scale - 0.5 * (df + 1) * np.log1p(square / df)
    weight = (df + 1) / (df + square)
    return log_p.sum(-1, dtype=wide(u.dtype)), weight * u * inverse, weight * square - 1


def _log_exposure(x, library):
    """log(Σ_D x / library) of each row, (B, 1), its sum being at least 1; 0 where library is 0."""
    if not library:
        return np.zeros((), x.dtype)
    total = np.maximum(x.sum(-1, keepdims=True, dtype=np.float64), 1)
    return np.log(total / library).astype(x.dtype)


def poisson(log_rate, x, library):
    """log p = Σ_D x·log_rate - exp(log_rate) - log x!;  r = x - exp(log_rate).

    For x > 0 written as -x exp_gap(log_rate - log x) - log √(2πx) - stirling_error(x).
    """
    log_rate = log_rate + _log_exposure(x, library)
    rate = np.exp(log_rate)
    count = np.maximum(x, 1)
    at_mode = 0.5 * (np.log(count) + LOG_2PI) + stirling_error(count)
    log_p = np.where(x > 0, -count * exp_gap(log_rate - np.log(count)) - at_mode, -rate)
    return log_p.sum(-1, dtype=wide(log_p.dtype)), x - rate


def _negative_binomial(log_mean, x, log_dispersion):
    """log p of each entry, and its slopes along both parameters: see NegativeBinomial, (5), (6)."""
    size = np.exp(log_dispersion)
    none = softplus(log_mean - log_dispersion)  # log(1 + mean/size)
    w = np.log1p(x * np.exp(-log_dispersion)) - none
    count = np.maximum(x, 1)
    v = log_mean - np.log(count) + w
    at_mode = stirling_error(count) + stirling_error(size) - stirling_error(size + count)
    at_mode = at_mode + 0.5 * (np.log(count) + LOG_2PI + np.log1p(count / size))
    some = -count * exp_gap(v) - size * exp_gap(w) - at_mode
    share = log_mean - log_dispersion
    slope_mean = x * sigmoid(-share) - size * sigmoid(share)
    slope = size * (digamma_gap(size) - digamma_gap(size + x) - exp_gap(w))
    return np.where(x > 0, some, -size * none), slope_mean, slope


def negative_binomial(log_mean, x, log_dispersion, library):
    """Counts of mean exp(log_mean) and variance mean + mean² / exp(log_dispersion)."""
    log_mean = log_mean + _log_exposure(x, library)
    log_p, r, slope = _negative_binomial(log_mean, x, log_dispersion)
    return log_p.sum(-1, dtype=wide(log_p.dtype)), r, slope


def zero_inflated_negative_binomial(heads, x, log_dispersion, library):
    """p = π [x = 0] + (1 - π) NB(x), with heads (K, B, 2D) log_mean beside the logit of π."""
    log_mean, gate = np.split(heads, 2, axis=-1)
    log_mean = log_mean + _log_exposure(x, library)
    log_nb, r, slope = _negative_binomial(log_mean, x, log_dispersion)
    excess = gate - log_nb
    one, zero = np.ones((), log_nb.dtype), np.zeros((), log_nb.dtype)
    log_p = log_nb + np.where(x > 0, zero, softplus(excess)) - softplus(gate)
    counted = np.where(x > 0, one, sigmoid(-excess))  # the probability that x came from the NB
    r_gate = np.where(x > 0, zero, sigmoid(excess)) - sigmoid(gate)
    r = np.concatenate([counted * r, r_gate], axis=-1)
    return log_p.sum(-1, dtype=wide(log_p.dtype)), r, counted * slope


def beta(logits, x, log_concentration):
    """The Beta(m κ, (1 - m) κ) density of mean m = σ(logit), κ = exp(log_concentration)."""
    rest, log_m, log_1m = np.exp(log_concentration), -softplus(-logits), -softplus(logits)
    a, b = rest * np.exp(log_m), rest * np.exp(log_1m)
    log_x, log_1x = np.log(x), np.log1p(-x)
    v, w = log_x - log_m, log_1x - log_1m
    spread = a * exp_gap(v) + b * exp_gap(w)
    log_p = stirling_error(rest) - stirling_error(a) - stirling_error(b) - spread
    log_p = log_p + 0.5 * (log_concentration + log_m + log_1m - LOG_2PI) - log_x - log_1x
    gap_a, gap_b = digamma_gap(a), digamma_gap(b)
    r = a * np.exp(log_1m) * (v - w + gap_a - gap_b)
    slope = a * gap_a + b * gap_b - rest * digamma_gap(rest) - spread
    return log_p.sum(-1, dtype=wide(log_p.dtype)), r, slope


def _groups(sizes):
    """Where each group of so many columns starts, and the group that each column is in."""
    sizes = np.asarray(sizes, np.int64)
    return np.cumsum(sizes) - sizes, np.repeat(np.arange(len(sizes)), sizes)


def one_hot(x, sizes):
    """Labels x (B, D) as ones and zeros, (B, Σ sizes): column j's among its sizes[j] classes."""
    starts, columns = _groups(sizes)
    return (x[..., columns] == np.arange(len(columns)) - starts[columns]).astype(x.dtype)


def categorical(logits, x, sizes):
    """log p = Σ x·log softmax(logits), the softmax within each group;  r = x - softmax.

    logits (K, B, Σ sizes) and one-hot x (B, Σ sizes) are groups of these sizes side by side.
    """
    starts, groups = _groups(sizes)
    top = np.maximum.reduceat(logits.real, starts, axis=-1)
    off = logits - top[..., groups]
    e = np.exp(off)
    total = np.add.reduceat(e, starts, axis=-1)
    log_p = x * (off - np.log(total)[..., groups])
    return log_p.sum(-1, dtype=wide(log_p.dtype)), x - e / total[..., groups]


def bounded(raw, low, high):
    """raw, bent smoothly into (low, high)."""
    return soft_maximum(soft_minimum(raw, high), low)


def bounded_backward(d, raw, low, high):
    return d * sigmoid(soft_minimum(raw, high) - low) * sigmoid(high - raw)


def scale_rows(d, r):
    """d[..., None] · r: the gradient of a density per row times that row's own gradient."""
    return d[..., None].astype(r.dtype) * r


def sum_rows(d, slope):
    """Σ_KB d[..., None] · slope: the gradient, (D,), of a parameter that each column has one of."""
    return np.einsum("kb,kbd->d", d, slope).astype(slope.dtype)


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


def mixture_log_prob(z, mu, logvar, logits):
    """log Σ_M w_m N(z; mu_m, exp(logvar_m)), w = softmax(logits): (K, B), and responsibilities.

    mu, logvar (M, Z), logits (M,). The responsibilities r_m = w_m N_m / Σ w N are (K, B, M). One
    component after the other, so that nothing is of size K·B·M·Z.
    """
    components = zip(log_softmax(logits), mu, logvar, strict=True)
    joint = np.stack([w + gaussian_log_prob(z, m, v) for w, m, v in components], axis=-1)
    log_p = logsumexp(joint, axis=-1)
    r = np.exp(joint - log_p[..., None])
    return log_p, r.astype(np.result_type(z, mu, logvar, logits))


def mixture_log_prob_backward(d, z, mu, logvar, logits, r):
    """Each component is a Gaussian whose log-density is weighed by d · r_m."""
    dz, dmu, dlogvar = np.zeros_like(z), np.empty_like(mu), np.empty_like(logvar)
    for m in range(len(mu)):
        dz_m, dmu_m, dlogvar_m = gaussian_log_prob_backward(d * r[..., m], z, mu[m], logvar[m])
        dz += dz_m
        dmu[m], dlogvar[m] = dmu_m.sum(0), dlogvar_m.sum(0)
    dlogits = (d[..., None] * (r - np.exp(log_softmax(logits)))).sum((0, 1))
    return dz, dmu, dlogvar, dlogits.astype(logits.dtype)


# Objectives: log_px, log_pz, log_qz (K, B), kl (K or 1, B, Z); the losses are single numbers.


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

"""The Numba twins of the reference kernels: same names, same meaning, for real arrays.

The mathematics, the shapes and the reasons stand in `reference.py`. Here each kernel is one pass
over its arrays. No `fastmath` as a whole: it would assume that NaN and Inf do not exist; of its
flags only those are set that let sums be reordered and products be contracted.
"""

from __future__ import annotations

import math

import numba
import numpy as np

# Matrix products stay in BLAS, and these gain nothing from being compiled.
from .reference import (  # noqa: F401
    add,
    beta,
    bounded,
    bounded_backward,
    categorical,
    concat,
    concat_backward,
    gaussian_heads,
    gaussian_heads_backward,
    gaussian_learnt,
    gaussian_learnt_backward,
    gaussian_log_prob,
    gaussian_log_prob_backward,
    iwae,
    kl_loss,
    laplace,
    linear,
    linear_dw,
    linear_dx,
    mean_loss,
    one_hot,
    sampled_kl_loss,
    standard_normal_log_prob,
    standard_normal_log_prob_backward,
    student_t,
    weighted_loss,
)

_FLAGS = {"contract", "nsz", "arcp"}


def _compiled(function, flags):
    options = dict(nogil=True, fastmath=flags, error_model="numpy")
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep a cache in can be written
        return numba.njit(**options)(function)


def _kernel(function):
    return _compiled(function, _FLAGS | {"reassoc"})


def _exact_kernel(function):
    """Without `reassoc`, which would rewrite b v + (1 - b) g² as g² + b (v - g²), and cancel."""
    return _compiled(function, _FLAGS)


@_kernel
def bias_identity(a, b):
    h = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            h[i, j] = a[i, j] + b[j]
    return h


@_kernel
def bias_identity_backward(dh):
    db = np.zeros(dh.shape[1], dh.dtype)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            db[j] += dh[i, j]
    return dh, db


@_kernel
def bias_relu(a, b):
    h = np.empty_like(a)
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = a[i, j] + b[j]
            h[i, j] = zero if s <= zero else s  # in this order NaN passes through
    return h


@_kernel
def bias_relu_backward(dh, h):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    zero = dh.dtype.type(0)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] if h[i, j] > zero else zero
            da[i, j] = d
            db[j] += d
    return da, db


@_kernel
def bias_leaky_relu(a, b, slope):
    h = np.empty_like(a)
    slope = a.dtype.type(slope)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = a[i, j] + b[j]
            h[i, j] = s if s > 0 else slope * s
    return h


@_kernel
def bias_leaky_relu_backward(dh, h, slope):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    slope = dh.dtype.type(slope)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] if h[i, j] > 0 else slope * dh[i, j]
            da[i, j] = d
            db[j] += d
    return da, db


@_kernel
def bias_tanh(a, b):
    h = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            h[i, j] = math.tanh(a[i, j] + b[j])
    return h


@_kernel
def bias_tanh_backward(dh, h):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    one = dh.dtype.type(1)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] * (one - h[i, j]) * (one + h[i, j])
            da[i, j] = d
            db[j] += d
    return da, db


@_kernel
def _sigmoid(s):
    one = type(s)(1)
    e = math.exp(-abs(s))
    return (one if s >= 0 else e) / (one + e)


@_kernel
def bias_sigmoid(a, b):
    h = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            h[i, j] = _sigmoid(a[i, j] + b[j])
    return h


@_kernel
def bias_sigmoid_backward(dh, h):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    one = dh.dtype.type(1)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] * h[i, j] * (one - h[i, j])
            da[i, j] = d
            db[j] += d
    return da, db


@_kernel
def bias_softplus(a, b):
    h = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = a[i, j] + b[j]
            h[i, j] = (s if s > 0 else a.dtype.type(0)) + math.log1p(math.exp(-abs(s)))
    return h


@_kernel
def bias_softplus_backward(dh, h):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] * -math.expm1(-h[i, j])
            da[i, j] = d
            db[j] += d
    return da, db


@_kernel
def bias_elu(a, b, alpha):
    h = np.empty_like(a)
    alpha = a.dtype.type(alpha)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = a[i, j] + b[j]
            h[i, j] = s if s > 0 else alpha * math.expm1(s)
    return h


@_kernel
def bias_elu_backward(dh, h, alpha):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    alpha = dh.dtype.type(alpha)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] if h[i, j] > 0 else dh[i, j] * (h[i, j] + alpha)
            da[i, j] = d
            db[j] += d
    return da, db


@_kernel
def bias_gelu(a, b):
    h, s = np.empty_like(a), np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            v = a[i, j] + b[j]
            s[i, j] = v
            h[i, j] = v * (0.5 * math.erfc(-v * math.sqrt(0.5)))
    return h, s


@_kernel
def bias_gelu_backward(dh, s):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    log_2pi = math.log(2 * math.pi)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            v = s[i, j]
            density = math.exp(-0.5 * (v * v + log_2pi))
            d = dh[i, j] * (0.5 * math.erfc(-v * math.sqrt(0.5)) + v * density)
            da[i, j] = d
            db[j] += d
    return da, db


@_kernel
def bias_silu(a, b):
    h, s = np.empty_like(a), np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            v = a[i, j] + b[j]
            s[i, j] = v
            h[i, j] = v * _sigmoid(v)
    return h, s


@_kernel
def bias_silu_backward(dh, s):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    one = dh.dtype.type(1)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            g = _sigmoid(s[i, j])
            d = dh[i, j] * (g + s[i, j] * g * (one - g))
            da[i, j] = d
            db[j] += d
    return da, db


@_kernel
def bernoulli(logits, x):
    r = np.empty_like(logits)
    log_p = np.empty(logits.shape[:2])
    one, zero = logits.dtype.type(1), logits.dtype.type(0)
    for k in range(logits.shape[0]):
        for i in range(logits.shape[1]):
            total = 0.0
            for j in range(logits.shape[2]):
                v = logits[k, i, j]
                e = math.exp(-abs(v))
                total += x[i, j] * v - (v if v > zero else zero) - math.log1p(e)
                r[k, i, j] = x[i, j] - (one if v >= zero else e) / (one + e)
            log_p[k, i] = total
    return log_p, r


@_kernel
def gaussian(mean, x, scale):
    r = np.empty_like(mean)
    log_p = np.empty(mean.shape[:2])
    inverse = mean.dtype.type(1 / scale)
    constant = mean.shape[2] * (math.log(scale) + 0.5 * math.log(2 * math.pi))
    for k in range(mean.shape[0]):
        for i in range(mean.shape[1]):
            total = 0.0
            for j in range(mean.shape[2]):
                u = (x[i, j] - mean[k, i, j]) * inverse
                total += u * u
                r[k, i, j] = u * inverse
            log_p[k, i] = -0.5 * total - constant
    return log_p, r


# Second parameters of densities are (D,) or (K, B, D). Scalars are float64 from here on: the terms
# of a density of counts need it, and the logarithms and exponentials are what takes the time.


@_kernel
def gaussian_scaled(mean, x, log_scale):
    r, slope = np.empty_like(mean), np.empty_like(mean)
    log_p, spread = np.empty(mean.shape[:2]), np.broadcast_to(log_scale, mean.shape)
    one, half_log_2pi = mean.dtype.type(1), 0.5 * math.log(2 * math.pi)
    for k in range(mean.shape[0]):
        for i in range(mean.shape[1]):
            total = 0.0
            for j in range(mean.shape[2]):
                inverse = math.exp(-spread[k, i, j])
                u = (x[i, j] - mean[k, i, j]) * inverse
                total -= 0.5 * u * u + spread[k, i, j] + half_log_2pi
                r[k, i, j] = u * inverse
                slope[k, i, j] = u * u - one
            log_p[k, i] = total
    return log_p, r, slope


@_kernel
def continuous_bernoulli(logits, x):
    r, log_p = np.empty_like(logits), np.empty(logits.shape[:2])
    for k in range(logits.shape[0]):
        for i in range(logits.shape[1]):
            total = 0.0
            for j in range(logits.shape[2]):
                t = np.float64(logits[k, i, j])
                m = abs(t)
                if m < 1:
                    cgf, mean = _uniform_series(t)
                else:
                    e = math.exp(-m)
                    cgf, mean = max(t, 0.0) + math.log((1 - e) / m), 1 / m - e / (1 - e)
                    mean = mean if t < 0 else 1 - mean
                total += x[i, j] * t - cgf
                r[k, i, j] = x[i, j] - mean
            log_p[k, i] = total
    return log_p, r


@_kernel
def _uniform_series(t):
    """`numerics.uniform_cgf` and its slope for |t| < 1."""
    s = t * t
    a = 3617 / 170729965486080000 - s * (43867 / 91963695909076992000)
    a = 1 / 1046139494400 - s * a
    a = 1 / 479001600 - s * (691 / 15692092416000 - s * a)
    a = 1 / 24 - s * (1 / 2880 - s * (1 / 181440 - s * (1 / 9676800 - s * a)))
    b = 3617 / 10670622842880000 - s * (43867 / 5109094217170944000)
    b = 1 / 74724249600 - s * b
    b = 1 / 47900160 - s * (691 / 1307674368000 - s * b)
    b = 1 / 12 - s * (1 / 720 - s * (1 / 30240 - s * (1 / 1209600 - s * b)))
    return 0.5 * t + s * a, 0.5 + t * b


@_kernel
def _stirling_error(y):
    moved = 0.0
    if y < 8:
        ratio = 1.0
        for i in range(8):
            ratio *= 1 + (8 - i) / (y + i)
        moved = (y - 0.5) * math.log1p(8 / y) + math.log(ratio) - 8
        y += 8
    s = 1 / (y * y)
    a = 691 / 360360 - s * (1 / 156 - s * (3617 / 122400 - s * (43867 / 244188)))
    a = 1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - s * a))
    return moved + (1 / 12 - s * (1 / 360 - s * a)) / y


@_kernel
def _digamma_gap(y):
    moved = 0.0
    if y < 8:
        moved = -math.log1p(8 / y)
        for i in range(8):
            moved += 1 / (y + i)
        y += 8
    s = 1 / (y * y)
    a = 691 / 32760 - s * (1 / 12 - s * (3617 / 8160 - s * (43867 / 14364)))
    a = 1 / 252 - s * (1 / 240 - s * (1 / 132 - s * a))
    return moved + 0.5 / y + s * (1 / 12 - s * (1 / 120 - s * a))


@_kernel
def _softplus(s):
    return max(s, 0.0) + math.log1p(math.exp(-abs(s)))


@_kernel
def _exp_gap(t):
    return math.expm1(t) - t


@_kernel
def _log_exposure(row, library):
    if library == 0:
        return 0.0
    total = 0.0
    for j in range(row.size):
        total += row[j]
    return math.log(max(total, 1.0) / library)


@_kernel
def poisson(log_rate, x, library):
    r, log_p = np.empty_like(log_rate), np.empty(log_rate.shape[:2])
    log_2pi = math.log(2 * math.pi)
    for i in range(log_rate.shape[1]):
        exposure = _log_exposure(x[i], library)
        for k in range(log_rate.shape[0]):
            total = 0.0
            for j in range(log_rate.shape[2]):
                t, n = log_rate[k, i, j] + exposure, np.float64(x[i, j])
                rate = math.exp(t)
                if n > 0:
                    n = max(n, 1.0)
                    log_n = math.log(n)
                    total -= n * _exp_gap(t - log_n) + 0.5 * (log_n + log_2pi) + _stirling_error(n)
                else:
                    total -= rate
                r[k, i, j] = x[i, j] - rate
            log_p[k, i] = total
    return log_p, r


@_kernel
def _negative_binomial(log_mean, x, log_size):
    size, share = math.exp(log_size), log_mean - log_size
    none = _softplus(share)
    w = math.log1p(x * math.exp(-log_size)) - none
    gap, r = _exp_gap(w), x * _sigmoid(-share) - size * _sigmoid(share)
    slope = size * (_digamma_gap(size) - _digamma_gap(size + x) - gap)
    if not x > 0:
        return -size * none, r, slope
    n = max(x, 1.0)
    log_n = math.log(n)
    at_mode = _stirling_error(n) + _stirling_error(size) - _stirling_error(size + n)
    at_mode += 0.5 * (log_n + math.log(2 * math.pi) + math.log1p(n / size))
    return -n * _exp_gap(log_mean - log_n + w) - size * gap - at_mode, r, slope


@_kernel
def negative_binomial(log_mean, x, log_dispersion, library):
    r, slope = np.empty_like(log_mean), np.empty_like(log_mean)
    log_p, log_size = np.empty(log_mean.shape[:2]), np.broadcast_to(log_dispersion, log_mean.shape)
    for i in range(log_mean.shape[1]):
        exposure = _log_exposure(x[i], library)
        for k in range(log_mean.shape[0]):
            total = 0.0
            for j in range(log_mean.shape[2]):
                one, r[k, i, j], slope[k, i, j] = _negative_binomial(
                    log_mean[k, i, j] + exposure, np.float64(x[i, j]), np.float64(log_size[k, i, j])
                )
                total += one
            log_p[k, i] = total
    return log_p, r, slope


@_kernel
def zero_inflated_negative_binomial(heads, x, log_dispersion, library):
    width = heads.shape[2] // 2
    shape = (heads.shape[0], heads.shape[1], width)
    r, slope = np.empty_like(heads), np.empty(shape, heads.dtype)
    log_p, log_size = np.empty(heads.shape[:2]), np.broadcast_to(log_dispersion, shape)
    for i in range(shape[1]):
        exposure = _log_exposure(x[i], library)
        for k in range(shape[0]):
            total = 0.0
            for j in range(width):
                g, n = np.float64(heads[k, i, width + j]), np.float64(x[i, j])
                one, r_mean, own = _negative_binomial(
                    heads[k, i, j] + exposure, n, np.float64(log_size[k, i, j])
                )
                zero = not n > 0
                total += one + (_softplus(g - one) if zero else 0.0) - _softplus(g)
                counted = _sigmoid(one - g) if zero else 1.0
                r[k, i, j] = counted * r_mean
                r[k, i, width + j] = (_sigmoid(g - one) if zero else 0.0) - _sigmoid(g)
                slope[k, i, j] = counted * own
            log_p[k, i] = total
    return log_p, r, slope


@_kernel
def sum_rows(d, slope):
    total = np.zeros(slope.shape[2])
    for k in range(slope.shape[0]):
        for i in range(slope.shape[1]):
            for j in range(slope.shape[2]):
                total[j] += d[k, i] * slope[k, i, j]
    return total.astype(slope.dtype)


@_kernel
def scale_rows(d, r):
    out = np.empty_like(r)
    for k in range(r.shape[0]):
        for i in range(r.shape[1]):
            scale = r.dtype.type(d[k, i])
            for j in range(r.shape[2]):
                out[k, i, j] = scale * r[k, i, j]
    return out


@_kernel
def reparameterise(mu, logvar, eps):
    z, std = np.empty_like(eps), np.empty_like(mu)
    half = mu.dtype.type(0.5)
    for i in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            std[i, j] = math.exp(half * logvar[i, j])
    for k in range(eps.shape[0]):
        for i in range(mu.shape[0]):
            for j in range(mu.shape[1]):
                z[k, i, j] = mu[i, j] + std[i, j] * eps[k, i, j]
    return z, std


@_kernel
def reparameterise_backward(dz, std, eps):
    dmu, dlogvar, deps = np.zeros_like(std), np.zeros_like(std), np.empty_like(dz)
    half = std.dtype.type(0.5)
    for k in range(dz.shape[0]):
        for i in range(std.shape[0]):
            for j in range(std.shape[1]):
                d, s = dz[k, i, j], std[i, j]
                dmu[i, j] += d
                dlogvar[i, j] += half * s * d * eps[k, i, j]
                deps[k, i, j] = d * s
    return dmu, dlogvar, deps


@_kernel
def gaussian_kl(mu, logvar):
    kl = np.empty((1, *mu.shape), mu.dtype)
    half = mu.dtype.type(0.5)
    for i in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            m, v = mu[i, j], logvar[i, j]
            kl[0, i, j] = half * (m * m + (math.expm1(v) - v))
    return kl


@_kernel
def gaussian_kl_backward(dkl, mu, logvar):
    dmu, dlogvar = np.empty_like(mu), np.empty_like(mu)
    half = mu.dtype.type(0.5)
    for i in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            d = mu.dtype.type(dkl[0, i, j])
            dmu[i, j] = d * mu[i, j]
            dlogvar[i, j] = d * half * math.expm1(logvar[i, j])
    return dmu, dlogvar


@_kernel
def _log_softmax(x):
    """In float64."""
    top, total, out = -np.inf, 0.0, np.empty(len(x))
    for m in range(len(x)):
        top = max(top, np.float64(x[m]))
    top = top if math.isfinite(top) else 0.0
    for m in range(len(x)):
        total += math.exp(x[m] - top)
    for m in range(len(x)):
        out[m] = x[m] - (top + math.log(total))
    return out


@_kernel
def mixture_log_prob(z, mu, logvar, logits):
    n_samples, batch, z_dim = z.shape
    constant, inverse_std = _log_softmax(logits), np.empty_like(mu)
    half = mu.dtype.type(0.5)
    for m in range(len(logits)):
        constant[m] -= 0.5 * z_dim * math.log(2 * math.pi)
        for j in range(z_dim):
            inverse_std[m, j] = math.exp(-half * logvar[m, j])
            constant[m] -= 0.5 * logvar[m, j]
    log_p, r = np.empty((n_samples, batch)), np.empty((n_samples, batch, len(logits)), z.dtype)
    joint = np.empty(len(logits))
    for k in range(n_samples):
        for i in range(batch):
            top, total = -np.inf, 0.0
            for m in range(len(logits)):
                square = 0.0
                for j in range(z_dim):
                    u = (z[k, i, j] - mu[m, j]) * inverse_std[m, j]
                    square += u * u
                joint[m] = constant[m] - 0.5 * square
                top = max(top, joint[m])
            top = top if math.isfinite(top) else 0.0
            for m in range(len(logits)):
                total += math.exp(joint[m] - top)
            log_p[k, i] = top + math.log(total)
            for m in range(len(logits)):
                r[k, i, m] = math.exp(joint[m] - log_p[k, i])
    return log_p, r


@_kernel
def mixture_log_prob_backward(d, z, mu, logvar, logits, r):
    n_samples, batch, z_dim = z.shape
    inverse_std, half = np.empty_like(mu), mu.dtype.type(0.5)
    for m in range(mu.shape[0]):
        for j in range(z_dim):
            inverse_std[m, j] = math.exp(-half * logvar[m, j])
    dz = np.zeros_like(z)
    dmu, dlogvar = np.zeros_like(mu), np.zeros_like(mu)
    d_sum, dr_sums = 0.0, np.zeros(len(logits))
    for k in range(n_samples):
        for i in range(batch):
            d_sum += d[k, i]
            for m in range(len(logits)):
                dr = d[k, i] * r[k, i, m]
                dr_sums[m] += dr
                weight = mu.dtype.type(dr)
                for j in range(z_dim):
                    u = (z[k, i, j] - mu[m, j]) * inverse_std[m, j]
                    slope = weight * u * inverse_std[m, j]
                    dz[k, i, j] -= slope
                    dmu[m, j] += slope
                    dlogvar[m, j] += half * weight * (u * u - 1)
    dlogits, log_w = np.empty_like(logits), _log_softmax(logits)
    for m in range(len(logits)):
        dlogits[m] = dr_sums[m] - d_sum * math.exp(log_w[m])
    return dz, dmu, dlogvar, dlogits


@_exact_kernel
def adam(theta, g, m, v, step_size, beta1, beta2, eps, root, decay):
    real = theta.dtype.type
    zero, tiny = real(0), np.finfo(theta.dtype).tiny
    rest1, rest2 = real(1 - beta1), real(1 - beta2)  # before rounding: 1 - 0.999 cancels
    step_size, beta1, beta2 = real(step_size), real(beta1), real(beta2)
    eps, inverse_root, decay = real(eps), real(1 / root), real(decay)
    for i in range(theta.size):
        mi = beta1 * m[i] + rest1 * g[i]
        vi = beta2 * v[i] + rest2 * g[i] * g[i]
        mi = zero if abs(mi) < tiny else mi
        vi = zero if vi < tiny else vi
        m[i], v[i] = mi, vi
        theta[i] -= decay * theta[i] + step_size * mi / (math.sqrt(vi) * inverse_root + eps)

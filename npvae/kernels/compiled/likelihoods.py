"""Likelihoods."""

from __future__ import annotations

import math

import numpy as np

from .options import kernel, logistic


@kernel
def bernoulli(logits, x):
    r = np.empty_like(logits)
    log_p = np.empty(logits.shape[:2])
    one, zero = logits.dtype.type(1), logits.dtype.type(0)
    for k in range(logits.shape[0]):
        for i in range(logits.shape[1]):
            total = 0.0
            for j in range(logits.shape[2]):
                v = logits[k, i, j]
                if math.isnan(x[i, j]):
                    r[k, i, j] = zero
                    continue
                e = math.exp(-abs(v))
                total += x[i, j] * v - (v if v > zero else zero) - math.log1p(e)
                r[k, i, j] = x[i, j] - (one if v >= zero else e) / (one + e)
            log_p[k, i] = total
    return log_p, r


@kernel
def gaussian(mean, x, scale):
    r = np.empty_like(mean)
    log_p = np.empty(mean.shape[:2])
    inverse = mean.dtype.type(1 / scale)
    zero, constant = mean.dtype.type(0), math.log(scale) + 0.5 * math.log(2 * math.pi)
    for k in range(mean.shape[0]):
        for i in range(mean.shape[1]):
            total, n = 0.0, 0
            for j in range(mean.shape[2]):
                missing = math.isnan(x[i, j])
                u = zero if missing else (x[i, j] - mean[k, i, j]) * inverse
                total += u * u
                n += not missing
                r[k, i, j] = u * inverse
            log_p[k, i] = -0.5 * total - n * constant
    return log_p, r


# Second parameters of densities are (D,) or (K, B, D). Scalars are float64 from here on: the terms
# of a density of counts need it, and the logarithms and exponentials are what takes the time.


@kernel
def gaussian_scaled(mean, x, log_scale):
    r, slope = np.empty_like(mean), np.empty_like(mean)
    log_p, spread = np.empty(mean.shape[:2]), np.broadcast_to(log_scale, mean.shape)
    one, zero = mean.dtype.type(1), mean.dtype.type(0)
    half_log_2pi = 0.5 * math.log(2 * math.pi)
    for k in range(mean.shape[0]):
        for i in range(mean.shape[1]):
            total = 0.0
            for j in range(mean.shape[2]):
                if math.isnan(x[i, j]):
                    r[k, i, j] = slope[k, i, j] = zero
                    continue
                inverse = math.exp(-spread[k, i, j])
                u = (x[i, j] - mean[k, i, j]) * inverse
                total -= 0.5 * u * u + spread[k, i, j] + half_log_2pi
                r[k, i, j] = u * inverse
                slope[k, i, j] = u * u - one
            log_p[k, i] = total
    return log_p, r, slope


@kernel
def continuous_bernoulli(logits, x):
    r, log_p = np.empty_like(logits), np.empty(logits.shape[:2])
    for k in range(logits.shape[0]):
        for i in range(logits.shape[1]):
            total = 0.0
            for j in range(logits.shape[2]):
                if math.isnan(x[i, j]):
                    r[k, i, j] = 0
                    continue
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


@kernel
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


@kernel
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


@kernel
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


@kernel
def _softplus(s):
    return max(s, 0.0) + math.log1p(math.exp(-abs(s)))


@kernel
def _exp_gap(t):
    return math.expm1(t) - t


@kernel
def _log_exposure(row, library):
    if library == 0:
        return 0.0
    total = 0.0
    for j in range(row.size):
        total += 0.0 if math.isnan(row[j]) else row[j]
    return math.log(max(total, 1.0) / library)


@kernel
def poisson(log_rate, x, library):
    r, log_p = np.empty_like(log_rate), np.empty(log_rate.shape[:2])
    log_2pi = math.log(2 * math.pi)
    for i in range(log_rate.shape[1]):
        exposure = _log_exposure(x[i], library)
        for k in range(log_rate.shape[0]):
            total = 0.0
            for j in range(log_rate.shape[2]):
                if math.isnan(x[i, j]):
                    r[k, i, j] = 0
                    continue
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


@kernel
def _negative_binomial(log_mean, x, log_size):
    size, share = math.exp(log_size), log_mean - log_size
    none = _softplus(share)
    w = math.log1p(x * math.exp(-log_size)) - none
    gap, r = _exp_gap(w), x * logistic(-share) - size * logistic(share)
    slope = size * (_digamma_gap(size) - _digamma_gap(size + x) - gap)
    if not x > 0:
        return -size * none, r, slope
    n = max(x, 1.0)
    log_n = math.log(n)
    at_mode = _stirling_error(n) + _stirling_error(size) - _stirling_error(size + n)
    at_mode += 0.5 * (log_n + math.log(2 * math.pi) + math.log1p(n / size))
    return -n * _exp_gap(log_mean - log_n + w) - size * gap - at_mode, r, slope


@kernel
def negative_binomial(log_mean, x, log_dispersion, library):
    r, slope = np.empty_like(log_mean), np.empty_like(log_mean)
    log_p, log_size = np.empty(log_mean.shape[:2]), np.broadcast_to(log_dispersion, log_mean.shape)
    for i in range(log_mean.shape[1]):
        exposure = _log_exposure(x[i], library)
        for k in range(log_mean.shape[0]):
            total = 0.0
            for j in range(log_mean.shape[2]):
                if math.isnan(x[i, j]):
                    r[k, i, j] = slope[k, i, j] = 0
                    continue
                one, r[k, i, j], slope[k, i, j] = _negative_binomial(
                    log_mean[k, i, j] + exposure, np.float64(x[i, j]), np.float64(log_size[k, i, j])
                )
                total += one
            log_p[k, i] = total
    return log_p, r, slope


@kernel
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
                if math.isnan(x[i, j]):
                    r[k, i, j] = r[k, i, width + j] = slope[k, i, j] = 0
                    continue
                g, n = np.float64(heads[k, i, width + j]), np.float64(x[i, j])
                one, r_mean, own = _negative_binomial(
                    heads[k, i, j] + exposure, n, np.float64(log_size[k, i, j])
                )
                zero = not n > 0
                total += one + (_softplus(g - one) if zero else 0.0) - _softplus(g)
                counted = logistic(one - g) if zero else 1.0
                r[k, i, j] = counted * r_mean
                r[k, i, width + j] = (logistic(g - one) if zero else 0.0) - logistic(g)
                slope[k, i, j] = counted * own
            log_p[k, i] = total
    return log_p, r, slope


@kernel
def sum_rows(d, slope):
    total = np.zeros(slope.shape[2])
    for k in range(slope.shape[0]):
        for i in range(slope.shape[1]):
            for j in range(slope.shape[2]):
                total[j] += d[k, i] * slope[k, i, j]
    return total.astype(slope.dtype)


@kernel
def scale_rows(d, r):
    out = np.empty_like(r)
    for k in range(r.shape[0]):
        for i in range(r.shape[1]):
            scale = r.dtype.type(d[k, i])
            for j in range(r.shape[2]):
                out[k, i, j] = scale * r[k, i, j]
    return out

"""Posterior and prior."""

from __future__ import annotations

import math

import numpy as np

from .options import kernel


@kernel
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


@kernel
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


@kernel
def gaussian_kl(mu, logvar):
    kl = np.empty((1, *mu.shape), mu.dtype)
    half = mu.dtype.type(0.5)
    for i in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            m, v = mu[i, j], logvar[i, j]
            kl[0, i, j] = half * (m * m + (math.expm1(v) - v))
    return kl


@kernel
def gaussian_kl_backward(dkl, mu, logvar):
    dmu, dlogvar = np.empty_like(mu), np.empty_like(mu)
    half = mu.dtype.type(0.5)
    for i in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            d = mu.dtype.type(dkl[0, i, j])
            dmu[i, j] = d * mu[i, j]
            dlogvar[i, j] = d * half * math.expm1(logvar[i, j])
    return dmu, dlogvar


@kernel
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


@kernel
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


@kernel
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

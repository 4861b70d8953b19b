"""Posterior and prior: by latent dimensions, mu and logvar (Z, B), z and eps (Z, KB)."""

from __future__ import annotations

import numpy as np

from .options import fast, floats
from .scalars import HALF, ZERO, exp, expm1, sigmoid, soft_maximum, soft_minimum

f32 = np.float32


@fast
def heads(stats, mu, logvar, lo, hi, z_dim, n, low, high):
    for i in range(lo, hi):
        centre, raw = floats(stats + 4 * i * n, n), floats(stats + 4 * (z_dim + i) * n, n)
        m, v = floats(mu + 4 * i * n, n), floats(logvar + 4 * i * n, n)
        for j in range(n):
            m[j] = centre[j]
        for j in range(n):
            v[j] = soft_maximum(soft_minimum(raw[j], high), low)


@fast
def heads_backward(dmu, dlogvar, stats, d_stats, lo, hi, z_dim, n, low, high):
    for i in range(lo, hi):
        dm, dv = floats(dmu + 4 * i * n, n), floats(dlogvar + 4 * i * n, n)
        raw = floats(stats + 4 * (z_dim + i) * n, n)
        out, d_raw = floats(d_stats + 4 * i * n, n), floats(d_stats + 4 * (z_dim + i) * n, n)
        for j in range(n):
            out[j] = dm[j]
        for j in range(n):
            capped = soft_minimum(raw[j], high)
            d_raw[j] = dv[j] * sigmoid(capped - low) * sigmoid(high - raw[j])


@fast
def reparameterise(mu, logvar, eps, z, std, lo, hi, samples, batch):
    for i in range(lo, hi):
        m, v = floats(mu + 4 * i * batch, batch), floats(logvar + 4 * i * batch, batch)
        s = floats(std + 4 * i * batch, batch)
        for j in range(batch):
            s[j] = exp(HALF * v[j])
        for k in range(samples):
            at = 4 * (i * samples + k) * batch
            e, out = floats(eps + at, batch), floats(z + at, batch)
            for j in range(batch):
                out[j] = m[j] + s[j] * e[j]


@fast
def reparameterise_backward(dz, std, eps, dmu, dlogvar, lo, hi, samples, batch):
    for i in range(lo, hi):
        dm, dv = floats(dmu + 4 * i * batch, batch), floats(dlogvar + 4 * i * batch, batch)
        s = floats(std + 4 * i * batch, batch)
        for j in range(batch):
            dm[j] = dv[j] = ZERO
        for k in range(samples):
            at = 4 * (i * samples + k) * batch
            d, e = floats(dz + at, batch), floats(eps + at, batch)
            for j in range(batch):
                dm[j] += d[j]
                dv[j] += d[j] * e[j]
        for j in range(batch):
            dv[j] *= HALF * s[j]


@fast
def gaussian_kl(mu, logvar, kl, lo, hi, n):
    for i in range(lo, hi):
        m, v, out = (
            floats(mu + 4 * i * n, n),
            floats(logvar + 4 * i * n, n),
            floats(kl + 4 * i * n, n),
        )
        for j in range(n):
            out[j] = HALF * (m[j] * m[j] + (expm1(v[j]) - v[j]))


@fast
def gaussian_kl_backward(dkl, mu, logvar, dmu, dlogvar, lo, hi, n):
    for i in range(lo, hi):
        d, m, v = (
            floats(dkl + 4 * i * n, n),
            floats(mu + 4 * i * n, n),
            floats(logvar + 4 * i * n, n),
        )
        dm, dv = floats(dmu + 4 * i * n, n), floats(dlogvar + 4 * i * n, n)
        for j in range(n):
            dm[j] = d[j] * m[j]
        for j in range(n):
            dv[j] = d[j] * HALF * expm1(v[j])

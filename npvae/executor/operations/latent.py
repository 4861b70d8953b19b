"""Posterior and prior: by latent dimensions, mu and logvar (Z, B), z and eps (Z, KB)."""

from __future__ import annotations

import numpy as np

from .declare import operation
from .options import fast, floats
from .scalars import HALF, ZERO, exp, expm1, sigmoid, soft_maximum, soft_minimum

f32 = np.float32
BOUNDS = dict(low=-20.0, high=20.0)


@operation(reads=dict(stats="N2F"), writes=dict(mu="NF", logvar="NF"), constants=BOUNDS, cost=0.8)
@fast
def gaussian_heads(stats, mu, logvar, lo, hi, n_items, n, low, high):
    least, most = f32(low), f32(high)
    for i in range(lo, hi):
        centre, raw = floats(stats + 4 * i * n, n), floats(stats + 4 * (n_items + i) * n, n)
        m, v = floats(mu + 4 * i * n, n), floats(logvar + 4 * i * n, n)
        for j in range(n):
            m[j] = centre[j]
        for j in range(n):  # by two loops, of which each has a chain half as long
            v[j] = soft_minimum(raw[j], most)
        for j in range(n):
            v[j] = soft_maximum(v[j], least)


@operation(
    reads=dict(dmu="NF", dlogvar="NF", stats="N2F"),
    writes=dict(d_stats="N2F"),
    constants=BOUNDS,
    cost=0.8,
)
@fast
def gaussian_heads_backward(dmu, dlogvar, stats, d_stats, lo, hi, n_items, n, low, high):
    least, most = f32(low), f32(high)
    for i in range(lo, hi):
        dm, dv = floats(dmu + 4 * i * n, n), floats(dlogvar + 4 * i * n, n)
        raw = floats(stats + 4 * (n_items + i) * n, n)
        out, d_raw = floats(d_stats + 4 * i * n, n), floats(d_stats + 4 * (n_items + i) * n, n)
        for j in range(n):
            out[j] = dm[j]
        for j in range(n):
            d_raw[j] = soft_minimum(raw[j], most)
        for j in range(n):
            d_raw[j] = dv[j] * sigmoid(d_raw[j] - least)
        for j in range(n):
            d_raw[j] *= sigmoid(most - raw[j])


@operation(reads=dict(mu="BF", logvar="BF", eps="KBF"), writes=dict(z="KBF", std="BF"), cost=0.3)
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


@operation(reads=dict(dz="KBF", std="BF", eps="KBF"), writes=dict(dmu="BF", dlogvar="BF"), cost=0.2)
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


@operation(reads=dict(mu="NF", logvar="NF"), writes=dict(kl="NF"), cost=0.3)
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


@operation(
    reads=dict(dkl="NF", mu="NF", logvar="NF"), writes=dict(dmu="NF", dlogvar="NF"), cost=0.3
)
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

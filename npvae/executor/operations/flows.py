"""Flows of z, which lies by feature: (Z, n)."""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, fast, floats, moved
from .scalars import ONE, TWO, ZERO, exp, log1p, tanh

f32 = np.float32
STRETCH, INVERSE = f32(3.0), f32(1 / 3)
"""`kernels.flows.STRETCH`."""


@fast
def _planar_constants(w, u, z_dim):
    """s = w·u, |w|², m = log(1 + exp(s)) - 1, and c = (m - s) / |w|²."""
    along, inwards, s, square = floats(w, z_dim), floats(u, z_dim), 0.0, 0.0
    for i in range(z_dim):
        s += np.float64(along[i]) * inwards[i]
        square += np.float64(along[i]) * along[i]
    m = max(s, 0.0) + math.log1p(math.exp(-abs(s))) - 1.0
    return s, square, m, (m - s) / square


@fast
def _planar_height(z, w, b, z_dim, n, scratch):
    """h (n,) = tanh(w·z + b), at the beginning of the scratch."""
    h, along, shift = floats(scratch, n), floats(w, z_dim), floats(b, 1)[0]
    for j in range(n):
        h[j] = shift
    for i in range(z_dim):
        at, weight = floats(z + 4 * i * n, n), along[i]
        for j in range(n):
            h[j] += weight * at[j]
    for j in range(n):
        h[j] = tanh(h[j])
    return h


@operation(
    reads=dict(z="NF", w="P", u="P", b="P"), writes=dict(out="NF", change="N"), alone=True,
    cost=0.3,
)  # fmt: skip
@fast
def planar(z, w, u, b, out, change, n, n_features, scratch):
    _, _, m, c = _planar_constants(w, u, n_features)
    h, narrow, wide = _planar_height(z, w, b, n_features, n, scratch), f32(m), doubles(change, n)
    for j in range(n):
        wide[j] = -log1p((ONE - h[j] * h[j]) * narrow)
    for i in range(n_features):
        u_hat = f32(floats(u, n_features)[i] + c * floats(w, n_features)[i])
        at, into = floats(z + 4 * i * n, n), floats(out + 4 * i * n, n)
        for j in range(n):
            into[j] = at[j] + h[j] * u_hat


@operation(
    reads=dict(dz="NF", d="N", z="NF", w="P", u="P", b="P"),
    writes=dict(out="NF", dw="P", du="P", db="P"), over=dict(out="dz"), alone=True, cost=0.5,
)  # fmt: skip
@fast
def planar_backward(dz, d, z, w, u, b, out, dw, du, db, n, n_features, scratch):
    s, square, m, c = _planar_constants(w, u, n_features)
    h, da = _planar_height(z, w, b, n_features, n, scratch), floats(scratch + 4 * n, n)
    along, inwards = floats(w, n_features), floats(u, n_features)
    d_along, d_inwards = floats(dw, n_features), floats(du, n_features)
    for j in range(n):
        da[j] = ZERO
    dc = 0.0
    for i in range(n_features):
        gradient, u_hat, total = floats(dz + 4 * i * n, n), f32(inwards[i] + c * along[i]), ZERO
        for j in range(n):
            da[j] += gradient[j] * u_hat
            total += h[j] * gradient[j]
        d_inwards[i] = total
        dc += np.float64(total) * along[i]
    narrow, change, dm, shift = f32(m), doubles(d, n), dc / square, 0.0
    for j in range(n):
        slope, given = ONE - h[j] * h[j], f32(change[j])
        jacobian = slope * (ONE + narrow) + h[j] * h[j]
        da[j] = slope * (da[j] + TWO * given * h[j] * narrow / jacobian)
        dm -= given * slope / jacobian
        shift += da[j]
    floats(db, 1)[0] = f32(shift)
    ds = dm / (1.0 + math.exp(-s)) - dc / square + 0.0 * s  # NaN where s is infinite
    for i in range(n_features):
        at, weight, total = floats(z + 4 * i * n, n), along[i], ZERO
        into = moved(dz + 4 * i * n, out + 4 * i * n, n)
        for j in range(n):
            total += da[j] * at[j]
            into[j] += da[j] * weight
        curved = c * d_inwards[i] + ds * inwards[i] - 2.0 * c * dc / square * weight
        d_along[i] = f32(total + curved)
        d_inwards[i] += f32(ds * weight)


@operation(
    reads=dict(z="NF", shift="NF", raw="NF"), writes=dict(out="NF", change="N"), alone=True,
    cost=0.6,
)  # fmt: skip
@fast
def stretched(z, shift, raw, out, change, n, n_features):
    wide = doubles(change, n)
    for j in range(n):
        wide[j] = 0.0
    for i in range(n_features):
        at, by, given = (
            floats(z + 4 * i * n, n),
            floats(shift + 4 * i * n, n),
            floats(raw + 4 * i * n, n),
        )
        into = floats(out + 4 * i * n, n)
        for j in range(n):
            s = STRETCH * tanh(given[j] * INVERSE)
            into[j] = at[j] * exp(s) + by[j]
            wide[j] -= np.float64(s)


@operation(
    reads=dict(dz="NF", d="N", z="NF", raw="NF"), writes=dict(out="NF", d_raw="NF"),
    alone=True, cost=0.6,
)  # fmt: skip
@fast
def stretched_backward(dz, d, z, raw, out, d_raw, n, n_features):
    change = doubles(d, n)
    for i in range(n_features):
        gradient, at, given = (
            floats(dz + 4 * i * n, n),
            floats(z + 4 * i * n, n),
            floats(raw + 4 * i * n, n),
        )
        into, slope = floats(out + 4 * i * n, n), floats(d_raw + 4 * i * n, n)
        for j in range(n):
            h = tanh(given[j] * INVERSE)
            moved = gradient[j] * exp(STRETCH * h)
            into[j] = moved
            slope[j] = (moved * at[j] - f32(change[j])) * (ONE - h * h)

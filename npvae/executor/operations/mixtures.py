"""A mixture of Gaussians as prior: log p(z), its responsibilities, and the way back.

Means and log-variances lie as parameters do, (M, Z), or by feature, (Z, M): the operands
`by_component` and `by_dimension` are their strides in numbers.
"""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, fast, floats
from .scalars import HALF, ONE, ZERO, exp_negative, log

f32 = np.float32
_LOG_2PI = math.log(2 * math.pi)


@fast
def _log_norm(logits, components):
    """log Σ exp(logits)."""
    top, total = -math.inf, 0.0
    for value in floats(logits, components):
        top = max(top, np.float64(value))
    for value in floats(logits, components):
        total += math.exp(value - top)
    return top + math.log(total)


@operation(
    reads=dict(z="NX", mu="P", logvar="P", logits="P"), writes=dict(log_p="N", r="NX"),
)  # fmt: skip
@fast
def mixture(z, mu, logvar, by_component, by_dimension, logits, log_p, r, lo, hi, z_dim, components,
             n, scratch):  # fmt: skip
    """For columns lo to hi of z (Z, n): r (M, n), in which the components' log-densities stand
    first, and log p (n,)."""
    w, size = hi - lo, z_dim * by_dimension + components * by_component
    centres, logs, log_norm = floats(mu, size), floats(logvar, size), _log_norm(logits, components)
    top, total = floats(scratch, w), floats(scratch + 4 * w, w)
    for m in range(components):
        joint = floats(r + 4 * (m * n + lo), w)
        constant = floats(logits, components)[m] - log_norm - 0.5 * z_dim * _LOG_2PI
        for i in range(z_dim):
            constant -= 0.5 * logs[m * by_component + i * by_dimension]
        for j in range(w):
            joint[j] = f32(constant)
        for i in range(z_dim):
            at, place = floats(z + 4 * (i * n + lo), w), m * by_component + i * by_dimension
            centre, inverse = centres[place], f32(math.exp(-0.5 * logs[place]))
            for j in range(w):
                u = (at[j] - centre) * inverse
                joint[j] -= HALF * u * u
        if m == 0:
            for j in range(w):
                top[j], total[j] = joint[j], ZERO
        for j in range(w):
            top[j] = top[j] if joint[j] <= top[j] else joint[j]
    for m in range(components):
        joint = floats(r + 4 * (m * n + lo), w)
        for j in range(w):
            joint[j] = exp_negative(joint[j] - top[j])
            total[j] += joint[j]
    density = doubles(log_p + 8 * lo, w)
    for j in range(w):
        density[j] = np.float64(top[j]) + np.float64(log(total[j]))
    for m in range(components):
        joint = floats(r + 4 * (m * n + lo), w)
        for j in range(w):
            joint[j] /= total[j]


@operation(
    reads=dict(d="N", z="NF", mu="P", logvar="P", r="NX"),
    writes=dict(dz="NF", dmu="P", dlogvar="P"),
)  # fmt: skip
@fast
def mixture_backward(d, z, mu, logvar, by_component, by_dimension, r, dz, dmu, dlogvar, lo, hi,
                      z_dim, components, n, scratch):  # fmt: skip
    """For dimensions lo to hi: dz (Z, n), dmu and dlogvar as mu lies."""
    size = z_dim * by_dimension + components * by_component
    centres, logs = floats(mu, size), floats(logvar, size)
    d_centres, d_logs = floats(dmu, size), floats(dlogvar, size)
    weights, wide = floats(scratch, n), doubles(d, n)
    for j in range(n):
        weights[j] = f32(wide[j])
    for i in range(lo, hi):
        at, d_at = floats(z + 4 * i * n, n), floats(dz + 4 * i * n, n)
        for j in range(n):
            d_at[j] = ZERO
        for m in range(components):
            share, place = floats(r + 4 * m * n, n), m * by_component + i * by_dimension
            centre, inverse = centres[place], f32(math.exp(-0.5 * logs[place]))
            d_centre = d_log = ZERO
            for j in range(n):
                weight = weights[j] * share[j]
                u = (at[j] - centre) * inverse
                along = weight * u * inverse
                d_at[j] -= along
                d_centre += along
                d_log += HALF * weight * (u * u - ONE)
            d_centres[place], d_logs[place] = d_centre, d_log


@operation(reads=dict(d="N", r="NF", logits="P"), writes=dict(out="F"), cost=0.2)
@fast
def mixture_logits(d, r, logits, out, lo, hi, components, n):
    """Σ d (r_m - w_m), w = softmax(logits), for components lo to hi."""
    wide, own, whole = doubles(d, n), floats(out, hi), 0.0
    log_norm = _log_norm(logits, components)
    for j in range(n):
        whole += wide[j]
    for m in range(lo, hi):
        share, total = floats(r + 4 * m * n, n), 0.0
        for j in range(n):
            total += wide[j] * share[j]
        weight = math.exp(floats(logits, components)[m] - log_norm)
        own[m] = f32(total - weight * whole)

"""Log-densities of z, which importance weighting and priors without a closed-form KL need."""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .densities import FLUSH, add_up
from .elementwise import scale_rows
from .options import doubles, fast, floats
from .scalars import HALF, ONE, ZERO, exp

f32 = np.float32
_LOG_2PI = f32(math.log(2 * math.pi))


@operation(
    reads=dict(z="KBF", mu="BF", logvar="BF"), writes=dict(log_q="KB"), factor=-0.5, cost=0.4,
)  # fmt: skip
@fast
def gaussian_log_prob(z, mu, logvar, partial, lo, hi, samples, batch, thread, scratch):
    """Σ_Z u² + logvar + log 2π,  u = (z - mu) / std."""
    n = samples * batch
    sums, total = floats(scratch, n), doubles(partial + 8 * thread * n, n)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for i in range(lo, hi):
        centre, log = floats(mu + 4 * i * batch, batch), floats(logvar + 4 * i * batch, batch)
        for k in range(samples):
            at, part = (
                floats(z + 4 * (i * n + k * batch), batch),
                floats(scratch + 4 * k * batch, batch),
            )
            for j in range(batch):
                u = (at[j] - centre[j]) * exp(-HALF * log[j])
                part[j] += u * u + log[j] + _LOG_2PI
        if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
            add_up(sums, total, n)


@operation(
    reads=dict(d="KB", z="KBF", mu="BF", logvar="BF"),
    writes=dict(dz="KBF", dmu="BF", dlogvar="BF"), cost=0.5,
)  # fmt: skip
@fast
def gaussian_log_prob_backward(d, z, mu, logvar, dz, dmu, dlogvar, lo, hi, samples, batch, scratch):
    n = samples * batch
    weights, wide = floats(scratch, n), doubles(d, n)
    for j in range(n):
        weights[j] = f32(wide[j])
    for i in range(lo, hi):
        centre, log = floats(mu + 4 * i * batch, batch), floats(logvar + 4 * i * batch, batch)
        d_centre, d_log = floats(dmu + 4 * i * batch, batch), floats(dlogvar + 4 * i * batch, batch)
        for j in range(batch):
            d_centre[j] = d_log[j] = ZERO
        for k in range(samples):
            at, d_at = (
                floats(z + 4 * (i * n + k * batch), batch),
                floats(dz + 4 * (i * n + k * batch), batch),
            )
            weight = floats(scratch + 4 * k * batch, batch)
            for j in range(batch):
                inverse = exp(-HALF * log[j])
                u = (at[j] - centre[j]) * inverse
                along = -weight[j] * u * inverse
                d_at[j] = along
                d_centre[j] -= along
                d_log[j] += HALF * weight[j] * (u * u - ONE)


@operation(reads=dict(z="NF"), writes=dict(log_p="N"), factor=-0.5, cost=0.1)
@fast
def standard_normal_log_prob(z, partial, lo, hi, n, thread, scratch):
    """Σ_Z z² + log 2π."""
    sums, total = floats(scratch, n), doubles(partial + 8 * thread * n, n)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for i in range(lo, hi):
        at = floats(z + 4 * i * n, n)
        for j in range(n):
            sums[j] += at[j] * at[j] + _LOG_2PI
        if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
            add_up(sums, total, n)


@operation(
    reads=dict(log_px="KB", log_pz="KB", log_qz="KB"), writes=dict(shares="KB"), alone=True,
)  # fmt: skip
@fast
def importance_weights(log_px, log_pz, log_qz, shares, samples, batch):
    """w / Σ_K w of each row, with log w = log_px + log_pz - log_qz."""
    n = samples * batch
    px, pz, qz, w = doubles(log_px, n), doubles(log_pz, n), doubles(log_qz, n), doubles(shares, n)
    for b in range(batch):
        top, total = -math.inf, 0.0
        for j in range(b, n, batch):
            w[j] = px[j] + pz[j] - qz[j]
            top = w[j] if not w[j] <= top else top  # NaN is kept
        for j in range(b, n, batch):
            w[j] = math.exp(w[j] - top)
            total += w[j]
        for j in range(b, n, batch):
            w[j] /= total


operation(
    "standard_normal_log_prob_backward", reads=dict(d="N", r="NF"), writes=dict(out="NF"),
    over=dict(out="r"), constants=dict(factor=-1.0), cost=0.1,
)(scale_rows)  # fmt: skip

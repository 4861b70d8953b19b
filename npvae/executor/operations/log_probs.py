"""Log-densities of z, which importance weighting and priors without a closed-form KL need."""

from __future__ import annotations

import math

import numpy as np

from .densities import FLUSH, add_up
from .libraries import Library
from .options import doubles, fast, floats, longs
from .scalars import HALF, ONE, ZERO, exp

f32 = np.float32
_LOG_2PI = f32(math.log(2 * math.pi))


@fast
def _gaussian_log_prob(z, mu, logvar, partial, lo, hi, samples, batch, scratch):
    """Σ_Z u² + logvar + log 2π,  u = (z - mu) / std."""
    n = samples * batch
    sums, total = floats(scratch, n), doubles(partial, n)
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


@fast
def _gaussian_log_prob_backward(
    d, z, mu, logvar, dz, dmu, dlogvar, lo, hi, samples, batch, scratch
):
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


@fast
def _standard_log_prob(z, partial, lo, hi, n, scratch):
    """Σ_Z z² + log 2π."""
    sums, total = floats(scratch, n), doubles(partial, n)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for i in range(lo, hi):
        at = floats(z + 4 * i * n, n)
        for j in range(n):
            sums[j] += at[j] * at[j] + _LOG_2PI
        if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
            add_up(sums, total, n)


def _library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, 9)
        if code == 0:
            part = p[3] + 8 * thread * p[4] * p[5]
            _gaussian_log_prob(p[0], p[1], p[2], part, lo, hi, p[4], p[5], scratch)
        elif code == 1:
            _gaussian_log_prob_backward(
                p[0], p[1], p[2], p[3], p[4], p[5], p[6], lo, hi, p[7], p[8], scratch
            )
        else:
            _standard_log_prob(p[0], p[1] + 8 * thread * p[2], lo, hi, p[2], scratch)

    return perform


LIBRARY = Library(
    {
        "gaussian_log_prob": ("z", "mu", "logvar", "partial", "samples", "batch"),
        "gaussian_log_prob_backward": (
            "d", "z", "mu", "logvar", "dz", "dmu", "dlogvar", "samples", "batch",
        ),
        "standard_log_prob": ("z", "partial", "n"),
    },
    _library,
)  # fmt: skip

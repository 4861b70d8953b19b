"""The ends of a step: the objectives, the check of the loss, the gradient's norm, and Adam.

The rows' weights (B,) are float32 by feature, or where their address is 0, all 1.
"""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, exact, fast, floats
from .scalars import ZERO

f32 = np.float32
_TINY = np.finfo(np.float32).tiny


@fast
def weight_of(weights, b):
    """A row's weight."""
    return 1.0 if weights == 0 else np.float64(floats(weights, b + 1)[b])


@operation(reads=dict(log_px="KB", weights="B"), writes=dict(rec="1", d_log_px="KB"), alone=True)
@fast
def mean_loss(log_px, d_log_px, rec, samples, batch, weights):
    """rec = -mean log p, and its gradient; K·B numbers, the samples apart by B."""
    n, total = samples * batch, 0.0
    for k in range(samples):
        at = 8 * k * batch
        density, d = doubles(log_px + at, batch), doubles(d_log_px + at, batch)
        for b in range(batch):
            weight = weight_of(weights, b)
            total += weight * density[b]
            d[b] = -weight / n
    doubles(rec, 1)[0] = -total / n


@operation(
    reads=dict(kl="KBF", weights="B"), writes=dict(out="1", d_kl="KBF"),
    constants=dict(free_bits=0.0, group=1.0), alone=True,
)  # fmt: skip
@fast
def kl_loss(kl, d_kl, out, n_features, samples, batch, weights, beta, free_bits, group):
    """Σ max(mean kl of a group, free bits), and beta times its gradient; the samples apart by B."""
    n, whole = samples * batch, 0.0
    size = int(group) if group > 0 else n_features
    for first in range(0, n_features, size):
        last, mean = min(first + size, n_features), 0.0
        for i in range(first, last):
            total = 0.0
            for k in range(samples):
                per_row = floats(kl + 4 * (i * n + k * batch), batch)
                for b in range(batch):
                    total += weight_of(weights, b) * per_row[b]
            mean += total / n
        free = free_bits > 0 and mean < free_bits
        whole += free_bits if free else mean
        slope = 0.0 if free else beta / n
        for i in range(first, last):
            for k in range(samples):
                d = floats(d_kl + 4 * (i * n + k * batch), batch)
                for b in range(batch):
                    d[b] = f32(slope * weight_of(weights, b))
    doubles(out, 1)[0] = whole


@operation(
    reads=dict(log_qz="KB", log_pz="KB", weights="B"),
    writes=dict(out="1", d_log_qz="KB", d_log_pz="KB"), constants=dict(free_bits=0.0), alone=True,
)  # fmt: skip
@fast
def sampled_kl_loss(
    log_qz, log_pz, out, d_log_qz, d_log_pz, samples, batch, weights, beta, free_bits
):  # fmt: skip
    """mean (log q - log p), or free bits, and beta times its gradients; K·B numbers each."""
    n, total = samples * batch, 0.0
    for k in range(samples):
        at = 8 * k * batch
        qz, pz = doubles(log_qz + at, batch), doubles(log_pz + at, batch)
        for b in range(batch):
            total += weight_of(weights, b) * (qz[b] - pz[b])
    mean = total / n
    free = free_bits > 0 and mean < free_bits
    doubles(out, 1)[0] = free_bits if free else mean
    slope = 0.0 if free else beta
    for k in range(samples):
        at = 8 * k * batch
        d_qz, d_pz = doubles(d_log_qz + at, batch), doubles(d_log_pz + at, batch)
        for b in range(batch):
            d_qz[b] = slope * weight_of(weights, b) / n
            d_pz[b] = -d_qz[b]


@operation(reads=dict(rec="1", kl="1"), writes=dict(out="1"), alone=True)
@fast
def weighted_loss(rec, kl, out, beta):
    doubles(out, 1)[0] = doubles(rec, 1)[0] + beta * doubles(kl, 1)[0]


@operation(
    reads=dict(log_px="KB", log_pz="KB", log_qz="KB", weights="B"),
    writes=dict(loss="1", rec="1", kl="1", d_log_px="KB", d_log_qz="KB"), alone=True,
)  # fmt: skip
@fast
def iwae(
    log_px, log_pz, log_qz, loss, rec, kl, d_log_px, d_log_qz, samples, batch, weights
):  # fmt: skip
    """-log 1/K Σ w, and the gradients of its terms; K·B numbers each, the samples apart by B."""
    px, pz, qz = (
        doubles(log_px, samples * batch),
        doubles(log_pz, samples * batch),
        doubles(log_qz, samples * batch),
    )
    d_px, d_qz = doubles(d_log_px, samples * batch), doubles(d_log_qz, samples * batch)
    bound, density = 0.0, 0.0
    for b in range(batch):
        weight, top = weight_of(weights, b), -math.inf
        for j in range(b, samples * batch, batch):
            d_px[j] = px[j] + pz[j] - qz[j]
            density += weight * px[j]
            top = d_px[j] if not d_px[j] <= top else top  # NaN is kept
        shift = top if math.isfinite(top) else 0.0
        total = 0.0
        for j in range(b, samples * batch, batch):
            total += math.exp(d_px[j] - shift)
        row = math.log(total / samples) + shift
        bound += weight * row
        for j in range(b, samples * batch, batch):
            d_px[j] = -weight * math.exp(d_px[j] - row) / (samples * batch)
            d_qz[j] = -d_px[j]
    doubles(loss, 1)[0] = -bound / batch
    doubles(rec, 1)[0] = -density / (samples * batch)
    doubles(kl, 1)[0] = doubles(loss, 1)[0] - doubles(rec, 1)[0]


@operation(
    reads=dict(log_px="KB", log_pz="KB", log_qz="KB", weights="B"),
    writes=dict(loss="1", rec="1", kl="1", d_log_px="KB", d_log_qz="KB"), alone=True,
    constants=dict(power=1.0, groups=1.0, share=0.0),
)  # fmt: skip
@fast
def power_means(
    log_px, log_pz, log_qz, loss, rec, kl, d_log_px, d_log_qz, samples, batch, weights, power,
    groups, share,
):  # fmt: skip
    """-log of the power mean of w, the mean over groups, and the gradients of its terms."""
    n, members = samples * batch, samples // int(groups)
    px, pz, qz = doubles(log_px, n), doubles(log_pz, n), doubles(log_qz, n)
    d_px, d_qz = doubles(d_log_px, n), doubles(d_log_qz, n)
    bound, middle, density = 0.0, 0.0, 0.0
    for b in range(batch):
        weight = weight_of(weights, b)
        for first in range(b, n, members * batch):
            last = first + members * batch
            for j in range(first, last, batch):
                d_px[j] = px[j] + pz[j] - qz[j]
                density += weight * px[j]
                middle += weight * d_px[j]
            if math.isinf(power):
                bound += weight * _only_best(d_px, first, last, batch, power > 0)
            else:
                bound += weight * _log_power_mean(d_px, first, last, batch, power)
            for j in range(first, last, batch):
                slope = share / samples + (1 - share) / int(groups) * d_px[j]
                d_px[j] = -weight * slope / batch
                d_qz[j] = -d_px[j]
    whole = bound / int(groups)
    if share > 0:  # else the mean may be infinite
        whole = share * middle / samples + (1 - share) * whole
    doubles(loss, 1)[0] = -whole / batch
    doubles(rec, 1)[0] = -density / n
    doubles(kl, 1)[0] = doubles(loss, 1)[0] - doubles(rec, 1)[0]


@fast
def _log_power_mean(w, first, last, step, power):
    """The log of the power mean of the exp(w), in whose place its slopes are left."""
    members, total = (last - first) // step, 0.0
    if power == 0:
        for j in range(first, last, step):
            total += w[j]
            w[j] = 1 / members
        return total / members
    for j in range(first, last, step):
        w[j] *= power
    top = -math.inf
    for j in range(first, last, step):
        top = w[j] if not w[j] <= top else top  # NaN is kept
    shift = top if math.isfinite(top) else 0.0
    for j in range(first, last, step):
        total += math.expm1(w[j] - shift)
    mean = total / members
    for j in range(first, last, step):
        w[j] = math.exp(w[j] - shift) / (members * (1 + mean))
    return (shift + math.log1p(mean)) / power


@fast
def _only_best(w, first, last, step, largest):
    """The largest or the smallest w, in whose places their slopes are left."""
    at = first
    for j in range(first, last, step):
        if (w[j] > w[at] if largest else w[j] < w[at]) or w[j] != w[j]:
            at = j
    best = w[at]
    for j in range(first, last, step):
        w[j] = 1.0 if j == at else 0.0
    return best


@operation(reads=dict(value="N"), alone=True)
@fast
def report(value, n, column, losses):
    """Write down n numbers that `check` has no operand for."""
    numbers, row = doubles(value, n), doubles(losses, column + n)
    for j in range(n):
        row[column + j] = numbers[j]


@operation(reads=dict(loss="1", second="1", third="1"), alone=True, ends=True)
@fast
def check(loss, second, third, losses):
    """Write down the loss that is minimised and up to two more; False where it is not finite."""
    row = doubles(losses, 3)
    row[0] = doubles(loss, 1)[0]
    if second != 0:
        row[1] = doubles(second, 1)[0]
    if third != 0:
        row[2] = doubles(third, 1)[0]
    return math.isfinite(row[0])


@operation(reads=dict(g="F"), cost=0.05)
@fast
def norm(g, partial, lo, hi, thread, sharing):
    """This thread's share of Σ g²."""
    doubles(partial, sharing)[thread] = square_sum(g, lo, hi)


@fast
def _clip(partial, parts, most):
    """What Adam multiplies the gradient by: 1, or what cuts its norm to `most`; NaN says stop."""
    total = 0.0
    for square in doubles(partial, parts):
        total += square
    if math.isinf(most):
        return 1.0 if math.isfinite(f32(total)) else math.nan
    norm = math.sqrt(total)
    if not math.isfinite(norm):
        return math.nan
    return np.float64(f32(most / norm)) if norm > most else 1.0


@fast
def square_sum(g, lo, hi):
    """Σ g² in float64."""
    numbers, total = floats(g + 4 * lo, hi - lo), 0.0
    for j in range(hi - lo):
        wide = np.float64(numbers[j])
        total += wide * wide
    return total


@operation(
    reads=dict(theta="F", g="F", m="F", v="F"), writes=dict(theta="F", m="F", v="F"),
    constants=dict(beta1=0.9, beta2=0.999, eps=1e-8, most=math.inf), cost=0.2, ends=True,
)  # fmt: skip
@exact
def adam(
    theta, g, m, v, partial, parts, lo, hi, step_size, beta1, beta2, eps, root, decay, most
):  # fmt: skip
    """`kernels.adam` for numbers lo to hi, of the gradient cut to the norm `most`; False, and
    nothing is changed, where the gradient is not finite."""
    clip = _clip(partial, parts, most)
    if math.isnan(clip):
        return False
    size = hi - lo
    weights, gradient = floats(theta + 4 * lo, size), floats(g + 4 * lo, size)
    first, second = floats(m + 4 * lo, size), floats(v + 4 * lo, size)
    rest1, rest2 = f32(1 - beta1), f32(1 - beta2)  # before rounding: 1 - 0.999 cancels
    keep1, keep2 = f32(beta1), f32(beta2)
    rate, small, inverse_root, shrink = f32(step_size), f32(eps), f32(1 / root), f32(decay)
    scale = f32(clip)
    for i in range(size):
        gi = gradient[i] * scale
        mi = keep1 * first[i] + rest1 * gi
        vi = keep2 * second[i] + rest2 * gi * gi
        mi = ZERO if abs(mi) < _TINY else mi
        vi = ZERO if vi < _TINY else vi
        first[i], second[i] = mi, vi
        weights[i] -= shrink * weights[i] + rate * mi / (math.sqrt(vi) * inverse_root + small)
    return True

"""Codes: relaxed draws, KLs and log-probabilities, by variables of classes or by dimensions."""

from __future__ import annotations

import math

import numpy as np

from .activations import normal_cdf
from .declare import operation
from .densities import FLUSH, add_up
from .options import doubles, exact, fast, floats
from .scalars import HALF, ONE, ZERO, exp, exp_negative, expm1, log, log1p, sigmoid, softplus

f32 = np.float32


@exact
def _exponential(eps):
    """-log Φ(eps)."""
    tail = normal_cdf(-abs(eps))
    return -log(tail) if eps < ZERO else -log1p(-tail)


@exact
def _divergence(t):
    """exp(t) t - exp(t) + 1."""
    return exp(t) * t - expm1(t)


@fast
def _largest(a, top, classes, stride, n):
    """Of `classes` rows of n, the first at `a`: the largest in each place."""
    for c in range(classes):
        row = floats(a + c * stride, n)
        for j in range(n):
            top[j] = row[j] if c == 0 or not row[j] <= top[j] else top[j]


@fast
def _shifted(a, top, classes, stride, n):
    """The largest in each place, as `_largest` has it, is taken from all."""
    _largest(a, top, classes, stride, n)
    for c in range(classes):
        row = floats(a + c * stride, n)
        for j in range(n):
            row[j] -= top[j]


@operation(reads=dict(logits="NF"), writes=dict(log_q="NF"), cost=1.0)
@fast
def class_log_probs(logits, log_q, lo, hi, n, classes, scratch):
    """Variables lo to hi."""
    top, norm = floats(scratch, n), floats(scratch + 4 * n, n)
    for i in range(lo * classes, hi * classes):
        given, out = floats(logits + 4 * i * n, n), floats(log_q + 4 * i * n, n)
        for j in range(n):
            out[j] = given[j]
    for v in range(lo, hi):
        first = log_q + 4 * v * classes * n
        _shifted(first, top, classes, 4 * n, n)
        for j in range(n):
            norm[j] = ZERO
        for c in range(classes):
            out = floats(first + 4 * c * n, n)
            for j in range(n):
                norm[j] += exp_negative(out[j])
        for j in range(n):
            norm[j] = log(norm[j])
        for c in range(classes):
            out = floats(first + 4 * c * n, n)
            for j in range(n):
                out[j] -= norm[j]


@operation(reads=dict(d="NF", log_q="NF"), writes=dict(da="NF"), cost=0.6)
@fast
def class_log_probs_backward(d, log_q, da, lo, hi, n, classes, scratch):
    total = floats(scratch, n)
    for v in range(lo, hi):
        for j in range(n):
            total[j] = ZERO
        for i in range(v * classes, (v + 1) * classes):
            given = floats(d + 4 * i * n, n)
            for j in range(n):
                total[j] += given[j]
        for i in range(v * classes, (v + 1) * classes):
            given, own = floats(d + 4 * i * n, n), floats(log_q + 4 * i * n, n)
            out = floats(da + 4 * i * n, n)
            for j in range(n):
                out[j] = given[j] - exp(own[j]) * total[j]


@operation(
    reads=dict(log_q="BF", eps="KBF"), writes=dict(z="KBF"), constants=dict(temperature=1.0),
    cost=15.0,
)  # fmt: skip
@fast
def gumbel_softmax(log_q, eps, z, lo, hi, samples, batch, classes, temperature, scratch):
    """Variables lo to hi."""
    top, norm = floats(scratch, batch), floats(scratch + 4 * batch, batch)
    inverse, stride = f32(1 / temperature), 4 * samples * batch
    for v in range(lo, hi):
        for k in range(samples):
            first = 4 * (v * classes * samples + k) * batch
            for c in range(classes):
                noise = floats(eps + first + c * stride, batch)
                own = floats(log_q + 4 * (v * classes + c) * batch, batch)
                out = floats(z + first + c * stride, batch)
                for j in range(batch):
                    out[j] = _exponential(noise[j])
                for j in range(batch):
                    out[j] = (own[j] - log(out[j])) * inverse
            _shifted(z + first, top, classes, stride, batch)
            for j in range(batch):
                norm[j] = ZERO
            for c in range(classes):
                out = floats(z + first + c * stride, batch)
                for j in range(batch):
                    out[j] = exp_negative(out[j])
                    norm[j] += out[j]
            for c in range(classes):
                out = floats(z + first + c * stride, batch)
                for j in range(batch):
                    out[j] /= norm[j]


@operation(
    reads=dict(dz="KBF", z="KBF", log_q="BF"), writes=dict(d_log_q="BF"),
    constants=dict(temperature=1.0), cost=0.6,
)  # fmt: skip
@fast
def gumbel_softmax_backward(
    dz, z, log_q, d_log_q, lo, hi, samples, batch, classes, temperature, scratch
):
    total, inverse = floats(scratch, batch), f32(1 / temperature)
    stride = 4 * samples * batch
    for i in range(lo * classes, hi * classes):
        out = floats(d_log_q + 4 * i * batch, batch)
        for j in range(batch):
            out[j] = ZERO
    for v in range(lo, hi):
        for k in range(samples):
            first = 4 * (v * classes * samples + k) * batch
            for j in range(batch):
                total[j] = ZERO
            for c in range(classes):
                at = first + c * stride
                d, share = floats(dz + at, batch), floats(z + at, batch)
                for j in range(batch):
                    total[j] += share[j] * d[j]
            for c in range(classes):
                at = first + c * stride
                d, share = floats(dz + at, batch), floats(z + at, batch)
                out = floats(d_log_q + 4 * (v * classes + c) * batch, batch)
                for j in range(batch):
                    out[j] += share[j] * (d[j] - total[j]) * inverse


@operation(reads=dict(z="NF"), writes=dict(hot="NF"), cost=0.4)
@fast
def likeliest_class(z, hot, lo, hi, n, classes, scratch):
    """Variables lo to hi."""
    top, taken = floats(scratch, n), floats(scratch + 4 * n, n)
    for v in range(lo, hi):
        for j in range(n):
            taken[j] = ZERO
        _largest(z + 4 * v * classes * n, top, classes, 4 * n, n)
        for i in range(v * classes, (v + 1) * classes):
            share, out = floats(z + 4 * i * n, n), floats(hot + 4 * i * n, n)
            for j in range(n):
                first = share[j] == top[j] and taken[j] == ZERO
                out[j] = (ONE if first else ZERO) + ZERO * share[j]
                taken[j] = ONE if first else taken[j]


@operation(reads=dict(log_q="NX"), writes=dict(kl="NF"), cost=1.0)
@fast
def categorical_kl(log_q, kl, lo, hi, n, classes):
    """Variables lo to hi."""
    shift, share = f32(math.log(classes)), f32(1 / classes)
    for v in range(lo, hi):
        out = floats(kl + 4 * v * n, n)
        for j in range(n):
            out[j] = ZERO
        for i in range(v * classes, (v + 1) * classes):
            own = floats(log_q + 4 * i * n, n)
            for j in range(n):
                out[j] += _divergence(own[j] + shift) * share


@operation(reads=dict(dkl="NF", log_q="NX"), writes=dict(d_log_q="NX"), cost=0.6)
@fast
def categorical_kl_backward(dkl, log_q, d_log_q, lo, hi, n, classes):
    shift = f32(math.log(classes))
    for v in range(lo, hi):
        d = floats(dkl + 4 * v * n, n)
        for i in range(v * classes, (v + 1) * classes):
            own, out = floats(log_q + 4 * i * n, n), floats(d_log_q + 4 * i * n, n)
            for j in range(n):
                out[j] = d[j] * exp(own[j]) * (own[j] + shift)


@operation(
    reads=dict(logits="BF", eps="KBF"), writes=dict(z="KBF"), constants=dict(temperature=1.0),
    cost=15.0,
)  # fmt: skip
@fast
def binary_concrete(logits, eps, z, lo, hi, samples, batch, temperature):
    inverse = f32(1 / temperature)
    for i in range(lo, hi):
        own = floats(logits + 4 * i * batch, batch)
        for k in range(samples):
            at = 4 * (i * samples + k) * batch
            noise, out = floats(eps + at, batch), floats(z + at, batch)
            for j in range(batch):
                out[j] = _exponential(-noise[j]) - _exponential(noise[j])
            for j in range(batch):
                out[j] = sigmoid((own[j] + out[j]) * inverse)


@operation(
    reads=dict(dz="KBF", z="KBF", logits="BF"), writes=dict(d_logits="BF"),
    constants=dict(temperature=1.0), cost=0.3,
)  # fmt: skip
@fast
def binary_concrete_backward(dz, z, logits, d_logits, lo, hi, samples, batch, temperature):
    inverse = f32(1 / temperature)
    for i in range(lo, hi):
        out = floats(d_logits + 4 * i * batch, batch)
        for j in range(batch):
            out[j] = ZERO
        for k in range(samples):
            at = 4 * (i * samples + k) * batch
            d, share = floats(dz + at, batch), floats(z + at, batch)
            for j in range(batch):
                out[j] += d[j] * share[j] * (ONE - share[j]) * inverse


@operation(reads=dict(z="NF"), writes=dict(hot="NF"), cost=0.1)
@fast
def likelier_side(z, hot, lo, hi, n):
    for i in range(lo, hi):
        share, out = floats(z + 4 * i * n, n), floats(hot + 4 * i * n, n)
        for j in range(n):
            out[j] = (ONE if share[j] > HALF else ZERO) + ZERO * share[j]


@operation(reads=dict(logits="NF"), writes=dict(kl="NF"), constants=dict(prior_logit=0.0), cost=1.0)
@fast
def bernoulli_kl(logits, kl, lo, hi, n, prior_logit):
    log_p = f32(-math.log1p(math.exp(-abs(prior_logit))) - max(-prior_logit, 0.0))
    log_rest = f32(-math.log1p(math.exp(-abs(prior_logit))) - max(prior_logit, 0.0))
    p, rest = f32(math.exp(log_p)), f32(math.exp(log_rest))
    for i in range(lo, hi):
        own, out = floats(logits + 4 * i * n, n), floats(kl + 4 * i * n, n)
        for j in range(n):
            out[j] = p * _divergence(-softplus(-own[j]) - log_p)
        for j in range(n):
            out[j] += rest * _divergence(-softplus(own[j]) - log_rest)


@operation(
    reads=dict(dkl="NF", logits="NF"), writes=dict(d_logits="NF"),
    constants=dict(prior_logit=0.0), cost=0.4,
)  # fmt: skip
@fast
def bernoulli_kl_backward(dkl, logits, d_logits, lo, hi, n, prior_logit):
    at_prior = f32(prior_logit)
    for i in range(lo, hi):
        d, own = floats(dkl + 4 * i * n, n), floats(logits + 4 * i * n, n)
        out = floats(d_logits + 4 * i * n, n)
        for j in range(n):
            out[j] = d[j] * sigmoid(own[j]) * sigmoid(-own[j]) * (own[j] - at_prior)


@operation(reads=dict(z="KBF", log_q="BF"), writes=dict(log_p="KB"), cost=0.2)
@fast
def code_log_prob(z, log_q, partial, lo, hi, samples, batch, thread, scratch):
    """Σ_Z z log q."""
    n = samples * batch
    sums, total = floats(scratch, n), doubles(partial + 8 * thread * n, n)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for i in range(lo, hi):
        own = floats(log_q + 4 * i * batch, batch)
        for k in range(samples):
            at = floats(z + 4 * (i * n + k * batch), batch)
            part = floats(scratch + 4 * k * batch, batch)
            for j in range(batch):
                part[j] += at[j] * own[j]
        if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
            add_up(sums, total, n)


@operation(reads=dict(d="KB", z="KBF", log_q="BF"), writes=dict(d_log_q="BF"), cost=0.2)
@fast
def code_log_prob_backward(d, z, log_q, d_log_q, lo, hi, samples, batch):
    """Of codes that are constants, whose gradient nobody asks for."""
    for i in range(lo, hi):
        out = floats(d_log_q + 4 * i * batch, batch)
        for j in range(batch):
            out[j] = ZERO
        for k in range(samples):
            at = floats(z + 4 * (i * samples + k) * batch, batch)
            wide = doubles(d + 8 * k * batch, batch)
            for j in range(batch):
                out[j] += f32(wide[j]) * at[j]


@operation(reads=dict(z="KBF", logits="BF"), writes=dict(log_p="KB"), cost=0.4)
@fast
def bernoulli_code_log_prob(z, logits, partial, lo, hi, samples, batch, thread, scratch):
    """Σ_Z z logit - log(1 + exp(logit))."""
    n = samples * batch
    sums, total = floats(scratch, n), doubles(partial + 8 * thread * n, n)
    none = floats(scratch + 4 * n, batch)
    for j in range(n):
        sums[j], total[j] = ZERO, 0.0
    for i in range(lo, hi):
        own = floats(logits + 4 * i * batch, batch)
        for j in range(batch):
            none[j] = softplus(own[j])
        for k in range(samples):
            at = floats(z + 4 * (i * n + k * batch), batch)
            part = floats(scratch + 4 * k * batch, batch)
            for j in range(batch):
                part[j] += at[j] * own[j] - none[j]
        if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
            add_up(sums, total, n)


@operation(reads=dict(d="KB", z="KBF", logits="BF"), writes=dict(d_logits="BF"), cost=0.2)
@fast
def bernoulli_code_log_prob_backward(d, z, logits, d_logits, lo, hi, samples, batch, scratch):
    """As `code_log_prob_backward`."""
    ones = floats(scratch, batch)
    for i in range(lo, hi):
        own, out = floats(logits + 4 * i * batch, batch), floats(d_logits + 4 * i * batch, batch)
        for j in range(batch):
            ones[j], out[j] = sigmoid(own[j]), ZERO
        for k in range(samples):
            at = floats(z + 4 * (i * samples + k) * batch, batch)
            wide = doubles(d + 8 * k * batch, batch)
            for j in range(batch):
                out[j] += f32(wide[j]) * (at[j] - ones[j])


@operation(alone=True)
@fast
def mean_over_codes(log_px, log_q, out, samples, batch):
    """Σ_K exp(log_q) log_px of each row."""
    n = samples * batch
    each, share, mean = doubles(log_px, n), doubles(log_q, n), doubles(out, batch)
    for j in range(batch):
        mean[j] = 0.0
    for k in range(samples):
        for j in range(batch):
            mean[j] += math.exp(share[k * batch + j]) * each[k * batch + j]


@operation(alone=True)
@fast
def mean_over_codes_backward(d, log_px, log_q, d_log_px, d_log_q, samples, batch):
    n = samples * batch
    each, share, given = doubles(log_px, n), doubles(log_q, n), doubles(d, batch)
    d_each, d_share = doubles(d_log_px, n), doubles(d_log_q, n)
    for k in range(samples):
        for j in range(batch):
            at = k * batch + j
            d_each[at] = math.exp(share[at]) * given[j]
            d_share[at] = d_each[at] * each[at]

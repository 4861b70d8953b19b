"""What is computed for each class of a label, and summed over them.

Of L = K·C copies, number l has class l modulo C. By feature, copies of B rows lie side by side:
(F, L·B). Labels and logits are (C, B).
"""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, fast, floats
from .scalars import ONE, ZERO, exp_negative, log

f32 = np.float32


@operation()
@fast
def for_each_class(source, weight, out, lo, hi, n, times, at, stride):
    """Rows of the source, (F, n), `times` over, and to each added a class's weight.

    Row i of the weights, so many numbers long as the `stride` says, has them from `at` on.
    """
    n_classes = stride - at
    for i in range(lo, hi):
        row, own = floats(source + 4 * i * n, n), floats(weight + 4 * (i * stride + at), n_classes)
        for k in range(times):
            copy, shift = floats(out + 4 * (i * times + k) * n, n), own[k % n_classes]
            for j in range(n):
                copy[j] = row[j] + shift


@operation()
@fast
def sum_of_each_class(source, out, lo, hi, n, times, at, stride):
    """The gradient of the classes' weights in `for_each_class`."""
    n_classes = stride - at
    for i in range(lo, hi):
        own = floats(out + 4 * (i * stride + at), n_classes)
        for c in range(n_classes):
            own[c] = ZERO
        for k in range(times):
            row, total = floats(source + 4 * (i * times + k) * n, n), ZERO
            for j in range(n):
                total += row[j]
            own[k % n_classes] += total


@fast
def _log_shares(logits, log_q, n_classes, batch, top, norm):
    """log softmax of the logits, (C, B)."""
    for j in range(batch):
        top[j], norm[j] = logits[j], ZERO
    for c in range(1, n_classes):
        for j in range(batch):
            number = logits[c * batch + j]
            top[j] = top[j] if number <= top[j] else number
    for c in range(n_classes):
        for j in range(batch):
            log_q[c * batch + j] = logits[c * batch + j] - top[j]
    for c in range(n_classes):
        for j in range(batch):
            norm[j] += exp_negative(log_q[c * batch + j])
    for j in range(batch):
        norm[j] = log(norm[j])
    for c in range(n_classes):
        for j in range(batch):
            log_q[c * batch + j] -= norm[j]


@fast
def _unknown(known, n_classes, batch, unknown):
    for j in range(batch):
        unknown[j] = ONE
    for c in range(n_classes):
        for j in range(batch):
            unknown[j] -= known[c * batch + j]


@fast
def _mean_log_share(logits, known, unknown, n_classes, batch, j):
    """Σ r log q of row j, in float64: where classes are nearly alike, log C all but cancels it."""
    top, norm, total = logits[j], 0.0, 0.0
    for c in range(1, n_classes):
        top = max(top, logits[c * batch + j])
    for c in range(n_classes):
        norm += math.exp(np.float64(logits[c * batch + j]) - top)
    log_norm = math.log(norm)
    for c in range(n_classes):
        log_q = np.float64(logits[c * batch + j]) - top - log_norm
        total += (known[c * batch + j] + unknown * math.exp(log_q)) * log_q
    return total


@fast
def _shares(log_q, label, unknown, r, n_classes, batch):
    """How much each class counts: the known label's 1, or q where it is not known."""
    for c in range(n_classes):
        for j in range(batch):
            at = c * batch + j
            r[at] = label[at] + unknown[j] * exp_negative(log_q[at])


@fast
def _mean_of_kl(kl, r, out, n_classes, batch, rows):
    """Σ_C r KL of each number of each level's KL, (rows, C·B), to (rows, B)."""
    for at in range(rows):
        mean = floats(out + 4 * at * batch, batch)
        each = floats(kl + 4 * at * n_classes * batch, n_classes * batch)
        for j in range(batch):
            mean[j] = ZERO
        for c in range(n_classes):
            for j in range(batch):
                mean[j] += each[c * batch + j] * r[c * batch + j]


@operation(constants=dict(alpha=0.1))
@fast
def over_labels(
    log_px, kl, logits, known, of_x, out, samples, n_classes, batch, n_features, scratch, alpha
):
    """`of_x`: Σ_C r log p(x) + alpha log q(label); `out`: Σ_C r KL, at its end the label's KL."""
    labels = n_classes * batch
    log_q, r = floats(scratch, labels), floats(scratch + 4 * labels, labels)
    more = scratch + 8 * labels
    unknown, own = floats(more, batch), floats(more + 4 * batch, batch)
    label, given = floats(known, labels), doubles(log_px, samples * labels)
    _log_shares(floats(logits, labels), log_q, n_classes, batch, unknown, own)
    _unknown(label, n_classes, batch, unknown)
    _shares(log_q, label, unknown, r, n_classes, batch)
    for j in range(batch):
        own[j] = ZERO
    for c in range(n_classes):
        for j in range(batch):
            own[j] += label[c * batch + j] * log_q[c * batch + j]
    total, narrow = doubles(of_x, samples * batch), f32(alpha)
    for k in range(samples):
        for j in range(batch):
            total[k * batch + j] = own[j] * narrow
        for c in range(n_classes):
            for j in range(batch):
                total[k * batch + j] += given[(k * n_classes + c) * batch + j] * r[c * batch + j]
    _mean_of_kl(kl, r, out, n_classes, batch, n_features * samples)
    of_label = floats(out + 4 * n_features * samples * batch, samples * batch)
    least = math.log(n_classes)
    for j in range(batch):
        mean = _mean_log_share(floats(logits, labels), label, unknown[j], n_classes, batch, j)
        for k in range(samples):
            of_label[k * batch + j] = f32(mean * unknown[j] + least)


@fast
def _from_log_px(d_x, log_px, r, into, dq, samples, n_classes, batch):
    """The gradient of each class's log p(x), and what it brings to q's."""
    for k in range(samples):
        for c in range(n_classes):
            for j in range(batch):
                at, d = (k * n_classes + c) * batch + j, d_x[k * batch + j]
                into[at] = d * r[c * batch + j]
                dq[c * batch + j] += f32(d * log_px[at])  # (4)


@fast
def _from_kl(d_kl, kl, r, into, dq, n_classes, batch, rows):
    """The gradient of each class's KL, and what it brings to q's."""
    labels = n_classes * batch
    for at in range(rows):
        d = floats(d_kl + 4 * at * batch, batch)
        each, own = floats(kl + 4 * at * labels, labels), floats(into + 4 * at * labels, labels)
        for c in range(n_classes):
            for j in range(batch):
                own[c * batch + j] = d[j] * r[c * batch + j]
                dq[c * batch + j] += d[j] * each[c * batch + j]


@fast
def _from_shares(dq, q, unknown, mean, n_classes, batch):
    """The gradient of the logits by way of q, in the place of q's."""
    for j in range(batch):
        mean[j] = ZERO
    for c in range(n_classes):
        for j in range(batch):
            at = c * batch + j
            dq[at] *= unknown[j]  # (5)
            mean[j] += q[at] * dq[at]
    for c in range(n_classes):
        for j in range(batch):
            dq[c * batch + j] = q[c * batch + j] * (dq[c * batch + j] - mean[j])  # (6)


@operation(constants=dict(alpha=0.1))
@fast
def over_labels_backward(
    d_log_px, d_kl, log_px, kl, logits, known, d_each, d_each_kl, d_logits, samples, n_classes,
    batch, n_features, scratch, alpha,
):  # fmt: skip
    """The numbers in parentheses are lines of `SemiSupervisedVAE`."""
    labels, rows = n_classes * batch, n_features * samples
    log_q, q = floats(scratch, labels), floats(scratch + 4 * labels, labels)
    r, dq = floats(scratch + 8 * labels, labels), floats(d_logits, labels)
    more = scratch + 12 * labels
    unknown, mean = floats(more, batch), floats(more + 4 * batch, batch)
    label, d_x = floats(known, labels), doubles(d_log_px, samples * batch)
    _log_shares(floats(logits, labels), log_q, n_classes, batch, unknown, mean)
    _unknown(label, n_classes, batch, unknown)
    _shares(log_q, label, unknown, r, n_classes, batch)
    for at in range(labels):
        q[at], dq[at] = exp_negative(log_q[at]), ZERO
    of_x, into = doubles(log_px, samples * labels), doubles(d_each, samples * labels)
    _from_log_px(d_x, of_x, r, into, dq, samples, n_classes, batch)
    _from_kl(d_kl, kl, r, d_each_kl, dq, n_classes, batch, rows)
    d_label = floats(d_kl + 4 * rows * batch, samples * batch)
    for k in range(samples):
        for c in range(n_classes):
            for j in range(batch):
                dq[c * batch + j] += d_label[k * batch + j] * (log_q[c * batch + j] + ONE)
    _from_shares(dq, q, unknown, mean, n_classes, batch)
    narrow = f32(alpha)
    for k in range(samples):
        for c in range(n_classes):
            for j in range(batch):
                at, weight = c * batch + j, narrow * f32(d_x[k * batch + j])
                dq[at] += weight * (label[at] - (ONE - unknown[j]) * q[at])  # (7)

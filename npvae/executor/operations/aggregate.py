"""The aggregate posterior, and the KL's parts by it: `kernels.aggregate`.

By latent dimensions: z (Z, KB), mu and logvar (Z, B). Each of K·B draws is compared with each of B
rows, first in all dimensions together, for which threads share the draws, then in each one by
itself, for which they share the dimensions.
"""

from __future__ import annotations

import math

import numpy as np

from .declare import operation
from .options import doubles, fast, floats
from .scalars import HALF, ONE, ZERO, exp, exp_negative, log
from .updates import weight_of

f32 = np.float32
_LOG_2PI = f32(math.log(2 * math.pi))
_LEAST = -f32(np.inf)


@operation(reads=dict(logvar="NF"), writes=dict(inverse="NF", spread="NF"), cost=0.5)
@fast
def spreads_of(logvar, inverse, spread, lo, hi, n):
    """1/std, and the log-density of each row's Gaussian at its centre, in each dimension."""
    for i in range(lo, hi):
        given = floats(logvar + 4 * i * n, n)
        over, top = floats(inverse + 4 * i * n, n), floats(spread + 4 * i * n, n)
        for j in range(n):
            over[j] = exp(-HALF * given[j])
        for j in range(n):
            top[j] = -HALF * (given[j] + _LOG_2PI)


@operation(reads=dict(weights="B"), writes=dict(shares="B"), constants=dict(other=0.0), alone=True)
@fast
def log_shares(weights, shares, batch, other):
    """The logarithms of the rows' shares in q(z): `other`, and the weight over the mean weight."""
    out, total = floats(shares, batch), 0.0
    for j in range(batch):
        out[j] = f32(other)
    if weights == 0:
        return
    given = floats(weights, batch)
    for j in range(batch):
        total += given[j]
    if total != 0:
        for j in range(batch):
            out[j] += f32(math.log(batch / total * given[j])) if given[j] > 0 else _LEAST


@fast
def _mixed(terms, n):
    """The logarithm of Σ exp(terms), in whose place each one's share of it is left.

    Four maxima at a time, since each waits for the one before.
    """
    a, b, c, d = terms[0], terms[0], terms[0], terms[0]
    for i in range(0, n - 3, 4):
        a = terms[i] if terms[i] > a else a
        b = terms[i + 1] if terms[i + 1] > b else b
        c = terms[i + 2] if terms[i + 2] > c else c
        d = terms[i + 3] if terms[i + 3] > d else d
    for i in range(n - n % 4, n):
        a = terms[i] if terms[i] > a else a
    top, total = max(max(a, b), max(c, d)), ZERO
    for i in range(n):
        terms[i] = exp_negative(terms[i] - top)
    for i in range(n):
        total += terms[i]
    share = ONE / total
    for i in range(n):
        terms[i] *= share
    return np.float64(top) + np.float64(log(total))


@fast
def _share(weights, b, n):
    """c of a draw, its part in the means over n of them."""
    return weight_of(weights, b) / n


@fast
def _adjust(terms, b, batch, own, following):
    """Add what a row's own share, and the next one's, are more than the others'."""
    if batch > 1:
        terms[b] += f32(own)
        terms[(b + 1) % batch] += f32(following)


@operation(
    reads=dict(z="NX", mu="BX", inverse="BX", spread="BX", shares="B", weights="B"),
    writes=dict(joint="KB", ratio="NX"), constants=dict(alpha=1.0, own=0.0, following=0.0),
)  # fmt: skip
@fast
def joint_density(
    z, mu, inverse, spread, shares, weights, joint, ratio, lo, hi, n, samples, batch, n_features,
    beta, alpha, own, following,
):  # fmt: skip
    """log q(z) of draws lo to hi, and c (beta - alpha) R (KB, B), as `BetaTC` has it."""
    found, base = doubles(joint, hi), floats(shares, batch)
    for b in range(lo, hi):
        terms = floats(ratio + 4 * b * batch, batch)
        for i in range(batch):
            terms[i] = base[i]
        _adjust(terms, b % batch, batch, own, following)
        for j in range(n_features):
            at = floats(z + 4 * j * n, n)[b]
            centre, over = floats(mu + 4 * j * batch, batch), floats(inverse + 4 * j * batch, batch)
            top = floats(spread + 4 * j * batch, batch)
            for i in range(batch):
                u = (at - centre[i]) * over[i]
                terms[i] += top[i] - HALF * u * u
        found[b] = _mixed(terms, batch)
        factor = f32((beta - alpha) * _share(weights, b % batch, n))
        for i in range(batch):
            terms[i] *= factor


@operation(
    reads=dict(z="KBF", mu="BF", inverse="BF", spread="BF", shares="B", weights="B", ratio="NX"),
    writes=dict(dz="KBF", dmu="BF", dlogvar="BF"),
    constants=dict(gamma=1.0, own=0.0, following=0.0),
)  # fmt: skip
@fast
def marginal_densities(
    z, mu, inverse, spread, shares, weights, ratio, dz, dmu, dlogvar, partial, lo, hi, thread,
    samples, batch, beta, gamma, own, following, scratch,
):  # fmt: skip
    """Σ_j log q(z_j) of each draw, and the gradients of z, mu and logvar, of this thread's j."""
    n = samples * batch
    total, base = doubles(partial + 8 * thread * n, n), floats(shares, batch)
    u, g = floats(scratch, batch), floats(scratch + 4 * batch, batch)
    for b in range(n):
        total[b] = 0.0
    for j in range(lo, hi):
        at, d_at = floats(z + 4 * j * n, n), floats(dz + 4 * j * n, n)
        centre, over = floats(mu + 4 * j * batch, batch), floats(inverse + 4 * j * batch, batch)
        top = floats(spread + 4 * j * batch, batch)
        d_centre, d_log = floats(dmu + 4 * j * batch, batch), floats(dlogvar + 4 * j * batch, batch)
        for i in range(batch):
            d_centre[i] = d_log[i] = ZERO
        for b in range(n):
            place, joint = at[b], floats(ratio + 4 * b * batch, batch)
            for i in range(batch):
                u[i] = (place - centre[i]) * over[i]
            for i in range(batch):
                g[i] = base[i] + top[i] - HALF * u[i] * u[i]
            _adjust(g, b % batch, batch, own, following)
            total[b] += _mixed(g, batch)
            factor = f32((gamma - beta) * _share(weights, b % batch, n))
            for i in range(batch):
                g[i] = joint[i] + factor * g[i]
            for i in range(batch):
                d_log[i] += HALF * g[i] * (u[i] * u[i] - ONE)
            along = ZERO
            for i in range(batch):
                u[i] *= g[i] * over[i]
            for i in range(batch):
                along -= u[i]
            for i in range(batch):
                d_centre[i] += u[i]
            d_at[b] = along


@operation(
    reads=dict(log_qz="KB", log_pz="KB", weights="B"),
    writes=dict(
        loss="1", kl="1", mi="1", tc="1", dkl="1", d_log_qz="KB", d_log_pz="KB",
    ),
    constants=dict(alpha=1.0, gamma=1.0), alone=True,
)  # fmt: skip
@fast
def decomposed_kl(
    log_qz, log_pz, weights, joint, partial, parts, loss, kl, mi, tc, dkl, d_log_qz, d_log_pz,
    samples, batch, beta, alpha, gamma,
):  # fmt: skip
    """The parts of the KL, and their sums; and the gradients by log q and log p."""
    n = samples * batch
    qz, pz, whole = doubles(log_qz, n), doubles(log_pz, n), doubles(joint, n)
    d_qz, d_pz, sums = doubles(d_log_qz, n), doubles(d_log_pz, n), doubles(partial, parts * n)
    information, correlation, rest = 0.0, 0.0, 0.0
    for b in range(n):
        share, marginal = _share(weights, b % batch, n), 0.0
        for t in range(parts):
            marginal += sums[t * n + b]
        information += share * (qz[b] - whole[b])
        correlation += share * (whole[b] - marginal)
        rest += share * (marginal - pz[b])
        d_qz[b], d_pz[b] = alpha * share, -gamma * share
    doubles(mi, 1)[0], doubles(tc, 1)[0], doubles(dkl, 1)[0] = information, correlation, rest
    doubles(kl, 1)[0] = information + correlation + rest
    doubles(loss, 1)[0] = alpha * information + beta * correlation + gamma * rest

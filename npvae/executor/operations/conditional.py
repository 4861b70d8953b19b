"""Gaussians, (Z, B), beside others that depend on a context or on another level, (Z, KB)."""

from __future__ import annotations

from .declare import operation
from .options import fast, floats
from .scalars import HALF, ZERO, exp, expm1, sigmoid, soft_minimum

SHARED = dict(mu="BF", logvar="BF")
SAMPLED = dict(prior_mu="KBF", prior_logvar="KBF")
GRADIENTS = dict(dmu="BF", dlogvar="BF", d_prior_mu="KBF", d_prior_logvar="KBF")


@operation(reads=SHARED | SAMPLED, writes=dict(kl="KBF"), cost=0.6)
@fast
def gaussian_kl_between(mu, logvar, prior_mu, prior_logvar, kl, lo, hi, samples, batch):
    for i in range(lo, hi):
        m, v = floats(mu + 4 * i * batch, batch), floats(logvar + 4 * i * batch, batch)
        for k in range(samples):
            at = 4 * (i * samples + k) * batch
            pm, pv = floats(prior_mu + at, batch), floats(prior_logvar + at, batch)
            out = floats(kl + at, batch)
            for j in range(batch):
                u, w = (m[j] - pm[j]) * exp(-HALF * pv[j]), v[j] - pv[j]
                out[j] = HALF * (u * u + (expm1(w) - w))


@operation(reads=dict(dkl="KBF") | SHARED | SAMPLED, writes=GRADIENTS, cost=0.8)
@fast
def gaussian_kl_between_backward(
    dkl, mu, logvar, prior_mu, prior_logvar, dmu, dlogvar, d_prior_mu, d_prior_logvar,
    lo, hi, samples, batch,
):  # fmt: skip
    for i in range(lo, hi):
        m, v = floats(mu + 4 * i * batch, batch), floats(logvar + 4 * i * batch, batch)
        dm, dv = floats(dmu + 4 * i * batch, batch), floats(dlogvar + 4 * i * batch, batch)
        for j in range(batch):
            dm[j] = dv[j] = ZERO
        for k in range(samples):
            at = 4 * (i * samples + k) * batch
            d, pm, pv = (
                floats(dkl + at, batch),
                floats(prior_mu + at, batch),
                floats(prior_logvar + at, batch),
            )
            dpm, dpv = floats(d_prior_mu + at, batch), floats(d_prior_logvar + at, batch)
            for j in range(batch):
                inverse = exp(-HALF * pv[j])
                u = (m[j] - pm[j]) * inverse
                towards, wider = d[j] * u * inverse, HALF * d[j] * expm1(v[j] - pv[j])
                dm[j] += towards
                dv[j] += wider
                dpm[j] = -towards
                dpv[j] = -wider - HALF * d[j] * u * u


@operation(reads=SHARED | SAMPLED, writes=dict(mean="KBF", spread="KBF"), cost=0.6)
@fast
def precision_weighted(
    mu, logvar, prior_mu, prior_logvar, mean, spread, lo, hi, samples, batch
):  # fmt: skip
    for i in range(lo, hi):
        m, v = floats(mu + 4 * i * batch, batch), floats(logvar + 4 * i * batch, batch)
        for k in range(samples):
            at = 4 * (i * samples + k) * batch
            pm, pv = floats(prior_mu + at, batch), floats(prior_logvar + at, batch)
            into, wide = floats(mean + at, batch), floats(spread + at, batch)
            for j in range(batch):
                into[j] = pm[j] + sigmoid(pv[j] - v[j]) * (m[j] - pm[j])
                wide[j] = soft_minimum(v[j], pv[j])


@operation(
    reads=dict(d_mean="KBF", d_spread="KBF") | SHARED | SAMPLED, writes=GRADIENTS, cost=0.8,
)  # fmt: skip
@fast
def precision_weighted_backward(
    d_mean, d_spread, mu, logvar, prior_mu, prior_logvar, dmu, dlogvar, d_prior_mu, d_prior_logvar,
    lo, hi, samples, batch,
):  # fmt: skip
    for i in range(lo, hi):
        m, v = floats(mu + 4 * i * batch, batch), floats(logvar + 4 * i * batch, batch)
        dm, dv = floats(dmu + 4 * i * batch, batch), floats(dlogvar + 4 * i * batch, batch)
        for j in range(batch):
            dm[j] = dv[j] = ZERO
        for k in range(samples):
            at = 4 * (i * samples + k) * batch
            d, ds = floats(d_mean + at, batch), floats(d_spread + at, batch)
            pm, pv = floats(prior_mu + at, batch), floats(prior_logvar + at, batch)
            dpm, dpv = floats(d_prior_mu + at, batch), floats(d_prior_logvar + at, batch)
            for j in range(batch):
                share, rest = sigmoid(pv[j] - v[j]), sigmoid(v[j] - pv[j])
                turned = d[j] * (m[j] - pm[j]) * share * rest
                dm[j] += d[j] * share
                dv[j] += ds[j] * share - turned
                dpm[j] = d[j] * rest
                dpv[j] = ds[j] * rest + turned

"""The kernels of npvae/kernels/latent.py."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from .case import Array, Kernel
from .domains import HEADS, positive, unit


def reparameterise_backward_terms(dz: Array, std: Array, eps: Array) -> tuple[Array, Array, None]:
    return np.abs(dz).sum(0), 0.5 * np.abs(std) * np.abs(dz * eps).sum(0), None


def log_prob_terms(z: Array, mu: Array, logvar: Array) -> tuple[Array]:
    u2 = (np.abs(z) + np.abs(mu)) ** 2 * np.exp(-logvar)
    return (0.5 * (u2 * (1 + np.abs(logvar)) + np.abs(logvar) + 2).sum(-1),)


def log_prob_backward_terms(d: Array, z: Array, mu: Array, logvar: Array) -> tuple[Array, ...]:
    d, u = np.abs(d)[..., None], (np.abs(z) + np.abs(mu)) * np.exp(-logvar / 2)
    worst = 1 + np.abs(logvar)
    dz = d * u * np.exp(-logvar / 2) * worst
    return dz, dz.sum(0), (0.5 * d * (u * u * worst + 1)).sum(0)


TWO_GAUSSIANS = dict(mu="BZ", logvar="BZ", prior_mu="KBZ", prior_logvar="KBZ")


def bent(logvar: Array) -> Array:
    """Where a posterior's heads keep it."""
    return np.clip(logvar, -20, 20)


BENT = dict(logvar=bent, prior_logvar=bent)


def between_terms(mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array) -> tuple[Array]:
    u2 = (np.abs(mu) + np.abs(prior_mu)) ** 2 * np.exp(-prior_logvar) * (1 + np.abs(prior_logvar))
    w = np.abs(logvar) + np.abs(prior_logvar)
    return (0.5 * (u2 + np.exp(logvar - prior_logvar) * (1 + w) + 1 + w),)


def between_backward_terms(
    dkl: Array, mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array
) -> tuple[Array, ...]:
    d, apart = np.abs(dkl), np.abs(mu) + np.abs(prior_mu)
    precision = np.exp(-prior_logvar) * (1 + np.abs(prior_logvar))
    w = np.abs(logvar) + np.abs(prior_logvar)
    dmu = d * apart * precision
    dlogvar = 0.5 * d * (np.exp(logvar - prior_logvar) * (1 + w) + 1)
    return dmu.sum(0), dlogvar.sum(0), dmu, dlogvar + 0.5 * d * apart**2 * precision


def weighted_terms(
    mu: Array, logvar: Array, prior_mu: Array, prior_logvar: Array
) -> tuple[Array, Array]:
    w = np.abs(logvar) + np.abs(prior_logvar)
    share = expit(prior_logvar - logvar) * (1 + w)
    return np.abs(prior_mu) + share * (np.abs(mu) + np.abs(prior_mu)), w + 1


def weighted_backward_terms(
    d_mean: Array,
    d_spread: Array,
    mu: Array,
    logvar: Array,
    prior_mu: Array,
    prior_logvar: Array,
) -> tuple[Array, ...]:
    w = 1 + np.abs(logvar) + np.abs(prior_logvar)
    share, rest = w * expit(prior_logvar - logvar), w * expit(logvar - prior_logvar)
    d, s = np.abs(d_mean), np.abs(d_spread)
    turned = d * (np.abs(mu) + np.abs(prior_mu)) * share * rest
    own, prior = s * share + turned, s * rest + turned
    return (d * share).sum(0), own.sum(0), d * rest, prior


def mixture_terms(z: Array, mu: Array, logvar: Array, logits: Array) -> tuple[Array, Array]:
    """Of the worst component: what is lost there is the responsibilities' relative error."""
    pairs = zip(mu, logvar, strict=True)
    worst = np.max([log_prob_terms(z, m, v)[0] for m, v in pairs], axis=0)
    worst = worst + 2 * np.abs(logits).max() + 2
    return worst, np.broadcast_to((1 + worst)[..., None], (*worst.shape, len(mu)))


def mixture_backward_terms(
    d: Array, z: Array, mu: Array, logvar: Array, logits: Array, r: Array
) -> tuple[Array, ...]:
    d = np.abs(d)
    dz, dmu, dlogvar = 0.0, [], []
    for m in range(len(mu)):
        terms = log_prob_backward_terms(d * r[..., m], z, mu[m], logvar[m])
        dz = dz + terms[0]
        dmu.append(terms[1].sum(0))
        dlogvar.append(terms[2].sum(0))
    dlogits = (d[..., None] * (r + 1)).sum((0, 1)) * (1 + np.abs(logits).max())
    return dz, np.array(dmu), np.array(dlogvar), dlogits


def heads_terms(stats: Array, low: float, high: float) -> tuple[None, Array]:
    raw = stats[..., stats.shape[-1] // 2 :]
    return None, np.clip(np.abs(raw), 1, 20)


def heads_backward_terms(
    dmu: Array, dlogvar: Array, stats: Array, low: float, high: float
) -> tuple[Array]:
    raw = np.abs(stats[..., stats.shape[-1] // 2 :])
    draw = np.abs(dlogvar) * np.exp(-np.maximum(raw - high, 0)) * (1 + raw)
    return (np.concatenate([np.abs(dmu), draw], axis=-1),)


KERNELS = {
    "gaussian_heads": Kernel(dict(stats="BS"), 3, HEADS, scales=heads_terms),
    "gaussian_heads_backward": Kernel(
        dict(dmu="BZ", dlogvar="BZ", stats="BS"), 4, HEADS, scales=heads_backward_terms
    ),
    "reparameterise": Kernel(
        dict(mu="BZ", logvar="BZ", eps="KBZ"),
        4,
        scales=lambda mu, logvar, eps: (np.abs(mu) + np.exp(logvar / 2) * np.abs(eps), None),
    ),
    "reparameterise_backward": Kernel(
        dict(dz="KBZ", std="BZ", eps="KBZ"),
        4,
        scales=reparameterise_backward_terms,
        domain={"std": positive},
    ),
    "gaussian_kl": Kernel(
        dict(mu="BZ", logvar="BZ"),
        3,
        scales=lambda m, v: (0.5 * (m * m + np.abs(np.expm1(v)) + np.abs(v))[None],),
    ),
    "gaussian_kl_backward": Kernel(dict(dkl="1BZ", mu="BZ", logvar="BZ"), 4, wide=("dkl",)),
    "gaussian_kl_between": Kernel(TWO_GAUSSIANS, 6, scales=between_terms, domain=BENT),
    "gaussian_kl_between_backward": Kernel(
        dict(dkl="KBZ") | TWO_GAUSSIANS,
        8,
        scales=between_backward_terms,
        wide=("dkl",),
        domain=BENT,
    ),
    "precision_weighted": Kernel(TWO_GAUSSIANS, 4, scales=weighted_terms, domain=BENT),
    "precision_weighted_backward": Kernel(
        dict(d_mean="KBZ", d_spread="KBZ") | TWO_GAUSSIANS,
        6,
        scales=weighted_backward_terms,
        domain=BENT,
    ),
    "gaussian_log_prob": Kernel(dict(z="KBZ", mu="BZ", logvar="BZ"), 3, scales=log_prob_terms),
    "gaussian_log_prob_backward": Kernel(
        dict(d="KB", z="KBZ", mu="BZ", logvar="BZ"), 5, scales=log_prob_backward_terms, wide=("d",)
    ),
    "standard_normal_log_prob": Kernel(dict(z="KBZ"), 2),
    "standard_normal_log_prob_backward": Kernel(dict(d="KB", z="KBZ"), 1.5, wide=("d",)),
    "mixture_log_prob": Kernel(
        dict(z="KBZ", mu="MZ", logvar="MZ", logits="M"), 4, scales=mixture_terms
    ),
    "mixture_log_prob_backward": Kernel(
        dict(d="KB", z="KBZ", mu="MZ", logvar="MZ", logits="M", r="KBM"),
        6,
        scales=mixture_backward_terms,
        domain={"d": lambda d: np.clip(d, -10, 10), "r": unit},  # further out float32 overflows
        wide=("d",),
    ),
}

"""The kernels of npvae/kernels/discrete.py."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from npvae import kernels

from .case import Array, Kernel
from .domains import gentle, part_of_one, shares, unit


def of_classes(x: Array) -> Array:
    """The largest of each group of three, beside each of them."""
    return np.repeat(x.reshape(*x.shape[:-1], x.shape[-1] // 3, 3).max(-1), 3, axis=-1)


def noise(x: Array) -> Array:
    return np.clip(x, -4, 4)


def gumbel_terms(log_q: Array, eps: Array, classes: int, temperature: float) -> tuple[Array]:
    """exp magnifies the rounding of (log q + g) / temperature."""
    size = of_classes(np.abs(log_q) + np.abs(np.log(-np.log(ndtr(eps)))))
    z = kernels.gumbel_softmax(log_q, eps, classes, temperature)
    return (shares(z * (1 + 2 * size / temperature)),)


def gumbel_backward_terms(
    dz: Array, z: Array, log_q: Array, classes: int, temperature: float
) -> tuple[Array]:
    d = np.abs(z) * (np.abs(dz) + 3 * of_classes(np.abs(z * dz)))
    return (d.sum(0) / temperature,)


def categorical_kl_terms(log_q: Array, classes: int) -> tuple[Array]:
    t = log_q + np.log(classes)
    terms = (np.exp(t) * np.abs(t) + np.abs(np.expm1(t))) * (1 + np.abs(t))
    return (3 * of_classes(terms)[None, ..., ::3],)


def concrete_terms(logits: Array, eps: Array, temperature: float) -> tuple[Array]:
    size = np.abs(logits) + np.abs(np.log(ndtr(eps))) + np.abs(np.log(ndtr(-eps)))
    return (shares(kernels.binary_concrete(logits, eps, temperature) * (1 + size / temperature)),)


KERNELS = {
    "class_log_probs": Kernel(
        dict(logits="BW"), 3, dict(classes=3), scales=lambda a, n: (2 + 2 * of_classes(np.abs(a)),)
    ),
    "class_log_probs_backward": Kernel(
        dict(d="BW", log_q="BW"),
        6,
        dict(classes=3),
        domain={"log_q": gentle},
        scales=lambda d, log_q, n: (
            np.abs(d) + 3 * np.exp(log_q) * (1 + np.abs(log_q)) * of_classes(np.abs(d)),
        ),
    ),
    "gumbel_softmax": Kernel(
        dict(log_q="BW", eps="KBW"),
        6,
        dict(classes=3, temperature=0.7),
        scales=gumbel_terms,
        domain={"eps": noise},
    ),
    "gumbel_softmax_backward": Kernel(
        dict(dz="KBW", z="KBW", log_q="BW"),
        6,
        dict(classes=3, temperature=0.7),
        scales=gumbel_backward_terms,
        domain={"z": part_of_one},
        hides=("log_q",),
    ),
    "likeliest_class": Kernel(dict(z="KBW"), 0.5, dict(classes=3)),
    "code_log_prob": Kernel(
        dict(z="KBZ", log_q="BZ"), 2, scales=lambda z, log_q: (np.abs(z * log_q).sum(-1),)
    ),
    "code_log_prob_backward": Kernel(
        dict(d="KB", z="KBZ", log_q="BZ"),
        2,
        wide=("d",),
        scales=lambda d, z, log_q: (None, np.abs(d[..., None] * z).sum(0)),
    ),
    "categorical_kl": Kernel(
        dict(log_q="BW"),
        3,
        dict(classes=3),
        scales=categorical_kl_terms,
        domain={"log_q": gentle},
    ),
    "categorical_kl_backward": Kernel(
        dict(dkl="1BZ", log_q="BW"),
        4,
        dict(classes=3),
        wide=("dkl",),
        domain={"log_q": gentle},
        scales=lambda dkl, log_q, n: (
            np.repeat(np.abs(dkl[0]), 3, -1) * np.exp(log_q) * (2 + np.abs(log_q)) ** 2,
        ),
    ),
    "binary_concrete": Kernel(
        dict(logits="BZ", eps="KBZ"),
        4,
        dict(temperature=0.7),
        scales=concrete_terms,
        domain={"eps": noise},
    ),
    "binary_concrete_backward": Kernel(
        dict(dz="KBZ", z="KBZ", logits="BZ"),
        4,
        dict(temperature=0.7),
        domain={"z": unit},
        scales=lambda dz, z, logits, t: (np.abs(dz * z).sum(0) / t,),
        hides=("logits",),
    ),
    "likelier_side": Kernel(dict(z="KBZ"), 0.5),
    "bernoulli_code_log_prob": Kernel(
        dict(z="KBZ", logits="BZ"),
        2,
        scales=lambda z, a: ((np.abs(z * a) + np.abs(a) + 1).sum(-1),),
    ),
    "bernoulli_code_log_prob_backward": Kernel(
        dict(d="KB", z="KBZ", logits="BZ"),
        4,
        wide=("d",),
        scales=lambda d, z, a: (None, (np.abs(d)[..., None] * (np.abs(z) + 1)).sum(0)),
    ),
    "bernoulli_kl": Kernel(
        dict(logits="BZ"), 3, dict(prior_logit=-0.8), scales=lambda a, b: (1 + np.abs(a)[None],)
    ),
    "bernoulli_kl_backward": Kernel(
        dict(dkl="1BZ", logits="BZ"),
        6,
        dict(prior_logit=-0.8),
        wide=("dkl",),
        scales=lambda dkl, a, b: (np.abs(dkl[0]) * expit(-np.abs(a)) * (1 + np.abs(a)) ** 2,),
    ),
    "for_every_row": Kernel(dict(codes="MZ"), 0.5, dict(batch=lambda n: n["B"])),
    "shared_by_rows": Kernel(dict(theta="M1D"), 0.5, dict(batch=lambda n: n["B"])),
    "shared_by_rows_backward": Kernel(
        dict(d="KBD"), 2, scales=lambda d: (np.abs(d).sum(1, keepdims=True),)
    ),
    "mean_over_codes": Kernel(
        dict(log_px="KB", log_q="KB"),
        2,
        wide=("log_px", "log_q"),
        doubles=True,
        domain={"log_q": lambda x: -np.abs(x)},
    ),
    "mean_over_codes_backward": Kernel(
        dict(d="1B", log_px="KB", log_q="KB"),
        2,
        wide=("d", "log_px", "log_q"),
        doubles=True,
        domain={"log_q": lambda x: -np.abs(x)},
    ),
}

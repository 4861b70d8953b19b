"""The kernels of npvae/kernels/likelihoods.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import digamma, expit

from .case import Array, Kernel, Sizes
from .domains import HEADS, constant, gentle, unit


def inside(x: Array) -> Array:
    """In (0, 1), and not so near to 1 that 1 - x has few digits."""
    return (np.abs(x) % 1 + 0.01) / 1.02


def counts(x: Array) -> Array:
    return np.round(np.abs(x))


def bernoulli_terms(logits: Array, x: Array) -> tuple[Array, Array]:
    terms = np.abs(x * logits) + np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return terms.sum(-1), np.ones_like(logits)


def gaussian_terms(mean: Array, x: Array, scale: float) -> tuple[Array, None]:
    u = (x - mean) / scale
    return 0.5 * (u * u + abs(np.log(scale)) + np.log(2 * np.pi)).sum(-1), None


def gaussian_learnt_terms(mean: Array, x: Array, log_scale: Array) -> tuple[Array, Array, Array]:
    """exp magnifies the rounding of its argument by the argument."""
    worst = 1 + np.abs(log_scale)
    r = np.abs(x - mean) * np.exp(-2 * log_scale) * worst
    square = ((x - mean) ** 2 * np.exp(-2 * log_scale)).sum(-1) * worst
    constant = x.shape[-1] * (np.abs(log_scale) + 1)
    return square / 2 + constant, r, square + x.shape[-1]


def tilt_terms(logits: Array, x: Array) -> tuple[Array, Array]:
    return (np.abs(x * logits) + np.abs(logits) + 1).sum(-1), np.ones_like(logits)


def scaled_terms(location: Array, x: Array, log_scale: Array, *_: float) -> tuple[Array, ...]:
    """Of the densities of u = (x - location) exp(-log_scale), at most the Gaussian's in each."""
    worst, inverse = 1 + np.abs(log_scale), np.exp(-log_scale)
    u = np.abs(x - location) * inverse
    square = 1 + u * u
    return (square * worst).sum(-1), (1 + u) * inverse * worst, square * worst


def student_terms(mean: Array, x: Array, log_scale: Array, df: float) -> tuple[Array, ...]:
    inverse, worst = np.exp(-log_scale), 1 + np.abs(log_scale)
    u = np.abs(x - mean) * inverse
    log_p = (1 + df) * (1 + np.log1p(u * u / df)) * worst
    slope = 1 + (df + 1) * u * u / (df + u * u)
    return log_p.sum(-1), (df + 1) * u * inverse / (df + u * u) * worst, slope * worst


def poisson_terms(log_rate: Array, x: Array, library: float) -> tuple[Array, Array]:
    r = (x + np.exp(log_rate)) * (1 + np.abs(log_rate))
    return (r + x * np.log1p(x) + 1).sum(-1), r


def negative_binomial_terms(
    log_mean: Array, x: Array, log_dispersion: Array, library: float
) -> tuple[Array, Array, Array]:
    size, worst = np.exp(log_dispersion), 1 + np.abs(log_mean) + np.abs(log_dispersion)
    share = expit(log_mean - log_dispersion)
    r = (x * (1 - share) + size * share) * worst
    w = np.abs(np.log1p(x / size) - np.logaddexp(0, log_mean - log_dispersion))
    gap = np.log(size) - digamma(size)
    slope = size * (gap + w + np.expm1(w)) * worst
    return (r + slope + np.log1p(x) + worst).sum(-1), r, slope


def zero_inflated_terms(heads: Array, *others: Any) -> tuple[Array, Array, Array]:
    log_mean, gate = np.split(heads, 2, axis=-1)
    _, r, slope = negative_binomial_terms(log_mean, *others)
    whole = r + slope + np.log1p(others[0]) + np.abs(log_mean) + np.abs(others[1]) + np.abs(gate)
    return (whole + 1).sum(-1), np.concatenate([r + whole + 1, whole + 1], -1), slope + whole + 1


def beta_terms(logits: Array, x: Array, log_concentration: Array) -> tuple[Array, Array, Array]:
    whole, m = np.exp(log_concentration), expit(logits)
    v, w = np.abs(np.log(x / m)), np.abs(np.log1p(-x) - np.log1p(-m))
    gap_a = np.log(whole * m) - digamma(whole * m)
    gap_b = np.log(whole * (1 - m)) - digamma(whole * (1 - m))
    worst = 1 + np.abs(logits) + np.abs(log_concentration)
    slope = (1 + whole * (x + m * (1 + v + gap_a) + (1 - m) * (1 + w + gap_b))) * worst
    log_p = slope - np.log(x) - np.log1p(-x) + worst
    return log_p.sum(-1), (1 + whole * m * (1 - m) * (v + w + gap_a + gap_b)) * worst, slope


def groups(n: Sizes) -> tuple[int, ...]:
    """D columns as a large group and small ones."""
    small = n["D"] // 4
    return tuple(s for s in (small, n["D"] - 2 * small, small) if s)


def categorical_terms(logits: Array, x: Array, sizes: Any) -> tuple[Array, Array]:
    """Of a softmax exp magnifies the rounding of logit - maximum."""
    off = 2 * np.abs(logits).max(-1, keepdims=True, initial=0) + np.log(1 + x.shape[-1])
    return (x * (1 + off)).sum(-1), np.broadcast_to(1 + off, logits.shape)


KERNELS = {
    "filled": Kernel(dict(x="BD"), 0, hides=("x",)),
    "known": Kernel(dict(x="BD"), 0, hides=("x",)),
    "log1p": Kernel(dict(x="BD"), 2, domain={"x": counts}),
    "standardised": Kernel(
        dict(x="BD"),
        1,
        dict(
            mean=lambda n: constant(np.linspace(-1, 2, n["D"])),
            scale=lambda n: constant(np.linspace(0.5, 3, n["D"])),
        ),
        scales=lambda x, mean, scale: ((np.abs(x) + np.abs(mean)) / scale,),
        hides=("x",),
    ),
    "in_units": Kernel(
        dict(log_px="KB", x="BD"),
        0.01,
        dict(log_scale=lambda n: tuple(np.linspace(-1, 2, n["D"]).tolist())),
        scales=lambda log_px, x, log_scale: (np.abs(log_px) + np.abs(log_scale).sum(),),
        wide=("log_px",),
        hides=("x",),
    ),
    "bernoulli": Kernel(
        dict(logits="KBD", x="BD"), 4, scales=bernoulli_terms, domain={"x": unit}, hides=("x",)
    ),
    "gaussian": Kernel(
        dict(mean="KBD", x="BD"), 4, dict(scale=0.7), scales=gaussian_terms, hides=("x",)
    ),
    "gaussian_learnt": Kernel(
        dict(mean="KBD", x="BD", log_scale="1"), 6, scales=gaussian_learnt_terms, hides=("x",)
    ),
    "gaussian_learnt_backward": Kernel(
        dict(d="KB", r="KBD", slope="KB"),
        2,
        scales=lambda d, r, slope: (None, np.abs(d * slope).sum(keepdims=True).reshape(1)),
        wide=("d", "slope"),
    ),
    "continuous_bernoulli": Kernel(
        dict(logits="KBD", x="BD"), 4, scales=tilt_terms, domain={"x": unit}, hides=("x",)
    ),
    "gaussian_scaled": Kernel(
        dict(mean="KBD", x="BD", log_scale="D"), 6, scales=scaled_terms, hides=("x",)
    ),
    "laplace": Kernel(
        dict(median="KBD", x="BD", log_scale="D"), 4, scales=scaled_terms, hides=("x",)
    ),
    "student_t": Kernel(
        dict(mean="KBD", x="BD", log_scale="D"),
        6,
        dict(df=4.0),
        scales=student_terms,
        hides=("x",),
    ),
    "poisson": Kernel(
        dict(log_rate="KBD", x="BD"),
        4,
        dict(library=0.0),
        scales=poisson_terms,
        domain={"log_rate": gentle, "x": counts},
        hides=("x",),
    ),
    "negative_binomial": Kernel(
        dict(log_mean="KBD", x="BD", log_dispersion="D"),
        8,
        dict(library=0.0),
        scales=negative_binomial_terms,
        domain={"log_mean": gentle, "x": counts, "log_dispersion": gentle},
        hides=("x",),
    ),
    "zero_inflated_negative_binomial": Kernel(
        dict(heads="KBP", x="BD", log_dispersion="D"),
        6,
        dict(library=0.0),
        scales=zero_inflated_terms,
        domain={"heads": gentle, "x": counts, "log_dispersion": gentle},
        hides=("x",),
    ),
    "beta": Kernel(
        dict(logits="KBD", x="BD", log_concentration="D"),
        6,
        scales=beta_terms,
        domain={"logits": gentle, "x": inside, "log_concentration": gentle},
        hides=("x",),
    ),
    "one_hot": Kernel(dict(x="BD"), 0, dict(sizes=lambda n: (3,) * n["D"]), domain={"x": counts}),
    "categorical": Kernel(
        dict(logits="KBD", x="BD"),
        4,
        dict(sizes=groups),
        scales=categorical_terms,
        domain={"x": unit},
        hides=("x",),
    ),
    "bounded": Kernel(dict(raw="KBD"), 3, HEADS, scales=lambda raw, low, high: (1 + np.abs(raw),)),
    "bounded_backward": Kernel(
        dict(d="KBD", raw="KBD"),
        4,
        HEADS,
        scales=lambda d, raw, low, high: (np.abs(d) * (1 + np.abs(raw)),),
    ),
    "sum_rows": Kernel(
        dict(d="KB", slope="KBD"),
        2,
        scales=lambda d, slope: (np.abs(d[..., None] * slope).sum((0, 1)),),
        wide=("d",),
    ),
    "scale_rows": Kernel(dict(d="KB", r="KBD"), 1.5, wide=("d",)),
}

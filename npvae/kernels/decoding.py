"""What is given out of p(x given z): means, modes, and the parameters of draws.

Each maps the decoder's output, (..., D) unless it says otherwise, entry by entry.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core import numerics
from .likelihoods import negative_binomial
from .seam import Array, Pair, kernel

__all__ = [
    "beta_mode", "beta_shapes", "continuous_bernoulli_mean", "exp", "floor", "from_scores",
    "likeliest_label", "mean_from_scores", "mean_label", "negative_binomial_mode", "restored",
    "sigmoid", "softmax", "step", "wide_exp", "zero_inflated_mean", "zero_inflated_mode",
]  # fmt: skip

MOST_CELLS = 256
"""A column with more is nearly smooth, and its mean is that of the line."""


@kernel
def exp(x: Array) -> Array:
    """exp(x): a rate or a scale, from its logarithm."""
    return np.exp(x)


@kernel
def wide_exp(x: Array) -> Array:
    """exp(x) in float64, as NumPy's samplers take the parameters of counts."""
    return np.exp(x.astype(np.float64))


@kernel
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)): a probability, from its logit."""
    return numerics.sigmoid(x)


@kernel
def step(x: Array) -> Array:
    """1 where x > 0, else 0: the likelier of two values, from the logit of the second."""
    return (x > 0).astype(x.dtype)


@kernel
def floor(x: Array) -> Array:
    """The greatest whole number up to x."""
    return np.floor(x)


@kernel
def continuous_bernoulli_mean(logits: Array) -> Array:
    """1 / (1 - exp(-l)) - 1 / l, and ½ at l = 0."""
    return numerics.uniform_cgf_slope(logits)


@kernel
def softmax(logits: Array, sizes: Sequence[int]) -> Array:
    """exp(l) / Σ exp(l) within each of the groups of classes, (..., Σ sizes)."""
    return np.concatenate([_softmax(group) for group in _split(logits, sizes)], axis=-1)


@kernel
def mean_label(logits: Array, sizes: Sequence[int]) -> Array:
    """Σ_c c softmax(l)_c: the mean of each group's class number, (..., number of groups)."""
    means = [(_softmax(g) * np.arange(g.shape[-1])).sum(-1) for g in _split(logits, sizes)]
    return np.stack(means, axis=-1).astype(logits.dtype)


@kernel
def likeliest_label(logits: Array, sizes: Sequence[int]) -> Array:
    """The number of the class with the greatest logit in each group, (..., number of groups)."""
    best = [group.argmax(-1) for group in _split(logits, sizes)]
    return np.stack(best, axis=-1).astype(logits.dtype)


@kernel
def negative_binomial_mode(log_mean: Array, log_dispersion: Array) -> Array:
    """The greatest whole number up to m (1 - 1/d); 0 for d below 1."""
    return np.floor(np.exp(log_mean) * np.maximum(-np.expm1(-log_dispersion), 0))


@kernel
def zero_inflated_mean(log_mean: Array, gate: Array) -> Array:
    """(1 - π) m, π = σ(gate)."""
    return np.exp(log_mean) * numerics.sigmoid(-gate)


@kernel
def zero_inflated_mode(log_mean: Array, gate: Array, log_dispersion: Array) -> Array:
    """0, or the mode of the counts where it has the higher probability."""
    mode = negative_binomial_mode(log_mean, log_dispersion)
    zero = np.zeros_like(mode)
    log_p = _log_p(log_mean, mode, log_dispersion)
    log_p_zero = np.logaddexp(gate, _log_p(log_mean, zero, log_dispersion))
    return np.where(log_p > log_p_zero, mode, zero)


@kernel
def beta_shapes(logits: Array, log_concentration: Array) -> Pair:
    """a = m κ and b = (1 - m) κ in float64, m = σ(l) and κ = exp(log_concentration)."""
    logits, log_concentration = logits.astype(np.float64), log_concentration.astype(np.float64)
    concentration = np.exp(log_concentration)
    return concentration * numerics.sigmoid(logits), concentration * numerics.sigmoid(-logits)


@kernel
def beta_mode(logits: Array, log_concentration: Array) -> Array:
    """(a - 1) / (a + b - 2) where a and b are above 1; else the edge that the density rises to."""
    a, b = beta_shapes(logits, log_concentration)
    inside = np.minimum(a, b) > 1
    peak = (a - 1) / np.where(inside, a + b - 2, 1)
    return np.where(inside, peak, a > b).astype(logits.dtype)


@kernel
def restored(x: Array, mean: Array, scale: Array) -> Array:
    """mean + scale x, mean and scale (D,): standardised columns in their units."""
    return mean + scale * x


@kernel
def from_scores(y: Array, knots: Array, scores: Array, steps: Array) -> Array:
    """Q(y) of each entry of y (..., D), in float64, which tells 3.3 from what is just below it."""
    x = np.empty(y.shape)
    for j, step in enumerate(steps):
        n = np.isfinite(knots[j]).sum()
        line = np.interp(y[..., j], scores[j, :n], knots[j, :n])
        if step:
            line = np.rint(np.clip(line, knots[j, 0] + step / 2, knots[j, n - 1] - step / 2) / step)
            line = np.round(line * step, 6)  # 311.65, not 311.65000000000003
        x[..., j] = line
    return x


@kernel
def mean_from_scores(
    location: Array, log_scale: Array, knots: Array, scores: Array, steps: Array
) -> Array:
    """E[Q(y)], y logistic around location (..., D): Q(-∞) + ∫ P(y > t) dQ(t), along the line exact.

    ∫ σ((l - t) / s) dt = -s softplus((l - t) / s), s = exp(log_scale); at jumps of Q it is a sum.
    """
    scale = np.broadcast_to(np.exp(log_scale), location.shape)
    mean = np.empty(location.shape)
    for j, step in enumerate(steps):
        n = np.isfinite(knots[j]).sum()
        x, y = knots[j, :n], scores[j, :n]
        n_cells = (x[-1] - x[0]) / step if step else np.inf
        if n_cells <= MOST_CELLS:
            edges = np.interp(x[0] + step * np.arange(1, round(n_cells)), x, y)
            u = (location[..., j, None] - edges) / scale[..., j, None]
            mean[..., j] = x[0] + step / 2 + step * numerics.sigmoid(u).sum(-1)
        else:
            x = np.clip(x, x[0] + step / 2, x[-1] - step / 2)
            u = (location[..., j, None] - y) / scale[..., j, None]
            area = -np.diff(numerics.softplus(u), axis=-1) * scale[..., j, None]
            mean[..., j] = x[0] + (area * (np.diff(x) / np.diff(y))).sum(-1)
    return mean


def _split(logits: Array, sizes: Sequence[int]) -> list[Array]:
    return np.split(logits, np.cumsum(sizes)[:-1], axis=-1)


def _softmax(logits: Array) -> Array:
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _log_p(log_mean: Array, x: Array, log_dispersion: Array) -> Array:
    """The negative binomial's log p of each entry: each is given as a row of one column."""
    spread = np.broadcast_to(log_dispersion, log_mean.shape)
    log_mean, spread = log_mean.ravel()[None, :, None], spread.ravel()[None, :, None]
    return negative_binomial(log_mean, x.ravel()[:, None], spread, 0)[0].reshape(x.shape)

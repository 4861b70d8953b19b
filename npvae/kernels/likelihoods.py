"""Likelihoods: forwards give log p(x given z) (K, B) and its gradient r (K, B, D) in one pass.

NaN in x is an entry that is missing: it adds 0 to log p, and r and slopes are 0 there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.numerics import (
    digamma_gap,
    exp_gap,
    magnitude,
    maximum,
    positive_part,
    sigmoid,
    soft_maximum,
    soft_minimum,
    softplus,
    stirling_error,
    uniform_cgf,
    uniform_cgf_slope,
    wide,
)
from .dense import LOG_2PI
from .seam import Array, Pair, Triple, kernel

__all__ = [
    "bernoulli", "beta", "bounded", "bounded_backward", "categorical", "continuous_bernoulli",
    "filled", "gaussian", "gaussian_learnt", "gaussian_learnt_backward", "gaussian_scaled",
    "in_units", "known", "laplace", "log1p", "negative_binomial", "one_hot", "poisson",
    "scale_rows", "standardised", "student_t", "sum_rows", "zero_inflated_negative_binomial",
]  # fmt: skip

LOG_2 = float(np.log(2))


@kernel
def filled(x: Array) -> Array:
    """x with 0 where it is missing."""
    return np.where(np.isnan(x), np.zeros((), x.dtype), x)


@kernel
def known(x: Array) -> Array:
    """1 where x is known, 0 where it is missing."""
    return (~np.isnan(x)).astype(x.dtype)


@kernel
def log1p(x: Array) -> Array:
    """log(1 + x): counts on a scale on which an encoder can take them."""
    return np.log1p(x)


@kernel
def standardised(x: Array, mean: Array, scale: Array) -> Array:
    """(x - mean) / scale, mean and scale (D,)."""
    return ((x - mean) / scale).astype(x.dtype)


@kernel
def in_units(log_px: Array, x: Array, log_scale: Sequence[float]) -> Array:
    """log p (K, B) of standardised x as that of x in its units: less log_scale of what is known."""
    return log_px - known(x).dot(log_scale)


def _over_known(missing: Array, log_p: Array, *slopes: Array) -> Any:
    """log p summed over D, and its entries' slopes, all of which are 0 where x is missing."""
    if missing.any():
        zero = np.zeros((), log_p.dtype)
        log_p = np.where(missing, zero, log_p)
        slopes = tuple(np.where(missing, zero, slope) for slope in slopes)
    return log_p.sum(-1, dtype=wide(log_p.dtype)), *slopes


def _n_known(missing: Array) -> Any:
    """How many entries of each row are known; one number where all are."""
    n = missing.shape[1]
    return n - np.count_nonzero(missing, axis=1) if missing.any() else n


@kernel
def bernoulli(logits: Array, x: Array) -> Pair:
    """log p = x·logit - softplus(logit), summed over D;  r = x - sigmoid(logit)."""
    e = np.exp(-magnitude(logits))
    log_p = x * logits - positive_part(logits) - np.log1p(e)
    r = x - maximum(e, logits.real > 0) / (1 + e)  # sigmoid(logit), of the same e
    return _over_known(np.isnan(x), log_p, r)


@kernel
def gaussian(mean: Array, x: Array, scale: float) -> Pair:
    """log p = Σ_D -½ u² - log scale - ½ log 2π;  r = u / scale;  u = (x - mean) / scale."""
    u, missing = (x - mean) / scale, np.isnan(x)
    square, r = _over_known(missing, u * u, u / scale)
    return -0.5 * square - _n_known(missing) * (np.log(scale) + 0.5 * LOG_2PI), r


@kernel
def gaussian_learnt(mean: Array, x: Array, log_scale: Array) -> Triple:
    """`gaussian` with scale = exp(log_scale), log_scale (1,), and its slope along it, (K, B)."""
    inverse = np.exp(-log_scale)
    u, missing = (x - mean) * inverse, np.isnan(x)
    square, r = _over_known(missing, u * u, u * inverse)
    n = _n_known(missing)
    constant = n * (log_scale.astype(square.dtype) + 0.5 * LOG_2PI)
    return -0.5 * square - constant, r, square - n


@kernel
def gaussian_learnt_backward(d: Array, r: Array, slope: Array) -> Pair:
    return scale_rows(d, r), (d * slope).sum(keepdims=True).reshape(1).astype(r.dtype)


# A second parameter per entry, such as log_scale, has any shape that broadcasts to (K, B, D); its
# slope, the gradient of log p along it, comes out after r, (K, B, D) as well.


@kernel
def continuous_bernoulli(logits: Array, x: Array) -> Pair:
    """log p = Σ_D x·logit - A(logit), A = log((exp - 1) / logit);  r = x - A'(logit)."""
    log_p = x * logits - uniform_cgf(logits)
    return _over_known(np.isnan(x), log_p, x - uniform_cgf_slope(logits))


@kernel
def gaussian_scaled(mean: Array, x: Array, log_scale: Array) -> Triple:
    """`gaussian` with scale = exp(log_scale) for each entry."""
    inverse = np.exp(-log_scale)
    u = (x - mean) * inverse
    log_p = -0.5 * (u * u + LOG_2PI) - log_scale
    return _over_known(np.isnan(x), log_p, u * inverse, u * u - 1)


@kernel
def laplace(median: Array, x: Array, log_scale: Array) -> Triple:
    """log p = Σ_D -|u| - log 2 - log_scale,  u = (x - median) / exp(log_scale)."""
    inverse = np.exp(-log_scale)
    u = (x - median) * inverse
    distance = magnitude(u)
    log_p = -distance - log_scale - LOG_2
    return _over_known(np.isnan(x), log_p, np.sign(u.real) * inverse, distance - 1)


@kernel
def student_t(mean: Array, x: Array, log_scale: Array, df: float) -> Triple:
    """log p = Σ_D log c - log_scale - ½ (df + 1) log(1 + u²/df),  u = (x - mean) / exp(log_scale),
    c = Γ(½ df + ½) / (Γ(½ df) √(π df))."""
    half = np.array(0.5 * df)
    shift = half * np.log1p(0.5 / half) - 0.5 + stirling_error(half + 0.5) - stirling_error(half)
    inverse = np.exp(-log_scale)
    u = (x - mean) * inverse
    square = u * u
    log_p = float(shift) - 0.5 * LOG_2PI - log_scale - 0.5 * (df + 1) * np.log1p(square / df)
    weight = (df + 1) / (df + square)
    return _over_known(np.isnan(x), log_p, weight * u * inverse, weight * square - 1)


def _log_exposure(x: Array, library: float) -> Array:
    """log(Σ_D x / library) of each row, (B, 1), over its known entries; 0 where library is 0.

    The sum is taken to be 1 at least.
    """
    if not library:
        return np.zeros((), x.dtype)
    return np.log(np.maximum(filled(x).sum(1, keepdims=True), 1) / library)


@kernel
def poisson(log_rate: Array, x: Array, library: float) -> Pair:
    """log p = Σ_D x·log_rate - exp(log_rate) - log x!;  r = x - exp(log_rate).

    For x > 0 written as -x exp_gap(log_rate - log x) - log √(2πx) - stirling_error(x).
    """
    log_rate = log_rate + _log_exposure(x, library)
    rate = np.exp(log_rate)
    count = np.maximum(x, 1)
    at_mode = 0.5 * (np.log(count) + LOG_2PI) + stirling_error(count)
    log_p = np.where(x > 0, -count * exp_gap(log_rate - np.log(count)) - at_mode, -rate)
    return _over_known(np.isnan(x), log_p, x - rate)


def _negative_binomial(log_mean: Array, x: Array, log_dispersion: Array) -> Triple:
    """log p of each entry, and its slopes along both parameters: see NegativeBinomial, (5), (6)."""
    size = np.exp(log_dispersion)
    none = softplus(log_mean - log_dispersion)  # log(1 + mean/size)
    w = np.log1p(x * np.exp(-log_dispersion)) - none
    count = np.maximum(x, 1)
    v = log_mean - np.log(count) + w
    at_mode = stirling_error(count) + stirling_error(size) - stirling_error(size + count)
    at_mode = at_mode + 0.5 * (np.log(count) + LOG_2PI + np.log1p(count / size))
    some = -count * exp_gap(v) - size * exp_gap(w) - at_mode
    share = log_mean - log_dispersion
    slope_mean = x * sigmoid(-share) - size * sigmoid(share)
    slope = size * (digamma_gap(size) - digamma_gap(size + x) - exp_gap(w))
    return np.where(x > 0, some, -size * none), slope_mean, slope


@kernel
def negative_binomial(log_mean: Array, x: Array, log_dispersion: Array, library: float) -> Triple:
    """Counts of mean exp(log_mean) and variance mean + mean² / exp(log_dispersion)."""
    log_mean = log_mean + _log_exposure(x, library)
    return _over_known(np.isnan(x), *_negative_binomial(log_mean, x, log_dispersion))


@kernel
def zero_inflated_negative_binomial(
    heads: Array, x: Array, log_dispersion: Array, library: float
) -> Triple:
    """p = π [x = 0] + (1 - π) NB(x), with heads (K, B, 2D) log_mean beside the logit of π."""
    log_mean, gate = np.split(heads, 2, axis=-1)
    log_mean = log_mean + _log_exposure(x, library)
    log_nb, r, slope = _negative_binomial(log_mean, x, log_dispersion)
    excess = gate - log_nb
    one, zero = np.ones((), log_nb.dtype), np.zeros((), log_nb.dtype)
    log_p = log_nb + np.where(x > 0, zero, softplus(excess)) - softplus(gate)
    counted = np.where(x > 0, one, sigmoid(-excess))  # the probability that x came from the NB
    r_gate = np.where(x > 0, zero, sigmoid(excess)) - sigmoid(gate)
    log_p, r, r_gate, slope = _over_known(np.isnan(x), log_p, counted * r, r_gate, counted * slope)
    return log_p, np.concatenate([r, r_gate], axis=-1), slope


@kernel
def beta(logits: Array, x: Array, log_concentration: Array) -> Triple:
    """The Beta(m κ, (1 - m) κ) density of mean m = σ(logit), κ = exp(log_concentration)."""
    rest, log_m, log_1m = np.exp(log_concentration), -softplus(-logits), -softplus(logits)
    a, b = rest * np.exp(log_m), rest * np.exp(log_1m)
    log_x, log_1x = np.log(x), np.log1p(-x)
    v, w = log_x - log_m, log_1x - log_1m
    spread = a * exp_gap(v) + b * exp_gap(w)
    log_p = stirling_error(rest) - stirling_error(a) - stirling_error(b) - spread
    log_p = log_p + 0.5 * (log_concentration + log_m + log_1m - LOG_2PI) - log_x - log_1x
    gap_a, gap_b = digamma_gap(a), digamma_gap(b)
    r = a * np.exp(log_1m) * (v - w + gap_a - gap_b)
    slope = a * gap_a + b * gap_b - rest * digamma_gap(rest) - spread
    return _over_known(np.isnan(x), log_p, r, slope)


def _groups(sizes: Sequence[int]) -> Pair:
    """Where each group of so many columns starts, and the group that each column is in."""
    widths = np.asarray(sizes, np.int64)
    return np.cumsum(widths) - widths, np.repeat(np.arange(len(widths)), widths)


@kernel
def one_hot(x: Array, sizes: Sequence[int]) -> Array:
    """Labels x (B, D) as ones and zeros, (B, Σ sizes): column j's among its sizes[j] classes.

    All of them are NaN where the label is.
    """
    starts, columns = _groups(sizes)
    labels = x[..., columns]
    hot = labels == np.arange(len(columns)) - starts[columns]
    return np.where(np.isnan(labels), labels, hot)


@kernel
def categorical(logits: Array, x: Array, sizes: Sequence[int]) -> Pair:
    """log p = Σ x·log softmax(logits), the softmax within each group;  r = x - softmax.

    logits (K, B, Σ sizes) and one-hot x (B, Σ sizes) are groups of these sizes side by side.
    """
    starts, groups = _groups(sizes)
    top = np.maximum.reduceat(logits.real, starts, axis=-1)
    off = logits - top[..., groups]
    e = np.exp(off)
    total = np.add.reduceat(e, starts, axis=-1)
    log_p = x * (off - np.log(total)[..., groups])
    return _over_known(np.isnan(x), log_p, x - e / total[..., groups])


@kernel
def bounded(raw: Array, low: float, high: float) -> Array:
    """raw, bent smoothly into (low, high)."""
    return soft_maximum(soft_minimum(raw, high), low)


@kernel
def bounded_backward(d: Array, raw: Array, low: float, high: float) -> Array:
    return d * sigmoid(soft_minimum(raw, high) - low) * sigmoid(high - raw)


@kernel
def scale_rows(d: Array, r: Array) -> Array:
    """d[..., None] · r: the gradient of a density per row times that row's own gradient."""
    return d[..., None].astype(r.dtype) * r


@kernel
def sum_rows(d: Array, slope: Array) -> Array:
    """Σ_KB d[..., None] · slope: the gradient, (D,), of a parameter that each column has one of."""
    return np.einsum("kb,kbd->d", d, slope).astype(slope.dtype)

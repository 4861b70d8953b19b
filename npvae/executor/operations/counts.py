"""Densities of counts and of rates, entry by entry: see `entries`."""

from __future__ import annotations

import math

import numpy as np

from .entries import density
from .options import exact
from .scalars import (
    HALF,
    ONE,
    ZERO,
    digamma_gap,
    exp,
    exp_gap,
    exp_negative,
    gap,
    log,
    log1p,
    log1p_01,
    sigmoid,
    softplus,
    stirling_error,
)

f32 = np.float32
_LOG_2PI = f32(math.log(2 * math.pi))
_LEAST = f32(-0.9)


@exact
def _at_mode(x, t, c):
    """log x, and -log p of x where the rate is x."""
    log_n = log(x if x > ONE else ONE)
    at_mode = HALF * (log_n + _LOG_2PI) + stirling_error(x if x > ONE else ONE)
    return log_n, at_mode, ZERO, ZERO, ZERO


@density("poisson", 2.0, _at_mode)
@exact
def poisson(log_rate, gate, x, t, fixed, c0, c1):
    log_n, at_mode = fixed[0], fixed[1]
    rate = exp(log_rate)
    n = x if x > ONE else ONE
    some = -n * gap(log_rate - log_n, (rate - n) / n) - at_mode
    return some if x > ZERO else -rate, x - rate, ZERO, ZERO


@exact
def _of_size(x, t, c):
    """Of a size d = exp(t): d, log(1 + x/d), log x, -log p at the mode, d (ρ(d) - ρ(x + d))."""
    size = exp(t)
    n = x if x > ONE else ONE
    log_n, log_ratio = log(n), log1p(x / size)
    at_mode = stirling_error(n) + stirling_error(size) - stirling_error(size + n)
    at_mode += HALF * (log_n + _LOG_2PI + log_ratio)
    gaps = size * (digamma_gap(size) - digamma_gap(size + x))
    return size, log_ratio, log_n, at_mode, gaps


@exact
def _counted(log_mean, x, t, fixed):
    """log p and its slopes along log_mean and along t."""
    size, log_ratio, log_n, at_mode, gaps = fixed
    share = log_mean - t
    e = exp_negative(-abs(share))
    none = (ZERO if share < ZERO else share) + log1p_01(e)  # log(1 + mean/size)
    right, left = (ONE, e) if share >= ZERO else (e, ONE)
    r = (x * left - size * right) / (ONE + e)
    w, n = log_ratio - none, x if x > ONE else ONE
    # With v = log_mean - log x + w it is r = size (exp(w) - 1) = -x (exp(v) - 1); and by r v keeps
    # more digits, unless exp(v) is small.
    above = -r / n
    v = log1p(above) if above > _LEAST else log_mean - log_n + w
    size_gap = size * gap(w, r / size)
    some = -n * gap(v, above) - size_gap - at_mode
    return some if x > ZERO else -size * none, r, gaps - size_gap


@density("negative_binomial", 5.0, _of_size)
@exact
def negative_binomial(log_mean, gate, x, t, fixed, c0, c1):
    log_p, r, slope = _counted(log_mean, x, t, fixed)
    return log_p, r, ZERO, slope


@density("zero_inflated_negative_binomial", 6.0, _of_size, gated=True)
@exact
def zero_inflated_negative_binomial(log_mean, gate, x, t, fixed, c0, c1):
    log_nb, r, slope = _counted(log_mean, x, t, fixed)
    excess, zero = gate - log_nb, not x > ZERO
    more, belongs = softplus(excess), sigmoid(excess)
    log_p = log_nb + (more if zero else ZERO) - softplus(gate)
    counted = sigmoid(-excess) if zero else ONE
    r_gate = (belongs if zero else ZERO) - sigmoid(gate)
    return log_p, counted * r, r_gate, counted * slope


@exact
def _of_concentration(x, t, c):
    """Of κ = exp(t): κ, log x, log(1 - x), what of log p depends on these alone, and κ ρ(κ)."""
    whole = exp(t)
    log_x, log_1x = log(x), log1p(-x)
    alone = stirling_error(whole) + HALF * (t - _LOG_2PI) - log_x - log_1x
    return whole, log_x, log_1x, alone, whole * digamma_gap(whole)


@density("beta", 6.0, _of_concentration)
@exact
def beta(logit, gate, x, t, fixed, c0, c1):
    whole, log_x, log_1x, alone, gap_whole = fixed
    e = exp_negative(-abs(logit))
    right, left = (ONE, e) if logit >= ZERO else (e, ONE)
    m, rest = right / (ONE + e), left / (ONE + e)
    rounded = log1p_01(e)
    log_m = (logit if logit < ZERO else ZERO) - rounded
    log_1m = -(ZERO if logit < ZERO else logit) - rounded
    a, b, v, w = whole * m, whole * rest, log_x - log_m, log_1x - log_1m
    gap_a, gap_b = digamma_gap(a), digamma_gap(b)
    spread = a * exp_gap(v) + b * exp_gap(w)
    log_p = alone - stirling_error(a) - stirling_error(b) - spread + HALF * (log_m + log_1m)
    r = a * rest * (v - w + gap_a - gap_b)
    return log_p, r, ZERO, a * gap_a + b * gap_b - gap_whole - spread

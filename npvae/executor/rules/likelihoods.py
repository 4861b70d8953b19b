"""Likelihoods."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import numpy as np

from ...core.numerics import stirling_error
from ..graph import Call, Value
from ..lower import Lowering
from ..memory import Buffer, Ref
from ..operations import columns
from .common import density, row_sums, rule, scale


@rule("bernoulli")
def _bernoulli(to: Lowering, call: Call) -> None:
    logits, x = call.inputs
    log_px, r = call.outputs
    theta, data = to.by_feature(logits), to.by_feature(x)
    out = to.new(r, dying=logits)
    operands = dict(
        logits=theta,
        x=data,
        r=out,
        samples=logits.per_feature // x.per_feature,
        batch=x.per_feature,
    )
    own = dict(logits=4 * logits.per_feature, x=4 * x.per_feature, r=4 * logits.per_feature)
    partial = density(to, "bernoulli", logits.n_features, operands, own, logits.per_feature, 0.5)
    row_sums(to, partial, to.new_doubles(log_px), logits.per_feature, 0.0, 1.0)


@rule("gaussian", "gaussian_learnt")
def _gaussian(to: Lowering, call: Call) -> None:
    mean, x, scale = call.inputs
    learnt = call.kernel == "gaussian_learnt"
    log_px, r = call.outputs[:2]
    theta, data = to.by_feature(mean), to.by_feature(x)
    out, n = to.new(r, dying=mean), mean.per_feature
    log_scale: Any = to.parameter(scale) if learnt else 0
    slope: Any = to.new_doubles(call.outputs[2]) if learnt else 0
    operands = dict(
        mean=theta,
        x=data,
        r=out,
        samples=n // x.per_feature,
        batch=x.per_feature,
        log_scale=log_scale,
    )
    own = dict(mean=4 * n, x=4 * x.per_feature, r=4 * n)
    inverse = () if learnt else (1 / scale,)
    partial = density(to, "gaussian", mean.n_features, operands, own, n, 0.2, inverse, sums=2)
    log_p = to.new_doubles(log_px)
    reads, writes = [(partial, partial.buffer.size, 0)], [(log_p, 8 * n, 0)]
    to.emit(
        "gaussian_sums",
        1,
        dict(partial=partial, parts=0, log_px=log_p, slope=slope, n=n, log_scale=log_scale),
        reads + ([(log_scale, 4, 0)] if learnt else []),
        writes + ([(slope, 8 * n, 0)] if learnt else []),
        constants=() if learnt else (math.log(scale),),
    )


@rule("gaussian_learnt_backward")
def _gaussian_learnt_backward(to: Lowering, call: Call) -> None:
    d, r, slope = call.inputs
    dmean, d_log_scale = call.outputs
    scale(to, d, r, dmean, 1.0)
    weights, slopes, out = to.as_doubles(d), to.as_doubles(slope), to.new(d_log_scale)
    n = d.size
    to.emit(
        "dot",
        1,
        dict(a=weights, b=slopes, out=out, n=n),
        [(weights, 8 * n, 0), (slopes, 8 * n, 0)],
        [(out, 4, 0)],
    )


_COSTS = dict(
    gaussian_scaled=0.5, laplace=0.5, student_t=1.0, continuous_bernoulli=1.0, poisson=2.0,
    negative_binomial=5.0, zero_inflated_negative_binomial=6.0, beta=6.0,
)  # fmt: skip


@rule(*_COSTS)
def _by_entry(to: Lowering, call: Call) -> None:
    """A density of which each entry has its own log p: see `kernels.native.entries`."""
    theta, x, *rest = call.inputs
    second = rest.pop(0) if rest and isinstance(rest[0], Value) else None
    log_px, r, *slopes = call.outputs
    n, student = theta.per_feature, call.kernel == "student_t"
    offset: Any = _exposure(to, x, rest[0]) if rest and rest[0] and not student else 0
    gated = theta.n_features != x.n_features
    operands: dict[str, Any] = dict(
        theta=to.by_feature(theta), x=to.by_feature(x), offset=offset,
        gates=4 * n * x.n_features if gated else 0, samples=n // x.per_feature,
        batch=x.per_feature, spread=0, by_entry=0, slope=0,
    )  # fmt: skip
    own, shared = dict(x=4 * x.per_feature), dict(theta=4 * theta.size, r=4 * theta.size)
    if not gated:  # else a thread's share is in two places
        own, shared = own | dict(theta=4 * n, r=4 * n), {}
    if offset:
        shared["offset"] = 4 * x.per_feature
    if second is not None:
        by_entry = id(second) not in to.names
        operands["by_entry"] = int(by_entry)
        operands["spread"] = to.by_feature(second) if by_entry else to.parameter(second)
        own["spread"] = 4 * n if by_entry else 4
    operands["r"] = to.new(r, dying=theta)
    if slopes:
        operands["slope"], own["slope"] = to.new(slopes[0]), 4 * n
    constants, cost = _student(rest[0]) if student else (), _COSTS[call.kernel]
    partial = density(to, call.kernel, x.n_features, operands, own, n, cost, constants, shared)
    row_sums(to, partial, to.new_doubles(log_px), n, 0.0, 1.0)


def _student(df: float) -> tuple[float, float]:
    """The logarithm of the density at u = 0, but for the scale's, and the degrees of freedom."""
    half = np.array(0.5 * df)
    shift = half * np.log1p(0.5 / half) - 0.5 + stirling_error(half + 0.5) - stirling_error(half)
    return float(shift) - 0.5 * math.log(2 * math.pi), df


def _exposure(to: Lowering, x: Value, library: float) -> Ref:
    """The logarithm of each row's total, by the library size."""
    partial, out, n = _feature_sums(to, x), Ref(Buffer(4 * x.per_feature)), x.per_feature
    to.emit(
        "exposure",
        1,
        dict(partial=partial, parts=0, out=out, n=n),
        [(partial, partial.buffer.size, 0)],
        [(out, 4 * n, 0)],
        constants=(library,),
    )
    return out


def _feature_sums(to: Lowering, x: Value, weights: Any = 0) -> Ref:
    operands = dict(x=to.by_feature(x), weights=weights, n=x.per_feature)
    own = dict(x=4 * x.per_feature) | (dict(weights=8) if weights else {})
    return density(to, "feature_sums", x.n_features, operands, own, x.per_feature, 0.2)


@rule("in_units")
def _in_units(to: Lowering, call: Call) -> None:
    log_px, x, log_scale = call.inputs
    partial = _feature_sums(to, x, to.constant(log_scale, np.float64))
    given, out = to.as_doubles(log_px), to.new_doubles(call.outputs[0])
    to.emit(
        "in_units",
        1,
        dict(
            partial=partial, parts=0, log_px=given, out=out, samples=log_px.size // x.per_feature,
            batch=x.per_feature,
        ),
        [(partial, partial.buffer.size, 0), (given, 8 * log_px.size, 0)],
        [(out, 8 * log_px.size, 0)],
    )  # fmt: skip


@rule(*columns.KINDS)
def _of_data(to: Lowering, call: Call) -> None:
    (x,) = call.inputs
    n = x.per_feature
    operands = dict(
        kind=columns.KINDS.index(call.kernel), x=to.by_feature(x), out=to.new(call.outputs[0]), n=n
    )
    cost = 0.5 if call.kernel == "log1p" else 0.1
    to.elementwise("of_data", x.n_features, operands, cost, dict(x=4 * n, out=4 * n), ("out",))


@rule("one_hot")
def _one_hot(to: Lowering, call: Call) -> None:
    x, sizes = call.inputs
    (hot,) = call.outputs
    places = to.constant([(j, c) for j, size in enumerate(sizes) for c in range(size)], np.int64)
    operands = dict(x=to.by_feature(x), places=places, out=to.new(hot), n=x.per_feature)
    own = dict(places=16, out=4 * x.per_feature)
    to.elementwise("one_hot", hot.n_features, operands, 0.1, own, ("out",), dict(x=4 * x.size))


@rule("categorical")
def _categorical(to: Lowering, call: Call) -> None:
    logits, x, sizes = call.inputs
    log_px, r = call.outputs
    n, starts = logits.per_feature, to.constant([0, *accumulate(sizes)], np.int64)
    theta, data = to.by_feature(logits), to.by_feature(x)
    operands = dict(
        logits=theta, x=data, starts=starts, r=to.new(r, dying=logits), samples=n // x.per_feature,
        batch=x.per_feature,
    )  # fmt: skip
    shared = dict(logits=4 * logits.size, x=4 * x.size, r=4 * r.size)
    cost = 1.0 * logits.n_features / len(sizes)
    partial = density(to, "categorical", len(sizes), operands, {}, n, cost, shared=shared)
    row_sums(to, partial, to.new_doubles(log_px), n, 0.0, 1.0)


@rule("bounded", "bounded_backward")
def _bounded(to: Lowering, call: Call) -> None:
    *values, low, high = call.inputs
    (out,) = call.outputs
    n, names = out.per_feature, ("d", "raw")[-len(values) :]
    operands: dict[str, Any] = dict(zip(names, map(to.by_feature, values), strict=True))
    operands |= dict(out=to.new(out, dying=values[0]), n=n)
    own = dict.fromkeys((*names, "out"), 4 * n)
    to.elementwise(call.kernel, out.n_features, operands, 0.8, own, ("out",), constants=(low, high))


@rule("scale_rows")
def _scale_rows(to: Lowering, call: Call) -> None:
    d, r = call.inputs
    scale(to, d, r, call.outputs[0], 1.0)


@rule("sum_rows")
def _sum_rows(to: Lowering, call: Call) -> None:
    d, slope = call.inputs
    n = slope.per_feature
    operands = dict(
        d=to.as_doubles(d), slope=to.by_feature(slope), out=to.new(call.outputs[0]), n=n
    )
    own = dict(slope=4 * n, out=4)
    to.elementwise("sum_rows", slope.n_features, operands, 0.2 * n, own, ("out",), dict(d=8 * n))

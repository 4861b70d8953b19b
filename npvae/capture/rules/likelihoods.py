"""Likelihoods."""

from __future__ import annotations

import math
from typing import Any

from ..graph import Call
from ..lower import Lowering
from .common import density, row_sums, rule, scale


@rule("bernoulli")
def _bernoulli(to: Lowering, call: Call) -> None:
    logits, x = call.inputs
    log_px, r = call.outputs
    theta, data = to.features(logits), to.features(x)
    out = to.new(r, dying=logits)
    operands = dict(logits=theta, x=data, r=out, samples=logits.rows // x.rows, batch=x.rows)
    own = dict(logits=4 * logits.rows, x=4 * x.rows, r=4 * logits.rows)
    partial = density(to, "bernoulli", logits.width, operands, own, logits.rows, 0.5)
    row_sums(to, partial, to.new_wide(log_px), logits.rows, 0.0, 1.0)


@rule("gaussian", "gaussian_learnt")
def _gaussian(to: Lowering, call: Call) -> None:
    mean, x, scale = call.inputs
    learnt = call.kernel == "gaussian_learnt"
    log_px, r = call.outputs[:2]
    theta, data = to.features(mean), to.features(x)
    out = to.new(r, dying=mean)
    log_scale: Any = to.parameter(scale) if learnt else 0
    operands = dict(
        mean=theta, x=data, r=out, samples=mean.rows // x.rows, batch=x.rows, log_scale=log_scale
    )
    own = dict(mean=4 * mean.rows, x=4 * x.rows, r=4 * mean.rows)
    n, width = mean.rows, mean.width
    inverse = () if learnt else (1 / scale,)
    partial = density(to, "gaussian", width, operands, own, n, 0.15, inverse)
    log_p = to.new_wide(log_px)
    if not learnt:
        constant = -width * (math.log(scale) + 0.5 * math.log(2 * math.pi))
        row_sums(to, partial, log_p, n, constant, -0.5)
        return
    slope = to.new_wide(call.outputs[2])
    to.emit(
        "gaussian_learnt_sums",
        1,
        dict(
            partial=partial, parts=0, log_px=log_p, slope=slope, n=n, width=width,
            log_scale=log_scale,
        ),
        [(partial, partial.buffer.size, 0), (log_scale, 4, 0)],
        [(log_p, 8 * n, 0), (slope, 8 * n, 0)],
    )  # fmt: skip


@rule("gaussian_learnt_backward")
def _gaussian_learnt_backward(to: Lowering, call: Call) -> None:
    d, r, slope = call.inputs
    dmean, d_log_scale = call.outputs
    scale(to, d, r, dmean, 1.0)
    weights, slopes, out = to.vector(d), to.vector(slope), to.new(d_log_scale)
    n = d.size
    to.emit(
        "dot",
        1,
        dict(a=weights, b=slopes, out=out, n=n),
        [(weights, 8 * n, 0), (slopes, 8 * n, 0)],
        [(out, 4, 0)],
    )


@rule("scale_rows")
def _scale_rows(to: Lowering, call: Call) -> None:
    d, r = call.inputs
    scale(to, d, r, call.outputs[0], 1.0)

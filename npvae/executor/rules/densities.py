"""Densities whose calls become several operations, or ones that their own sizes share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ..graph import Call, Value
from ..lower import Lowering
from ..memory import Buffer, Ref
from ..operations import entries
from ..operations.declare import OPERATIONS
from .declared import emit, named_arguments, rule


@rule("gaussian", "gaussian_learnt")
def _gaussian(to: Lowering, call: Call) -> None:
    mean, x, scale = call.inputs
    log_px, r, *slope = call.outputs
    learnt = call.kernel == "gaussian_learnt"
    inverse, log_scale = ((), ()) if learnt else ((1 / scale,), (math.log(scale),))
    given = dict(log_scale=scale if learnt else None)
    partial = emit(to, "gaussian", dict(mean=mean, x=x, **given, r=r), inverse)
    given |= dict(partial=partial, log_px=log_px, slope=slope[0] if slope else None)
    emit(to, "gaussian_sums", given, log_scale)


@rule("gaussian_learnt_backward")
def _gaussian_learnt_backward(to: Lowering, call: Call) -> None:
    d, r, slope = call.inputs
    dmean, d_log_scale = call.outputs
    emit(to, "scale_rows", dict(d=d, r=r, out=dmean))
    emit(to, "dot", dict(a=d, b=slope, out=d_log_scale))


@rule(*entries.CONSTANTS)
def _by_entry(to: Lowering, call: Call) -> None:
    """A density of which each entry has its own log p: see `operations.entries`."""
    given = named_arguments(call)
    theta, x, *rest = (v for v in given.values() if isinstance(v, Value))
    numbers = {name: v for name, v in given.items() if not isinstance(v, Value)}
    library = numbers.pop("library", 0.0)
    second = rest[0] if rest else None
    log_px, r, *slopes = call.outputs
    n, n_features = theta.per_feature, x.n_features
    by_entry = second is not None and second.size == n * n_features != n_features
    operands: dict[str, Any] = dict(
        offset=_exposure(to, x, library) if library else None,
        theta=theta, x=x, spread=second, by_entry=int(by_entry),
        gates=4 * n * n_features if theta.n_features != n_features else 0,
        log_px=log_px, r=r, slope=slopes[0] if slopes else None,
    )  # fmt: skip
    constants = entries.CONSTANTS[call.kernel](**numbers)
    emit(to, call.kernel, operands, constants, axes=dict(spread="KBF") if by_entry else {})


def _exposure(to: Lowering, x: Value, library: float) -> Ref:
    """The logarithm of each row's total, by the library size."""
    partial, out = emit(to, "feature_sums", dict(x=x)), Ref(Buffer(4 * x.per_feature))
    emit(to, "exposure", dict(partial=partial, out=out, batch=x.per_feature), (library,))
    return out


@rule("standardised")
def _standardised(to: Lowering, call: Call) -> None:
    x, mean, scale = call.inputs
    units = dict(mean=to.constant(mean, np.float64), scale=to.constant(scale, np.float64))
    emit(to, "standardised", dict(x=x, **units, out=call.outputs[0]))


@rule("in_units")
def _in_units(to: Lowering, call: Call) -> None:
    log_px, x, log_scale = call.inputs
    scales = to.constant(log_scale, np.float64)
    partial = emit(to, "feature_sums", dict(x=x, weights=scales))
    emit(to, "in_units", dict(partial=partial, log_px=log_px, out=call.outputs[0]))


@rule("cells", "cell_scores")
def _cells(to: Lowering, call: Call) -> None:
    """The knots of all columns one after the other, in the type that x has where x is exact."""
    x, knots, scores, steps, *tails = call.inputs
    known = np.isfinite(knots)
    narrow = np.where((steps == 0)[:, None], knots.astype(np.float32), knots)
    constants = dict(
        knots=to.constant(narrow[known], np.float64),
        scores=to.constant(scores[known], np.float64),
        ends=to.constant([0, *accumulate(known.sum(-1))], np.int64),
        steps=to.constant(steps, np.float64),
    )
    if tails:
        constants["tails"] = to.constant(tails[0], np.float64)
    written = dict(zip(OPERATIONS[call.kernel].writes, call.outputs, strict=True))
    emit(to, call.kernel, dict(x=x) | constants | written)


@rule("logistic_cells")
def _logistic_cells(to: Lowering, call: Call) -> None:
    given = named_arguments(call)
    location, log_scale = given["location"], given["log_scale"]
    by_entry = log_scale.size == location.size != location.n_features
    written = dict(zip(("log_px", "r", "slope"), call.outputs, strict=True))
    axes = dict(log_scale="KBF") if by_entry else {}
    emit(to, call.kernel, given | written | dict(by_entry=int(by_entry)), axes=axes)


@rule("one_hot")
def _one_hot(to: Lowering, call: Call) -> None:
    x, sizes = call.inputs
    places = to.constant([(j, c) for j, size in enumerate(sizes) for c in range(size)], np.int64)
    emit(to, "one_hot", dict(x=x, places=places, out=call.outputs[0]))


@rule("categorical")
def _categorical(to: Lowering, call: Call) -> None:
    logits, x, sizes = call.inputs
    log_px, r = call.outputs
    operands = dict(logits=logits, x=x, starts=_starts(to, sizes), log_px=log_px, r=r)
    emit(to, "categorical", operands, n_items=len(sizes))


@rule("ordinal_logits", "ordinal_logits_backward")
def _ordinal(to: Lowering, call: Call) -> None:
    *given, sizes = call.inputs
    declared = OPERATIONS[call.kernel]
    read = dict(zip(declared.reads, (*given, _starts(to, sizes)), strict=True))
    written = dict(zip(declared.writes, call.outputs, strict=True))
    emit(to, call.kernel, read | written)


def _starts(to: Lowering, sizes: Sequence[int]) -> Ref:
    """The first class of each column, and the end of the last column's."""
    return to.constant([0, *accumulate(sizes)], np.int64)


@rule("mixture_log_prob")
def _mixture(to: Lowering, call: Call) -> None:
    z, mu, logvar, logits = call.inputs
    log_p, r = call.outputs
    operands = dict(z=z, logits=_logits(to, logits), log_p=log_p, r=r)
    operands |= _components(to, mu, logvar) | dict(z_dim=z.n_features)
    work = 0.3 * z.size * mu.per_feature
    emit(to, "mixture", operands, n_items=z.per_feature, work=work)


@rule("mixture_log_prob_backward")
def _mixture_backward(to: Lowering, call: Call) -> None:
    d, z, mu, logvar, logits, r = call.inputs
    dz, dmu, dlogvar, dlogits = call.outputs
    new = to.new_by_row if id(mu) in to.names else to.new
    operands = dict(d=d, z=z, r=r, dz=dz, dmu=new(dmu), dlogvar=new(dlogvar))
    operands |= _components(to, mu, logvar) | dict(z_dim=z.n_features)
    emit(to, "mixture_backward", operands, work=0.4 * z.size * mu.per_feature)
    if id(logits) in to.names:  # else the weights are not learnt
        operands = dict(d=d, r=r, logits=_logits(to, logits), out=dlogits)
        emit(to, "mixture_logits", operands | dict(components=mu.per_feature))


def _components(to: Lowering, mu: Value, logvar: Value) -> dict[str, Any]:
    """Where the means and log-variances lie, and their strides: parameters lie by row."""
    if id(mu) in to.names:
        places, strides = (to.parameter(mu), to.parameter(logvar)), (mu.n_features, 1)
    else:
        places, strides = (to.by_feature(mu), to.by_feature(logvar)), (1, mu.per_feature)
    names = ("mu", "logvar", "by_component", "by_dimension")
    found: dict[str, Any] = dict(zip(names, (*places, *strides), strict=True))
    return found | dict(components=mu.per_feature)


def _logits(to: Lowering, logits: Any) -> Ref:
    """Where the weights' logits lie: parameters, or a constant."""
    if isinstance(logits, Value):
        return to.parameter(logits)
    return to.constant(logits, np.float32)

"""Objectives."""

from __future__ import annotations

from typing import Any

from ..graph import Call
from ..lower import Lowering
from ..memory import Ref
from .common import rule

Reads = list[tuple[Ref, int, int]]


@rule("mean_loss")
def _mean_loss(to: Lowering, call: Call) -> None:
    log_px, *weights = call.inputs
    rec, d = call.outputs
    density, out, slope = to.as_doubles(log_px), to.new_doubles(rec), to.new_doubles(d)
    row_weights, reads = _weights(to, weights)
    samples, batch = log_px.shape
    n = log_px.size
    to.emit(
        "mean_loss",
        1,
        dict(
            log_px=density, d_log_px=slope, rec=out, samples=samples, batch=batch,
            weights=row_weights,
        ),
        [(density, 8 * n, 0), *reads],
        [(slope, 8 * n, 0), (out, 8, 0)],
    )  # fmt: skip


@rule("kl_loss")
def _kl_loss(to: Lowering, call: Call) -> None:
    kl, beta, free_bits, *weights = call.inputs
    to.needs_the_schedule(beta)
    total, d_kl = call.outputs
    source, out, slope = to.by_feature(kl), to.new_doubles(total), to.new(d_kl)
    row_weights, reads = _weights(to, weights)
    samples, batch, z_dim = kl.shape
    to.emit(
        "kl_loss",
        1,
        dict(
            kl=source, d_kl=slope, out=out, z_dim=z_dim, samples=samples, batch=batch,
            weights=row_weights,
        ),
        [(source, 4 * kl.size, 0), *reads],
        [(slope, 4 * kl.size, 0), (out, 8, 0)],
        constants=(free_bits,),
    )  # fmt: skip


@rule("sampled_kl_loss")
def _sampled_kl_loss(to: Lowering, call: Call) -> None:
    log_qz, log_pz, beta, *weights = call.inputs
    to.needs_the_schedule(beta)
    row_weights, reads = _weights(to, weights)
    own = dict(log_qz=to.as_doubles(log_qz), log_pz=to.as_doubles(log_pz))
    outputs = zip(("out", "d_log_qz", "d_log_pz"), call.outputs, strict=True)
    writes = {name: to.new_doubles(value) for name, value in outputs}
    samples, batch = log_qz.shape
    to.emit(
        "sampled_kl_loss",
        1,
        dict(**own, **writes, samples=samples, batch=batch, weights=row_weights),
        [(ref, ref.buffer.size, 0) for ref in own.values()] + reads,
        [(ref, ref.buffer.size, 0) for ref in writes.values()],
    )


@rule("weighted_loss")
def _weighted_loss(to: Lowering, call: Call) -> None:
    rec, kl, beta = call.inputs
    to.needs_the_schedule(beta)
    first, second, out = to.as_doubles(rec), to.as_doubles(kl), to.new_doubles(call.outputs[0])
    to.emit(
        "weighted_loss",
        1,
        dict(rec=first, kl=second, out=out),
        [(first, 8, 0), (second, 8, 0)],
        [(out, 8, 0)],
    )


@rule("iwae")
def _iwae(to: Lowering, call: Call) -> None:
    log_px, log_pz, log_qz, *weights = call.inputs
    own = dict(
        log_px=to.as_doubles(log_px), log_pz=to.as_doubles(log_pz), log_qz=to.as_doubles(log_qz)
    )
    row_weights, reads = _weights(to, weights)
    names = ("loss", "rec", "kl", "d_log_px", "d_log_qz")
    writes = {key: to.new_doubles(v) for key, v in zip(names, call.outputs, strict=True)}
    samples, batch = log_px.shape
    to.emit(
        "iwae",
        1,
        dict(**own, **writes, samples=samples, batch=batch, weights=row_weights),
        [(ref, ref.buffer.size, 0) for ref in own.values()] + reads,
        [(ref, ref.buffer.size, 0) for ref in writes.values()],
    )


def _weights(to: Lowering, given: list[Any]) -> tuple[Any, Reads]:
    """Where the rows' weights lie, and that they are read; 0 and nothing where there are none."""
    if not given or given[0] is None:
        return 0, []
    ref = to.by_feature(given[0])
    return ref, [(ref, 4 * given[0].size, 0)]

"""Objectives."""

from __future__ import annotations

from ..graph import Call
from ..lower import Lowering
from .common import rule


@rule("mean_loss")
def _mean_loss(to: Lowering, call: Call) -> None:
    (log_px,) = call.inputs
    rec, d = call.outputs
    density, out, slope = to.vector(log_px), to.new_wide(rec), to.new_wide(d)
    n = log_px.size
    to.emit(
        "mean_loss",
        1,
        dict(log_px=density, d_log_px=slope, rec=out, n=n),
        [(density, 8 * n, 0)],
        [(slope, 8 * n, 0), (out, 8, 0)],
    )


@rule("kl_loss")
def _kl_loss(to: Lowering, call: Call) -> None:
    kl, beta, free_bits = call.inputs
    to.needs_the_schedule(beta)
    total, d_kl = call.outputs
    source, out, slope = to.features(kl), to.new_wide(total), to.new(d_kl)
    to.emit(
        "kl_loss",
        1,
        dict(kl=source, d_kl=slope, out=out, z_dim=kl.width, n=kl.rows),
        [(source, 4 * kl.size, 0)],
        [(slope, 4 * kl.size, 0), (out, 8, 0)],
        constants=(free_bits,),
    )


@rule("weighted_loss")
def _weighted_loss(to: Lowering, call: Call) -> None:
    rec, kl, beta = call.inputs
    to.needs_the_schedule(beta)
    first, second, out = to.vector(rec), to.vector(kl), to.new_wide(call.outputs[0])
    to.emit(
        "weighted_loss",
        1,
        dict(rec=first, kl=second, out=out),
        [(first, 8, 0), (second, 8, 0)],
        [(out, 8, 0)],
    )


@rule("iwae")
def _iwae(to: Lowering, call: Call) -> None:
    names = ("loss", "rec", "kl", "d_log_px", "d_log_qz")
    reads = {
        key: to.vector(v)
        for key, v in zip(("log_px", "log_pz", "log_qz"), call.inputs, strict=True)
    }
    writes = {key: to.new_wide(v) for key, v in zip(names, call.outputs, strict=True)}
    samples, batch = call.inputs[0].shape
    to.emit(
        "iwae",
        1,
        dict(**reads, **writes, samples=samples, batch=batch),
        [(ref, ref.buffer.size, 0) for ref in reads.values()],
        [(ref, ref.buffer.size, 0) for ref in writes.values()],
    )

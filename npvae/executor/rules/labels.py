"""Rows beside each class, and what is summed over the classes."""

from __future__ import annotations

import numpy as np

from ..graph import Call, Value
from ..lower import Lowering
from ..memory import Buffer, Ref
from .declared import rule
from .dense import after, product, repeat


@rule("with_each_class")
def _with_each_class(to: Lowering, call: Call) -> None:
    a, n_classes = call.inputs
    copies, batch, _ = a.shape
    n, out = copies * batch, to.new(call.outputs[0])
    repeat(to, "repeat", to.by_feature(a), out, a.n_features, n)
    of_class = np.tile(np.repeat(np.eye(n_classes), batch, 1), copies // n_classes)
    classes = to.constant(of_class, np.float32)
    repeat(to, "repeat", classes, after(out, a.size), n_classes, n)


@rule("linear_by_class")
def _linear_by_class(to: Lowering, call: Call) -> None:
    x, weight, copies = call.inputs
    (wide, narrow), batch, n = weight.shape, x.per_feature, x.n_features
    of_x, out = Ref(Buffer(4 * wide * batch)), to.new(call.outputs[0])
    rows = to.by_row(weight)
    product(to, rows, (narrow, 1), to.by_feature(x), of_x, wide, batch, n)
    to.emit(
        "for_each_class",
        wide,
        dict(source=of_x, weight=rows, out=out, n=batch, times=copies, at=n, stride=narrow),
        [(of_x, 4 * wide * batch, 4 * batch), (rows, 4 * weight.size, 0)],
        [(out, 4 * wide * batch * copies, 4 * batch * copies)],
        0.1 * wide * batch * copies,
    )


@rule("linear_by_class_dw")
def _linear_by_class_dw(to: Lowering, call: Call) -> None:
    dy, x, n_classes = call.inputs
    copies, batch, wide = dy.shape
    n, narrow = x.n_features, x.n_features + n_classes
    given, out, of_x = to.by_feature(dy), to.new_by_row(call.outputs[0]), to.by_row(x)
    total = Ref(Buffer(4 * wide * batch))
    repeat(to, "sum_repeats", given, total, wide, batch, copies)
    to.emit(
        "sum_of_each_class",
        wide,
        dict(source=given, out=out, n=batch, times=copies, at=n, stride=narrow),
        [(given, 4 * dy.size, 4 * batch * copies)],
        [(out, 4 * wide * narrow, 4 * narrow)],
        0.1 * dy.size,
    )
    product(to, total, (batch, 1), of_x, out, wide, n, batch, narrow)


@rule("over_labels")
def _over_labels(to: Lowering, call: Call) -> None:
    log_px, kl, logits, known, alpha = call.inputs
    of_x, of_z = call.outputs
    reads = dict(
        log_px=to.as_doubles(log_px), kl=to.by_feature(kl), logits=to.by_feature(logits),
        known=to.by_feature(known),
    )  # fmt: skip
    writes = dict(of_x=to.new_doubles(of_x), out=to.new(of_z))
    _emit(to, "over_labels", reads, writes, kl, known, alpha)


@rule("over_labels_backward")
def _over_labels_backward(to: Lowering, call: Call) -> None:
    d_log_px, d_kl, log_px, kl, logits, known, alpha = call.inputs
    d_each, d_each_kl, d_logits = call.outputs
    reads = dict(
        d_log_px=to.as_doubles(d_log_px), d_kl=to.by_feature(d_kl), log_px=to.as_doubles(log_px),
        kl=to.by_feature(kl), logits=to.by_feature(logits), known=to.by_feature(known),
    )  # fmt: skip
    writes = dict(
        d_each=to.new_doubles(d_each), d_each_kl=to.new(d_each_kl), d_logits=to.new(d_logits)
    )
    _emit(to, "over_labels_backward", reads, writes, kl, known, alpha)


def _emit(
    to: Lowering,
    name: str,
    reads: dict[str, Ref],
    writes: dict[str, Ref],
    kl: Value,
    known: Value,
    alpha: float,
) -> None:
    """One of both, which one thread does; sizes are those of kl (K·C, B, Z) and known (B, C)."""
    n_classes = known.n_features
    sizes = dict(
        samples=kl.shape[0] // n_classes, n_classes=n_classes, batch=kl.shape[1],
        n_features=kl.shape[2],
    )  # fmt: skip
    read, written = (
        [(ref, ref.buffer.size - ref.offset, 0) for ref in refs.values()]
        for refs in (reads, writes)
    )
    to.emit(name, 1, reads | writes | sizes, read, written, 0.5 * kl.size, [alpha])

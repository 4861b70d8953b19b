"""Matrix products, sums, and concatenation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph import Call, Value
from ..lower import Lowering
from ..memory import Buffer, Ref
from ..operations.products import WIDE, a_is_packed, b_is_packed
from .declared import emit, rule

PER_FLOP = 1 / 200
"""Nanoseconds, about: what decides how many threads are worth while needs no more."""


@rule("linear")
def _linear(to: Lowering, call: Call) -> None:
    x, weight = call.inputs
    wide, narrow = weight.shape
    a, b, c = to.by_row(weight), to.by_feature(x), to.new(call.outputs[0])
    if x.per_feature == 1:
        reads, writes = [(a, 4 * weight.size, 4 * narrow), (b, 4 * narrow, 0)], [(c, 4 * wide, 4)]
        work = 2.0 * weight.size * PER_FLOP
        to.emit("product_of_rows", wide, dict(a=a, b=b, c=c, k=narrow), reads, writes, work)
    else:
        product(to, a, (narrow, 1), b, c, wide, x.per_feature, narrow)


@rule("linear_dx")
def _linear_dx(to: Lowering, call: Call) -> None:
    dy, weight = call.inputs
    wide, narrow = weight.shape
    a, b = to.by_row(weight), to.by_feature(dy)
    product(to, a, (1, narrow), b, to.new(call.outputs[0]), narrow, dy.per_feature, wide)


@rule("linear_dw")
def _linear_dw(to: Lowering, call: Call) -> None:
    dy, x = call.inputs
    n, a, b = dy.per_feature, to.by_feature(dy), to.by_row(x)
    product(to, a, (n, 1), b, to.new_by_row(call.outputs[0]), dy.n_features, x.n_features, n)


@rule("masked")
def _masked(to: Lowering, call: Call) -> None:
    weight, mask = call.inputs
    (rows, n), given, held = mask.shape, to.by_row(weight), to.constant(mask, np.float32)
    out, size = to.new_by_row(call.outputs[0]), 4 * mask.size
    reads = [(given, size, 4 * n), (held, size, 4 * n)]
    operands = dict(weight=given, mask=held, out=out, n=n)
    to.emit("masked", rows, operands, reads, [(out, size, 4 * n)], 0.1 * mask.size)


def product(
    to: Lowering,
    a: Ref,
    strides: tuple[int, int],
    b: Ref,
    c: Ref,
    m: int,
    n: int,
    k: int,
    c_row: int = 0,
) -> None:
    """C (m, n) = A (m, k) B (k, n), A with these strides, B and C with their columns together.

    A row of C has n numbers, or the first n of `c_row`.
    """
    (a_row, a_k), c_row = strides, c_row or n
    whole = a_row == 1  # A transposed: a thread's columns of it are no contiguous share
    b_k, b_panel, size = n, WIDE, 4 * k * n
    if b_is_packed(m, n, k):
        b, b_k, b_panel, size = _packed(to, b, n, k)
    to.emit(
        "product",
        m,
        dict(
            a=a, a_row=a_row, a_k=a_k, b=b, b_k=b_k, b_panel=b_panel, c=c, c_row=c_row, n=n, k=k,
            packed=int(a_is_packed(a_row, m, n)),
        ),
        [(a, 4 * m * k, 0) if whole else (a, 4 * m * a_row, 4 * a_row), (b, size, 0)],
        [(c, 4 * m * c_row, 4 * c_row)],
        2.0 * m * n * k * PER_FLOP,
    )  # fmt: skip


def _packed(to: Lowering, b: Ref, n: int, k: int) -> tuple[Ref, int, int, int]:
    """B's panels, copied to where they lie side by side: place, strides and bytes."""
    panels, panel = -(-n // WIDE), 4 * WIDE * k
    out, size = Ref(Buffer(panels * panel)), panels * panel
    reads, writes = [(b, 4 * k * n, 0)], [(out, size, panel)]
    to.emit("pack", panels, dict(b=b, b_k=n, out=out, n=n, k=k), reads, writes, 0.3 * k * n)
    return out, WIDE, WIDE * k, size


@rule("add")
def _add(to: Lowering, call: Call) -> None:
    a, b = call.inputs
    (total,) = call.outputs
    # Not told by the type: what Python gives may be float64, and then is what comes of it.
    if any(isinstance(v, Value) and to.is_doubles(v) for v in (a, b)):
        emit(to, "add_doubles", dict(a=a, b=b, out=total))
    else:
        emit(to, "add", dict(a=a, b=b, out=total))


@rule("concat")
def _concat(to: Lowering, call: Call) -> None:
    a, c = call.inputs
    n, per_row = a.per_feature, c.per_feature
    first, second, out = to.by_feature(a), to.by_feature(c), to.new(call.outputs[0])
    repeat(to, "repeat", first, out, a.n_features, n)
    repeat(to, "repeat", second, after(out, a.size), c.n_features, per_row, n // per_row)


@rule("concat_backward")
def _concat_backward(to: Lowering, call: Call) -> None:
    dy, a_width, _ = call.inputs
    da, dc = call.outputs
    source, n, per_row = to.by_feature(dy), dy.per_feature, dc.per_feature
    repeat(to, "repeat", source, to.new(da), a_width, n)
    rest = after(source, a_width * n)
    repeat(to, "sum_repeats", rest, to.new(dc), dc.n_features, per_row, n // per_row)


@rule("take_columns")
def _take_columns(to: Lowering, call: Call) -> None:
    x, taken = call.inputs
    pick(to, x, call.outputs[0], taken)


def pick(to: Lowering, x: Value, out: Value, chosen: Sequence[int]) -> None:
    """An operation that takes some features of x, in this order."""
    source, own, n = to.by_feature(x), to.new(out), x.per_feature
    operands = dict(source=source, chosen=to.constant(chosen, np.int64), out=own, n=n)
    reads, writes = [(source, 4 * x.size, 0)], [(own, 4 * out.size, 4 * n)]
    to.emit("pick", len(chosen), operands, reads, writes, 0.1 * out.size)


def after(place: Ref, numbers: int) -> Ref:
    return Ref(place.buffer, place.offset + 4 * numbers)


def repeat(
    to: Lowering, name: str, source: Ref, out: Ref, n_features: int, n: int, times: int = 1
) -> None:
    """Each feature's n numbers, so many times over; or the sums of such copies."""
    one, all_of_them = 4 * n, 4 * n * times
    read, written = (one, all_of_them) if name == "repeat" else (all_of_them, one)
    to.emit(
        name,
        n_features,
        dict(source=source, out=out, n=n, times=times),
        [(source, n_features * read, read)],
        [(out, n_features * written, written)],
        0.1 * n_features * written / 4,
    )

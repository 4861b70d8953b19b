"""Matrix products, sums, and concatenation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ..graph import Call, Value
from ..lower import Lowering
from ..memory import Ref
from .declared import emit, rule

PER_FLOP = 1 / 200
"""Nanoseconds, about: what decides how many threads are worth while needs no more."""


def _product(
    to: Lowering, a: Ref, a_size: int, a_row: int, a_k: int, b: Ref, c: Ref, m: int, n: int, k: int
) -> None:
    """C (m, n) = A (m, k) B (k, n), B and C with their columns side by side."""
    whole = a_row == 1  # A transposed: a thread's columns of it are no contiguous share
    to.emit(
        "product",
        m,
        dict(a=a, a_row=a_row, a_k=a_k, b=b, b_k=n, c=c, c_row=n, n=n, k=k),
        [(a, a_size, 0 if whole else 4 * a_row), (b, 4 * k * n, 0)],
        [(c, 4 * m * n, 4 * n)],
        2.0 * m * n * k * PER_FLOP,
    )


@rule("linear")
def _linear(to: Lowering, call: Call) -> None:
    x, weight = call.inputs
    (y,) = call.outputs
    wide, narrow = weight.shape
    b = to.by_feature(x)
    c = to.new(y)
    _product(
        to, to.parameter(weight), 4 * wide * narrow, narrow, 1, b, c, wide, x.per_feature, narrow
    )


@rule("linear_dx")
def _linear_dx(to: Lowering, call: Call) -> None:
    dy, weight = call.inputs
    (dx,) = call.outputs
    wide, narrow = weight.shape
    b = to.by_feature(dy)
    c = to.new(dx)
    _product(
        to, to.parameter(weight), 4 * wide * narrow, 1, narrow, b, c, narrow, dy.per_feature, wide
    )


@rule("linear_dw")
def _linear_dw(to: Lowering, call: Call) -> None:
    dy, x = call.inputs
    (dw,) = call.outputs
    a, b = to.by_feature(dy), to.by_row(x)
    c = to.new_by_row(dw)
    _product(
        to, a, 4 * dy.size, dy.per_feature, 1, b, c, dy.n_features, x.n_features, dy.per_feature
    )


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
    (y,) = call.outputs
    first, second, out = to.by_feature(a), to.by_feature(c), to.new(y)
    n, times = a.per_feature, a.per_feature // c.per_feature
    _repeat(to, "repeat", first, out, a.n_features, n, 1, 4 * n, 4 * n)
    rest = Ref(out.buffer, out.offset + 4 * a.size)
    _repeat(
        to, "repeat", second, rest, c.n_features, c.per_feature, times, 4 * c.per_feature, 4 * n
    )


@rule("concat_backward")
def _concat_backward(to: Lowering, call: Call) -> None:
    dy, a_width, _ = call.inputs
    da, dc = call.outputs
    source = to.by_feature(dy)
    _repeat(
        to,
        "repeat",
        source,
        to.new(da),
        a_width,
        dy.per_feature,
        1,
        4 * dy.per_feature,
        4 * dy.per_feature,
    )
    rest = Ref(source.buffer, source.offset + 4 * a_width * dy.per_feature)
    times = dy.per_feature // dc.per_feature
    _repeat(
        to,
        "sum_repeats",
        rest,
        to.new(dc),
        dc.n_features,
        dc.per_feature,
        times,
        4 * dy.per_feature,
        4 * dc.per_feature,
    )


@rule("take_columns")
def _take_columns(to: Lowering, call: Call) -> None:
    x, taken = call.inputs
    source, out, row = to.by_feature(x), to.new(call.outputs[0]), 4 * x.per_feature
    for at, first, n in _runs(taken):
        run = Ref(source.buffer, source.offset + row * first)
        _repeat(
            to, "repeat", run, Ref(out.buffer, out.offset + row * at), n, x.per_feature, 1, row, row
        )


def _runs(taken: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Columns that follow one another: where they go, the first of them, and how many they are."""
    for _, group in itertools.groupby(enumerate(taken), lambda pair: pair[1] - pair[0]):
        run = list(group)
        yield run[0][0], run[0][1], len(run)


def _repeat(
    to: Lowering, name: str, source: Ref, out: Ref, n_features: int, n: int, times: int, read: int,
    written: int,
) -> None:  # fmt: skip
    """Copies of rows, or their sums: of `read` and `written` bytes for each feature."""
    to.emit(
        name,
        n_features,
        dict(source=source, out=out, n=n, times=times),
        [(source, n_features * read, read)],
        [(out, n_features * written, written)],
        0.1 * n_features * written / 4,
    )

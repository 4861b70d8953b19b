"""Convolutions, and activations whose bias is a channel's.

An image lies by feature as the row of numbers that it is, (H·W·C, K·B), whatever the shape of the
value at hand: so dense layers, likelihoods and convolutions find it as they need it.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ... import kernels
from ..graph import Call, Value
from ..lower import Lowering
from ..memory import Buffer, Ref
from ..operations.declare import OPERATIONS
from ..operations.tiles import LANES
from .declared import emit, lower, rule
from .dense import PER_FLOP
from .windows import Group, Meetings, Roles, Tables, meetings, of_places, of_taps, turned

Two = tuple[int, int]
LINE, PAGE = 16, 1024
"""The numbers in a cache line, and in a page of memory."""


@rule("conv2d")
def _conv2d(to: Lowering, call: Call) -> None:
    x, weight, *window = call.inputs
    (y,) = call.outputs
    (n_out, *taps, channels), n, groups = weight.shape, x.shape[0], window[-1]
    down, right = _met(y.shape[1:3], x.shape[1:3], taps, *window)
    a, a_row = _apart(to, to.by_row(weight), n_out, weight.size // n_out)
    rows = n_out // groups
    group = Group(groups, channels, rows, channels, rows * a_row)
    tables = of_places(down, right, tuple(taps), x.shape[2], group, n)
    _image(to, tables, a, a_row, x, y)


@rule("conv2d_dx")
def _conv2d_dx(to: Lowering, call: Call) -> None:
    dy, weight, size, *window = call.inputs
    (dx,) = call.outputs
    (n_out, *taps, channels), n, groups = weight.shape, dy.shape[0], window[-1]
    down, right = _met(dy.shape[1:3], size, taps, *window)
    down, right = turned(down, size[0]), turned(right, size[1])
    own = n_out // groups
    group = Group(groups, own, channels, channels * n_out, own)
    tables = of_places(down, right, tuple(taps), dy.shape[2], group, n)
    a = to.transposed(to.by_row(weight), n_out, weight.size // n_out)
    _image(to, tables, a, n_out, dy, dx)


@rule("conv2d_dw")
def _conv2d_dw(to: Lowering, call: Call) -> None:
    dy, x, taps, *window = call.inputs
    (dw,) = call.outputs
    n, n_out, groups = x.shape[0], dy.shape[-1], window[-1]
    own, channels = n_out // groups, x.shape[-1] // groups
    down, right = _met(dy.shape[1:3], x.shape[1:3], taps, *window)
    length = taps[0] * taps[1] * channels
    by_outputs = own >= min(LANES, channels)
    roles = (
        Roles(groups, channels, own, True, channels * n_out, own, n_out)
        if by_outputs
        else Roles(groups, own, channels, False, channels, own * length, length)
    )
    side_by_side = window[2][1] == 1
    tables = of_taps(down, right, tuple(taps), x.shape[2], roles, n, to.threads, side_by_side)
    rows, columns = (x, dy) if by_outputs else (dy, x)
    a, b = _by_feature(to, rows), _by_place(to, columns)
    out = to.new_by_row(dw)
    c = Ref(Buffer(4 * dw.size)) if by_outputs and min(length, n_out) > 1 else out
    b_k = groups * roles.columns
    emit_sums(to, tables, (a, n, 1), (b, b_k), (c, roles.c_row), roles.columns, 0)
    if c is not out:
        to.transpose(c, out, length, n_out)


def _met(
    places: Any, size: Any, taps: Any, stride: Two, padding: Two, dilation: Two, _: int
) -> tuple[Meetings, Meetings]:
    """What the window meets, down and to the right."""
    axes = zip(places, size, taps, stride, padding, dilation, strict=True)
    down, right = (meetings(*axis) for axis in axes)
    return down, right


def _apart(to: Lowering, weight: Ref, rows: int, width: int) -> tuple[Ref, int]:
    """Weights whose rows do not lie a multiple of pages apart, and how far they lie apart.

    A cache has few lines for such places, fewer than a tile has rows.
    """
    if width % PAGE:
        return weight, width
    pitch = width + LINE
    out = Ref(Buffer(4 * rows * pitch))
    to.emit(
        "copy_rows", rows, dict(source=weight, out=out, width=width, pitch=pitch),
        [(weight, 4 * rows * width, 4 * width)], [(out, 4 * rows * pitch, 4 * pitch)],
        0.1 * rows * width,
    )  # fmt: skip
    return out, pitch


def _by_feature(to: Lowering, image: Value) -> Ref:
    return to.by_feature(image, image.size // image.shape[0])


def _by_place(to: Lowering, image: Value) -> Ref:
    """An image as (places, rows, channels)."""
    source, out = _by_feature(to, image), Ref(Buffer(4 * image.size))
    n, channels = image.shape[0], image.shape[-1]
    places, size = image.size // (n * channels), 4 * n * channels
    operands = dict(source=source, out=out, rows=channels, columns=n)
    reads, writes = ([(ref, 4 * image.size, size)] for ref in (source, out))
    to.emit("transpose_each", places, operands, reads, writes, 0.3 * image.size)
    return out


def _image(to: Lowering, tables: Tables, a: Ref, a_row: int, image: Value, out: Value) -> None:
    """An image made of another one and of weights."""
    n, b = image.shape[0], _by_feature(to, image)
    c = to.new(out, width=out.size // n)
    emit_sums(to, tables, (a, a_row, 1), (b, n), (c, n), n, 4 * n * out.shape[-1])


def emit_sums(
    to: Lowering, tables: Tables, a: tuple[Ref, int, int], b: tuple[Ref, int], c: tuple[Ref, int],
    n: int, own: int,
) -> None:  # fmt: skip
    """The operation; A, B and C with their strides, and the bytes of C that are a unit's own."""
    operands: dict[str, Any] = dict(zip(("a", "a_row", "a_k"), a, strict=True))
    operands |= dict(zip(("b", "b_k"), b, strict=True)) | dict(zip(("c", "c_row"), c, strict=True))
    operands |= {
        name: to.constant(getattr(tables, name), np.int64) for name in ("starts", "items", "runs")
    }
    operands |= dict(turns=tables.turns, n=n)
    reads = [(ref, ref.buffer.size - ref.offset, 0) for ref in (a[0], b[0])]
    writes = [(c[0], c[0].buffer.size - c[0].offset, own)]
    work = 2.0 * tables.products * n * PER_FLOP
    to.emit("convolve", tables.units, operands, reads, writes, work)


_ACTIVATIONS = [name for name in OPERATIONS if name.startswith("bias_") and hasattr(kernels, name)]


@rule(*_ACTIVATIONS, "centred", "scaled", "scaled_backward")
def _by_channel(to: Lowering, call: Call) -> None:
    """What a row of places, each with the same channels, has by channel, or a dense layer."""
    backward, declared = call.kernel.endswith("_backward"), OPERATIONS[call.kernel]
    arrays = [value for value in call.inputs if not isinstance(value, Real)]
    of_rows = [name for name, axes in declared.reads.items() if axes == "NF"]
    rows = arrays[: len(of_rows)]
    channels, size = rows[0].shape[-1], rows[0].size
    widths = [to.width(v) for v in rows if isinstance(v, Value) and v.in_order]
    width = next((w for w in widths if w > channels and w % channels == 0), channels)
    if width == channels:
        lower(to, call)
        return
    n, constants = size // width, [float(v) for v in call.inputs if isinstance(v, Real)]
    operands: dict[str, Any] = dict(zip(declared.reads, arrays, strict=False))
    for name, value in zip(of_rows, rows, strict=False):
        operands[name] = to.by_feature(value, width)
    first, *others = call.outputs
    written = list(declared.writes)
    operands[written[0]] = to.new(first, rows[0], width)
    for name, value in zip(written[1:], others, strict=False):
        operands[name] = value if declared.writes[name] == "F" else to.new(value, width=width)
    axes = dict.fromkeys((*of_rows, written[0]), "NX") if backward else {}
    sizes = dict(n=n, n_features=channels, places=width // channels)
    emit(
        to, call.kernel, operands | sizes, constants, n_items=channels if backward else width,
        work=declared.cost * size, axes=axes,
    )  # fmt: skip

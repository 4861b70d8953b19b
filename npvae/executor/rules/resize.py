"""Images made smaller and larger, and channels put in another order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..graph import Call
from ..lower import Lowering
from .declared import rule
from .dense import pick
from .images import emit_sums
from .windows import of_matrices


@rule("resample")
def _resample(to: Lowering, call: Call) -> None:
    x, down, along = call.inputs
    (y,) = call.outputs
    n, *image = x.shape
    place = n * image[2]
    weights, tables = of_matrices(down, along, place)
    a, b = to.constant(weights, np.float32), to.by_feature(x, math.prod(image))
    c = to.new(y, width=y.size // n)
    emit_sums(to, tables, (a, 0, 1), (b, place), (c, place), place, 4 * place)


@rule("max_pool")
def _max_pool(to: Lowering, call: Call) -> None:
    x, taps, stride = call.inputs
    (y,) = call.outputs
    n, _, width, channels = x.shape
    source, out = to.by_feature(x, x.size // n), to.new(y, width=y.size // n)
    place = n * channels
    operands = dict(x=source, y=out, width=width, out_width=y.shape[2], place=place)
    to.emit(
        "max_pool", y.size // place, operands | _window(taps, stride),
        [(source, 4 * x.size, 0)], [(out, 4 * y.size, 4 * place)],
        0.1 * math.prod(taps) * y.size,
    )  # fmt: skip


@rule("max_pool_backward")
def _max_pool_backward(to: Lowering, call: Call) -> None:
    dy, x, y, taps, stride = call.inputs
    (dx,) = call.outputs
    n, height, width, channels = x.shape
    operands: dict[str, Any] = {
        name: to.by_feature(value, value.size // n) for name, value in dict(dy=dy, x=x, y=y).items()
    }
    operands["dx"] = out = to.new(dx, width=dx.size // n)
    reads = [(operands[name], 4 * v.size, 0) for name, v in dict(dy=dy, x=x, y=y).items()]
    sizes = dict(n=n, channels=channels, places=height * width, width=width)
    sizes |= dict(out_places=y.shape[1] * y.shape[2], out_width=y.shape[2])
    to.emit(
        "max_pool_backward", channels, operands | sizes | _window(taps, stride),
        reads, [(out, 4 * dx.size, 0)], 0.3 * math.prod(taps) * y.size + 0.1 * x.size,
    )  # fmt: skip


def _window(taps: tuple[int, int], stride: tuple[int, int]) -> dict[str, int]:
    return dict(tall=taps[0], wide=taps[1], down=stride[0], right=stride[1])


@rule("stack_channels", "unstack_channels")
def _moved_channels(to: Lowering, call: Call) -> None:
    """Where each number comes from, the kernel itself says: of a row of their numbers."""
    rows, *how = call.inputs
    features = rows.n_features
    chosen = call.function(np.arange(features)[None], *how)[0]
    pick(to, rows, call.outputs[0], chosen)

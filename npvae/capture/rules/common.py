"""What several rules share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import Value
from ..lower import RULES, Lowering
from ..memory import Buffer, Ref


def rule(*kernels: str) -> Callable[[Any], Any]:
    """Enter a function as what lowers these kernels' calls."""

    def enter(function: Any) -> Any:
        RULES.update(dict.fromkeys(kernels, function))
        return function

    return enter


def density(to: Lowering, name: str, rows: int, operands: dict[str, Any], own: dict[str, int],
             n: int, cost: float, constants: Any = ()) -> Ref:  # fmt: skip
    """An operation that leaves each thread's sums over its features; returns where they are."""
    partial = Ref(Buffer(8 * n * to.threads))
    operands = operands | dict(partial=partial)
    places = {key: operands[key] for key in own}
    outputs = {"r"} & set(own)
    reads = [(p, rows * own[key], own[key]) for key, p in places.items() if key not in outputs]
    writes = [(places[key], rows * own[key], own[key]) for key in outputs]
    writes.append((partial, partial.buffer.size, 0))  # a row for each thread, no share of the rows
    to.emit(name, rows, operands, reads, writes, cost * rows * n, constants)
    return partial


def row_sums(to: Lowering, partial: Ref, out: Ref, n: int, constant: float, factor: float) -> None:
    to.emit(
        "row_sums",
        1,
        dict(partial=partial, parts=0, out=out, n=n),
        [(partial, partial.buffer.size, 0)],
        [(out, 8 * n, 0)],
        constants=(constant, factor),
    )


def scale(to: Lowering, d: Value, r: Value, scaled: Value, factor: float) -> None:
    weights, source = to.vector(d), to.features(r)
    n = r.rows
    to.elementwise(
        "scale_rows",
        r.width,
        dict(d=weights, r=source, out=to.new(scaled, dying=r), n=n),
        0.1,
        dict(r=4 * n, out=4 * n),
        ("out",),
        dict(d=8 * n),
        (factor,),
    )

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


def density(to: Lowering, name: str, n_items: int, operands: dict[str, Any], own: dict[str, int],
            n: int, cost: float, constants: Any = (), shared: dict[str, int] | None = None,
            sums: int = 1) -> Ref:  # fmt: skip
    """An operation that leaves each thread's sums over its features; returns where they are.

    It gives `r` and `slope`. `own` has operands' bytes per item, `shared` the sizes of others.
    """
    partial = Ref(Buffer(8 * sums * n * to.threads))
    sizes = {key: (n_items * size, size) for key, size in own.items()}
    sizes |= {key: (size, 0) for key, size in (shared or {}).items()}
    outputs = {"r", "slope"} & set(sizes)
    reads = [(operands[key], *size) for key, size in sizes.items() if key not in outputs]
    writes = [(operands[key], *sizes[key]) for key in outputs]
    writes.append((partial, partial.buffer.size, 0))  # a row for each thread, no share of the items
    to.emit(
        name,
        n_items,
        operands | dict(partial=partial),
        reads,
        writes,
        cost * n_items * n,
        constants,
    )
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
    weights, source = to.as_doubles(d), to.by_feature(r)
    n = r.per_feature
    to.elementwise(
        "scale_rows",
        r.n_features,
        dict(d=weights, r=source, out=to.new(scaled, dying=r), n=n),
        0.1,
        dict(r=4 * n, out=4 * n),
        ("out",),
        dict(d=8 * n),
        (factor,),
    )

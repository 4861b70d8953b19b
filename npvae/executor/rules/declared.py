"""Operations as their declarations say: how the calls of most kernels are lowered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from operator import attrgetter
from typing import Any

from ... import kernels
from ..graph import Call, NotCapturable, Value
from ..lower import RULES, Lowering
from ..memory import Buffer, Ref
from ..operations import loop  # noqa: F401  (all that declares operations)
from ..operations.declare import NOTHING, OPERATIONS, Declaration

OWN = ("NF", "KBF", "BF", "F")
"""The axes of what is a thread's own for each feature that it has."""
DOUBLES = ("N", "KB", "1")
"""The axes of float64."""


def rule(*names: str) -> Callable[[Any], Any]:
    """Enter a function as what lowers these kernels' calls."""

    def enter(function: Any) -> Any:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def named_arguments(call: Call) -> dict[str, Any]:
    """What a call was given, by the names of the kernel's arguments."""
    names = inspect.signature(getattr(kernels, call.kernel)).parameters
    return dict(zip(names, call.inputs, strict=False))


def lower(to: Lowering, call: Call) -> None:
    """A call of a kernel that has an operation of its own name.

    Of the kernel's arguments the arrays are what the operation reads, in this order, and the
    numbers its constants; a beta is the schedule's.
    """
    declared = OPERATIONS[call.kernel]
    given = named_arguments(call)
    if "beta" in given:
        to.needs_the_schedule(given.pop("beta"))
    constants = [float(v) for v in given.values() if isinstance(v, Real)]
    arrays = [v for v in given.values() if not isinstance(v, Real)]
    if len(arrays) > len(declared.reads) or len(constants) > len(declared.constants):
        raise NotCapturable(f"operation {call.kernel} takes fewer arguments than the kernel")
    read = dict(zip(declared.reads, arrays, strict=False))
    written = dict(zip(declared.writes, call.outputs, strict=False))
    emit(to, call.kernel, read | written, constants)


for _name, _declared in OPERATIONS.items():
    # A module of kernels may have an operation's name.
    if _declared.reads and callable(getattr(kernels, _name, None)) and not _declared.ends:
        RULES.setdefault(_name, lower)


def emit(
    to: Lowering,
    name: str,
    operands: Mapping[str, Any],
    constants: Sequence[float] = (),
    *,
    n_items: int | None = None,
    work: float | None = None,
    axes: Mapping[str, str] = NOTHING,
) -> Ref | None:
    """Emit an operation, with all that its declaration says of its operands.

    Parameters
    ----------
    name : str
    operands : dict
        Values, or the places of what is none of the graph's, or numbers; None where the operation
        does without. What the values' sizes tell (n, samples, batch, n_features) is left out.
    constants : floats, in the declaration's order
    n_items : int, what threads divide, if not features
    work : float, nanoseconds, if not what cost and sizes tell
    axes : dict of axes that differ from the declaration's

    Returns
    -------
    Ref or None
        Where the threads leave their sums, if they do. The result that is made of them, the first
        with axes "N" or "KB", is added up here if it is among the operands.

    Raises
    ------
    NotCapturable
        If a value is of another size than its axes say.
    """
    declared = OPERATIONS[name]
    axes = {**declared.reads, **declared.writes, **axes}
    given = {key: operand for key, operand in operands.items() if operand is not None}
    sizes = _sizes(name, axes, given)
    n_items = n_items or (1 if declared.alone else sizes["n_features"])
    partial = result = None
    if declared.leaves_sums:
        partial = Ref(Buffer(8 * declared.sums * sizes["n"] * to.threads))
        summed = [key for key in declared.writes if axes[key] in ("N", "KB")]
        result = given.pop(summed[0], None) if summed else None
        given["partial"] = partial
    row = dict.fromkeys(declared.operands, 0) | sizes
    touched: dict[bool, list[tuple[Ref, int, int]]] = {False: [], True: []}
    for key, operand in sorted(given.items(), key=lambda pair: pair[0] in declared.writes):
        row[key] = ref = _place(to, declared, axes.get(key, ""), key, given)
        if isinstance(ref, Ref):
            size = ref.buffer.size if isinstance(operand, Ref) else _bytes(axes[key], operand)
            own = axes.get(key) in OWN and not declared.alone
            writes = key in declared.writes or ref is partial
            touched[writes].append((ref, size, size // n_items if own else 0))
    row = {key: row[key] for key in declared.operands}
    work = declared.cost * sizes["n"] * sizes["n_features"] if work is None else work
    to.emit(name, n_items, row, touched[False], touched[True], work, constants)
    if result is not None:
        emit(to, "row_sums", dict(partial=partial, out=result), (declared.factor,))
    return partial


def _bytes(axes: str, value: Value) -> int:
    return (8 if axes in DOUBLES else 4) * value.size


def _place(
    to: Lowering, declared: Declaration, axes: str, key: str, given: Mapping[str, Any]
) -> Any:
    """Where an operand lies, or is to lie; a number is itself."""
    operand = given[key]
    if not axes or isinstance(operand, Ref):
        return operand
    if key in declared.writes:
        dying = given.get(declared.over.get(key, ""))
        if axes in DOUBLES:
            return to.new_doubles(operand)
        return to.new(operand, dying=dying if isinstance(dying, Value) else None)
    if axes in DOUBLES:
        return to.as_doubles(operand)
    if axes == "P":
        return to.by_row(operand)
    return to.by_feature(operand)


def _sizes(name: str, axes: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, int]:
    """What the axes' letters are: N, F, B and K."""
    values = [(axes[key], v) for key, v in given.items() if key in axes and isinstance(v, Value)]

    def first(length: Callable[[Value], int], *those: str) -> int:
        """Of the first value with such axes, or 0."""
        return next((length(value) for axes, value in values if axes in those), 0)

    per_feature, size, last = (
        attrgetter("per_feature"),
        attrgetter("size"),
        attrgetter("n_features"),
    )
    n = first(per_feature, "NF", "KBF", "N2F", "NX") or first(size, "N", "KB") or 1
    batch = first(per_feature, "BF", "BX") or first(size, "B")
    batch = batch or first(lambda v: v.shape[-2], "KBF") or first(last, "KB") or n
    features = first(last, *OWN) or first(last, "NX", "BX") or 1
    sizes = {"NF": n * features, "N2F": 2 * n * features, "BF": batch * features, "F": features,
             "N": n, "B": batch, "1": 1}  # fmt: skip
    sizes |= {"KBF": sizes["NF"], "KB": n}
    if any(v.size != sizes.get(a, v.size) for a, v in values) or n % batch:
        shapes = ", ".join(str(v.shape) for _, v in values)
        raise NotCapturable(f"operation {name} has no form for operands of shapes {shapes}")
    return dict(n=n, batch=batch, samples=n // batch, n_features=features)

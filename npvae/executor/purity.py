"""What a part does besides calling kernels, found by watching it.

A recorded step is only what the kernels did. A part that counts its calls, draws random numbers or
computes with something else that changes would be frozen by it, without any gradient test noticing.
So its attributes and the global random states are looked at before and after it was recorded, and
recordings of two batches are compared.
"""

from __future__ import annotations

import random
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..core import Part
from .graph import Call, Gradient, Graph, NotCapturable, Value

_PLAIN = frozenset({bool, int, str, bytes, type(None)})
_NUMBERS = _PLAIN | {float}
_BY_IDENTITY = (type, ModuleType, Value, Gradient)
NOT_LOOKED_AT = ("flat", "_params", "_declared", "schema")
"""What parameters are kept in; and a table's schema, which is large and no computation's."""


class LookCloser(Exception):
    """Some part of a step does what the watch sees only if it looks at each."""


class PurityWatch:
    """Looks at what may change while a step is recorded.

    The global random numbers it looks at once for all parts, and at each part's only if they were
    drawn from: that takes longer than recording a small step.
    """

    def __init__(self, closely: bool = False) -> None:
        self.closely, self.began = closely, _random_states()

    def compare(self, seen: Any, thing: Any) -> None:
        """Refuse what has other attributes than were seen."""
        now = attributes(thing)
        changed = [name for name in {**seen, **now} if seen.get(name) != now.get(name)]
        if changed:
            raise NotCapturable(f"its attribute {changed[0]} changes from call to call")

    def begin(self) -> Any:
        """Where the global random numbers are as a part begins."""
        return _random_states() if self.closely else None

    def compare_randomness(self, before: Any) -> None:
        """Refuse what has drawn from the global random numbers since."""
        if self.closely and _random_states() != before:
            raise NotCapturable("it draws from global random numbers")

    def end(self) -> None:
        """Look closer if anything has drawn from them."""
        if not self.closely and _random_states() != self.began:
            raise LookCloser


def attributes(thing: Any) -> dict[str, Any]:
    """What an object holds, to be compared: all but parameters and other parts."""
    within: set[int] = set()
    declared = getattr(thing, "_declared", ())
    skipped = {*NOT_LOOKED_AT, *declared, *(f"d{name}" for name in declared)}
    return {name: _seen(item, within) for name, item in vars(thing).items() if name not in skipped}


def _seen(value: Any, within: set[int]) -> Any:
    """A stand-in that is equal as long as nothing in the value changes.

    The commonest kinds come first: what each part holds is compared before every epoch.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in (tuple, list) and _NUMBERS.issuperset(map(type, value)):
        return kind, tuple(value)
    if isinstance(value, (float, complex, np.generic)):
        return type(value), value if value == value else "NaN"
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, hash(value.tobytes())
    if isinstance(value, Part):
        return "a part"
    if isinstance(value, _BY_IDENTITY) or id(value) in within:
        return id(value)
    within.add(id(value))
    try:
        return type(value), _inside(value, within)
    finally:
        within.remove(id(value))


def _held_by(function: FunctionType) -> list[Any]:
    """What a function keeps from call to call: variables of the functions around it, defaults."""
    kept = [cell.cell_contents for cell in function.__closure__ or () if _is_set(cell)]
    return [*kept, function.__defaults__, function.__kwdefaults__, vars(function)]


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _inside(value: Any, within: set[int]) -> Any:
    if isinstance(value, MethodType):
        return _seen(value.__func__, within), _seen(value.__self__, within)
    if isinstance(value, FunctionType):
        return id(value), [_seen(item, within) for item in _held_by(value)]
    if isinstance(value, (list, tuple)):
        return [_seen(item, within) for item in value]
    if isinstance(value, dict):
        return [(_seen(key, within), _seen(item, within)) for key, item in value.items()]
    if isinstance(value, np.random.Generator):
        return _seen(value.bit_generator.state, within)
    if isinstance(value, np.random.RandomState):
        return _seen(value.get_state(), within)
    if hasattr(value, "__dict__") and not isinstance(value, random.Random):
        return _seen(vars(value), within)
    try:
        return _seen(value.__reduce_ex__(4), within)
    except Exception:  # whatever a class's own way of being copied raises
        return id(value)


def _random_states() -> Any:
    """Where the global random numbers are."""
    numpys = np.random.get_state(legacy=False)  # noqa: NPY002  (what is looked for)
    return _seen(numpys, set()), random.getstate()


def first_difference(one: Graph, other: Graph) -> str | None:
    """A part, the innermost, whose calls differ between two recordings, or None."""
    own: list[dict[str, Any]] = [{}, {}]
    for calls, graph in zip(own, (one, other), strict=True):
        for call in graph.calls:
            calls.setdefault(call.part, []).append(_form(call, {}))
    differing = [part for part in own[0] | own[1] if own[0].get(part) != own[1].get(part)]
    if differing:
        return max(differing, key=lambda part: part.count("."))
    places: list[dict[int, Any]] = [
        {id(value): name for name, value in (graph.inputs | graph.parameters).items()}
        for graph in (one, other)
    ]
    for i, pair in enumerate(zip(one.calls, other.calls, strict=True)):
        if _form(pair[0], places[0]) != _form(pair[1], places[1]):
            return pair[0].part
        for call, place in zip(pair, places, strict=True):
            place.update({id(value): (i, j) for j, value in enumerate(call.outputs)})
    ends = [
        [(name, _of(value, place)) for name, value in graph.gradients]
        + [_of(loss, place) for loss in graph.losses]
        for graph, place in zip((one, other), places, strict=True)
    ]
    return None if ends[0] == ends[1] else ""


def _form(call: Call, places: dict[int, Any]) -> Any:
    outputs = [(value.shape, value.dtype) for value in call.outputs]
    return call.kernel, call.part, [_of(given, places) for given in call.inputs], outputs


def _of(given: Any, places: dict[int, Any]) -> Any:
    """Which value it is, or which constant."""
    if isinstance(given, Value):
        return places.get(id(given.base)), repr(given.moves), given.shape, given.dtype
    return _seen(given, set())

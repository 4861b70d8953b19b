"""The flat parameter vector of a tree of parts, and the parts' views into it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .memory import NARROWER, check_memory
from .part import Init, Part

Array = np.ndarray

_LINE = 64
"""Bytes of a cache line."""


class Slot(NamedTuple):
    """Where one parameter lives: in which part, under which attribute, where in the vector."""

    part: Part
    attribute: str
    start: int
    shape: tuple[int, ...]
    init: Init
    given: tuple[str, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def view(self, flat: Array) -> Array:
        return flat[self.start : self.start + self.size].reshape(self.shape)


def children(part: Part) -> Iterator[tuple[str, Part]]:
    """The parts that `part` holds, in the order in which its attributes were set."""
    for attribute, value in vars(part).items():
        if isinstance(value, Part):
            yield attribute, value
        elif isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                if isinstance(item, Part):
                    yield f"{attribute}.{i}", item


def layout(root: Part) -> dict[str, Slot]:
    """Every parameter under `root`: ``{"encoder.layers.0.W": slot}``, in the vector's order.

    A part that is held in several places is one part, named by the first of them.
    """
    slots: dict[str, Slot] = {}
    seen: set[int] = set()

    def visit(part: Part, prefix: str, start: int) -> int:
        if id(part) in seen:
            return start
        seen.add(id(part))
        for name, (shape, init, given) in getattr(part, "_declared", {}).items():
            slot = slots[prefix + name] = Slot(part, name, start, shape, init, given)
            start += slot.size
        for name, child in children(part):
            start = visit(child, f"{prefix}{name}.", start)
        return start

    visit(root, "", 0)
    return slots


def n_parameters(root: Part) -> int:
    """How many numbers the parameters under `root` hold; nothing is allocated for the answer."""
    return sum(slot.size for slot in layout(root).values())


def flat_vector(n: int, dtype: Any) -> Array:
    """An empty vector of n numbers that begins where a cache line does.

    Of rows that lie a multiple of a line apart, as many layers' weights do, a vector of the
    processor's is then read from one line and not from two.
    """
    spare = _LINE // np.dtype(dtype).itemsize
    whole = np.empty(n + spare, dtype)
    first = -whole.__array_interface__["data"][0] % _LINE // whole.itemsize
    return whole[first : first + n]


def initialise(root: Part, rng: np.random.Generator, dtype: Any) -> Array:
    """A new flat vector with every parameter's initial value, drawn in float64 in layout order."""
    slots = layout(root).values()
    sizes = [slot.size for slot in slots]
    n, most = sum(sizes), 16 * max(sizes, default=0)  # in float64, and once more times a gain
    check_memory(f"a model of {n:.3g} parameters", n * np.dtype(dtype).itemsize + most, NARROWER)
    flat = flat_vector(n, dtype)
    drawn: dict[tuple[int, str], Array] = {}
    for slot in slots:
        view = drawn[id(slot.part), slot.attribute] = slot.view(flat)
        view[...] = slot.init(rng, slot.shape, *(drawn[id(slot.part), name] for name in slot.given))
    return flat


def bind(root: Part, flat: Array, prefix: str = "") -> dict[str, Array]:
    """Set every parameter's attribute, ``prefix + name``, to its view into `flat`.

    With ``prefix="d"`` and a vector of gradients it is ``part.dW`` that is set. Returns the views
    by their full names.
    """
    views = {}
    for name, slot in layout(root).items():
        views[name] = slot.view(flat)
        setattr(slot.part, prefix + slot.attribute, views[name])
    return views


def clone(part: Any, _done: dict[int, Any] | None = None) -> Any:
    """A copy of the tree of parts, to be bound to other vectors than the original."""
    done = {} if _done is None else _done
    if id(part) in done:
        return done[id(part)]
    twin = done[id(part)] = object.__new__(type(part))
    twin.__dict__.update(vars(part))
    for attribute, value in vars(part).items():
        if isinstance(value, Part):
            setattr(twin, attribute, clone(value, done))
        elif isinstance(value, (list, tuple)) and any(isinstance(item, Part) for item in value):
            items = [clone(item, done) if isinstance(item, Part) else item for item in value]
            setattr(twin, attribute, type(value)(items))
    return twin

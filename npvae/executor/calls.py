"""The calls that Python makes in the middle of a captured step, on arrays in the arena."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .graph import Call, Value
from .memory import Ref

Array = np.ndarray
State = dict[Any, Any]


class Given(NamedTuple):
    """A call's input: where its base lies in the arena, or None for what Python has itself."""

    value: Value
    ref: Ref | None
    dtype: Any

    def array(self, state: State) -> Array:
        """It as an array of the shape that it would have without all this."""
        base = self.value.base
        if self.ref is not None:
            # A copy, as eager code has it: the user's to keep and to write to.
            return np.array(self.value.of(_memory(self.ref, base, self.dtype)), order="C")
        return self.value.of(state.get(id(base), base.example))  # a parameter


@dataclass
class PythonCall:
    """One call, made before the operation `at`.

    Attributes
    ----------
    why : str, the reason for which Python makes it
    inputs : list of Given, or constants
    places : dict of (Ref, dtype) lists, where a result goes, by the id of its value
    """

    at: int
    call: Call
    why: str
    inputs: list[Any]
    places: dict[int, list[tuple[Ref, Any]]] = field(default_factory=dict)

    def run(self, state: State) -> None:
        """Make the call, and put its results where compiled code looks for them."""
        arrays = [g.array(state) if isinstance(g, Given) else g for g in self.inputs]
        with np.errstate(over="ignore", invalid="ignore"):
            results = self.call.run(state, arrays)
            for value, result in zip(self.call.outputs, results, strict=True):
                state[id(value)] = array = np.asarray(result)
                for ref, dtype in self.places.get(id(value), []):
                    _memory(ref, value, dtype)[...] = array


def _memory(ref: Ref, value: Value, dtype: Any) -> Array:
    """The arena's memory for a value."""
    kind = ctypes.c_float if dtype == np.float32 else ctypes.c_double
    flat = np.ctypeslib.as_array((kind * value.size).from_address(ref.address))
    return flat.reshape(value.shape)

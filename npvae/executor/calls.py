"""The calls that Python makes in the middle of a captured step, on arrays in the arena."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .graph import Call, Value
from .memory import Ref

Array = np.ndarray


class Given(NamedTuple):
    """A call's input: where it lies in the arena, or None for what Python has itself."""

    value: Value
    ref: Ref | None
    dtype: Any


@dataclass
class PythonCall:
    """One call, made before the operation `at`.

    Attributes
    ----------
    inputs : list of Given, or constants
    places : dict of (Ref, dtype) lists, where a result goes, by the id of its value
    """

    at: int
    call: Call
    inputs: list[Any]
    places: dict[int, list[tuple[Ref, Any]]] = field(default_factory=dict)

    def run(self, state: dict[Any, Any]) -> None:
        """Make the call, and put its results where compiled code looks for them."""
        arrays = [_array(given, state) for given in self.inputs]
        assert self.call.python is not None
        with np.errstate(over="ignore", invalid="ignore"):
            results = self.call.python(state, arrays)
            for value, result in zip(self.call.outputs, results, strict=True):
                state[id(value)] = array = np.asarray(result)
                for ref, dtype in self.places.get(id(value), []):
                    _view(ref, value, dtype)[...] = array


def _array(given: Any, state: dict[Any, Any]) -> Any:
    """An input as an array of the shape that it would have without all this."""
    if not isinstance(given, Given):
        return given
    value = given.value
    if given.ref is not None:
        # A copy, as eager code has it: the user's to keep and to write to.
        return np.array(_view(given.ref, value, given.dtype), order="C")
    if id(value.base) in state:
        whole = state[id(value.base)]
        return whole[..., value.start : value.start + value.n_features].reshape(value.shape)
    return value.example  # a parameter


def _view(ref: Ref, value: Value, dtype: Any) -> Array:
    """The arena's memory for a value: float32 by feature, (F, K·B), or float64 as it is."""
    kind = ctypes.c_float if dtype == np.float32 else ctypes.c_double
    flat = np.ctypeslib.as_array((kind * value.size).from_address(ref.address))
    if dtype == np.float64:
        return flat.reshape(value.shape)
    # Splitting the rows' axis of a transposed array needs no copy, so this is still a view.
    return flat.reshape(value.n_features, -1).T.reshape(value.shape)

"""The recorded step: kernel calls on values, as data.

A graph can be printed, counted, replayed by the reference kernels (`replay`), and lowered to a
program for the compiled executor (`lower.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.trees import leaves, refilled
from ..kernels import recording

Array = np.ndarray


class NotCapturable(Exception):
    """Something other than a kernel touched a recorded value; Python has to run it each step."""


class Value:
    """An array of the recorded step: what kernels take and give while a step is recorded.

    It has the shape and type of the array that it stands for, and an example of it. It can be
    reshaped, transposed and sliced; everything else is a kernel's business.

    Attributes
    ----------
    example : the array of the batch on which the step was recorded
    base : Value
        Itself, or what it is a view of.
    moves : tuple of (method, argument)
        What makes this view of the base: methods of arrays, one after the other.
    start : int or None
        The first feature of the base that it shows, where its leading axes alone are reshaped and
        its last one cut; None for any other view.
    source : str
        What gives it, for people: "x", "encoder.layers.0.W" or a kernel's name.
    """

    __slots__ = ("base", "example", "graph", "moves", "source", "start")

    def __init__(self, graph: Graph, example: Any, source: str) -> None:
        self.graph, self.example, self.source = graph, np.asarray(example), source
        self.base: Value = self
        self.moves: tuple[tuple[str, Any], ...] = ()
        self.start: int | None = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.example.shape

    @property
    def ndim(self) -> int:
        return self.example.ndim

    @property
    def size(self) -> int:
        return self.example.size

    @property
    def dtype(self) -> Any:
        return self.example.dtype

    @property
    def n_features(self) -> int:
        """F, the length of its last axis; 1 for a number."""
        return self.shape[-1] if self.shape else 1

    @property
    def per_feature(self) -> int:
        """The numbers that each feature has, K·B or B: the product of the axes before the last."""
        return math.prod(self.shape[:-1])

    @property
    def in_order(self) -> bool:
        """Whether its numbers stand in the order of the base's, however it was reshaped."""
        return all(method == "reshape" for method, _ in self.moves)

    def of(self, array: Array) -> Array:
        """The same view of another array than the base's example."""
        for method, argument in self.moves:
            array = getattr(array, method)(argument)
        return array

    def reshape(self, *shape: Any) -> Value:
        to = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        last = self.example.reshape(to).shape[-1:]
        return self._view("reshape", to, self.start if last == self.shape[-1:] else None)

    def transpose(self, *axes: Any) -> Value:
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple) else axes
        return self._view("transpose", order or None, None)

    @property
    def T(self) -> Value:
        return self.transpose()

    def __getitem__(self, key: Any) -> Value:
        parts = key if isinstance(key, tuple) else (key,)
        if not all(p is None or p is Ellipsis or isinstance(p, (int, slice)) for p in parts):
            raise NotCapturable(
                f"{self.source} was indexed by {key!r}; a step's values are cut by slices and "
                "whole numbers alone, and kernels such as take_columns pick the rest"
            )
        start = None
        if self.start is not None and len(parts) == 2 and parts[0] is Ellipsis:
            cut = parts[1]
            if isinstance(cut, slice) and cut.step in (None, 1):
                start = self.start + cut.indices(self.n_features)[0]
        return self._view("__getitem__", key, start)

    def _view(self, method: str, argument: Any, start: int | None) -> Value:
        example = getattr(self.example, method)(argument)
        if example.shape == self.shape and example.strides == self.example.strides:
            return self
        view = Value(self.graph, example, self.source)
        view.base, view.moves, view.start = self.base, (*self.moves, (method, argument)), start
        return view

    def __len__(self) -> int:
        return len(self.example)

    def __repr__(self) -> str:
        return f"<{self.source}: {self.dtype} {self.shape}>"

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NotCapturable(f"{self.source} was used outside of a kernel")

    __array__ = __array_ufunc__ = __array_function__ = __bool__ = __float__ = __iter__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __rtruediv__ = __matmul__ = __rmatmul__ = __neg__ = __pow__ = __abs__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __hash__ = _refuse
    __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __divmod__ = __rdivmod__ = _refuse
    __rpow__ = __pos__ = __invert__ = __and__ = __or__ = __xor__ = __int__ = __complex__ = _refuse
    __index__ = __round__ = __trunc__ = __format__ = __setitem__ = __contains__ = _refuse
    __copy__ = __deepcopy__ = _refuse

    def __getattr__(self, name: str) -> Any:
        raise NotCapturable(f"{self.source}.{name} was asked for outside of a kernel")


class Gradient:
    """Where a parameter's gradient is added up while a step is recorded: ``part.dW += ...``."""

    def __init__(self, graph: Graph, parameter: str) -> None:
        self.graph, self.parameter = graph, parameter

    def __iadd__(self, value: Any) -> Gradient:
        if not isinstance(value, Value):
            raise NotCapturable(f"the gradient of {self.parameter} was given no recorded value")
        wanted = self.graph.parameters[self.parameter].shape
        if value.shape != wanted:
            raise NotCapturable(
                f"the gradient of {self.parameter} has shape {wanted}; got {value.shape}"
            )
        self.graph.gradients.append((self.parameter, value))
        return self

    def _refuse(self, *_: Any) -> Any:
        raise NotCapturable(f"the gradient of {self.parameter} is only added to")

    __getattr__ = __getitem__ = __setitem__ = __array__ = __imul__ = _refuse


@dataclass
class Call:
    """One call of a kernel, or of a part that Python runs.

    Attributes
    ----------
    kernel : str, the name of what is called
    inputs : tuple of Value, and constants
    outputs : tuple of Value
    function : callable
        From the inputs' arrays to those of the outputs, in a tree of any form.
    part : str, the name of the part that made the call
    why : str
        For what reason Python runs it: a part's forward, say. "" for a kernel, which Python runs
        only where it has no compiled operation.
    """

    kernel: str
    inputs: tuple[Any, ...]
    outputs: tuple[Value, ...]
    function: Callable[..., Any]
    part: str = ""
    why: str = ""

    def run(self, state: dict[Any, Any], arrays: Sequence[Any]) -> list[Any]:
        """What Python makes of these inputs: an array for each of the outputs."""
        results = leaves(self.function(state, *arrays) if self.why else self.function(*arrays))
        if len(results) != len(self.outputs):
            raise ValueError(
                f"a step's arrays are as many each time; {self.kernel} gave {len(self.outputs)} "
                f"at first and {len(results)} now. Give the same form for every batch."
            )
        return results

    def __repr__(self) -> str:
        given = ", ".join(map(repr, self.inputs))
        return f"{', '.join(map(repr, self.outputs))} = {self.kernel}({given})"


@dataclass
class Graph:
    """A recorded step, in order.

    Attributes
    ----------
    calls : list of Call
    gradients : list of (parameter's name, Value), in the order in which they were added
    inputs : dict
        "x", "context", "weights", "eps" (or "eps.0", ...) and "beta", as values.
    parameters : dict of Value by name
    losses : the objective's losses, as values or constants, the first what is minimised
    zeroed : set of parameters whose gradient Python adds to
    state : what Python's calls keep for each other while the step is recorded
    inside : names of the parts whose calls are being recorded, the innermost last
    """

    calls: list[Call] = field(default_factory=list)
    gradients: list[tuple[str, Value]] = field(default_factory=list)
    inputs: dict[str, Value] = field(default_factory=dict)
    parameters: dict[str, Value] = field(default_factory=dict)
    losses: tuple[Any, ...] = ()
    zeroed: set[str] = field(default_factory=set)
    state: dict[Any, Any] = field(default_factory=lambda: {"epoch": math.inf, "rehearsal": True})
    inside: list[str] = field(default_factory=lambda: [""])

    @property
    def epoch(self) -> Value:
        """Stands for the epoch, on which nothing that is recorded may depend."""
        return Value(self, np.float64(self.state["epoch"]), "the epoch")

    def call(self, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """Record a kernel's call and run it for its examples: `kernels.recording` sends it here."""
        return self._record(Call(kernel.__name__, arguments, (), kernel))

    def run(self, name: str, inputs: Sequence[Any], function: Callable[..., Any], why: str) -> Any:
        """Record a call that Python makes, and make it: ``function(state, *arrays)``."""
        with recording(None):
            return self._record(Call(name, tuple(inputs), (), function, why=why))

    def _record(self, call: Call) -> Any:
        for given in call.inputs:
            if isinstance(given, np.ndarray) and not never_changes(given):
                raise NotCapturable(
                    f"{call.kernel} was given an array that is neither parameter, input nor "
                    "recorded"
                )
        examples = [example(given) for given in call.inputs]
        result = call.function(self.state, *examples) if call.why else call.function(*examples)
        found = leaves(result)
        if not all(isinstance(item, (np.ndarray, np.generic, int, float)) for item in found):
            raise NotCapturable(f"{call.kernel} gave something else than arrays and numbers")
        call.outputs = tuple(Value(self, item, call.kernel) for item in found)
        call.part = self.inside[-1]
        self.calls.append(call)
        return refilled(result, iter(call.outputs))

    @property
    def flop(self) -> int:
        """Floating-point operations in the step's matrix products and convolutions.

        A convolution is counted as if it multiplied with its padding too.
        """
        total = 0
        for call in self.calls:
            if call.kernel in ("conv2d", "conv2d_dx", "conv2d_dw"):
                first, second, (result,) = *call.inputs[:2], call.outputs
                places = result if call.kernel == "conv2d" else first
                weight = result if call.kernel == "conv2d_dw" else second
                total += 2 * places.size * weight.size // weight.shape[0]
            if call.kernel in ("linear", "linear_dx", "linear_dw"):
                x, weight = call.inputs
                matrix = call.outputs[0] if call.kernel == "linear_dw" else weight
                total += 2 * x.per_feature * matrix.size
        return total

    def forget_examples(self) -> None:
        """Keep the shapes and types of the values, and of their arrays only the parameters."""
        parameters = {id(value) for value in self.parameters.values()}
        values = [v for call in self.calls for v in (*call.inputs, *call.outputs)]
        values += [*self.inputs.values(), *(value for _, value in self.gradients), *self.losses]
        for value in values:
            if isinstance(value, Value) and id(value) not in parameters:
                value.example = np.broadcast_to(value.dtype.type(0), value.shape)
        self.state.clear()

    def __str__(self) -> str:
        lines = [repr(call) for call in self.calls]
        return "\n".join(lines + [f"d{name} += {value!r}" for name, value in self.gradients])


def example(value: Any) -> Any:
    """A recorded value's array; a constant as it is."""
    return value.example if isinstance(value, Value) else value


def never_changes(array: Array) -> bool:
    """Whether it is a constant: nobody can write to it."""
    return not array.flags.writeable and array.flags.owndata


def replay(graph: Graph, inputs: dict[str, Any], parameters: dict[str, Array]) -> tuple[Any, dict]:
    """Run a recorded step on the reference kernels: its losses and its gradients by name."""
    found: dict[int, Any] = {id(v): inputs[name] for name, v in graph.inputs.items()}
    found.update({id(v): parameters[name] for name, v in graph.parameters.items()})

    def array(value: Any) -> Any:
        if not isinstance(value, Value):
            return value
        return value.of(found[id(value.base)])

    state: dict[Any, Any] = {"epoch": math.inf, "rehearsal": True}
    for call in graph.calls:
        results = call.run(state, [array(a) for a in call.inputs])
        found.update({id(v): r for v, r in zip(call.outputs, results, strict=True)})
    gradients: dict[str, Array] = {}
    for name, value in graph.gradients:
        gradients[name] = gradients.get(name, 0) + array(value)
    return tuple(array(v) for v in graph.losses), gradients

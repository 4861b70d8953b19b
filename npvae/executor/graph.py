"""The recorded step: kernel calls on values, as data.

A graph can be printed, counted, replayed by the kernels (`replay`), and lowered to a
program for the compiled executor (`lower.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray


class NotCapturable(Exception):
    """Something other than a kernel touched a recorded value; Python has to run it each step."""


class Value:
    """An array of the recorded step: what kernels take and give while a step is recorded.

    It has the shape and type of the array that it stands for, and an example of it. It can be
    reshaped along its leading axes and cut along its last; everything else is a kernel's business.

    Attributes
    ----------
    example : the array of the batch on which the step was recorded
    base : Value
        Itself, or what it is a reshaped or cut view of.
    start : int
        The first feature of the base that it shows.
    source : str
        What gives it, for people: "x", "encoder.layers.0.W" or a kernel's name.
    """

    __slots__ = ("base", "example", "graph", "source", "start")

    def __init__(
        self, graph: Graph, example: Any, source: str, base: Value | None = None, start: int = 0
    ) -> None:
        self.graph, self.example, self.source = graph, np.asarray(example), source
        self.base, self.start = self if base is None else base, start

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
        """F, the length of its last axis."""
        return self.shape[-1]

    @property
    def per_feature(self) -> int:
        """The numbers that each feature has, K·B or B: the product of the axes before the last."""
        return math.prod(self.shape[:-1])

    def reshape(self, *shape: Any) -> Value:
        to = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        example = self.example.reshape(to)
        if example.shape[-1:] != self.shape[-1:]:
            raise NotCapturable(f"{self.source} of shape {self.shape} was reshaped to {to}")
        return Value(self.graph, example, self.source, self.base, self.start)

    def __getitem__(self, key: Any) -> Value:
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] is Ellipsis):
            raise NotCapturable(f"{self.source} was indexed by {key!r}")
        part = key[1]
        if not isinstance(part, slice) or part.step not in (None, 1):
            raise NotCapturable(f"{self.source} was indexed by {key!r}")
        start = part.indices(self.n_features)[0]
        return Value(self.graph, self.example[key], self.source, self.base, self.start + start)

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
        raise NotCapturable(f"{self.source}.{name} was asked for")


class Gradient:
    """Where a parameter's gradient is added up while a step is recorded: ``part.dW += ...``."""

    def __init__(self, graph: Graph, parameter: str) -> None:
        self.graph, self.parameter = graph, parameter

    def __iadd__(self, value: Any) -> Gradient:
        if not isinstance(value, Value):
            raise NotCapturable(f"the gradient of {self.parameter} was given no recorded value")
        self.graph.gradients.append((self.parameter, value))
        return self

    def _refuse(self, *_: Any) -> Any:
        raise NotCapturable(f"the gradient of {self.parameter} is only added to")

    __getattr__ = __getitem__ = __setitem__ = __array__ = __imul__ = _refuse


@dataclass
class Call:
    """One call of a kernel, or with `python` of Python's; `inputs` are values and constants."""

    kernel: str
    inputs: tuple[Any, ...]
    outputs: tuple[Value, ...]
    python: Callable[[dict[Any, Any], list[Any]], Sequence[Any]] | None = None
    function: Callable[..., Any] | None = None

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
        "x", "context", "eps" (or "eps.0", ...) and "beta", as values.
    parameters : dict of Value by name
    losses : the objective's three values
    zeroed : set of parameters whose gradient Python adds to
    owners : dict, the id of the part that each parameter belongs to
    state : what Python's calls keep for each other while the step is recorded
    """

    calls: list[Call] = field(default_factory=list)
    gradients: list[tuple[str, Value]] = field(default_factory=list)
    inputs: dict[str, Value] = field(default_factory=dict)
    parameters: dict[str, Value] = field(default_factory=dict)
    losses: tuple[Value, ...] = ()
    zeroed: set[str] = field(default_factory=set)
    owners: dict[str, int] = field(default_factory=dict)
    state: dict[Any, Any] = field(default_factory=lambda: {"epoch": math.inf, "rehearsal": True})

    @property
    def epoch(self) -> Value:
        """Stands for the epoch, on which nothing that is recorded may depend."""
        return Value(self, np.float64(self.state["epoch"]), "the epoch")

    def call(self, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """Record a kernel's call and compute its example: what `kernels.recording` sends here."""
        name = kernel.__name__
        for argument in arguments:
            if isinstance(argument, np.ndarray) and not _never_changes(argument):
                raise NotCapturable(
                    f"{name} was given an array that is neither parameter, input nor recorded"
                )
        examples = [a.example if isinstance(a, Value) else a for a in arguments]
        result = kernel(*examples)
        several = isinstance(result, tuple)
        outputs = tuple(
            Value(self, example, name) for example in (result if several else (result,))
        )
        self.calls.append(Call(name, arguments, outputs, function=kernel))
        return outputs if several else outputs[0]

    @property
    def flop(self) -> int:
        """Floating-point operations in the step's matrix products."""
        total = 0
        for call in self.calls:
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

    def mark(self) -> tuple[int, int]:
        """Where the recording is, for `rewind`."""
        return len(self.calls), len(self.gradients)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget what was recorded since."""
        del self.calls[mark[0] :], self.gradients[mark[1] :]

    def __str__(self) -> str:
        lines = [repr(call) for call in self.calls]
        return "\n".join(lines + [f"d{name} += {value!r}" for name, value in self.gradients])


def _never_changes(array: Array) -> bool:
    """Whether it is a constant: nobody can write to it."""
    return not array.flags.writeable and array.flags.owndata


def replay(graph: Graph, inputs: dict[str, Any], parameters: dict[str, Array]) -> tuple[Any, dict]:
    """Run a recorded step on the kernels: its losses and its gradients by name."""
    found: dict[int, Any] = {id(v): inputs[name] for name, v in graph.inputs.items()}
    found.update({id(v): parameters[name] for name, v in graph.parameters.items()})

    def array(value: Any) -> Any:
        if not isinstance(value, Value):
            return value
        whole = found[id(value.base)]
        if value is value.base:
            return whole
        return whole[..., value.start : value.start + value.n_features].reshape(value.shape)

    state: dict[Any, Any] = {"epoch": math.inf, "rehearsal": True}
    for call in graph.calls:
        arguments = [array(a) for a in call.inputs]
        if call.python is not None:
            results = call.python(state, arguments)
        else:
            assert call.function is not None
            result = call.function(*arguments)
            results = result if isinstance(result, tuple) else (result,)
        found.update({id(v): r for v, r in zip(call.outputs, results, strict=True)})
    gradients: dict[str, Array] = {}
    for name, value in graph.gradients:
        gradients[name] = gradients.get(name, 0) + array(value)
    return tuple(array(v) for v in graph.losses), gradients

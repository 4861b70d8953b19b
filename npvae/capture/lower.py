"""From a recorded step to a program for the compiled executor: one function per kernel.

Features (F, R) lie by features, each one's R = K·B values side by side, so that a thread owns rows
of every activation and of every weight's gradient, and no gradient is added up over threads. What
is one number per row, log p(x given z) say, is a vector of float64, as are the losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .graph import Call, Graph, NotCapturable, Value
from .memory import Access, Buffer, Operation, Ref

Array = np.ndarray

RULES: dict[str, Callable[[Lowering, Call], None]] = {}
"""What lowers each kernel's calls; `rules.py` fills it."""


@dataclass
class Source:
    """A table of rows that the gather operation reads: its kind is 0 for bytes, 1 for float32."""

    kind: int
    divisor: float
    width: int
    address: int = 0


@dataclass
class Lowering:
    """The operations of a graph so far, and where its values are.

    Parameters
    ----------
    graph : Graph
    gradient : (n_params,) float32 array, which the gradients go to
    slots : dict, the start and size of each parameter in it
    sources : dict of Source by name, "x" and "context"
    """

    graph: Graph
    gradient: Array
    slots: dict[str, tuple[int, int]]
    sources: dict[str, Source]
    operations: list[Operation] = field(default_factory=list)
    segments: list[tuple[int, Call]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.call = -1
        self.by_features: dict[int, Ref] = {}
        self.by_row: dict[int, Ref] = {}
        self.wide: dict[int, Ref] = {}
        self.from_python: dict[int, tuple[Value, list[Any]]] = {}
        self.names = {id(v): name for name, v in self.graph.parameters.items()}
        self.inputs = {id(v): name for name, v in self.graph.inputs.items()}
        self.last_use = _last_uses(self.graph)
        self.targets = self._targets()
        self.batch = self.graph.inputs["x"].rows

    def run(self) -> None:
        """Lower every call."""
        for name in sorted(self.graph.zeroed):
            start, size = self.slots[name]
            out = Ref(Buffer(4 * size, self.gradient.ctypes.data + 4 * start))
            self.emit("fill", 1, dict(out=out, n=size), writes=[(out, 4 * size, 4 * size)])
        for self.call, call in enumerate(self.graph.calls):
            if call.python is not None:
                self._python(call)
            elif call.kernel in RULES:
                RULES[call.kernel](self, call)
            else:
                raise NotCapturable(f"kernel {call.kernel} has no compiled operation")
        self.call = len(self.graph.calls)
        self._add_gradients()

    def emit(
        self,
        name: str,
        rows: int,
        operands: dict[str, Any],
        reads: list[tuple[Ref, int, int]] = (),  # type: ignore[assignment]
        writes: list[tuple[Ref, int, int]] = (),  # type: ignore[assignment]
        work: float = 0.0,
        constants: Any = (),
    ) -> None:
        """Add an operation; reads and writes are (place, bytes, bytes per row or 0 for all)."""
        accesses = [Access(*r, False) for r in reads] + [Access(*w, True) for w in writes]
        self.operations.append(Operation(name, operands, rows, accesses, work, constants))

    def elementwise(
        self,
        name: str,
        rows: int,
        operands: dict[str, Any],
        cost: float,
        own: dict[str, int],
        outputs: tuple[str, ...],
        shared: dict[str, int] | None = None,
        constants: Any = (),
    ) -> None:
        """An operation on rows: `own` gives each operand's bytes per row, `shared` those read whole.

        `cost` is in nanoseconds for each float32 in the first of its outputs.
        """
        places = {n: operands[n] for n in own if isinstance(operands[n], Ref)}
        reads = [(p, rows * own[n], own[n]) for n, p in places.items() if n not in outputs]
        reads += [(operands[n], size, 0) for n, size in (shared or {}).items()]
        writes = [(p, rows * own[n], own[n]) for n, p in places.items() if n in outputs]
        work = cost * rows * own[outputs[0]] / 4
        self.emit(name, rows, operands, reads, writes, work, constants)

    # Where values are

    def new(self, value: Value, dying: Value | None = None) -> Ref:
        """Memory by features for a value; that of `dying` if no later call reads it."""
        target = self.targets.get(id(value))
        if target is not None:
            start, size = self.slots[target]
            ref = Ref(Buffer(4 * size, self.gradient.ctypes.data + 4 * start))
        elif dying is not None and self._dies(dying, value):
            ref = self.by_features[id(dying.base)]
        else:
            ref = Ref(Buffer(4 * value.size))
        self.by_features[id(value)] = ref
        return ref

    def _dies(self, value: Value, successor: Value) -> bool:
        return (
            value is value.base
            and value.size == successor.size
            and id(value) in self.by_features
            and self.last_use.get(id(value)) == self.call
            and id(value) not in self.targets
            and id(value) not in self.from_python
        )

    def new_wide(self, value: Value) -> Ref:
        """Memory for float64 numbers."""
        self.wide[id(value)] = ref = Ref(Buffer(8 * value.size))
        return ref

    def features(self, value: Value) -> Ref:
        """Where a value lies by features, (F, R)."""
        base = _base(value)
        if id(base) not in self.by_features:
            if id(base) in self.inputs:
                self._load(base)
            elif id(base) in self.from_python:
                self._take(base, self.by_features, 4)
            else:
                raise NotCapturable(f"{value!r} is not there by features")
        ref = self.by_features[id(base)]
        return Ref(ref.buffer, ref.offset + 4 * value.start * base.rows)

    def vector(self, value: Value) -> Ref:
        """Where a value lies as float64 numbers."""
        base = _base(value)
        if id(base) not in self.wide and id(base) in self.from_python:
            self._take(base, self.wide, 8)
        if id(base) not in self.wide:
            raise NotCapturable(f"{value!r} is not there as float64")
        return self.wide[id(base)]

    def rows(self, value: Value) -> Ref:
        """Where a value lies by rows, (R, F)."""
        base = value.base
        if id(base) in self.inputs and id(base) not in self.by_row:
            self.features(value)
        if id(base) not in self.by_row or value.width != base.width:
            source, out = self.features(value), Ref(Buffer(4 * value.size))
            n = value.size
            self.emit(
                "transpose",
                value.rows,
                dict(source=source, out=out, rows=value.width, columns=value.rows),
                [(source, 4 * n, 0)],
                [(out, 4 * n, 4 * value.width)],
                0.3 * n,
            )
            if value.width != base.width:
                return out
            self.by_row[id(base)] = out
        return self.by_row[id(base)]

    def parameter(self, value: Any) -> Ref:
        """Where a parameter lies."""
        if id(value) not in self.names:
            raise NotCapturable(f"{value!r} stands where a parameter is needed")
        return Ref(Buffer(value.example.nbytes, value.example.ctypes.data))

    def needs_the_schedule(self, beta: Any) -> None:
        """Refuse a beta of the objective's own: the compiled operations take the schedule's."""
        if self.inputs.get(id(beta)) != "beta":
            raise NotCapturable(f"beta is {beta!r} instead of what the objective's schedule gives")

    # What comes from outside

    def _load(self, value: Value) -> None:
        name, width = self.inputs[id(value)], value.width
        out = self.by_features[id(value)] = Ref(Buffer(4 * value.size))
        if name in self.sources:
            by_row = self.by_row[id(value)] = Ref(Buffer(4 * value.size))
            self.emit(
                "gather",
                value.rows,
                dict(
                    source=self.sources[name],
                    kind=self.sources[name].kind,
                    out=by_row,
                    both=out,
                    batch=value.rows,
                    width=width,
                ),
                writes=[(by_row, 4 * value.size, 4 * width), (out, 4 * value.size, 0)],
                work=0.4 * value.size,
                constants=(self.sources[name].divisor,),
            )
        elif name.startswith("eps"):
            offset, stride = self._noise(name)
            self.emit(
                "noise",
                width,
                dict(offset=offset, out=out, n=value.rows, stride=stride),
                writes=[(out, 4 * value.size, 4 * value.rows)],
                work=0.4 * value.size,
            )
        else:
            raise NotCapturable(f"{name} is used in a way that has no compiled operation")

    def _noise(self, name: str) -> tuple[int, int]:
        """Where a level's noise begins in that of a step, and the bytes of a step's noise."""
        offset = total = 0
        for other, value in self.graph.inputs.items():
            if other.startswith("eps"):
                offset = total if other == name else offset
                total += 4 * value.size
        return offset, total

    def _targets(self) -> dict[int, str]:
        """Values that can be computed straight into the gradient: a parameter's first, if neither
        a call nor another parameter reads it as well, and Python does not give it."""
        targets: dict[int, str] = {}
        taken = set(self.graph.zeroed)
        added = [id(value.base) for _, value in self.graph.gradients]
        given = {id(v) for call in self.graph.calls if call.python for v in call.outputs}
        for name, value in self.graph.gradients:
            plain = value is value.base and added.count(id(value)) == 1 and id(value) not in given
            if name not in taken and plain and self.last_use.get(id(value)) is None:
                targets[id(value)] = name
            taken.add(name)
        return targets

    def _add_gradients(self) -> None:
        """Add what was not computed straight into the gradient; a parameter's first is copied."""
        begun = {name for name in self.targets.values()} | self.graph.zeroed
        for name, value in self.graph.gradients:
            if self.targets.get(id(value)) == name:
                continue
            start, size = self.slots[name]
            out = Ref(Buffer(4 * size, self.gradient.ctypes.data + 4 * start))
            if name not in begun:
                begun.add(name)
                self.emit("fill", 1, dict(out=out, n=size), writes=[(out, 4 * size, 4 * size)])
            if id(value.base) in self.from_python and value.ndim > 1:  # it would lie by features
                raise NotCapturable(f"the gradient of {name} comes from Python")
            self.add("add", out, self.features(value), out, 1, size)

    def add(self, name: str, a: Ref, b: Ref, out: Ref, rows: int, n: int) -> None:
        size = 8 if name == "add_doubles" else 4
        own = dict(a=size * n, b=size * n, out=size * n)
        self.elementwise(name, rows, dict(a=a, b=b, out=out, n=n), 0.1, own, ("out",))

    # Python's calls

    def _python(self, call: Call) -> None:
        """A call that Python makes: the program is cut in two here."""
        inputs: list[Any] = []
        touched: list[Buffer] = []
        for value in call.inputs:
            if not isinstance(value, Value):
                inputs.append(value)
                continue
            if id(value.base) in self.wide:
                ref, kind = self.vector(value), "wide"
            elif id(value.base) in self.from_python:
                ref, kind = None, "python"
            elif id(value) in self.names:
                ref, kind = None, "parameter"
            else:
                ref, kind = self.features(value), "features"
            if ref is not None:
                touched.append(ref.buffer)
            inputs.append((kind, value, ref))
        outputs: list[tuple[Value, list[Any]]] = [(value, []) for value in call.outputs]
        for value, places in outputs:
            self.from_python[id(value)] = (value, places)
        self.segments.append((len(self.operations), (call, inputs, outputs)))  # type: ignore[arg-type]
        # An operation of no rows, so that the buffers that Python reads live until here.
        self.emit("fill", 0, dict(out=0, n=0))
        self.operations[-1].extra = touched

    def _take(self, value: Value, where: dict[int, Ref], size: int) -> None:
        """A place for what Python gives: by features or as float64, as it is needed."""
        ref = where[id(value)] = Ref(Buffer(size * value.size))
        _, places = self.from_python[id(value)]
        places.append((size, ref))
        for start, (call, _, outputs) in self.segments:  # type: ignore[misc]
            if any(v is value for v, _ in outputs):
                self.operations[start].extra.append(ref.buffer)


def _base(value: Any) -> Value:
    if not isinstance(value, Value):
        raise NotCapturable(f"the constant {value!r} stands where a recorded value is needed")
    return value.base


def _last_uses(graph: Graph) -> dict[int, int]:
    """The index of the last call that reads each value, by the id of its base."""
    uses: dict[int, int] = {}
    for i, call in enumerate(graph.calls):
        for argument in call.inputs:
            if isinstance(argument, Value):
                uses[id(argument.base)] = i
    for value in graph.losses:
        if isinstance(value, Value):
            uses[id(value.base)] = len(graph.calls)
    for _, value in graph.gradients:
        if id(value.base) in uses:  # read by a call as well: it must last until it is added
            uses[id(value.base)] = len(graph.calls)
    return uses

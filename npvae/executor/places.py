"""Where the values of a recorded step lie, and how they get there.

An activation (K, B, F) lies by feature: (F, K·B), the numbers of one feature side by side. So do
images, as the rows that they are: (H·W·C, K·B), however a view of them is shaped. Threads
divide the features among them, of activations and of weights' gradients alike, so that no gradient
is added up over threads. What is one number per row of data, log p(x given z) say, is float64, as
are the losses. What Python takes or gives, and what is reshaped, lies by row, as NumPy has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .calls import Given, PythonCall
from .graph import Call, Graph, NotCapturable, Value
from .memory import Access, Buffer, Operation, Ref

Array = np.ndarray


@dataclass
class Source:
    """A table of rows that the gather operation reads: its kind is 0 for bytes, 1 for float32."""

    kind: int
    divisor: float
    width: int
    address: int = 0


@dataclass
class Places:
    """The operations of a graph so far, and where its values are.

    Parameters
    ----------
    graph : Graph
    gradient : (n_params,) float32 array, which the gradients go to, or None
    slots : dict, the start and size of each parameter in it
    sources : dict of Source by name: "x", and "context" and "weights" where there are some
        Without "x" the rows of each step stand one after the other where else its noise does.
    threads : int, the most that may leave partial sums
    """

    graph: Graph
    gradient: Array | None
    slots: dict[str, tuple[int, int]]
    sources: dict[str, Source]
    threads: int
    operations: list[Operation] = field(default_factory=list)
    python_calls: list[PythonCall] = field(default_factory=list)
    constants: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = -1
        self._by_feature: dict[tuple[int, int], Ref] = {}  # by value and number of features
        self._by_row: dict[int, Ref] = {}
        self._doubles: dict[int, Ref] = {}
        self._copies: dict[int, Value] = {}
        self._placed: dict[int, str] = {}
        self.from_python: dict[int, PythonCall] = {}
        self.names = {id(v): name for name, v in self.graph.parameters.items()}
        self.inputs = {id(v): name for name, v in self.graph.inputs.items()}
        self.last_use = _last_uses(self.graph)
        self.targets = self._targets()

    def mark(self) -> list[int]:
        """Where the operations and places are, for `rewind`."""
        return [len(kept) for kept in self._kept]

    def rewind(self, mark: list[int]) -> None:
        """Take back what has come since."""
        for kept, n in zip(self._kept, mark, strict=True):
            remove = kept.popitem if isinstance(kept, dict) else kept.pop
            while len(kept) > n:
                remove()

    @property
    def _kept(self) -> list[Any]:
        """All that is added to, at the end of each."""
        places = [self._by_feature, self._by_row, self._doubles, self._copies, self._placed]
        return [self.operations, self.python_calls, self.constants, *places, self.from_python]

    def emit(
        self,
        name: str,
        n_items: int,
        operands: dict[str, Any],
        reads: list[tuple[Ref, int, int]] = (),  # type: ignore[assignment]
        writes: list[tuple[Ref, int, int]] = (),  # type: ignore[assignment]
        work: float = 0.0,
        constants: Any = (),
    ) -> None:
        """Add an operation; reads and writes are (place, bytes, bytes per item or 0 for all).

        Raises
        ------
        NotCapturable
            If it would touch what lies beyond a buffer: its operands are of other shapes than the
            operation takes, as where NumPy broadcasts.
        """
        accesses = [Access(*r, False) for r in reads] + [Access(*w, True) for w in writes]
        if any(ref.offset + size > ref.buffer.size for ref, size, *_ in accesses):
            raise NotCapturable(f"operation {name} has no form for operands of these shapes")
        self.operations.append(Operation(name, operands, n_items, accesses, work, constants))

    # Where values are

    def new(self, value: Value, dying: Value | None = None, width: int = 0) -> Ref:
        """Memory by feature for a value; that of `dying` if no later call reads it.

        It has as many features as its last axis is long, or `width` of them.
        """
        width = width or value.n_features
        ref = self._own_slot(value) if value.ndim < 2 else None
        if ref is None and dying is not None and self._dies(dying, value, width):
            ref = self._by_feature[id(dying.base), width]
        self._by_feature[id(value), width] = ref = ref or Ref(Buffer(4 * value.size))
        return ref

    def new_by_row(self, value: Value) -> Ref:
        """Memory by row for a value: as the parameters lie, whose gradient it may be."""
        self._by_row[id(value)] = ref = self._own_slot(value) or Ref(Buffer(4 * value.size))
        return ref

    def _own_slot(self, value: Value) -> Ref | None:
        """The parameter's gradient that the value is and can be computed into."""
        name = self.targets.get(id(value))
        if name is None:
            return None
        self._placed[id(value)] = name
        return self._slot(name)

    def _dies(self, value: Value, successor: Value, width: int) -> bool:
        base = value.base
        return (
            value.in_order
            and base.size == successor.size
            and (id(base), width) in self._by_feature
            and self.last_use.get(id(base)) == self.now
            and id(base) not in self.targets
            and id(base) not in self.from_python
        )

    def new_doubles(self, value: Value) -> Ref:
        """Memory for float64 numbers."""
        self._doubles[id(value)] = ref = Ref(Buffer(8 * value.size))
        return ref

    def by_feature(self, value: Value | Array, width: int = 0) -> Ref:
        """Where a value lies by feature, (F, K·B), with F its last axis, or `width`."""
        if isinstance(value, np.ndarray):
            return self.constant(value.reshape(-1, width or value.shape[-1]).T, np.float32)
        base = _recorded(value).base
        if value.start is not None and not width and id(base) not in self._doubles:
            whole = self._featured(base, base.n_features)
            return Ref(whole.buffer, whole.offset + 4 * value.start * base.per_feature)
        return self._featured(base if value.in_order else value, width or value.n_features)

    def width(self, value: Value) -> int:
        """How many features it has where it lies by feature; 0 if it does not yet."""
        base = value.base
        widths = [width for of, width in self._by_feature if of == id(base)]
        if not widths and id(base) in self.inputs:
            self._load(base)
            return base.n_features
        return widths[0] if widths else 0

    def _featured(self, value: Value, width: int) -> Ref:
        """By feature what may lie by row, as a prior's pseudo-inputs do, or in other rows."""
        key = id(value), width
        self.width(value)
        if key not in self._by_feature:
            source = self.by_row(value)
            self._by_feature[key] = self.transposed(source, value.size // width, width)
        return self._by_feature[key]

    def by_row(self, value: Value) -> Ref:
        """Where a value lies by row, (K·B, F), its last axis the fastest."""
        base = _recorded(value).base
        if id(base) in self._doubles or (value.start is None and not value.in_order):
            return self._take(self._copied(value), np.float32)
        if not value.in_order:  # some features
            return self.transposed(self.by_feature(value), value.n_features, value.per_feature)
        if id(base) in self.names:
            return self.parameter(base)
        if id(base) in self.from_python and id(base) not in self._by_row:
            self._by_row[id(base)] = self._take(base, np.float32)
        elif id(base) not in self._by_row:
            width = self.width(base)  # which has data lie by row as well
            if id(base) not in self._by_row:
                width = width or base.n_features
                whole = self._by_feature[id(base), width]
                self._by_row[id(base)] = self.transposed(whole, width, base.size // width)
        return self._by_row[id(base)]

    def is_doubles(self, value: Value) -> bool:
        """Whether it lies as float64 numbers so far."""
        return id(value.base) in self._doubles

    def as_doubles(self, value: Value) -> Ref:
        """Where a value lies as float64 numbers, its last axis the fastest."""
        base = _recorded(value).base
        if not value.in_order or not (id(base) in self._doubles or id(base) in self.from_python):
            return self.as_doubles(self._copied(value))
        if id(base) not in self._doubles:
            self._doubles[id(base)] = self._take(base, np.float64)
        return self._doubles[id(base)]

    def transposed(self, source: Ref, rows: int, columns: int) -> Ref:
        """(rows, columns) as (columns, rows)."""
        if rows == 1 or columns == 1:
            return source
        out = Ref(Buffer(4 * rows * columns))
        self.transpose(source, out, rows, columns)
        return out

    def transpose(self, source: Ref, out: Ref, rows: int, columns: int) -> None:
        """Put (rows, columns) as (columns, rows) at a place."""
        n = rows * columns
        self.emit(
            "transpose",
            columns,
            dict(source=source, out=out, rows=rows, columns=columns),
            [(source, 4 * n, 0)],
            [(out, 4 * n, 4 * rows)],
            0.3 * n,
        )

    def constant(self, numbers: Any, dtype: Any) -> Ref:
        """Where numbers lie that never change."""
        self.constants.append(np.ascontiguousarray(numbers, dtype))
        array = self.constants[-1]
        return Ref(Buffer(array.nbytes, array.ctypes.data))

    def parameter(self, value: Any) -> Ref:
        """Where a parameter lies."""
        if id(value) not in self.names:
            raise NotCapturable(f"{value!r} stands where a parameter is needed")
        return Ref(Buffer(value.example.nbytes, value.example.ctypes.data))

    def needs_the_schedule(self, beta: Any) -> None:
        """Refuse a beta of the objective's own: the compiled operations take the schedule's."""
        if not self._is_beta(beta):
            raise NotCapturable(f"beta is {beta!r} instead of what the objective's schedule gives")

    def _is_beta(self, value: Any) -> bool:
        return self.inputs.get(id(value)) == "beta"

    # What comes from outside

    def _load(self, value: Value) -> None:
        name, n, n_features = self.inputs[id(value)], value.per_feature, value.n_features
        if value.ndim == 1:  # a number for each row
            n, n_features = n_features, n
        out = self._by_feature[id(value), value.n_features] = Ref(Buffer(4 * value.size))
        if name in self.sources:
            whole = self._by_row[id(value)] = Ref(Buffer(4 * value.size))
            self.emit(
                "gather",
                n,
                dict(
                    source=self.sources[name],
                    kind=self.sources[name].kind,
                    out=whole,
                    both=out,
                    batch=n,
                    width=n_features,
                ),
                writes=[(whole, 4 * value.size, 4 * n_features), (out, 4 * value.size, 0)],
                work=0.4 * value.size,
                constants=(self.sources[name].divisor,),
            )
        elif name in self._in_turn:
            offset, stride = 4 * self._noise_before(name), 4 * self.noise_size
            self.emit(
                "noise",
                n_features,
                dict(offset=offset, out=out, n=value.per_feature, stride=stride),
                writes=[(out, 4 * value.size, 4 * value.per_feature)],
                work=0.4 * value.size,
            )
        else:
            raise NotCapturable(f"{name} is used in a way that has no compiled operation")

    @property
    def _in_turn(self) -> list[str]:
        """The inputs that stand step by step where the noise does: x too if it has no source."""
        names = self.graph.inputs
        return [n for n in names if n.startswith("eps") or (n == "x" and n not in self.sources)]

    @property
    def noise_size(self) -> int:
        """The numbers in a step's noise."""
        return sum(self.graph.inputs[name].size for name in self._in_turn)

    def _noise_before(self, name: str) -> int:
        """The numbers of a step's noise before a level's."""
        names = self._in_turn
        return sum(self.graph.inputs[n].size for n in names[: names.index(name)])

    def _targets(self) -> dict[int, str]:
        """Values that can be computed straight into the gradient: a parameter's first, if neither
        a call nor another parameter reads it as well."""
        targets: dict[int, str] = {}
        taken = set(self.graph.zeroed)
        added = [id(value.base) for _, value in self.graph.gradients]
        for name, value in self.graph.gradients:
            plain = value is value.base and added.count(id(value)) == 1
            if name not in taken and plain and self.last_use.get(id(value)) is None:
                targets[id(value)] = name
            taken.add(name)
        return targets

    def _slot(self, name: str) -> Ref:
        """Where a parameter's gradient goes."""
        assert self.gradient is not None
        start, size = self.slots[name]
        return Ref(Buffer(4 * size, self.gradient.ctypes.data + 4 * start))

    def is_there(self, value: Value) -> bool:
        places = (self._doubles, self._by_row, self.from_python, self.inputs)
        return any(id(value.base) in place for place in places) or self.width(value) > 0

    # Python's calls

    def python(self, call: Call, why: str) -> None:
        """A call that Python makes: the program is cut in two here, but where it is already."""
        inputs = [self._given(v) if isinstance(v, Value) else v for v in call.inputs]
        if not self.python_calls or self.python_calls[-1].at != len(self.operations) - 1:
            # An operation of no items, so that the buffers that Python reads live until here.
            self.emit("fill", 0, dict(out=0, n=0))
        made = PythonCall(len(self.operations) - 1, call, why, inputs)
        self.python_calls.append(made)
        self.from_python.update({id(value): made for value in call.outputs})
        refs = [g.ref for g in inputs if isinstance(g, Given) and g.ref is not None]
        self.operations[made.at].extra += [ref.buffer for ref in refs]

    def _given(self, value: Value) -> Given:
        base = value.base
        if id(base) in self.from_python or id(base) in self.names or self._is_beta(base):
            return Given(value, None, None)
        if id(base) in self._doubles:
            return Given(value, self._doubles[id(base)], np.float64)
        return Given(value, self.by_row(base), np.float32)

    def _take(self, value: Value, dtype: Any) -> Ref:
        """A place for what Python gives, by row, in the type that is needed."""
        made = self.from_python[id(value)]
        ref = Ref(Buffer(np.dtype(dtype).itemsize * value.size))
        made.places.setdefault(id(value), []).append((ref, dtype))
        self.operations[made.at].extra.append(ref.buffer)
        return ref

    def _copied(self, value: Value) -> Value:
        """What lies nowhere as it is needed, a transposed view say, copied by Python."""
        if id(value) not in self._copies:
            copy = Value(self.graph, value.example, value.source)
            call = Call("copy", (value,), (copy,), lambda array: array)
            self.python(call, f"a view of {value.source} has no compiled operation")
            self._copies[id(value)] = copy
        return self._copies[id(value)]


def _recorded(value: Any) -> Value:
    if not isinstance(value, Value):
        what = f"of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
        raise NotCapturable(f"the constant {what} stands where a recorded value is needed")
    return value


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

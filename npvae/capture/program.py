"""A captured step, ready to run: tables for the executor, an arena, and the threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from .. import kernels
from ..core import layout
from ..kernels.native import executor, sync
from ..optim import Adam, AdamState
from . import rules
from .graph import Graph, Value
from .lower import Lowering, Source
from .memory import Buffer, Operation, Ref, place, synchronise

Array = np.ndarray

BARRIER = 700.0
"""Nanoseconds that a barrier costs, about."""
SHARED = 400.0
"""Nanoseconds of work below which an operation is not worth sharing."""


class Program:
    """One training step of a fixed shape, for any number of steps.

    Parameters
    ----------
    graph : Graph
    worker : Model, on whose parameters the graph was recorded
    gradient : (n_params,) float32 array
    state : AdamState
    optimiser : Adam
    sources : dict of Source by name: "x", and "context" where there is one
    threads : int, the most to use
    """

    def __init__(
        self,
        graph: Graph,
        worker: Any,
        gradient: Array,
        state: AdamState,
        optimiser: Adam,
        sources: dict[str, Source],
        threads: int,
    ) -> None:
        slots = {name: (slot.start, slot.size) for name, slot in layout(worker).items()}
        lowering = Lowering(graph, gradient, slots, sources)
        lowering.run()
        self.batch = lowering.batch
        self.segments = lowering.segments
        self.sources = sources
        self.noise_size = lowering._noise("")[1] // 4
        check = _check(lowering, graph)
        update = _update(worker.flat, gradient, state, optimiser)
        self.operations = [*lowering.operations, check, *update]
        self.threads = _share(self.operations, min(threads, rules.MOST_THREADS))
        self.arena = place(self.operations)
        synchronise(self.operations)
        self._kept = (graph, worker, gradient, state)  # the memory that the addresses point to
        self.table, self.constants = _tables(self.operations, self.threads)
        widest = max(value.rows for call in graph.calls for value in call.outputs if value.ndim)
        self.scratch = 2 * widest
        self.counters = np.zeros(sync.SIZE, np.int64)

    def run(
        self,
        order: Array,
        noise: Array,
        scalars: Array,
        losses: Array,
        epochs: Array,
        rehearsal: bool = False,
    ) -> int:
        """Run steps; returns how many were done, fewer where a loss was not finite.

        Parameters
        ----------
        order : (steps · B,) int64, the rows of the data
        noise : float32, all noise of all steps, one after the other
        scalars : (steps, 4) float64, see `executor`
        losses : (steps, 3) float64, which is written
        epochs : (steps,) float64, for what Python computes of the epoch
        rehearsal : bool
            Leaves the weights as they are, and makes Python's calls on the copies.
        """
        steps = len(losses)
        last = len(self.operations) - 2 if rehearsal else len(self.operations)
        self.table[:, executor.FIRST_OPERAND :] = self._operands()
        tables = (order, noise.ctypes.data, scalars, losses)
        if not self.segments:
            return self._execute(0, last, 0, steps, tables)
        state: dict[Any, Any] = {"rehearsal": rehearsal}
        for step in range(steps):
            state["epoch"] = float(epochs[step])
            begin = 0
            for at, call in self.segments:
                self._execute(begin, at, step, step + 1, tables)
                _run_python(call, state)
                begin = at
            if self._execute(begin, last, step, step + 1, tables) == step:
                return step
        return steps

    def _operands(self) -> Array:
        """The operands' columns; the addresses of the sources may have changed."""
        columns = self.table[:, executor.FIRST_OPERAND :].copy()
        for i, operation in enumerate(self.operations):
            source = operation.operands.get("source")
            if isinstance(source, Source):
                columns[i, 0] = source.address
        return columns

    def _execute(self, first: int, last: int, step: int, stop: int, tables: Any) -> int:
        """Run operations of steps in all threads, this one among them."""
        order, noise, scalars, losses = tables
        self.counters[:] = 0
        counters = self.counters.ctypes.data

        def run(thread: int) -> int:
            return executor.execute(
                thread, self.threads, self.table, self.constants, first, last, step, stop,
                order, noise, scalars, losses, counters, self.scratch,
            )  # fmt: skip

        others = [
            threading.Thread(target=run, args=(t,), daemon=True) for t in range(1, self.threads)
        ]
        started: list[threading.Thread] = []
        try:
            for other in others:
                other.start()
                started.append(other)
            return run(0)
        except BaseException:
            self.counters[sync.STOP] = 1  # nobody waits for a thread that isn't there
            raise
        finally:
            for other in started:
                other.join()


def _check(lowering: Lowering, graph: Graph) -> Operation:
    places = [lowering.vector(value) for value in graph.losses]
    lowering.operations, before = [], lowering.operations
    lowering.emit(
        "check",
        1,
        dict(zip(("loss", "rec", "kl"), places, strict=True)),
        [(ref, 8, 0) for ref in places],
    )
    (check,) = lowering.operations
    lowering.operations = before
    return check


def _update(
    theta: Array, gradient: Array, state: AdamState, optimiser: Adam
) -> tuple[Operation, Operation]:
    """The two operations that end a step: the gradient's norm, and Adam."""
    from .memory import Access

    def whole(array: Array) -> Ref:
        return Ref(Buffer(array.nbytes, array.ctypes.data))

    n = theta.size
    g, partial = whole(gradient), Ref(Buffer(8 * rules.MOST_THREADS))
    norm = Operation(
        "norm",
        dict(g=g, partial=partial),
        n,
        [Access(g, 4 * n, 4, False), Access(partial, partial.buffer.size, 0, True)],
        0.1 * n,
    )
    arrays = dict(theta=whole(theta), g=g, m=whole(state.m), v=whole(state.v))
    clip = float("inf") if optimiser.clip_norm is None else optimiser.clip_norm
    adam = Operation(
        "adam",
        dict(**arrays, partial=partial, parts=0),
        n,
        [Access(ref, 4 * n, 4, key != "g") for key, ref in arrays.items()]
        + [Access(partial, partial.buffer.size, 0, False)],
        0.5 * n,
        (optimiser.beta1, optimiser.beta2, optimiser.eps, clip),
    )
    return norm, adam


def _share(operations: list[Operation], most: int) -> int:
    """Decide how many threads share each operation; returns how many the program has."""
    alone = sum(op.work for op in operations)
    together = sum(op.work / most if op.work > SHARED else op.work for op in operations)
    threads = most if together + 0.7 * BARRIER * len(operations) < alone else 1
    for operation in operations:
        worthwhile = operation.work > SHARED and operation.rows >= threads
        operation.sharing = threads if worthwhile else 1
    return threads


def _tables(operations: list[Operation], threads: int) -> tuple[Array, Array]:
    table = np.zeros((len(operations), executor.N_COLUMNS), np.int64)
    constants = np.zeros((len(operations), executor.N_CONSTANTS))
    writers = {}
    for i, operation in enumerate(operations):
        names = executor.OPS[operation.name]
        partial = operation.operands.get("partial")
        if partial is not None and "parts" not in names:
            writers[id(partial.buffer)] = operation.sharing
        table[i, :4] = (
            executor.CODE[operation.name], operation.waits, operation.sharing, operation.rows
        )  # fmt: skip
        for j, name in enumerate(names):
            operand = operation.operands[name]
            if name == "parts":
                operand = writers[id(operation.operands["partial"].buffer)]
            if isinstance(operand, Source):
                operand = operand.address
            table[i, executor.FIRST_OPERAND + j] = (
                operand.address if isinstance(operand, Ref) else operand
            )
        constants[i, : len(operation.constants)] = operation.constants
    return table, constants


def _run_python(job: Any, state: dict[Any, Any]) -> None:
    """Make one of Python's calls on the arena's arrays, and put its results there."""
    call, inputs, outputs = job
    arrays = [_array(given, state) for given in inputs]
    with kernels.running(kernels.eager()), np.errstate(over="ignore", invalid="ignore"):
        results = call.python(state, arrays)
        for (value, places), result in zip(outputs, results, strict=True):
            state[id(value)] = array = np.asarray(result)
            for size, ref in places:
                into = _view(ref, value.size, np.float32 if size == 4 else np.float64)
                if size == 8:
                    into[...] = array.reshape(-1)
                else:
                    into.reshape(value.width, -1)[...] = array.reshape(-1, value.width).T


def _array(given: Any, state: dict[Any, Any]) -> Any:
    """A call's input as an array of the shape that the kernel would have got."""
    if not isinstance(given, tuple) or len(given) != 3 or not isinstance(given[1], Value):
        return given
    kind, value, ref = given
    if kind == "python":
        whole = state[id(value.base)]
        return whole[..., value.start : value.start + value.width].reshape(value.shape)
    if kind == "parameter":
        return value.example
    if kind == "wide":
        array = _view(ref, value.size, np.float64).reshape(value.shape)
    else:
        array = _view(ref, value.size, np.float32).reshape(value.width, -1).T.reshape(value.shape)
    return np.array(array, order="C")  # as eager code has it, and his to keep and to write to


def _view(ref: Ref, size: int, dtype: Any) -> Array:
    import ctypes

    kind = ctypes.c_float if dtype == np.float32 else ctypes.c_double
    return np.ctypeslib.as_array((kind * size).from_address(ref.address))

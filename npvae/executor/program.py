"""A captured step, ready to run: tables for the executor, an arena, and the threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import layout
from ..models import Model
from ..optim import Adam, AdamState
from . import normals, rules  # noqa: F401  (rules enter themselves)
from .cores import own_core
from .graph import Graph
from .lower import Lowering
from .memory import Access, Buffer, Operation, Ref, place, synchronise
from .operations import loop as executor
from .operations import machine, sync
from .operations.declare import OPERATIONS
from .places import Source

Array = np.ndarray

BARRIER = 700.0
"""Nanoseconds that a barrier costs, about."""
SHARED = 400.0
"""Nanoseconds of work below which an operation is not worth sharing."""
PIECE = 500_000.0
"""Nanoseconds of a piece of a thread's share, about: other programs may stop a thread for some
milliseconds at any time, and then the others do what it has not begun yet."""

MOST_THREADS = 64
"""More are never used, whatever is asked for."""


class Program:
    """One training step of a fixed shape, for any number of steps.

    Parameters
    ----------
    graph : Graph
    worker : Model, on whose parameters the graph was recorded
    update : (gradient, AdamState, Adam), or None for a step that goes forward only
    sources : dict of Source by name: "x", and "context" where there is one
    threads : int, the most to use

    Attributes
    ----------
    batch : int, the rows of a step
    noise_size : int, the numbers in a step's noise
    threads : int, how many it uses
    """

    def __init__(
        self,
        graph: Graph,
        worker: Model,
        update: tuple[Array, AdamState, Adam] | None,
        sources: dict[str, Source],
        threads: int,
    ) -> None:
        threads = min(threads, MOST_THREADS)
        slots = {name: (slot.start, slot.size) for name, slot in layout(worker).items()}
        gradient = None if update is None else update[0]
        lowering = Lowering(graph, gradient, slots, sources, threads)
        lowering.run()
        self.batch, self.noise_size = lowering.batch, lowering.noise_size
        self.python_calls = lowering.python_calls
        self.without_update = len(lowering.operations)
        ending = [] if update is None else _update(worker.flat, *update, threads)
        self.operations = [*lowering.operations, *ending]
        self.threads = _share(self.operations, threads)
        self.arena = place(self.operations)
        synchronise(self.operations)
        graph.forget_examples()
        # The memory that the addresses point to
        self._kept = (graph, worker, update, lowering.constants)
        self.table, self.constants = tables(self.operations)
        widest = max(
            value.per_feature for call in graph.calls for value in call.outputs if value.ndim
        )
        self.scratch = np.empty((self.threads, executor.scratch_size(widest)), np.float32)
        self.counters = np.zeros(sync.SIZE + self.threads * len(self.operations), np.int64)
        self._loop: Callable[..., int] | None = None
        self._beta = id(graph.inputs["beta"])

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
        losses : (steps, losses) float64, which is written
        epochs : (steps,) float64, for what Python computes of the epoch
        rehearsal : bool
            Leaves the weights as they are, and makes Python's calls on the copies.
        """
        steps = len(losses)
        last = self.without_update if rehearsal else len(self.operations)
        self._find_sources()
        tables = order, noise, scalars, losses
        self.compile()
        if not self.python_calls:
            return self._execute(0, last, 0, steps, tables)
        state: dict[Any, Any] = {"rehearsal": rehearsal}
        for step in range(steps):
            state |= {"epoch": float(epochs[step]), self._beta: scalars[step, executor.BETA]}
            begin = 0
            for call in self.python_calls:
                before = call.at > begin  # else the calls follow one another
                if before and self._execute(begin, call.at, step, step + 1, tables) == step:
                    return step
                call.run(state)
                begin = call.at
            if self._execute(begin, last, step, step + 1, tables) == step:
                return step
        return steps

    def compile(self) -> None:
        """Put the addresses of machine code in the table, the first time that it runs."""
        if self._loop is not None:
            return
        names = [operation.name for operation in self.operations]
        addresses = machine.addresses({*names, machine.LOOP, normals.NAME})
        self.table[:, executor.ADDRESS] = [addresses[name] for name in names]
        self._loop = machine.execute()

    def _find_sources(self) -> None:
        """Put the sources' addresses in the table: staged rows lie elsewhere each time."""
        for i, operation in enumerate(self.operations):
            source = operation.operands.get("source")
            if isinstance(source, Source):
                self.table[i, executor.FIRST_OPERAND] = source.address

    def _execute(self, first: int, last: int, step: int, stop: int, tables: Any) -> int:
        """Run operations of steps in all threads, this one among them."""
        self.counters[:] = 0
        self.counters[sync.LONGEST : sync.LONGEST + 2] = sync.NAP
        taken: list[int] = []

        def run(thread: int) -> int:
            if self.threads > 1:
                own_core(taken)
            return self._call(thread, self.threads, (first, last), (step, stop), tables)

        started: list[threading.Thread] = []
        try:
            for number in range(1, self.threads):
                other = threading.Thread(target=run, args=(number,), daemon=True)
                other.start()
                started.append(other)
            return run(0)
        except BaseException:
            self.counters[sync.STOP] = 1  # nobody waits for a thread that isn't there
            raise
        finally:
            for other in started:
                other.join()

    def _call(
        self,
        thread: int,
        threads: int,
        operations: tuple[int, int],
        steps: tuple[int, int],
        tables: Any,
    ) -> int:
        """The compiled loop, as one of its threads."""
        assert self._loop is not None
        order, noise, scalars, losses = (table.ctypes.data for table in tables)
        return self._loop(
            thread, threads, self.table.ctypes.data, self.constants.ctypes.data, *operations,
            *steps, order, noise, scalars, losses, tables[-1].shape[1], self.counters.ctypes.data,
            self.scratch.ctypes.data, self.scratch.shape[1],
        )  # fmt: skip


def _update(
    theta: Array, gradient: Array, state: AdamState, optimiser: Adam, threads: int
) -> list[Operation]:
    """The two operations that end a step: the gradient's norm, and Adam."""

    def whole(array: Array) -> Ref:
        return Ref(Buffer(array.nbytes, array.ctypes.data))

    n = theta.size
    g, partial = whole(gradient), Ref(Buffer(8 * threads))
    norm = Operation(
        "norm",
        dict(g=g, partial=partial),
        n,
        [Access(g, 4 * n, 4, False), Access(partial, partial.buffer.size, 0, True)],
        0.05 * n,
    )
    arrays = dict(theta=whole(theta), g=g, m=whole(state.m), v=whole(state.v))
    clip = float("inf") if optimiser.clip_norm is None else optimiser.clip_norm
    adam = Operation(
        "adam",
        dict(**arrays, partial=partial, parts=0),
        n,
        [Access(ref, 4 * n, 4, key != "g") for key, ref in arrays.items()]
        + [Access(partial, partial.buffer.size, 0, False)],
        0.2 * n,
        (optimiser.beta1, optimiser.beta2, optimiser.eps, clip),
    )
    return [norm, adam]


def _share(operations: list[Operation], most: int) -> int:
    """Decide how many threads share each operation; returns how many the program has."""
    alone = sum(op.work for op in operations)
    together = sum(op.work / most if op.work > SHARED else op.work for op in operations)
    threads = most if together + 0.7 * BARRIER * len(operations) < alone else 1
    for operation in operations:
        worthwhile = operation.work > SHARED and operation.n_items >= threads
        operation.sharing = threads if worthwhile else 1
        operation.pieces = _pieces(operation) if operation.sharing > 1 else 0
    return threads


def _pieces(operation: Operation) -> int:
    """Into how many pieces a thread cuts its share: none where that is too little."""
    least, sharing = OPERATIONS[operation.name].piece, operation.sharing
    if not least:
        return 0
    pieces = min(int(operation.work / sharing / PIECE), operation.n_items // sharing // least)
    return pieces if pieces > 1 else 0


def tables(operations: list[Operation]) -> tuple[Array, Array]:
    """The executor's tables of numbers and of constants."""
    table = np.zeros((len(operations), executor.N_COLUMNS), np.int64)
    constants = np.zeros((len(operations), executor.N_CONSTANTS))
    parts: dict[int, int] = {}  # how many threads left partial sums in a buffer
    for row, numbers, operation in zip(table, constants, operations, strict=True):
        declared, operands = OPERATIONS[operation.name], dict(operation.operands)
        if "partial" in declared.operands:
            buffer = id(operands["partial"].buffer)
            if "parts" in declared.operands:
                operands["parts"] = parts[buffer]
            else:
                parts[buffer] = operation.sharing
        row[executor.WAITS : executor.FIRST_OPERAND] = (
            operation.waits, operation.sharing, operation.n_items, operation.pieces,
        )  # fmt: skip
        for column, name in enumerate(declared.operands, executor.FIRST_OPERAND):
            operand = operands[name]
            row[column] = operand.address if isinstance(operand, (Ref, Source)) else operand
        given, defaults = list(operation.constants), list(declared.constants.values())
        numbers[: len(defaults)] = given + defaults[len(given) :]
    return table, constants

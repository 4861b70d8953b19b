"""A function of a model and rows, recorded once and run by the compiled executor."""

from __future__ import annotations

import ctypes
import itertools
import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.threads import WORTHWHILE
from ..core.trees import leaves
from ..models import Model
from . import rules  # noqa: F401  (they enter themselves)
from .graph import Graph, NotCapturable
from .lower import Lowering
from .memory import Ref, place
from .operations import loop as executor
from .operations import machine, sync
from .program import tables
from .record import record_function

Array = np.ndarray

BLOCK = 256
"""More rows are computed in blocks of so many, whose activations stay in the nearer caches."""
VECTORS = 64
"""The rows of a block are a multiple of this, whole vectors of any length."""
AT_ONCE = 64
"""Blocks of one call of machine code."""
_PLACES = [machine.PARAMETERS.index(name) for name in ("noise", "first_step", "last_step")]


def forward(
    function: Callable[[Any, Any], Any], model: Model, shape: tuple[int, int], threads: int
) -> Forward | BlockedForward:
    """A function of a model and rows of this shape, in blocks where they are many."""
    threads = threads if shape[0] * model.flat.size >= WORTHWHILE else 1
    share = math.ceil(shape[0] / threads / VECTORS) * VECTORS
    block = min(share, BLOCK)
    if shape[0] <= block:
        return Forward(function, model, shape)
    return BlockedForward(function, model, shape, block, threads)


class Network:
    """A function of a model and rows as machine code, which runs for one block of rows or more.

    Attributes
    ----------
    shape : tuple, of a block's rows
    form : what the function gives, in a tree of values
    found : list of array, what it gave for the last block
    loop, arguments : the machine code, and the arguments that it takes, by name
    """

    def __init__(
        self, function: Callable[[Any, Any], Any], model: Model, shape: tuple[int, int]
    ) -> None:
        self.shape, self._lock = shape, threading.Lock()
        graph, self.form = record_function(function, model, np.zeros(shape, np.float32))
        self._prepare(graph)
        self._compare(lambda rows: function(model, rows))

    def run(self, rows: Array, out: list[Array], first: int, last: int) -> None:
        """Put what the function gives for blocks first to last of the rows into those of `out`.

        All arrays are contiguous float32. Whoever calls it meanwhile waits.
        """
        with self._lock:
            for i, array in enumerate(out, self.arguments["last_op"]):
                self._table[i, executor.FIRST_OPERAND + 1] = array.ctypes.data
            self._given[_PLACES] = rows.ctypes.data, first, last
            self.loop(self._given.ctypes.data)

    def _prepare(self, graph: Graph) -> None:
        """Make the tables of the executor, and the memory that they point to."""
        lowering = Lowering(graph, None, {}, {}, threads=1)
        lowering.checked = True  # there are results, and no losses to look at
        lowering.run()
        results = [(lowering.by_row(value), value.shape) for value in graph.losses]
        for made in lowering.python_calls:
            raise NotCapturable(f"Python runs {made.call.kernel} ({made.why})")
        operations = lowering.operations
        last_op = len(operations)  # where the results lie in the arena; then they are handed out
        for ref, (n, *each) in results:
            operands = dict(source=ref, out=0, n=math.prod(each))
            lowering.emit("hand_out", n, operands, [(ref, ref.buffer.size - ref.offset, 0)])
        self._arena = place(operations)
        self.found = [_numbers(ref, shape) for ref, shape in results]
        names = [operation.name for operation in operations]
        self._table, constants = tables(operations)
        addresses = machine.addresses({*names, machine.LOOP})
        self._table[:, executor.ADDRESS] = [addresses[name] for name in names]
        widest = max(v.per_feature for call in graph.calls for v in call.outputs if v.ndim)
        scratch = np.empty(executor.scratch_size(widest), np.float32)
        counters = np.zeros(sync.SIZE, np.int64)
        self.arguments = dict.fromkeys(machine.PARAMETERS, 0) | dict(
            n_threads=1, table=self._table.ctypes.data, constants=constants.ctypes.data,
            last_op=last_op, counters=counters.ctypes.data, scratch=scratch.ctypes.data,
            scratch_size=scratch.size,
        )  # fmt: skip
        self.loop = machine.loop()
        whole = self.arguments | dict(last_op=len(operations))
        self._given = np.array(list(whole.values()), np.int64)
        # The memory that the addresses point to
        self._kept = graph, lowering.constants, constants, scratch, counters

    def _compare(self, function: Callable[[Array], Any]) -> None:
        """Refuse what gives other numbers than NumPy, on another batch than the recorded one.

        The memory is full of NaN, so that what is read before it is written shows.
        """
        rows = np.random.default_rng(0).random(self.shape, np.float32)
        found = [np.empty_like(array) for array in self.found]
        self._arena.view(np.float32)[:] = np.nan
        self.run(rows, found, 0, 1)
        for one, other in zip(found, leaves(function(rows)), strict=True):
            if not np.allclose(one, other, rtol=1e-3, atol=1e-4):
                raise NotCapturable("compiled code gives other numbers than NumPy")


class Forward:
    """A function of a model and a few rows, as one call of machine code.

    Attributes
    ----------
    shape : tuple, of the rows
    form : what the function gives, in a tree of values
    """

    def __init__(
        self, function: Callable[[Any, Any], Any], model: Model, shape: tuple[int, int]
    ) -> None:
        self._network = network = Network(function, model, shape)
        self.shape, self.form, self._lock = shape, network.form, threading.Lock()
        # Two steps, which go over the weights in opposite orders, take turns.
        rows, turns = np.zeros((2, *shape), np.float32), []
        for i in range(2):
            changes = dict(noise=rows.ctypes.data, first_step=i, last_step=i + 1)
            given = machine.arguments(*(network.arguments | changes).values())
            turns.append((rows[i], ctypes.addressof(given), given))
        self._turns, self._run, self._found = itertools.cycle(turns), network.loop, network.found

    def __call__(self, rows: Array) -> list[Array]:
        """The arrays that the function gives."""
        with self._lock:
            own, at, _ = next(self._turns)
            own[...] = rows
            self._run(at)
            return [array.copy() for array in self._found]


class BlockedForward:
    """What `Forward` gives, of many rows: in blocks, which threads share.

    All blocks have the same number of rows. Where these do not add up, the last begins earlier, and
    what it gives anew is left out.

    Parameters
    ----------
    function, model, shape
        As for `Forward`.
    block : int, the rows of a block
    threads : int, the most to use
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        model: Model,
        shape: tuple[int, int],
        block: int,
        threads: int,
    ) -> None:
        self.shape, self._block = shape, block
        self._blocks = math.ceil(shape[0] / block)
        most = min(threads, self._blocks)
        self._each = [Network(function, model, (block, shape[1])) for _ in range(most)]
        self.form = self._each[0].form

    def __call__(self, rows: Array) -> list[Array]:
        """The arrays that the function gives."""
        rows = np.ascontiguousarray(rows)
        found = _empty([(len(rows), *array.shape[1:]) for array in self._each[0].found])
        work = [(thread, rows, found) for thread in range(len(self._each))]
        others = [threading.Thread(target=self._share, args=each) for each in work[1:]]
        for other in others:
            other.start()
        self._share(*work[0])
        for other in others:
            other.join()
        return found

    def _share(self, thread: int, rows: Array, found: list[Array]) -> None:
        """A thread's blocks, some at a time, between which Python may interrupt.

        Other threads go on after an interrupt, so that the next call waits for their networks.
        """
        network, threads = self._each[thread], len(self._each)
        first, last = (self._blocks * t // threads for t in (thread, thread + 1))
        whole = min(last, len(rows) // self._block)
        for block in range(first, whole, AT_ONCE):
            network.run(rows, found, block, min(block + AT_ONCE, whole))
        if whole < last:
            ends = [np.empty_like(array) for array in network.found]
            network.run(rows[-self._block :], ends, 0, 1)
            for array, end in zip(found, ends, strict=True):
                array[whole * self._block :] = end[whole * self._block - len(rows) :]


def _empty(shapes: list[tuple[int, ...]]) -> list[Array]:
    """Arrays of these shapes in one piece of memory.

    What is freed at a time the C library keeps for the next call. Of several pieces of some hundred
    KiB it gives back to the system what it has to ask for again, page by page.
    """
    whole, begin, found = np.empty(sum(map(math.prod, shapes)), np.float32), 0, []
    for shape in shapes:
        found.append(whole[begin : begin + math.prod(shape)].reshape(shape))
        begin += math.prod(shape)
    return found


def _numbers(ref: Ref, shape: tuple[int, ...]) -> Array:
    """The float32 numbers at a place."""
    memory: Any = (ctypes.c_float * math.prod(shape)).from_address(ref.address)
    return np.frombuffer(memory, np.float32).reshape(shape)

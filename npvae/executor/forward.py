"""A function of a model and rows, recorded once and run by the compiled executor."""

from __future__ import annotations

import ctypes
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
from .places import Source
from .program import tables
from .record import record_function

Array = np.ndarray

BLOCK = 256
"""More rows are computed in blocks of so many, whose activations stay in the nearer caches."""


def forward(
    function: Callable[[Any, Any], Any], model: Model, shape: tuple[int, int], threads: int
) -> Forward | BlockedForward:
    """A function of a model and rows of this shape, in blocks where they are many."""
    if shape[0] <= BLOCK:
        return Forward(function, model, shape)
    return BlockedForward(function, model, shape, threads)


class Forward:
    """A function of a model and rows, for one number of rows, as one call of machine code.

    Attributes
    ----------
    shape : tuple, of the rows
    form : what the function gives, in a tree of values
    """

    def __init__(
        self, function: Callable[[Any, Any], Any], model: Model, shape: tuple[int, int]
    ) -> None:
        self.shape, self._lock = shape, threading.Lock()
        self._rows = np.zeros(shape, np.float32)
        graph, self.form = record_function(function, model, self._rows)
        self._prepare(graph)
        self._compare(lambda rows: function(model, rows))

    def __call__(self, rows: Array) -> list[Array]:
        """The arrays that the function gives."""
        with self._lock:
            self._rows[...] = rows
            self._run(self._at)
            return [result.copy() for result in self._results]

    def fill(self, rows: Array, out: list[Array]) -> None:
        """Put the last rows of each array that the function gives into those of `out`."""
        with self._lock:
            self._rows[...] = rows
            self._run(self._at)
            for result, end in zip(self._results, out, strict=True):
                end[...] = result[len(result) - len(end) :]

    def empty(self, n: int) -> list[Array]:
        """Arrays as the function gives them, for n rows."""
        return [np.empty((n, *result.shape[1:]), np.float32) for result in self._results]

    def _prepare(self, graph: Graph) -> None:
        """Make the tables of the executor, and the memory that they point to."""
        source = Source(1, 1.0, self.shape[1], self._rows.ctypes.data)
        lowering = Lowering(graph, None, {}, {"x": source}, threads=1)
        lowering.checked = True  # there are results, and no losses to look at
        lowering.run()
        results = [lowering.by_row(value) for value in graph.losses]
        for made in lowering.python_calls:
            raise NotCapturable(f"Python runs {made.call.kernel} ({made.why})")
        # An operation of no items, so that the results live until the end.
        lowering.emit("fill", 0, dict(out=0, n=0))
        operations = lowering.operations
        operations[-1].extra += [ref.buffer for ref in results]
        self._arena = place(operations)
        self._results = [
            _numbers(ref, value.shape) for ref, value in zip(results, graph.losses, strict=True)
        ]
        table, constants = tables(operations)
        names = [operation.name for operation in operations]
        addresses = machine.addresses({*names, machine.LOOP})
        table[:, executor.ADDRESS] = [addresses[name] for name in names]
        widest = max(v.per_feature for call in graph.calls for v in call.outputs if v.ndim)
        scratch = np.empty(executor.scratch_size(widest), np.float32)
        counters, order = np.zeros(sync.SIZE, np.int64), np.arange(self.shape[0])
        arguments = dict.fromkeys(machine.PARAMETERS, 0) | dict(
            n_threads=1, table=table.ctypes.data, constants=constants.ctypes.data,
            last_op=len(operations), last_step=1, order=order.ctypes.data,
            counters=counters.ctypes.data, scratch=scratch.ctypes.data, scratch_size=scratch.size,
        )  # fmt: skip
        listed = machine.arguments(*arguments.values())
        self._run, self._at = machine.loop(), ctypes.addressof(listed)
        # The memory that the addresses point to
        self._kept = graph, lowering.constants, table, constants, scratch, counters, order, listed

    def _compare(self, function: Callable[[Array], Any]) -> None:
        """Refuse what gives other numbers than NumPy, on another batch than the recorded one.

        The memory is full of NaN, so that what is read before it is written shows.
        """
        rows = np.random.default_rng(0).random(self.shape, np.float32)
        self._arena.view(np.float32)[:] = np.nan
        for one, other in zip(self(rows), leaves(function(rows)), strict=True):
            if not np.allclose(one, other, rtol=1e-3, atol=1e-4):
                raise NotCapturable("compiled code gives other numbers than NumPy")


class BlockedForward:
    """What `Forward` gives, of many rows: in blocks, which threads share.

    All blocks have `BLOCK` rows. Where these do not add up, the last begins earlier, and what it
    gives anew is left out.

    Parameters
    ----------
    function, model, shape
        As for `Forward`.
    threads : int, the most to use
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        model: Model,
        shape: tuple[int, int],
        threads: int,
    ) -> None:
        self.shape = shape
        pays = shape[0] * model.flat.size >= WORTHWHILE
        most = min(threads, math.ceil(shape[0] / BLOCK)) if pays else 1
        self._each = [Forward(function, model, (BLOCK, shape[1])) for _ in range(most)]
        self.form = self._each[0].form

    def __call__(self, rows: Array) -> list[Array]:
        """The arrays that the function gives."""
        found = self._each[0].empty(len(rows))
        firsts = range(0, len(rows), BLOCK)

        def run(thread: int) -> None:
            for first in firsts[thread :: len(self._each)]:
                stop = min(first + BLOCK, len(rows))
                block = rows[stop - BLOCK : stop]
                self._each[thread].fill(block, [array[first:stop] for array in found])

        others = [threading.Thread(target=run, args=(i,)) for i in range(1, len(self._each))]
        for other in others:
            other.start()
        run(0)
        for other in others:
            other.join()
        return found


def _numbers(ref: Ref, shape: tuple[int, ...]) -> Array:
    """The float32 numbers at a place."""
    memory: Any = (ctypes.c_float * math.prod(shape)).from_address(ref.address)
    return np.frombuffer(memory, np.float32).reshape(shape)

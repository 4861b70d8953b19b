"""A function of a model and rows, recorded once and run by the compiled executor."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

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


def _numbers(ref: Ref, shape: tuple[int, ...]) -> Array:
    """The float32 numbers at a place."""
    memory: Any = (ctypes.c_float * math.prod(shape)).from_address(ref.address)
    return np.frombuffer(memory, np.float32).reshape(shape)

"""A compiled step that notes when each of its threads begins and ends each operation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numba
import numpy as np
from llvmlite import ir
from numba import types

import npvae as nv
from npvae.executor.operations import loop
from npvae.executor.operations.build import ARGUMENTS
from npvae.executor.operations.loop import N_COLUMNS
from npvae.executor.operations.options import LONG, external, instruction, longs
from npvae.executor.program import Program

from .nets import Net, load
from .operations import Part

STEPS, AT_ONCE = 40, 64
"""Of an epoch; and for how many the times are kept."""
_MONOTONIC = 6 if sys.platform == "darwin" else 1
"""What the system calls the clock that only goes forward."""


class Timed(Program):
    """A program that notes the least time of each operation, and all times of the step."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        n = len(self.operations)
        self.seconds, self.waiting = np.full(n, np.inf), np.full(n, np.inf)
        self.steps: list[float] = []
        self._watch: Any = None

    def compile(self) -> None:
        super().compile()
        if self._watch is None:
            real = self.table[:, loop.ADDRESS].copy()
            self._stamps = np.zeros((AT_ONCE, len(self.operations), self.threads, 2), np.int64)
            self._watch = _watch(self.table, real, self._stamps), real
            self.table[:, loop.ADDRESS] = self._watch[0].address

    def _execute(self, first: int, last: int, step: int, stop: int, tables: Any) -> int:
        for now in range(step, stop, AT_ONCE):
            self._stamps[:] = 0
            most = min(now + AT_ONCE, stop)
            done = super()._execute(first, last, now, most, tables)
            self._note(slice(first, last), [i % AT_ONCE for i in range(now, done)])
            if done < most:
                break
        return done

    def _note(self, part: slice, steps: list[int]) -> None:
        shared = np.array([operation.sharing for operation in self.operations[part]])
        began, ended = np.moveaxis(self._stamps[steps, part] * 1e-9, 3, 0)
        # Who has no share of an operation goes on to the next one at once.
        took = np.where(ended > 0, ended - began, 0).sum(2) / shared
        until = np.maximum.accumulate(ended, axis=1)
        since = np.concatenate([began[:, :1], until[:, :-1]], 1)
        waited = np.where((ended > 0) & (since > 0), began - since, 0).sum(2) / shared
        self.seconds[part] = np.minimum(self.seconds[part], took.min(0))
        self.waiting[part] = np.minimum(self.waiting[part], waited.min(0))
        if part.stop == len(self.operations):
            self.steps += list(ended[:, -1].max(1) - np.where(began > 0, began, np.inf).min((1, 2)))

    def parts(self) -> Iterator[Part]:
        """Each operation in its order."""
        for operation, took, waited in zip(
            self.operations, self.seconds, self.waiting, strict=True
        ):
            of, flop, name = operation.operands, 0.0, operation.name
            if name == "product":
                flop = 2.0 * operation.n_items * of["n"] * of["k"]
                name = f"product {operation.n_items} x {of['n']} x {of['k']}"
            # A thread's part of the arithmetic, as its time is one thread's.
            yield Part(name, took, waited, flop / operation.sharing)


def _watch(table: np.ndarray, real: np.ndarray, stamps: np.ndarray) -> Any:
    """An operation in the place of each that calls it, between two looks at the clock."""
    first, row = table.ctypes.data + 8 * loop.FIRST_OPERAND, 8 * N_COLUMNS
    addresses, notes = real.ctypes.data, stamps.ctypes.data
    n, threads = stamps.shape[1:3]

    @numba.cfunc(types.int64(*[types.int64] * len(ARGUMENTS)))
    def watch(
        operands, constants, scalars, lo, hi, n_items, thread, sharing, scratch, step, order,
        noise, losses,
    ):  # fmt: skip
        i = (operands - first) // row
        note = notes + 16 * (threads * (n * (step % AT_ONCE) + i) + thread)
        if longs(note, 1)[0] == 0:  # else this is the next piece
            _clock(note)
        going_on = loop._perform(
            longs(addresses, n)[i], operands, constants, scalars, lo, hi, n_items, thread,
            sharing, scratch, step, order, noise, losses,
        )  # fmt: skip
        _clock(note + 8)
        return going_on

    return watch


@instruction("void(int64)")
def _clock(builder, address):
    """The nanoseconds of the system's clock, to an address."""
    kind = ir.LiteralStructType([LONG, LONG])
    now = builder.alloca(kind)
    call = external(
        builder.module, "clock_gettime", ir.IntType(32), [ir.IntType(32), kind.as_pointer()]
    )
    builder.call(call, [ir.Constant(ir.IntType(32), _MONOTONIC), now])
    seconds, rest = (
        builder.load(builder.gep(now, [ir.Constant(ir.IntType(32), n) for n in (0, i)]))
        for i in range(2)
    )
    whole = builder.add(builder.mul(seconds, ir.Constant(LONG, 10**9)), rest)
    builder.store(whole, builder.inttoptr(address, LONG.as_pointer()))


def timed(net: Net, data: str, epochs: int, threads: int) -> tuple[Timed, nv.History]:
    """The program of a net that was trained for some epochs, and its history."""
    made: list[Timed] = []

    def program(*arguments: Any) -> Timed:
        made.append(Timed(*arguments))
        return made[-1]

    model = nv.VAE(net.x_dim, net.z_dim, hidden=net.hidden, activation=net.activation)
    x = load(data, net.x_dim, STEPS * net.batch)
    with mock.patch("npvae.training.captured.Program", program):
        history = nv.fit(
            model, x, epochs=epochs, batch_size=net.batch, threads=threads, progress=False,
            objective=nv.ELBO(n_samples=net.samples),
        )  # fmt: skip
    return made[0], history

"""A compiled step that does one operation at a time, and notes how long each takes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np

import npvae as nv
from npvae.executor.program import Program

from .nets import Net, load

STEPS = 40


class Timed(Program):
    """A program that does one operation at a time, and notes the least time of each."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seconds = np.full(len(self.operations), math.inf)
        self.asking = math.inf

    def _execute(self, first: int, last: int, step: int, stop: int, tables: Any) -> int:
        for now in range(step, stop):
            for i in range(first, last):
                self.seconds[i] = min(self.seconds[i], self._time((i, i + 1), now, tables))
            self.asking = min(self.asking, self._time((last, last), now, tables))
        return stop

    def _time(self, operations: tuple[int, int], step: int, tables: Any) -> float:
        self.counters[:] = 0
        began = time.perf_counter()
        self._call(0, 1, operations, (step, step + 1), tables)
        return time.perf_counter() - began

    def times(self) -> Iterator[tuple[str, float, float]]:
        """(what, seconds, floating-point operations) of each operation in its order."""
        for operation, seconds in zip(self.operations, self.seconds, strict=True):
            of, flop = operation.operands, 0.0
            name = operation.name
            if name == "product":
                flop = 2.0 * operation.n_items * of["n"] * of["k"]
                name = f"product {operation.n_items} x {of['n']} x {of['k']}"
            yield name, max(0.0, seconds - self.asking), flop


def timed(net: Net, data: str, epochs: int) -> tuple[Timed, nv.History]:
    """The program of a net that was trained for some epochs, and its history."""
    made: list[Timed] = []

    def program(*arguments: Any) -> Timed:
        made.append(Timed(*arguments))
        return made[-1]

    model = nv.VAE(net.x_dim, net.z_dim, hidden=net.hidden, activation=net.activation)
    x = load(data, net.x_dim, STEPS * net.batch)
    with mock.patch("npvae.training.captured.Program", program):
        history = nv.fit(
            model, x, epochs=epochs, batch_size=net.batch, threads=1, progress=False,
            objective=nv.ELBO(n_samples=net.samples),
        )  # fmt: skip
    return made[0], history

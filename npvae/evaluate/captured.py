"""Importance weights by compiled code: the model's own forward, captured for many samples."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Terms
from ..core.progress import notice_if_slow
from ..core.schedules import Constant
from ..core.threads import blas_threads
from ..core.trees import leaves
from ..executor.describe import why_eager
from ..executor.graph import NotCapturable
from ..executor.places import Source
from ..executor.program import Program
from ..executor.record import record, watch
from ..executor.rehearsal import Rehearsal, randomness_kept
from ..models import Model
from ..models.blocks import Batches
from ..optim import Adam

Array = np.ndarray

ROWS = 16
"""Of a step, which encodes them anew: as many as a vector has numbers, so that it does so for the
price of one."""
COLUMNS = 512
"""Samples of all rows together: few enough to stay in a cache, and many for each row's encoding."""
STEPS = 8
"""At a time: some tens of milliseconds, between which Python may interrupt."""


def captured_weights(model: Model, read: Batches) -> CapturedWeights | None:
    """What weighs samples of the rows that `read` gives, or None where Python has to."""
    if why_eager(model, Adam()) is not None:
        return None
    try:
        with blas_threads(1, matters=False), randomness_kept():
            return CapturedWeights(model, read)
    except NotCapturable:
        return None


class Densities:
    """What importance weights are made of, in the place of an objective's losses."""

    needs = losses = ("log_px", "log_pz", "log_qz")
    beta = Constant(1.0)

    def __init__(self, n_samples: int) -> None:
        self.n_samples = n_samples

    def __call__(self, terms: Terms, epoch: float = math.inf) -> tuple[dict[str, Any], None]:
        found = {"log_px": terms.log_px}
        for name in self.needs[1:]:
            found[name] = reduce(k.add, [getattr(level, name) for level in terms.levels])
        return found, None


class CapturedWeights:
    """log p(x, z) - log q(z given x) of samples z, as `Terms.log_w`, for blocks of rows.

    A program has `ROWS` rows and some samples of each; the noise of a block is cut into its steps.
    Each thread has a program of its own, so that no thread waits for another.

    Parameters
    ----------
    model : Model
    read : Batches

    Raises
    ------
    NotCapturable
        If Python has to run a part of the model, or the program differs from what Python makes.
    """

    def __init__(self, model: Model, read: Batches) -> None:
        self.worker = model.with_gradients(np.zeros_like(model.flat))
        self.n_rows = min(ROWS, len(read))
        self.n_samples = COLUMNS // self.n_rows
        self.sources = {"x": Source(1, 1.0, model.x_dim)}
        if model.context_dim:
            self.sources["context"] = Source(1, 1.0, model.context_dim)
        densities: Any = Densities(self.n_samples)
        rehearsal = Rehearsal(self.worker, densities)
        ends = slice(0, 2), slice(max(len(read) - 2, 0), len(read))
        watch(rehearsal, [self._example(read, rows, 1) for rows in ends], learn=False)
        example = self._example(read, slice(0, self.n_rows), self.n_samples)
        self.graph = record(rehearsal, *example, learn=False)
        self._programs = [self._program()]
        if self._programs[0].python_calls:
            raise NotCapturable("Python would copy what it is given and gives")
        self._compare(*self._example(read, slice(len(read) - self.n_rows, len(read)), 2))

    def _example(self, read: Batches, rows: slice, n_samples: int) -> tuple[Any, ...]:
        x, context = read(rows)
        noise = self.worker.draw_noise(len(x), n_samples, np.random.default_rng(0))
        return x, noise, context

    def _program(self) -> Program:
        return Program(self.graph, self.worker, None, self.sources, threads=1)

    def _compare(self, x: Array, eps: Any, context: Array | None) -> None:
        """Other rows than the recorded ones must get the weights that Python gives them."""
        self._programs[0].arena.fill(255)  # NaN
        with notice_if_slow(
            "npvae: compiling the model's forward (once; later runs find it in the cache)",
            seconds=1.0,
        ):
            found = self.of_rows(x, context)(eps)
        with np.errstate(all="ignore"):
            wanted = self.worker.forward(x, eps, context, needs=Densities.needs)[0].log_w
        finite = np.isfinite(wanted)
        off = 1e-4 * np.abs(wanted[finite]).max(initial=0.0)
        if not np.allclose(found[finite], wanted[finite], rtol=1e-4, atol=off):
            raise NotCapturable("a part depends on more than its inputs and parameters")

    def block(self, batch: int) -> int:
        """How many samples of so many rows are weighed at a time."""
        return self.n_samples * max(1, STEPS * self.n_rows // batch)

    def of_rows(self, x: Array, context: Array | None) -> Any:
        """What weighs samples of these rows, by their noise: from eps (n, B, Z) to (n, B).

        It serves until it is asked for with other rows, and several threads at once.
        """
        batch, rows = len(x), _filled_up(len(x), self.n_rows)
        given = {"x": x} if context is None else {"x": x, "context": context}
        held = {name: np.ascontiguousarray(a[rows], np.float32) for name, a in given.items()}
        for name, source in self.sources.items():
            source.address = held[name].ctypes.data

        def weigh(eps: Any) -> Array:
            levels = leaves(eps)
            n = len(levels[0])
            samples = _filled_up(n, self.n_samples)
            steps = len(samples) * len(rows) // (self.n_samples * self.n_rows)
            shape = -1, self.n_samples, len(rows) // self.n_rows, self.n_rows
            noise = [
                level[samples][:, rows].reshape(*shape, level.shape[-1]).swapaxes(1, 2)
                for level in levels
            ]
            densities = self._run(
                np.resize(np.arange(len(held["x"])), steps * self.n_rows),
                np.concatenate([level.reshape(steps, -1) for level in noise], axis=1),
            )
            parts = densities.reshape(steps, 3, self.n_samples, self.n_rows)
            log_w = parts[:, 0] + parts[:, 1] - parts[:, 2]
            log_w = log_w.reshape(shape[0], shape[2], *log_w.shape[1:]).swapaxes(1, 2)
            return log_w.reshape(len(samples), len(rows))[:n, :batch]

        return weigh

    def _run(self, order: Array, noise: Array) -> Array:
        """The densities of some steps, (steps, 3 · columns), by a program that nobody else uses."""
        steps = len(noise)
        found = np.empty((steps, len(Densities.losses) * self.n_samples * self.n_rows))
        try:
            program = self._programs.pop()
        except IndexError:
            program = self._program()
        program.run(order, noise, np.zeros((steps, 4)), found, np.zeros(steps))
        self._programs.append(program)
        return found


def _filled_up(n: int, size: int) -> Array:
    """The numbers from 0 to n, the last one repeated up to a multiple of the size."""
    return np.minimum(np.arange(-(-n // size) * size), n - 1)

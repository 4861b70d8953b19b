"""The steps of an epoch, replayed by compiled code in chunks."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import kernels
from ..optim import Adam
from ..progress import notice_if_slow
from ..reader import Reader
from ..steps import Done, EagerSteps, NotFinite, Training, along
from .graph import NotCapturable
from .lower import Source
from .program import Program
from .record import record, rehearsed

Array = np.ndarray

CHUNK_SECONDS = 0.1
"""How long Python is out of the loop: then progress is shown, and Ctrl-C is answered."""
STAGED_ROWS, NOISE_NUMBERS = 4096, 1 << 20
"""The most rows that are converted at a time, and the most noise that is drawn."""


def captured_steps(training: Training, threads: int) -> CapturedSteps | None:
    """The captured way to run these steps, or None where they can't be captured."""
    if training.worker.flat.dtype != np.float32 or type(training.optimiser) is not Adam:
        return None
    try:
        return CapturedSteps(training, threads)
    except NotCapturable:
        return None
    except _Differs as difference:
        warnings.warn(
            f"the captured step differs from the eager one ({difference}), so training runs "
            "eagerly, which is slower; a part whose forward or backward depends on more than its "
            "inputs and parameters does this.",
            stacklevel=4,
        )
        return None


class _Differs(Exception):
    pass


class CapturedSteps:
    """Programs for the full batch and for the short one at the end, and the data for them."""

    def __init__(self, training: Training, threads: int) -> None:
        self.training, self.threads = training, threads
        self.sources = {"x": _source(training.rows.x)}
        if training.rows.context is not None:
            self.sources["context"] = _source(training.rows.context)
        self.staged = any(source.address == 0 for source in self.sources.values())
        if self.staged:  # then all of them are, so none is read in its own type
            self.sources = {name: Source(1, 1.0, s.width) for name, s in self.sources.items()}
        self.steps_per_chunk = 4
        n = len(training.rows)
        full = min(n, training.batch_size)
        worker, objective, gradient = rehearsed(training.worker, training.objective)
        self.rehearsal = dataclasses.replace(
            training, worker=worker, objective=objective, gradient=gradient
        )
        self.full = self._program(full)
        self.short = self._program(n % full) if n % full else None

    def _program(self, batch: int) -> Program:
        """A program for batches of this size, tried out on another batch than the recorded one."""
        t, copies = self.training, self.rehearsal
        x, context = t.rows.batch(slice(0, batch))
        eps = t.worker.draw_noise(batch, t.objective.n_samples, np.random.default_rng(0))
        with np.errstate(all="ignore"):
            graph = record(t.worker, t.objective, x, eps, context, copies.worker, copies.objective)
        program = Program(
            graph, t.worker, t.gradient, t.state, t.optimiser, self.sources, self.threads
        )
        self._compare(program)
        return program

    def _compare(self, program: Program) -> None:
        """Another batch than the recorded one must give what it gives eagerly."""
        t, copies = self.training, self.rehearsal
        n, batch = len(t.rows), program.batch
        order = np.arange(n - batch, n)
        losses, now = np.zeros((1, 3)), np.zeros(1)
        noise = self._noise(program, 1, np.random.default_rng(1))
        scalars = np.array([[copies.objective.beta(0.0), 0.0, 1.0, 0.0]])
        t.gradient.fill(0)
        copies.gradient.fill(0)
        program.arena.fill(255)  # NaN
        with notice_if_slow(
            "npvae: compiling the training step (once; later runs find it in the cache)"
        ):
            program.run(self._stage(order), noise, scalars, losses, now, rehearsal=True)
        ours = t.gradient + copies.gradient  # Python's calls were made on the copies
        with kernels.running("numpy"), np.errstate(all="ignore"):
            wanted = np.array(
                EagerSteps(copies).gradient(t.rows.batch(order), np.random.default_rng(1), 0.0),
                float,
            )
        t.gradient.fill(0)
        if not (np.isfinite(wanted).all() and np.isfinite(copies.gradient).all()):
            return
        if not np.allclose(losses[0], wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max()):
            raise _Differs(f"its losses are {losses[0]} instead of {wanted}")
        error = np.abs(ours - copies.gradient).max()
        if not error <= 1e-3 * np.abs(copies.gradient).max():
            raise _Differs(f"its gradient is off by {error:.3g}")

    def run(self, epoch: int, order: Array, noise: np.random.Generator) -> Iterator[Done]:
        """One pass over the rows in this order."""
        t = self.training
        times = t.times(epoch)
        rates, betas = t.rates(times), along(t.objective.beta, times)
        n_full = len(order) // self.full.batch
        step = 0
        while step < len(times):
            program, stop = self.full, n_full
            if step >= n_full:
                assert self.short is not None
                program, stop = self.short, len(times)
            stop = min(stop, step + self._chunk(program))
            rows = order[step * self.full.batch :][: (stop - step) * program.batch]
            began = time.perf_counter()
            now = slice(step, stop)
            losses = self._chunk_of(program, step, rows, noise, rates[now], betas[now], times[now])
            each = (time.perf_counter() - began) / (stop - step)
            self.steps_per_chunk = max(1, min(2 * (stop - step), int(CHUNK_SECONDS / each)))
            yield Done(np.full(stop - step, program.batch), losses)
            step = stop

    def _chunk(self, program: Program) -> int:
        """How many steps to do before Python looks around again."""
        most = max(1, NOISE_NUMBERS // max(1, program.noise_size))
        if self.staged:
            most = min(most, max(1, STAGED_ROWS // program.batch))
        return min(self.steps_per_chunk, most)

    def _chunk_of(
        self,
        program: Program,
        first: int,
        rows: Array,
        noise: np.random.Generator,
        rates: Array,
        betas: Array,
        times: Array,
    ) -> Array:
        t = self.training
        losses = np.empty((len(rates), 3))
        scalars = np.empty((len(rates), 4))
        scalars[:, 0] = betas
        scalars[:, 1:] = t.optimiser.factors(t.state.t + 1 + np.arange(len(rates)), rates)
        drawn = self._noise(program, len(rates), noise)
        done = program.run(self._stage(rows), drawn, scalars, losses, times)
        t.state.t += done
        if done < len(losses):
            raise NotFinite(first + done, float(losses[done, 0]))
        return losses

    def _noise(self, program: Program, steps: int, rng: np.random.Generator) -> Array:
        """The noise of some steps, as drawing it step by step would give it."""
        t = self.training
        samples = t.objective.n_samples
        drawn = t.worker.draw_noise(program.batch, samples * steps, rng) if steps > 1 else None
        if isinstance(drawn, np.ndarray):
            return np.ascontiguousarray(drawn).reshape(-1)
        if drawn is not None:
            raise NotCapturable("the noise is no single array")
        one: Any = t.worker.draw_noise(program.batch, samples, rng)
        return np.ascontiguousarray(one).reshape(-1)

    def _stage(self, rows: Array) -> Array:
        """The places of these rows for the gather operation; copies them where it can't reach."""
        if not self.staged:
            return np.ascontiguousarray(rows, np.int64)
        self._copies = self.training.rows.batch(rows)
        for source, copied in zip(self.sources.values(), self._copies, strict=False):
            assert copied is not None
            source.address = copied.ctypes.data
        return np.arange(len(rows), dtype=np.int64)  # elsewhere it may be int32


def _source(reader: Reader) -> Source:
    """A table that the gather operation reads in place, or with address 0 one that is staged."""
    array = reader.array
    reachable = array.flags.c_contiguous and array.dtype in (np.uint8, np.float32)
    if not reachable or not array.dtype.isnative:
        return Source(1, 1.0, array.shape[1])
    kind = 0 if array.dtype == np.uint8 else 1
    return Source(kind, reader.scale or 1.0, array.shape[1], array.ctypes.data)

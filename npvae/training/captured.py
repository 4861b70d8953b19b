"""The steps of an epoch, replayed by compiled code in chunks."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.progress import notice_if_slow
from ..core.threads import blas_threads
from ..core.trees import leaves
from ..executor.describe import why_eager
from ..executor.graph import NotCapturable
from ..executor.normals import standard_normals
from ..executor.program import Program
from ..executor.purity import attributes
from ..executor.record import record, watch
from ..executor.rehearsal import Rehearsal, randomness_kept
from ..layers.mode import learning
from ..models import Model
from ..objectives import ELBO
from .rows import Rows
from .sources import RowSources
from .steps import Done, EagerSteps, NotFinite, Training, along, bound_names

Array = np.ndarray

CHUNK_SECONDS = 0.1
"""How long Python is out of the loop: then progress is shown, and Ctrl-C is answered."""
NOISE_NUMBERS = 1 << 20
"""The most noise that is drawn at a time."""


def captured_steps(training: Training, threads: int) -> CapturedSteps | None:
    """The captured way to run these steps, or None where they can't be captured."""
    if why_eager(training.worker, training.settings.optimiser) is not None:
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
    """Programs for the full batch and for the short one at the end.

    Parameters
    ----------
    training : Training
    threads : int, the most to use

    Raises
    ------
    NotCapturable
        If the model's own code does more than call its parts.
    """

    def __init__(self, training: Training, threads: int) -> None:
        self.training, self.threads = training, threads
        self.table = RowSources(training.rows)
        self.bounds: _Bounds | None = None
        self.steps_per_chunk = 4
        self._capture()

    def _capture(self) -> None:
        t = self.training
        self.rehearsal = Rehearsal(t.worker, t.settings.objective)
        self.bounds = None
        n = len(t.rows)
        full = min(n, t.settings.batch_size)
        with _no_other_threads(), randomness_kept():
            watch(self.rehearsal, _examples(t.worker, t.rows, t.settings.objective.n_samples))
            self.full = self._program(full)
            self.short = self._program(n % full) if n % full else None
        self.recorded = self._recorded()

    def _recorded(self) -> list[Any]:
        """What a callback may change between two epochs, and what a recording has in it."""
        return [*self.rehearsal.settings(), attributes(self.training.settings.optimiser)]

    def _program(self, batch: int) -> Program:
        """A program for batches of this size, tried out on another batch than the recorded one."""
        t, n_samples = self.training, self.training.settings.objective.n_samples
        example = _example(t.worker, t.rows, slice(0, batch), n_samples)
        update = t.gradient, t.state, t.settings.optimiser
        graph = record(self.rehearsal, *example)
        program = Program(graph, t.worker, update, self.table.sources, self.threads)
        self._compare(program)
        return program

    def _compare(self, program: Program) -> None:
        """Another batch than the recorded one must give what it gives eagerly."""
        t, on = self.training, self.rehearsal
        objective = on.objective_copy
        settings = dataclasses.replace(t.settings, objective=objective)
        copies = dataclasses.replace(t, settings=settings, worker=on.copy, gradient=on.gradient)
        rows = np.arange(len(t.rows) - program.batch, len(t.rows))
        losses, now = np.zeros((1, len(t.settings.losses))), np.zeros(1)
        scalars = np.array([[objective.beta(0.0), 0.0, 1.0, 0.0]])
        t.gradient.fill(0)
        copies.gradient.fill(0)
        program.arena.fill(255)  # NaN
        compiling = notice_if_slow(
            "npvae: compiling the training step (once; later runs find it in the cache)",
            seconds=1.0,  # finding it there takes a tenth of that
        )
        on.reset()
        with compiling, randomness_kept(), learning(np.random.default_rng(2)):
            program.compile()  # what draws the noise too
            noise = _noise(t.worker, program, objective.n_samples, 1, np.random.default_rng(1))
            program.run(self.table.find(rows), noise, scalars, losses, now, rehearsal=True)
        ours = t.gradient + copies.gradient  # Python's calls were made on the copies
        t.gradient.fill(0)

        def eager() -> tuple[Array, Array]:
            on.reset()  # all runs begin with the same state, where parts have one
            batch, noise = t.rows.batch(rows), np.random.default_rng(1)
            with np.errstate(all="ignore"), learning(np.random.default_rng(2), 0.0):
                found = EagerSteps(copies).gradient(batch, noise, 0.0)
            return found, copies.gradient.copy()

        wanted, gradient = eager()
        if not (np.isfinite(wanted).all() and np.isfinite(gradient).all()):
            return
        if not np.allclose(losses[0], wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max()):
            raise _Differs(f"its losses are {losses[0]} instead of {wanted}")
        error, allowed = np.abs(ours - gradient).max(), 1e-3 * np.abs(gradient).max()
        if error <= allowed:
            return
        least, most = _gradients_beside(gradient, lambda: eager()[1], t.worker.flat)
        if not (np.maximum(least - ours, ours - most) <= allowed).all():
            raise _Differs(f"its gradient is off by {error:.3g}")

    def run(
        self,
        epoch: int,
        order: Array,
        noise: np.random.Generator,
        draws: np.random.Generator | None = None,
        own: np.random.Generator | None = None,
    ) -> Iterator[Done]:
        """One pass over the rows in this order; `draws` is for rows that vary, `own` for parts."""
        if self._recorded() != self.recorded:
            self._capture()
        t = self.training
        times = t.times(epoch)
        rates, betas = t.rates(times), along(t.settings.objective.beta, times)
        n_full = len(order) // self.full.batch
        step = 0
        while step < len(times):
            program, stop = (self.full, n_full) if step < n_full else (self.short, len(times))
            assert program is not None
            stop = min(stop, step + self._chunk(program))
            rows = order[step * self.full.batch :][: (stop - step) * program.batch]
            began, now = time.perf_counter(), slice(step, stop)
            found = self.table.find(rows, draws)
            with learning(own):
                losses = self._do(program, step, found, noise, rates[now], betas[now], times[now])
            each = (time.perf_counter() - began) / (stop - step)
            most = max(1, int(CHUNK_SECONDS / each))
            self.steps_per_chunk = min(2 * self.steps_per_chunk, most)
            yield Done(np.full(stop - step, program.batch), losses)
            step = stop

    def _chunk(self, program: Program) -> int:
        """How many steps to do before Python looks around again."""
        return min(self.steps_per_chunk, _most_steps(program, self.table))

    def _do(
        self,
        program: Program,
        first: int,
        rows: Array,
        noise: np.random.Generator,
        rates: Array,
        betas: Array,
        times: Array,
    ) -> Array:
        """Some steps, on rows by the table's numbers; returns their losses."""
        t, settings = self.training, self.training.settings
        steps = len(rates)
        losses, scalars = np.empty((steps, len(settings.losses))), np.empty((steps, 4))
        scalars[:, 0] = betas
        scalars[:, 1:] = settings.optimiser.factors(t.state.t + 1 + np.arange(steps), rates)
        drawn = _noise(t.worker, program, settings.objective.n_samples, steps, noise)
        done = program.run(rows, drawn, scalars, losses, times)
        t.state.t += done
        if done < steps:
            raise NotFinite(first + done, float(losses[done, 0]))
        return losses

    def bound(
        self, rows: Rows, noise: np.random.Generator, draws: np.random.Generator | None = None
    ) -> Array:
        """The sums over rows of the ELBO's losses at beta = 1 with one sample."""
        if self.bounds is None or self.bounds.table.rows is not rows:
            self.bounds = _Bounds(self.training, rows, self.threads)
        return self.bounds.sums(noise, draws)


class _Bounds:
    """Programs that go forward only, for data that is held out."""

    def __init__(self, training: Training, rows: Rows, threads: int) -> None:
        self.worker, self.threads = training.worker, threads
        self.table = RowSources(rows)
        self.rehearsal = Rehearsal(training.worker, ELBO())
        n = len(rows)
        full = min(n, training.settings.batch_size)
        with _no_other_threads(), randomness_kept():
            watch(self.rehearsal, _examples(self.worker, rows), learn=False)
            self.full = self._program(full)
            self.short = self._program(n % full) if n % full else None

    def _program(self, batch: int) -> Program:
        example = _example(self.worker, self.table.rows, slice(0, batch))
        graph = record(self.rehearsal, *example, learn=False)
        return Program(graph, self.worker, None, self.table.sources, self.threads)

    def sums(self, noise: np.random.Generator, draws: np.random.Generator | None) -> Array:
        """The sums over all rows of the losses that `bound_names` names."""
        total = np.zeros(len(bound_names(self.worker)))
        n, at = len(self.table.rows), 0
        while at < n:
            program = self.full if n - at >= self.full.batch else self.short
            assert program is not None
            steps = min((n - at) // program.batch, _most_steps(program, self.table))
            losses, scalars = np.zeros((steps, len(total))), np.zeros((steps, 4))
            scalars[:, 0] = 1.0
            drawn = _noise(self.worker, program, 1, steps, noise)
            rows = self.table.find(np.arange(at, at + steps * program.batch), draws)
            program.run(rows, drawn, scalars, losses, np.full(steps, np.inf))
            total += losses.sum(0) * program.batch  # of a loss that is no number as well
            at += steps * program.batch
        return total


def _gradients_beside(
    gradient: Array, again: Callable[[], Array], flat: Array
) -> tuple[Array, Array]:
    """Of each entry the least and the most that it is for parameters with other last digits.

    Round-off may put a pre-activation on the other side of ReLU's kink, which changes the gradient
    by what its unit is worth in this row. Of the million in a step of images one lies so close in
    every tenth recording, so that alone is no mistake. A gradient that is another one when asked
    again is given as it is: what it depends on is not recorded.
    """
    least = most = gradient
    if not np.array_equal(again(), gradient):
        return least, most
    kept, rng = flat.copy(), np.random.default_rng(3)
    try:
        for _ in range(10):
            flat[...] = kept * (1 + 8 * np.finfo(flat.dtype).eps * rng.uniform(-1, 1, flat.shape))
            found = again()
            least, most = np.minimum(least, found), np.maximum(most, found)
    finally:
        flat[...] = kept
    return least, most


def _no_other_threads() -> contextlib.AbstractContextManager[None]:
    """BLAS's threads go on spinning for a tenth of a second, on cores that training is to have."""
    return blas_threads(1, matters=False)


def _example(worker: Model, rows: Rows, which: slice, n_samples: int = 1) -> tuple[Any, ...]:
    """What a step is recorded on: x, noise, context and weights."""
    x, context, weights = rows.batch(which)
    eps = worker.draw_noise(len(x), n_samples, np.random.default_rng(0))
    return x, eps, context, weights


def _examples(worker: Model, rows: Rows, n_samples: int = 1) -> list[tuple[Any, ...]]:
    """Two small batches, on which parts are watched."""
    ends = slice(0, 2), slice(max(len(rows) - 2, 0), None)
    return [_example(worker, rows, end, n_samples) for end in ends]


def _most_steps(program: Program, table: RowSources) -> int:
    """How many steps' noise and copied rows are kept at a time."""
    most = max(1, NOISE_NUMBERS // max(1, program.noise_size))
    return most if table.most_rows is None else min(most, max(1, table.most_rows // program.batch))


def _noise(
    worker: Model, program: Program, samples: int, steps: int, rng: np.random.Generator
) -> Array:
    """The noise of some steps, as drawing it step by step gives it."""
    if type(worker).draw_noise is Model.draw_noise:  # one draw a step, and so one of all steps
        return standard_normals(rng, program.noise_size * steps)
    drawn = [worker.draw_noise(program.batch, samples, rng) for _ in range(steps)]
    return np.concatenate([np.ravel(level) for levels in drawn for level in leaves(levels)])

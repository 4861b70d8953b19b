"""fit: the only training loop."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import kernels
from ..core import layout
from ..core.checks import number, whole
from ..core.errors import ConfigError, ModelFileError, NonFiniteLoss
from ..core.progress import Silent, reporter
from ..core.schedules import Schedule, schedule
from ..core.threads import blas_threads, usable_cores
from ..models import Model
from ..models import storage as checkpoints
from ..models.base import START_ROWS
from ..objectives import ELBO, Losses
from ..optim import Adam, AdamState
from .history import History
from .rows import Rows, check_binarise, training_rows, validation_rows
from .steps import EagerSteps, NotFinite, Training

Array = np.ndarray

# What a random stream is for; with the seed and the epoch it makes the stream, so that no epoch
# depends on what ran before it and a resumed run draws what an unbroken one would have drawn.
_ORDER, _NOISE, _VALIDATION, _DRAWS, _VALIDATION_DRAWS = range(5)


def fit(
    model: Model,
    x: Any,
    *,
    objective: Any = None,
    epochs: int = 10,
    batch_size: int = 128,
    lr: Any = 1e-3,
    valid: Any = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
    checkpoint: Any = None,
    resume: bool = False,
    callbacks: Iterable[Any] = (),
    context: Any = None,
    optimiser: Adam | None = None,
    weights: Any = None,
    binarise: bool = False,
) -> History:
    """Train a model in place, by minibatch Adam on hand-derived gradients.

    Parameters
    ----------
    model : Model
    x : (N, D) array
        Floating, or integers. Bytes are divided by 255 where the likelihood lives on [0, 1] and
        their maximum is above 1; the model keeps that scale. NaN is missing, for a model that was
        built with ``missing="mask"``.
    objective : ELBO, IWAE, ..., optional
        By default the ELBO with beta = 1 and one sample.
    epochs, batch_size : int
        Every epoch visits each row once, in a new order, the last short batch included.
    lr : float or schedule
        Adam's learning rate.
    valid : (M, D) array or (array, context), optional
        Data for ``valid_loss``: -ELBO at beta = 1 with one sample, after each epoch.
    seed : int
        Of the order of rows and the noise. Same seed, threads and machine: same bits.
    threads : int, optional
        The most threads to use; by default all usable cores.
    progress : bool
        Show a bar on a terminal, a line per epoch elsewhere.
    checkpoint : path, optional
        Where the model and the state of training are written after each epoch.
    resume : bool
        Go on from `checkpoint`, if there is one, as if training had never stopped.
    callbacks : iterable
        Called after each epoch with (model, record); one that returns True stops training.
    context : (N, C) array, optional
        One row per row of x, for a model that has a context.
    optimiser : Adam, optional
        With other settings than the usual ones.
    weights : (N,) array, optional
        How much each row counts, 0 or more: the loss is the mean over the rows of weight times the
        row's loss, the weights having been divided by their mean. Validation is not weighted.
    binarise : bool
        Whether x in [0, 1] holds probabilities: each visit of a row then draws its ones and zeros
        anew. The validation data are drawn too, the same after every epoch.

    Returns
    -------
    History

    Raises
    ------
    DataError
        If the data has no such form, is not finite or lies outside the likelihood's support, or a
        column is missing in every row.
    ConfigError
        If an argument makes no training run.
    NonFiniteLoss
        If the loss or its gradient becomes NaN or infinite; the weights are those before that
        step, and the checkpoint is that of the epoch before.
    """
    run = _Run(
        model=model,
        objective=ELBO() if objective is None else objective,
        optimiser=Adam() if optimiser is None else optimiser,
        epochs=whole("epochs", epochs, least=0),
        batch_size=whole("batch_size", batch_size),
        lr=schedule("lr", lr),
        seed=whole("seed", seed, least=0),
        callbacks=list(callbacks),
        checkpoint=None if checkpoint is None else os.fspath(checkpoint),
        threads=None if threads is None else whole("threads", threads),
    )
    if resume and run.checkpoint is None:
        raise ConfigError("resume=True goes on from a checkpoint; pass checkpoint= as well.")
    check_binarise(model, binarise)
    rows, mean = training_rows(model, x, context, weights, binarise)
    held_out = validation_rows(model, valid, binarise)
    some = np.linspace(0, len(rows) - 1, min(len(rows), START_ROWS)).astype(int)
    start = rows.batch(some)
    model.start_from(mean, len(rows), start.x, start.context)
    return run.train(rows, held_out, resume, progress)


@dataclass
class _Run:
    """The settings of one call of `fit`, and the loop."""

    model: Model
    objective: Any
    optimiser: Adam
    epochs: int
    batch_size: int
    lr: Schedule
    seed: int
    callbacks: list[Any]
    checkpoint: str | None
    threads: int | None

    def train(self, rows: Rows, valid: Rows | None, resume: bool, progress: bool) -> History:
        history, state = History(), self.optimiser.start(self.model.flat)
        for callback in self.callbacks:
            _call(callback, "begin")
        if resume and os.path.exists(str(self.checkpoint)):
            self._resume(rows, history, state)
        gradient = np.zeros_like(self.model.flat)
        worker = self.model.with_gradients(gradient)
        steps = self._steps(
            Training(
                worker, gradient, self.objective, self.optimiser, state, rows, self.batch_size,
                self.lr,
            )
        )  # fmt: skip
        with self._limits(steps):
            self._epochs(steps, history, state, valid, progress)
        for callback in self.callbacks:
            _call(callback, "finish", self.model)
        return history

    def _limits(self, steps: Any) -> contextlib.AbstractContextManager[None]:
        """BLAS's threads as Python's steps need them; captured ones do without."""
        eager = isinstance(steps, EagerSteps)
        largest = max(slot.size for slot in layout(self.model).values())
        batch = min(self.batch_size, len(steps.training.rows))
        multiply_adds = largest * batch * self.objective.n_samples
        return blas_threads(self.threads, multiply_adds, eager)

    def _epochs(
        self, steps: Any, history: History, state: AdamState, valid: Rows | None, progress: bool
    ) -> None:
        rows, done = steps.training.rows, len(history.records)
        display = reporter(progress, self.epochs, len(rows), done)
        try:
            stopped = any(_call(callback, "done") for callback in self.callbacks)
            while done < self.epochs and not stopped:
                done += 1
                record = self._epoch(done, steps, len(rows), display)
                started = time.perf_counter()
                record.update(self._validate(steps, valid))
                record["seconds"] += time.perf_counter() - started
                history.records.append(record)
                for callback in self.callbacks:  # all of them are called, whoever stops
                    stopped = bool(callback(self.model, record)) or stopped
                self._save(rows, history, state)
                display.epoch(record)  # what was shown is kept, whatever comes next
        finally:
            display.close()

    def _steps(self, training: Training) -> Any:
        """The fastest way to run the steps: captured, where numba is there and it can be done."""
        if kernels.kernels_in_use() == "numba":
            from .captured import captured_steps

            captured = captured_steps(training, self.threads or usable_cores())
            if captured is not None:
                return captured
        return EagerSteps(training)

    def _epoch(self, epoch: int, steps: Any, n: int, display: Silent) -> dict[str, Any]:
        """One pass over the n rows; returns the epoch's record, without validation."""
        started = time.perf_counter()
        order = self._stream(epoch, _ORDER).permutation(n)
        noise, draws = self._stream(epoch, _NOISE), self._stream(epoch, _DRAWS)
        sums = np.zeros(3)
        try:
            for sizes, losses in steps.run(epoch, order, noise, draws):
                # One step after the other: a sum over a chunk would depend on where it ends.
                sums = np.cumsum(np.vstack([sums, sizes[:, None] * losses]), axis=0)[-1]
                display.step(int(sizes.sum()), Losses(*losses[-1]))
        except NotFinite as stop:
            raise self._not_finite(stop, epoch) from None
        loss, rec, kl = (float(s) for s in sums / n)
        last = float(steps.training.times(epoch)[-1])
        return {
            "epoch": epoch,
            "train_loss": loss,
            "train_rec": rec,
            "train_kl": kl,
            "seconds": time.perf_counter() - started,
            "lr": number("lr", self.lr(last), least=0),
            "beta": float(self.objective.beta(last)),
        }

    def _validate(self, steps: Any, valid: Rows | None) -> dict[str, float | None]:
        """-ELBO at beta = 1 with one sample; the same noise after every epoch."""
        if valid is None:
            return {"valid_loss": None, "valid_rec": None, "valid_kl": None}
        streams = self._stream(0, _VALIDATION), self._stream(0, _VALIDATION_DRAWS)
        sums = steps.bound(valid, *streams)
        loss, rec, kl = (float(s) for s in sums / len(valid))
        return {"valid_loss": loss, "valid_rec": rec, "valid_kl": kl}

    def _stream(self, epoch: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, purpose])

    def _not_finite(self, stop: NotFinite, epoch: int) -> NonFiniteLoss:
        what = (
            "gradient became infinite or too large to square"
            if np.isfinite(stop.loss)
            else f"loss became {stop.loss}"
        )
        kept = (
            f" The model after epoch {epoch - 1} is in '{self.checkpoint}'."
            if self.checkpoint and epoch > 1
            else ""
        )
        return NonFiniteLoss(
            f"the {what} in epoch {epoch}, step {stop.step + 1}, and training "
            f"stopped before the weights took it in; try a smaller lr, or "
            f"clipping the gradient's norm.{kept}"
        )

    def _settings(self, rows: Rows) -> dict[str, Any]:
        """What a resumed run must share with the one that it goes on from."""
        return {
            "rows": len(rows),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "binarise": bool(rows.binarise),
        }

    def _save(self, rows: Rows, history: History, state: AdamState) -> None:
        if self.checkpoint is None:
            return
        arrays = {"training/m": state.m, "training/v": state.v}
        callbacks = []
        for i, callback in enumerate(self.callbacks):
            kept = dict(_call(callback, "state") or {})
            for name in [n for n, value in kept.items() if isinstance(value, np.ndarray)]:
                arrays[f"training/callbacks/{i}/{name}"] = kept.pop(name)
            callbacks.append(kept)
        training = {
            "settings": self._settings(rows),
            "t": state.t,
            "records": history.records,
            "callbacks": callbacks,
        }
        checkpoints.write(self.checkpoint, self.model, {"training": training}, arrays)

    def _resume(self, rows: Rows, history: History, state: AdamState) -> None:
        """Take model, optimiser, history and callbacks to where the checkpoint left them."""
        header, arrays = checkpoints.read(self.checkpoint)
        saved = checkpoints.build(header, arrays, f"'{self.checkpoint}'")
        training = header.get("training")
        if not isinstance(training, dict):
            raise ConfigError(
                f"'{self.checkpoint}' holds a model but no state of training; "
                "start anew, or give the file that fit(checkpoint=...) wrote."
            )
        if saved.config != {**self.model.config, "scale": saved.scale, "seed": saved.seed}:
            raise ConfigError(
                f"'{self.checkpoint}' holds another model than the one to train; build it with "
                "the same arguments, or use another checkpoint."
            )
        try:
            before = {"binarise": False, **training["settings"]}  # older files do not say it
            for name, value in self._settings(rows).items():
                if before[name] != value:
                    raise ConfigError(
                        f"a resumed run needs the same {name} as before, {before[name]}; got "
                        f"{value}. Start anew to change it."
                    )
            state.m[...], state.v[...] = arrays["training/m"], arrays["training/v"]
            state.t = training["t"]
            history.records.extend(training["records"])
            kept_states = training["callbacks"]
            for i, (callback, kept) in enumerate(zip(self.callbacks, kept_states, strict=False)):
                prefix = f"training/callbacks/{i}/"
                found = {n[len(prefix) :]: a for n, a in arrays.items() if n.startswith(prefix)}
                _call(callback, "restore", {**kept, **found})
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"'{self.checkpoint}' is altered: its state of training can't be used ({error!r})."
            ) from error
        self.model.flat[...] = saved.flat
        self.model.scale = saved.scale


def _call(callback: Any, method: str, *arguments: Any) -> Any:
    """An optional method of a callback."""
    function = getattr(callback, method, None)
    return function(*arguments) if function is not None else None

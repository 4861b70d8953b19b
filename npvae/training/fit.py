"""fit: the only training loop."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from .. import kernels
from ..core import interrupts, layout
from ..core.checks import number
from ..core.errors import ConfigError, NonFiniteLoss
from ..core.files import sweep_beside
from ..core.memory import NARROWER, check_memory
from ..core.numerics import all_finite
from ..core.progress import Silent, reporter
from ..core.public import public
from ..core.run_lock import locked_file
from ..core.schedules import warm_up
from ..core.threads import blas_threads, usable_cores
from ..models import Model
from ..models.base import START_ROWS
from ..models.labels import labels_or_context
from ..optim import Adam
from .blame import not_like_training, why_not_finite
from .callbacks import call
from .checkpoint import Checkpoint, restore
from .history import History
from .rows import Rows, Transform, check_binarise, check_hide, training_rows, validation_rows
from .settings import Settings
from .statistics import measure, measures
from .steps import EagerSteps, NotFinite, Training, bound_names
from .trial import check_contracts

Array = np.ndarray

# What a random stream is for; with the seed and the epoch it makes the stream, so that no epoch
# depends on what ran before it and a resumed run draws what an unbroken one would have drawn.
_ORDER, _NOISE, _VALIDATION, _DRAWS, _VALIDATION_DRAWS, _PARTS, _STATISTICS = range(7)


@public
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
    progress: bool | None = None,
    checkpoint: Any = None,
    resume: bool = False,
    callbacks: Iterable[Any] = (),
    context: Any = None,
    optimiser: Adam | None = None,
    weights: Any = None,
    binarise: bool = False,
    hide: float = 0.0,
    y: Any = None,
    batch_transform: Any = None,
) -> History:
    """Train a model in place, by minibatch Adam on hand-derived gradients.

    Parameters
    ----------
    model : Model
        One that was built without x_dim takes it of x.
    x : (N, D) array
        Floating, or integers. Bytes are divided by 255 where the likelihood lives on [0, 1] and
        their maximum is above 1; the model keeps that scale. NaN is missing, for a model that was
        built with ``missing="mask"``.
    objective : Objective, str or dict, optional
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
    progress : bool, optional
        Show how far training is: a bar on a terminal or in a notebook, elsewhere a line every few
        seconds. By default only on a terminal or in a notebook.
    checkpoint : path, optional
        Where the model and the state of training are written after each epoch; where that takes
        long, when it adds a tenth to the time of training, and at the end. No other run may write
        there meanwhile.
    resume : bool
        Go on from `checkpoint` as if training had never stopped. Where it is not there yet,
        training starts anew, with a warning: so a script may say it at its first start as well.
    callbacks : iterable
        Called after each epoch with (model, record); one that returns True stops training.
    context : (N, C) array, optional
        One row per row of x, for a model that has a context.
    optimiser : Adam, optional
        By default Adam with its usual settings.
    weights : (N,) array, optional
        How much each row counts, 0 or more: the loss is the mean over the rows of weight times the
        row's loss, the weights having been divided by their mean. Validation is not weighted.
    binarise : bool
        Whether x in [0, 1] holds probabilities: each visit of a row then draws its ones and zeros
        anew. The validation data are drawn too, the same after every epoch.
    hide : float
        The share of known entries that are hidden from the model, others at each visit of a row:
        so a model of complete rows learns to fill gaps. For one that has ``missing="mask"``.
        Validation has the rows as they are.
    y : (N,) array, optional
        The labels of the rows for a model that predicts them, -1 where one is not known. With
        `valid` they stand in the pair (array, labels).
    batch_transform : callable, optional
        From the rows of a batch (B, D), as the model takes them, and a random generator to other
        rows (B, D), such as ``nv.Flip((28, 28))``: each visit of a row is another one. The
        generator is made of seed and epoch. What training starts from, units and validation have
        the rows as they are.

    Returns
    -------
    History

    Raises
    ------
    DataError
        If the data have another form, are not finite or lie outside the likelihood's support, or
        if a column is missing in every row.
    ConfigError
        If an argument is out of its range, or two contradict each other.
    NonFiniteLoss
        If the loss or its gradient becomes NaN or infinite; the weights are those before that
        step, and the checkpoint is that of the epoch before.
    """
    settings = Settings(
        objective=objective,
        optimiser=optimiser,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        threads=threads,
        binarise=binarise,
        hide=hide,
        batch_transform=batch_transform,
        callbacks=callbacks,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )
    return train(model, settings, x, valid, labels_or_context(model, y, context), weights)


def train(
    model: Model,
    settings: Settings,
    x: Any,
    valid: Any = None,
    context: Any = None,
    weights: Any = None,
) -> History:
    """`fit` with settings that are made already."""
    if not isinstance(model, Model):
        came = f"a {type(model).__name__}"
        if isinstance(model, type):
            came = f"the class {model.__name__}, of which {model.__name__}(...) makes a model,"
        raise ConfigError(f"nv.fit takes a model and then x; got {came} first.")
    built = model.built_for(x)
    check_binarise(built, settings.binarise)
    check_hide(built, settings.hide)
    transform = settings.batch_transform
    if transform is not None:
        transform = Transform(transform, settings.batch_size, built.likelihood.check)
    rows, mean = training_rows(
        built, x, context, weights, settings.binarise, settings.hide, transform
    )
    held_out = validation_rows(built, valid, settings.binarise)
    if built is not model:  # the data are accepted, so the model is the one for their columns
        vars(model).update(vars(built))
    some = np.linspace(0, len(rows) - 1, min(len(rows), START_ROWS)).astype(int)
    start = rows.batch(some)
    model.start_from(mean, len(rows), start.x, start.context)
    if rows.context is not None:
        model.start_from_context(rows.context)
    _warn_of_short_training(settings)
    settings = replace(settings, n_levels=len(built.levels))
    return _Run(model, settings, rows, held_out).train()


def _warn_of_short_training(settings: Settings) -> None:
    """Say which of the objective's schedules training will not see the end of."""
    for name, rising in _schedules(settings.objective):
        if 0 < settings.epochs < warm_up(rising):
            warnings.warn(
                f"{name} reaches its end after {warm_up(rising):g} epochs, and training stops "
                f"after {settings.epochs}, at {rising(settings.epochs):.3g} instead of "
                f"{rising(np.inf):.3g}: train longer, or let it change in fewer epochs.",
                stacklevel=5,
            )


def _schedules(objective: Any) -> Iterator[tuple[str, Any]]:
    for name in ("beta", "capacity"):
        yield name, getattr(objective, name, None)
    for level, beta in enumerate(getattr(objective, "level_betas", None) or (), start=1):
        yield f"the beta of level {level}", beta


class _Run:
    """The loop over the epochs, with what it changes on the way."""

    def __init__(self, model: Model, settings: Settings, rows: Rows, valid: Rows | None) -> None:
        self.model, self.settings, self.rows, self.valid = model, settings, rows, valid
        self.history = History()
        self._told = False  # that the validation loss is no number
        settings.optimiser.rate(settings.lr(0.0), model.flat.dtype)
        needed = 4 * model.flat.nbytes  # weights, gradient, and Adam's two moments
        check_memory(f"training {model.n_params:.3g} parameters", needed, NARROWER)
        self.state = settings.optimiser.start(model.flat)

    def train(self) -> History:
        path = self.settings.checkpoint
        if path is None:
            return self._train()
        sweep_beside(path)
        with locked_file(path):
            return self._train()

    def _train(self) -> History:
        settings, model = self.settings, self.model
        for callback in settings.callbacks:
            call(callback, "begin")
        if settings.resume and os.path.exists(settings.checkpoint):
            restore(model, settings, self.rows, self.history, self.state)
        elif settings.resume:
            warnings.warn(
                f"resume=True goes on from a checkpoint, and '{settings.checkpoint}' is not there "
                "yet, so training starts anew; look at the path if there should be one.",
                stacklevel=6,
            )
        gradient = np.zeros_like(model.flat)
        worker = model.with_gradients(gradient)
        check_contracts(worker, settings, self.rows)
        steps = self._steps(Training(settings, worker, gradient, self.state, self.rows))
        with self._limits(steps):
            self._epochs(steps)
        for callback in settings.callbacks:
            call(callback, "finish", model)
        return self.history

    def _limits(self, steps: Any) -> contextlib.AbstractContextManager[None]:
        """BLAS's threads as Python's steps need them; captured ones do without."""
        settings, eager = self.settings, isinstance(steps, EagerSteps)
        largest = max(slot.size for slot in layout(self.model).values())
        batch = min(settings.batch_size, len(self.rows))
        multiply_adds = largest * batch * settings.objective.n_samples
        return blas_threads(settings.threads, multiply_adds, eager)

    def _epochs(self, steps: Any) -> None:
        settings, records = self.settings, self.history.records
        checkpoint = Checkpoint(self.model, settings, self.rows, self.history, self.state)
        display = reporter(settings.progress, settings.epochs, len(self.rows), len(records))
        try:
            stopped = any(call(callback, "done") for callback in settings.callbacks)
            while len(records) < settings.epochs and not stopped:
                record = self._epoch(len(records) + 1, steps, display)
                started = time.perf_counter()
                self._measure(len(records) + 1)
                record.update(self._validate(steps))
                record["seconds"] += time.perf_counter() - started
                records.append(record)
                for callback in settings.callbacks:  # all of them are called, whoever stops
                    stopped = bool(callback(self.model, record)) or stopped
                checkpoint.keep(last=stopped or len(records) == settings.epochs)
                display.epoch(record)  # what was shown is kept, whatever comes next
        finally:
            display.close()
            checkpoint.close()

    def _steps(self, training: Training) -> Any:
        """The fastest way to run the steps: captured, where numba is there and it can be done."""
        if kernels.kernels_in_use() == "numba":
            with interrupts.held_back():  # Numba is imported whole or not at all
                from .captured import captured_steps

            captured = captured_steps(training, self.settings.threads or usable_cores())
            if captured is not None:
                return captured
        return EagerSteps(training)

    def _epoch(self, epoch: int, steps: Any, display: Silent) -> dict[str, Any]:
        """One pass over the rows; returns the epoch's record, without validation."""
        settings, n, started = self.settings, len(self.rows), time.perf_counter()
        order = self._stream(epoch, _ORDER).permutation(n)
        noise, draws, own = (self._stream(epoch, what) for what in (_NOISE, _DRAWS, _PARTS))
        sums, before = np.zeros(len(settings.losses)), self.model.flat.copy()
        try:
            for sizes, losses in steps.run(epoch, order, noise, draws, own):
                # One step after the other: a sum over a chunk would depend on where it ends.
                sums = np.cumsum(np.vstack([sums, sizes[:, None] * losses]), axis=0)[-1]
                display.step(int(sizes.sum()), dict(zip(settings.losses, losses[-1], strict=True)))
        except NotFinite as stop:
            raise self._stopped(stop, epoch) from None
        if not all_finite(self.model.flat):
            self.model.flat[...] = before
            raise NonFiniteLoss(
                f"the weights became infinite or NaN in epoch {epoch}, and are again as they were "
                f"before it; try a smaller lr or less weight decay.{self._kept(epoch)}"
            )
        last = float(steps.training.times(epoch)[-1])
        return {
            "epoch": epoch,
            **_named("train", settings.losses, sums / n),
            "seconds": time.perf_counter() - started,
            "lr": number("lr", settings.lr(last), least=0),
            "beta": float(settings.objective.beta(last)),
        }

    def _measure(self, epoch: int) -> None:
        """Find the statistics that some layers infer with, where there are such layers."""
        if measures(self.model):
            rng = self._stream(epoch, _STATISTICS)
            measure(self.model, self.rows, self.settings.batch_size, rng)

    def _validate(self, steps: Any) -> dict[str, float | None]:
        """-ELBO at beta = 1 with one sample; the same noise after every epoch."""
        if self.valid is None:
            return dict.fromkeys(f"valid_{name}" for name in bound_names(self.model))
        streams = self._stream(0, _VALIDATION), self._stream(0, _VALIDATION_DRAWS)
        with np.errstate(over="ignore", invalid="ignore"):
            bound = steps.bound(self.valid, *streams)
        if not np.isfinite(bound).all() and not self._told:
            self._told = True
            cause = not_like_training(self.model, self.valid)
            warnings.warn(f"the validation loss is no finite number; {cause}", stacklevel=5)
        return _named("valid", bound_names(self.model), bound / len(self.valid))

    def _stream(self, epoch: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, epoch, purpose])

    def _stopped(self, stop: NotFinite, epoch: int) -> NonFiniteLoss:
        what = (
            "gradient became infinite or too large to square"
            if np.isfinite(stop.loss)
            else f"loss became {stop.loss}"
        )
        rate = float(self.settings.lr(epoch - 1.0))
        cause = why_not_finite(self.model, self.rows, self.state.t, rate)
        return NonFiniteLoss(
            f"the {what} in epoch {epoch}, step {stop.step + 1}, and training stopped before the "
            f"weights took it in; {cause}.{self._kept(epoch)}"
        )

    def _kept(self, epoch: int) -> str:
        checkpoint = self.settings.checkpoint
        if not checkpoint or epoch == 1:
            return ""
        return f" The model after epoch {epoch - 1} is in '{checkpoint}'."


def _named(split: str, names: Iterable[str], means: Array) -> dict[str, Any]:
    return {f"{split}_{name}": float(mean) for name, mean in zip(names, means, strict=True)}

"""The steps of an epoch, one batch after the other, as Python runs them.

`captured` runs the same steps as compiled code. Both tell what they have done as they go, so that
`fit` can show it, and both stop before a loss that is not finite reaches the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..core.objective import names_of, values_of
from ..core.schedules import Constant, Schedule
from ..layers.mode import learning
from ..models import Model
from ..objectives import ELBO
from ..optim import AdamState
from .rows import Batch, Rows
from .settings import Settings

Array = np.ndarray


class Done(NamedTuple):
    """Steps that were done: the rows of each, (steps,), and its losses, (steps, losses)."""

    sizes: Array
    losses: Array


class NotFinite(Exception):
    """A step, counted from 0, whose loss or else whose gradient is not finite."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(step, loss)
        self.step, self.loss = step, loss


@dataclass
class Training:
    """What both ways of running steps need.

    Attributes
    ----------
    worker : Model, whose backward adds into `gradient`
    gradient : (n_params,) array
    """

    settings: Settings
    worker: Model
    gradient: Array
    state: AdamState
    rows: Rows

    def starts(self) -> Array:
        """The first place of each batch in the epoch's order."""
        return np.arange(0, len(self.rows), self.settings.batch_size)

    def times(self, epoch: int) -> Array:
        """Each step's time in epochs, which schedules take."""
        n = len(self.starts())
        return epoch - 1 + np.arange(n) / n

    def rates(self, times: Array) -> Array:
        """The learning rate at each time."""
        return along(self.settings.lr, times, self.rate)

    def rate(self, lr: Any) -> float:
        """A learning rate, checked."""
        return self.settings.optimiser.rate(lr, self.worker.flat.dtype)


def along(schedule: Schedule, times: Array, check: Callable[[Any], float] = float) -> Array:
    """A schedule's value at each time, each checked."""
    if isinstance(schedule, Constant):
        return np.full(len(times), check(schedule.value))
    return np.array([check(schedule(float(now))) for now in times])


def bound_names(model: Model) -> tuple[str, ...]:
    """The losses of the ELBO that validation has, of a model of several levels by level too."""
    return names_of(ELBO(), len(model.levels))


class EagerSteps:
    """Python calls kernel after kernel, in any type."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def run(
        self,
        epoch: int,
        order: Array,
        noise: np.random.Generator,
        draws: np.random.Generator | None = None,
        own: np.random.Generator | None = None,
    ) -> Iterator[Done]:
        """One pass over the rows in this order; `draws` is for rows that vary, `own` for parts."""
        t, settings = self.training, self.training.settings
        times = t.times(epoch)
        for step, (start, now) in enumerate(zip(t.starts(), times, strict=True)):
            batch = order[start : start + settings.batch_size]
            with np.errstate(over="ignore", invalid="ignore"), learning(own, float(now)):
                losses = self.gradient(t.rows.batch(batch, draws), noise, float(now))
                if not (np.isfinite(losses[0]) and settings.optimiser.accepts(t.gradient)):
                    raise NotFinite(step, float(losses[0]))
                lr = t.rate(settings.lr(float(now)))
                settings.optimiser.step(t.state, t.worker.flat, t.gradient, lr)
            yield Done(np.array([len(batch)]), losses[None])

    def gradient(self, batch: Batch, noise: np.random.Generator, now: float) -> Array:
        """The losses of a batch; their gradient is left in the vector that the worker adds to."""
        t, objective = self.training, self.training.settings.objective
        x, context, weights = batch
        eps = t.worker.draw_noise(len(x), objective.n_samples, noise)
        terms, cache = t.worker.forward(x, eps, context, needs=objective.needs)
        terms.weights = weights
        losses, d_terms = objective(terms, now)
        t.gradient.fill(0)
        t.worker.backward(cache, d_terms)
        return np.array(values_of(objective, losses, t.settings.losses), float)

    def bound(
        self, rows: Rows, noise: np.random.Generator, draws: np.random.Generator | None = None
    ) -> Array:
        """The sums over rows of the ELBO's losses at beta = 1 with one sample."""
        worker, objective = self.training.worker, ELBO()
        names = bound_names(worker)
        sums = np.zeros(len(names))
        for chunk in rows.x.chunks():
            x, context, _ = rows.batch(chunk, draws)
            terms, _ = worker.forward(x, worker.draw_noise(len(x), 1, noise), context)
            losses, _ = objective(terms)
            sums += np.array([losses[name] for name in names], float) * len(x)
        return sums

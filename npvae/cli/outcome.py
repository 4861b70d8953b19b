"""What a run came to: whether it trained long enough, and whether its model is worth having."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..evaluate import columns_alone
from ..objectives import ELBO
from ..training.calibrate import Calibration
from .choices import epochs_of
from .console import count
from .inputs import draw
from .job import Job
from .runs import resume_command

_BARELY = 300
"""Steps below which hardly any model has left the mean of the rows."""
_SMALL = 64
"""Rows a step up to which smaller batches are no cure."""
_FALLING = 0.03
"""Share of the whole fall of a loss that falls in the last tenth of the epochs while it goes on."""
_RISEN = 0.05
"""Share of it by which a loss has to lie above its least to have risen."""
_FEWEST, _ROWS = 10, 1000
"""Of rows by which a model is compared with its columns: of fewer a single one decides."""

Records = list[dict[str, Any]]


def calibrated(found: Calibration | None) -> Iterator[str]:
    """What was fitted to the rows after training, for rows that are drawn."""
    if found is None:
        return
    if found.nats > 0:
        yield f"the prior was refitted: z of held-out rows are {found.nats:.2g} nats likelier"
    if found.pairs:
        yield (
            f"chosen so that {count(found.pairs, 'mean')} of columns and of their products are "
            f"those of the data; one counts as {found.effective:.2f} independent ones"
        )


def how_it_ended(job: Job, records: Records) -> Iterator[str]:
    """What a reader of the losses would say of them, with the option that mends it."""
    epochs, batch = len(records), job.choices["batch_size"]
    per_epoch = -(-len(job.train.x) // batch)
    stopped = job.stopping is not None and job.stopping.done()
    name = "training loss" if records[-1]["valid_loss"] is None else "validation loss"
    losses = [_loss(record) for record in records]
    more = f"{resume_command(job.folder)} --epochs"
    best = _risen(losses) if job.stopping is None and name == "validation loss" else None
    if best is not None:
        yield (
            f"the validation loss was least after epoch {best}, {losses[-1] - min(losses):.2g} "
            f"nats below the last: the model overfits; --patience {max(5, epochs // 10)} keeps the "
            "best"
        )
    elif epochs * per_epoch < _BARELY and not stopped:
        smaller = " a smaller --batch-size has more of them, or" if batch > _SMALL else ""
        wanted = max(2 * epochs, epochs_of(per_epoch, job.model.n_params, wide=True))
        yield (
            f"training had barely begun: {count(epochs, 'epoch')} of "
            f"{count(per_epoch, 'step')} each;{smaller} {more} {wanted} goes on"
        )
    elif not stopped and (fall := _still_falling(losses)):
        yield (
            f"the {name} was still falling, by {fall:.2g} nats in the last "
            f"{count(_last(epochs), 'epoch')}; {more} {2 * epochs} goes on"
        )


def worse_than_none(job: Job, kept: dict[str, Any]) -> str | None:
    """What to say if the model is far worse than the distributions of the columns alone."""
    if job.valid is not None and len(job.valid.x) >= _FEWEST:
        rows, loss = job.valid.x, kept["valid_loss"]
    elif job.settings.objective.config == ELBO().config:
        rows, loss = job.train.x, kept["train_loss"]
    else:  # whose loss is another quantity
        return None
    nats = columns_alone(job.model, job.train.x, rows[draw(len(rows), _ROWS, 0)])
    if nats is None or not np.isfinite(alone := float(nats.mean())):
        return None
    margin = max(10.0, 0.5 * rows.shape[1], 0.2 * abs(alone))
    if kept["epoch"] * -(-len(job.train.x) // job.choices["batch_size"]) < _BARELY:
        margin += 100.0 + 10.0 * abs(alone)  # it has had no time to be any good, and that is said
    if loss <= alone + margin:
        return None
    lr = job.choices["lr"] / 10
    return (
        f"training failed: the loss of {loss:.5g} nats is far above the {alone:.5g} that the "
        f"columns' distributions alone give, without any latent variable. Try --lr {lr:.1g}, or "
        "--clip-norm 1; a --beta or --objective of your own may be the reason too."
    )


def _loss(record: dict[str, Any]) -> float:
    """The validation loss, or without one that of training."""
    return float(record["train_loss" if record["valid_loss"] is None else "valid_loss"])


def _last(epochs: int) -> int:
    """How many epochs the last tenth are."""
    return max(1, epochs // 10)


def _still_falling(losses: list[float]) -> float | None:
    """The fall in the last tenth of the epochs, if that is much of all."""
    if len(losses) < 3:
        return None
    fall = losses[-1 - _last(len(losses))] - losses[-1]
    return fall if fall > max(0.1, _FALLING * (losses[0] - min(losses))) else None


def _risen(losses: list[float]) -> int | None:
    """The epoch of the least loss, from 1, if the last is well above it."""
    rise = losses[-1] - min(losses)
    if not rise > max(0.1, _RISEN * (losses[0] - min(losses))):
        return None
    return int(np.argmin(losses)) + 1

"""What a run came to: whether it trained long enough, and whether its model is worth having."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..datasets import Dataset
from ..evaluate import accuracy, columns_alone
from ..evaluate.course import last_tenth, losses_of, risen, still_falling
from ..evaluate.report import of_the_model, of_the_warm_up
from ..objectives import ELBO
from ..priors import Mixture
from ..training.calibrate import Calibration
from ..training.length import epochs_of
from .console import count
from .contexts import labels_of
from .inputs import draw
from .job import Job
from .runs import resume_command

_BARELY = 300
"""Steps below which hardly any model has left the mean of the rows."""
_SMALL = 64
"""Rows a step up to which smaller batches are no cure."""
_FEWEST, _ROWS = 10, 1000
"""Of rows by which a model is compared with its columns: of fewer a single one decides."""

Records = list[dict[str, Any]]


def calibrated(found: Calibration | None) -> Iterator[str]:
    """What was fitted to the rows after training, for rows that are drawn."""
    if found is None:
        return
    if found.nats > 0:
        yield f"the prior was refitted: z of held-out rows are {found.nats:.2g} nats likelier"
    if found.moments:
        yield (
            f"chosen so that {count(found.moments, 'mean')} of columns and of their products are "
            f"those of the data; one counts as {found.effective:.2f} independent ones"
        )


def kept_rows(model: Any) -> Iterator[str]:
    """That a model keeps rows of training, if it does: whoever gives it away gives them as well."""
    if getattr(model, "neighbours", None) is not None:
        n = count(len(model.neighbours.rows), "row")
        yield f"are guessed with the help of {n} of training, which the model's file holds"


def with_prior(job: Job) -> Iterator[str]:
    """What became of --fit-prior."""
    if not job.choices["fit_prior"]:
        return
    prior = getattr(job.model, "prior", None)
    if isinstance(prior, Mixture):
        yield f"from {count(prior.n_components, 'Gaussian')}, fitted to the rows' z"
    else:
        yield "from the prior as it was: by fitted Gaussians z of held-out rows were no likelier"


def predicted(job: Job) -> Iterator[str]:
    """How many labels of rows are predicted, by a model that does that."""
    rows = job.train if job.valid is None else job.valid
    if job.model.predicts and rows.y is not None:
        share, n = accuracy(job.model, rows.x, rows.y)
        which = "training" if job.valid is None else "validation"
        yield f"{share:.1%} of the labels of {count(n, f'{which} row')}"


def how_it_ended(job: Job, records: Records) -> Iterator[str]:
    """What a reader of the losses would say of them, with the option that mends it."""
    epochs, batch = len(records), job.choices["batch_size"]
    per_epoch = -(-len(job.train.x) // batch)
    stopped = job.stopping is not None and job.stopping.done()
    name, losses = losses_of(records)
    more = f"{resume_command(job.folder)} --epochs"
    best = risen(losses) if job.stopping is None and name == "validation loss" else None
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
    elif not stopped and (fall := still_falling(losses)):
        yield (
            f"the {name} was still falling, by {fall:.2g} nats in the last "
            f"{count(last_tenth(epochs), 'epoch')}; {more} {2 * epochs} goes on"
        )


def what_is_wrong(job: Job, records: Records) -> Iterator[str]:
    """What some of the rows tell of the model, with the option that mends it."""
    train, valid = (None if d is None else _given(job, d) for d in (job.train, job.valid))
    for found in (*of_the_warm_up(records), *of_the_model(job.model, train, valid)):
        yield f"{found.what}: {found.option}"


def _given(job: Job, data: Dataset) -> tuple[Any, Any]:
    """Rows with their context, or the labels that a model predicts of them."""
    return data.x, labels_of(job.model, data)


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

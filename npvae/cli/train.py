"""``npvae train``: what it says and draws; `job` has what it does."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from .. import kernels, plots
from ..core.errors import MissingDependency, NonFiniteLoss
from ..core.threads import usable_cores
from ..objectives import ELBO
from ..tables import Table
from ..training.history import History
from . import console, runs
from .console import DONE, FAILED_CHECK, INTERRUPTED, NO_READER, count, tell
from .contexts import contexts_of, known_labels, labels_of, told
from .gallery import walks
from .inputs import draw, take
from .job import Job, prepared
from .next_commands import next_commands
from .objective_options import in_words
from .outcome import (
    calibrated,
    how_it_ended,
    kept_rows,
    predicted,
    what_is_wrong,
    with_prior,
    worse_than_none,
)
from .tabular import TableGallery, gallery_of, label_of, listing
from .takeover import CHECKPOINT, CONFIG, HISTORY, MODEL, ROWS

_MOST_POINTS = 10_000
"""The most rows in a picture of points: more would hide each other."""


def train(options: Namespace) -> int:
    """Train a model, and write its run folder."""
    say = _say_nothing if options.quiet else console.say
    with prepared(options) as job:
        started = time.perf_counter()
        try:
            say(_plan(job, options))
            history = job.run(progress=not options.quiet)
        except NonFiniteLoss:
            job.settle()
            raise
        except (KeyboardInterrupt, BrokenPipeError) as stop:
            tell(_interrupted(job))
            return INTERRUPTED if isinstance(stop, KeyboardInterrupt) else NO_READER
        kept = _kept(job, history)
        say(_outcome(job, history, kept, time.perf_counter() - started))
        if not options.no_plots:
            _draw(job, history, say)
        failure = worse_than_none(job, kept)
    if failure is not None:
        tell(failure)
        return FAILED_CHECK
    say(next_commands(job))
    return DONE


def _say_nothing(text: str) -> None:
    pass


def _plan(job: Job, options: Namespace) -> str:
    """What is about to happen, with every choice that was made for the user."""
    choices, model = job.choices, job.model
    validate = "none" if job.valid is None else f"{len(job.valid.x):,}"
    channels = [f"conv {c}" for c in getattr(model, "channels", ())]
    layers, z = [*channels, *getattr(model, "hidden", ())], " + ".join(map(str, model.z_widths))
    family = "" if choices["model"] == "vae" else f"{choices['model']}, "
    sizes = [model.x_dim, *layers, f"z {z}", *layers[::-1], model.x_dim]
    threads = choices["threads"] or usable_cores()
    minimised = in_words(choices) if model.has_kl else "the reconstruction alone"
    notes = [*job.notes, *_resumed(job)]
    if job.replaces:
        notes.append(f"the earlier run in {job.folder} is replaced")
    return "\n".join(
        [
            f"data       {choices['data']}: {_kind(job)}, {model.x_dim:,} columns; "
            f"{count(len(job.train.x), 'row')} to train on, {validate} to validate",
            f"model      {family}{' - '.join(map(str, sizes))}; "
            f"{choices['activation']}, {choices['likelihood']}, {model.n_params:,} parameters",
            *(f"{name:<10} {what}" for name, what in told(model)),
            f"training   {minimised}; {count(choices['epochs'], 'epoch')}, batches of "
            f"{choices['batch_size']}, learning rate {choices['lr']:g}, seed {choices['seed']}"
            f"{', binarised anew at every visit' if choices['binarise'] else ''}",
            f"kernels    {kernels.kernels_in_use()}, {count(threads, 'thread')} at most",
            *(f"note       {note}" for note in notes),
            "Losses are in nats per example: rec is the reconstruction term, KL the other.",
            *_columns(job),
            *(listing(job.train, job.model) if isinstance(job.train, Table) else ()),
        ]
    )


def _kind(job: Job) -> str:
    """What the rows are."""
    if job.image_shape is None:
        return "a table" if isinstance(job.train, Table) else "rows"
    height, width, *channels = job.image_shape
    return f"{'colour ' if channels else ''}images of {height} x {width}"


def _resumed(job: Job) -> Iterator[str]:
    """Where --resume goes on."""
    if _stopped_early(job):
        yield (
            f"{job.folder} stopped early, {count(job.waited, 'epoch')} after its best one; a "
            f"--patience above {job.waited} lets it go on"
        )
    if job.done == job.choices["epochs"]:
        yield f"{job.folder} has all its {count(job.done, 'epoch')}; --epochs gives it more"
    elif job.done and not _stopped_early(job):
        yield f"training goes on after epoch {job.done}"
    elif job.restarts:
        yield f"{job.folder} has no epoch to resume, so training starts anew with its settings"


def _stopped_early(job: Job) -> bool:
    """Whether the run that is resumed had stopped, and would do so again at once."""
    return job.done > 0 and job.stopping is not None and job.waited >= job.stopping.patience


def _columns(job: Job) -> Iterator[str]:
    """What the columns of numbers mean where they are not the two terms of the ELBO."""
    objective = job.settings.objective
    if objective.note:
        yield f"In training, {objective.note}"
    if job.valid is not None and objective.config != ELBO().config:
        yield "Validation has the plain ELBO instead: one sample, beta 1, the true KL."


def _interrupted(job: Job) -> str:
    """What was kept of a run that was cut short, and how to go on."""
    epochs = job.settle()
    if not epochs:
        nothing = "interrupted before the end of the first epoch, so nothing was kept"
        if job.replaces and not job.begun:
            return f"{nothing}; the earlier run in {job.folder} is as it was"
        if job.noted:
            return (
                f"{nothing} but the settings. Start again with: {runs.resume_command(job.folder)}"
            )
        return nothing
    return (
        f"interrupted; the model after epoch {epochs} of {job.choices['epochs']} is in "
        f"{job.folder / MODEL}. Go on with: {runs.resume_command(job.folder)}"
    )


def _kept(job: Job, history: History) -> dict[str, Any]:
    """The record of the epoch whose model was kept."""
    return history.records[(job.stopping.best_epoch if job.stopping is not None else 0) - 1]


def _outcome(job: Job, history: History, kept: dict[str, Any], seconds: float) -> str:
    epochs, last = job.choices["epochs"], history.records[-1]
    line = f"epoch {last['epoch']} of {epochs} reached"
    if job.stopping is not None:
        if job.stopping.done():
            line += f", {job.stopping.patience} after the best one"
        line += f"; the model is that of epoch {kept['epoch']}"
    line = f"Done in {seconds:.1f} s: {line}. Train loss {kept['train_loss']:.2f}"
    if kept["valid_loss"] is not None:
        line += f", validation loss {kept['valid_loss']:.2f}"
    files = (
        (MODEL, "the model: npvae.load reads it"),
        (CONFIG, "all settings"),
        (HISTORY, "the losses of every epoch"),
        (ROWS, "which rows were held out, by their content"),
        (CHECKPOINT, f"for --resume, {_more(job, last['epoch'])}"),
    )
    listed = [_listed(name, what) for name, what in files]
    said = chain(how_it_ended(job, history.records), what_is_wrong(job, history.records))
    notes = [f"note       {note}" for note in said]
    said = chain(with_prior(job), calibrated(job.calibration))
    notes += [f"drawn rows {what}" for what in said]
    notes += [f"gaps       {what}" for what in kept_rows(job.model)]
    notes += [f"accuracy   {what}" for what in predicted(job)]
    return "\n".join([f"{line} nats per example.", *notes, f"Written to {job.folder}:", *listed])


def _more(job: Job, reached: int) -> str:
    """What to type to give a run more epochs that has ended."""
    epochs = f"--epochs {2 * job.choices['epochs']}"
    if job.stopping is None or not job.stopping.done():
        return f"say with {epochs}"
    patience = f"--patience {2 * job.stopping.patience}"
    if reached < job.choices["epochs"]:
        return f"say with {patience}, since it stopped early"
    return f"say with {patience} and {epochs}"


def _listed(name: str, what: str) -> str:
    return f"  {name:<20} {what}"


def _draw(job: Job, history: History, say: Callable[[str], None]) -> None:
    """Write the pictures, and say what each shows, or why there are none."""
    try:
        for name, what, figure in _pictures(job, history):
            plots.save(figure, job.folder / name)
            say(_listed(name, what))
    except MissingDependency as error:
        say(f"No pictures: {error}")


def _pictures(job: Job, history: History) -> Iterator[tuple[str, str, Any]]:
    model, seed = job.model, job.choices["seed"]
    gallery = gallery_of(model, job.image_shape, job.train.columns)
    rows = job.train if job.valid is None else job.valid
    named = "training rows" if job.valid is None else "validation rows"
    kept = None if job.stopping is None else job.stopping.best_epoch
    yield "loss.png", "the losses by epoch", plots.loss_curves(history.records, kept)

    some = take(job.train, draw(len(job.train.x), _MOST_POINTS, seed))
    x, given = some.x, labels_of(model, some)
    n = 64 if job.image_shape else len(x)
    new = gallery.new(n, seed, contexts_of(model, n, given, seed))
    source = "the prior" if model.levels else "z that are standard normal"
    yield "samples.png", f"new examples, from {source}", gallery.samples(new, x)

    shown = take(rows, draw(len(rows.x), gallery.shown, seed))
    x_hat = gallery.remade(shown.x, labels_of(model, shown))
    figure = gallery.reconstructions(shown.x, x_hat, shown.context)
    yield "reconstructions.png", f"{named}, and what the model makes of them", figure
    if isinstance(gallery, TableGallery):
        figure = gallery.worst(rows.x, x, rows.context)
        yield "columns.png", f"which columns of {named} are reconstructed worst", figure

    coloured = "" if some.y is None else ", coloured by label"
    of_which = f"{len(x):,} of " if len(x) < len(job.train.x) else ""
    which = f"{of_which}{count(len(job.train.x), 'training row')}"
    y = known_labels(model, some)
    figure = plots.latent(model.centres(x, given)[0], y, which, label_of(model))
    yield "latent.png", f"where the training rows lie in latent space{coloured}", figure

    if len(rows.x) > 1:
        context = labels_of(model, rows)
        figure = gallery.interpolation(*walks(gallery, rows.x, 8, 10, seed, context=context))
        yield "interpolation.png", f"walks through latent space between {named}", figure
    if gallery.has_manifold:
        yield "manifold.png", "all of the latent space, decoded", gallery.manifold()

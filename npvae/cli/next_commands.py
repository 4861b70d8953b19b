"""What to type once a model is trained."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..tables import Table
from .console import typed
from .job import Job

_WIDTH = 58


def next_commands(job: Job) -> str:
    """The commands that people want next, each with what it is for."""
    lines = []
    for words, what in _commands(job):
        command = typed("npvae", *words)
        lines.append(f"  {command:<{_WIDTH}} {what}")
    return "\n".join(["Next:", *lines])


def _commands(job: Job) -> Iterator[tuple[list[str], str]]:
    run = str(job.folder)
    if run.startswith("-"):
        run = f"./{run}"
    if job.choices["holdout"] and job.valid is not None:
        yield ["evaluate", run, "--split", "held-out"], "how good it is on rows it never saw"
    else:
        yield ["evaluate", run], "how good the model is"
    if not isinstance(job.train, Table):
        yield ["sample", run, "-n", "64", "--out", "new.png"], "new examples"
        yield ["latent", run, "--out", "latent.csv"], "where each row lies in latent space"
        return
    yield ["sample", run, "-n", "1000", "--out", "new.csv"], "new rows, like the table's"
    if np.isnan(job.train.x).any() and job.model.has_density:
        yield ["impute", run, "--out", "filled.csv"], "its missing cells filled in"
    else:
        yield ["reconstruct", run, "--out", "rebuilt.csv"], "its rows, encoded and decoded"

"""How a new run takes an earlier one's place in a folder, so that no kill loses both.

A new run is written to a folder inside, `NEW`. When its first epoch is whole, with model, settings
and checkpoint, the model takes the old one's place in one rename: from then on the folder's run is
the new one, and what of it is still in `NEW` goes after the model, whoever moves it. So a process
that is killed at any moment leaves the old run or a whole new one:

    NEW holds                   the folder's run
    a model                     the old one, whatever else NEW holds
    a checkpoint, no model      the new one, with files still to move

The whole folder is not exchanged for another, which no system does in one step everywhere: it may
be a mount point, a link, the working folder or a folder with other files in it, and the folder
above may be closed to us.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from pathlib import Path

from ..core import interrupts
from ..core.files import make_folder, put, sweep
from ..core.run_lock import locked
from ..models.storage import MODEL

CHECKPOINT, CONFIG, HISTORY = "checkpoint.npz", "config.json", "history.csv"
ROWS = "rows.npy"
PICTURES = (
    "loss.png",
    "samples.png",
    "reconstructions.png",
    "latent.png",
    "columns.png",
    "interpolation.png",
    "manifold.png",
)
FILES = (MODEL, CHECKPOINT, CONFIG, HISTORY, ROWS, *PICTURES)
"""All that a run leaves in its folder."""
LOCK = ".npvae.lock"
NEW = ".npvae-new"
"""Where a run is written while an earlier one is kept."""


def locked_folder(path: Path) -> contextlib.AbstractContextManager[None]:
    """Hold a run's folder; raises `WriteError` where another run has it."""
    return locked(path / LOCK, path, "--out")


def begin(path: Path) -> Path:
    """Make the folder in which a new run is written."""
    return make_folder(path / NEW)


def end(path: Path) -> None:
    """Let the run in `NEW` take the earlier one's place."""
    with interrupts.held_back():
        _sync(path / NEW)
        put(path / NEW / MODEL, path / MODEL)
        tidy(path)


def recover(path: Path) -> None:
    """End what a killed run had begun to move, before the folder is read.

    Where that can't be done, or a living process is about to, the folder is read as it is.
    """
    if (path / NEW).is_dir():
        with contextlib.suppress(OSError), locked_folder(path):
            tidy(path)


def tidy(path: Path) -> None:
    """Leave one run and nothing half-written; the folder must be locked."""
    new = path / NEW
    if new.is_dir():
        if _has_taken_place(path):
            for name in (HISTORY, *PICTURES):  # of the earlier run
                (path / name).unlink(missing_ok=True)
            for name in (ROWS, CONFIG, CHECKPOINT):  # what says so goes last
                if (new / name).exists():
                    put(new / name, path / name)
            _sync(path)
        shutil.rmtree(new)
    sweep(path, FILES)


def _has_taken_place(path: Path) -> bool:
    """Whether the model in `NEW` has become the folder's."""
    new = path / NEW
    if not (new / CHECKPOINT).exists():
        return False
    model = new / MODEL
    # A model that a link led to another disk was copied there, and may not be removed here yet.
    there = path / MODEL
    return not model.exists() or (there.exists() and filecmp.cmp(model, there, shallow=False))


def _sync(path: Path) -> None:
    """Have a folder's names on disk before what comes next, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

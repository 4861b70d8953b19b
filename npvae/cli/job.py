"""One training run: everything checked first, then trained, with every epoch kept on disk."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import checkpoint
from .._version import __version__
from ..callbacks import EarlyStopping
from ..datasets import Dataset
from ..files import WriteError, make_folder
from ..history import History
from ..models import VAE
from ..objectives import ELBO, IWAE
from ..optim import Adam
from ..plots import Shape
from ..train import fit
from . import runs
from .data import has_test_split, hold_out, image_shape_of, read, take, value_range
from .settings import Settings, choose, choose_likelihood, objective


@dataclass
class Job:
    """What `npvae train` does in one folder.

    Attributes
    ----------
    settings : every option of training, as config.json keeps them
    train, valid : the rows to train on, and those that validate
    notes : what was chosen for the user, and why
    resumes : whether the folder holds the beginning of this run
    replaces : whether the folder holds an earlier run, which goes when this one has an epoch
    begun : whether the folder holds an epoch of this run
    """

    folder: Path
    settings: Settings
    train: Dataset
    valid: Dataset | None
    model: VAE
    objective: ELBO | IWAE
    optimiser: Adam
    image_shape: Shape
    notes: list[str]
    resumes: bool
    replaces: bool
    begun: bool = False

    def run(self, progress: bool) -> History:
        """Train; write the model, the settings and the history."""
        settings = self.settings
        self._check_folder()
        history = fit(
            self.model,
            self.train.x,
            objective=self.objective,
            epochs=settings["epochs"],
            batch_size=settings["batch_size"],
            lr=settings["lr"],
            valid=None if self.valid is None else self.valid.x,
            seed=settings["seed"],
            threads=settings["threads"],
            progress=progress,
            checkpoint=self.folder / runs.CHECKPOINT,
            resume=self.resumes,
            callbacks=self._callbacks(),
            optimiser=self.optimiser,
        )
        self._keep()
        history.to_csv(self.folder / runs.HISTORY)
        return history

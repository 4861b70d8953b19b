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
from .settings import Settings, choose, complete, objective


@dataclass
class Job:
    """What `npvae train` does in one folder.

    Attributes
    ----------
    settings : every option of training, as config.json keeps them
    train, valid : the rows to train on, and those that validate
    notes : what was chosen for the user, and why
    done : epochs of this run that the folder holds already; it is resumed where there are any
    replaces : whether the folder holds another run, which goes when this one has an epoch
    begun : whether an epoch of this run is on disk
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
    done: int
    replaces: bool
    stopping: EarlyStopping | None
    begun: bool = False

    def run(self, progress: bool) -> History:
        """Train; write the model, the settings and the history."""
        settings = self.settings
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
            resume=self.done > 0,
            callbacks=[self._keep] if self.stopping is None else [self._keep, self.stopping],
            optimiser=self.optimiser,
        )
        checkpoint.save(self.model, self.folder / runs.MODEL)
        self._write_config()
        history.to_csv(self.folder / runs.HISTORY)
        return history

    def settle(self) -> int:
        """Leave a run that was cut short as its last whole epoch had it; return that epoch."""
        records = runs.saved_records(self.folder) if self.begun or self.done else []
        if records:
            model = checkpoint.load(self.folder / runs.CHECKPOINT)
            checkpoint.save(model, self.folder / runs.MODEL)
            History(records).to_csv(self.folder / runs.HISTORY)
        return len(records)

    def _keep(self, model: VAE, record: dict[str, Any]) -> None:
        """After each epoch, leave a model that can be used, whatever happens in the next."""
        if not self.begun:
            runs.remove_leftovers(self.folder)
            if not self.done:
                runs.remove_run(self.folder)
            self._write_config()
            self.begun = True
        checkpoint.save(model, self.folder / runs.MODEL)

    def _write_config(self) -> None:
        config = {
            "npvae": __version__,
            "model": self.model.config,
            "image_shape": self.image_shape,
            "training": self.settings,
        }
        runs.write_config(self.folder, config)


def prepare(options: Namespace) -> Job:
    """Read, build and check everything, so that whatever can be refused is refused now."""
    folder = Path(options.out)
    done = len(runs.saved_records(folder)) if options.resume else 0
    earlier = runs.read_config(folder) if done else {}
    settings = choose(options, earlier.get("training", {}))
    settings["epochs"] = max(settings["epochs"], done)
    data, test = _read(settings)
    notes = complete(settings, data, *value_range(data, settings["data"]))
    model = VAE(
        data.x.shape[1],
        settings["z_dim"],
        hidden=settings["hidden"],
        activation=settings["activation"],
        likelihood=settings["likelihood"],
        seed=settings["seed"],
    )
    shape = options.image_shape
    if shape is None and earlier:
        shape = earlier.get("image_shape") or []
    image_shape = image_shape_of(data, model.likelihood, shape)
    if image_shape and shape is None and data.image_shape is None:
        height, width = image_shape
        notes.append(
            f"rows are drawn as images of {height} x {width}; --image-shape none if they are not"
        )
    train, valid = (data, test) if test is not None else _held_out(data, settings)
    job = Job(
        folder=folder,
        settings=settings,
        train=train,
        valid=valid,
        model=model,
        objective=objective(settings),
        optimiser=Adam(weight_decay=settings["weight_decay"], clip_norm=settings["clip_norm"]),
        image_shape=image_shape,
        notes=notes,
        done=done,
        replaces=runs.exists(folder) and not done,
        stopping=EarlyStopping(settings["patience"]) if settings["patience"] else None,
    )
    _check_writable(folder)
    return job


def _read(settings: Settings) -> tuple[Dataset, Dataset | None]:
    """The data, and the source's own test rows where those are to validate."""
    name = settings["data"]
    if settings["holdout"] is None and has_test_split(name):
        return read(name, "train"), read(name, "test")
    if settings["holdout"] is None:
        settings["holdout"] = 0.1
    return read(name), None


def _held_out(data: Dataset, settings: Settings) -> tuple[Dataset, Dataset | None]:
    """The rows to train on, and those held out of them."""
    kept, held_out = hold_out(len(data.x), settings["holdout"], settings["seed"])
    if not len(held_out):
        return data, None
    return take(data, kept), take(data, held_out)


def _check_writable(folder: Path) -> None:
    make_folder(folder)
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise WriteError(
            f"'{folder}' can't be written in: {(error.strerror or str(error)).lower()}; "
            "choose another --out."
        ) from error

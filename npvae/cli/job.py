"""One training run: everything checked first, then trained, with every epoch kept on disk."""

from __future__ import annotations

import contextlib
import inspect
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .._version import __version__
from ..core.errors import ConfigError
from ..core.registry import arguments_of, parsed, resolve
from ..datasets import Dataset
from ..models import Model
from ..models import storage as checkpoint
from ..optim import Adam
from ..plots import Shape
from ..tables import Table
from ..tables import read as read_table
from ..tables.distributions import fitted_to
from ..training.calibrate import Calibration, calibrate, check_prior_can_be_fitted, fit_prior
from ..training.callbacks import EarlyStopping
from ..training.fit import train
from ..training.history import History
from ..training.length import WIDE
from ..training.settings import Settings
from . import runs, tabular
from .choices import MIXED, Choices, choose, complete, family_of, fill_in, how_long
from .contexts import TOLD, condition_of, given, given_again, whole_schema
from .folder import RunFolder
from .inputs import (
    check_still_there,
    has_test_split,
    hold_out,
    image_shape_of,
    read,
    take,
    value_range,
)
from .known_rows import KnownRows
from .objective_options import objective
from .takeover import CHECKPOINT, HISTORY, MODEL


@dataclass
class Job:
    """What `npvae train` does in one folder.

    Attributes
    ----------
    choices : every option of training, as config.json keeps them
    settings : what `fit` is to do
    train, valid : the rows to train on, and those that validate
    notes : what was chosen for the user, and why
    done : epochs of this run that the folder holds already; it is resumed where there are any
    history : these, and then those that are trained
    waited : how many of them came after the best one
    restarts : whether the folder has this run's settings but none of its epochs
    replaces : whether the folder holds another run, which stays until this one has an epoch
    noted : whether the settings of this run are on disk
    begun : whether an epoch of this run is on disk
    calibration : what was fitted after training
    """

    place: RunFolder
    choices: Choices
    settings: Settings
    train: Dataset
    valid: Dataset | None
    model: Model
    image_shape: Shape
    notes: list[str]
    done: int
    history: History
    waited: int
    restarts: bool
    replaces: bool
    noted: bool = False
    begun: bool = False
    calibration: Calibration | None = None

    @property
    def folder(self) -> Path:
        return self.place.path

    def run(self, progress: bool) -> History:
        """Train; write the model, the settings and the history."""
        callbacks = [_Keeper(self), *self.settings.callbacks]
        settings = replace(self.settings, callbacks=callbacks, progress=progress)
        held_out = None if self.valid is None else self.valid.x
        valid = None if self.valid is None else (self.valid.x, self.valid.context)
        with _plain_interrupts():
            history = train(self.model, settings, self.train.x, valid, self.train.context)
            if n := self.choices["fit_prior"]:
                self.model = fit_prior(self.model, self.train.x, held_out, n, self.choices["seed"])
            if isinstance(self.train, Table) and not self.model.context_dim and self.model.levels:
                self.calibration = calibrate(self.model, self.train.x, held_out)
        checkpoint.save(self.model, self.folder / MODEL)
        self.write_config()
        history.to_csv(self.folder / HISTORY)
        return history

    def settle(self) -> int:
        """Leave a run that was cut short as it was after its last whole epoch; gives that epoch."""
        records = runs.saved_training(self.folder).records if self.begun or self.done else []
        if records:
            model = checkpoint.load(self.folder / CHECKPOINT)
            checkpoint.save(model, self.folder / MODEL)
            History(records).to_csv(self.folder / HISTORY)
        return len(records)

    @property
    def stopping(self) -> EarlyStopping | None:
        """What stops training where the validation loss has ceased to fall."""
        return next((c for c in self.settings.callbacks if isinstance(c, EarlyStopping)), None)

    @cached_property
    def _known_rows(self) -> KnownRows:
        held_out = self.valid if self.choices["holdout"] else None  # else it is a test set
        return KnownRows.of(self.train.x, None if held_out is None else held_out.x)

    def write_config(self) -> None:
        config: dict[str, Any] = {
            "npvae": __version__,
            "model": runs.as_trained(self.model.config),
            "image_shape": self.image_shape,
            "objective": self.settings.objective.config,
            "training": self.choices,
        }
        if self.train.columns is not None:
            config["columns"] = self.train.columns
        runs.write_config(self.place.at, config)  # first: it says whose the folder is
        self._known_rows.write(self.place.at)
        self.noted = True


@contextlib.contextmanager
def _plain_interrupts() -> Iterator[None]:
    """Numba wraps a Ctrl-C that comes while it loads a kernel into a SystemError: unwrap it."""
    try:
        yield
    except SystemError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            cause = cause.__cause__ or cause.__context__
        raise


@dataclass
class _Keeper:
    """The callback of `fit` that keeps a run's folder up to date."""

    job: Job

    def begin(self) -> None:
        """Write the settings, so that a run that never ends its first epoch can be resumed."""
        if self.job.replaces:
            self.job.place.keep_earlier_run()
        elif not self.job.done:
            self.job.write_config()

    def __call__(self, model: Model, record: dict[str, Any]) -> None:
        """After each epoch, add it to the history, which `run` writes whole in the end."""
        self.job.history.records.append(record)
        if self.job.begun:
            with contextlib.suppress(OSError):  # such as a program that has the file open
                self.job.history.add_to_csv(self.job.folder / HISTORY)

    def saving(self, model: Model) -> None:
        """Leave a model that can be used, whatever happens next."""
        if not self.job.begun:
            self.job.write_config()
        checkpoint.save(model, self.job.place.at / MODEL)

    def saved(self) -> None:
        """When the first checkpoint is there too, the run is whole."""
        if not self.job.begun:
            self.job.place.replace_earlier_run()
            self.job.begun = True
            self.job.history.to_csv(self.job.folder / HISTORY)


@contextlib.contextmanager
def prepared(options: Namespace) -> Iterator[Job]:
    """A job that can be run, in a folder that no other run is written to meanwhile."""
    with RunFolder(Path(options.out)) as place:
        job = _prepare(options, place)
        place.make()
        yield job


def _prepare(options: Namespace, place: RunFolder) -> Job:
    """Read, build and check everything, so that whatever can be refused is refused now."""
    folder = place.path
    records, waited = runs.saved_training(folder) if options.resume else ([], 0)
    done = len(records)
    earlier = runs.read_config(folder) if options.resume else {}
    if options.resume and not done:
        runs.check_can_begin_again(folder, earlier)
    choices = choose(options, earlier.get("training", {}))
    if options.data is None:
        check_still_there(str(folder), earlier.get("training", {}).get("data"), choices["data"])
    data, test, asked = _read(choices, earlier.get("model", {}))
    if isinstance(data, Table):
        notes = tabular.complete(choices, data)
    else:
        images = data.image_shape is not None or bool(options.image_shape)
        notes = complete(choices, data, *value_range(data, choices["data"]), images)
    train, valid = (data, test) if test is not None else _held_out(data, choices)
    if isinstance(train, Table) and valid is not None and not earlier:
        train = replace(train, schema=fitted_to(train.schema, train.x))
    shape = options.image_shape
    if shape is None and earlier:
        shape = earlier.get("image_shape") or []
    arguments = train.schema.options() if isinstance(train, Table) else {"x_dim": data.x.shape[1]}
    if family_of(choices) == "conv":
        arguments = _image_options(data, choices, shape)
    model = _model(choices, {**arguments, **asked})
    if n := choices["fit_prior"]:
        check_prior_can_be_fitted(model, n, len(train.x))
    image_shape = image_shape_of(data, model.likelihood, shape)
    if image_shape and shape is None and data.image_shape is None:
        size = " x ".join(map(str, image_shape))
        notes.append(f"rows are drawn as images of {size}; --image-shape none if they are not")
    wide = bool(image_shape) or data.x.shape[1] >= WIDE
    held_out = valid is not None and test is None
    notes += how_long(choices, len(train.x), model.n_params, wide, held_out)
    choices["epochs"] = max(choices["epochs"], done)
    return Job(
        place=place,
        choices=choices,
        settings=_settings(choices, place, resume=done > 0),
        train=train,
        valid=valid,
        model=model,
        image_shape=image_shape,
        notes=notes,
        done=done,
        history=History(records),
        waited=waited,
        restarts=bool(earlier) and not done,
        replaces=runs.exists(folder) and not done,
    )


def _image_options(data: Dataset, choices: Choices, shape: list[int] | None) -> dict[str, Any]:
    """What the data say of a model of images."""
    if not isinstance(data, Table):
        found = image_shape_of(data, resolve("likelihood", choices["likelihood"]), shape)
        if found is not None:
            return {"image_shape": found}
    raise ConfigError(
        f"--model conv is for images; got rows of {data.x.shape[1]} columns. Say which with "
        "--image-shape H,W (H,W,3 in colour), or leave out --model."
    )


def _model(choices: Choices, own: dict[str, Any]) -> Model:
    """The model of the family that --model names; `own` are what the data say of it."""
    described = parsed(choices["model"])
    takes = arguments_of("model", described["name"])
    if "z_dims" in takes:
        described.setdefault("z_dims", (choices["z_dim"], max(1, choices["z_dim"] // 2)))
    known = {name: value for name, value in {**choices, **own}.items() if name in takes}
    model: Model = resolve("model", {**known, **described})
    return model


def _settings(choices: Choices, place: RunFolder, resume: bool) -> Settings:
    """What `fit` is to do."""
    patience = _arguments(EarlyStopping, choices)
    made = {
        "objective": objective(choices),
        "optimiser": Adam(**_arguments(Adam, choices)),
        "callbacks": [EarlyStopping(**patience)] if choices["patience"] else [],
        "checkpoint": place.file(CHECKPOINT),
        "resume": resume,
        "progress": False,
    }
    return Settings(**{**_arguments(Settings, choices), **made})


def _arguments(cls: type, choices: Choices) -> dict[str, Any]:
    """The choices that are arguments of a class, which have the same names."""
    return {n: choices[n] for n in inspect.signature(cls).parameters if n in choices}


def _read(
    choices: Choices, earlier: dict[str, Any]
) -> tuple[Dataset, Dataset | None, dict[str, Any]]:
    """The data, the source's own test rows where those are to validate, and the model's arguments.

    These are what the labels or columns say that the model is conditioned on, or is to predict. The
    model of a run that is resumed, `earlier`, says how a table is read, and which labels there are.
    """
    name = choices["data"]
    test: Dataset | None = None
    if choices["holdout"] is None and has_test_split(name):
        data, test = read(name, "train"), read(name, "test")
    else:
        fill_in(choices, holdout=0.1)
        data = _table(choices, earlier) if choices["likelihood"] == MIXED else read(name)
    if earlier:
        asked: dict[str, Any] = {n: earlier[n] for n in TOLD if n in earlier}
        data = given_again(asked, data, name)
    else:
        data, asked = given(choices, data)
    return data, test and given_again(asked, test, name), asked


def _table(choices: Choices, earlier: dict[str, Any]) -> Table:
    schema = whole_schema(condition_of(earlier), earlier.get("schema"))
    read_as = (choices[option] for option in ("missing_cells", "encoding", "sheet"))
    return read_table(choices["data"], choices["columns"], schema, *read_as)


def _held_out(data: Dataset, choices: Choices) -> tuple[Dataset, Dataset | None]:
    """The rows to train on, and those held out of them."""
    kept, held_out = hold_out(len(data.x), choices["holdout"], choices["seed"])
    if not len(held_out):
        return data, None
    return take(data, kept), take(data, held_out)

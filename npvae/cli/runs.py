"""Run folders: what `npvae train` writes and the other commands read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..core.errors import ConfigError
from ..core.files import replacing
from ..models import storage as checkpoint
from ..models.owner import CALIBRATED
from ..models.storage import HEADER, MODEL
from ..training.state import checked
from .config_file import wrong_in
from .known_rows import KnownRows
from .takeover import CHECKPOINT, CONFIG, HISTORY, recover
from .train_options import DEFAULT_RUN, SETTINGS


@dataclass
class Run:
    """A model and what its run folder says about it.

    Attributes
    ----------
    name : the path as the user gave it
    model : the loaded model
    file : where the model was read from
    config : what config.json says; empty for a model file without one beside it
    """

    name: str
    model: Any
    file: Path
    config: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """What the run was trained with; empty where that is not known."""
        return self.config.get("training", {})

    @property
    def records(self) -> list[dict[str, Any]]:
        """The history of a run folder; empty for another model."""
        return saved_training(self.file.parent).records if self.config else []

    @property
    def rows(self) -> KnownRows | None:
        """The rows that it was trained on and held out, where that is known."""
        return KnownRows.read(self.file.parent) if self.config else None

    @property
    def schema(self) -> Any:
        """What the columns are, if the model is a table's; otherwise None."""
        return getattr(self.model, "schema", None)

    @property
    def columns(self) -> list[str] | None:
        """The names of the columns that it was trained on, where they have names."""
        return self.config.get("columns")


def open_run(name: str) -> Run:
    """Load the model of a run folder, or of a file.

    Raises
    ------
    ModelFileError
        If there is no model that can be read.
    """
    path = Path(name)
    recover(path if path.is_dir() else path.parent)
    model = checkpoint.load(path)
    file = path / MODEL if path.is_dir() else path
    config = read_config(file.parent) if file.name in (MODEL, CHECKPOINT) else {}
    described = config.get("model") == as_trained(model.config)
    return Run(name, model, file, config if described else {})


def as_trained(config: Mapping[str, Any]) -> dict[str, Any]:
    """A model's config as config.json has it: the same before and after drawn rows are fitted."""
    return {name: value for name, value in config.items() if name not in CALIBRATED}


def resume_command(folder: Path) -> str:
    """What to type to go on with the run in a folder."""
    out = "" if str(folder) == DEFAULT_RUN else f" --out {shlex.quote(str(folder))}"
    return f"npvae train --resume{out}"


def exists(folder: Path) -> bool:
    """Whether a folder holds a run, finished or not."""
    return (folder / MODEL).exists() or (folder / CHECKPOINT).exists()


def check_can_begin_again(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse to resume a folder that has neither a run to go on with nor one that hardly began.

    A new run there would be another than the one that is meant, or would replace a model. A run
    that was ended before its first checkpoint has its settings, perhaps a model, and no history.
    """
    if exists(folder) and ((folder / HISTORY).exists() or not config):
        raise ConfigError(
            f"'{folder}' has a model, and no {CHECKPOINT} that training could go on from; leave "
            "--resume out to train a new one, which replaces it, or choose another --out."
        )
    if not config:
        raise ConfigError(
            f"'{folder}' has no run to resume; name the folder of one with --out, or leave "
            "--resume out to start one."
        )


def may_be_model(file: Path) -> bool:
    """Whether a file is a model of ours, whole or damaged, and not another program's .npz."""
    with file.open("rb") as stream:
        start = stream.read(30 + len(HEADER))
    return not start.startswith(b"PK\3\4") or HEADER.encode().startswith(start[30:])


def has_config(folder: Path) -> bool:
    """Whether the settings in a folder are those of a run."""
    try:
        return bool(read_config(folder))
    except ConfigError:
        return False


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json says; empty where there is none."""
    file = folder / CONFIG
    if not file.is_file():
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        wrong = wrong_in(config)
    except (ValueError, RecursionError) as error:
        wrong = f"it is no JSON ({error})"
    if wrong:
        raise ConfigError(
            f"'{file}' is damaged, or is of another program: {wrong}; remove it or start anew."
        )
    config["training"] = {**{n: o.default for n, o in SETTINGS.items()}, **config["training"]}
    return config


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    with replacing(folder / CONFIG) as file:
        file.write((json.dumps(config, indent=1, allow_nan=False) + "\n").encode())


class Saved(NamedTuple):
    """How far a run has come: the records of its epochs, and how many since the best one."""

    records: list[dict[str, Any]]
    waited: int


def saved_training(folder: Path) -> Saved:
    """What a run's checkpoint says; nothing where there is none."""
    file = folder / CHECKPOINT
    training = checkpoint.read(file)[0].get("training") if file.exists() else None
    if not isinstance(training, dict):
        return Saved([], 0)
    training = checked(training, f"'{file}'")
    counts = [state.get("waited") for state in training["callbacks"]]
    return Saved(training["records"], max((n for n in counts if type(n) is int), default=0))

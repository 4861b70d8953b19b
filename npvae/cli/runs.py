"""Run folders: what `npvae train` writes and the other commands read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import checkpoint
from ..errors import ConfigError, DataError
from ..files import replacing

MODEL, CHECKPOINT, CONFIG, HISTORY = "model.npz", "checkpoint.npz", "config.json", "history.csv"
PICTURES = (
    "loss.png",
    "samples.png",
    "reconstructions.png",
    "latent.png",
    "interpolation.png",
    "manifold.png",
)


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
        return saved_records(self.file.parent) if self.config else []


def open_run(name: str) -> Run:
    """Load the model of a run folder, or of a file.

    Raises
    ------
    ModelFileError
        If there is no model that can be read.
    """
    path = Path(name)
    file = path / MODEL if path.is_dir() else path
    if path.is_dir() and not file.exists():
        raise DataError(
            f"'{name}' holds no {MODEL}; give a folder that `npvae train` wrote, or a model file."
        )
    model = checkpoint.load(file)
    config = read_config(file.parent) if file.name in (MODEL, CHECKPOINT) else {}
    described = config.get("model") == model.config
    return Run(name, model, file, config if described else {})


def exists(folder: Path) -> bool:
    """Whether a folder holds a run, finished or not."""
    return (folder / MODEL).exists() or (folder / CHECKPOINT).exists()


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json says; empty where there is none."""
    file = folder / CONFIG
    if not file.exists():
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        if _is_ours(config):
            return config
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ConfigError(f"'{file}' is damaged, or is of another program; remove it or start anew.")


def _is_ours(config: Any) -> bool:
    """Whether what other commands use of a config has the types that it should have."""
    training, shape = config["training"], config["image_shape"]
    return (
        isinstance(config["model"], dict)
        and isinstance(training["data"], str)
        and isinstance(training["holdout"], float | int | None)
        and isinstance(training["seed"], int)
        and isinstance(training["epochs"], int)
        and (shape is None or [type(side) for side in shape] == [int, int])
    )


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    with replacing(folder / CONFIG) as file:
        file.write((json.dumps(config, indent=1, allow_nan=False) + "\n").encode())


def saved_records(folder: Path) -> list[dict[str, Any]]:
    """The records of the epochs that a run's checkpoint holds; empty where there is none."""
    if not (folder / CHECKPOINT).exists():
        return []
    header, _ = checkpoint.read(folder / CHECKPOINT)
    training = header.get("training")
    return training.get("records", []) if isinstance(training, dict) else []


def remove_run(folder: Path) -> None:
    """Remove what an earlier run wrote."""
    # The checkpoint first: what is left by an interruption here can't be resumed by mistake.
    for name in (CHECKPOINT, MODEL, CONFIG, HISTORY, *PICTURES):
        (folder / name).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the half-written files of a run that was killed."""
    for name in (CHECKPOINT, MODEL, CONFIG, HISTORY, *PICTURES):
        for file in folder.glob(f".{name}.*"):
            file.unlink(missing_ok=True)

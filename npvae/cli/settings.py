"""What `npvae train` trains with: the options given, the run that is resumed, the defaults."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..core import resolve
from ..datasets import Dataset
from ..errors import ConfigError
from ..objectives import ELBO, IWAE
from ..schedules import Linear
from .data import DIGITS

Settings = dict[str, Any]

DEFAULTS: Settings = {
    "data": DIGITS,
    "holdout": None,
    "z_dim": None,
    "hidden": None,
    "activation": "relu",
    "likelihood": None,
    "objective": "elbo",
    "n_samples": None,
    "beta": None,
    "warmup": None,
    "free_bits": None,
    "epochs": None,
    "batch_size": None,
    "lr": 1e-3,
    "weight_decay": 0.0,
    "clip_norm": None,
    "patience": None,
    "seed": 0,
    "threads": None,
}
# The digits: the sharpest samples and the best validation loss that some seconds give. A single
# hidden layer, 2 latent dimensions or half the epochs are visibly worse; more of each is no better.
FOR_DIGITS: Settings = {"z_dim": 8, "hidden": [256, 128], "epochs": 400, "batch_size": 64}
FOR_OTHERS: Settings = {"z_dim": 20, "hidden": [400], "epochs": 10, "batch_size": 128}

# What a resumed run may change and still be the same run.
FREE = ("data", "epochs", "lr", "patience", "threads")


def choose(options: Namespace, earlier: Settings) -> Settings:
    """The options given, over those of the run to resume, over the defaults.

    Raises
    ------
    ConfigError
        If a resumed run would have to change what it can't, or options contradict each other.
    """
    given = {n: v for n in DEFAULTS if (v := getattr(options, n)) is not None}
    for name, value in given.items() if earlier else ():
        if name not in FREE and value != earlier.get(name):
            raise ConfigError(
                f"a resumed run keeps its {_option(name)}, here {_shown(earlier.get(name))}; got "
                f"{_shown(value)}. Leave the option out, or start anew without --resume."
            )
    settings = {**DEFAULTS, **earlier, **given}
    for name, value in (FOR_DIGITS if settings["data"] == DIGITS else FOR_OTHERS).items():
        if settings[name] is None:
            settings[name] = value
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Refuse what needs no data to be refused."""
    resolve("activation", settings["activation"])
    if settings["likelihood"] is not None:
        resolve("likelihood", settings["likelihood"])
    if settings["objective"] == "iwae":
        for name in ("beta", "warmup", "free_bits"):
            if settings[name] is not None:
                raise ConfigError(f"{_option(name)} belongs to --objective elbo; got iwae.")
    if settings["patience"] and settings["holdout"] == 0:
        raise ConfigError("--patience watches the validation loss; got --holdout 0. Hold rows out.")


def objective(settings: Settings) -> ELBO | IWAE:
    """The objective that the settings describe."""
    n_samples = settings["n_samples"]
    if settings["objective"] == "iwae":
        return IWAE() if n_samples is None else IWAE(n_samples)
    beta = 1.0 if settings["beta"] is None else settings["beta"]
    warmup = settings["warmup"]
    return ELBO(
        beta=Linear(0, beta, epochs=warmup) if warmup else beta,
        n_samples=n_samples or 1,
        free_bits=settings["free_bits"] or 0.0,
    )


def choose_likelihood(data: Dataset, low: float, high: float) -> tuple[str, str]:
    """The likelihood that suits values from low to high, and why."""
    if 0 <= low and high <= 1:
        return "bernoulli", "all values lie in [0, 1]"
    if data.x.dtype == "uint8" and data.image_shape is not None:
        return "bernoulli", "these are images of bytes, to be divided by 255"
    return "gaussian", f"values run from {low:.3g} to {high:.3g}, outside [0, 1]"


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "its default" if value is None else str(value)

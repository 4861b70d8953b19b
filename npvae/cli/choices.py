"""What `npvae train` trains with: the options given, the run that is resumed, the defaults."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..core import resolve
from ..core.errors import ConfigError
from ..core.schedules import Linear
from ..datasets import Dataset
from ..objectives import ELBO, IWAE
from .inputs import DIGITS, is_table

Choices = dict[str, Any]

MIXED = "mixed"
"""The likelihood of a table: one for each kind of columns."""

NAMES = (
    "data", "columns", "holdout", "z_dim", "hidden", "activation", "likelihood", "prior",
    "objective", "n_samples", "beta", "warmup", "free_bits", "epochs", "batch_size", "lr",
    "weight_decay", "clip_norm", "binarise", "patience", "seed", "threads",
)  # fmt: skip
DEFAULTS: Choices = {
    **dict.fromkeys(NAMES),
    "data": DIGITS,
    "activation": "relu",
    "prior": "standard",
    "objective": "elbo",
    "weight_decay": 0.0,
    "binarise": False,
    "seed": 0,
}
# The digits: good samples within seconds. In validation loss, a single hidden layer or half the
# epochs cost some tenths of a nat, and twice the epochs bring one tenth more.
FOR_DIGITS: Choices = {
    "z_dim": 4, "hidden": [256, 128], "epochs": 300, "batch_size": 64, "lr": 2e-3,
}  # fmt: skip
FOR_OTHERS: Choices = {"hidden": [400], "epochs": 10, "batch_size": 128, "lr": 1e-3}
FOR_ELBO: Choices = {"n_samples": 1, "beta": 1.0, "warmup": 0.0, "free_bits": 0.0}
FOR_IWAE: Choices = {"n_samples": 5}

# What a resumed run may change and still be the same run.
FREE = ("data", "epochs", "lr", "patience", "threads")


def choose(options: Namespace, earlier: Choices) -> Choices:
    """The options given, over those of the run to resume, over the defaults.

    Raises
    ------
    ConfigError
        If a resumed run would have to change what it can't, or options contradict each other.
    """
    given = {n: v for n in NAMES if (v := getattr(options, n)) is not None}
    for name, value in given.items() if earlier else ():
        if name not in FREE and value != earlier.get(name):
            raise ConfigError(
                f"a resumed run keeps its {_option(name)}, here {_shown(earlier.get(name))}; got "
                f"{_shown(value)}. Leave the option out, or start anew without --resume."
            )
    choices = {**DEFAULTS, **earlier, **given}
    if choices["likelihood"] is None and is_table(choices["data"]) and not options.image_shape:
        choices["likelihood"] = MIXED
    for defaults in (
        _by_source(choices),
        FOR_IWAE if choices["objective"] == "iwae" else FOR_ELBO,
    ):
        choices.update({n: v for n, v in defaults.items() if choices[n] is None})
    _check(choices)
    return choices


def _by_source(choices: Choices) -> Choices:
    """Defaults by what is trained on; those of a table wait for its size."""
    if choices["likelihood"] == MIXED:
        return {}
    return FOR_DIGITS if choices["data"] == DIGITS else FOR_OTHERS


def _check(choices: Choices) -> None:
    """Refuse what needs no data to be refused."""
    resolve("activation", choices["activation"])
    resolve("prior", choices["prior"])
    table = choices["likelihood"] == MIXED
    if table and not is_table(choices["data"]):
        raise ConfigError(
            f"--likelihood mixed is that of a table, a .csv or .tsv file; got {choices['data']}."
        )
    if choices["columns"] and not table:
        raise ConfigError(
            "--columns says what the columns of a table are (a .csv or .tsv file), each with a "
            "likelihood of its kind; leave out --likelihood and --image-shape, or --columns."
        )
    if choices["likelihood"] is not None and not table:
        resolve("likelihood", choices["likelihood"])
    if choices["objective"] == "iwae":
        for name in ("beta", "warmup", "free_bits"):
            if choices[name] is not None:
                raise ConfigError(f"{_option(name)} belongs to --objective elbo; got iwae.")
    if choices["patience"] and choices["holdout"] == 0:
        raise ConfigError("--patience watches the validation loss; got --holdout 0. Hold rows out.")


def objective(choices: Choices) -> ELBO | IWAE:
    """The objective that the choices describe."""
    if choices["objective"] == "iwae":
        return IWAE(choices["n_samples"])
    beta, warmup = choices["beta"], choices["warmup"]
    return ELBO(
        beta=Linear(0, beta, epochs=warmup) if warmup else beta,
        n_samples=choices["n_samples"],
        free_bits=choices["free_bits"],
    )


def complete(choices: Choices, data: Dataset, low: float, high: float, images: bool) -> list[str]:
    """Choose what the data decide, of values from low to high; return what to tell the user."""
    notes = []
    if choices["z_dim"] is None:
        choices["z_dim"] = min(20, data.x.shape[1])
    if choices["likelihood"] is None:
        choices["likelihood"], why = _likelihood(data, low, high, images)
        notes.append(f"the likelihood is {choices['likelihood']}, since {why}")
        if choices["likelihood"] == "gaussian" and data.x.dtype == "uint8":
            notes.append(
                "these are bytes in rows: if they are images, --image-shape H,W (H,W,3 in colour, "
                "channels last) takes them for such, and divides them by 255"
            )
    if choices["likelihood"] == "gaussian" and max(-low, high) > 30:
        notes.append(
            f"values run from {low:.4g} to {high:.4g}, and the gaussian's standard deviation is 1 "
            "in every column: scaled columns (mean 0, deviation 1) give a better model"
        )
    return notes


def _likelihood(data: Dataset, low: float, high: float, images: bool) -> tuple[str, str]:
    """The likelihood that suits the data, and why."""
    if low >= 0 and high <= 1:
        return "bernoulli", "all values lie in [0, 1]"
    if data.x.dtype == "uint8" and images:
        return "bernoulli", "these are images of bytes (they are divided by 255)"
    return "gaussian", f"values run from {low:.4g} to {high:.4g}, outside [0, 1]"


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={kind}" for name, kind in value.items())
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "not given" if value is None else str(value)

"""What `npvae train` trains with: the options given, the run that is resumed, the defaults."""

from __future__ import annotations

import math
from argparse import Namespace
from typing import Any

from .. import models  # noqa: F401  (their names and those of parts get registered)
from ..core.errors import ConfigError
from ..core.registry import arguments_of, parsed, registered, resolve, text
from ..datasets import Dataset
from ..posteriors import REAL
from ..training.length import epochs_of
from .console import count
from .inputs import is_table
from .objective_options import fill, objective, split
from .train_options import AS_TABLE, DIGITS, GROUPS, SETTINGS, Option

Choices = dict[str, Any]

MIXED = "mixed"
"""The likelihood of a table: one for each kind of columns."""

DEFAULTS: Choices = {name: option.default for name, option in SETTINGS.items()}
# The digits: good samples within seconds. In validation loss, a single hidden layer or half the
# epochs cost some tenths of a nat, and twice the epochs bring one tenth more.
FOR_DIGITS: Choices = {
    "z_dim": 4, "hidden": [256, 128], "epochs": 300, "batch_size": 64, "lr": 2e-3,
    "prior": "standard",
}  # fmt: skip
FOR_IMAGES: Choices = {"hidden": [], "channels": [32, 64]}
"""With --model conv, before the others."""
FOR_OTHERS: Choices = {"hidden": [400], "lr": 1e-3, "prior": "standard"}


def choose(options: Namespace, earlier: Choices) -> Choices:
    """The options given, over those of the run to resume, over the defaults.

    Raises
    ------
    ConfigError
        If a resumed run would have to change what it can't, or options contradict each other.
    """
    given = {n: v for n in SETTINGS if (v := getattr(options, n)) is not None}
    if "objective" in given:
        given = split(given)
    for name, value in given.items() if earlier else ():
        option, before = SETTINGS[name], earlier.get(name)
        if not option.free and not _same(option, value, before):
            raise ConfigError(
                f"a resumed run keeps its {option.typed}, here {_shown(before)}; got "
                f"{_shown(value)}. Leave the option out, or start anew without --resume."
            )
    choices = {**DEFAULTS, **earlier, **given}
    _check_family(choices["model"] or "vae", given)
    if choices["likelihood"] is None and is_table(choices["data"]) and not options.image_shape:
        choices["likelihood"] = MIXED
    _fill_by_posterior(choices)
    choices.update({n: v for n, v in _by_source(choices).items() if choices[n] is None})
    fill(choices)
    _check(choices)
    _check_terms(choices, given)
    return choices


def family_of(choices: Choices) -> str:
    """The name that --model begins with."""
    return str(parsed(choices["model"] or "vae")["name"])


def _fill_by_posterior(choices: Choices) -> None:
    """What a posterior of codes decides: the latent dimensions, and a prior over codes."""
    posterior = resolve("posterior", choices["posterior"] or "gaussian")
    if posterior.support != REAL:
        fill_in(choices, z_dim=posterior.own_z_dim, prior=text(posterior.usual_prior))


def _check_family(model: str, given: Choices) -> None:
    """Refuse what the family that --model names does not take, and what --model says already."""
    described = parsed(model)
    name, takes = described["name"], arguments_of("model", described["name"])
    for option in GROUPS["model"]:
        if option.name not in given or option.name == "model":
            continue
        if option.name not in {"z_dim", *takes}:
            raise ConfigError(f"--model {name} takes no {option.typed}; leave it out.")
        said = "z_dims" if option.name == "z_dim" and "z_dims" in takes else option.name
        if said in described:
            raise ConfigError(f"--model {model} says {said} already; leave {option.typed} out.")


def _check_terms(choices: Choices, given: Choices) -> None:
    """Refuse an objective that asks for more than the family's loss has, and its options."""
    family = family_of(choices)
    model, asked = registered("model")[family], objective(choices).needs
    if not model.has_kl:
        for name in {"beta", "warmup", "free_bits"} & given.keys():
            raise ConfigError(
                f"--model {family} has no KL, which {SETTINGS[name].typed} is about: its loss is "
                "the reconstruction alone. Leave it out."
            )
    posterior = resolve("posterior", choices["posterior"] or "gaussian")
    if {"log_px", "kl"}.issuperset(asked):
        return
    if not model.has_density:
        which = f"--model {family} does not give"
    elif posterior.relaxes:
        which = f"--posterior {choices['posterior']} does not give in training"
    else:
        return
    raise ConfigError(
        f"--objective {choices['objective']} is made of draws of z and their densities, "
        f"which {which}. Take --objective elbo."
    )


def _same(option: Option, value: Any, before: Any) -> bool:
    """Whether a resumed run is asked for what it has, in whatever spelling of a name."""
    if option.family is None or before is None:
        return value == before
    return parsed(value) == parsed(before)


def _by_source(choices: Choices) -> Choices:
    """Defaults by what is trained on; those of a table wait for its size."""
    if choices["likelihood"] == MIXED:
        return {}
    found = FOR_DIGITS if choices["data"] == DIGITS else FOR_OTHERS
    return {**found, **FOR_IMAGES} if family_of(choices) == "conv" else found


def _check(choices: Choices) -> None:
    """Refuse what needs no data to be refused."""
    table = choices["likelihood"] == MIXED
    if table and not is_table(choices["data"]):
        raise ConfigError(
            f"--likelihood mixed is for tables, .csv or .tsv files; got {choices['data']}. Choose "
            "another, or leave it out."
        )
    for name in AS_TABLE:
        if choices[name] and not table:
            typed = SETTINGS[name].typed
            raise ConfigError(
                f"{typed} is for tables, .csv or .tsv files, whose kinds of columns have a "
                f"likelihood each; leave out --likelihood and --image-shape, or {typed}."
            )
    for option in SETTINGS.values():
        chosen = choices[option.name]
        if option.family not in (None, "objective") and chosen not in (None, MIXED):
            resolve(option.family, chosen)
    if parsed(choices["prior"] or "")["name"] == "conditional" and not choices["condition"]:
        raise ConfigError(
            "--prior conditional is made of what a model is given; say what with --condition label "
            "or --condition COLUMN."
        )
    if choices["patience"] and choices["holdout"] == 0:
        raise ConfigError("--patience watches the validation loss; got --holdout 0. Hold rows out.")


def how_long(choices: Choices, n: int, n_params: int, wide: bool, held_out: bool) -> list[str]:
    """Choose epochs, batch size and patience for n training rows by the number of steps.

    A number of epochs for all would leave a small set at the mean of its rows after a few dozen
    steps. Where rows are held out to validate, and are no test rows, training stops by them.
    """
    by_steps = choices["epochs"] is None
    fill_in(choices, batch_size=32 if n < 3000 else 128)
    steps = -(-n // choices["batch_size"])
    fill_in(choices, epochs=epochs_of(steps, n_params, wide))
    if not (by_steps and held_out):
        return []
    fill_in(choices, patience=max(5, choices["epochs"] // 10) + math.ceil(choices["warmup"] or 0))
    return [
        f"{count(choices['epochs'], 'epoch')} of {count(steps, 'step')} at most; training stops "
        f"{count(choices['patience'], 'epoch')} after the best validation loss, since small sets "
        "overfit"
    ]


def fill_in(choices: Choices, **defaults: Any) -> None:
    """Give what was not chosen its default."""
    choices.update({name: v for name, v in defaults.items() if choices[name] is None})


def complete(choices: Choices, data: Dataset, low: float, high: float, images: bool) -> list[str]:
    """Choose what the data decide, of values from low to high; return what to tell the user."""
    notes = []
    fill_in(choices, z_dim=min(20, data.x.shape[1]))
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


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={kind}" for name, kind in value.items())
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "not given" if value is None else str(value)

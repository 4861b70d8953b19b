"""--objective, and the options that are short forms of its arguments.

The choices keep an argument where it has an option: ``elbo:beta=4`` is elbo with ``--beta 4``. So
what a run was given is told and compared in one way, however it was typed.
"""

from __future__ import annotations

from typing import Any

from .. import objectives  # noqa: F401  (their names get registered)
from ..core.errors import ConfigError
from ..core.registry import arguments_of, listed, parsed, resolve, text
from ..core.schedules import Linear
from .console import count
from .train_options import SETTINGS

SHORT_FORMS = ("n_samples", "beta", "free_bits")
"""Options that are an argument of the objective."""


def split(choices: dict[str, Any]) -> dict[str, Any]:
    """The choices, with the arguments in --objective that have an option of their own under it.

    Raises
    ------
    ConfigError
        If an option says something else than --objective does.
    """
    config = parsed(choices["objective"])
    short = {n: config.pop(n) for n in SHORT_FORMS if isinstance(config.get(n), int | float)}
    for name, value in short.items():
        if choices.get(name, value) != value:
            option = SETTINGS[name].typed
            raise ConfigError(
                f"--objective {choices['objective']} and {option} {choices[name]} say two things; "
                f"leave {option} out."
            )
    return {**choices, **short, "objective": text(config)}


def fill(choices: dict[str, Any]) -> None:
    """Give the short forms that were left out the objective's defaults, and refuse the others.

    Raises
    ------
    ConfigError
        If there is no such objective, or it does not take what was given.
    """
    config = parsed(choices["objective"])
    takes = arguments_of("objective", config["name"])
    for name in (*SHORT_FORMS, "warmup"):
        argument = "beta" if name == "warmup" else name
        free = argument in takes and argument not in config
        if choices[name] is None:
            choices[name] = ({**takes, "warmup": 0.0})[name] if free else None
        elif not free:
            rule = f"takes {listed(takes)}" if argument not in takes else f"has its {argument}"
            raise ConfigError(
                f"--objective {choices['objective']} {rule}; leave {SETTINGS[name].typed} out."
            )


def objective(choices: dict[str, Any]) -> Any:
    """The objective that the choices describe."""
    arguments = {n: choices[n] for n in SHORT_FORMS if choices.get(n) is not None}
    if choices.get("warmup"):
        arguments["beta"] = Linear(0, arguments["beta"], epochs=choices["warmup"])
    return resolve("objective", {**parsed(choices["objective"]), **arguments})


def in_words(choices: dict[str, Any]) -> str:
    """The objective in a line: its name, the short forms, and what else it takes."""
    made = objective(choices)
    parts = [type(made).__name__]
    if choices["n_samples"] is not None:
        parts.append(count(choices["n_samples"], "sample"))
    if choices["beta"] is not None:
        parts.append(f"beta {choices['beta']:g}")
    if choices["warmup"]:
        parts.append(f"raised from 0 over {choices['warmup']:g} epochs")
    if choices["free_bits"]:
        parts.append(f"{choices['free_bits']:g} nats free for each {made.free_for}")
    told = {n for n in choices if choices[n] is not None} | {"free_bits_per"}
    others = {n: v for n, v in made.arguments.items() if n not in told}
    return ", ".join([*parts, *(f"{name} {text(value)}" for name, value in others.items())])

"""What a checkpoint says of training, checked: a file may be damaged, altered or of another use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.errors import ModelFileError
from ..core.losses import LOSSES, losses_in
from ..core.numerics import all_finite

Array = np.ndarray

_LARGEST = 2**53
"""Whole numbers up to here are no matter of rounding; no run has so many steps."""


def checked(training: Mapping[str, Any], label: str) -> dict[str, Any]:
    """The state of training that a checkpoint's header holds, once its form is right.

    Raises
    ------
    ModelFileError
        With what is wrong with it.
    """
    wrong = _wrong_in(training)
    if wrong:
        raise ModelFileError(f"{label} is altered: {wrong}; start anew, or take another file.")
    return dict(training)


def check_moments(m: Array, v: Array, n: int) -> None:
    """Raise ValueError unless these can be Adam's moments of n parameters."""
    check_vector("Adam's m", m, n)
    check_vector("Adam's v", v, n)
    if (v < 0).any():
        raise ValueError("Adam's v has numbers below 0")


def check_vector(what: str, vector: Array, n: int) -> None:
    """Raise ValueError unless it is n finite numbers."""
    if vector.shape != (n,) or vector.dtype.kind != "f" or not all_finite(vector):
        raise ValueError(f"{what} are {n} finite numbers; got {vector.dtype} of {vector.shape}")


def _wrong_in(training: Mapping[str, Any]) -> str:
    """What is wrong with a state of training, or ""."""
    for name, kind in (("settings", dict), ("records", list), ("callbacks", list)):
        if not isinstance(training.get(name), kind):
            return f"its {name} are missing or no {kind.__name__}"
    if not training["settings"]:
        return "its settings are empty"
    if not _is_whole(training.get("t")):
        return f"its number of steps is {training.get('t')!r:.40}"
    if not all(isinstance(state, dict) for state in training["callbacks"]):
        return "the state of a callback is no dict"
    for i, record in enumerate(training["records"], start=1):
        wrong = _wrong_in_record(record, i)
        if wrong:
            return f"its record of epoch {i} {wrong}"
    if len({tuple(losses_in(record)) for record in training["records"]}) > 1:
        return "its records are of different losses"
    return ""


def _wrong_in_record(record: Any, epoch: int) -> str:
    if not isinstance(record, dict):
        return "is no dict"
    if type(record.get("epoch")) is not int or record["epoch"] != epoch:
        return f"has the number {record.get('epoch')!r:.40}"
    losses = losses_in(record)
    if not losses:
        return "has no training loss"
    trained = [f"train_{name}" for name in losses]
    measured = [f"valid_{name}" for name in LOSSES if record.get(f"valid_{name}") is not None]
    for name in (*trained, *measured, "seconds", "lr", "beta"):
        value = record.get(name)
        if not _is_number(value):
            return f"has {name} = {value!r:.40}"
    return ""


def _is_number(value: Any) -> bool:
    return type(value) is float or _is_whole(value, -_LARGEST)


def _is_whole(value: Any, least: int = 0) -> bool:
    return type(value) is int and least <= value <= _LARGEST

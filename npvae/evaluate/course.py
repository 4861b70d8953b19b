"""What a reader of the losses by epoch would see."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

_FALLING = 0.03
"""Share of the whole fall of a loss that falls in the last tenth of the epochs while it goes on."""
_RISEN = 0.05
"""Share of it by which a loss has to lie above its least to have risen."""
_LEAST = 0.1
"""Nats that are worth a word."""

Records = list[dict[str, Any]]


def losses_of(records: Records) -> tuple[str, list[float]]:
    """The validation loss by epoch, or without one that of training; its name stands in front."""
    if not records or records[-1].get("valid_loss") is None:
        return "training loss", [float(record["train_loss"]) for record in records]
    return "validation loss", [float(record["valid_loss"]) for record in records]


def last_tenth(epochs: int) -> int:
    """How many epochs the last tenth are."""
    return max(1, epochs // 10)


def still_falling(losses: list[float]) -> float | None:
    """The fall in the last tenth of the epochs, if that is much of all."""
    if len(losses) < 3:
        return None
    fall = losses[-1 - last_tenth(len(losses))] - losses[-1]
    return fall if fall > max(_LEAST, _FALLING * (losses[0] - min(losses))) else None


def risen(losses: list[float]) -> int | None:
    """The epoch of the least loss, from 1, if the last is well above it."""
    rise = losses[-1] - min(losses)
    if not rise > max(_LEAST, _RISEN * (losses[0] - min(losses))):
        return None
    return int(np.argmin(losses)) + 1


def warming_up(records: Records) -> float | None:
    """The last beta, if it was still rising as training ended.

    A record has the mean over its epoch, so that a rise which ended in the epoch before still shows
    in the last one, as a small step after a large one.
    """
    betas = [record["beta"] for record in records[-3:]]
    steps = [after - before for before, after in pairwise(betas)]
    return betas[-1] if steps and steps[-1] > 0 and steps[-1] >= steps[0] / 2 else None

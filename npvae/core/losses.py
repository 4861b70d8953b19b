"""The names of the losses of which a record of training has the means."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

LOSSES = ("loss", "rec", "kl")
"""Those of the ELBO, and so of every validation; an objective may name more, or others."""


_OF_LEVEL = "kl_"


def kl_of(level: int) -> str:
    """The name of a level's KL, of which level 1 is next to x."""
    return f"{_OF_LEVEL}{level}"


def is_of_level(name: str) -> bool:
    return name.startswith(_OF_LEVEL)


def in_words(name: str) -> str:
    """A loss as people call it."""
    if is_of_level(name):
        return f"KL of level {name.removeprefix(_OF_LEVEL)}"
    return {"kl": "KL"}.get(name, name)


def losses_in(record: Iterable[str]) -> list[str]:
    """The names of the training losses in a record, in the objective's order.

    What a callback has added stands behind the epoch's seconds and is no loss.
    """
    own = takewhile(lambda key: key != "seconds", record)
    return [key.removeprefix("train_") for key in own if key.startswith("train_")]

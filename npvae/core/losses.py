"""The names of the losses of which a record of training has the means."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

LOSSES = ("loss", "rec", "kl")
"""Those of the ELBO, and so of every validation; an objective may name more, or others."""


def losses_in(record: Iterable[str]) -> list[str]:
    """The names of the training losses in a record, in the objective's order.

    What a callback has added stands behind the epoch's seconds and is no loss.
    """
    own = takewhile(lambda key: key != "seconds", record)
    return [key.removeprefix("train_") for key in own if key.startswith("train_")]

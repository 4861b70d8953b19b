"""Objectives: from a model's Terms to one number, and to the gradient of each term.

They know losses and no models. All are in nats per example: summed over data and latent
dimensions, averaged over the batch, each row times its weight where the terms have weights.
``loss = rec + beta · kl`` holds where an objective names these three.
"""

from typing import Any

from ..core import Losses, Objective, resolve
from .betatc import BetaTC
from .dip import DIP
from .dreg import DReG
from .elbo import ELBO
from .iwae import IWAE
from .mmd import MMD
from .renyi import CIWAE, MIWAE, Renyi
from .stl import STL

__all__ = [
    "CIWAE", "DIP", "ELBO", "IWAE", "MIWAE", "MMD", "STL", "BetaTC", "DReG", "Losses",
    "Objective", "Renyi", "as_objective",
]  # fmt: skip


def as_objective(choice: Any) -> Any:
    """The objective that a name or a config stands for, one's own as it is; for None the ELBO."""
    if callable(choice) and not isinstance(choice, type):
        return choice
    return resolve("objective", "elbo" if choice is None else choice)

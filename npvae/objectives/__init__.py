"""Objectives: from a model's Terms to one number, and to the gradient of each term.

They know losses and no models. All are in nats per example: summed over data and latent
dimensions, averaged over the batch, each row times its weight where the terms have weights.
``loss = rec + beta · kl`` holds where an objective names these three.
"""

from ..core import Losses, Objective
from .elbo import ELBO
from .iwae import IWAE

__all__ = ["ELBO", "IWAE", "Losses", "Objective"]

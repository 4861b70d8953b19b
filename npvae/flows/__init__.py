"""Normalising flows: invertible maps that make a posterior of a simple one richer."""

from .base import Flow, Flowed
from .coupling import Coupling
from .iaf import IAF
from .planar import Planar
from .prior import CouplingPrior, FlowPrior
from .radial import Radial
from .sylvester import Sylvester

__all__ = [
    "IAF",
    "Coupling",
    "CouplingPrior",
    "Flow",
    "FlowPrior",
    "Flowed",
    "Planar",
    "Radial",
    "Sylvester",
]

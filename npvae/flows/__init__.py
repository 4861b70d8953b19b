"""Normalising flows: invertible maps that make a posterior of a simple one richer."""

from .base import Flow, Flowed
from .planar import Planar

__all__ = ["Flow", "Flowed", "Planar"]

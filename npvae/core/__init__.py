"""What everything else is built on: the contract of a part, parameters, terms, numerics, errors."""

# ruff: noqa: F401

from .parameters import Slot, bind, children, clone, initialise, layout, n_parameters
from .part import Init, Part, registered, resolve
from .terms import LevelTerms, Objective, Terms

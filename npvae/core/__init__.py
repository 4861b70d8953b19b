"""What everything else is built on: the contract of a part, parameters, terms, numerics, errors."""

# ruff: noqa: F401

from .parameters import Slot, bind, children, clone, initialise, layout, n_parameters
from .part import Init, Part, registered_parts
from .registry import Registered, arguments_of, registered, resolve
from .terms import Objective, Terms

"""What everything else is built on: the contract of a part, parameters, terms, numerics, errors.

The names below are loaded when they are first used: the command line reads `core.errors` before it
knows whether it needs NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .objective import Losses, Objective
    from .parameters import Slot, bind, children, clone, initialise, layout, n_parameters
    from .part import Init, Part, registered_parts
    from .registry import Registered, arguments_of, registered, resolve
    from .terms import LevelTerms, Terms

_NAMES = {
    "objective": ("Losses", "Objective"),
    "parameters": ("Slot", "bind", "children", "clone", "initialise", "layout", "n_parameters"),
    "part": ("Init", "Part", "registered_parts"),
    "registry": ("Registered", "arguments_of", "registered", "resolve"),
    "terms": ("LevelTerms", "Terms"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "Init", "LevelTerms", "Losses", "Objective", "Part", "Registered", "Slot", "Terms",
    "arguments_of", "bind", "children", "clone", "initialise", "layout", "n_parameters",
    "registered", "registered_parts", "resolve",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value

"""One entry per registered part: inputs for it, and what it computes in a framework's words.

A part of `npvae/flows` gets its entry in `flows.PARTS` here and, where its mathematics is new, a
function of one name in both witnesses (`torch_witness.py` and `jax_witness.py`: the `w` of the
entries); a room of parts gets a module of its name.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from .case import B, C, D, Draw, Entry, H, M, V, Z

__all__ = ["PARTS", "ROOMS", "B", "C", "D", "Draw", "Entry", "H", "M", "V", "Z"]

ROOMS: dict[str, dict[str, Entry]] = {
    module.name: import_module(f"{__name__}.{module.name}").PARTS
    for module in iter_modules(__path__)
    if module.name != "case"
}
"""The entries by the room of the parts."""

PARTS = {name: entry for room in ROOMS.values() for name, entry in room.items()}

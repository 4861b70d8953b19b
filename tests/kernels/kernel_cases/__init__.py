"""One entry per kernel: its arguments, their shapes, and how exact it must be.

A kernel of `npvae/kernels/latent.py` gets its entry in `latent.KERNELS` here, and with it every
test in this folder; a module of kernels gets a module of its name.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from .case import VALUES, Kernel, inputs, sizes, strided

__all__ = ["KERNELS", "ROOMS", "VALUES", "Kernel", "inputs", "sizes", "strided"]

ROOMS: dict[str, dict[str, Kernel]] = {
    module.name: import_module(f"{__name__}.{module.name}").KERNELS
    for module in iter_modules(__path__)
    if module.name not in ("case", "domains")
}
"""The entries by the module of the kernels."""

KERNELS = {name: kernel for room in ROOMS.values() for name, kernel in room.items()}

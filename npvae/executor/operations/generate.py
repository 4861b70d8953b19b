"""Writes `dispatch.py`, the functions that choose between operations, from their declarations.

    python -m npvae.executor.operations.generate

Numba keeps machine code for functions that stand in a file, and calls an operation only by a name
that is written down: so the choice is written out, and a test holds it to the declarations.
"""

from __future__ import annotations

import importlib
import textwrap
from pathlib import Path
from types import ModuleType

from .declare import EVERYWHERE, IN_LOOP, OPERATIONS, Declaration, in_library

MODULES = (
    "activations", "cells", "columns", "conditional", "counts", "densities", "elementwise", "flows",
    "labels", "latent", "log_probs", "mixtures", "products", "spreads", "updates",
)  # fmt: skip
"""Those that declare operations."""

PATH = Path(__file__).with_name("dispatch.py")

HEAD = '''"""The choice between operations by number: written by `generate.py`."""

# fmt: off

from __future__ import annotations

from . import (
{imports}
)
from .options import choice, doubles, longs

BETA, STEP_SIZE, ROOT, DECAY = range(4)
"""What changes from step to step: the columns of `scalars`."""

N_OPERANDS, N_CONSTANTS = {n_operands}, {n_constants}
"""The most that an operation has."""


@choice
def run(code, p, c, lo, hi, n_items, thread, sharing, scratch, step, order, noise, scalars, losses):
    """Run an operation of the loop's own; False where the steps are to end."""
'''

LIBRARY = """

def {name}_library(sources):
    def perform(code, operands, constants, lo, hi, thread, scratch):
        if sources < 0:
            return
        p = longs(operands, N_OPERANDS)
"""
NUMBERS = "        c = doubles(constants, N_CONSTANTS)\n"


def text() -> str:
    """What `dispatch.py` is to hold."""
    modules = [importlib.import_module(f"{__package__}.{name}") for name in MODULES]
    libraries = sorted({o.library for o in OPERATIONS.values()} - {""})
    written = HEAD.format(
        imports="\n".join(f"    {name}," for name in MODULES),
        n_operands=max(len(o.operands) for o in OPERATIONS.values()),
        n_constants=max(len(o.constants) for o in OPERATIONS.values()),
    )
    written += _choices(in_library(""), modules, "    ") + "    return True\n"
    for name in libraries:
        choices = _choices(in_library(name), modules, "        ")
        head = LIBRARY.format(name=name) + (NUMBERS if "c[" in choices else "")
        written += head + choices + "\n    return perform\n"
    names = "".join(f'    "{name}": {name}_library,\n' for name in libraries)
    return f"{written}\n\nLIBRARIES = {{\n{names}}}\n"


def _choices(operations: list[Declaration], modules: list[ModuleType], indent: str) -> str:
    if len(operations) == 1:
        return _call(operations[0], modules, indent)
    written = ""
    for i, declared in enumerate(operations):
        written += f"{indent}{'elif' if i else 'if'} code == {i}:\n"
        written += _call(declared, modules, indent + "    ")
    return written


def _call(declared: Declaration, modules: list[ModuleType], indent: str) -> str:
    said = {name: name for name in EVERYWHERE} | IN_LOOP
    said |= {name: f"p[{j}]" for j, name in enumerate(declared.operands)}
    said |= {name: f"c[{j}]" for j, name in enumerate(declared.constants)}
    arguments = ", ".join(f"{name}={said[name]}" for name in declared.parameters)
    call = f"{'return ' * declared.ends}{_place(declared, modules)}({arguments})"
    return _filled(call, indent) + "\n"


def _filled(words: str, indent: str) -> str:
    return textwrap.fill(words, 99, initial_indent=indent, subsequent_indent=indent + "    ")


def _place(declared: Declaration, modules: list[ModuleType]) -> str:
    """The name under which a module has the operation's function."""
    for module in modules:
        for name, value in vars(module).items():
            if value is declared.function:
                return f"{module.__name__.rpartition('.')[2]}.{name}"
    raise LookupError(f"no module has a name for the operation {declared.name!r}")


if __name__ == "__main__":
    PATH.write_text(text())

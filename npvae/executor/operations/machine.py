"""Machine code of operations: found in the cache, or made by a process of its own, and loaded."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

import llvmlite.binding as llvm

from ...core import interrupts
from . import cache, compiler
from .declare import EXECUTOR, LOOP, symbol
from .loop import FUNCTIONS, PARAMETERS

_NOTICE = "npvae: interrupted; training stops when its step is compiled"
_addresses: dict[str, int] = {}
_engines: list[Any] = []  # the memory that the addresses point to
_lock = threading.Lock()

if hasattr(os, "register_at_fork"):
    # A fork waits for this lock, which would else be nobody's in the child, and locked.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def addresses(names: Collection[str]) -> dict[str, int]:
    """Where the machine code of these is, at least; what is not there yet is found or made."""
    with _lock:
        missing = sorted(set(names) - _addresses.keys())
        if missing:
            _load(code_of(missing))
    return _addresses


def loop() -> Callable[[int], int]:
    """The loop, which takes the address of its arguments, as `arguments` puts them together.

    It leaves Python's lock to others while it runs.
    """
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(addresses([LOOP])[LOOP])


def arguments(*numbers: int) -> Any:
    """The loop's arguments, whole numbers, and addresses, one after the other in memory."""
    return (ctypes.c_int64 * len(PARAMETERS))(*numbers)


def execute() -> Callable[..., int]:
    """The loop as a function of its arguments."""
    run = loop()

    def call(*numbers: int) -> int:
        given = arguments(*numbers)  # which stays until the loop has ended
        return run(ctypes.addressof(given))

    return call


def operation(name: str) -> Callable[..., None]:
    """An operation by itself, as a function of its operands: one that asks for nothing else."""
    others = ("constants", "scalars", *EXECUTOR)
    kinds = [ctypes.c_int64] * (1 + len(others))
    run = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(addresses([name])[name])

    def call(*operands: int) -> None:
        given = (ctypes.c_int64 * len(operands))(*operands)
        run(ctypes.addressof(given), *[0] * len(others))

    return call


def code_of(names: Sequence[str]) -> dict[str, bytes]:
    """Object files by name, from the cache or made and put there."""
    kept = cache.Cache()
    found = {name: kept.read(name) for name in names}
    missing = [name for name, code in found.items() if code is None]
    if missing:
        made = made_apart(missing) or made_here(missing)
        kept.write(made)
        found |= made
    return {name: code for name, code in found.items() if code is not None}


def made_here(names: Sequence[str]) -> dict[str, bytes]:
    """Compile in this process, where no other can be started or it failed.

    An interrupt waits: it may land in one of LLVM's callbacks, where it gets lost.
    """
    with interrupts.held_back(_NOTICE):
        from .build import machine_code

        return machine_code(list(names))


_FIRST = "product", "convolve"
"""What takes longest to compile, and so comes first."""


def made_apart(names: Sequence[str]) -> dict[str, bytes] | None:
    """Compile in processes of their own; None where that can't be done."""
    if not compiler.can_start():
        return None
    order = sorted(names, key=lambda name: name not in _FIRST)
    try:
        return compiler.ready().make([FUNCTIONS.index(name) for name in order])
    except OSError:
        return None


def _load(code: dict[str, bytes]) -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.get_process_triple()
    machine = llvm.Target.from_triple(triple).create_target_machine(jit=True)
    module = llvm.parse_assembly("")
    module.triple = triple
    engine = llvm.create_mcjit_compiler(module, machine)
    for content in code.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(content))
    engine.finalize_object()
    _engines.append(engine)
    for name in code:
        _addresses[name] = engine.get_function_address(symbol(name))

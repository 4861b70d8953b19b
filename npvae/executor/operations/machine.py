"""Machine code of operations: found in the cache, or made by a process of its own, and loaded."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from ...core import interrupts
from ...core.threads import usable_cores
from . import cache
from .declare import symbol
from .loop import PARAMETERS

LOOP = "execute"
"""The name of the loop's own code, beside the operations'."""

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


_RUN = """
import json, sys
sys.path[:], shares = json.loads(sys.argv[1])
sys.modules["scipy"] = None  # Numba would import it, for products that nobody asks for here
from npvae.executor.operations.build import main
main(shares)
"""
_FORKS = sys.platform == "linux"
"""Whether one process imports Numba and then becomes several; elsewhere each imports it."""
_HEAVY = {"product": 7, "convolve": 6}
"""What takes as long as so many others to compile."""
_FEW = 12
"""So much of it is compiled by one process."""


def made_apart(names: Sequence[str]) -> dict[str, bytes] | None:
    """Compile in other processes, in two where it is much; None where that can't be done."""
    if getattr(sys, "frozen", False) or "python" not in Path(sys.executable or "").name.lower():
        return None  # a program that has Python in it, and would start itself
    shares = _shares(names, min(2, usable_cores(), 1 + len(names) // _FEW))
    orders = [shares] if _FORKS else [[share] for share in shares]
    path = [os.path.abspath(folder) for folder in sys.path]
    made: dict[str, bytes] = {}
    try:
        with contextlib.ExitStack() as stack:
            started = [stack.enter_context(_child([path, order])) for order in orders]
            for child, answer in started:
                if child.wait() != 0:
                    return None
                answer.seek(0)
                made |= {n: base64.b64decode(code) for n, code in json.load(answer).items()}
    except (OSError, ValueError):
        return None
    return made


def _shares(names: Sequence[str], n: int) -> list[list[str]]:
    """Names in n lists that take about as long."""
    shares: list[list[str]] = [[] for _ in range(n)]
    weights = [0] * n
    for name in sorted(names, key=lambda name: -_HEAVY.get(name, 1)):
        least = weights.index(min(weights))
        shares[least].append(name)
        weights[least] += _HEAVY.get(name, 1)
    return shares


@contextlib.contextmanager
def _child(order: Any) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """A process that compiles, with the file it writes to; none is left behind, nor its forks."""
    command = [sys.executable, "-W", "ignore", "-c", _RUN, json.dumps(order)]
    with tempfile.TemporaryFile() as answer:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=answer, stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parent,  # where no .numba_config.yaml of the user's is
            start_new_session=_FORKS,
        )  # fmt: skip
        try:
            yield child, answer
        finally:
            if child.poll() is None:
                if _FORKS:
                    os.killpg(child.pid, signal.SIGKILL)
                child.kill()
                child.wait()


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

"""Operations that are compiled apart from the executor, when a program first has one of them.

A model needs few of them, and those of all models together would double the time of the first
compilation. So each library is a C function of its own, with machine code in the cache, and the
executor calls it at the address that stands in the program's table.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core.ccallback import CFunc
from numba.core.compiler_lock import global_compiler_lock
from numba.core.sigutils import normalize_signature
from numba.extending import intrinsic

from ...core import interrupts
from .cache import cache_of

_NOTICE = "npvae: interrupted; training stops when its step is compiled"
_SIGNATURE = types.void(*[types.int64] * 7)


def digest() -> int:
    """A number that changes with any of the files that operations are compiled from."""
    text = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "little")


def cached(function: Any) -> Any:
    """A function that is compiled when first called, or found in the cache."""
    dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = cache_of(function)
    return dispatcher


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """Nobody compiles at the same time or forks, and Ctrl-C waits until the block has ended.

    An interrupt may land in one of LLVM's callbacks, where it gets lost or leaves halves behind.
    """
    with interrupts.held_back(_NOTICE), global_compiler_lock:
        yield


if hasattr(os, "register_at_fork"):
    # A fork waits for the compiler, whose lock would else be nobody's in the child, and locked.
    _release = global_compiler_lock.release
    os.register_at_fork(
        before=global_compiler_lock.acquire, after_in_parent=_release, after_in_child=_release
    )


class Library:
    """Some operations in one C function.

    Parameters
    ----------
    make : function
        Takes `digest` and gives ``perform(code, operands, constants, lo, hi, thread, scratch)``,
        which runs one of them; operands and constants are the addresses of int64 and float64. That
        it holds the digest makes it part of the cache's key, as with the executor. Each is written
        out: a compiled function, held by a closure, would be another in every process.
    """

    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make
        self._function: Any = None

    @property
    def address(self) -> int:
        """The function's; it is compiled, or found in the cache, when first asked for."""
        if self._function is None:
            with compiling():
                if self._function is None:
                    self._function = self._compiled(self._make(digest()))
        return int(self._function.address)

    def _compiled(self, function: Any) -> Any:
        made: Any = CFunc(function, normalize_signature(_SIGNATURE), {}, {"error_model": "numpy"})
        made._cache = cache_of(function)
        made.compile()
        return made


@intrinsic
def perform(context, address, code, operands, constants, lo, hi, thread, scratch):
    """Call the library at an address."""

    def generate(target, builder, signature, arguments):
        at, *rest = arguments
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * len(rest))
        builder.call(builder.inttoptr(at, kind.as_pointer()), rest)
        return target.get_dummy_value()

    return types.void(*[types.int64] * 8), generate

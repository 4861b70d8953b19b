"""Operations that are compiled apart from the executor, when a program first has one of them.

A model needs few of them, and those of all models together would double the time of the first
compilation. So each library is a C function of its own, with machine code in the cache, and the
executor calls it at the address that stands in the program's table.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_SIGNATURE = types.void(*[types.int64] * 7)
_compiling = threading.Lock()


def digest() -> int:
    """A number that changes with any of the files that operations are compiled from."""
    text = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "little")


def cached(compiler: Callable[..., Any], function: Any, *arguments: Any, **options: Any) -> Any:
    """Compile with a cache on disk, or without where no folder for one can be written."""
    options["error_model"] = "numpy"
    try:
        return compiler(*arguments, cache=True, **options)(function)
    except RuntimeError:
        return compiler(*arguments, **options)(function)


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
        with _compiling:
            if self._function is None:
                function = self._make(digest())
                self._function = cached(numba.cfunc, function, _SIGNATURE)
        return int(self._function.address)


@intrinsic
def perform(context, address, code, operands, constants, lo, hi, thread, scratch):
    """Call the library at an address."""

    def generate(target, builder, signature, arguments):
        at, *rest = arguments
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * len(rest))
        builder.call(builder.inttoptr(at, kind.as_pointer()), rest)
        return target.get_dummy_value()

    return types.void(*[types.int64] * 8), generate

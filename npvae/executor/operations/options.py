"""How the operations are compiled, and arrays at addresses."""

from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_FLAGS = {"contract", "nsz", "arcp"}  # never nnan and ninf: a NaN must stay one

# Merged into their callers, all of them: else a call goes to the machine code that the function got
# for itself where it was compiled in this process, but to its caller's copy where that came from
# the cache, and the two round differently. It also lets loops be vectorised.
# Nothing calls them through a C pointer. (Without the way in from Python too they would compile in
# two thirds of the time, but a test that calls one would end the process.)
_OPTIONS = dict(nogil=True, error_model="numpy", no_cfunc_wrapper=True, forceinline=True)

fast = numba.njit(fastmath=_FLAGS | {"reassoc"}, **_OPTIONS)
"""For sums, whose order may then change."""

exact = numba.njit(fastmath=_FLAGS, **_OPTIONS)
"""Without `reassoc`, which undoes range reductions and turns b v + (1 - b) g² into b (v - g²)."""

choice = numba.njit(inline="always", **_OPTIONS)
"""For what only chooses between operations, or calls another: merged into its caller before LLVM
sees it, since each level of calls would have all the code below it optimised once more."""


def _pointer_to(numba_type, llvm_type):
    @intrinsic
    def pointer(context, address):
        def generate(_, builder, signature, arguments):
            return builder.inttoptr(arguments[0], llvm_type.as_pointer())

        return types.CPointer(numba_type)(types.int64), generate

    return pointer


_float = _pointer_to(types.float32, ir.FloatType())
_double = _pointer_to(types.float64, ir.DoubleType())
_byte = _pointer_to(types.uint8, ir.IntType(8))
_long = _pointer_to(types.int64, ir.IntType(64))


@fast
def floats(address, n):
    """The float32 array of n numbers at an address."""
    return numba.carray(_float(address), (n,), np.float32)


@fast
def doubles(address, n):
    return numba.carray(_double(address), (n,), np.float64)


@fast
def octets(address, n):
    return numba.carray(_byte(address), (n,), np.uint8)


@fast
def longs(address, n):
    return numba.carray(_long(address), (n,), np.int64)


@fast
def moved(source, out, n):
    """The n numbers at `out`, copied there from `source` unless that is the same place.

    What computes in place then has one array for what it reads and writes, of which the compiler
    knows that no number depends on another's; of two it would have to fear that they overlap.
    """
    into = floats(out, n)
    if source != out:
        old = floats(source, n)
        for j in range(n):
            into[j] = old[j]
    return into


BLOCK, SHORT_ROWS = 128, 13
SHORT = BLOCK * SHORT_ROWS
"""How many float32 at the beginning of a thread's scratch `short` cuts into rows."""


@intrinsic
def _float_at(context, address, place):
    def generate(_, builder, signature, arguments):
        first = builder.inttoptr(arguments[0], ir.FloatType().as_pointer())
        return builder.gep(first, [arguments[1]], inbounds=True)

    return types.CPointer(types.float32)(types.int64, types.int64), generate


@fast
def short(scratch, row):
    """A row of BLOCK float32 in a thread's scratch.

    The compiler sees that these are parts of one array and how far apart they are. So a loop that
    reads and writes a dozen of them is vectorised, which it is not of a dozen arrays that might
    overlap: there are too many pairs to look at.
    """
    return numba.carray(_float_at(scratch, row * BLOCK), (BLOCK,), np.float32)

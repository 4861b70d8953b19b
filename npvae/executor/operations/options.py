"""How the operations are compiled, and arrays at addresses.

Numba is imported when something is to be compiled, and not before: a process that finds all machine
code in the cache starts in half the time without it.
"""

from __future__ import annotations

import functools
import inspect
from typing import ClassVar, NamedTuple

import numpy as np
from llvmlite import ir

_FLAGS = {"contract", "nsz", "arcp"}  # never nnan and ninf: a NaN must stay one

# Merged into their callers, all of them: it lets loops be vectorised. Nothing calls them through a
# C pointer, and they hold no references.
_OPTIONS = dict(nogil=True, error_model="numpy", no_cfunc_wrapper=True, forceinline=True)


class Compiled:
    """A function that Numba compiles when it is called, or when one that calls it is compiled.

    Attributes
    ----------
    py_func : function, as it is written
    made : Numba's own object for it
    """

    made_with: ClassVar[dict[str, bool]] = {}
    """More of Numba's options, for all that are made from now on."""
    _all: ClassVar[list[Compiled]] = []

    def __init__(self, make, function):
        functools.update_wrapper(self, function)
        self.py_func, self._make, self._made = function, make, None
        self._all.append(self)

    @property
    def made(self):
        if self._made is None:
            self._made = self._make(self.py_func)
        return self._made

    def __call__(self, *arguments):
        return self.made(*arguments)

    @property
    def _numba_type_(self):
        """By which Numba knows it in a function that calls it."""
        from numba.core.registry import cpu_target

        return cpu_target.typing_context.resolve_value_type(self.made)

    @classmethod
    def make_anew(cls, **options):
        """Forget all that was made, and make it with these options from now on."""
        cls.made_with = options
        for each in cls._all:
            each._made = None


def _jitted(flags, function):
    from numba import njit

    return njit(fastmath=flags, **{**_OPTIONS, **Compiled.made_with})(function)


def fast(function):
    """For sums, whose order may then change."""
    return Compiled(functools.partial(_jitted, _FLAGS | {"reassoc"}), function)


def exact(function):
    """Without `reassoc`, which undoes range reductions and makes b v + (1 - b) g² b (v - g²)."""
    return Compiled(functools.partial(_jitted, _FLAGS), function)


def as_written(function):
    """Every operation by itself and rounded, none left out: for bits that are another program's."""
    return Compiled(functools.partial(_jitted, set()), function)


def instruction(signature):
    """For what is written in LLVM's language: `write(builder, ...)` gives the result, or None.

    The signature is in Numba's words, ``"int64(int64, int64)"``.
    """
    return functools.partial(Compiled, functools.partial(_intrinsic, signature))


def _intrinsic(signature, write):
    from numba.core.registry import cpu_target
    from numba.core.sigutils import normalize_signature
    from numba.core.typing import signature as signed
    from numba.extending import intrinsic
    from numba.np.arrayobj import make_array, populate_array

    arguments, result = normalize_signature(signature)

    def generate(target, builder, kinds, values):
        written = write(builder, *values)
        if isinstance(written, Numbers):
            array = make_array(result)(target, builder)
            size = ir.Constant(LONG, np.dtype(result.dtype.name).itemsize)
            populate_array(array, written.first, [written.n], [size], size, meminfo=None)
            return array._getvalue()
        if isinstance(written, tuple):
            return target.make_tuple(builder, result, written)
        return target.get_dummy_value() if written is None else written

    def typed(context, *_):
        return signed(result, *arguments), generate

    typed.__signature__ = inspect.signature(write)
    made = intrinsic(typed)
    cpu_target.typing_context.refresh()  # so that it is known there
    return made


def external(module, name, result, arguments, **options):
    """A function that LLVM or the operating system has, declared in a module of LLVM's."""
    if name not in module.globals:
        ir.Function(module, ir.FunctionType(result, arguments, **options), name)
    return module.globals[name]


FLOAT, LONG = ir.FloatType(), ir.IntType(64)


class Numbers(NamedTuple):
    """An array: the pointer to its first number, and how many there are."""

    first: ir.Value
    n: ir.Value


@instruction("Array(float32, 1, 'C')(int64, int64)")
def floats(builder, address, n):
    """The float32 array of n numbers at an address."""
    return Numbers(builder.inttoptr(address, FLOAT.as_pointer()), n)


@instruction("Array(float64, 1, 'C')(int64, int64)")
def doubles(builder, address, n):
    return Numbers(builder.inttoptr(address, ir.DoubleType().as_pointer()), n)


@instruction("Array(uint8, 1, 'C')(int64, int64)")
def octets(builder, address, n):
    return Numbers(builder.inttoptr(address, ir.IntType(8).as_pointer()), n)


@instruction("Array(int64, 1, 'C')(int64, int64)")
def longs(builder, address, n):
    return Numbers(builder.inttoptr(address, LONG.as_pointer()), n)


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


@instruction("Array(float32, 1, 'C')(int64, int64)")
def short(builder, scratch, row):
    """A row of BLOCK float32 in a thread's scratch.

    The compiler sees that these are parts of one array and how far apart they are. So a loop that
    reads and writes a dozen of them is vectorised, which it is not of a dozen arrays that might
    overlap: there are too many pairs to look at.
    """
    length = ir.Constant(LONG, BLOCK)
    first = builder.inttoptr(scratch, FLOAT.as_pointer())
    return Numbers(builder.gep(first, [builder.mul(row, length)], inbounds=True), length)

"""How the kernels are compiled.

No `fastmath` as a whole: it would assume that NaN and Inf do not exist; of its flags only those are
set that let sums be reordered and products be contracted.

Numba takes a kept kernel for stale where its own file has changed, and looks at no other: after a
change here, touch the files of the kernels.
"""

from __future__ import annotations

import math

import numba

_FLAGS = {"contract", "nsz", "arcp"}


def _compiled(function, flags):
    # Merged into their callers: from a cache and compiled here they would else differ in rounding.
    options = dict(nogil=True, fastmath=flags, error_model="numpy", forceinline=True)
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep a cache in can be written
        return numba.njit(**options)(function)


def kernel(function):
    return _compiled(function, _FLAGS | {"reassoc"})


def exact_kernel(function):
    """Without `reassoc`, which would rewrite b v + (1 - b) g² as g² + b (v - g²), and cancel."""
    return _compiled(function, _FLAGS)


@kernel
def logistic(s):
    one = type(s)(1)
    e = math.exp(-abs(s))
    return (one if s >= 0 else e) / (one + e)

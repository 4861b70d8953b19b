"""The loop over steps and operations; compiled once, for every network.

A program is a table of int64, a row per operation: its number, whether a barrier comes before it,
how many threads share it, how many items these divide among them, the address of the library that
it is compiled in (0 where that is the loop itself), and then its operands; with a table of float64
for its constants. `lower.py` and `program.py` write it.
"""

from __future__ import annotations

import numba
import numpy as np

from . import dispatch, products, sync
from .libraries import Library, cached, digest, perform
from .options import SHORT

LIBRARIES = {name: Library(make) for name, make in dispatch.LIBRARIES.items()}

CODE, WAITS, SHARING, N_ITEMS, LIBRARY, FIRST_OPERAND = range(6)
"""The columns of the table."""
N_COLUMNS = FIRST_OPERAND + dispatch.N_OPERANDS
N_CONSTANTS = dispatch.N_CONSTANTS


def scratch_size(per_feature: int) -> int:
    """How many float32 a thread needs to itself, where a feature has so many numbers at most."""
    return max(SHORT + 5 * per_feature, products.SCRATCH)


def _executor(sources):
    """`execute`, whose cached machine code is found by what is in all of these files.

    (Numba looks at this file alone to see whether its cache is stale; what a closure holds is
    part of the key as well.)
    """

    def execute(
        thread, n_threads, ops, constants, first_op, last_op, first_step, last_step,
        order, noise, scalars, losses, counters, scratch, scratch_size,
    ):  # fmt: skip
        """Run operations first_op to last_op of each step; returns the first step not done.

        Every thread calls it with its own number; all get the same tables. `order` (steps · B)
        has the rows of the data, `noise` is the address of all noise, `scalars` (steps, 4) has
        what changes from step to step, and `losses` (steps, n) is written. At `scratch` each thread
        has `scratch_size` float32 to itself. The loop ends at a step whose loss, or gradient, is
        not finite, before Adam has touched anything.
        """
        if sources < 0:
            return -1
        scratch += 4 * thread * scratch_size
        for step in range(first_step, last_step):
            for i in range(first_op, last_op):
                o, c = ops[i], constants[i]
                if o[WAITS] != 0 and not sync.barrier(counters, n_threads):
                    return step
                code, sharing, n_items, library = o[CODE], o[SHARING], o[N_ITEMS], o[LIBRARY]
                if thread >= sharing:
                    continue
                lo, hi = n_items * thread // sharing, n_items * (thread + 1) // sharing
                p = o[FIRST_OPERAND:]
                if library != 0:
                    operands, numbers = np.int64(p.ctypes.data), np.int64(c.ctypes.data)
                    perform(library, code, operands, numbers, lo, hi, thread, scratch)
                elif not dispatch.run(
                    code, p, c, lo, hi, n_items, thread, sharing, scratch, step, order, noise,
                    scalars, losses,
                ):  # fmt: skip
                    sync.stop(counters)  # for threads that have no share in this
                    return step
            if not sync.barrier(counters, n_threads):
                return step
        return last_step

    return execute


execute = cached(_executor(digest()))

COMPILES = not numba.config.DISABLE_JIT
"""Whether it can run: Numba's switch to run everything in Python is for functions on arrays."""

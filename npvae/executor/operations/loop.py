"""The loop over steps and operations, which is the same for every network.

A program is a table of int64, a row per operation: the address of its machine code, whether a
barrier comes before it, how many threads share it, how many items these divide among them, into how
many pieces each cuts its share (0 where it does it at once), and then its operands; with a table of
float64 for its constants. `lower.py` and `program.py` write it.
"""

from __future__ import annotations

import inspect
import os

from llvmlite import ir

from . import (  # noqa: F401  (they declare the operations)
    activations,
    aggregate,
    by_class,
    cells,
    codes,
    columns,
    conditional,
    convolve,
    counts,
    densities,
    elementwise,
    flows,
    labels,
    latent,
    log_probs,
    mixtures,
    normals,
    norms,
    products,
    resize,
    spreads,
    sync,
    updates,
)  # fmt: skip
from .declare import LOOP, OPERATIONS, SCALARS
from .options import LONG, SHORT, fast, instruction, longs

ADDRESS, WAITS, SHARING, N_ITEMS, PIECES, FIRST_OPERAND = range(6)
"""The columns of the table."""
N_COLUMNS = FIRST_OPERAND + max(len(o.operands) for o in OPERATIONS.values())
N_CONSTANTS = max(len(o.constants) for o in OPERATIONS.values())
N_SCALARS = len(SCALARS)
BETA = SCALARS.index("beta")

COMPILES = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
"""Whether it can run: Numba's switch to run everything in Python is for functions on arrays."""


def scratch_size(per_feature: int) -> int:
    """How many float32 a thread needs to itself, where a feature has so many numbers at most."""
    return max(SHORT + 5 * per_feature, products.SCRATCH)


@instruction(f"int64({', '.join(['int64'] * 14)})")
def _perform(
    builder, address, operands, constants, scalars, lo, hi, n_items, thread, sharing, scratch, step,
    order, noise, losses,
):  # fmt: skip
    """Call the operation at an address; 0 where the steps are to end."""
    arguments = [
        operands, constants, scalars, lo, hi, n_items, thread, sharing, scratch, step, order, noise,
        losses,
    ]  # fmt: skip
    kind = ir.FunctionType(LONG, [LONG] * len(arguments))
    return builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)


@fast
def execute(
    thread, n_threads, table, constants, first_op, last_op, first_step, last_step, order, noise,
    scalars, losses, n_losses, counters, scratch, scratch_size,
):  # fmt: skip
    """Run operations first_op to last_op of each step; returns the first step not done.

    All are whole numbers, or addresses. Every thread calls it with its own number; all get the same
    tables. At `order` (steps · B) stand the rows of the data, at `noise` all noise, at `scalars`
    (steps, N_SCALARS) what changes from step to step; `losses` (steps, n_losses) is written. At
    `scratch` each thread has `scratch_size` float32 to itself. The loop ends at a step whose loss,
    or gradient, is not finite, before Adam has touched anything.
    """
    own_scratch = scratch + 4 * thread * scratch_size
    for step in range(first_step, last_step):
        for i in range(first_op, last_op):
            at = table + 8 * N_COLUMNS * i
            row = longs(at, FIRST_OPERAND)
            if row[WAITS] != 0 and not sync.barrier(counters, n_threads):
                return step
            sharing, n_items, pieces = row[SHARING], row[N_ITEMS], row[PIECES]
            # Where there are pieces, who has done its own takes what others have not begun yet.
            for other in range(0 if thread >= sharing else sharing if pieces > 0 else 1):
                whose = (thread + other) % sharing
                begin, end = n_items * whose // sharing, n_items * (whose + 1) // sharing
                taken = counters + 8 * (sync.SIZE + n_threads * i + whose)
                piece = sync.take(taken, pieces, sharing) if pieces > 0 else 0
                while piece < max(1, pieces):
                    lo = begin + (end - begin) * piece // max(1, pieces)
                    hi = begin + (end - begin) * (piece + 1) // max(1, pieces)
                    going_on = _perform(
                        row[ADDRESS], at + 8 * FIRST_OPERAND, constants + 8 * N_CONSTANTS * i,
                        scalars + 8 * N_SCALARS * step, lo, hi, n_items, thread, sharing,
                        own_scratch, step, order, noise, losses + 8 * n_losses * step,
                    )  # fmt: skip
                    if going_on == 0:
                        sync.stop(counters)  # for threads that have no share in this
                        return step
                    piece = sync.take(taken, pieces, sharing) if pieces > 0 else 1
        if not sync.barrier(counters, n_threads):
            return step
    return last_step


PARAMETERS = tuple(inspect.signature(execute).parameters)

FUNCTIONS = (LOOP, *sorted(OPERATIONS))
"""All that is compiled; another process is told a function by its place here, in one byte."""

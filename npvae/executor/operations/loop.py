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
def _next_piece(row, taken, thread, last):
    """The piece of an operation that a thread does after its last one; -1 for none, as at first.

    The pieces of one thread's share follow those of another's. It does its own share, at once where
    that is one piece; else it asks at `taken` which is free, and then takes of the others' shares
    what they have not begun yet.
    """
    sharing, pieces = row[SHARING], row[PIECES]
    if thread >= sharing:
        return -1
    if pieces == 0:
        return thread if last < 0 else -1
    other = 0 if last < 0 else (last // pieces - thread) % sharing
    while other < sharing:
        whose = (thread + other) % sharing
        piece = sync.take(taken + 8 * whose, pieces, sharing)
        if piece < pieces:
            return whose * pieces + piece
        other += 1
    return -1


@fast
def _items(row, piece):
    """The first item of a piece, and the first after it."""
    n_items, sharing, pieces = row[N_ITEMS], row[SHARING], max(1, row[PIECES])
    whose, part = piece // pieces, piece % pieces
    begin, end = n_items * whose // sharing, n_items * (whose + 1) // sharing
    size = end - begin
    return begin + size * part // pieces, begin + size * (part + 1) // pieces


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
            taken = counters + 8 * (sync.SIZE + n_threads * i)
            piece = _next_piece(row, taken, thread, -1)
            while piece >= 0:
                lo, hi = _items(row, piece)
                going_on = _perform(
                    row[ADDRESS], at + 8 * FIRST_OPERAND, constants + 8 * N_CONSTANTS * i,
                    scalars + 8 * N_SCALARS * step, lo, hi, row[N_ITEMS], thread, row[SHARING],
                    own_scratch, step, order, noise, losses + 8 * n_losses * step,
                )  # fmt: skip
                if going_on == 0:
                    sync.stop(counters)  # for threads that have no share in this
                    return step
                piece = _next_piece(row, taken, thread, piece)
        if not sync.barrier(counters, n_threads):
            return step
    return last_step


PARAMETERS = tuple(inspect.signature(execute).parameters)

FUNCTIONS = (LOOP, *sorted(OPERATIONS))
"""All that is compiled; another process is told a function by its place here, in one byte."""

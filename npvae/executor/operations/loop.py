"""The loop over steps and operations; compiled once, for every network.

A program is a table of int64, a row per operation: its code, whether a barrier comes before it,
how many threads share it, how many rows these divide among them, and then its operands as `OPS`
names them; with a table of float64 for its constants. `capture/lower.py` writes it. A row has also
the address of the library that its operation is compiled in, or 0 where that is the loop itself.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from . import (
    activations,
    columns,
    counts,
    densities,
    elementwise,
    labels,
    latent,
    log_probs,
    mixtures,
    products,
    spreads,
    sync,
    updates,
)
from .libraries import Library, cached, digest, perform
from .options import SHORT, choice, doubles, fast, floats

f32 = np.float32

LIBRARIES = (
    activations.LIBRARY, columns.LIBRARY, labels.LIBRARY, log_probs.LIBRARY, mixtures.LIBRARY,
    *spreads.LIBRARIES, *counts.LIBRARIES,
)  # fmt: skip

LOOP_OPS = {
    "product": ("a", "a_row", "a_k", "b", "b_k", "c", "c_row", "n", "k"),
    "gather": ("source", "kind", "out", "both", "batch", "width"),
    "noise": ("offset", "out", "n", "stride"),
    "transpose": ("source", "out", "rows", "columns"),
    "activate": ("kind", "a", "b", "h", "s", "n"),
    "activate_backward": ("kind", "dh", "kept", "da", "db", "n"),
    "add": ("a", "b", "out", "n"),
    "add_doubles": ("a", "b", "out", "n"),
    "fill": ("out", "n"),
    "repeat": ("source", "out", "n", "times"),
    "sum_repeats": ("source", "out", "n", "times"),
    "scale_rows": ("d", "r", "out", "n"),
    "sum_rows": ("d", "slope", "out", "n"),
    "heads": ("stats", "mu", "logvar", "n"),
    "heads_backward": ("dmu", "dlogvar", "stats", "d_stats", "n"),
    "reparameterise": ("mu", "logvar", "eps", "z", "std", "samples", "batch"),
    "reparameterise_backward": ("dz", "std", "eps", "dmu", "dlogvar", "samples", "batch"),
    "gaussian_kl": ("mu", "logvar", "kl", "n"),
    "gaussian_kl_backward": ("dkl", "mu", "logvar", "dmu", "dlogvar", "n"),
    "bernoulli": ("logits", "x", "r", "partial", "samples", "batch"),
    "gaussian": ("mean", "x", "r", "partial", "samples", "batch", "log_scale"),
    "row_sums": ("partial", "parts", "out", "n"),
    "gaussian_sums": ("partial", "parts", "log_px", "slope", "n", "log_scale"),
    "dot": ("a", "b", "out", "n"),
    "mean_loss": ("log_px", "d_log_px", "rec", "samples", "batch", "weights"),
    "kl_loss": ("kl", "d_kl", "out", "z_dim", "samples", "batch", "weights"),
    "sampled_kl_loss": (
        "log_qz", "log_pz", "out", "d_log_qz", "d_log_pz", "samples", "batch", "weights",
    ),
    "weighted_loss": ("rec", "kl", "out"),
    "iwae": (
        "log_px", "log_pz", "log_qz", "loss", "rec", "kl", "d_log_px", "d_log_qz",
        "samples", "batch", "weights",
    ),
    "check": ("loss", "rec", "kl"),
    "norm": ("g", "partial"),
    "adam": ("theta", "g", "m", "v", "partial", "parts"),
}  # fmt: skip

OPS = LOOP_OPS | {name: names for library in LIBRARIES for name, names in library.ops.items()}
"""The operations and the names of their operands, in the order of the table's columns."""

CODE = {
    name: number
    for ops in (LOOP_OPS, *(library.ops for library in LIBRARIES))
    for number, name in enumerate(ops)
}
"""Their numbers, which each library begins anew."""

LIBRARY: dict[str, Library] = {name: library for library in LIBRARIES for name in library.ops}
"""Where those are compiled that are not part of the loop."""

FIRST_OPERAND = 5
N_COLUMNS = FIRST_OPERAND + max(len(names) for names in OPS.values())
N_CONSTANTS = 6


def scratch_size(rows: int) -> int:
    """How many float32 a thread needs to itself, where arrays have so many rows at most."""
    return SHORT + 5 * rows


BETA, STEP_SIZE, ROOT, DECAY = range(4)
"""What changes from step to step: the columns of `scalars`."""

(
    PRODUCT, GATHER, NOISE, TRANSPOSE, ACTIVATE, ACTIVATE_BACKWARD, ADD, ADD_DOUBLES, FILL, REPEAT,
    SUM_REPEATS, SCALE_ROWS, SUM_ROWS, HEADS, HEADS_BACKWARD, REPARAMETERISE,
    REPARAMETERISE_BACKWARD, GAUSSIAN_KL, GAUSSIAN_KL_BACKWARD, BERNOULLI, GAUSSIAN, ROW_SUMS,
    GAUSSIAN_SUMS, DOT, MEAN_LOSS, KL_LOSS, SAMPLED_KL_LOSS, WEIGHTED_LOSS, IWAE, CHECK, NORM, ADAM,
) = range(len(LOOP_OPS))  # fmt: skip


@choice
def _elementwise(code, p, c, lo, hi, scratch):
    if code == ACTIVATE:
        activations.activate(p[0], p[1], p[2], p[3], p[4], lo, hi, p[5], f32(c[0]))
    elif code == ACTIVATE_BACKWARD:
        activations.activate_backward(p[0], p[1], p[2], p[3], p[4], lo, hi, p[5], f32(c[0]))
    elif code == TRANSPOSE:
        elementwise.transpose(p[0], p[1], lo, hi, p[2], p[3])
    elif code == ADD:
        elementwise.add(p[0], p[1], p[2], lo, hi, p[3])
    elif code == ADD_DOUBLES:
        elementwise.add_doubles(p[0], p[1], p[2], p[3])
    elif code == FILL:
        elementwise.fill(p[0], lo * p[1], hi * p[1], f32(c[0]))
    elif code == REPEAT:
        elementwise.repeat(p[0], p[1], lo, hi, p[2], p[3])
    elif code == SUM_REPEATS:
        elementwise.sum_repeats(p[0], p[1], lo, hi, p[2], p[3])
    elif code == SCALE_ROWS:
        elementwise.scale_rows(p[0], p[1], p[2], lo, hi, p[3], c[0], scratch)
    elif code == SUM_ROWS:
        elementwise.sum_rows(p[0], p[1], p[2], lo, hi, p[3])


@choice
def _latent(code, p, c, lo, hi, rows):
    if code == HEADS:
        latent.heads(p[0], p[1], p[2], lo, hi, rows, p[3], f32(c[0]), f32(c[1]))
    elif code == HEADS_BACKWARD:
        latent.heads_backward(p[0], p[1], p[2], p[3], lo, hi, rows, p[4], f32(c[0]), f32(c[1]))
    elif code == REPARAMETERISE:
        latent.reparameterise(p[0], p[1], p[2], p[3], p[4], lo, hi, p[5], p[6])
    elif code == REPARAMETERISE_BACKWARD:
        latent.reparameterise_backward(p[0], p[1], p[2], p[3], p[4], lo, hi, p[5], p[6])
    elif code == GAUSSIAN_KL:
        latent.gaussian_kl(p[0], p[1], p[2], lo, hi, p[3])
    elif code == GAUSSIAN_KL_BACKWARD:
        latent.gaussian_kl_backward(p[0], p[1], p[2], p[3], p[4], lo, hi, p[5])


@choice
def _density(code, p, c, lo, hi, thread, scratch):
    if code == BERNOULLI:
        part = p[3] + 8 * thread * p[4] * p[5]
        densities.bernoulli(p[0], p[1], p[2], part, lo, hi, p[4], p[5], scratch)
    elif code == GAUSSIAN:
        part = p[3] + 16 * thread * p[4] * p[5]
        inverse = f32(c[0]) if p[6] == 0 else f32(math.exp(-floats(p[6], 1)[0]))
        densities.gaussian(p[0], p[1], p[2], part, lo, hi, p[4], p[5], inverse, scratch)
    elif code == ROW_SUMS:
        densities.row_sums(p[0], p[1], p[2], p[3], c[0], c[1])
    elif code == GAUSSIAN_SUMS:
        log_scale = c[0] if p[5] == 0 else np.float64(floats(p[5], 1)[0])
        densities.gaussian_sums(p[0], p[1], p[2], p[3], p[4], log_scale)
    elif code == DOT:
        densities.dot(p[0], p[1], p[2], p[3])


@choice
def _objective(code, p, c, rows, beta):
    if code == MEAN_LOSS:
        updates.mean_loss(p[0], p[1], p[2], p[3], p[4], p[5])
    elif code == KL_LOSS:
        updates.kl_loss(p[0], p[1], p[2], p[3], p[4], p[5], p[6], beta, c[0])
    elif code == SAMPLED_KL_LOSS:
        updates.sampled_kl_loss(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], beta)
    elif code == WEIGHTED_LOSS:
        updates.weighted_loss(p[0], p[1], p[2], beta)
    elif code == IWAE:
        updates.iwae(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10])


@fast
def _clip(partial, parts, most):
    """What Adam multiplies the gradient by: 1, or what cuts its norm to `most`; NaN says stop."""
    total = 0.0
    for square in doubles(partial, parts):
        total += square
    if math.isinf(most):
        return 1.0 if math.isfinite(f32(total)) else math.nan
    norm = math.sqrt(total)
    if not math.isfinite(norm):
        return math.nan
    return np.float64(f32(most / norm)) if norm > most else 1.0


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
        what changes from step to step, and `losses` (steps, 3) is written. At `scratch` each thread
        has `scratch_size` float32 to itself. The loop ends at a step
        whose loss, or gradient, is not finite, before Adam has touched anything.
        """
        if sources < 0:
            return -1
        scratch += 4 * thread * scratch_size
        for s in range(first_step, last_step):
            for i in range(first_op, last_op):
                o, c = ops[i], constants[i]
                if o[1] != 0 and not sync.barrier(counters, n_threads):
                    return s
                code, sharing, rows = o[0], o[2], o[3]
                if thread >= sharing:
                    continue
                lo, hi = rows * thread // sharing, rows * (thread + 1) // sharing
                p = o[FIRST_OPERAND:]
                if o[4] != 0:
                    operands, numbers = np.int64(p.ctypes.data), np.int64(c.ctypes.data)
                    perform(o[4], code, operands, numbers, lo, hi, thread, scratch)
                elif code == PRODUCT:
                    if hi > lo:
                        products.product(
                            p[0] + 4 * lo * p[1], p[1], p[2], p[3], p[4], p[5] + 4 * lo * p[6],
                            p[6], hi - lo, p[7], p[8],
                        )  # fmt: skip
                elif code == GATHER:
                    indices = order[s * p[4] :]
                    elementwise.gather(
                        p[0], p[1], f32(c[0]), indices, p[2], p[3], lo, hi, rows, p[5]
                    )
                elif code == NOISE:
                    source = noise + s * p[3] + p[0]
                    elementwise.transpose(source, p[1], lo, hi, p[2], rows)
                elif code == CHECK:
                    for j in range(3):
                        losses[s, j] = doubles(p[j], 1)[0]
                    if not math.isfinite(losses[s, 0]):
                        sync.stop(counters)
                        return s
                elif code == NORM:
                    doubles(p[1], sharing)[thread] = updates.square_sum(p[0], lo, hi)
                elif code == ADAM:
                    clip = _clip(p[4], p[5], c[3])
                    if math.isnan(clip):
                        sync.stop(counters)  # for threads that have no share in this
                        return s
                    updates.adam(
                        p[0], p[1], p[2], p[3], lo, hi, scalars[s, STEP_SIZE], c[0], c[1], c[2],
                        scalars[s, ROOT], scalars[s, DECAY], clip,
                    )  # fmt: skip
                elif code >= MEAN_LOSS:
                    _objective(code, p, c, rows, scalars[s, BETA])
                elif code >= BERNOULLI:
                    _density(code, p, c, lo, hi, thread, scratch)
                elif code >= HEADS:
                    _latent(code, p, c, lo, hi, rows)
                else:
                    _elementwise(code, p, c, lo, hi, scratch)
            if not sync.barrier(counters, n_threads):
                return s
        return last_step

    return execute


execute = cached(numba.njit, _executor(digest()), nogil=True)

COMPILES = not numba.config.DISABLE_JIT
"""Whether it can run: Numba's switch to run everything in Python is for functions on arrays."""

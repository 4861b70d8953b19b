"""Densities in which each entry has its own log p: the loops that are the same for all of them.

A density is two functions on numbers. `prepare` gives what depends on x and on the second
parameter alone, which is the same for all samples where each column has one parameter; `entry`
gives the rest, log p and its slopes along theta, along a gate beside it, and along the second
parameter. Both are computed for a block of rows at a time, in short rows of the thread's scratch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .declare import operation
from .densities import FLUSH, add_up
from .options import BLOCK, SHORT, doubles, exact, fast, floats, short
from .scalars import ZERO

f32 = np.float32

CONSTANTS: dict[str, Callable[..., tuple[float, ...]]] = {}
"""The densities, and what makes their constants c0 and c1 of the kernel's own."""


def density(
    name: str,
    cost: float,
    prepare: Any = None,
    gated: bool = False,
    constants: Callable[..., tuple[float, ...]] = lambda **own: tuple(own.values()),
) -> Callable[[Any], Any]:
    """Declare the function beneath, ``entry(theta, gate, x, t, fixed, c0, c1)``, as a density.

    It gives log p and its slopes along theta, gate and t.

    Parameters
    ----------
    name : str, the kernel's
    cost : float, nanoseconds for an entry, about
    prepare : ``prepare(x, t, c0)``, which gives the 5 numbers of `fixed`, or None
    gated : bool, whether theta (K, B, 2D) has a gate beside each column, and r alike
    constants : function from the kernel's own numbers, by name, to c0 and c1
    """
    CONSTANTS[name] = constants
    theta = "NX" if gated else "KBF"

    def declare(entry: Any) -> Any:
        return operation(
            name,
            reads=dict(theta=theta, x="BF", spread="F", offset="B"),
            writes=dict(log_px="KB", r=theta, slope="KBF"),
            over=dict(r="theta"),
            constants=dict(c0=0.0, c1=0.0),
            cost=cost,
        )(_loops(prepare or _nothing, entry))

    return declare


@exact
def _nothing(x, t, c):
    return ZERO, ZERO, ZERO, ZERO, ZERO


@fast
def read_short(source, row, w):
    numbers = floats(source, w)
    for j in range(w):
        row[j] = numbers[j]


@fast
def add_to_short(source, row, w):
    numbers = floats(source, w)
    for j in range(w):
        row[j] += numbers[j]


@fast
def fill_short(row, value, w):
    for j in range(w):
        row[j] = value


@fast
def write_short(row, out, w):
    numbers = floats(out, w)
    for j in range(w):
        numbers[j] = row[j]


@fast
def add_short(row, out, w):
    numbers = floats(out, w)
    for j in range(w):
        numbers[j] += row[j]


@fast
def _four(scratch, first):
    """Four short rows."""
    return (
        short(scratch, first), short(scratch, first + 1), short(scratch, first + 2),
        short(scratch, first + 3),
    )  # fmt: skip


def _loops(prepare, entry):
    """r (D, KB), the slope along the second parameter, and Σ_D log p; 0 of each where x is NaN.

    theta (D, KB), or (2D, KB) with the gates `gates` bytes behind, and r alike; x (D, B); the
    second parameter (D,), or `by_entry` (D, KB), and its slope (D, KB); an offset of theta (B,). An
    address that is 0 is that of nothing.
    """

    @fast
    def fix(data, t, fixed, w, c0):
        for j in range(w):
            x = data[j] if data[j] == data[j] else ZERO
            fixed[0][j], fixed[1][j], fixed[2][j], fixed[3][j], fixed[4][j] = prepare(x, t[j], c0)

    @fast
    def compute(given, fixed, found, w, c0, c1):
        location, gate, data, t = given
        for j in range(w):
            known = data[j] == data[j]
            prepared = fixed[0][j], fixed[1][j], fixed[2][j], fixed[3][j], fixed[4][j]
            log_p, along, along_gate, along_t = entry(
                location[j], gate[j], data[j] if known else ZERO, t[j], prepared, c0, c1
            )
            found[0][j] = log_p if known else ZERO
            found[1][j] = along if known else ZERO
            found[2][j] = along_gate if known else ZERO
            found[3][j] = along_t if known else ZERO

    @fast
    def run(
        theta, x, spread, by_entry, offset, r, slope, gates, partial, samples, batch, c0, c1,
        lo, hi, thread, scratch,
    ):  # fmt: skip
        given, found, d0, d1 = _four(scratch, 0), _four(scratch, 4), f32(c0), f32(c1)
        location, gate, data, t = given
        fixed = (*_four(scratch, 8), short(scratch, 12))
        n, long_row = samples * batch, scratch + 4 * SHORT
        sums, total = floats(long_row, n), doubles(partial + 8 * thread * n, n)
        for j in range(n):
            sums[j], total[j] = ZERO, 0.0
        for i in range(lo, hi):
            for first in range(0, batch, BLOCK):
                w = min(BLOCK, batch - first)
                read_short(x + 4 * (i * batch + first), data, w)
                for k in range(samples):
                    column = k * batch + first
                    at = 4 * (i * n + column)
                    read_short(theta + at, location, w)
                    if offset != 0:
                        add_to_short(offset + 4 * first, location, w)
                    if gates != 0:
                        read_short(theta + gates + at, gate, w)
                    if by_entry != 0:
                        read_short(spread + at, t, w)
                    elif k == 0 and spread != 0:
                        fill_short(t, floats(spread, hi)[i], w)
                    if by_entry != 0 or k == 0:
                        fix(data, t, fixed, w, d0)
                    compute(given, fixed, found, w, d0, d1)
                    add_short(found[0], long_row + 4 * column, w)
                    write_short(found[1], r + at, w)
                    if gates != 0:
                        write_short(found[2], r + gates + at, w)
                    if slope != 0:
                        write_short(found[3], slope + at, w)
            if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
                add_up(sums, total, n)

    return run

"""Densities in which each entry has its own log p: the loops that are the same for all of them.

A density is two functions on numbers. `prepare` gives what depends on x and on the second
parameter alone, which is the same for all samples where each column has one parameter; `entry`
gives the rest, log p and its slopes along theta, along a gate beside it, and along the second
parameter. Both are computed for a block of rows at a time, in short rows of the thread's scratch.
"""

from __future__ import annotations

from .densities import FLUSH, add_up
from .options import BLOCK, SHORT, doubles, exact, fast, floats, longs, short
from .scalars import ZERO

OPERANDS = (
    "theta", "x", "spread", "by_entry", "offset", "r", "slope", "gates", "partial",
    "samples", "batch",
)  # fmt: skip
"""Of an operation that runs one of them: theta (D, KB), or (2D, KB) with the gates `gates` bytes
behind, and r alike; x (D, B); the second parameter, (D,) or `by_entry` (D, KB), and its slope
(D, KB); an offset of theta (B,). An address that is 0 is that of nothing."""


@exact
def nothing(x, t, c):
    """`prepare` for a density in which nothing is worth it."""
    return ZERO, ZERO, ZERO, ZERO, ZERO


@fast
def _read(source, row, w):
    numbers = floats(source, w)
    for j in range(w):
        row[j] = numbers[j]


@fast
def _read_more(source, row, w):
    numbers = floats(source, w)
    for j in range(w):
        row[j] += numbers[j]


@fast
def _fill(row, value, w):
    for j in range(w):
        row[j] = value


@fast
def _write(row, out, w):
    numbers = floats(out, w)
    for j in range(w):
        numbers[j] = row[j]


@fast
def _add(row, out, w):
    numbers = floats(out, w)
    for j in range(w):
        numbers[j] += row[j]


def density(prepare, entry):
    """r (D, KB), the slope along the second parameter, and Σ_D log p; 0 of each where x is NaN."""

    @fast
    def run(operands, c0, c1, lo, hi, thread, scratch):
        p = longs(operands, len(OPERANDS))
        theta, x, spread, by_entry, offset = p[0], p[1], p[2], p[3], p[4]
        r, slope, gates, partial, samples, batch = p[5], p[6], p[7], p[8], p[9], p[10]
        location, gate, data, t = (
            short(scratch, 0), short(scratch, 1), short(scratch, 2), short(scratch, 3),
        )  # fmt: skip
        one, d, d_gate, d_t = (
            short(scratch, 4), short(scratch, 5), short(scratch, 6), short(scratch, 7),
        )  # fmt: skip
        f0, f1, f2, f3, f4 = (
            short(scratch, 8), short(scratch, 9), short(scratch, 10), short(scratch, 11),
            short(scratch, 12),
        )  # fmt: skip
        n, long_row = samples * batch, scratch + 4 * SHORT
        sums, total = floats(long_row, n), doubles(partial + 8 * thread * n, n)
        for j in range(n):
            sums[j], total[j] = ZERO, 0.0
        for i in range(lo, hi):
            for first in range(0, batch, BLOCK):
                w = min(BLOCK, batch - first)
                _read(x + 4 * (i * batch + first), data, w)
                for k in range(samples):
                    column = k * batch + first
                    at = 4 * (i * n + column)
                    _read(theta + at, location, w)
                    if offset != 0:
                        _read_more(offset + 4 * first, location, w)
                    if gates != 0:
                        _read(theta + gates + at, gate, w)
                    if by_entry != 0:
                        _read(spread + at, t, w)
                    elif k == 0 and spread != 0:
                        _fill(t, floats(spread, hi)[i], w)
                    if by_entry != 0 or k == 0:
                        for j in range(w):
                            known = data[j] == data[j]
                            f0[j], f1[j], f2[j], f3[j], f4[j] = prepare(
                                data[j] if known else ZERO, t[j], c0
                            )
                    for j in range(w):
                        known = data[j] == data[j]
                        log_p, along, along_gate, along_t = entry(
                            location[j], gate[j], data[j] if known else ZERO, t[j],
                            (f0[j], f1[j], f2[j], f3[j], f4[j]), c0, c1,
                        )  # fmt: skip
                        one[j] = log_p if known else ZERO
                        d[j] = along if known else ZERO
                        d_gate[j] = along_gate if known else ZERO
                        d_t[j] = along_t if known else ZERO
                    _add(one, long_row + 4 * column, w)
                    _write(d, r + at, w)
                    if gates != 0:
                        _write(d_gate, r + gates + at, w)
                    if slope != 0:
                        _write(d_t, slope + at, w)
            if (i - lo) % FLUSH == FLUSH - 1 or i == hi - 1:
                add_up(sums, total, n)

    return run

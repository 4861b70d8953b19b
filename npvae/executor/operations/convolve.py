"""Convolutions, as products whose sums run over a list of runs.

With images by feature, (H, W, C, N), the batch's N numbers side by side, a place of a convolution
is a product of the weights and of those rows of the image that its window sees, and needs no copy
of them: it only finds them at several places, one for each run of taps that lie together. So does
the gradient of the image, and that of the weights, whose sum runs over the places. What differs
between them, and with stride, padding and dilation, stands in tables (`rules.windows`); nothing is
multiplied with padding.

A tile's sums stay in registers through all its runs. Every number of C is one sum in the order of
the tables, however threads share them.
"""

from __future__ import annotations

from llvmlite import ir

from . import scalars
from .declare import operation
from .options import LONG, fast, floats, instruction, longs
from .squares import transposed
from .tiles import (
    LANES,
    ROWS,
    VECTOR,
    ZERO,
    any_tile,
    apart,
    end,
    expect,
    first_places,
    load,
    long,
    one_round,
)

NOTHING = scalars.ZERO
RUN, ITEM = 3, 7
"""How many numbers stand in a row of the tables."""
N_BLOCK = 128
"""So many columns of C are worked on at a time: the image's rows that a place needs stay near."""

WIDTHS = {1: (8, 4), 2: (4,)}
"""Of a tile with few rows, the vectors that it may have besides 2: else it would wait for its own
sums."""
_SHAPES = [
    (rows, vectors) for rows in range(1, ROWS + 1) for vectors in (1, 2, *WIDTHS.get(rows, ()))
]
_ARGUMENTS = [LONG] * 11  # a, a_row, a_k, b, b_k, c, c_row, runs, n_runs, add, columns


@instruction(f"void({', '.join(['int64'] * 13)})")
def tile(builder, rows, vectors, a, a_row, a_k, b, b_k, c, c_row, runs, n_runs, add, columns):
    """A tile of C = A B, or C += A B, with the sum over one run or more.

    It is so many rows by so many vectors; a single vector has as many `columns` as are told.
    Addresses and strides are in bytes, `runs` the address of the first.
    """
    arguments = [rows, vectors, a, a_row, a_k, b, b_k, c, c_row, runs, n_runs, add, columns]
    builder.call(any_tile(builder.module, "npvae_runs", _ARGUMENTS, _SHAPES, _tile), arguments)


def _tile(module: ir.Module, rows: int, vectors: int) -> ir.Function:
    tile = apart(module, f"npvae_runs_{rows}_{vectors}", _ARGUMENTS)
    a, a_row, a_k, b, b_k, c, c_row, runs, n_runs, add, columns = tile.args
    entry, run, loop, after, done = (
        tile.append_basic_block(name) for name in ("entry", "run", "k", "after", "done")
    )
    write = ir.IRBuilder(entry)
    expect(write, c, c_row, rows, vectors)
    mask = first_places(write, columns) if vectors == 1 else None
    last = write.add(runs, write.mul(n_runs, long(8 * RUN)))
    offsets = [long(0)]
    for _ in range(1, rows):
        offsets.append(write.add(offsets[-1], a_row))
    write.branch(run)

    write.position_at_end(run)
    at_run, before = write.phi(LONG), _phis(write, rows, vectors)
    a_first, b_first, k = (load(write, write.add(at_run, long(8 * i)), LONG) for i in range(RUN))
    a_first, b_first = write.add(a, a_first), write.add(b, b_first)
    write.branch(loop)

    write.position_at_end(loop)
    (left, at_a, at_b), old = (write.phi(LONG) for _ in range(3)), _phis(write, rows, vectors)
    new = one_round(write, old, [write.add(at_a, offset) for offset in offsets], at_b, mask)
    fewer = write.sub(left, long(1))
    for phi, first, following in (
        (left, k, fewer), (at_a, a_first, write.add(at_a, a_k)),
        (at_b, b_first, write.add(at_b, b_k)),
    ):  # fmt: skip
        phi.add_incoming(first, run)
        phi.add_incoming(following, loop)
    write.cbranch(write.icmp_signed("!=", fewer, long(0)), loop, after)

    write.position_at_end(after)
    next_run = write.add(at_run, long(8 * RUN))
    at_run.add_incoming(runs, entry)
    at_run.add_incoming(next_run, after)
    write.cbranch(write.icmp_signed("!=", next_run, last), run, done)
    for i in range(rows):
        for j in range(vectors):
            before[i][j].add_incoming(ZERO, entry)
            before[i][j].add_incoming(new[i][j], after)
            old[i][j].add_incoming(before[i][j], run)
            old[i][j].add_incoming(new[i][j], loop)

    write.position_at_end(done)
    end(write, new, c, c_row, add, mask)
    return tile


def _phis(write: ir.IRBuilder, rows: int, vectors: int) -> list[list[ir.Value]]:
    return [[write.phi(VECTOR) for _ in range(vectors)] for _ in range(rows)]


@fast
def _vectors(rows, left):
    """How many vectors a tile of so many rows has, where so many columns are left."""
    if left < 2 * LANES:
        return 1
    if rows == 1 and left >= 8 * LANES:
        return 8
    if rows <= 2 and left >= 4 * LANES:
        return 4
    return 2


@fast
def _clear(c, c_row, rows, n):
    for i in range(rows):
        row = floats(c + i * c_row, n)
        for j in range(n):
            row[j] = NOTHING


@fast
def _item(a, a_row, a_k, b, b_k, c, c_row, rows, n, runs, n_runs, add):
    """C (rows, n) of one item."""
    tiles = (rows + ROWS - 1) // ROWS
    for t in range(tiles):
        i = rows * t // tiles
        height, j = rows * (t + 1) // tiles - i, 0
        while j < n:
            vectors = _vectors(height, n - j)
            tile(
                height, vectors, a + i * a_row, a_row, a_k, b + 4 * j, b_k,
                c + i * c_row + 4 * j, c_row, runs, n_runs, add, n - j,
            )  # fmt: skip
            j += vectors * LANES


@operation()
@fast
def convolve(a, a_row, a_k, b, b_k, c, c_row, starts, items, runs, turns, n, lo, hi, n_items):
    """For units lo to hi of all `n_items`: C = A B of each of their items.

    Each turn goes over all units once; at `starts` stands which items are the first ones of a
    unit's turn, the units of the first turn first, and at last how many items there are. An item is
    where its A, B and C begin, in numbers, how many rows it has, its first run and the one behind
    its last, and whether it is added to C. A run is where it begins in A and in B, in bytes, and
    its length.
    """
    a_row, a_k, b_k, c_row = 4 * a_row, 4 * a_k, 4 * b_k, 4 * c_row
    for first in range(0, n, N_BLOCK):
        width = min(N_BLOCK, n - first)
        for turn in range(turns):
            for unit in range(turn * n_items + lo, turn * n_items + hi):
                between = longs(starts + 8 * unit, 2)
                for i in range(between[0], between[1]):
                    item = longs(items + 8 * ITEM * i, ITEM)
                    a_at, b_at, c_at = (
                        a + 4 * item[0],
                        b + 4 * (item[1] + first),
                        c + 4 * (item[2] + first),
                    )
                    rows, run, n_runs, add = item[3], item[4], item[5] - item[4], item[6]
                    if n_runs > 0:
                        _item(
                            a_at, a_row, a_k, b_at, b_k, c_at, c_row, rows, width,
                            runs + 8 * RUN * run, n_runs, add,
                        )  # fmt: skip
                    elif add == 0:
                        _clear(c_at, c_row, rows, width)


@operation()
@fast
def copy_rows(source, out, lo, hi, width, pitch):
    """Rows lo to hi of a matrix so wide, to where they begin `pitch` numbers apart."""
    for i in range(lo, hi):
        old, new = floats(source + 4 * i * width, width), floats(out + 4 * i * pitch, width)
        for j in range(width):
            new[j] = old[j]


@operation()
@fast
def transpose_each(source, out, lo, hi, rows, columns):
    """Matrices lo to hi, each (rows, columns), as (columns, rows)."""
    for i in range(lo, hi):
        at = 4 * i * rows * columns
        transposed(source + at, 4 * columns, out + at, 4 * rows, rows, columns)

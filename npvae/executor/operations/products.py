"""Matrix products C = A B in float32, for matrices at addresses.

BLAS is left aside here for two reasons: its own threads fight with ours (two pools spin for the
same cores), and a wheel's BLAS may not know a new processor (on one AVX-512 machine OpenBLAS ran
its AVX2 kernels, at half of the speed that these reach; docs/performance.md).

B and C have their columns side by side; A has any strides, so A transposed costs nothing. k is
taken in blocks, and so are the rows of C, so that what a tile reads stays in the nearest caches. At
the sizes of most networks that needs no copies of A and B. Where both are large, or A's rows lie
where a cache has few places for them, they are copied into the thread's scratch (packed): a block
of A, and all panels of B once for all blocks of A. A panel of B whose rows lie far apart is copied
alone where it then stays in the first-level cache. A panel of B at the right edge is copied as
well, whatever stands behind it, and the tile's result goes through the scratch, so that no tile has
to mask what it reads and writes.

Every number of C is one sum over k in the same order, whatever the tiles and copies: its bits do
not depend on them, nor on how threads share the rows.
Source: Goto & van de Geijn 2008; Van Zee & van de Geijn 2015.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from .declare import operation
from .options import LONG, fast, floats, instruction
from .tiles import LANES, ROWS, VECTOR, load, store, tile

K_BLOCK = 528
"""How much of k is run over at a time, at most: the sums of a batch of 512 in one turn; and as
packed rows of A an odd number of cache lines, so that no two rows of a tile meet in a cache."""
ROW_BLOCK = 182
"""How many rows of A are in use at a time: with `K_BLOCK` less than a second-level cache."""
N_BLOCK = 1024
"""How many columns of B are packed at a time: with `K_BLOCK` two megabytes."""
PACKED_COLUMNS, PACKED_NUMBERS = 512, 1 << 19
"""What C has at least, of columns and in this thread's rows of numbers, to be called large."""
WAY, WAYS, LINE = 4096, 8, 64
"""Bytes that lie a multiple of `WAY` apart have `WAYS` lines of a first-level cache to share, each
of `LINE` bytes."""
PACKED_ROWS = 128
"""How many rows of A transposed are worth packing."""

WIDE = 2 * LANES
PANEL_IS_NEAR = WIDE <= 16
"""Whether a panel of B, 33 KiB at most, about fits into a first-level cache."""
SPREAD, OFTEN = 500_000, 16
"""There it stays if copied, where else its rows would be spread over so many bytes; and that pays
where so many tiles of A meet it."""
_ALIGNED = 16
"""Scratch begins at a multiple of a cache line, 16 numbers."""
EDGE = 4 * ROWS * WIDE
"""Bytes of a tile of C, with which the scratch begins."""
SCRATCH = _ALIGNED + EDGE // 4 + K_BLOCK * (N_BLOCK + ROW_BLOCK) + LANES
"""How many float32 of scratch a product needs: a tile of C, panels of B, a block of A."""


@instruction("void(int64, int64)")
def _vector(builder, source, out):
    """LANES numbers from one place to another."""
    store(builder, load(builder, source, VECTOR), out)


@instruction("void(int64, int64, int64)")
def _copy(builder, source, size, out):
    """So many bytes from one place to another."""
    pointer = ir.IntType(8).as_pointer()
    copy = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, LONG])
    places = [builder.inttoptr(address, pointer) for address in (out, source)]
    builder.call(copy, [*places, size, ir.Constant(ir.IntType(1), 0)])


@fast
def _pack(source, source_row, rows, n, most, out, out_row):
    """Rows of n numbers, of `most`, in whole vectors: what these have beyond n is not used.

    Rows behind which the matrix may end are copied exactly.
    """
    safe = rows - (4 * (most + LANES) + source_row - 1) // source_row
    for i in range(rows):
        old, new = source + i * source_row, out + i * out_row
        if i < safe:
            for j in range(0, most, LANES):
                _vector(old + 4 * j, new + 4 * j)
        else:
            _copy(old, 4 * n, new)


@fast
def _put(tile_at, c, c_row, m, n, add):
    """What a tile at the edge gave, into C, or added to it."""
    for i in range(m):
        source, out = tile_at + 4 * WIDE * i, c + i * c_row
        if add == 0:
            _copy(source, 4 * n, out)
        else:
            more, total = floats(source, n), floats(out, n)
            for j in range(n):
                total[j] += more[j]


@fast
def _share(m, parts, i):
    """Where the i-th of so many even parts of m rows begins, and its rows."""
    first = m * i // parts
    return first, m * (i + 1) // parts - first


@fast
def _block(a, a_row, a_k, b, b_k, c, c_row, m, n, k, add, packs, scratch):
    """C (m, n), of a block of A's rows and of k; the rows are shared evenly among the tiles."""
    panels, packed = scratch + EDGE, scratch + EDGE + 4 * K_BLOCK * N_BLOCK
    tiles = (m + ROWS - 1) // ROWS
    if packs and a_row == 4:
        for t in range(tiles):
            i, rows = _share(m, tiles, t)
            _pack(a + 4 * i, a_k, k, rows, ROWS, packed + 4 * K_BLOCK * i, 4 * rows)
    elif packs:
        for i in range(m):
            _copy(a + i * a_row, 4 * k, packed + 4 * K_BLOCK * i)
    for j in range(0, n, WIDE):
        columns = min(WIDE, n - j)
        vectors = 2 if columns > LANES else 1
        whole = columns == vectors * LANES
        b_at, b_step = b + 4 * j, b_k
        if packs:
            b_at, b_step = panels + 4 * k * j, 4 * WIDE
        elif not whole or (PANEL_IS_NEAR and b_k * k >= SPREAD and tiles >= OFTEN):
            _pack(b_at, b_k, k, columns, WIDE, panels, 4 * WIDE)
            b_at, b_step = panels, 4 * WIDE
        for t in range(tiles):
            i, rows = _share(m, tiles, t)
            a_at, row, step = a + i * a_row, a_row, a_k
            if packs:
                a_at = packed + 4 * K_BLOCK * i
                row, step = (4, 4 * rows) if a_row == 4 else (4 * K_BLOCK, 4)
            c_at = c + i * c_row + 4 * j
            if whole:
                tile(rows, vectors, a_at, row, step, b_at, b_step, c_at, c_row, k, add)
            else:
                tile(rows, vectors, a_at, row, step, b_at, b_step, scratch, 4 * WIDE, k, 0)
                _put(scratch, c_at, c_row, rows, columns, add)


@fast
def _is_packed(a_row, m, n):
    """Whether A and B are copied: each number is used often, or A's cache lines would be lost.

    They would be where a tile's rows meet in too few places of the cache, or where a tile takes
    less than half of each line of A transposed.
    """
    large = n >= PACKED_COLUMNS and m * n >= PACKED_NUMBERS
    meeting = a_row % WAY == 0 and min(m, ROWS) > WAYS and n > WIDE
    thin = a_row == 4 and 4 * ROWS < LINE // 2 and m >= PACKED_ROWS
    return large or meeting or thin


@operation()
@fast
def product(a, a_row, a_k, b, b_k, c, c_row, n, k, lo, hi, scratch):
    """Rows lo to hi of C (m, n) = A (m, k) B (k, n); addresses, and strides in numbers.

    `a_row` and `a_k` are A's strides along m and k, `b_k` and `c_row` those of B's and C's rows.
    """
    a_row, a_k, b_k, c_row = 4 * a_row, 4 * a_k, 4 * b_k, 4 * c_row
    scratch = (scratch + 4 * _ALIGNED - 1) // (4 * _ALIGNED) * (4 * _ALIGNED)
    packs = _is_packed(a_row, hi - lo, n)
    turns, blocks = (k + K_BLOCK - 1) // K_BLOCK, (hi - lo + ROW_BLOCK - 1) // ROW_BLOCK
    for turn in range(turns):
        start, some = _share(k, turns, turn)
        for j in range(0, n, N_BLOCK):
            b_at, columns = b + start * b_k + 4 * j, min(N_BLOCK, n - j)
            for i in range(0, columns if packs else 0, WIDE):
                panel = scratch + EDGE + 4 * some * i
                _pack(b_at + 4 * i, b_k, some, min(WIDE, columns - i), WIDE, panel, 4 * WIDE)
            for block in range(blocks):
                first, m = _share(hi - lo, blocks, block)
                first += lo
                _block(
                    a + first * a_row + start * a_k, a_row, a_k, b_at, b_k,
                    c + first * c_row + 4 * j, c_row, m, columns, some, min(turn, 1), packs,
                    scratch,
                )  # fmt: skip


@operation()
@fast
def product_of_rows(a, b, c, k, lo, hi):
    """Numbers lo to hi of the column C = A B, for a column B and rows of A that are whole.

    The sum runs along a row, whose numbers lie side by side, and not over the columns of a tile,
    all but one of which would be empty.
    """
    column, out = floats(b, k), floats(c, hi)
    for i in range(lo, hi):
        row, total = floats(a + 4 * i * k, k), np.float32(0)
        for j in range(k):
            total += row[j] * column[j]
        out[i] = total

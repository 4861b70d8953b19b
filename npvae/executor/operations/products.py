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
well, with zeros behind it, and the tile's result goes through the scratch, so that no tile has to
mask what it reads and writes.

Every number of C is one sum over k in the same order, whatever the tiles and copies: its bits do
not depend on them, nor on how threads share the rows.
Source: Goto & van de Geijn 2008; Van Zee & van de Geijn 2015.
"""

from __future__ import annotations

import numpy as np

from .declare import operation
from .options import fast, floats, instruction
from .squares import fetch
from .tiles import LANES, ROWS, VECTOR, load, store, tile

K_BLOCK = 336
"""How much of k is run over at a time, at most: as packed rows of A an odd number of cache lines,
so that no two rows of a tile meet in a cache; from 192 to 512 makes no difference beyond that."""
ROW_BLOCK = 280
"""How many rows of A are in use at a time: with `K_BLOCK` less than a second-level cache."""
N_BLOCK = 1024
"""How many columns of B are packed at a time: with `K_BLOCK` 1.3 megabytes."""
PACKED_COLUMNS, PACKED_NUMBERS = 512, 1 << 19
"""What C has at least, of columns and in this thread's rows of numbers, to be called large."""
WAY, WAYS, LINE = 4096, 8, 64
"""Bytes that lie a multiple of `WAY` apart have `WAYS` lines of a first-level cache to share, each
of `LINE` bytes."""
PACKED_ROWS = 128
"""How many rows of A transposed are worth packing."""

WIDE = 2 * LANES
PANEL_IS_NEAR = 4 * K_BLOCK * WIDE <= 1 << 15
"""Whether a panel of B fits into a first-level cache of 32 KiB."""
SPREAD, OFTEN = 500_000, 16
"""There it stays if copied, where else its rows would be spread over so many bytes; and that pays
where so many tiles of A meet it."""
_ALIGNED = 16
"""Scratch begins at a multiple of a cache line, 16 numbers."""
SCRATCH = _ALIGNED + ROWS * WIDE + K_BLOCK * (N_BLOCK + ROW_BLOCK)
"""How many float32 of scratch a product needs: a tile of C, panels of B, a block of A."""


@instruction("void(int64, int64)")
def _vector(builder, source, out):
    """LANES numbers from one place to another."""
    store(builder, load(builder, source, VECTOR), out)


@fast
def _pack_panel(b, b_k, n, k, out):
    """A panel of B: k rows of n numbers, WIDE at most, in rows of WIDE with zeros behind them."""
    for p in range(k):
        if n == WIDE:
            for j in range(0, WIDE, LANES):
                _vector(b + p * b_k + 4 * j, out + 4 * (WIDE * p + j))
        else:
            source, packed = floats(b + p * b_k, n), floats(out + 4 * WIDE * p, WIDE)
            for j in range(WIDE):
                packed[j] = np.float32(0)
            for j in range(n):
                packed[j] = source[j]


@fast
def _pack_panels(b, b_k, n, k, out):
    """All panels of B's n columns, one behind the other."""
    for j in range(0, n, WIDE):
        _pack_panel(b + 4 * j, b_k, min(WIDE, n - j), k, out + 4 * k * j)


@fast
def _pack_rows(a, a_row, m, k, out):
    """A block of A: its m rows, K_BLOCK numbers apart."""
    for i in range(m):
        if i < m - 2:
            fetch(a + (i + 2) * a_row, 4 * k)
        source, packed = floats(a + i * a_row, k), floats(out + 4 * K_BLOCK * i, k)
        for p in range(k):
            packed[p] = source[p]


@fast
def _pack_transposed(a, a_k, m, k, out):
    """A block of A transposed: for each tile, k times the numbers of its rows.

    What whole vectors have beyond them is written over by the next; the last row is copied exactly,
    since A may end there.
    """
    tiles = (m + ROWS - 1) // ROWS
    for t in range(tiles):
        i, rows = _share(m, tiles, t)
        source, packed = a + 4 * i, out + 4 * K_BLOCK * i
        for p in range(k - 1):
            for j in range(0, ROWS, LANES):
                _vector(source + p * a_k + 4 * j, packed + 4 * (rows * p + j))
        old, new = floats(source + (k - 1) * a_k, rows), floats(packed + 4 * rows * (k - 1), rows)
        for j in range(rows):
            new[j] = old[j]


@fast
def _put(tile_at, c, c_row, m, n, add):
    """What a tile at the edge gave, into C, or added to it."""
    for i in range(m):
        source, out = floats(tile_at + 4 * WIDE * i, n), floats(c + i * c_row, n)
        if add != 0:
            for j in range(n):
                out[j] += source[j]
        else:
            for j in range(n):
                out[j] = source[j]


@fast
def _areas(scratch):
    """Where a tile of C, the panels of B, and the block of A lie."""
    panels = scratch + 4 * ROWS * WIDE
    return scratch, panels, panels + 4 * K_BLOCK * N_BLOCK


@fast
def _share(m, parts, i):
    """Where the i-th of so many even parts of m rows begins, and its rows."""
    first = m * i // parts
    return first, m * (i + 1) // parts - first


@fast
def _block(a, a_row, a_k, b, b_k, c, c_row, m, n, k, add, packs, scratch):
    """C (m, n), of a block of A's rows and of k; the rows are shared evenly among the tiles."""
    edge, panels, packed = _areas(scratch)
    tiles = (m + ROWS - 1) // ROWS
    if packs and a_row == 4:
        _pack_transposed(a, a_k, m, k, packed)
    elif packs:
        _pack_rows(a, a_row, m, k, packed)
    for j in range(0, n, WIDE):
        columns = min(WIDE, n - j)
        vectors = 2 if columns > LANES else 1
        whole = columns == vectors * LANES
        b_at, b_step = b + 4 * j, b_k
        if packs:
            b_at, b_step = panels + 4 * k * j, 4 * WIDE
        elif not whole or (PANEL_IS_NEAR and b_k * k >= SPREAD and tiles >= OFTEN):
            _pack_panel(b_at, b_k, columns, k, panels)
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
                tile(rows, vectors, a_at, row, step, b_at, b_step, edge, 4 * WIDE, k, 0)
                _put(edge, c_at, c_row, rows, columns, add)


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
            if packs:
                _pack_panels(b_at, b_k, columns, some, _areas(scratch)[1])
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

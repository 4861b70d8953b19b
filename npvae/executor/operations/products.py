"""Matrix products C = A B in float32, for matrices at addresses.

BLAS is left aside here for two reasons: its own threads fight with ours (two pools spin for the
same cores), and a wheel's BLAS may not know a new processor (on one AVX-512 machine OpenBLAS ran
its AVX2 kernels, at half of the speed that these reach; docs/performance.md).

B and C have their columns side by side; A has any strides, so A transposed costs nothing. k is
taken in blocks, and so are the rows of C, so that what a tile reads stays in the nearest caches. At
the sizes of most networks that needs no copies of A and B. A large B is copied (packed) by an
operation of its own into panels of some columns, which all threads make together and then share.
Where A's rows lie where a cache has few places for them, a block of A is packed into the thread's
scratch. A panel of an unpacked B at the right edge is copied as well, whatever stands behind it,
and the tile's result goes through the scratch, so that no tile has to mask what it reads and
writes.

Every number of C is one sum over k in the same order, whatever the tiles and copies: its bits do
not depend on them, nor on how threads share the rows.
Source: Goto & van de Geijn 2008; Van Zee & van de Geijn 2015.
"""

from __future__ import annotations

from llvmlite import ir

from .declare import operation
from .options import FLOAT, LONG, fast, floats, instruction
from .tiles import (
    LANES,
    ROWS,
    VECTOR,
    ZERO,
    first_places,
    load,
    long,
    multiply_add,
    store,
    sum_of,
    tile,
)  # fmt: skip

K_BLOCK = 1040
"""How much of k is run over at a time, at most: the sums of a batch of 1,024 in one turn; and as
packed rows of A an odd number of cache lines, so that no two rows of a tile meet in a cache."""
ROW_BLOCK = 98
"""How many rows of A are in use at a time: with `K_BLOCK` less than a second-level cache."""
WAY, WAYS, LINE = 4096, 8, 64
"""Bytes that lie a multiple of `WAY` apart have `WAYS` lines of a first-level cache to share, each
of `LINE` bytes."""
PACKED_ROWS = 128
"""How many rows A and C have at least where copies pay."""

TOGETHER = 8
"""How many rows a product with one column takes at a time."""

WIDE = 2 * LANES
"""Columns of a panel of B."""
PACKED_NUMBERS = 1 << (19 if WIDE > 16 else 15)
"""How many numbers B has at least where a copy pays. In wide panels that is where B leaves the
second-level cache; of narrow ones each line that is fetched has more in it than the panel."""
_ALIGNED = 16
"""Scratch begins at a multiple of a cache line, 16 numbers."""
EDGE = 4 * ROWS * WIDE
"""Bytes of a tile of C, with which the scratch begins."""
SCRATCH = _ALIGNED + EDGE // 4 + K_BLOCK * (WIDE + ROW_BLOCK) + LANES
"""How many float32 of scratch a product needs: a tile of C, a panel of B, a block of A."""


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


@operation()
@fast
def pack(b, b_k, out, n, k, lo, hi):
    """Panels lo to hi of B (k, n): `WIDE` of its columns each, and one after the other."""
    for i in range(lo, hi):
        columns = min(WIDE, n - WIDE * i)
        _pack(b + 4 * WIDE * i, 4 * b_k, k, columns, WIDE, out + 4 * WIDE * k * i, 4 * WIDE)


def a_is_packed(a_row, m, n):
    """Whether A is copied, since else its cache lines would be lost.

    They would be where a tile's rows meet in too few places of the cache, or where a tile takes
    less than half of each line of A transposed. Else a copy costs more than it brings.
    """
    meeting = 4 * a_row % WAY == 0 and min(m, ROWS) > WAYS and n > WIDE
    thin = a_row == 1 and 4 * ROWS < LINE // 2 and m >= PACKED_ROWS
    return meeting or thin


def b_is_packed(m, n, k):
    """Whether B is copied: it is large, and each number is used often."""
    return k * n >= PACKED_NUMBERS and m >= PACKED_ROWS


@fast
def _pack_rows(a, a_row, a_k, m, k, tiles, out):
    """A block of A, row by row, or transposed tile by tile."""
    if a_row == 4:
        for t in range(tiles):
            i, rows = _share(m, tiles, t)
            _pack(a + 4 * i, a_k, k, rows, ROWS, out + 4 * K_BLOCK * i, 4 * rows)
    else:
        for i in range(m):
            _copy(a + i * a_row, 4 * k, out + 4 * K_BLOCK * i)


@fast
def _block(a, a_row, a_k, b, b_k, b_panel, c, c_row, m, n, k, add, packed, scratch):
    """C (m, n), of a block of A's rows and of k; the rows are shared evenly among the tiles."""
    panel, block = scratch + EDGE, scratch + EDGE + 4 * K_BLOCK * WIDE
    tiles = (m + ROWS - 1) // ROWS
    if packed:
        _pack_rows(a, a_row, a_k, m, k, tiles, block)
    for j in range(0, n, WIDE):
        columns = min(WIDE, n - j)
        vectors = 2 if columns > LANES else 1
        whole = columns == vectors * LANES
        b_at, b_step = b + b_panel * (j // WIDE), b_k
        if b_panel == 4 * WIDE and not whole:
            _pack(b_at, b_k, k, columns, WIDE, panel, 4 * WIDE)
            b_at, b_step = panel, 4 * WIDE
        for t in range(tiles):
            i, rows = _share(m, tiles, t)
            a_at, row, step = a + i * a_row, a_row, a_k
            if packed:
                a_at = block + 4 * K_BLOCK * i
                row, step = (4, 4 * rows) if a_row == 4 else (4 * K_BLOCK, 4)
            c_at = c + i * c_row + 4 * j
            if whole:
                tile(rows, vectors, a_at, row, step, b_at, b_step, c_at, c_row, k, add)
            else:
                tile(rows, vectors, a_at, row, step, b_at, b_step, scratch, 4 * WIDE, k, 0)
                _put(scratch, c_at, c_row, rows, columns, add)


@operation(piece=3 * ROWS)
@fast
def product(a, a_row, a_k, b, b_k, b_panel, c, c_row, n, k, packed, lo, hi, scratch):
    """Rows lo to hi of C (m, n) = A (m, k) B (k, n); addresses, and strides in numbers.

    `a_row` and `a_k` are A's strides along m and k, `b_k` and `c_row` those of B's and C's rows,
    `b_panel` that of B's panels, which tells whether B is what `pack` made of it. Where `packed` is
    not 0, A is copied block by block.
    """
    a_row, a_k, b_k, b_panel, c_row = 4 * a_row, 4 * a_k, 4 * b_k, 4 * b_panel, 4 * c_row
    scratch = (scratch + 4 * _ALIGNED - 1) // (4 * _ALIGNED) * (4 * _ALIGNED)
    turns, blocks = (k + K_BLOCK - 1) // K_BLOCK, (hi - lo + ROW_BLOCK - 1) // ROW_BLOCK
    for block in range(blocks):
        first, m = _share(hi - lo, blocks, block)
        first += lo
        for turn in range(turns):
            start, some = _share(k, turns, turn)
            _block(
                a + first * a_row + start * a_k, a_row, a_k, b + start * b_k, b_k, b_panel,
                c + first * c_row, c_row, m, n, some, min(turn, 1), packed != 0, scratch,
            )  # fmt: skip


@instruction(f"void({', '.join(['int64'] * 6)})")
def _times_column(builder, a, a_row, rows, column, k, out):
    """The products of some rows, up to `TOGETHER`, and a column of k numbers; strides in bytes.

    Each row has a vector of sums, and the last row stands for those that are not there.
    """
    last = builder.sub(rows, long(1))
    found = [
        builder.select(builder.icmp_signed("<", long(i), last), long(i), last)
        for i in range(TOGETHER)
    ]
    begins = [builder.add(a, builder.mul(a_row, i)) for i in found]

    def more(sums, at, mask=None):
        numbers = load(builder, builder.add(column, at), VECTOR, mask)
        vectors = [load(builder, builder.add(begin, at), VECTOR, mask) for begin in begins]
        return [multiply_add(builder, v, numbers, s) for v, s in zip(vectors, sums, strict=True)]

    entry, left = builder.block, builder.and_(k, long(LANES - 1))
    end = builder.shl(builder.sub(k, left), long(2))
    loop, rest = (builder.append_basic_block(name) for name in ("loop", "rest"))
    builder.cbranch(builder.icmp_signed("!=", end, long(0)), loop, rest)
    builder.position_at_end(loop)
    at, old = builder.phi(LONG), [builder.phi(VECTOR) for _ in begins]
    new, following = more(old, at), builder.add(at, long(4 * LANES))
    builder.cbranch(builder.icmp_signed("!=", following, end), loop, rest)
    builder.position_at_end(rest)
    sums = [builder.phi(VECTOR) for _ in begins]
    at.add_incoming(long(0), entry)
    at.add_incoming(following, loop)
    for phi, total in zip(old + sums, new + new, strict=True):
        phi.add_incoming(ZERO, entry)
        phi.add_incoming(total, loop)
    for i, total in zip(found, more(sums, end, first_places(builder, left)), strict=True):
        place = builder.add(out, builder.shl(i, long(2)))
        builder.store(sum_of(builder, total), builder.inttoptr(place, FLOAT.as_pointer()))


@operation()
@fast
def product_of_rows(a, b, c, k, lo, hi, step):
    """Numbers lo to hi of the column C = A B, for a column B and rows of A that are whole.

    The sum runs along a row, whose numbers lie side by side, and not over the columns of a tile,
    all but one of which would be empty. Some rows go together, since more comes from memory at a
    time where more is asked for. Every second step goes from the last rows to the first, which
    finds the last ones in a cache that does not hold all of A.
    """
    groups = (hi - lo + TOGETHER - 1) // TOGETHER
    for group in range(groups):
        i = lo + TOGETHER * (group if step % 2 == 0 else groups - 1 - group)
        _times_column(a + 4 * i * k, 4 * k, hi - i, b, k, c + 4 * i)

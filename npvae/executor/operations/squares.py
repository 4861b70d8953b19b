"""Transposition by squares of LANES by LANES numbers, in registers; and looking ahead.

Number by number a compiler makes of a transposition what it knows for places that lie apart: on
AVX2 the gathering loads, which take longer than a load for each number.

A square of vectors is transposed in log2(LANES) rounds, in each of which every vector is mixed with
another: first within groups of four rows and of four places, as the processors have it in one
instruction, then groups with groups. Source: Eklundh 1972.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from . import tiles
from .options import FLOAT, LONG, fast, floats, instruction
from .tiles import LANES

_INT = ir.IntType(32)
_VECTOR = ir.VectorType(FLOAT, LANES)


@instruction("void(int64, int64, int64, int64)")
def _square(builder, source, source_row, out, out_row):
    """The LANES by LANES float32 at `source`, transposed, to `out`; strides are in bytes."""

    def place(first, row, i):
        offset = builder.mul(row, ir.Constant(LONG, i))
        return builder.inttoptr(builder.add(first, offset), _VECTOR.as_pointer())

    rows = []
    for i in range(LANES):
        rows.append(builder.load(place(source, source_row, i)))
        rows[-1].align = 4
    for i, column in enumerate(_transposed(builder, rows)):
        builder.store(column, place(out, out_row, i)).align = 4


def _transposed(builder: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    def mixed(a: ir.Value, b: ir.Value, place: Callable[[int], int]) -> ir.Value:
        """The numbers at `place(j)` of a and b, one behind the other."""
        numbers = [ir.Constant(_INT, place(j)) for j in range(LANES)]
        mask = ir.Constant(ir.VectorType(_INT, LANES), numbers)
        return builder.shuffle_vector(a, b, mask)

    def alternating(high: int) -> Callable[[int], int]:
        """a0 b0 a1 b1 of each four places, or a2 b2 a3 b3 with high = 2."""
        return lambda j: 4 * (j // 4) + high + j % 4 // 2 + LANES * (j % 2)

    def groups(apart: int, high: int) -> Callable[[int], int]:
        """Of each two groups of so many places a's first and b's first, or both second ones."""
        return lambda j: j - j % (2 * apart) + high + j % apart + LANES * (j // apart % 2)

    done = list(rows)
    for i in range(0, LANES, 4):
        a, b, c, d = done[i : i + 4]
        for high in (0, 2):
            ab, cd = mixed(a, b, alternating(high)), mixed(c, d, alternating(high))
            done[i + high], done[i + high + 1] = (
                mixed(ab, cd, groups(2, 0)),
                mixed(ab, cd, groups(2, 2)),
            )
    apart = 4
    while apart < LANES:
        for i in range(LANES):
            if i & apart == 0:
                a, b = done[i], done[i + apart]
                done[i] = mixed(a, b, groups(apart, 0))
                done[i + apart] = mixed(a, b, groups(apart, apart))
        apart *= 2
    return done


@fast
def transposed(source, source_row, out, out_row, rows, columns):
    """out (columns, rows), from source (rows, columns); strides are in bytes.

    The last squares begin early enough to end where the matrix does, and write anew what the ones
    before them wrote. What is less than a square goes number by number, a single row as it is.
    """
    if rows >= LANES and columns >= LANES:
        for from_row in range(0, rows, LANES):
            i = min(from_row, rows - LANES)
            for from_column in range(0, columns, LANES):
                j = min(from_column, columns - LANES)
                _square(
                    source + i * source_row + 4 * j, source_row, out + j * out_row + 4 * i, out_row
                )
    elif (rows == 1 and out_row == 4) or (columns == 1 and source_row == 4):
        old, new = floats(source, rows * columns), floats(out, rows * columns)
        for j in range(rows * columns):
            new[j] = old[j]
    else:
        for i in range(rows):
            row = floats(source + i * source_row, columns)
            for j in range(columns):
                floats(out + j * out_row + 4 * i, 1)[0] = row[j]


@instruction("void(int64)")
def _prefetch(builder, address):
    tiles.fetch(builder, address)


@fast
def fetch(address, size):
    """Have these bytes brought into the cache while something else is done."""
    for at in range(0, size, 64):
        _prefetch(address + at)

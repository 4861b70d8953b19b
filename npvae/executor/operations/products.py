"""Matrix products C = A B or C += A B in float32, for matrices at addresses.

BLAS is left aside here for two reasons: its own threads fight with ours (two pools spin for the
same cores), and a wheel's BLAS may not know a new processor (on one AVX-512 machine OpenBLAS ran
its AVX2 kernels, at half of the speed that these reach; docs/performance.md).

B and C have their columns side by side; A has any strides, so A transposed costs nothing. The
product of a tile of C, `ROWS` by two vectors, is kept in registers while it runs over k: per k two
loads of B, and per row one number of A, spread over a vector, and two multiply-adds. That needs no
copies of A or B: with k taken in blocks the columns of B in use stay in the nearest caches.

The tiles are written in LLVM's language, since no loop in Python's would be sure to become them.
A vector longer than the processor's is split by LLVM, so any choice below is right everywhere.
Source: Goto & van de Geijn 2008; Van Zee & van de Geijn 2015, for the shape of the inner loop.
"""

from __future__ import annotations

from typing import NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .declare import operation
from .options import fast

K_BLOCK = 320
"""How much of k is run over at a time; from 192 to 512 makes no difference beyond the noise."""


class Shape(NamedTuple):
    """A vector's numbers, and the greatest tile's rows: ROWS · 2 + 3 vectors fit the registers."""

    lanes: int
    rows: int


def _shape() -> Shape:
    try:
        features = llvm.get_host_cpu_features()
    except RuntimeError:  # not known on this system
        features = {}
    if features.get("avx512f"):
        return Shape(16, 14)  # 32 registers
    if features.get("avx"):
        return Shape(8, 6)  # 16 registers
    return Shape(4, 12) if features.get("neon") else Shape(4, 6)


LANES, ROWS = _shape()

_FLOAT, _INT, _LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)


def _long(n):
    return ir.Constant(_LONG, n)


class _Builder:
    """LLVM's builder with the few phrases that a tile is written in."""

    def __init__(self, builder, last_lanes):
        self.ir = builder
        self.mask = None if last_lanes is None else self._first(last_lanes)

    def _intrinsic(self, name, result, *arguments):
        kind = ir.FunctionType(result, [a.type for a in arguments])
        function = cgutils.get_or_insert_function(self.ir.module, kind, name)
        return self.ir.call(function, arguments)

    def spread(self, number):
        """A vector of LANES times the same number."""
        element = number.type
        undefined = ir.Constant(ir.VectorType(element, LANES), ir.Undefined)
        first = self.ir.insert_element(undefined, number, ir.Constant(_INT, 0))
        zeros = ir.Constant(ir.VectorType(_INT, LANES), [ir.Constant(_INT, 0)] * LANES)
        return self.ir.shuffle_vector(first, undefined, zeros)

    def _first(self, n):
        """The mask of the first n lanes."""
        numbers = [ir.Constant(_INT, lane) for lane in range(LANES)]
        lanes = ir.Constant(ir.VectorType(_INT, LANES), numbers)
        return self.ir.icmp_signed("<", lanes, self.spread(self.ir.trunc(n, _INT)))

    def number(self, address):
        loaded = self.ir.load(self.ir.inttoptr(address, _FLOAT.as_pointer()))
        loaded.align = 4
        return loaded

    def vector(self, address, masked):
        pointer = self.ir.inttoptr(address, _VECTOR.as_pointer())
        if masked:
            zero = ir.Constant(_VECTOR, [ir.Constant(_FLOAT, 0.0)] * LANES)
            name = f"llvm.masked.load.v{LANES}f32.p0"
            return self._intrinsic(name, _VECTOR, pointer, ir.Constant(_INT, 4), self.mask, zero)
        loaded = self.ir.load(pointer)
        loaded.align = 4
        return loaded

    def store(self, value, address, masked):
        pointer = self.ir.inttoptr(address, _VECTOR.as_pointer())
        if masked:
            name = f"llvm.masked.store.v{LANES}f32.p0"
            self._intrinsic(name, ir.VoidType(), value, pointer, ir.Constant(_INT, 4), self.mask)
        else:
            self.ir.store(value, pointer).align = 4

    def multiply_add(self, a, b, c):
        return self._intrinsic(f"llvm.fmuladd.v{LANES}f32", _VECTOR, a, b, c)


def _tile(rows, vectors, masked):
    """The product of one tile: rows by vectors · LANES, of the last vector the first `lanes` only.

    Addresses and strides are in bytes; `add` says whether C's old values are added to.
    """

    @intrinsic
    def tile(context, a, a_row, a_k, b, b_k, c, c_row, k, lanes, add):
        def generate(target, builder, signature, arguments):
            a, a_row, a_k, b, b_k, c, c_row, k, lanes, add = arguments
            write = _Builder(builder, lanes if masked else None)
            entry, loop = builder.block, builder.append_basic_block("k")
            after = builder.append_basic_block("after")
            row_offsets = [_long(0)]
            for _ in range(1, rows):
                row_offsets.append(builder.add(row_offsets[-1], a_row))
            columns = [
                (j, _long(4 * LANES * j), masked and j == vectors - 1) for j in range(vectors)
            ]
            builder.branch(loop)

            builder.position_at_end(loop)
            step, at_a, at_b = (builder.phi(_LONG) for _ in range(3))
            sums = [[builder.phi(_VECTOR) for _ in columns] for _ in range(rows)]
            b_now = [write.vector(builder.add(at_b, offset), last) for _, offset, last in columns]
            new = []
            for i in range(rows):
                number = write.spread(write.number(builder.add(at_a, row_offsets[i])))
                new.append(
                    [write.multiply_add(number, b_now[j], sums[i][j]) for j, _, _ in columns]
                )
            zero = ir.Constant(_VECTOR, [ir.Constant(_FLOAT, 0.0)] * LANES)
            for phi, start, stride in ((step, _long(0), _long(1)), (at_a, a, a_k), (at_b, b, b_k)):
                phi.add_incoming(start, entry)
                phi.add_incoming(builder.add(phi, stride), loop)
            for i in range(rows):
                for j, _, _ in columns:
                    sums[i][j].add_incoming(zero, entry)
                    sums[i][j].add_incoming(new[i][j], loop)
            more = builder.icmp_signed("<", builder.add(step, _long(1)), k)
            builder.cbranch(more, loop, after)

            builder.position_at_end(after)
            adds = builder.icmp_signed("!=", add, _long(0))
            for i in range(rows):
                row = builder.add(c, builder.mul(c_row, _long(i)))
                for j, offset, last in columns:
                    address = builder.add(row, offset)
                    with builder.if_else(adds) as (then, otherwise):
                        with then:
                            old = write.vector(address, last)
                            write.store(builder.fadd(old, new[i][j]), address, last)
                        with otherwise:
                            write.store(new[i][j], address, last)
            return target.get_dummy_value()

        return types.void(*[types.int64] * 10), generate

    return tile


def _column(vectors, masked):
    """All rows of C in one column of tiles: tiles of ROWS first, then of 8, 4, 2 and 1."""
    most = _tile(ROWS, vectors, masked)
    eight, four = _tile(8, vectors, masked), _tile(4, vectors, masked)
    two, one = _tile(2, vectors, masked), _tile(1, vectors, masked)

    @fast
    def column(m, a, a_row, a_k, b, b_k, c, c_row, k, lanes, add):
        i = 0
        while m - i >= ROWS:
            most(a + i * a_row, a_row, a_k, b, b_k, c + i * c_row, c_row, k, lanes, add)
            i += ROWS
        while m - i >= 8:
            eight(a + i * a_row, a_row, a_k, b, b_k, c + i * c_row, c_row, k, lanes, add)
            i += 8
        while m - i >= 4:
            four(a + i * a_row, a_row, a_k, b, b_k, c + i * c_row, c_row, k, lanes, add)
            i += 4
        while m - i >= 2:
            two(a + i * a_row, a_row, a_k, b, b_k, c + i * c_row, c_row, k, lanes, add)
            i += 2
        while m - i >= 1:
            one(a + i * a_row, a_row, a_k, b, b_k, c + i * c_row, c_row, k, lanes, add)
            i += 1

    return column


_two, _two_masked = _column(2, False), _column(2, True)
_one, _one_masked = _column(1, False), _column(1, True)


@operation()
@fast
def product(a, a_row, a_k, b, b_k, c, c_row, n, k, lo, hi):
    """Rows lo to hi of C (m, n) = A (m, k) B (k, n); addresses, and strides in numbers.

    `a_row` and `a_k` are A's strides along m and k, `b_k` and `c_row` those of B's and C's rows.
    """
    m, a_row, a_k, b_k, c_row = hi - lo, 4 * a_row, 4 * a_k, 4 * b_k, 4 * c_row
    a, c = a + lo * a_row, c + lo * c_row
    start = 0
    while start < k:
        some, add = min(K_BLOCK, k - start), min(start, 1)
        a_now, b_now = a + start * a_k, b + start * b_k
        j = 0
        while j < n:
            left, b_at, c_at = n - j, b_now + 4 * j, c + 4 * j
            if left >= 2 * LANES:
                _two(m, a_now, a_row, a_k, b_at, b_k, c_at, c_row, some, 0, add)
                j += 2 * LANES
            elif left > LANES:
                _two_masked(m, a_now, a_row, a_k, b_at, b_k, c_at, c_row, some, left - LANES, add)
                j += 2 * LANES
            elif left == LANES:
                _one(m, a_now, a_row, a_k, b_at, b_k, c_at, c_row, some, 0, add)
                j += LANES
            else:
                _one_masked(m, a_now, a_row, a_k, b_at, b_k, c_at, c_row, some, left, add)
                j += LANES
        start += K_BLOCK

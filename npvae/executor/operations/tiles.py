"""The product of one tile of C, in registers: the inner loop of every matrix product.

A tile is some rows by one or two vectors of C. Its sums stay in registers while it runs over k: per
k a load of B for each vector, and per row one number of A, spread over a vector, and a multiply-add
for each vector. A tile of `ROWS` by two vectors fills the registers, less the three that the
vectors of B and the number of A take.

The tiles are written in LLVM's language, since no loop in Python's would be sure to become them.
Each height and width is a function of its own that is never merged into its caller: merged, some
twenty of them in one large function kept their sums on the stack, at half of the speed.
A vector longer than the processor's is split by LLVM, so any choice below is right everywhere.
Source: Goto & van de Geijn 2008; Van Zee & van de Geijn 2015, for the shape of the inner loop.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir

from .options import FLOAT, LONG, external, instruction


class Shape(NamedTuple):
    """A vector's numbers, and the greatest tile's rows: ROWS · 2 + 3 vectors fit the registers."""

    lanes: int
    rows: int


def _features() -> Mapping[str, bool]:
    """What the processor can do that Numba compiles for."""
    if "NUMBA_CPU_NAME" in os.environ or "NUMBA_CPU_FEATURES" in os.environ:
        told = os.environ.get("NUMBA_CPU_FEATURES", "").split(",")
        return {feature[1:]: feature.startswith("+") for feature in told if feature}
    try:
        return llvm.get_host_cpu_features()
    except RuntimeError:  # not known on this system
        return {}


ARM_64 = ("aarch64", "arm64")
"""What systems call the 64-bit Arm processors, of which each has NEON with 32 registers."""


def _shape() -> Shape:
    features = _features()
    if features.get("avx512f"):
        return Shape(16, 14)  # 32 registers
    if features.get("avx") or features.get("avx2"):
        return Shape(8, 6)  # 16 registers
    arm = features.get("neon") or platform.machine().lower() in ARM_64
    return Shape(4, 12) if arm else Shape(4, 6)


LANES, ROWS = _shape()

INT = ir.IntType(32)
VECTOR = ir.VectorType(FLOAT, LANES)
ZERO = ir.Constant(VECTOR, [ir.Constant(FLOAT, 0.0)] * LANES)
_ARGUMENTS = [LONG] * 9  # a, a_row, a_k, b, b_k, c, c_row, k, add


@instruction("void(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def tile(builder, rows, vectors, a, a_row, a_k, b, b_k, c, c_row, k, add):
    """C = A B or C += A B for a tile of so many rows and vectors; `add` says which.

    Addresses and strides are in bytes. B and C have their columns side by side.
    """
    arguments = [rows, vectors, a, a_row, a_k, b, b_k, c, c_row, k, add]
    shapes = [(height, width) for width in (1, 2) for height in range(1, ROWS + 1)]
    builder.call(any_tile(builder.module, "npvae_tile", _ARGUMENTS, shapes, _tile), arguments)


def any_tile(
    module: ir.Module,
    name: str,
    kinds: list[ir.Type],
    shapes: Sequence[tuple[int, int]],
    tile_of: Callable[[ir.Module, int, int], ir.Function],
) -> ir.Function:
    """The function that calls the tile of its first two arguments, rows and vectors.

    It has one for each of the shapes, which takes the other arguments, of these kinds.
    """
    choose = apart(module, name, [LONG, LONG, *kinds])
    if choose.blocks:
        return choose
    rows, vectors, *arguments = choose.args
    write = ir.IRBuilder(choose.append_basic_block("entry"))
    none = choose.append_basic_block("none")
    choice = write.switch(write.add(write.mul(vectors, long(ROWS)), rows), none)
    for height, width in shapes:
        choice.add_case(long(width * ROWS + height), choose.append_basic_block())
        write.position_at_end(choose.blocks[-1])
        write.call(tile_of(module, height, width), arguments)
        write.ret_void()
    write.position_at_end(none)
    write.ret_void()
    return choose


def apart(module: ir.Module, name: str, arguments: list[ir.Type]) -> ir.Function:
    """A function that the linker merges with those of its name, and LLVM with none."""
    function = external(module, name, ir.VoidType(), arguments)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    return function


def _tile(module: ir.Module, rows: int, vectors: int) -> ir.Function:
    tile = apart(module, f"npvae_tile_{rows}_{vectors}", _ARGUMENTS)
    c, c_row, _, add = tile.args[5:]
    entry, loop, after = (tile.append_basic_block(name) for name in ("entry", "k", "after"))
    write = ir.IRBuilder(entry)
    expect(write, c, c_row, rows, vectors)
    sums = _sums(write, tile.args, rows, vectors, loop, after)
    write.position_at_end(after)
    end(write, sums, c, c_row, add)
    return tile


def expect(write: ir.IRBuilder, c: ir.Value, c_row: ir.Value, rows: int, vectors: int) -> None:
    """Send for a tile of C: it is wanted at the end, and comes from far where C is large."""
    for i in range(rows):
        for line in range(0, 4 * LANES * vectors, 64):
            at = write.add(write.mul(c_row, long(i)), long(line))
            fetch(write, write.add(c, at), to_write=True)


def end(
    write: ir.IRBuilder,
    sums: Sequence[Sequence[ir.Value]],
    c: ir.Value,
    c_row: ir.Value,
    add: ir.Value,
    mask: ir.Value | None = None,
) -> None:
    """The end of a tile: its sums go to C, or are added to it; of a mask's places alone."""
    places = [
        (total, write.add(write.add(c, write.mul(c_row, long(i))), long(4 * LANES * j)))
        for i, row in enumerate(sums)
        for j, total in enumerate(row)
    ]
    plus, put = (write.function.append_basic_block(name) for name in ("plus", "put"))
    write.cbranch(write.icmp_signed("!=", add, long(0)), plus, put)
    write.position_at_end(plus)
    for total, address in places:
        store(write, write.fadd(load(write, address, VECTOR, mask), total), address, mask)
    write.ret_void()
    write.position_at_end(put)
    for total, address in places:
        store(write, total, address, mask)
    write.ret_void()


def _sums(
    write: ir.IRBuilder,
    arguments: Sequence[ir.Value],
    rows: int,
    vectors: int,
    loop: ir.Block,
    after: ir.Block,
) -> list[list[ir.Value]]:
    """Write the loop over k; returns the sums after it, by row and vector."""
    a, a_row, a_k, b, b_k, _, _, k, _ = arguments
    entry, offsets = write.block, [long(0)]
    for _ in range(1, rows):
        offsets.append(write.add(offsets[-1], a_row))
    write.branch(loop)
    write.position_at_end(loop)
    step, at_a, at_b = (write.phi(LONG) for _ in range(3))
    old = [[write.phi(VECTOR) for _ in range(vectors)] for _ in range(rows)]
    new = one_round(write, old, [write.add(at_a, offset) for offset in offsets], at_b)
    for phi, start, stride in ((step, long(0), long(1)), (at_a, a, a_k), (at_b, b, b_k)):
        phi.add_incoming(start, entry)
        phi.add_incoming(write.add(phi, stride), loop)
    for i in range(rows):
        for j in range(vectors):
            old[i][j].add_incoming(ZERO, entry)
            old[i][j].add_incoming(new[i][j], loop)
    write.cbranch(write.icmp_signed("<", write.add(step, long(1)), k), loop, after)
    return new


def one_round(
    write: ir.IRBuilder,
    old: Sequence[Sequence[ir.Value]],
    rows: Sequence[ir.Value],
    b: ir.Value,
    mask: ir.Value | None = None,
) -> list[list[ir.Value]]:
    """The sums with one k more: at `rows` stand the numbers of A, at b those of B."""
    vectors = range(len(old[0]))
    b_now = [load(write, write.add(b, long(4 * LANES * j)), VECTOR, mask) for j in vectors]
    new = []
    for sums, address in zip(old, rows, strict=True):
        number = spread(write, load(write, address, FLOAT))
        new.append([multiply_add(write, number, b_now[j], sums[j]) for j in vectors])
    return new


def multiply_add(write: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a b + c of vectors, rounded once where the processor has that."""
    name = f"llvm.fmuladd.v{LANES}f32"
    return write.call(external(write.module, name, VECTOR, [VECTOR] * 3), [a, b, c])


def fetch(write: ir.IRBuilder, address: ir.Value, to_write: bool = False) -> None:
    """Have the cache line at an address brought near while something else is done."""
    pointer = ir.IntType(8).as_pointer()
    kinds = [pointer, INT, INT, INT]
    prefetch = external(write.module, "llvm.prefetch.p0i8", ir.VoidType(), kinds)
    how = [ir.Constant(INT, n) for n in (int(to_write), 3, 1)]  # 3: into the nearest cache
    write.call(prefetch, [write.inttoptr(address, pointer), *how])


def long(n: int) -> ir.Constant:
    return ir.Constant(LONG, n)


def load(
    write: ir.IRBuilder, address: ir.Value, kind: ir.Type, mask: ir.Value | None = None
) -> ir.Value:
    """What stands at an address; of a vector with a mask its places alone, and zeros else."""
    pointer = write.inttoptr(address, kind.as_pointer())
    if mask is not None:
        kinds = [pointer.type, INT, mask.type, kind]
        masked = external(write.module, f"llvm.masked.load.v{LANES}f32.p0v{LANES}f32", kind, kinds)
        return write.call(masked, [pointer, ir.Constant(INT, 4), mask, ZERO])
    loaded = write.load(pointer)
    loaded.align = 4
    return loaded


def store(
    write: ir.IRBuilder, value: ir.Value, address: ir.Value, mask: ir.Value | None = None
) -> None:
    pointer = write.inttoptr(address, VECTOR.as_pointer())
    if mask is not None:
        kinds = [VECTOR, pointer.type, INT, mask.type]
        name = f"llvm.masked.store.v{LANES}f32.p0v{LANES}f32"
        masked = external(write.module, name, ir.VoidType(), kinds)
        write.call(masked, [value, pointer, ir.Constant(INT, 4), mask])
    else:
        write.store(value, pointer).align = 4


def spread(write: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """A vector of LANES times the same number."""
    undefined = ir.Constant(VECTOR, ir.Undefined)
    first = write.insert_element(undefined, number, ir.Constant(INT, 0))
    zeros = ir.Constant(ir.VectorType(INT, LANES), [ir.Constant(INT, 0)] * LANES)
    return write.shuffle_vector(first, undefined, zeros)


def first_places(write: ir.IRBuilder, n: ir.Value) -> ir.Value:
    """Which places of a vector are among the first so many."""
    kind = ir.VectorType(INT, LANES)
    undefined = ir.Constant(kind, ir.Undefined)
    first = write.insert_element(undefined, write.trunc(n, INT), ir.Constant(INT, 0))
    every = write.shuffle_vector(first, undefined, ir.Constant(kind, [0] * LANES))
    return write.icmp_unsigned("<", ir.Constant(kind, list(range(LANES))), every)


def sum_of(write: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """The sum of a vector's numbers, by halves."""
    name = f"llvm.vector.reduce.fadd.v{LANES}f32"
    add = external(write.module, name, FLOAT, [FLOAT, VECTOR])
    return write.call(add, [ir.Constant(FLOAT, 0.0), vector], fastmath=("reassoc",))

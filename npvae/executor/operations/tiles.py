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
from collections.abc import Mapping, Sequence
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

_INT = ir.IntType(32)
_VECTOR = ir.VectorType(FLOAT, LANES)
_ZERO = ir.Constant(_VECTOR, [ir.Constant(FLOAT, 0.0)] * LANES)
_ARGUMENTS = [LONG] * 9  # a, a_row, a_k, b, b_k, c, c_row, k, add


@instruction("void(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def tile(builder, rows, vectors, a, a_row, a_k, b, b_k, c, c_row, k, add):
    """C = A B or C += A B for a tile of so many rows and vectors; `add` says which.

    Addresses and strides are in bytes. B and C have their columns side by side.
    """
    arguments = [rows, vectors, a, a_row, a_k, b, b_k, c, c_row, k, add]
    builder.call(_any_tile(builder.module), arguments)


def _any_tile(module: ir.Module) -> ir.Function:
    """The function that calls the tile of its first two arguments, rows and vectors."""
    any_tile = _function(module, "npvae_tile", [LONG, LONG, *_ARGUMENTS])
    if any_tile.blocks:
        return any_tile
    rows, vectors, *arguments = any_tile.args
    write = ir.IRBuilder(any_tile.append_basic_block("entry"))
    none = any_tile.append_basic_block("none")
    choice = write.switch(write.add(write.mul(vectors, _long(ROWS)), rows), none)
    for width in (1, 2):
        for height in range(1, ROWS + 1):
            choice.add_case(_long(width * ROWS + height), any_tile.append_basic_block())
            write.position_at_end(any_tile.blocks[-1])
            write.call(_tile(module, height, width), arguments)
            write.ret_void()
    write.position_at_end(none)
    write.ret_void()
    return any_tile


def _function(module: ir.Module, name: str, arguments: list[ir.Type]) -> ir.Function:
    """A function that the linker merges with those of its name, and LLVM with none."""
    function = external(module, name, ir.VoidType(), arguments)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    return function


def _tile(module: ir.Module, rows: int, vectors: int) -> ir.Function:
    tile = _function(module, f"npvae_tile_{rows}_{vectors}", _ARGUMENTS)
    c, c_row, _, add = tile.args[5:]
    entry, loop, after, plus, put = (
        tile.append_basic_block(name) for name in ("entry", "k", "after", "plus", "put")
    )
    write = ir.IRBuilder(entry)
    for i in range(rows):  # C is wanted at the end, and comes from far where it is large
        for line in range(0, 4 * LANES * vectors, 64):
            at = write.add(write.mul(c_row, _long(i)), _long(line))
            fetch(write, write.add(c, at), to_write=True)
    sums = _sums(write, tile.args, rows, vectors, loop, after)
    write.position_at_end(after)
    places = [
        (sums[i][j], write.add(write.add(c, write.mul(c_row, _long(i))), _long(4 * LANES * j)))
        for i in range(rows)
        for j in range(vectors)
    ]
    write.cbranch(write.icmp_signed("!=", add, _long(0)), plus, put)
    write.position_at_end(plus)
    for total, address in places:
        _store(write, write.fadd(_load(write, address, _VECTOR), total), address)
    write.ret_void()
    write.position_at_end(put)
    for total, address in places:
        _store(write, total, address)
    write.ret_void()
    return tile


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
    entry, offsets = write.block, [_long(0)]
    for _ in range(1, rows):
        offsets.append(write.add(offsets[-1], a_row))
    write.branch(loop)
    write.position_at_end(loop)
    step, at_a, at_b = (write.phi(LONG) for _ in range(3))
    old = [[write.phi(_VECTOR) for _ in range(vectors)] for _ in range(rows)]
    b_now = [_load(write, write.add(at_b, _long(4 * LANES * j)), _VECTOR) for j in range(vectors)]
    name = f"llvm.fmuladd.v{LANES}f32"
    multiply_add = external(write.module, name, _VECTOR, [_VECTOR] * 3)
    new = []
    for i in range(rows):
        number = _spread(write, _load(write, write.add(at_a, offsets[i]), FLOAT))
        new.append(
            [write.call(multiply_add, [number, b_now[j], old[i][j]]) for j in range(vectors)]
        )
    for phi, start, stride in ((step, _long(0), _long(1)), (at_a, a, a_k), (at_b, b, b_k)):
        phi.add_incoming(start, entry)
        phi.add_incoming(write.add(phi, stride), loop)
    for i in range(rows):
        for j in range(vectors):
            old[i][j].add_incoming(_ZERO, entry)
            old[i][j].add_incoming(new[i][j], loop)
    write.cbranch(write.icmp_signed("<", write.add(step, _long(1)), k), loop, after)
    return new


def fetch(write: ir.IRBuilder, address: ir.Value, to_write: bool = False) -> None:
    """Have the cache line at an address brought near while something else is done."""
    pointer = ir.IntType(8).as_pointer()
    kinds = [pointer, _INT, _INT, _INT]
    prefetch = external(write.module, "llvm.prefetch.p0i8", ir.VoidType(), kinds)
    how = [ir.Constant(_INT, n) for n in (int(to_write), 3, 1)]  # 3: into the nearest cache
    write.call(prefetch, [write.inttoptr(address, pointer), *how])


def _long(n: int) -> ir.Constant:
    return ir.Constant(LONG, n)


def _load(write: ir.IRBuilder, address: ir.Value, kind: ir.Type) -> ir.Value:
    loaded = write.load(write.inttoptr(address, kind.as_pointer()))
    loaded.align = 4
    return loaded


def _store(write: ir.IRBuilder, value: ir.Value, address: ir.Value) -> None:
    write.store(value, write.inttoptr(address, _VECTOR.as_pointer())).align = 4


def _spread(write: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """A vector of LANES times the same number."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = write.insert_element(undefined, number, ir.Constant(_INT, 0))
    zeros = ir.Constant(ir.VectorType(_INT, LANES), [ir.Constant(_INT, 0)] * LANES)
    return write.shuffle_vector(first, undefined, zeros)

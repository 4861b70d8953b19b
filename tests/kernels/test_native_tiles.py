"""The tiles' machine code for processors that need not be there: LLVM writes it for any."""

from __future__ import annotations

import re

import llvmlite.binding as llvm
import pytest
from llvmlite import ir

from npvae.executor.operations import convolve, tiles

PROCESSORS = {
    "AVX-512": ("x86_64-unknown-linux-gnu", "x86-64-v4", (16, 14), "vfmadd"),
    "AVX2": ("x86_64-unknown-linux-gnu", "x86-64-v3", (8, 6), "vfmadd"),
    "NEON": ("aarch64-unknown-linux-gnu", "generic", (4, 12), "fmla"),
    "Apple": ("arm64-apple-darwin", "apple-m1", (4, 12), "fmla"),
    "SSE": ("x86_64-unknown-linux-gnu", "x86-64", (4, 6), "mulps"),
}


KINDS = {"npvae_tile": tiles, "npvae_runs": convolve}
"""The modules that write tiles, by what these are called."""


def machine_code(monkeypatch, writer, triple, name, shape):
    """The code of all tiles of two vectors, optimised for a processor."""
    vector = ir.VectorType(ir.FloatType(), shape[0])
    zero = ir.Constant(vector, [ir.Constant(ir.FloatType(), 0.0)] * shape[0])
    attributes = {"LANES": shape[0], "ROWS": shape[1], "VECTOR": vector, "ZERO": zero}
    for attribute, value in attributes.items():
        for module in {tiles, writer}:
            monkeypatch.setattr(module, attribute, value)
    module = ir.Module()
    module.triple = triple
    for rows in range(1, shape[1] + 1):
        writer._tile(module, rows, 2)
    for function in module.functions:
        if function.blocks:  # else nobody would seem to call it
            function.linkage = "external"
    target = llvm.Target.from_triple(triple).create_target_machine(cpu=name, opt=3)
    compiled = llvm.parse_assembly(str(module))
    compiled.verify()
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(compiled, builder)
    return target.emit_assembly(compiled)


@pytest.mark.smoke(2)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_sums_stay_in_registers_on_every_processor(processor, kind, monkeypatch):
    triple, name, shape, multiply_add = PROCESSORS[processor]
    if not hasattr(llvm, "create_pass_builder"):
        pytest.skip("this llvmlite has another way to optimise")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip("this llvmlite writes no code for that processor")
    code = machine_code(monkeypatch, KINDS[kind], triple, name, shape)
    functions = re.split(rf"(?m)^_?{kind}_(\d+)_2:", code)[1:]
    tiles_found = dict(zip(map(int, functions[::2]), functions[1::2], strict=True))
    assert sorted(tiles_found) == list(range(1, shape[1] + 1))
    for rows, text in tiles_found.items():
        lines = text.splitlines()
        at = [i for i, line in enumerate(lines) if multiply_add in line]
        assert len(at) >= 2 * rows
        loop = lines[at[0] : at[-1]]
        assert not [line for line in loop if re.search(r"\[sp|\(%[re]sp\)", line)], rows

"""Machine code of operations and of their loop, each a C function: how Numba makes it.

It is made in a process of its own (`compiler.py`). A function's callees are merged into it and not
compiled for themselves, neither for Python nor for LLVM, which takes a third of the time.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from typing import NoReturn

from llvmlite import ir
from numba import types
from numba.core import codegen, compiler, lowering, typed_passes
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import register_pass
from numba.core.registry import cpu_target

from . import loop
from .declare import EXECUTOR, OPERATIONS, PREFIX, SCALARS, symbol
from .options import LONG, Compiled

ARGUMENTS = ("operands", "constants", "scalars", *EXECUTOR)
"""What the C function of an operation takes; it gives 0 where the steps are to end."""


def main(processes: int) -> NoReturn:
    """Print the machine code of the functions that standard input asks for, as JSON, and end.

    So many processes share the work: this one, which has Numba imported, and forks of it. Each byte
    of the input is a function's place in `loop.FUNCTIONS`, and who is free takes the next.
    """
    gc.disable()  # which finds little here, and takes a tenth of the time
    _refresh()
    others = [_forked() for _ in range(processes - 1)]
    code = _as_text(_asked())
    for process, answer in others:
        if os.waitpid(process, 0)[1] != 0:
            sys.exit(1)
        answer.seek(0)
        code |= json.load(answer)
    json.dump(code, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # to take down all that Numba has set up takes a quarter of a second


def _forked():
    """A process that does the same, by its number, and the file that it writes code to."""
    answer = tempfile.TemporaryFile("w+")  # noqa: SIM115  (open until both processes end)
    process = os.fork()
    if process == 0:
        status = 1
        try:
            json.dump(_as_text(_asked()), answer)
            answer.flush()
            status = 0
        finally:
            os._exit(status)
    return process, answer


def _asked():
    while place := os.read(sys.stdin.fileno(), 1):
        yield loop.FUNCTIONS[place[0]]


def _as_text(names):
    return {name: base64.b64encode(made).decode() for name, made in machine_code(names).items()}


def machine_code(names: Iterable[str]) -> dict[str, bytes]:
    """The object files of C functions by name: operations' and the loop's."""
    context = cpu_target.target_context
    with global_compiler_lock:
        _refresh()
        before = context._internal_codegen
        Compiled.make_anew(no_cpython_wrapper=True, pipeline_class=_Frontend)
        context._internal_codegen = _Codegen("npvae")
        try:
            return {name: _object_file(name) for name in names}
        finally:
            context._internal_codegen = before
            Compiled.make_anew()


def _refresh():
    """Have Numba learn all that it can compile."""
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


class _Library(codegen.CPUCodeLibrary):
    """A function with all its callees, of which only the last that calls them is optimised."""

    entry: str | None = None

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self):
        if self.entry is None:
            return
        for each in (*self._final_module.functions, *self._final_module.global_variables):
            if not each.is_declaration and not each.name.startswith(PREFIX):
                each.linkage = "internal"  # so that what nobody calls goes
        super()._optimize_final_module()

    def _finalize_specific(self):
        pass

    def get_pointer_to_function(self, name):
        return 0  # nothing is run


class _Lower(lowering.Lower):
    """Numba's way from typed code to LLVM, but that no references are counted.

    Arrays here are addresses and own nothing, which LLVM found out each time.
    """

    def incref(self, typ, value):
        pass

    def decref(self, typ, value):
        pass


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(typed_passes.NativeLowering):
    _name = "lowering_of_operations"
    lowering_class = _Lower


class _Frontend(compiler.CompilerBase):
    """Numba's own way from Python to LLVM, without the passes that change nothing here.

    They are for closures, literals, object mode, array expressions and reports on the code, and
    each is followed by another look at all of it: a quarter of the time.
    """

    needless = frozenset({
        "WithLifting", "InlineClosureLikes", "RewriteSemanticConstants", "DeadBranchPrune",
        "GenericRewrites", "RewriteDynamicRaises", "MakeFunctionToJitFunction", "InlineInlinables",
        "FindLiterallyCalls", "LiteralUnroll", "LiteralPropagationSubPipelinePass",
        "InlineOverloads", "NopythonRewrites", "NoPythonSupportedFeatureValidation",
        "AnnotateTypes", "DumpParforDiagnostics",
    })  # fmt: skip

    def define_pipelines(self):
        whole = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        needed = compiler.PassManager("operations")
        needed.passes.extend(p for p in whole.passes if p[0].__name__ not in self.needless)
        lowering_at = [p[0] for p in needed.passes].index(typed_passes.NativeLowering)
        needed.passes[lowering_at] = _Lowering, "lowering"
        needed.finalize()
        return [needed]


class _Codegen(codegen.JITCPUCodegen):
    """Numba's own for this processor, but that nothing is loaded."""

    _library_class = _Library

    def _add_module(self, module):
        pass

    def set_env(self, env_name, env):
        pass

    def _scan_and_fix_unresolved_refs(self, module):
        pass


def _object_file(name: str) -> bytes:
    declared = OPERATIONS.get(name)
    if declared is None:
        function, parameters = loop.execute, dict.fromkeys(loop.PARAMETERS, types.int64)
    else:
        function = declared.function
        numbers = {*declared.constants, *SCALARS}
        parameters = {
            p: types.float64 if p in numbers else types.int64 for p in declared.parameters
        }
    flags = compiler.Flags()
    cpu_target.options.parse_as_flags(flags, function.made.targetoptions)
    flags.no_compile = True
    result = compiler.compile_extra(
        cpu_target.typing_context, cpu_target.target_context, function.py_func,
        tuple(parameters.values()), None, flags, {}, pipeline_class=_Frontend,
    )  # fmt: skip
    library = result.library
    module = library.create_ir_module(name)
    _write_entry(module, name, declared, result, parameters)
    library.add_ir_module(module)
    library.entry = symbol(name)
    library.finalize()
    return library.codegen._tm.emit_object(library._final_module)


def _write_entry(module, name, declared, result, parameters):
    """The C function: it finds the arguments of Numba's in the tables, and calls it."""
    taken = ("arguments",) if declared is None else ARGUMENTS
    kind = ir.FunctionType(LONG, [LONG] * len(taken))
    write = ir.IRBuilder(ir.Function(module, kind, symbol(name)).append_basic_block())
    given = dict(zip(taken, write.function.args, strict=True))
    if declared is None:
        tables = [("arguments", loop.PARAMETERS, LONG)]
    else:
        tables = [
            ("operands", declared.operands, LONG),
            ("constants", declared.constants, ir.DoubleType()),
            ("scalars", SCALARS, ir.DoubleType()),
        ]
    for table, columns, number in tables:
        first = write.inttoptr(given[table], number.as_pointer())
        for j, column in enumerate(columns):
            if column in parameters:
                given[column] = write.load(write.gep(first, [ir.Constant(LONG, j)]))
    convention, described = result.target_context.call_conv, result.fndesc
    callee = ir.Function(
        module,
        convention.get_function_type(described.restype, described.argtypes),
        described.llvm_func_name,
    )
    arguments = [given[p] for p in parameters]
    _, answer = convention.call_function(
        write, callee, described.restype, described.argtypes, arguments
    )
    if declared is None:
        write.ret(answer)
    else:
        write.ret(write.zext(answer, LONG) if declared.ends else ir.Constant(LONG, 1))

"""Operations as they are declared: what their functions take, and the columns of the table."""

from __future__ import annotations

import pytest

from npvae import kernels
from npvae.executor.graph import Call, NotCapturable
from npvae.executor.operations import loop, machine
from npvae.executor.operations.declare import EXECUTOR, OPERATIONS, SCALARS, operation
from npvae.executor.operations.elementwise import add
from npvae.executor.rules.declared import lower

each_operation = pytest.mark.parametrize("declared", OPERATIONS.values(), ids=OPERATIONS)


@each_operation
def test_what_is_declared_is_what_the_function_takes(declared):
    taken = set(declared.parameters)
    others = {"log_px", "log_p", "log_q"} if declared.leaves_sums else set()
    assert {*declared.reads, *declared.writes} - others <= taken
    assert set(declared.constants) <= taken
    assert set(declared.over) <= set(declared.writes)
    assert set(declared.over.values()) <= set(declared.reads)
    assert taken == {*declared.operands, *declared.constants} | taken & {*EXECUTOR, *SCALARS}
    assert len(declared.operands) <= loop.N_COLUMNS - loop.FIRST_OPERAND
    assert len(declared.constants) <= loop.N_CONSTANTS


def test_the_loops_code_has_no_operations_name():
    assert machine.LOOP not in OPERATIONS


def test_an_operation_is_declared_once():
    with pytest.raises(ValueError, match="two operations 'add'"):
        operation("add")(add)


def test_an_argument_that_the_operation_does_not_know_is_not_left_out():
    call = Call("sum_rows", (0.5, 0.25), (), function=kernels.sum_rows)
    with pytest.raises(NotCapturable, match="sum_rows takes fewer arguments than the kernel"):
        lower(None, call)

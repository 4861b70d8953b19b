"""Operations as they are declared: numbers, columns, the generated choice between them."""

from __future__ import annotations

import pytest

from npvae import kernels
from npvae.executor.graph import Call, NotCapturable
from npvae.executor.operations import dispatch, generate, loop
from npvae.executor.operations.declare import EVERYWHERE, IN_LOOP, OPERATIONS, operation
from npvae.executor.operations.elementwise import add
from npvae.executor.rules.declared import lower

each_operation = pytest.mark.parametrize("declared", OPERATIONS.values(), ids=OPERATIONS)


def test_the_choice_is_as_it_is_generated():
    """Else run: python -m npvae.executor.operations.generate"""
    assert generate.PATH.read_text() == generate.text()


def test_each_library_counts_its_operations():
    libraries = {}
    for declared in OPERATIONS.values():
        libraries.setdefault(declared.library, []).append(declared.code)
    assert all(sorted(codes) == list(range(len(codes))) for codes in libraries.values())
    assert loop.LIBRARIES.keys() == dispatch.LIBRARIES.keys() == libraries.keys() - {""}


@each_operation
def test_what_is_declared_is_what_the_function_takes(declared):
    taken = set(declared.parameters)
    others = {"log_px", "log_p", "log_q"} if declared.leaves_sums else set()
    assert {*declared.reads, *declared.writes} - others <= taken
    assert set(declared.constants) <= taken
    assert set(declared.over) <= set(declared.writes)
    assert set(declared.over.values()) <= set(declared.reads)
    assert len(declared.operands) <= dispatch.N_OPERANDS
    if declared.library:
        assert taken.isdisjoint(set(IN_LOOP) - set(EVERYWHERE))


def test_an_operation_is_declared_once():
    with pytest.raises(ValueError, match="two operations 'add'"):
        operation("add")(add)


def test_an_argument_that_the_operation_does_not_know_is_not_left_out():
    call = Call("sum_rows", (0.5, 0.25), (), function=kernels.sum_rows)
    with pytest.raises(NotCapturable, match="sum_rows takes fewer arguments than the kernel"):
        lower(None, call)

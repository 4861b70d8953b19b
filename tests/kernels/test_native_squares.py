"""Transposition by squares, at all edges of a square, and what lies around is left alone."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from npvae.executor.operations.elementwise import gather, transpose
from npvae.executor.operations.squares import transposed
from npvae.executor.operations.tiles import LANES

f32 = np.float32
GUARD = f32(-7.0)
SIZES = sorted({1, 3, 8, LANES - 1, LANES, LANES + 1, 2 * LANES, 3 * LANES + 5})


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("rows", SIZES)
def test_every_number_is_moved_to_its_place_and_no_other(rows, columns):
    wide = np.random.default_rng(0).standard_normal((rows, columns + 3), f32)
    out = np.full((columns + 2, rows + 5), GUARD)
    inner = out[1:-1, 2 : 2 + rows]
    transposed(
        wide.ctypes.data, *wide.strides[:1], inner.ctypes.data, *out.strides[:1], rows, columns
    )
    np.testing.assert_array_equal(inner, wide[:, :columns].T)
    inner[...] = GUARD
    assert (out == GUARD).all()


def test_threads_transpose_rows_of_their_own():
    rows, columns = LANES + 3, 4 * LANES + 5
    source = np.random.default_rng(1).standard_normal((rows, columns), f32)
    out = np.full((columns, rows), GUARD)
    for lo, hi in ((0, LANES + 1), (LANES + 1, LANES + 2), (2 * LANES + 2, columns)):
        transpose(source.ctypes.data, out.ctypes.data, lo, hi, rows, columns)
    np.testing.assert_array_equal(out[: LANES + 2], source.T[: LANES + 2])
    np.testing.assert_array_equal(out[2 * LANES + 2 :], source.T[2 * LANES + 2 :])
    assert (out[LANES + 2 : 2 * LANES + 2] == GUARD).all()


@pytest.mark.smoke(1)
@pytest.mark.parametrize("kind", [0, 1], ids=["bytes", "floats"])
def test_rows_of_data_are_gathered_by_row_and_by_feature(kind):
    batch, width, step = 2 * LANES + 9, LANES + 3, 1
    rng = np.random.default_rng(2)
    source = rng.integers(0, 256, (100, width)).astype([np.uint8, f32][kind])
    order = rng.permutation(100)[: 2 * batch]
    by_row, by_feature = np.full((batch, width), GUARD), np.full((width, batch), GUARD)
    for lo, hi in ((0, LANES + 2), (LANES + 2, batch)):
        gather(
            source.ctypes.data, kind, by_row.ctypes.data, by_feature.ctypes.data, batch, width, lo,
            hi, batch, order.ctypes.data, step, 1.0,
        )  # fmt: skip
    np.testing.assert_array_equal(by_row, source[order[step * batch :][:batch]])
    np.testing.assert_array_equal(by_feature, by_row.T)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 code")
def test_no_gathering_loads():
    a = np.zeros((LANES, LANES), f32)
    transposed(a.ctypes.data, 4 * LANES, a.ctypes.data, 4 * LANES, 1, 1)
    assert not any("gather" in code for code in transposed.made.inspect_asm().values())

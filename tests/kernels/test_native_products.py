"""The executor's matrix product against float64, at odd shapes, and what it leaves alone."""

from __future__ import annotations

import platform
import re
from itertools import pairwise

import numba
import numpy as np
import pytest

from npvae.executor.operations import products, tiles
from npvae.executor.operations.products import (
    K_BLOCK,
    ROW_BLOCK,
    TOGETHER,
    WAY,
    WIDE,
    pack,
    product,
    product_of_rows,
)
from npvae.executor.operations.tiles import LANES, ROWS

f32 = np.float32
GUARD = f32(-12345.0)
EDGES = sorted({1, 2, 3, 7, 8, LANES - 1, LANES, LANES + 1, 2 * LANES, 2 * LANES + 1, 4 * LANES + 3,
                ROWS - 1, ROWS, ROWS + 1, ROWS + 15, 70})  # fmt: skip


SCRATCH = np.empty(products.SCRATCH, f32)


def run(a, a_row, a_k, b, b_k, c, c_row, n, k, lo, hi, packed=0, panels=False):
    """The kernel, with A packed where that is not 0, and B where there are to be panels."""
    SCRATCH[:] = np.nan
    kept, b_panel = None, WIDE
    if panels:
        many = -(-n // WIDE)
        kept = np.full(many * WIDE * k + LANES, np.nan, f32)
        for i in range(many):
            pack(b, b_k, kept.ctypes.data, n, k, i, i + 1)
        b, b_k, b_panel = kept.ctypes.data, WIDE, WIDE * k
    scratch = SCRATCH.ctypes.data
    product(a, a_row, a_k, b, b_k, b_panel, c, c_row, n, k, packed, lo, hi, scratch)


def multiplied(a, b, transposed=False, **copies):
    """A B by the kernel, with guards all around each matrix, that must be left as they are."""
    (m, k), n = a.shape, b.shape[1]
    stored = np.ascontiguousarray(a.T) if transposed else a
    memory = []

    def guarded(rows, columns, fill=None):
        buffer = np.full(rows * columns + 2 * 64, GUARD, f32)
        inner = buffer[64:-64].reshape(rows, columns)
        inner[...] = np.nan if fill is None else fill
        memory.append((buffer, inner, fill))
        return inner

    at, bt, ct = guarded(*stored.shape, stored), guarded(k, n, b), guarded(m, n)
    a_row, a_k = (1, m) if transposed else (k, 1)
    run(at.ctypes.data, a_row, a_k, bt.ctypes.data, n, ct.ctypes.data, n, n, k, 0, m, **copies)
    for buffer, inner, fill in memory:
        assert (buffer[:64] == GUARD).all()
        assert (buffer[-64:] == GUARD).all()
        if fill is not None:
            np.testing.assert_array_equal(inner, fill)
    return ct.copy()


COPIES = [dict(packed=a, panels=b) for a in (0, 1) for b in (False, True)]


def check(m, n, k, transposed, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((m, k), f32), rng.standard_normal((k, n), f32)
    c, *others = (multiplied(a, b, transposed, **copies) for copies in COPIES)
    for other in others:  # the bits do not depend on copies
        np.testing.assert_array_equal(other, c)
    wide, magnitudes = a.astype(float) @ b.astype(float), np.abs(a).astype(float) @ np.abs(b)
    error = np.abs(c - wide) / (np.finfo(f32).eps * magnitudes)
    assert error.max() <= 2 + 0.05 * k, (m, n, k)


@pytest.mark.smoke
@pytest.mark.parametrize("transposed", [False, True], ids=["A", "A transposed"])
@pytest.mark.parametrize("m", EDGES)
def test_shapes_at_the_edges_of_tiles(m, transposed):
    for n in EDGES:
        check(m, n, 5, transposed)


@pytest.mark.smoke
@pytest.mark.parametrize("transposed", [False, True], ids=["A", "A transposed"])
@pytest.mark.parametrize("k", [1, 2, 37, 70, K_BLOCK - 1, K_BLOCK, K_BLOCK + 1, 2 * K_BLOCK + 7])
def test_any_length_of_the_sum(k, transposed):
    for m, n in ((1, 1), (ROWS + 1, LANES + 1), (3, 2 * LANES)):
        check(m, n, k, transposed)


def test_shapes_at_random():
    rng = np.random.default_rng(1)
    for seed in range(150):
        m, n, k = rng.integers(1, 71, 3)
        check(m, n, k, bool(seed % 2), seed)


@pytest.mark.parametrize("transposed", [False, True], ids=["A", "A transposed"])
@pytest.mark.parametrize(
    ("m", "n", "k"),
    [
        (1040, 512, 40), (512, 530, K_BLOCK + 30), (3 * ROW_BLOCK - 1, 1100, 9),
        (ROW_BLOCK + 1, 2 * LANES + 1, WAY // 4),
        (2 * ROW_BLOCK + 1, 70, 20), (ROW_BLOCK + 1, 2 * LANES, K_BLOCK + 1),
    ],
)  # fmt: skip
def test_large_products_in_blocks(m, n, k, transposed):
    check(m, n, k, transposed)


@pytest.mark.parametrize("copies", COPIES)
def test_bits_do_not_depend_on_how_rows_are_shared(copies):
    m, n, k = 430, 170, K_BLOCK + 7
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((m, k), f32), rng.standard_normal((k, n), f32)
    whole, parts = multiplied(a, b, **copies), np.empty((m, n), f32)
    for lo, hi in ((0, 200), (200, 201), (201, 300), (300, m)):
        run(a.ctypes.data, k, 1, b.ctypes.data, n, parts.ctypes.data, n, n, k, lo, hi, **copies)
    np.testing.assert_array_equal(parts, whole)


def test_what_is_copied():
    assert products.a_is_packed(WAY // 4, 400, 128) == (ROWS > products.WAYS)
    assert not products.a_is_packed(WAY // 4 + 1, 400, 128)
    assert products.a_is_packed(1, 400, 128) == (4 * ROWS < 32)
    assert products.b_is_packed(2000, 1024, 2000)
    assert not products.b_is_packed(20, 1024, 2000)
    assert not products.b_is_packed(400, 16, 784)


def test_products_of_whole_numbers_are_exact():
    rng = np.random.default_rng(2)
    a, b = (rng.integers(-9, 10, shape).astype(f32) for shape in ((31, 700), (700, 41)))
    np.testing.assert_array_equal(multiplied(a, b), a @ b)


def test_rows_of_c_may_lie_apart():
    """A thread writes its rows, and those columns alone."""
    a, b = np.ones((5, 3), f32), np.ones((3, 6), f32)
    c = np.full((5, 9), GUARD)
    run(a.ctypes.data, 3, 1, b.ctypes.data, 6, c.ctypes.data, 9, 6, 3, 0, 5)
    assert (c[:, :6] == 3).all()
    assert (c[:, 6:] == GUARD).all()


def test_some_rows_of_a_matrix_alone():
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((40, 8), f32), rng.standard_normal((8, 33), f32)
    whole, c = multiplied(a, b), np.full((40, 33), GUARD)
    for lo, hi in ((0, 13), (13, 27), (27, 40)):
        run(a.ctypes.data, 8, 1, b.ctypes.data, 33, c.ctypes.data, 33, 33, 8, lo, hi)
    np.testing.assert_allclose(c, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("m", "n", "k"), [(3, 5, 7), (ROWS + 2, 2 * LANES + 3, K_BLOCK + 5)])
def test_what_is_not_finite_reaches_its_row_or_column_and_no_other(value, m, n, k):
    for row, step, column in ((0, 0, 0), (m - 1, k - 1, n - 1), (m // 2, k // 2, n // 2)):
        a, b = np.ones((m, k), f32), np.ones((k, n), f32)
        a[row, step] = value
        c = multiplied(a, b)
        wanted = np.full((m, n), f32(k))
        wanted[row] = value
        np.testing.assert_array_equal(c, wanted)
        a[row, step], b[step, column] = 1, value
        wanted[row] = k
        wanted[:, column] = value
        np.testing.assert_array_equal(multiplied(a, b), wanted)


def test_infinity_times_zero_is_no_number():
    a, b = np.zeros((4, 6), f32), np.ones((6, 9), f32)
    b[2, 3] = np.inf
    c = multiplied(a, b)
    assert np.isnan(c[:, 3]).all()
    assert (np.delete(c, 3, axis=1) == 0).all()


@pytest.fixture
def nothing_told(monkeypatch):
    """The processor is the host's, whatever Numba was told when the tests began."""
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("features", "shape"),
    [
        ({"avx512f": True, "avx": True}, (16, 14)), ({"avx512f": False, "avx": True}, (8, 6)),
        ({"neon": True}, (4, 12)), ({"sse2": True}, (4, 6)), ({}, (4, 6)),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("nothing_told")
def test_the_tile_suits_the_processor(monkeypatch, features, shape):
    monkeypatch.setattr(tiles.platform, "machine", lambda: "any")
    monkeypatch.setattr(tiles.llvm, "get_host_cpu_features", lambda: features)
    assert tiles._shape() == shape


@pytest.mark.usefixtures("nothing_told")
def test_every_64_bit_arm_has_neon_whether_it_is_known_or_not(monkeypatch):
    monkeypatch.setattr(tiles.llvm, "get_host_cpu_features", dict)
    monkeypatch.setattr(tiles.platform, "machine", lambda: "arm64")
    assert tiles._shape() == (4, 12)


def test_the_tile_suits_the_processor_that_numba_is_told_of(monkeypatch):
    monkeypatch.setattr(tiles.llvm, "get_host_cpu_features", lambda: {"avx512f": True})
    monkeypatch.setenv("NUMBA_CPU_NAME", "znver3")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx2,+fma,-avx512f")
    assert tiles._shape() == (8, 6)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 code")
def test_no_sum_of_a_tile_lies_on_the_stack():
    """A sum that is stored and loaded again stands in the chain of every round of k."""

    @numba.njit
    def call(rows, a):
        tiles.tile(rows, 2, a, a, a, a, a, a, a, a, a)

    call.compile((numba.int64, numba.int64))
    code = "\n".join(call.inspect_asm().values())
    for rows in range(1, ROWS + 1):
        name = f"npvae_tile_{rows}_2"
        lines = code[code.index(f"\n{name}:") : code.index(f".size\t{name},")].splitlines()
        at = [i for i, line in enumerate(lines) if "fmadd" in line or "mulps" in line]
        assert len(at) >= 2 * rows
        on_stack = re.compile(r"mov[au]p[sd].*\(%rsp\)")
        assert not list(filter(on_stack.search, lines[at[0] : at[-1]])), name


@pytest.mark.usefixtures("nothing_told")
def test_a_processor_that_is_not_known_gets_the_least_tile(monkeypatch):
    def fail():
        raise RuntimeError

    monkeypatch.setattr(tiles.llvm, "get_host_cpu_features", fail)
    monkeypatch.setattr(tiles.platform, "machine", lambda: "any")
    assert tiles._shape() == (4, 6)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("k", EDGES)
@pytest.mark.parametrize("m", [1, 2, TOGETHER - 1, TOGETHER, 3 * TOGETHER + 5])
def test_rows_by_one_column(m, k):
    """To float64's rounding, and to the same bits whoever computes which rows in which order."""
    rng = np.random.default_rng([m, k])
    a, b = rng.standard_normal((m + 2, k)).astype(f32), rng.standard_normal(k + LANES).astype(f32)
    a[0] = a[-1] = b[k:] = np.nan
    found = []
    for ends, step in (([0, m], 0), ([0, m], 1), ([0, m // 3, m // 2, m], 0)):
        c = np.full(m + 2, GUARD, f32)
        for lo, hi in pairwise(ends):
            addresses = a[1:].ctypes.data, b.ctypes.data, c[1:].ctypes.data
            product_of_rows(*addresses, k, lo, hi, step)
        assert c[0] == c[-1] == GUARD
        found.append(c[1:-1])
    wanted = a[1:-1].astype(float) @ b[:k].astype(float)
    np.testing.assert_allclose(found[0], wanted, rtol=0, atol=2e-7 * (k + 8))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])

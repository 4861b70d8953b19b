"""Products whose sums run over lists of runs, at odd shapes, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from npvae.executor.operations.convolve import ITEM, N_BLOCK, RUN, convolve, transpose_each
from npvae.executor.operations.tiles import LANES, ROWS

f32 = np.float32
GUARD = f32(-12345.0)
HEIGHTS = sorted({1, 2, 3, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 3})
WIDTHS = sorted({1, LANES - 1, LANES, LANES + 1, 2 * LANES, 3 * LANES + 2, 4 * LANES, 8 * LANES + 1,
                 N_BLOCK + 3})  # fmt: skip


def table(rows, columns):
    return np.array(rows, np.int64).reshape(-1, columns)


class Sums:
    """Units of some rows each, every one the sum over a few runs in A and B, in two turns."""

    def __init__(self, rows, n, units=3, seed=0, lengths=(3, 1, 7)):
        rng = np.random.default_rng(seed)
        self.rows, self.n, self.units = rows, n, units
        self.k, self.c_row = 40, n + 5
        self.a = rng.standard_normal((rows, self.k), f32)
        self.b = rng.standard_normal((60, n), f32)
        self.wanted = np.zeros((units, rows, n))
        self.sizes = np.zeros((units, rows, n))
        starts, items, runs = [], [], []
        for turn in range(2):
            for unit in range(units):
                starts.append(len(items))
                first = len(runs)
                for length in lengths:
                    at, of = rng.integers(self.k - length + 1), rng.integers(61 - length)
                    runs.append((4 * at, 4 * n * of, length))
                    a, b = self.a[:, at : at + length], self.b[of : of + length]
                    self.wanted[unit] += a.astype(float) @ b
                    self.sizes[unit] += np.abs(a).astype(float) @ np.abs(b)
                c = unit * (rows + 1) * self.c_row
                items.append((0, 0, c, rows, first, len(runs), turn))
        self.starts = table([*starts, len(items)], 1)
        self.items, self.runs = table(items, ITEM), table(runs, RUN)

    def run(self, shares):
        """C by threads of these shares, with guards between its rows and its units."""
        memory = np.full(self.units * (self.rows + 1) * self.c_row + 8, GUARD)
        for lo, hi in shares:
            convolve(
                self.a.ctypes.data, self.k, 1, self.b.ctypes.data, self.n,
                memory[4:].ctypes.data, self.c_row, self.starts.ctypes.data,
                self.items.ctypes.data, self.runs.ctypes.data, 2, self.n, lo, hi, self.units,
            )  # fmt: skip
        assert (memory[:4] == GUARD).all()
        assert (memory[-4:] == GUARD).all()
        whole = memory[4:-4].reshape(self.units, self.rows + 1, self.c_row)
        assert (whole[:, -1] == GUARD).all()
        assert (whole[:, :, self.n :] == GUARD).all()
        return whole[:, :-1, : self.n].copy()

    def check(self):
        error = np.abs(self.run([(0, self.units)]) - self.wanted)
        assert (error <= 4 * np.finfo(f32).eps * self.sizes + 1e-12).all()


@pytest.mark.parametrize("rows", HEIGHTS)
@pytest.mark.parametrize("n", WIDTHS)
def test_shapes_at_the_edges_of_tiles(rows, n):
    Sums(rows, n).check()


def test_shapes_at_random():
    rng = np.random.default_rng(1)
    for seed in range(60):
        rows, n = rng.integers(1, [4 * ROWS, 200])
        Sums(rows, n, seed=seed, lengths=rng.integers(1, 30, rng.integers(1, 6))).check()


def test_bits_do_not_depend_on_how_units_are_shared():
    sums = Sums(ROWS + 3, 2 * LANES + 1, units=7)
    whole = sums.run([(0, 7)])
    np.testing.assert_array_equal(sums.run([(0, 3), (3, 4), (4, 7)]), whole)


def test_what_meets_nothing_is_zero_and_nothing_is_added_to_what_has_a_sum():
    sums = Sums(3, LANES + 2, units=2)
    sums.items[:, 5] = sums.items[:, 4]
    assert (sums.run([(0, 2)]) == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_reaches_its_column_and_no_other(value):
    sums = Sums(2, LANES - 1, lengths=(40,))
    sums.b[:, 2] = value
    c = sums.run([(0, 3)])
    assert not np.isfinite(c[:, :, 2]).any()
    assert np.isfinite(np.delete(c, 2, axis=2)).all()


def test_each_matrix_is_transposed():
    for shape in ((5, 3, LANES + 2), (2, LANES, 2 * LANES), (4, 1, 9)):
        source = np.random.default_rng(3).standard_normal(shape, f32)
        out = np.full((shape[0], shape[2], shape[1]), GUARD)
        for lo, hi in ((0, 1), (1, shape[0])):
            transpose_each(source.ctypes.data, out.ctypes.data, lo, hi, *shape[1:])
        np.testing.assert_array_equal(out, source.transpose(0, 2, 1))

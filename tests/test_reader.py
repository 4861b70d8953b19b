"""The reader: from the user's array to floating batches, without a copy of the whole."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from npvae import DataError
from npvae.data import reader as module
from npvae.data.reader import Reader

TABLE = np.arange(40.0).reshape(10, 4)


def test_batches_are_the_rows_in_the_models_type():
    for dtype in ("float32", "float64"):
        for rows in (slice(2, 5), np.array([7, 0, 0]), slice(9, None)):
            batch = Reader(TABLE, 4, dtype).batch(rows)
            assert batch.dtype == dtype
            np.testing.assert_array_equal(batch, TABLE[rows])
    assert len(Reader(TABLE, 4, "float32")) == 10


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "uint16"])
def test_integers_are_divided_by_the_scale(dtype):
    batch = Reader(TABLE.astype(dtype), 4, "float32", scale=255.0).batch(slice(0, 10))
    np.testing.assert_array_equal(batch, TABLE.astype("float32") / np.float32(255))
    assert batch.dtype == np.float32


@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "float64"])
def test_other_numbers_are_not(dtype):
    x = TABLE.astype(dtype)
    batch = Reader(x, 4, "float64", scale=255.0).batch(slice(0, 10))
    np.testing.assert_array_equal(batch, x.astype("float64"))


def test_a_batch_is_a_copy():
    x = TABLE.copy()
    reader = Reader(x, 4, "float64")
    for rows in (slice(0, 10), np.arange(10)):
        reader.batch(rows)[...] = -1
        reader.checked(slice(0, 10))[...] = -1
    np.testing.assert_array_equal(x, TABLE)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_batch_is_a_copy_whatever_the_type(dtype, order):
    x = np.asarray(TABLE % 2, dtype, order=order)
    before = x.copy()
    for scale in (None, 255.0):
        reader = Reader(x, 4, "float32", scale)
        for rows in (slice(0, 10), slice(3, 4), np.arange(10), np.array([4])):
            batch = reader.batch(rows)
            assert not np.shares_memory(batch, x)
            batch[...] = 77
    np.testing.assert_array_equal(x, before)


def test_subclasses_of_arrays_lose_their_own_rules():
    class Mine(np.ndarray):
        def __mul__(self, other):
            raise AssertionError

    batch = Reader(TABLE.view(Mine), 4, "float64").batch(slice(0, 2))
    assert type(batch) is np.ndarray


def test_a_file_on_disk_stays_there(tmp_path):
    shape = (200_000, 50)
    file = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "uint8", shape)
    file[123_456] = 7
    file.flush()
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    tracemalloc.start()
    reader = Reader(x, 50, "float32", scale=255.0)
    total = sum(reader.checked(rows).sum(dtype="float64") for rows in reader.chunks())
    picked = reader.batch(np.array([0, 123_456]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == pytest.approx(50 * 7 / 255, rel=1e-6)
    np.testing.assert_allclose(picked[1], 7 / 255, rtol=1e-6)
    assert peak < 2e6  # the file is 10 MB, and 40 MB as float32
    assert np.shares_memory(reader.array, x)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 9])
def test_chunks_cover_all_rows_in_order(monkeypatch, n):
    monkeypatch.setattr(module, "CHUNK", 3)
    reader = Reader(TABLE[:n], 4, "float64")
    chunks = list(reader.chunks())
    assert all(1 <= c.stop - c.start <= 3 for c in chunks)
    rows = np.concatenate([reader.batch(c) for c in chunks])
    np.testing.assert_array_equal(rows, TABLE[:n])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_number_that_is_not_finite_is_named(value):
    x = TABLE.copy()
    x[6, 1] = x[6, 3] = x[8, 0] = value
    reader = Reader(x, 4, "float32", what="z")
    reader.checked(slice(0, 6))
    with pytest.raises(DataError, match=f"z needs finite .* got {value} in row 6, column 1"):
        reader.checked(slice(4, 9))
    assert np.isnan(reader.batch(slice(6, 7))).any() == np.isnan(value)


@pytest.mark.parametrize("others", [(np.inf, -np.inf), (np.nan, np.inf), (-np.inf, np.nan)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_is_named_though_others_could_hide_it(others, dtype):
    x = np.zeros((4, 3), dtype)
    x[1, 2], x[3, 0] = others
    with pytest.raises(DataError, match=f"got {others[0]} in row 1, column 2"):
        Reader(x, 3, dtype).checked(slice(0, 4))
    with pytest.raises(DataError, match=f"got {others[1]} in row 3, column 0"):
        Reader(x, 3, dtype).checked(slice(2, 4))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_whose_squares_overflow_are_finite(dtype):
    x = np.full((3, 4), np.finfo(dtype).max, dtype)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(Reader(x, 4, dtype).checked(slice(0, 3)), x)
    x[2, 1] = np.nan
    with pytest.raises(DataError, match="row 2, column 1"):
        Reader(x, 4, dtype).checked(slice(0, 3))


def test_a_number_too_large_for_the_type_is_named_as_it_was_given():
    x = np.array([[1.0, 1e39]])
    with pytest.raises(DataError, match=r"float32 can hold; got 1e\+39 in row 0, column 1"):
        Reader(x, 2, "float32").checked(slice(0, 1))
    assert Reader(x, 2, "float64").checked(slice(0, 1))[0, 1] == 1e39


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (TABLE[:, :3], r"x needs shape \(N, 4\) for this model; got \(10, 3\)\. Check"),
        (TABLE[:7].T, r"got \(4, 7\)\. It looks transposed: pass x\.T\."),
        (TABLE[0], r"got \(4,\)\. For a single row, pass x\[None\]\."),
        (TABLE.reshape(10, 2, 2), r"Flatten each example: x\.reshape\(len\(x\), -1\)\."),
        (TABLE.reshape(10, 2, 2)[:, :, :1], r"got \(10, 2, 1\)\. Check"),
        (5.0, r"got \(\)\."),
        (TABLE[:0], r"at least one row; got shape \(0, 4\)"),
        ([], r"got \(0,\)"),
        ([["a"] * 4], "needs numbers; got an array of <U1"),
        ([[None] * 4], "needs numbers; got an array of object"),
        (TABLE + 1j, "needs numbers; got an array of complex128"),
        ([[1.0], [1.0, 2.0]], "needs rows of one length"),
        (np.ma.masked_equal(TABLE, 5), "masked array with gaps"),
    ],
)
def test_arrays_that_are_no_such_table(x, message):
    with pytest.raises(DataError, match=message):
        Reader(x, 4, "float64")


def test_masked_arrays_without_gaps_and_lists_are_tables():
    for x in (np.ma.masked_equal(TABLE, -1), TABLE.tolist(), tuple(map(tuple, TABLE))):
        np.testing.assert_array_equal(Reader(x, 4, "float64").batch(slice(0, 10)), TABLE)

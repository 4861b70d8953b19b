"""Data in files that are mapped into memory, and cut short while they are read."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import npvae as nv
from npvae.data import mapped
from npvae.data.reader import Reader

X = np.random.default_rng(0).random((4000, 20)).astype("float32")


@pytest.fixture
def file(tmp_path):
    np.save(tmp_path / "x.npy", X)
    return tmp_path / "x.npy"


@pytest.fixture
def none_copied(monkeypatch):
    monkeypatch.setattr(mapped, "COPIED", 0)


def opened(file):
    return np.load(file, mmap_mode="r")


def model():
    return nv.VAE(20, 2, hidden=(8,), likelihood="gaussian")


PARTS = {
    "all": lambda x: x,
    "as an array": np.asarray,
    "some rows": lambda x: x[100:200],
    "a part of a part": lambda x: np.asarray(x[100:])[:, ::2],
    "reshaped": lambda x: x.reshape(-1),
    "of a buffer": lambda x: np.frombuffer(x.base, np.uint8),
}


@pytest.mark.parametrize("part", PARTS)
def test_the_file_of_an_array_is_found(file, part):
    whole, size = opened(file), file.stat().st_size
    found = mapped.mapping(PARTS[part](whole))
    assert found.size == size
    found.check("x")
    os.truncate(file, size - 1)
    with pytest.raises(
        nv.DataError, match=rf"cut short .* of {size:,} bytes {size - 1:,} are left"
    ):
        found.check("x")


def test_an_array_far_into_a_file(tmp_path):
    (tmp_path / "raw").write_bytes(bytes(3 * mmap.ALLOCATIONGRANULARITY))
    at = 2 * mmap.ALLOCATIONGRANULARITY + 8
    found = mapped.mapping(np.memmap(tmp_path / "raw", "uint8", "r", offset=at, shape=(100,)))
    assert found.size == at + 100


@pytest.mark.parametrize("x", [X, X[:3], [[1.0]], np.frombuffer(mmap.mmap(-1, 80), np.uint8)])
def test_what_lies_in_no_file(x):
    assert mapped.mapping(x) is None
    assert mapped.in_memory(x) is x


def test_small_files_are_copied(file, monkeypatch):
    x = opened(file)
    copy = mapped.in_memory(x)
    assert not np.shares_memory(copy, x)
    np.testing.assert_array_equal(copy, X)
    monkeypatch.setattr(mapped, "COPIED", X.nbytes - 1)
    assert mapped.in_memory(x) is x


def test_a_reader_sees_that_its_file_was_cut_short(file):
    reader = Reader(opened(file), 20, "float32")
    reader.batch(slice(0, 10))
    os.truncate(file, 1000)
    with pytest.raises(nv.DataError, match="the file of x was cut short"):
        reader.batch(slice(0, 10))


def test_training_goes_on_when_a_small_file_is_cut_short(file):
    expected = nv.fit(model(), X, epochs=3)
    history = nv.fit(model(), opened(file), epochs=3,
                     callbacks=[lambda *_: os.truncate(file, 200)])  # fmt: skip
    assert [r["train_loss"] for r in history.records] == [r["train_loss"] for r in expected.records]


@pytest.mark.usefixtures("none_copied")
def test_a_large_file_trains_as_an_array_does(file):
    in_memory, on_disk = model(), model()
    nv.fit(in_memory, X, epochs=2, valid=X[:50])
    nv.fit(on_disk, opened(file), epochs=2, valid=opened(file)[:50])
    np.testing.assert_array_equal(on_disk.flat, in_memory.flat)


@pytest.mark.parametrize("kernels", ["numba", "numpy"])
@pytest.mark.parametrize("as_validation", [True, False])
@pytest.mark.usefixtures("none_copied")
def test_a_large_file_that_is_cut_short_ends_training_with_an_error(file, kernels, as_validation):
    data = {"x": X, "valid": opened(file)} if as_validation else {"x": opened(file)}
    nv.use_kernels(kernels)
    try:
        with pytest.raises(nv.DataError, match="cut short"):
            nv.fit(model(), **data, epochs=3, callbacks=[lambda *_: os.truncate(file, 200)])
    finally:
        nv.use_kernels(None)


CUT = """
import os, sys
import numpy as np
x = np.load(sys.argv[1], mmap_mode="r")
os.truncate(sys.argv[1], 200)
print(x.sum())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="where files can't be cut short")
def test_without_all_this_the_process_would_end(file):
    done = subprocess.run([sys.executable, "-c", CUT, str(file)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGBUS

"""Writers of small files, and the real data where NPVAE_DATA points to it."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from npvae.core.errors import DataError
from npvae.datasets import read

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def _idx_bytes(array, shape=None):
    """The bytes of an IDX file; ``shape`` is what the header claims, where it lies."""
    array = np.asarray(array)
    shape = array.shape if shape is None else shape
    code = IDX_CODES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(scope="session")
def idx_bytes():
    return _idx_bytes


@pytest.fixture
def write_idx(tmp_path):
    def write(name, array, shape=None):
        path = tmp_path / name
        data = _idx_bytes(array, shape)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    return write


@pytest.fixture
def write_npy(tmp_path):
    def write(array, **options):
        np.save(tmp_path / "a.npy", array, **options)
        return tmp_path / "a.npy"

    return write


@pytest.fixture
def write_npz(tmp_path):
    def write(**arrays):
        np.savez_compressed(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return write


@pytest.fixture
def write_text(tmp_path):
    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.fixture
def refusal():
    """Read what must be refused; return the message: one line that names the file."""

    def refuse(path, split=None):
        with pytest.raises(DataError) as caught:
            read(path, split)
        message = str(caught.value)
        assert "\n" not in message
        assert Path(path).name in message
        return message

    return refuse


@pytest.fixture
def real_data():
    """The path of a real data set: skips where NPVAE_DATA is unset, fails where it lacks one."""

    def find(name):
        root = os.environ.get("NPVAE_DATA")
        if not root:
            pytest.skip("NPVAE_DATA is not set: it names the folder of real data sets")
        path = Path(root, name)
        assert path.exists(), f"NPVAE_DATA is set, but {path} is missing"
        return path

    return find

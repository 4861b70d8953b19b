"""NumPy files that lie about what they hold: no memory is taken for them."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def npy_bytes(shape, data=b"", descr="<f4"):
    """The bytes of a ``.npy`` file whose header claims a shape."""
    stream = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


@pytest.mark.parametrize("shape", [(2**31, 784), (2**62, 2**62), (5, 3), (3, 3), (-4, -3)])
def test_header_must_match_the_length(tmp_path, refusal, shape):
    data = npy_bytes(shape, X.tobytes())
    (tmp_path / "a.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", data)
    tracemalloc.start()
    for name in ("a.npy", "a.npz"):
        message = refusal(tmp_path / name)
        assert "promises" in message or "0 or more" in message
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_npz_that_lies_about_its_member_too(tmp_path, refusal):
    data = npy_bytes((2**31, 784), X.tobytes())
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", data)
        archive.getinfo("x.npy").file_size = len(data) - X.nbytes + 2**31 * 784 * 4
    tracemalloc.start()
    assert f"promises {2**31 * 784 * 4} bytes of data; got {X.nbytes}" in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_zip_bomb_is_not_unpacked(tmp_path, refusal):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("x.npy", npy_bytes((4, 3), bytes(1 << 26)))
    tracemalloc.start()
    assert "promises 48 bytes" in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_bomb_of_another_method(tmp_path, refusal, method):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", npy_bytes((4, 3), bytes(1 << 24)))
    tracemalloc.start()
    assert f"stored or deflated; got compression method {method}" in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_false_header_length_takes_no_memory(tmp_path, refusal):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"{" * 20_000)
    tracemalloc.start()
    assert "whole" in refusal(tmp_path / "a.npy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"PK\x03\x04", b"<html>not found</html>"])
def test_not_what_the_name_says(tmp_path, refusal, suffix, data):
    (tmp_path / f"a{suffix}").write_bytes(data)
    assert "the file must be what its name says, and whole" in refusal(tmp_path / f"a{suffix}")


def test_npz_with_a_flipped_bit(write_npz, tmp_path, refusal):
    np.savez(tmp_path / "a.npz", x=X)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[data.index(X.tobytes())] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    assert "CRC" in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize("descr", ["<U0", "<U1"])
def test_text_that_is_no_text(tmp_path, refusal, descr):
    text = b"" if descr == "<U0" else b"\xff\xff\xff\x7f" * 3
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", npy_bytes((4, 3), X.tobytes()))
        archive.writestr("genes.npy", npy_bytes((3,), text, descr))
    assert "array 'genes'" in refusal(tmp_path / "a.npz")

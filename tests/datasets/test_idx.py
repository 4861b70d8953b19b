"""IDX files: values, names, splits, and files that lie."""

from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae.datasets import has_test_split, load, read

IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]
LABELS = np.array([3, 1, 0, 2], np.uint8)


@pytest.fixture
def folder(write_idx, tmp_path):
    write_idx("train-images-idx3-ubyte.gz", IMAGES)
    write_idx("train-labels-idx1-ubyte.gz", LABELS)
    write_idx("t10k-images-idx3-ubyte", IMAGES[:2] + 100)
    write_idx("t10k-labels-idx1-ubyte", LABELS[:2])
    return tmp_path


def test_folder(folder):
    train = read(folder)
    assert train.x.dtype == np.uint8
    assert train.image_shape == (2, 3)
    assert train.columns is None
    np.testing.assert_array_equal(train.x, IMAGES.reshape(4, 6))
    np.testing.assert_array_equal(train.y, LABELS)
    assert train.x.flags.writeable


def test_splits(folder):
    assert has_test_split(folder)
    np.testing.assert_array_equal(read(folder, "train").x, IMAGES.reshape(4, 6))
    test = read(str(folder), split="test")
    np.testing.assert_array_equal(test.x, IMAGES[:2].reshape(2, 6) + 100)
    np.testing.assert_array_equal(test.y, LABELS[:2])


def test_load_gives_labels_only_where_there_are_some(folder):
    x, y = load(folder)
    assert (x.shape, y.shape) == ((4, 6), (4,))
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    alone = load(folder)
    assert isinstance(alone, np.ndarray)
    assert alone.shape == (4, 6)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte", "train-labels.idx1-ubyte.gz"),
        ("TRAIN-IMAGES-IDX3-UBYTE.GZ", "train-labels-idx1-ubyte"),
    ],
)
def test_names_of_folders(write_idx, tmp_path, images, labels):
    write_idx(images, IMAGES)
    write_idx(labels, LABELS)
    data = read(tmp_path)
    np.testing.assert_array_equal(data.x, IMAGES.reshape(4, 6))
    np.testing.assert_array_equal(data.y, LABELS)
    assert not has_test_split(tmp_path)


def test_folder_with_a_test_split_alone(write_idx, tmp_path, refusal):
    write_idx("t10k-images-idx3-ubyte", IMAGES)
    np.testing.assert_array_equal(read(tmp_path).x, IMAGES.reshape(4, 6))
    assert "there is no train split" in refusal(tmp_path, "train")


def test_unpacked_file_goes_before_packed_one(write_idx, tmp_path):
    write_idx("train-images-idx3-ubyte.gz", IMAGES)
    write_idx("train-images-idx3-ubyte", IMAGES + 1)
    assert read(tmp_path).x[0, 0] == 1


def test_single_file_finds_its_labels(write_idx):
    path = write_idx("my-images-idx3-ubyte", IMAGES)
    assert read(path).y is None
    write_idx("other-labels-idx1-ubyte", LABELS)
    assert read(path).y is None
    write_idx("my-labels.idx1-ubyte.gz", LABELS)
    np.testing.assert_array_equal(read(path).y, LABELS)
    np.testing.assert_array_equal(read(path, "train").x, IMAGES.reshape(4, 6))


@pytest.mark.parametrize("name", ["a.idx", "a.idx3", "a-idx3-ubyte.gz", "a.idx3-double"])
def test_names_of_single_files(write_idx, name):
    np.testing.assert_array_equal(read(write_idx(name, IMAGES)).x, IMAGES.reshape(4, 6))


def test_content_and_not_the_name_tells_gzip(idx_bytes, tmp_path):
    (tmp_path / "a.idx.gz").write_bytes(idx_bytes(IMAGES))
    (tmp_path / "a.idx").write_bytes(gzip.compress(idx_bytes(IMAGES)))
    np.testing.assert_array_equal(read(tmp_path / "a.idx.gz").x, read(tmp_path / "a.idx").x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_number_type_arrives_native(write_idx, dtype):
    values = np.array([[1, 2, 3], [4, 100, 6]], dtype)
    if dtype != "u1":
        values[1, 1] = -100
    x = read(write_idx("a.idx", values)).x
    assert x.dtype == np.dtype(dtype)
    assert x.dtype.isnative
    np.testing.assert_array_equal(x, values)


def test_big_endian_bytes_spelled_out(tmp_path):
    path = tmp_path / "a.idx"
    path.write_bytes(bytes([0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 0xFF, 0xFE]))
    assert read(path).x.tolist() == [[258, -2]]


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5))
    ),
    st.booleans(),
)
@settings(deadline=None, derandomize=True)
def test_round_trip(tmp_path_factory, idx_bytes, array, packed):
    path = tmp_path_factory.mktemp("idx") / "a.idx"
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    read_back = read(path)
    np.testing.assert_array_equal(read_back.x, array.reshape(len(array), -1))
    height_and_width, channels = array.shape[1:3], array.shape[3:] or (1,)
    shapes = {(1,): height_and_width, (3,): (*height_and_width, 3)}
    assert read_back.image_shape == (shapes.get(channels) if array.ndim > 2 else None)


def test_no_test_split(write_idx, tmp_path, refusal):
    path = write_idx("train-images-idx3-ubyte", IMAGES)
    assert not has_test_split(path)
    message = refusal(tmp_path, "test")
    assert "t10k-images-idx3-ubyte" in message
    assert "there is no test split" in message
    assert "test split needs a folder" in refusal(path, "test")


def test_folder_without_idx_files(tmp_path, refusal):
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    message = refusal(tmp_path)
    assert "train-images-idx3-ubyte.gz" in message
    assert "got none" in message


def test_labels_of_other_images(folder, write_idx, refusal):
    write_idx("train-labels-idx1-ubyte.gz", LABELS[:3])
    with pytest.raises(ValueError, match=r"train-labels.*one per row, shape \(4,\); got .*\(3,\)"):
        read(folder)


def test_labels_in_place_of_images(folder, refusal):
    assert "one example per row" in refusal(folder / "t10k-labels-idx1-ubyte")


@pytest.mark.parametrize(
    "data", [b"", b"\0\0", b"\0\1\x08\2", b"\0\0\x0a\2" + b"\0" * 8, b"<html>"]
)
def test_wrong_magic(tmp_path, refusal, data):
    (tmp_path / "a.idx").write_bytes(data)
    message = refusal(tmp_path / "a.idx")
    assert "two zero bytes" in message
    assert (data[:4].hex(" ") or "an empty file") in message


def test_header_cut_short(tmp_path, refusal):
    (tmp_path / "a.idx").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1]))
    assert "12 bytes of data; got 4, within the header" in refusal(tmp_path / "a.idx")


@pytest.mark.parametrize("name", ["a.idx", "a.idx.gz"])
def test_sizes_must_match_the_length(write_idx, refusal, name):
    assert "promises 30 bytes of data; got 24" in refusal(write_idx(name, IMAGES, (5, 2, 3)))
    assert "promises 18 bytes of data; got more" in refusal(write_idx(name, IMAGES, (3, 2, 3)))


@pytest.mark.parametrize("shape", [(0, 2, 3), (4, 0, 3), (0, 2**32 - 1)])
def test_no_rows_or_no_columns(write_idx, refusal, shape):
    path = write_idx("a.idx", np.zeros(0, np.uint8), shape)
    assert "at least one row and one column" in refusal(path)


@pytest.mark.parametrize("shape", [(24,), (1,) * 5, (1,) * 255])
def test_number_of_axes(write_idx, refusal, shape):
    assert "one example per row" in refusal(write_idx("a.idx", np.zeros(1, np.uint8), shape))


@pytest.mark.parametrize("name", ["a.idx", "a.idx.gz"])
@pytest.mark.parametrize("shape", [(2**31, 28, 28), (2**32 - 1,) * 4])
def test_huge_header_takes_no_memory(write_idx, refusal, name, shape):
    path = write_idx(name, np.zeros(100_000, np.float64), shape)
    tracemalloc.start()
    assert "header promises" in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("shape", [(10, 2, 2), (2**31, 28, 28)])
def test_gzip_bomb_is_not_unpacked(tmp_path, idx_bytes, refusal, shape):
    path = tmp_path / "a.idx.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(idx_bytes(np.zeros(0, np.uint8), shape))
        for _ in range(128):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    assert "header promises" in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("keep", [3, 11, 20, -9, -1])
def test_gzip_cut_short(write_idx, refusal, keep):
    path = write_idx("a.idx.gz", IMAGES)
    path.write_bytes(path.read_bytes()[:keep])
    assert "the file must be what its name says, and whole" in refusal(path)


def test_gzip_with_a_wrong_checksum(write_idx, refusal):
    path = write_idx("a.idx.gz", IMAGES)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    assert "CRC" in refusal(path)

"""The real data sets, where NPVAE_DATA points to them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from npvae.datasets import has_test_split, load, read


def test_mnist(real_data):
    folder = real_data("mnist")
    train = read(folder)
    assert (train.x.shape, train.x.dtype, train.image_shape) == ((60000, 784), np.uint8, (28, 28))
    # The md5 of the canonical unpacked file, header and all.
    header = bytes([0, 0, 8, 3, 0, 0, 0xEA, 0x60, 0, 0, 0, 28, 0, 0, 0, 28])
    md5 = hashlib.md5(header + train.x.tobytes()).hexdigest()
    assert md5 == "6bbc9ace898e44ae57da46a324031adb"
    assert train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert has_test_split(folder)
    x, y = load(folder, split="test")
    assert (x.shape, y[:5].tolist()) == ((10000, 784), [7, 2, 1, 0, 4])


def test_frey_faces(real_data):
    path = real_data("frey_faces.npz")
    data = read(path)
    assert (data.x.shape, data.x.dtype, data.image_shape) == ((1965, 560), np.uint8, (28, 20))
    assert data.y is None
    np.testing.assert_array_equal(data.x, np.load(path)["X"].reshape(1965, 560))
    assert isinstance(load(path), np.ndarray)
    assert not has_test_split(path)


def test_orl_faces(real_data):
    data = read(real_data("orl_faces.npz"))
    assert (data.x.shape, data.image_shape) == ((400, 112 * 92), (112, 92))
    assert np.bincount(data.y)[1:].tolist() == [10] * 40


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cardio", (1831, 21)),
        ("ionosphere", (351, 33)),
        ("letter", (1600, 32)),
        ("optdigits", (5216, 64)),
        ("vowels", (1456, 12)),
        ("wbc", (378, 30)),
    ],
)
def test_odds(real_data, name, shape):
    path = real_data(f"odds/{name}.npz")
    data = read(path)
    assert (data.x.shape, data.x.dtype, data.image_shape) == (shape, np.float32, None)
    assert set(data.y.tolist()) == {0, 1}
    assert data.x.flags.c_contiguous  # the files are column by column
    np.testing.assert_array_equal(data.x, np.load(path)["X"])


def test_pbmc(real_data):
    path = real_data("pbmc_10k_counts.npz")
    data = read(path)
    assert (data.x.shape, data.x.dtype) == ((200, 4000), np.uint16)
    assert (data.y, data.image_shape) == (None, None)
    assert data.columns == np.load(path)["genes"].tolist()
    assert "HES4" in data.columns

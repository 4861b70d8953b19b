"""``.npy`` and ``.npz``: values, maps, names, and files that lie."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae.datasets import has_test_split, load, read

X = np.arange(12, dtype=np.float32).reshape(4, 3)
Y = np.array([0, 1, 1, 0])


def test_npy_stays_on_disk(write_npy):
    x = load(write_npy(X))
    assert isinstance(x, np.memmap)
    assert x.dtype == np.float32
    assert not x.flags.writeable
    np.testing.assert_array_equal(x, X)


def test_npy_images_stay_on_disk_and_uint8(write_npy):
    images = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    data = read(write_npy(images))
    assert isinstance(data.x, np.memmap)
    assert data.x.dtype == np.uint8
    assert data.image_shape == (4, 3)
    assert data.y is None
    np.testing.assert_array_equal(data.x, images.reshape(2, 12))


def test_npy_of_many_rows_takes_no_memory(tmp_path):
    path = tmp_path / "a.npy"
    np.lib.format.open_memmap(path, "w+", np.float32, (100_000, 100))
    tracemalloc.start()
    assert read(path).x[-1, -1] == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize(
    ("shape", "image_shape"),
    [
        ((2, 6), None),
        ((2, 3, 2), (3, 2)),
        ((2, 3, 2, 1), (3, 2)),
        ((2, 2, 1, 3), (2, 1, 3)),
        ((2, 1, 3, 2), None),
        ((2, 3, 1, 2), None),
    ],
)
def test_image_shapes(write_npy, write_npz, shape, image_shape):
    array = np.arange(12.0).reshape(shape)
    for path in (write_npy(array), write_npz(x=array)):
        data = read(path)
        assert data.image_shape == image_shape
        np.testing.assert_array_equal(data.x, np.arange(12.0).reshape(2, 6))


def test_booleans_become_uint8(write_npy):
    x = load(write_npy(np.array([[True, False], [False, True]])))
    assert x.dtype == np.uint8
    assert isinstance(x, np.memmap)
    assert x.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", ">u4"])
def test_big_endian_becomes_native(write_npy, write_npz, dtype):
    for path in (write_npy(X.astype(dtype)), write_npz(x=X.astype(dtype))):
        x = load(path)
        assert x.dtype.isnative
        assert x.dtype == np.dtype(dtype).newbyteorder("=")
        np.testing.assert_array_equal(x, X)


def test_column_by_column_order(write_npy, write_npz):
    by_column = np.asfortranarray(X)
    assert isinstance(load(write_npy(by_column)), np.memmap)
    np.testing.assert_array_equal(load(write_npy(by_column)), X)
    x = load(write_npz(x=by_column))
    assert x.flags.c_contiguous
    np.testing.assert_array_equal(x, X)
    images = np.asfortranarray(np.arange(24).reshape(2, 4, 3))
    np.testing.assert_array_equal(load(write_npy(images)), np.arange(24).reshape(2, 12))


@given(
    hnp.arrays(
        st.sampled_from(["u1", "i8", "<f4", ">f4", "f8", "?", "f2"]),
        hnp.array_shapes(min_dims=2, max_dims=4, max_side=5),
    ),
    st.sampled_from("CF"),
)
@settings(deadline=None, derandomize=True)
def test_round_trip(tmp_path_factory, array, order):
    folder = tmp_path_factory.mktemp("arrays")
    np.save(folder / "a.npy", array.copy(order))
    np.savez(folder / "a.npz", array.copy(order))
    for name in ("a.npy", "a.npz"):
        np.testing.assert_array_equal(load(folder / name), array.reshape(len(array), -1))


@pytest.mark.parametrize("x_name", ["x", "X", "data", "images", "x_train", "X_train", "anything"])
@pytest.mark.parametrize("y_name", ["y", "Y", "labels", "target", "y_train"])
def test_npz_names(write_npz, x_name, y_name):
    x, y = load(write_npz(**{y_name: Y, x_name: X, "scale": np.float32(2)}))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_npz_prefers_its_names_to_other_tables(write_npz):
    data = read(write_npz(other=X + 1, X=X))
    np.testing.assert_array_equal(data.x, X)
    assert data.y is None


def test_npz_test_split(write_npz, refusal):
    path = write_npz(x_train=X, y_train=Y, x_test=X[:2] + 1, y_test=Y[:2])
    assert has_test_split(path)
    np.testing.assert_array_equal(load(path)[0], X)
    np.testing.assert_array_equal(load(path, "train")[1], Y)
    np.testing.assert_array_equal(load(path, "test")[0], X[:2] + 1)
    np.testing.assert_array_equal(load(path, "test")[1], Y[:2])
    path = write_npz(x=X)
    assert not has_test_split(path)
    assert "x_test; got only x float32 (4, 3)" in refusal(path, "test")


@pytest.mark.parametrize("dtype", ["U8", "S8"])
def test_npz_columns(write_npz, dtype):
    genes = np.array(["HES4", "ISG15", "AGRN"], dtype)
    data = read(write_npz(X=X, cells=np.array(list("abcd")), genes=genes))
    assert data.columns == ["HES4", "ISG15", "AGRN"]
    assert data.y is None


def test_npz_columns_and_text_labels_of_one_length(write_npz):
    labels, genes = np.array(["p", "q", "r"]), np.array(["g1", "g2", "g3"])
    data = read(write_npz(y=labels, genes=genes, X=X[:3]))
    assert data.columns == ["g1", "g2", "g3"]
    assert data.y.tolist() == ["p", "q", "r"]


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (Y.reshape(4, 1), [0, 1, 1, 0]),
        (Y.astype(">i2"), [0, 1, 1, 0]),
        (Y.astype(bool), [0, 1, 1, 0]),
        (np.array([b"a", b"b", b"a", b"c"]), ["a", "b", "a", "c"]),
        (np.array([0.5, 1, 2, 3]), [0.5, 1, 2, 3]),
    ],
)
def test_npz_labels(write_npz, y, expected):
    labels = read(write_npz(x=X, y=y)).y
    assert labels.tolist() == expected
    assert labels.dtype.isnative


def test_npz_with_wrong_labels(write_npz, refusal):
    message = refusal(write_npz(x=X, y=Y[:3]))
    assert "array 'y'" in message
    assert "one per row, shape (4,); got shape (3,)" in message
    assert "argmax(1)" in refusal(write_npz(x=X, y=np.eye(4)))
    assert "numbers or strings are needed; got dtype complex" in refusal(write_npz(x=X, y=Y * 1j))
    assert "never unpickles" in refusal(write_npz(x=X, y=Y.astype(object)))


def test_npz_with_no_table_or_two(write_npz, refusal):
    assert "got a float32 (4, 3), b int64 (1, 1). Name it" in refusal(
        write_npz(a=X, b=np.array([[1]]))
    )
    assert "got a int64 (4,). Name it" in refusal(write_npz(a=Y))
    assert "got no array" in refusal(write_npz())
    assert "2 more" in refusal(write_npz(**{f"a{i}": X for i in range(10)}))


def test_npz_of_scipy_sparse(write_npz, refusal):
    parts = {"data": np.ones(3), "indices": np.arange(3), "indptr": np.arange(4)}
    assert "sparse" in refusal(write_npz(**parts, format=np.array(b"csr")))


@pytest.mark.parametrize("name", ["x", "anything"])
def test_objects_are_never_unpickled(write_npy, write_npz, refusal, name):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    array = np.array([[Bomb(), 1], [2, 3]], dtype=object)
    for path in (write_npy(array), write_npz(**{name: array})):
        assert "never unpickles" in refusal(path)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.arange(3), "one example per row"),
        (np.float32(1), "one example per row"),
        (np.zeros((1, 1, 1, 1, 1)), "(N, D), (N, H, W) or (N, H, W, C); got shape (1, 1, 1, 1, 1)"),
        (np.zeros((0, 3)), "at least one row and one column; got shape (0, 3)"),
        (np.zeros((3, 0)), "at least one row and one column; got shape (3, 0)"),
        (np.ones((2, 2), complex), "real numbers are needed; got dtype complex128"),
        (np.array([["a"]]), "real numbers are needed; got dtype <U1"),
        (np.zeros((2, 2), "M8[s]"), "real numbers are needed; got dtype datetime64[s]"),
        (np.zeros((2, 2), [("a", "f4")]), "real numbers are needed; got dtype"),
        (np.zeros((2, 2), [("é€", "f4")]), "version 1 or 2; got version (3, 0)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
def test_what_data_can_not_be(write_npy, write_npz, refusal, array, words):
    assert words in refusal(write_npy(array))
    assert words in refusal(write_npz(x=array))

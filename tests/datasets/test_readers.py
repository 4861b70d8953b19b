"""What is common to all sources, and damage that no reader may answer with anything else."""

from __future__ import annotations

import gzip
import io
import os
import zipfile

import numpy as np
import pytest

import npvae.datasets.readers as readers
from npvae.core.errors import DataError, NpvaeError
from npvae.datasets import Dataset, has_test_split, load, read

X = np.arange(24, dtype=np.float32).reshape(6, 4)


@pytest.fixture
def table(write_text):
    return write_text("1,2\n3,4\n")


def test_dataset_is_frozen():
    data = Dataset(X)
    assert (data.y, data.image_shape, data.columns) == (None, None, None)
    with pytest.raises(AttributeError):
        data.x = X + 1
    assert data != Dataset(X)


def test_paths_of_both_kinds(table):
    assert read(str(table)).x.tolist() == read(table).x.tolist() == [[1, 2], [3, 4]]


def test_suffixes_in_any_case(tmp_path):
    np.save(tmp_path / "a.npy", X)
    (tmp_path / "a.npy").rename(tmp_path / "A.NPY")
    np.testing.assert_array_equal(load(tmp_path / "A.NPY"), X)


def test_missing(table, refusal):
    missing = table.with_name("tabel.csv")
    message = refusal(missing)
    assert "no file or folder at" in message
    assert f"Did you mean '{table}'?" in message
    assert refusal(table.with_name("other.npz")).endswith("Check the path.")
    assert refusal(table.parent / "nowhere" / "a.csv").endswith("Check the path.")
    with pytest.raises(DataError, match="no file or folder at"):
        has_test_split(missing)


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 5000])
def test_impossible_names(tmp_path, name):
    with pytest.raises(DataError, match="no file or folder at"):
        read(tmp_path / name)


def test_unknown_suffix(write_text, refusal):
    message = refusal(write_text("1,2\n", name="a.parquet"))
    for word in (".npy", ".npz", ".csv", ".tsv", "IDX", "got '.parquet'"):
        assert word in message
    assert "got 'no suffix'" in refusal(write_text("1,2\n", name="table"))


@pytest.mark.parametrize("split", ["valid", "", 1])
def test_unknown_split(table, split):
    with pytest.raises(DataError, match="split must be 'train', 'test' or None; got"):
        read(table, split)


def test_no_test_split(table, refusal):
    assert "Read it without a split" in refusal(table, "test")
    assert read(table, "train").x.shape == (2, 2)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipe(tmp_path, refusal):
    os.mkfifo(tmp_path / "a.csv")
    assert "must be a file or a folder" in refusal(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("error", "words"),
    [(PermissionError(13, "Permission denied"), "Permission denied"), (MemoryError(), "as .npy")],
)
def test_system_errors(table, refusal, monkeypatch, error, words):
    def fail(path):
        raise error

    monkeypatch.setattr(readers, "read_csv", fail)
    assert words in refusal(table)


def test_errors_are_value_errors(tmp_path):
    with pytest.raises(ValueError, match="no file") as caught:
        read(tmp_path / "a.csv")
    assert isinstance(caught.value, NpvaeError)


def sources(idx_bytes):
    """One small file of each kind, as bytes, by name."""
    files = {"a.csv": b"a,b,label\n1,2.5,x\n-3,4e2,y\n", "a.idx": idx_bytes(X)}
    files["a.idx.gz"] = gzip.compress(files["a.idx"])
    for name, save in [("a.npy", np.save), ("a.npz", np.savez), ("b.npz", np.savez_compressed)]:
        stream = io.BytesIO()
        if save is np.save:
            save(stream, X)
        else:
            save(stream, x=X, y=np.arange(6), genes=np.array(list("abcd")))
        files[name] = stream.getvalue()
    return files


def damaged_copies(data, rng, n_copies):
    for _ in range(n_copies):
        copy = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            copy[rng.integers(len(copy))] = rng.choice([0, 1, 0xFF, rng.integers(256)])
        yield bytes(copy[: rng.integers(len(copy))] if rng.random() < 0.3 else copy)


@pytest.mark.smoke(3)
@pytest.mark.parametrize("name", ["a.csv", "a.idx", "a.idx.gz", "a.npy", "a.npz", "b.npz"])
@pytest.mark.filterwarnings("ignore")
def test_damage_gives_data_errors_alone(tmp_path, idx_bytes, name):
    rng = np.random.default_rng(0)
    messages = []
    for i, data in enumerate(damaged_copies(sources(idx_bytes)[name], rng, 300)):
        path = tmp_path / f"{i}{name}"
        path.write_bytes(data)
        try:
            assert read(path).x.ndim == 2
        except DataError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert not any("\n" in message for message in messages)


def test_every_truncation_is_refused(tmp_path, idx_bytes):
    for name, data in sources(idx_bytes).items():
        if name == "a.csv":  # a table cut between two rows, or two digits, is a table
            continue
        path = tmp_path / name
        for length in range(0, len(data), max(1, len(data) // 60)):
            path.write_bytes(data[:length])
            with pytest.raises(DataError):
                read(path)


def test_zip_with_other_things_in_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
        with archive.open("x.npy", "w") as stream:
            np.save(stream, X)
    np.testing.assert_array_equal(load(tmp_path / "a.npz"), X)

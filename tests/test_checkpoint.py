"""Models on disk: what is saved comes back, from anywhere, in the same bytes, or not at all."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import npvae as nv
from npvae.models import storage as checkpoint


def small(**options):
    model = nv.VAE(**{"x_dim": 4, "z_dim": 2, "hidden": (3,), **options})
    model.flat += 0.1 * np.random.default_rng(0).normal(size=model.n_params).astype(model.dtype)
    return model


def saved(model, path):
    nv.save(model, path)
    return Path(path).read_bytes()


MODELS = [
    {},
    {"dtype": "float64", "likelihood": nv.Gaussian(0.3), "activation": "gelu", "seed": 12},
    {"hidden": (), "context_dim": 3, "scale": 255.0},
    {"hidden": (5, 4, 3), "init": "he_normal"},
]


class CannotSeek(io.RawIOBase):
    """A stream such as a socket: it can only be read onwards."""

    def __init__(self, content):
        self.content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.content.readinto(buffer)


SOURCES = {
    "Path": lambda path: path,
    "str": str,
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "a raw stream": lambda path: CannotSeek(path.read_bytes()),
    "a stream": lambda path: io.BufferedReader(CannotSeek(path.read_bytes())),
}


@pytest.mark.parametrize("options", MODELS)
@pytest.mark.parametrize("source", SOURCES)
def test_what_was_saved_comes_back(tmp_path, options, source):
    model, path = small(**options), tmp_path / "model.npz"
    nv.save(model, path)
    loaded = nv.load(SOURCES[source](path))
    assert type(loaded) is nv.VAE
    assert loaded.config == model.config
    assert loaded.flat.dtype == model.flat.dtype
    np.testing.assert_array_equal(loaded.flat, model.flat)
    x = np.random.default_rng(1).random((5, 4))
    c = None if model.context_dim == 0 else np.ones((5, 3))
    np.testing.assert_array_equal(loaded.elbo(x, context=c), model.elbo(x, context=c))
    np.testing.assert_array_equal(loaded.sample(5, context=c), model.sample(5, context=c))


def test_a_folder_stands_for_the_model_in_it(tmp_path):
    nv.save(small(), tmp_path / "model.npz")
    for folder in (tmp_path, str(tmp_path)):
        np.testing.assert_array_equal(nv.load(folder).flat, small().flat)
    (tmp_path / "model.npz").write_bytes(b"damaged")
    assert f"'{tmp_path / 'model.npz'}' is no npvae model" in refusal(tmp_path)


def test_an_open_file_is_read_and_stays_open(tmp_path):
    path = tmp_path / "model.npz"
    nv.save(small(), path)
    with open(path, "rb") as file:
        nv.load(file)
        assert not file.closed


def test_a_loaded_model_can_be_trained_and_owns_its_memory(tmp_path):
    path = tmp_path / "model.npz"
    content = saved(small(), path)
    loaded = nv.load(content)
    nv.fit(loaded, np.random.default_rng(0).random((8, 4)), epochs=1)
    assert not np.array_equal(loaded.flat, small().flat)
    assert path.read_bytes() == content


def test_equal_models_give_equal_bytes(tmp_path):
    one, two = tmp_path / "one.npz", tmp_path / "another name.npz"
    assert saved(small(), one) == saved(small(), two)
    assert saved(nv.load(one), two) == one.read_bytes()
    assert saved(small(seed=1), two) != one.read_bytes()


def test_numpy_reads_the_arrays_without_npvae(tmp_path):
    model, path = small(), tmp_path / "model.npz"
    nv.save(model, path)
    with np.load(path, allow_pickle=False) as arrays:
        for name, value in model.params.items():
            np.testing.assert_array_equal(arrays[f"params/{name}"], value)
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("npvae.json"))
        assert all(m.compress_type == zipfile.ZIP_STORED for m in archive.infolist())
        assert {m.date_time for m in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None
    assert header == {"format": 2, "model": "vae", "config": model.config}


def test_numbers_are_little_endian_on_every_machine(tmp_path):
    path = tmp_path / "model.npz"
    model = small()
    model._hold(model.flat.astype(">f4"))  # what a big-endian machine would hold
    assert saved(model, path) == saved(small(), path)


def test_the_name_is_taken_as_it_is(tmp_path):
    nv.save(small(), tmp_path / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


# Files that are no model


def refusal(source):
    """Load what must be refused; the message is one line of reasonable length."""
    with pytest.raises(nv.ModelFileError) as caught:
        nv.load(source)
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 600
    return message


def test_other_files_are_refused(tmp_path):
    assert "'" + str(tmp_path / "none.npz") in refusal(tmp_path / "none.npz")
    assert "no such file" in refusal(tmp_path / "none.npz")
    assert f"'{tmp_path}' holds no model.npz; give a folder" in refusal(tmp_path)
    refusal("a\0b")
    for content in (b"", b"x", b"PK\x05\x06" + bytes(18), b"PK\x03\x04" * 50, os.urandom(999)):
        assert "the given data" in refusal(content)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    assert "has no 'npvae.json'" in refusal(tmp_path / "other.npz")
    np.savez_compressed(tmp_path / "small.npz", a=np.zeros(3))
    assert "compressed" in refusal(tmp_path / "small.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    refusal(tmp_path / "array.npy")


@pytest.mark.parametrize("source", [None, 5, 1.5, ["a"], {"a": 1}])
def test_other_things_are_refused(source):
    assert f"got {type(source).__name__}" in refusal(source)


def test_files_that_give_no_bytes_are_refused(tmp_path):
    path = tmp_path / "model.npz"
    nv.save(small(), path)
    with open(path, encoding="latin-1") as file:
        assert "mode 'rb'" in refusal(file)
    refusal(file)  # closed by now
    with open(tmp_path / "new", "wb") as file:
        refusal(file)


@pytest.mark.parametrize(
    "extra",
    [
        {"records": [{"a": 1, "b": None}, {"a": 1.0, "b": None}, {"a": True, "b": None}]},
        {"records": [{"a": [1, {"b": 2}]}, {}, {"a": 5e-324, "b": 'é\n"quoted"'}]},
        {"training": {"records": [], "callbacks": [{}, {"waited": 1}], "nested": [[1], [2]]}},
        {"a": {}, "b": [], "c": [1, {"d": 2}], "d": "text", "e": [{"f": float("inf")}]},
    ],
)
def test_a_header_is_json_whatever_is_in_it(tmp_path, extra):
    for _ in range(2):  # from memory the second time
        checkpoint.write(tmp_path / "model.npz", small(), extra, {})
        header, _ = checkpoint.read(tmp_path / "model.npz")
        expected = {"format": 2, "model": "vae", "config": small().config, **extra}
        assert json.dumps(header) == json.dumps(expected)  # 1 is not 1.0 here


def test_a_record_that_changed_is_written_as_it_is(tmp_path):
    record = {"loss": 1.5, "seen": [1]}
    for change in ({"loss": 2.5}, {"seen": [1, 2]}, {"more": None}):
        record.update(change)
        checkpoint.write(tmp_path / "model.npz", small(), {"records": [record]}, {})
        assert checkpoint.read(tmp_path / "model.npz")[0]["records"] == [record]


def test_the_header_function_knows_what_load_knows(tmp_path):
    path = tmp_path / "model.npz"
    checkpoint.write(path, small(), {"note": [1, 2]}, {"more/a": np.arange(3)})
    header, arrays = checkpoint.read(path)
    assert header["note"] == [1, 2]
    np.testing.assert_array_equal(arrays["more/a"], [0, 1, 2])
    np.testing.assert_array_equal(nv.load(path).flat, small().flat)

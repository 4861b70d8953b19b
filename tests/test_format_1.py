"""What npvae 0.1.0 saved, in files of format 1, is still read and gives the same numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from files_of_format_1.make import numbers, run

import npvae as nv

FOLDER = Path(__file__).parent / "files_of_format_1"
MODELS = sorted(path.stem for path in FOLDER.glob("*.npz") if path.stem != "checkpoint")
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


@pytest.fixture(autouse=True)
def on_numpy():
    nv.use_kernels("numpy")
    yield
    nv.use_kernels(None)


def expected(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def assert_near(given, wanted, tolerance):
    """As far apart as rounding takes them: in relation to the greatest of the numbers."""
    wanted = np.array(wanted)
    assert given.shape == wanted.shape
    np.testing.assert_allclose(given, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())


def test_the_files_are_there_and_small():
    assert MODELS == ["bernoulli", "context", "counts", "table", "vamp"]
    sizes = [path.stat().st_size for path in FOLDER.iterdir() if path.is_file()]
    assert max(sizes) < 40_000


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_read_and_gives_the_same_numbers(name):
    was = expected(name)
    model = nv.load(FOLDER / f"{name}.npz")
    assert model.config == was["config"]
    assert model.dtype == was["dtype"]
    assert [[name, list(value.shape)] for name, value in model.params.items()] == was["parameters"]
    for what, given in numbers(model, np.array(was["x"]), was["context"]).items():
        assert_near(given, was[what], TOLERANCE[was["dtype"]])


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_saved_again_and_trains_on(name, tmp_path):
    was = expected(name)
    x, context = np.array(was["x"]), was["context"]
    model = nv.load(FOLDER / f"{name}.npz")
    nv.save(model, tmp_path / "again.npz")
    again = nv.load(tmp_path / "again.npz")
    np.testing.assert_array_equal(again.flat, model.flat)
    assert again.config == model.config
    history = nv.fit(model, x, context=context, epochs=1)
    assert np.isfinite(history.records[0]["train_loss"])
    assert not np.array_equal(again.flat, model.flat)
    assert model.config == was["config"]


def test_a_table_s_model_still_speaks_of_its_columns():
    was = expected("table")
    model = nv.load(FOLDER / "table.npz")
    rows = model.schema.rows(nv.tables.impute(model, np.array(was["x"])))
    assert list(rows[0]) == ["age", "member", "town", "weight", "visits"]
    assert {row["member"] for row in rows} <= {"yes", "no"}
    assert all(isinstance(row["visits"], int) and row["age"] > 0 for row in rows)
    again = nv.tables.impute(model, model.schema.array(rows))
    np.testing.assert_allclose(again, model.schema.array(rows))


@pytest.mark.filterwarnings("ignore:beta reaches its end after")
def test_a_checkpoint_goes_on_as_the_run_that_was_not_stopped(tmp_path):
    was = expected("checkpoint")
    path = tmp_path / "checkpoint.npz"
    shutil.copy(FOLDER / "checkpoint.npz", path)
    assert nv.load(path).config == was["config"]
    model, history = run(path, 3, np.array(was["x"], np.uint8), resume=True)
    assert model.config == was["config"]
    assert [record["epoch"] for record in history.records] == [1, 2, 3]
    for record, unbroken in zip(history.records, was["records"], strict=True):
        assert list(record) == list(unbroken)
        for name in set(record) - {"seconds"}:
            assert np.isfinite(record[name])
            assert record[name] == pytest.approx(unbroken[name], rel=1e-5), name
    np.testing.assert_allclose(model.flat, was["flat"], rtol=1e-3, atol=1e-5)
    written = nv.load(path)
    np.testing.assert_array_equal(written.flat, model.flat)

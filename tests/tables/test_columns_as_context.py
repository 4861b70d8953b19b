"""Columns of a table as a model's context: what networks get of them, and the way back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import npvae as nv
from npvae.core.errors import ConfigError, DataError
from npvae.tables import Columns, parted


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("t") / "t.csv", np.random.default_rng(1)
    lines = ["town,x,hits,y"]
    for i in range(60):
        town = ["Oslo", "Paris", ""][i % 3]
        lines.append(f"{town},{rng.normal():.3f},{rng.poisson(3)},{rng.normal():.3f}")
    path.write_text("\n".join(lines))
    return nv.tables.read(path, columns={"y": "number"})


def condition_of(table, names):
    _, schema = parted(table.schema, names)
    rows = table.x[:, [table.schema.names.index(name) for name in schema.names]]
    return Columns.fitted(schema, table.schema.names, rows), rows


def test_a_column_of_the_context_has_no_distribution_to_speak_of(table):
    of_x, _ = parted(table.schema, ["town", "x"])
    said, *others = (note for note in table.notes if "likeliest with these distributions" in note)
    assert others == []
    assert "'x'" in said
    now = replace(table, schema=of_x).notes
    assert len(now) == len(table.notes)
    assert not any("'x'" in note for note in now)


def test_networks_get_one_hot_labels_and_a_mask(table):
    condition, rows = condition_of(table, ["town"])
    inside = condition.rows(rows)
    assert condition.width == 3
    assert inside[:3].tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 0]]


def test_numbers_are_standardised(table):
    condition, rows = condition_of(table, ["x", "hits"])
    inside = condition.rows(rows)
    assert np.allclose(inside[:, :2].mean(0), 0, atol=1e-5)
    assert np.allclose(inside[:, :2].std(0), 1, atol=1e-4)
    assert (inside[:, 2:] == 1).all()
    assert np.array_equal(condition.rows(inside), inside)  # what is inside already stays


def test_a_condition_is_rebuilt_from_its_config(table):
    condition, rows = condition_of(table, ["town", "hits"])
    again = Columns(**{n: v for n, v in json.loads(json.dumps(condition.config)).items()
                       if n != "name"})  # fmt: skip
    assert np.array_equal(again.rows(rows), condition.rows(rows))
    assert np.array_equal(again.rows({"town": "Paris", "hits": 3}), again.rows([[1.0, 3.0]]))


def test_the_whole_table_comes_back(table):
    condition, rows = condition_of(table, ["town", "hits"])
    of_x, _ = parted(table.schema, ["town", "hits"])
    x = table.x[:, [table.schema.names.index(name) for name in of_x.names]]
    assert condition.whole(of_x).names == table.schema.names
    assert np.array_equal(condition.joined(of_x, x, rows), table.x, equal_nan=True)


def test_a_model_is_saved_with_its_condition(table, tmp_path):
    condition, rows = condition_of(table, ["town"])
    of_x, _ = parted(table.schema, ["town"])
    x = np.column_stack([table.x[:, table.schema.names.index(name)] for name in of_x.names])
    model = nv.VAE(z_dim=2, hidden=(8,), condition=condition, **of_x.options())
    nv.fit(model, x, context=rows, epochs=2)
    nv.save(model, tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    context = {"town": "Oslo"}
    assert np.array_equal(again.sample(5, context=context), model.sample(5, context=context))


def test_what_is_refused(table):
    condition, _ = condition_of(table, ["town"])
    with pytest.raises(DataError, match="a column for each of 'town'"):
        condition.rows(np.zeros((2, 5)))
    with pytest.raises(DataError, match="the context has no column 'x'"):
        condition.given({"x": 3})
    with pytest.raises(ConfigError, match="'z'"):
        parted(table.schema, ["z"])
    with pytest.raises(ConfigError, match="is missing"):
        Columns(condition.schema, ["x"])

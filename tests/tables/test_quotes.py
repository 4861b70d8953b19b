"""Cells between apostrophes: quoted where the file says so, and text where it does not."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae import tables

N = 40
X = [f"{v:.1f}" for v in np.random.default_rng(0).normal(50, 9, N)]
NAMES = ["Smith, Ann", "O'Brien; Pat", 'the "old" one', "Li\nWei"]


def quoted(text, how):
    inner = text.replace("'", "\\'" if how == "backslash" else "''")
    return f"'{inner}'"


@pytest.fixture
def file(tmp_path):
    def call(lines):
        path = tmp_path / "t.csv"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return path

    return call


@pytest.mark.parametrize("how", ["twice", "backslash"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("all_are", [True, False])
def test_apostrophes_that_are_quotes(file, tmp_path, mark, how, all_are):
    header = ["'who'", "'x'"] if all_are else ["who", "x"]
    rows = [header]
    for i, x in enumerate(X):
        rows.append([quoted(NAMES[i % 4], how), quoted(x, how) if all_are else x])
    table = tables.read(file(map(mark.join, rows)))
    who, number = table.schema.columns
    assert (who.name, number.name) == ("who", "x")
    assert set(who.labels) == set(NAMES)
    np.testing.assert_array_equal(table.x[:, 1], np.array(X, float))
    assert table.schema.layout.quote == "'"
    tables.write(tmp_path / "again.csv", table.schema, table.x)
    assert "'O''Brien; Pat'" in (tmp_path / "again.csv").read_text()
    again = tables.read(tmp_path / "again.csv", schema=table.schema)
    np.testing.assert_array_equal(again.x, table.x)


def test_a_column_alone_is_quoted(file):
    rows = [f"'{'ab'[i % 2]}',{x}" for i, x in enumerate(X)]
    table = tables.read(file(["kind,x", *rows]))
    assert table.schema.columns[0].labels == ("a", "b")


TEXTS = {
    "a word": ["'tis", "'twas", "so"],
    "names": ["O'Brien", "D'Arcy", "Li"],
    "an apostrophe before and behind": ["'n'", "rock", "roll"],
    "years": ["the '90s", "'80s", "'70s"],
    "codes that Excel keeps": ["'007", "'008", "'009"],
    "feet": ["6'", "5'", "4'"],
    "one word": ["'so-called' friends", "friends", "others"],
}


@pytest.mark.parametrize("kind", TEXTS)
def test_apostrophes_that_are_text(file, tmp_path, kind):
    texts = TEXTS[kind]
    path = file(["kind,x", *(f"{texts[i % 3]},{x}" for i, x in enumerate(X))])
    table = tables.read(path)
    assert set(table.schema.columns[0].labels) == set(texts)
    assert table.schema.layout.quote == '"'
    tables.write(tmp_path / "again.csv", table.schema, table.x)
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_apostrophes_in_cells_between_double_quotes(file):
    rows = [f"\"'{'ab'[i % 2]}'\",{x}" for i, x in enumerate(X)]
    assert tables.read(file(["kind,x", *rows])).schema.columns[0].labels == ("'a'", "'b'")


def test_a_long_file_is_judged_by_its_beginning(file):
    rows = [f"'{'ab'[i % 2]}, {'long ' * 9}',{i % 97}.5" for i in range(4000)]
    table = tables.read(file(["kind,x", *rows]))
    assert len(table.x) == 4000
    assert [len(label) for label in table.schema.columns[0].labels] == [47, 47]


def test_a_quote_that_is_none():
    with pytest.raises(nv.ConfigError, match="cells stand between"):
        tables.Schema([tables.Number("a")], layout={"quote": "x"})

"""Tables to x and back: in their own names, units and labels."""

from __future__ import annotations

import json

import numpy as np
import pytest

import npvae as nv
from npvae import tables

NAN = float("nan")
COLUMNS = {
    "size": ["1.50", "", "-0.25", "2.00", "1.00", "0.75"],
    "visits": ["3", "0", "12", "NA", "1", "40"],
    "member": ["Yes", "no", "No", "", "yes", "no"],
    "unit": ["cm"] * 6,
    "colour": ["red", "blue", "?", "green", "red", "blue"],
    "target": ["a", "b", "a", "b", "a", "b"],
}


@pytest.fixture
def table(write):
    return tables.read(write(COLUMNS))


def test_cells_are_numbers_of_x(table):
    assert table.columns == ["size", "visits", "member", "colour"]
    assert table.x.dtype == np.float64
    expected = [
        [1.5, 3, 1, 2], [NAN, 0, 0, 0], [-0.25, 12, 0, NAN],
        [2, NAN, NAN, 1], [1, 1, 1, 2], [0.75, 40, 0, 0],
    ]  # fmt: skip
    np.testing.assert_array_equal(table.x, expected)
    assert table.y.tolist() == COLUMNS["target"]
    assert table.schema.label == "target"
    assert [c.labels for c in table.schema.modelled] == [
        (), (), ("no", "Yes"), ("blue", "green", "red"),
    ]  # fmt: skip


def test_numbers_of_x_are_cells_again(table, tmp_path):
    tables.write(tmp_path / "again.csv", table.schema, table.x)
    lines = (tmp_path / "again.csv").read_text().splitlines()
    assert lines[0] == "size,visits,member,unit,colour"
    assert lines[1:4] == ["1.50,3,Yes,cm,red", ",0,no,cm,blue", "-0.25,12,no,cm,"]
    again = tables.read(tmp_path / "again.csv", schema=table.schema)
    np.testing.assert_array_equal(again.x, table.x)


def test_what_a_model_gives_is_put_in_the_table_s_terms(table):
    drawn = np.array([[1.2345, 2.6, 0.4, 1.6], [-0.001, -0.2, 0.7, 5.0]], np.float32)
    assert table.schema.rows(drawn) == [
        {"size": 1.23, "visits": 3, "member": "no", "unit": "cm", "colour": "red"},
        {"size": 0.0, "visits": 0, "member": "Yes", "unit": "cm", "colour": "red"},
    ]
    assert table.schema.cells(drawn)[1] == ["0.00", "0", "Yes", "cm", "red"]


def test_rows_and_their_array_are_inverse(table):
    rows = table.schema.rows(table.x)
    assert rows[1]["size"] is None
    np.testing.assert_array_equal(table.schema.array(rows), table.x)
    with pytest.raises(nv.DataError, match=r"row 0 .* needs a value for 'size'"):
        table.schema.array([{"visits": 3}])
    bad = {**rows[0], "colour": "pink"}
    with pytest.raises(
        nv.DataError, match=r"row 1 .*column 'colour': a category's labels .*'pink'"
    ):
        table.schema.array([rows[0], bad])


@pytest.mark.parametrize(
    ("cells", "written"),
    [
        (["0.1", "0.25", "3"], "0.67"),
        (["1", "-2", "3"], "1"),
        (["1.0", "-2.0", "3.0"], "1"),
        (["1e-3", "0.5", "2"], "0.6666666666666666"),
        (["0.03807590643342411", "-0.5", "2"], "0.6666666666666666"),
    ],
)
def test_numbers_have_the_table_s_decimals(write, cells, written):
    schema = tables.read(write(a=cells, b=[1.5, 2.5, 9])).schema
    assert schema.cells([[2 / 3, 1]])[0][0] == written


def test_a_schema_survives_json(table):
    again = tables.Schema.of(json.loads(json.dumps(table.schema.config)))
    assert again == table.schema
    assert repr(again) == repr(table.schema)
    assert again.skipped == {}
    for config in ({}, [], {"columns": []}, {"columns": [{"name": "a"}]}, {"columns": 3},
                   {"columns": [{"name": "a", "kind": "number", "labels": []}]}):  # fmt: skip
        with pytest.raises(nv.ConfigError):
            tables.Schema.of(config)


def test_columns_come_in_any_order_and_beside_others(table, write):
    mixed = {name: COLUMNS[name] for name in ("colour", "visits", "member", "size")}
    again = tables.read(write({**mixed, "more": ["z"] * 6}, file="u.csv"), schema=table.schema)
    np.testing.assert_array_equal(again.x, table.x)
    assert again.y is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": None}, ["u.csv'", "missing is 'colour'", "there are 'size', 'visits'"]),
        (
            {"colour": "pink"},
            ["u.csv', line 2, column 'colour'", "'blue', 'green', 'red'", "'pink'"],
        ),
        ({"member": "maybe"}, ["line 2, column 'member'", "a flag's labels", "'maybe'"]),
        ({"visits": "-3"}, ["line 2, column 'visits'", "a count is a whole number", "'-3'"]),
        ({"visits": "2.5"}, ["line 2, column 'visits'", "a count is a whole number", "'2.5'"]),
        ({"size": "big"}, ["line 2, column 'size'", "must hold a number", "'big'"]),
    ],
)
def test_other_tables_must_fit_the_schema(table, write, refusal, change, words):
    columns = {name: list(cells) for name, cells in COLUMNS.items()}
    for name, cell in change.items():
        if cell is None:
            del columns[name]
        else:
            columns[name][0] = cell
    message = refusal(write(columns, file="u.csv"), schema=table.schema)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty file"]),
        ("a,b\n", ["a header alone"]),
        ("a,b\n1\n", ["line 2", "needs 2 cells", "got 1"]),
        ("y,a,label\n1,2,3\n", ["one column at most"]),
    ],
)
def test_files_that_are_no_tables(tmp_path, refusal, text, words):
    path = tmp_path / "t.csv"
    path.write_text(text)
    message = refusal(path)
    for word in ["t.csv'", *words]:
        assert word in message


def test_only_text_files_are_tables(tmp_path, refusal):
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    assert "a table is .csv, .tsv, .txt, .xlsx, .parquet; got '.npy'" in refusal(tmp_path / "x.npy")
    assert "no file or folder" in refusal(tmp_path / "y.csv")


def test_tabs_and_tables_without_header(tmp_path):
    (tmp_path / "t.tsv").write_text("1.5\t3\n\t4\n2.5\t12\n")
    table = tables.read(tmp_path / "t.tsv")
    assert table.columns == ["x0", "x1"]
    np.testing.assert_array_equal(table.x, [[1.5, 3], [NAN, 4], [2.5, 12]])
    tables.write(tmp_path / "u.tsv", table.schema, table.x)
    assert (tmp_path / "u.tsv").read_text() == "x0\tx1\n1.5\t3\n\t4\n2.5\t12\n"


def test_kinds_are_given_by_a_mapping(tmp_path):
    """In Python; the command line has name=kind."""
    path = tmp_path / "table.csv"
    path.write_text("id,a\nx,1.5\ny,2.5\n")
    with pytest.raises(nv.ConfigError, match=r"a mapping such as \{'id': 'skip'\}; got 'id=skip'"):
        nv.tables.read(path, columns="id=skip")
    assert nv.tables.read(path, columns={"id": "skip"}).columns == ["a"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_names_and_labels_with_any_mark_are_read_back(tmp_path, mark, end):
    names = ["a;b", "c\td", "e,f", "g|h", "i\rj", "k\nl", 'm"n', "#o"]
    labels = [f"{name}{i}" for i, name in enumerate(names)]
    columns = [tables.Category(name, labels) for name in names]
    layout = {"delimiter": mark, "line_end": end}
    schema = tables.Schema(columns, layout=layout)
    x = np.array([[(i + j) % 8 for j in range(8)] for i in range(20)], float)
    tables.write(tmp_path / "t.csv", schema, x)
    again = tables.read(tmp_path / "t.csv", schema=schema)
    np.testing.assert_array_equal(again.x, x)
    assert tables.read(tmp_path / "t.csv").columns == names

"""What is written: formulas, names that look like something else, letters that a file lacks."""

from __future__ import annotations

import csv
import tracemalloc
import zipfile

import numpy as np
import pytest

import npvae as nv
from npvae.tables import sheets
from npvae.tables.cells import no_formula
from npvae.tables.labelled import Category
from npvae.tables.numeric import Number
from npvae.tables.schema import Schema

LABELS = ["=cmd|' /C calc'!A0", "@SUM(A1)", "-x", "+x", "-5", "ok"]
X = np.column_stack([np.linspace(-2, 2, 6).round(2), np.arange(6.0)])


@pytest.fixture
def schema():
    return Schema([Number("=size", 2), Category("-kind", LABELS)])


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_text_cells_are_no_formulas_where_that_is_asked_for(tmp_path, schema):
    nv.tables.write(tmp_path / "a.csv", schema, X, formulas=False)
    (names, *rows) = rows_of(tmp_path / "a.csv")
    assert names == ["'=size", "'-kind"]
    assert [row[0] for row in rows] == [f"{value:.2f}" for value in X[:, 0]]
    assert [row[1] for row in rows] == [
        "'=cmd|' /C calc'!A0", "'@SUM(A1)", "'-x", "'+x", "-5", "ok",
    ]  # fmt: skip


def test_cells_are_as_they_are_by_default(tmp_path, schema):
    nv.tables.write(tmp_path / "a.csv", schema, X)
    assert [row[1] for row in rows_of(tmp_path / "a.csv")] == ["-kind", *LABELS]
    again = nv.tables.read(tmp_path / "a.csv", schema=schema)
    np.testing.assert_array_equal(again.x, X)


@pytest.mark.parametrize(
    ("text", "safe"),
    [("=1", "'=1"), ("\t=1", "'\t=1"), ("\r", "'\r"), ("-1.5e3", "-1.5e3"), ("+7", "+7"), ("", ""),
     ("a=1", "a=1"), ("'=1", "'=1"), ("@", "'@"), ("-", "'-")],
)  # fmt: skip
def test_no_formula(text, safe):
    assert no_formula(text) == safe


def test_excel_has_text_and_no_formulas(tmp_path, schema):
    pytest.importorskip("openpyxl")
    nv.tables.write(tmp_path / "a.xlsx", schema, X)
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    again = nv.tables.read(tmp_path / "a.xlsx", schema=schema)
    np.testing.assert_array_equal(again.x, X)


def test_text_that_excel_can_not_have_is_a_sentence(tmp_path):
    pytest.importorskip("openpyxl")
    odd = Schema([Number("a", 2), Category("b", ["x\x0by", *"vwxyz"])])
    with pytest.raises(nv.DataError, match=r"can't be written .*; write a \.csv"):
        nv.tables.write(tmp_path / "a.xlsx", odd, X)
    assert not list(tmp_path.iterdir())


NAMES = ["a;b", "a\tb", "a\rb", "a\nb", 'a"b', '"q"', "#x", "# c", "\ufeffz", "a,b", "a|b", "a b",
         "=1", "sep=;", "e'", "Total", "a\r\nb", "\x1b[1m", "a\u2028b"]  # fmt: skip


@pytest.mark.smoke(60)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_can_be_read(tmp_path, name, delimiter, line_end):
    labels = [name, *"uvwxy"]
    layout = {"delimiter": delimiter, "line_end": line_end}
    odd = Schema([Category(name, labels), Number(f"{name}2", 2)], layout=layout)
    x = X[:, ::-1]
    nv.tables.write(tmp_path / "a.csv", odd, x)
    again = nv.tables.read(tmp_path / "a.csv", schema=odd)
    np.testing.assert_array_equal(again.x, x)


def test_a_letter_that_the_encoding_lacks(tmp_path):
    latin = Schema(
        [Number("a", 2), Category("b", ["東", *"vwxyz"])], layout={"encoding": "latin-1"}
    )
    with pytest.raises(nv.DataError, match=r"in latin-1, which has no '東'; write an \.xlsx"):
        nv.tables.write(tmp_path / "a.csv", latin, X)


@pytest.mark.parametrize(
    "change",
    [
        {"decimals": -1}, {"decimals": 10**9}, {"decimals": "2"}, {"decimals": 1.5},
        {"name": "\ud800"}, {"name": 5}, {"kind": "x"}, {"format": {"decimal": "ab"}},
        {"format": {"positive": "x"}}, {"format": {"positive": "{}" * 2}},
        {"format": {"exponent": "E+" + "0" * 9}}, {"format": {"group": None}},
    ],
)  # fmt: skip
def test_columns_that_are_none(schema, change):
    config = schema.config
    config["columns"][0] = {**config["columns"][0], **change}
    with pytest.raises(nv.ConfigError, match=r"a column is what Column\.config gives"):
        Schema.of(config)


@pytest.mark.parametrize(
    "layout",
    [{"delimiter": "ab"}, {"delimiter": ""}, {"delimiter": '"'}, {"delimiter": 5},
     {"line_end": "x"}, {"encoding": "base64"}, {"encoding": "\0"}, {"encoding": None},
     {"sep_line": 1}, {"more": 1}, [1]],
)  # fmt: skip
def test_layouts_that_are_none(schema, layout):
    with pytest.raises(nv.ConfigError):
        Schema.of({**schema.config, "layout": layout})


def bomb(path, xml):
    """A workbook whose one sheet has this XML."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append([1])
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["xl/worksheets/sheet1.xml"] = xml
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def refused(path, memory=60e6):
    tracemalloc.start()
    with pytest.raises(nv.DataError) as caught:
        nv.tables.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < memory
    return str(caught.value)


def test_workbooks_that_unpack_to_much(tmp_path):
    bomb(tmp_path / "a.xlsx", b" " * 60_000_000)
    assert "unpacks to 60," in refused(tmp_path / "a.xlsx")


@pytest.mark.parametrize("most", [1_000_000, pytest.param(20_000_000, marks=pytest.mark.slow)])
def test_workbooks_of_cells_far_apart(tmp_path, monkeypatch, most):
    monkeypatch.setattr(sheets, "_MOST_CELLS", most)
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cell = b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>'
    rows = b"".join(cell % (i, i) for i in range(1, 1_048_576, 700))
    bomb(
        tmp_path / "a.xlsx", b"<worksheet %b><sheetData>%b</sheetData></worksheet>" % (space, rows)
    )
    assert f"'Sheet' has more than {most:,} cells" in refused(tmp_path / "a.xlsx", 12.5 * most)


def test_parquet_of_repeated_rows(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    column = arrow.array(np.zeros(30_000_000, np.int8))
    parquet.write_table(arrow.table({"a": column}), tmp_path / "a.parquet")
    assert "unpacks to 30,000,000" in refused(tmp_path / "a.parquet")

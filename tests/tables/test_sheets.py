"""Excel's and Parquet's tables: read as text is, and written with numbers, dates and labels."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import numpy as np
import pytest

import npvae as nv
from npvae import tables
from npvae.tables import sheets

N = 40
RNG = np.random.default_rng(6)
COLUMNS = {
    "weight": [None if i == 3 else float(v) for i, v in enumerate(RNG.normal(50, 9, N).round(2))],
    "visits": [int(v) for v in RNG.poisson(3, N)],
    "zip": [["01067", "1067", "20095"][i % 3] for i in range(N)],
    "day": [date(2024, 1 + i % 12, 1 + i % 28) for i in range(N)],
    "seen": [datetime(2024, 5, 1 + i % 28, i % 24, 30) for i in range(N)],
    "at": [time(i % 24, 15) for i in range(N)],
    "ok": [i % 3 == 0 for i in range(N)],
    "name": [f"n{i}" for i in range(N)],
}
KINDS = {
    "weight": "number", "visits": "count", "zip": "category", "day": "date", "seen": "date",
    "at": "date", "ok": "flag",
}  # fmt: skip


@pytest.fixture(params=[".xlsx", ".parquet"])
def path(request, tmp_path):
    """COLUMNS as a file of each kind, by the package itself."""
    path = tmp_path / f"t{request.param}"
    if request.param == ".xlsx":
        book = pytest.importorskip("openpyxl").Workbook()
        for row in [list(COLUMNS), *zip(*COLUMNS.values(), strict=True)]:
            book.active.append(row)
        book.create_sheet("more").append(["x"])
        book.save(path)
    else:
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(COLUMNS), path)
    return path


def test_they_are_read_as_text_is(path):
    table = tables.read(path)
    assert {c.name: c.kind for c in table.schema.columns} == KINDS
    assert "name" in table.schema.skipped
    rows = table.schema.rows(table.x)
    assert rows[3]["weight"] is None
    for name in ("weight", "visits", "zip", "day", "seen", "at"):
        assert [row[name] for row in rows] == COLUMNS[name]
    notes = [note for note in table.notes if "sheet" in note]
    said = ["the sheet 'Sheet' is read; --sheet (sheet= in Python) takes 'more'"]
    assert notes == (said if path.suffix == ".xlsx" else [])


def test_what_is_written_is_read(path, tmp_path):
    table = tables.read(path)
    again = tmp_path / f"u{path.suffix}"
    tables.write(again, table.schema, table.x)
    read = tables.read(again, schema=table.schema)
    np.testing.assert_array_equal(read.x, table.x)
    assert [c.kind for c in tables.read(again).schema.columns] == list(KINDS.values())
    tables.write(tmp_path / "u.csv", table.schema, table.x)
    np.testing.assert_array_equal(tables.read(tmp_path / "u.csv", schema=table.schema).x, table.x)


@pytest.fixture
def workbook(tmp_path):
    """A cover, a sheet with a title over merged cells, a total and a remark, and another sheet."""
    book = pytest.importorskip("openpyxl").Workbook()
    book.active["A1"] = "Report"
    data = book.create_sheet("Data")
    data.append(["Sales of the year"])
    data.merge_cells("A1:C1")
    data.append([])
    for row in [["day", "net", "share"], *_sales(), ["Total", 99.5], [], ["Source: office"]]:
        data.append(row)
    for cell in data["C"][3:]:
        cell.number_format = "0.0%"
    more = book.create_sheet("More")
    for row in [["x", "kind"], *([i + 0.5, "uv"[i % 2]] for i in range(20))]:
        more.append(row)
    book.save(tmp_path / "t.xlsx")
    return tmp_path / "t.xlsx"


def _sales():
    nets = RNG.normal(50, 9, N).round(2)
    return [
        [datetime(2024, 1, 1 + i % 28), "#DIV/0!" if i == 5 else float(v), i / 1000]
        for i, v in enumerate(nets)
    ]


def test_the_sheet_that_has_a_table_is_read_and_the_others_are_named(workbook):
    table = tables.read(workbook)
    assert [(c.name, c.kind) for c in table.schema.columns] == [
        ("day", "date"), ("net", "number"), ("share", "number"),
    ]  # fmt: skip
    rows = table.schema.rows(table.x)
    assert (len(rows), rows[1]["day"], rows[5]["net"]) == (N, date(2024, 1, 2), None)
    assert rows[7]["share"] == 0.007
    assert table.notes == (
        "the sheet 'Data' is read; --sheet (sheet= in Python) takes 'Sheet', 'More'",
        "line 1, above the table, is left out",
        f"lines {N + 4} to {N + 6}, a total or a remark below the table, are left out",
        "held-out cells are likeliest with these distributions: normal for 'day', 'net', 'share'",
    )


def test_a_sheet_can_be_named_and_is_remembered(workbook, refusal):
    table = tables.read(workbook, sheet="More")
    assert table.columns == ["x", "kind"]
    assert tables.read(workbook, schema=table.schema).columns == ["x", "kind"]
    message = refusal(workbook, sheet="Dat")
    assert "it has no sheet 'Dat'; did you mean 'Data'? Known: Data, More, Sheet" in message


def test_kinds_of_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    start, one = 1_700_000_000_123_456_789, 10**12
    columns = {
        "town": arrow.array(["Ulm", "Rom", None, "Ulm"] * 10).dictionary_encode(),
        "at": arrow.array([start + one * i for i in range(N)], arrow.timestamp("ns")),
        "zoned": arrow.array([10**9 * i for i in range(N)], arrow.timestamp("ms", "Europe/Berlin")),
        "price": arrow.array([Decimal("1.50") + i for i in range(N)], arrow.decimal128(9, 2)),
        "single": arrow.array([0.1 * i for i in range(N)], arrow.float32()),
        "nullable": arrow.array([None if i == 3 else i * i for i in range(N)], arrow.int64()),
        "nan": arrow.array([float("nan") if i == 3 else i / 2 for i in range(N)]),
        "took": arrow.array([1500 * i for i in range(N)], arrow.duration("ms")),
        "list": arrow.array([[1]] * N),
        "bytes": arrow.array([b"x"] * N),
        "__index_level_0__": arrow.array([f"r{i}" for i in range(N)]),
    }
    path = tmp_path / "t.parquet"
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), path)
    table = tables.read(path)
    assert {c.name: c.kind for c in table.schema.columns} == {
        "town": "category", "at": "date", "zoned": "date", "price": "number", "single": "number",
        "nullable": "number", "nan": "number", "took": "duration",
    }  # fmt: skip
    assert table.notes[0] == "'list', 'bytes' has lists or bytes and is left out"
    assert list(table.schema.skipped) == ["index"]
    rows = table.schema.rows(table.x)
    assert [row["town"] for row in rows[:3]] == ["Ulm", "Rom", None]
    assert rows[1]["at"] == datetime(2023, 11, 14, 22, 30, 0, 123456)
    assert rows[1]["zoned"].timestamp() == 1_000_000
    assert [row["price"] for row in rows[:2]] == [1.5, 2.5]
    assert table.schema.cells(table.x)[3][3:8] == ["4.50", "0.3", "", "", "0 days 00:00:04.500000"]


def test_a_file_that_is_none(path, refusal):
    path.write_bytes(b"no sheet")
    assert "the file must be what its name says" in refusal(path)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_the_package_that_is_missing_is_named(monkeypatch, tmp_path, suffix):
    def missing(name, *arguments):
        raise ImportError(name)

    monkeypatch.setattr(sheets, "import_module", missing)
    (tmp_path / f"t{suffix}").write_bytes(b"x")
    with pytest.raises(nv.MissingDependency, match=r"files need \w+: pip install \w+"):
        tables.read(tmp_path / f"t{suffix}")

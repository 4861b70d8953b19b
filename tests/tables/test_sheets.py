"""Excel's and Parquet's tables: read as text is, and written with numbers, dates and labels."""

from __future__ import annotations

from datetime import date, datetime, time

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


def test_a_file_that_is_none(path, refusal):
    path.write_bytes(b"no sheet")
    assert "the file must be what its name says" in refusal(path)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_the_package_that_is_missing_is_named(monkeypatch, tmp_path, suffix):
    def missing(name, *arguments):
        raise ImportError(name)

    monkeypatch.setattr(sheets, "import_module", missing)
    (tmp_path / f"t{suffix}").write_bytes(b"x")
    with pytest.raises(nv.MissingDependency, match=r"npvae\[tables\]"):
        tables.read(tmp_path / f"t{suffix}")

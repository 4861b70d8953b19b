"""What programs put around rows and into cells: subtotals, header lines, dates of two writings."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

import npvae as nv
from npvae import tables
from npvae.tables.formats import DateFormat

N = 48
X = [f"{v:.1f}" for v in np.random.default_rng(0).normal(50, 9, N)]
DAYS = [date(2024, 1, 2) + timedelta(i) for i in range(N)]


@pytest.fixture
def read(tmp_path):
    def call(lines, **options):
        (tmp_path / "t.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
        return tables.read(tmp_path / "t.csv", **options)

    return call


@pytest.mark.parametrize(
    ("write", "pattern"),
    [
        (lambda d: f"{d:%Y.%m.%d.}", "yyyy.MM.dd."),
        (lambda d: f"{d.year}. {d.month}. {d.day}.", "yyyy. M. d."),
        (lambda d: f"{d.day}. {d.month}. {d.year}", "d. M. yyyy"),
        (lambda d: f"{d:%d.%m.%Y.}", "dd.MM.yyyy."),
        (lambda d: f"{d:%d.%m.%y.}", "dd.MM.yy."),
        (lambda d: f"{d:%Y.%m.%d.} 08:30", "yyyy.MM.dd. HH:mm"),
    ],
)
def test_dates_with_points(read, tmp_path, write, pattern):
    """As in Hungary, Korea, Czechia and Croatia."""
    table = read(["day;x", *(f"{write(d)};{x}" for d, x in zip(DAYS, X, strict=True))])
    column = table.schema.columns[0]
    assert (column.kind, column.format.pattern) == ("date", pattern)
    np.testing.assert_allclose(np.diff(table.x[:, 0]), 1)
    tables.write(tmp_path / "again.csv", table.schema, table.x)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()


@pytest.mark.parametrize("text", ["2024-01-02.", "01/02/2024.", "2024.01.02..", "2024.-01.-02"])
def test_points_that_dates_have_not(text):
    with pytest.raises(ValueError):  # noqa: PT011 (what it raises; the column says why)
        DateFormat("yyyy-MM-dd").parse(text)


@pytest.mark.parametrize(("share", "pattern"), [(3, "yyyy-MM-dd"), (0, "MM/dd/yyyy")])
def test_dates_in_two_writings(read, share, pattern):
    """A spreadsheet turns some dates of a file into its own country's, and not others."""
    cells = [f"{d:%m/%d/%Y}" if i % 4 > share - 1 else f"{d}" for i, d in enumerate(DAYS)]
    table = read(["day,x", *(f"{c},{x}" for c, x in zip(cells, X, strict=True))])
    column = table.schema.columns[0]
    assert (column.kind, column.format.pattern) == ("date", pattern)
    assert [row["day"] for row in table.schema.rows(table.x)] == DAYS
    assert any("'01/" in note and "is read as 2024-01-" in note for note in table.notes)
    assert tables.Schema.of(table.schema.config) == table.schema
    assert column.number("02/13/2024") == column.number("2024-02-13")


def test_two_writings_that_are_not_clear_are_asked_for(read):
    cells = ["2024-02-13", "2024-02-14", "2024-02-15", "03/04/2024"]
    lines = ["day,x", *(f"{c},{x}" for c, x in zip(cells, X, strict=False))]
    with pytest.raises(nv.DataError, match="day=date:dmy or --columns day=date:mdy"):
        read(lines)
    assert read(lines, columns={"day": "date:mdy"}).schema.rows(
        read(lines, columns={"day": "date:mdy"}).x
    )[3]["day"] == date(2024, 3, 4)


def test_lines_of_a_logger_above_names_units_and_ways(read):
    rows = [f'"{d} 00:00:00",{i},{x}' for i, (d, x) in enumerate(zip(DAYS, X, strict=True))]
    table = read(
        ['"TOA5","Station","CR1000","4711","CR1000.Std.32"', '"TIMESTAMP","RECORD","Temp"',
         '"TS","RN","Deg C"', '"","Smp","Avg"', *rows]
    )  # fmt: skip
    assert table.columns == ["TIMESTAMP", "Temp"]
    np.testing.assert_array_equal(table.x[:, 1], np.array(X, float))
    assert "line 1, above the table, is left out" in table.notes
    assert "line 3, units such as 'TS', is left out" in table.notes


def test_subtotals_among_the_rows(read):
    lines = ["team,x"]
    for i, x in enumerate(X):
        lines.append(f"{'ABCD'[i // 12]},{x}")
        if i % 12 == 11:
            lines.append(f"Subtotal {'ABCD'[i // 12]},600.0")
    table = read([*lines, "Total: all,2400.0"])
    assert table.schema.columns[0].labels == ("A", "B", "C", "D")
    np.testing.assert_array_equal(table.x[:, 1], np.array(X, float))
    assert "the subtotals in line 14, 27, 40 and 1 more are left out" in table.notes
    assert "line 54, a total or a remark below the table, is left out" in table.notes


def test_questions_below_the_names_of_a_survey(read):
    answers = ["agree", "disagree", "agree", "neither agree nor disagree"]
    rows = [
        f"{d} 09:00:00,{90 + i},{answers[i % 4]},{x}"
        for i, (d, x) in enumerate(zip(DAYS, X, strict=True))
    ]
    table = read(
        ["Start,Duration,Q1,Q2",
         'Start Date,Duration (in seconds),"Are you happy, on the whole?",How many kilometres?',
         ",".join(f'"{{""ImportId"":""{name}""}}"' for name in "sdqr"),
         *rows]
    )  # fmt: skip
    assert table.columns == ["Start", "Q1", "Q2"]
    np.testing.assert_array_equal(table.x[:, 2], np.array(X, float))
    assert "line 2, more names such as 'Start Date', is left out" in table.notes


def test_a_row_that_is_not_known_is_a_row(read):
    rows = [f"{'ab'[i % 2]},{x},{x}" for i, x in enumerate(X)]
    with pytest.raises(nv.DataError, match="line 2, column 'u': every known cell must hold a num"):
        read(["kind,u,v", "a,not measured,not taken at all", *rows])

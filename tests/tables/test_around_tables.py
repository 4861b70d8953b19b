"""What stands around the rows of a table, and how its lines are parted."""

from __future__ import annotations

import numpy as np
import pytest

from npvae import datasets, tables

X = [f"{v:.2f}" for v in np.random.default_rng(3).normal(50, 9, 40)]
ROWS = [f"{x},{'uvw'[i % 3]},{i * i}" for i, x in enumerate(X)]
TABLE = ["a,b,c", *ROWS]


@pytest.fixture
def read(tmp_path):
    """Read a table of these lines."""

    def call(*lines, file="t.csv", **options):
        (tmp_path / file).write_text("\n".join([*lines, ""]), encoding="utf-8")
        return tables.read(tmp_path / file, **options)

    return call


@pytest.mark.smoke(3)
@pytest.mark.parametrize(
    ("lines", "note"),
    [
        (["Sales", *TABLE], "line 1, above the table"),
        (["Sales", "of 2024", "", *TABLE], "lines 1 to 2, above the table"),
        (["Sales,,", ",,", *TABLE], "lines 1 to 2, above the table"),
        (["from;2024", *TABLE], "line 1, above the table"),
        (["% by a program", *TABLE], "line 1, above the table"),
        ([TABLE[0], "kg,,m", *ROWS], "line 2, units such as 'kg'"),
        ([TABLE[0], "[kg],letter,[m]", *ROWS], "line 2, units such as '[kg]'"),
        ([*TABLE, TABLE[0], *ROWS[:0]], "line 42, the names again"),
        ([*TABLE[:20], TABLE[0], *TABLE[20:]], "line 21, the names again"),
        ([*TABLE, "Total,,9999"], "line 42, a total"),
        ([*TABLE, "", "Summe:,,9999", "", "Source: office"], "lines 43 to 45, a total"),
        ([*TABLE, "Mean,,3", "SD,,4"], "lines 42 to 43, a total"),
        ([*TABLE, ",,", ",,"], "lines 42 to 43, empty cells below"),
        ([*TABLE, "", "Source: office"], "line 43, a total or a remark"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_left_out_and_said(read, lines, note):
    plain, table = read(*TABLE), read(*lines)
    np.testing.assert_array_equal(table.x, plain.x)
    assert table.schema == plain.schema
    assert [n for n in table.notes if note in n]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([*TABLE[:9], "1.5,u", *TABLE[9:]], "line 10: every row needs 3 cells"),
        ([*TABLE, "1.5,u"], "line 42: every row needs 3 cells"),
        ([*TABLE, "Source: office"], "line 42: every row needs 3 cells"),
        ([*TABLE[:9], "Total,,4", *TABLE[9:]], "line 10, column 'a'"),
    ],
)
def test_what_can_be_data_is_refused(read, lines, words):
    with pytest.raises(datasets.readers.DataError, match=words):
        read(*lines)


def test_rows_that_are_named_total_throughout_are_data(read):
    groups = [f"{['man', 'woman', 'total'][i % 3]},{x}" for i, x in enumerate(X)]
    table = read("sex,x", *groups, "total,7.5")
    assert table.schema.columns[0].labels == ("man", "total", "woman")
    assert len(table.x) == 41


def test_a_last_row_with_gaps_is_data(read):
    assert len(read(*TABLE, ",u,").x) == 41
    assert len(read("a", *X, "NA").x) == 41


def test_names_that_come_twice_are_numbered(read):
    table = read("a,b,a,,a (2)", *(f"{x},u{i % 2},{i * i},{x},{x}" for i, x in enumerate(X)))
    assert table.columns == ["a", "b", "a (3)", "column 4", "a (2)"]
    assert "column 3 is called 'a (3)', since another is 'a'" in table.notes
    assert "column 4 is called 'column 4', since it has no name" in table.notes


def test_a_delimiter_at_the_end_of_rows_names_no_column(read):
    assert read("a,b,c", *(f"{row}," for row in ROWS)).columns == ["a", "b", "c"]


@pytest.mark.parametrize("file", ["t.csv", "t.txt"])
def test_blanks_part_cells_where_nothing_else_does(read, tmp_path, file):
    plain = read(*TABLE)
    spaced = [line.replace(",", " ") for line in TABLE]
    table = read(*spaced, file=file)
    np.testing.assert_array_equal(table.x, plain.x)
    wide = [f"{a:>9}{b:>4}{c:>8}  " for a, b, c in (line.split(",") for line in TABLE)]
    np.testing.assert_array_equal(read(*wide, file=file).x, plain.x)
    quoted = ['"a" "b"', *(f'"{i + 7}" {x} "{"uv"[i % 2]} w"' for i, x in enumerate(X))]
    assert read(*quoted, file=file).schema.columns[1].labels == ("u w", "v w"), "as R writes"
    x = table.x.copy()
    x[2, 0] = x[3, 1] = np.nan
    tables.write(tmp_path / "u.txt", table.schema, x)
    assert (tmp_path / "u.txt").read_text().splitlines()[:2] == spaced[:2]
    np.testing.assert_array_equal(tables.read(tmp_path / "u.txt", schema=table.schema).x, x)


def test_one_column_of_words_or_times_is_not_parted(read):
    when = [f"2024-01-{i % 28 + 1:02d} 10:00" for i in range(40)]
    assert read("when", *when).schema.columns[0].format.pattern == "yyyy-MM-dd HH:mm"
    assert read("first last", *["Ann Lee", "Bo Day"] * 20).schema.columns[0].labels == (
        "Ann Lee",
        "Bo Day",
    )


def test_quotes_behind_backslashes(read):
    said = [f'{x},"a \\"{"uv"[i % 2]}\\", b"' for i, x in enumerate(X)]
    assert read("x,c", *said).schema.columns[1].labels == ('a "u", b', 'a "v", b')
    paths = [f'{x},"C:\\{"uv"[i % 2]}"' for i, x in enumerate(X)]
    assert read("x,c", *paths).schema.columns[1].labels == ("C:\\u", "C:\\v")


def test_units_in_cells(read, tmp_path):
    weights = [f"{x} kg" for x in X]
    table = read("w,c", *(f"{w},{'uv'[i % 2]}" for i, w in enumerate(weights)))
    assert [table.schema.cells(table.x)[i][0] for i in range(40)] == weights
    np.testing.assert_array_equal(table.x[:, 0], list(map(float, X)))
    with pytest.raises(datasets.readers.DataError, match="one unit, and this has 'kg'; got '7 g'"):
        read("w", *weights, "7 g")

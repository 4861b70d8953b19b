"""Tables as programs print them: aligned with blanks, in boxes of dashes, names in several rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import npvae as nv
from npvae import tables

RNG = np.random.default_rng(4)
N = 40
TOWNS = ["New York", "Rome", "San Jose", "Los Angeles"]
TOWN = [TOWNS[i] for i in RNG.integers(0, 4, N)]
WARM = np.round(RNG.normal(12, 9, N), 2)
PIECES = RNG.integers(100, 9000, N)


@pytest.fixture
def read(tmp_path):
    def call(text, encoding="utf-8", **options):
        (tmp_path / "t.txt").write_bytes(text.encode(encoding))
        return tables.read(tmp_path / "t.txt", **options)

    return call


def aligned(*columns, gap="  "):
    """Text to the left and numbers to the right, as wide as the longest; gives the lines."""
    padded = []
    for cells in columns:
        width = max(map(len, cells))
        right = any(char.isdigit() for cell in cells for char in cell)
        padded.append([cell.rjust(width) if right else cell.ljust(width) for cell in cells])
    return [gap.join(row).rstrip() for row in zip(*padded, strict=True)]


def texts(values, mark="."):
    return [str(value).replace(".", mark) for value in values]


def check(table, town=TOWN, tmp_path=None):
    names = [c.name for c in table.schema.modelled]
    assert names == ["town", "warm", "pieces"]
    labels = table.schema.modelled[0].labels
    assert [labels[int(i)] for i in table.x[:, 0]] == town
    np.testing.assert_array_equal(table.x[:, 1], WARM)
    np.testing.assert_array_equal(table.x[:, 2], PIECES)
    if tmp_path:
        tables.write(tmp_path / "u.txt", table.schema, table.x)
        again = tables.read(tmp_path / "u.txt", schema=table.schema)
        np.testing.assert_array_equal(again.x, table.x)


@pytest.mark.parametrize("gap", [" ", "   "])
@pytest.mark.parametrize(
    ("mark", "encoding", "end"),
    [(".", "utf-8", "\n"), (",", "cp1252", "\r\n"), (",", "utf-16", "\n")],
)
def test_columns_that_are_aligned(read, tmp_path, gap, mark, encoding, end):
    town = [t.replace("Rome", "Bad Tölz") for t in TOWN]
    lines = aligned(
        ["town", *town], ["warm", *texts(WARM, mark)], ["pieces", *texts(PIECES)], gap=gap
    )
    table = read(end.join(lines) + end, encoding)
    check(table, town, tmp_path)
    assert any("aligned" in note for note in table.notes)


def test_cells_that_are_missing_where_columns_are_aligned(read):
    some = [t if i % 5 else "" for i, t in enumerate(texts(PIECES))]
    lines = aligned(["town", *TOWN], ["warm", *texts(WARM)], ["pieces", *some], ["x", *texts(WARM)])
    x = read("\n".join(lines)).x
    np.testing.assert_array_equal(x[:, 2], np.where(np.arange(N) % 5, PIECES, np.nan))
    np.testing.assert_array_equal(x[:, 3], WARM)


def test_a_line_that_is_not_aligned_is_named(read):
    lines = aligned(["town", *TOWN], ["warm", *texts(WARM)], ["pieces", *texts(PIECES)])
    with pytest.raises(nv.DataError, match="line 221: every row needs 3 cells"):
        read(
            "\n".join(
                [lines[0], *(lines[1:] * 6)[:219], "Constantinople_and_all_else  1  2", lines[1]]
            )
        )


def test_names_of_two_words_and_words_at_one_place(read):
    """One blank that is below a blank of all rows may yet be inside a name or a label."""
    lines = aligned(["Body mass", *texts(WARM)], ["kind", *(f"{t[0]} one" for t in TOWN)])
    table = read("\n".join(lines))
    assert table.columns == ["Body mass", "kind"]
    assert table.schema.columns[1].labels == ("L one", "N one", "R one", "S one")


@pytest.mark.parametrize("rows", [N, None])
def test_what_pandas_prints(read, rows):
    frame = pd.DataFrame({"town": TOWN, "warm": WARM, "pieces": PIECES})
    text = frame.to_string() if rows is None else f"{frame.to_string()}\n\n[{N} rows x 3 columns]"
    table = read(text)
    check(table)
    assert table.schema.skipped == {"index": "it numbers the rows"}


def boxed(corner, left="|"):
    rows = [["town", *TOWN], ["warm", *texts(WARM)], ["pieces", *texts(PIECES)]]
    widths = [max(map(len, cells)) for cells in rows]
    rule = corner + corner.join("-" * (w + 2) for w in widths) + corner
    lines = [
        left + left.join(f" {c.ljust(w)} " for c, w in zip(row, widths, strict=True)) + left
        for row in zip(*rows, strict=True)
    ]
    return [rule, lines[0], rule, *lines[1:], rule]


@pytest.mark.parametrize("corner", ["+", "-", "|"])
@pytest.mark.parametrize("end", [[], [f"{N} rows in set (0.00 sec)"], ["", f"({N} rows)"]])
def test_tables_in_boxes(read, tmp_path, corner, end):
    table = read("\n".join([*boxed(corner), *end]) + "\n")
    check(table, tmp_path=tmp_path)
    assert any("drawn" in note for note in table.notes)


def test_tables_of_restructured_text(read):
    lines = aligned(["town", *TOWN], ["warm", *texts(WARM)], ["pieces", *texts(PIECES)])
    rule = "  ".join("=" * len(part) for part in ("Los Angeles", "-12.34", "pieces"))
    check(read("\n".join([rule, lines[0], rule, *lines[1:], rule])))
    below = "\n".join([lines[0], rule.replace("=", "-"), *lines[1:]])
    check(read(below))


GROUPED = pd.DataFrame({
    "g": [f"g{i % 5}" for i in range(900)], "h": ["xyz"[i % 3] for i in range(900)],
    "p": RNG.normal(5, 1, 900).round(3), "q": RNG.normal(50, 9, 900).round(2),
})  # fmt: skip


@pytest.mark.parametrize("index", [True, False])
def test_names_on_two_levels_as_pandas_writes_them(tmp_path, index):
    frame = GROUPED.groupby(["g", "h"])[["p", "q"]].agg(["mean", "std"])
    written = frame if index else frame.reset_index()
    written.to_csv(tmp_path / "t.csv", index=index, float_format="%.4f")
    table = tables.read(tmp_path / "t.csv")
    assert table.columns == ["g", "h", "p mean", "p std", "q mean", "q std"]
    np.testing.assert_allclose(table.x[:, 2:], frame.to_numpy(), atol=6e-5, rtol=0)
    assert "the columns' names stand in 2 rows, as that of 'q std' does" in table.notes
    of_frame = tables.read(written)
    assert of_frame.columns == table.columns[-len(of_frame.columns) :]
    assert list(of_frame.schema.frame(of_frame.x).columns) == of_frame.columns


def test_names_on_two_levels_in_a_workbook(tmp_path):
    pytest.importorskip("openpyxl")
    frame = GROUPED.groupby("g")[["p", "q"]].agg(["mean", "std"])
    frame.to_excel(tmp_path / "t.xlsx")
    table = tables.read(tmp_path / "t.xlsx")
    assert table.columns == ["p mean", "p std", "q mean", "q std"]
    np.testing.assert_allclose(table.x, frame.to_numpy(), rtol=1e-12)


def test_a_pivot_table_of_years(tmp_path):
    frame = GROUPED.assign(year=[2020 + i % 4 for i in range(900)], k=[i % 90 for i in range(900)])
    wide = frame.pivot_table(index="k", columns=["h", "year"], values="q")
    wide.to_csv(tmp_path / "t.csv", float_format="%.4f")
    table = tables.read(tmp_path / "t.csv")
    assert table.columns[:2] == ["x 2020", "x 2021"]
    assert len(table.x) == 90
    assert table.schema.skipped == {"k": "it numbers the rows"}


@pytest.mark.parametrize("mark", [",", ";"])
def test_names_below_merged_cells(read, mark):
    rows = [[f"R{i % 3}", f"{a}", f"{b}", f"{b}", f"{a}"]
            for i, (a, b) in enumerate(zip(WARM, PIECES, strict=True))]  # fmt: skip
    names = [["", "2023", "", "2024", ""], ["region", "men", "women", "men", "women"]]
    table = read("\n".join(mark.join(row) for row in [*names, *rows]))
    assert table.columns == ["region", "2023 men", "2023 women", "2024 men", "2024 women"]
    assert len(table.x) == N


def test_two_columns_of_one_name_have_their_first_row(read):
    rows = [f"{a},{t},{t}" for a, t in zip(WARM, TOWN, strict=True)]
    table = read("\n".join(["warm,town,town", "1.5,Rome,Ulm", *rows]))
    assert len(table.x) == N + 1
    assert table.columns == ["warm", "town", "town (2)"]


def test_an_index_that_was_read_and_written_again(tmp_path):
    frame = pd.DataFrame({"town": TOWN, "warm": WARM}).sample(N, random_state=1)
    for _ in range(2):
        frame.to_csv(tmp_path / "t.csv")
        frame = pd.read_csv(tmp_path / "t.csv")
    assert "Unnamed: 0" in (tmp_path / "t.csv").read_text()
    table = tables.read(tmp_path / "t.csv")
    assert table.columns == ["town", "warm"]
    assert set(table.schema.skipped) == {"index", "index (2)"}


def test_the_end_of_a_file_of_dos_and_the_null_of_databases(read):
    rows = "\r\n".join(f"{w},{t}" for w, t in zip(WARM, TOWN, strict=True))
    table = read(f"warm,town\r\n{rows}\r\n\\N,\\N\r\n\x1a")
    assert len(table.x) == N + 1
    assert np.isnan(table.x[-1]).all()


def test_codes_for_what_is_not_known_are_pointed_at(read):
    age, pay = PIECES % 60 + 20, PIECES * 3
    age[::7], pay[::5] = -99, 999_999
    table = read(
        "age,pay,ok\n"
        + "".join(f"{a},{p},NA\n{a},{p},yes\n" for a, p in zip(age, pay, strict=True))
    )
    said = next(note for note in table.notes if "again and again" in note)
    assert "-99 in 'age', 999999 in 'pay'" in said
    assert "--missing-cells=NA,-99,999999" in said
    plain = read(
        "".join(["age,b\n", *(f"{a},{w}\n" for a, w in zip(PIECES % 60 + 20, WARM, strict=True))])
    )
    assert not any("again and again" in note for note in plain.notes)


def test_cells_below_merged_ones_are_to_be_filled(read):
    groups = [f"G{i // 10}" if i % 10 == 0 else "" for i in range(N)]
    schema = read("g,w\n" + "".join(f"{g},{w}\n" for g, w in zip(groups, WARM, strict=True))).schema
    assert "merged cells" in schema.skipped["g"]


def test_a_row_of_too_few_cells_below_names_in_two_rows_is_named(read):
    rows = [",2023,,2024,", "region,men,women,men,women", *(f"R{i},1,2,3,{i}" for i in range(9))]
    with pytest.raises(nv.DataError, match="line 12: every row needs 5 cells"):
        read("\n".join([*rows, "R9,1"]))


def test_ranges_of_long_whole_numbers_are_told_apart(read):
    table = read(
        "no,w\n" + "".join(f"{4_900_000_000 + p},{w}\n" for p, w in zip(PIECES, WARM, strict=True))
    )
    ends = table.x[:, 0].min(), table.x[:, 0].max()
    told = "{:.0f} to {:.0f}".format(*ends)
    assert table.schema.columns[0].describe(table.x[:, 0]) == told

"""What a table's cells are taken for: codes stay apart, what is unclear is decided or asked for."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest

import npvae as nv
from npvae import tables

RNG = np.random.default_rng(8)
WEIGHTS = [f"{v:.2f}" for v in RNG.normal(50, 9, 60)]


@pytest.fixture
def text(tmp_path):
    """Write a table of quoted cells in 60 rows, which repeat what is given; gives its path."""

    def call(delimiter=",", file="t.csv", encoding="utf-8", **columns):
        rows = [list(columns)]
        rows += [[cells[i % len(cells)] for cells in columns.values()] for i in range(60)]
        lines = [delimiter.join(f'"{cell}"' for cell in row) for row in rows]
        (tmp_path / file).write_bytes("\n".join([*lines, ""]).encode(encoding))
        return tmp_path / file

    return call


def column(path, name="c", **options):
    table = tables.read(path, **options)
    found = {c.name: c for c in table.schema.columns}[name]
    values = table.x[:, table.columns.index(name)]
    return found, values


@pytest.mark.parametrize(
    "codes",
    [
        ["007", "7", "0007"], ["1.1", "1.10", "1.2"], ["0e12", "0e13", "00"],
        ["1e5", "100000", "0e1"],
        ["123456789012345678", "123456789012345679", "123456789012345680"], ["01", "1", "1.0"],
        ["1,5", "1,50x", "y"], ["+1", "01", "1"],
    ],
)  # fmt: skip
def test_codes_are_never_merged_and_stay_what_they_are(text, codes, tmp_path):
    path = text(c=codes, w=WEIGHTS)
    found, values = column(path)
    assert found.kind == "category"
    assert set(found.labels) == set(codes)
    assert [found.labels[int(v)] for v in values[: len(codes)]] == codes
    table = tables.read(path)
    tables.write(tmp_path / "u.csv", table.schema, table.x)
    written = (tmp_path / "u.csv").read_text().splitlines()[1:]
    assert [line.rpartition(",")[0].strip('"') for line in written[: len(codes)]] == codes


def test_whole_numbers_of_a_category_are_one_with_and_without_a_point(text):
    found, values = column(text(c=["1", "2.0", "1.0", "2"], w=WEIGHTS))
    assert found.labels == ("1", "2.0")
    assert values[:4].tolist() == [0, 1, 0, 1]


def test_ids_with_more_digits_than_a_float_holds_are_left_out(text):
    path = text(c=[str(123456789012345678 + i) for i in range(60)], w=WEIGHTS)
    assert "different in (nearly) every row" in tables.read(path).schema.skipped["c"]
    assert column(path, columns={"c": "number"})[0].kind == "number", "as the user says"


def test_free_text_is_left_out_with_a_word(text):
    remarks = [f"please call again in week {i}, thanks" for i in range(25)]
    schema = tables.read(text(c=remarks, w=WEIGHTS)).schema
    assert schema.skipped == {"c": "it is free text"}
    towns = [f"Town {i}" for i in range(25)]
    assert column(text(c=towns, w=WEIGHTS))[0].kind == "category"


@pytest.mark.parametrize(
    ("cells", "kind", "first"),
    [
        (["$9.99", "$19.99", "$9.99"], "number", 9.99),
        (["5 €", "7 €"], "number", 5),
        (["10%", "20%"], "number", 10),
        (["12/24/2024", "12/31/2024"], "date", 0),
        (["2024-12-24", "2024-12-31"], "date", 0),
        (["08:00", "16:30"], "date", 8 / 24),
    ],
)
def test_money_shares_and_dates_that_come_back_are_no_category(text, cells, kind, first):
    found, values = column(text(c=cells, w=WEIGHTS))
    assert found.kind == kind
    assert values[0] == pytest.approx(first)


def test_a_comma_before_three_figures_parts_thousands(text):
    path = text(c=["94,075", "12,345", "8,125"], w=WEIGHTS)
    assert column(path)[1][0] == 94075
    assert "'94,075' is read as 94075 in 'c'" in tables.read(path).notes
    assert column(path, columns={"c": "number:decimal-comma"})[1][0] == 94.075


def test_other_columns_decide_what_a_mark_is(text, refusal):
    cells = ["94,075", "12,345", "8,125", "77,125", "3,750", "5,125"]
    comma = [w.replace(".", ",") for w in WEIGHTS]
    assert column(text(";", c=cells, w=comma))[1][0] == 94.075
    assert column(text(";", c=cells, w=WEIGHTS))[1][0] == 94075
    points = [cell.replace(",", ".") for cell in cells]
    assert column(text(";", c=points, w=comma))[1][0] == 94075
    assert column(text(";", c=points, w=WEIGHTS))[1][0] == 94.075
    message = refusal(text(";", c=cells, d=["a", "b"]))
    assert "line 2, column 'c'" in message
    assert "'94,075'" in message
    assert "--columns c=number:decimal-comma or --columns c=number:decimal-point" in message
    said = {"c": "number:decimal-comma"}
    assert column(text(";", c=cells, e=cells, d=["a", "b"]), "e", columns=said)[1][0] == 94.075
    message = refusal(text(";", c=points, d=comma, e=WEIGHTS))
    assert "column 'c'" in message, "points are decimal marks in one column, and commas in another"


def test_other_columns_decide_whether_day_or_month_is_first(text, refusal):
    unclear, clear = ["01/02/2024", "03/02/2024"], ["12/31/2024", "01/02/2024"]
    message = refusal(text(c=unclear, w=WEIGHTS))
    assert "line 2, column 'c'" in message
    assert "'01/02/2024'" in message
    assert "--columns c=date:dmy or --columns c=date:mdy" in message
    found, values = column(text(c=unclear, w=WEIGHTS), columns={"c": "date:dmy"})
    assert values[1] == 2
    assert found.text(values[1]) == "03/02/2024"
    found, values = column(text(c=unclear, d=clear, w=WEIGHTS))
    assert values[1] == 60
    assert str(found.value(values[1])) == "2024-03-02"


def test_cells_that_are_missing_are_listed(text, refusal):
    cells = [f"{i}.5" for i in range(1, 50)] + ["-", "NA", ""]
    message = refusal(text(c=cells, w=WEIGHTS))
    assert "line 51, column 'c': every known cell must hold a number; got '-'" in message
    assert "--missing-cells=NA,-" in message
    assert "--columns c=category" in message
    assert "empty the cell" not in message
    _, values = column(text(c=cells, w=WEIGHTS), missing=["-", "NA"])
    assert np.isnan(values[49:52]).all()
    assert np.isnan(values).sum() == 3
    message = refusal(text(c=cells, w=WEIGHTS), missing=["-"])
    assert "'NA'" in message, "only what is listed is missing"
    with pytest.raises(nv.ConfigError, match=r"a list of texts such as \['NA', '-'\]"):
        tables.read(text(c=cells, w=WEIGHTS), missing="NA")


def test_na_is_a_label_where_the_user_says_so(text, tmp_path):
    path = text(c=["NA", "EU", "", "AS"], w=WEIGHTS)
    found, values = column(path)
    assert found.labels == ("AS", "EU")
    table = tables.read(path, columns={"c": "category"})
    found, values = column(path, columns={"c": "category"})
    assert found.labels == ("AS", "EU", "NA")
    assert values[0] == 2
    assert np.isnan(values[2])
    assert any("'NA' is a label of 'c'" in note for note in table.notes)
    tables.write(tmp_path / "u.csv", table.schema, table.x)
    again = tables.read(tmp_path / "u.csv", schema=table.schema)
    np.testing.assert_array_equal(again.x, table.x)
    found, _ = column(path, columns={"c": "category"}, missing=["NA"])
    assert found.labels == ("AS", "EU")


def test_accents_are_compared_composed(text):
    names = {form: unicodedata.normalize(form, "âge") for form in ("NFC", "NFD")}
    labels = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")] + ["e"]
    first = tables.read(text(**{names["NFC"]: labels, "w": WEIGHTS}))
    assert first.schema.columns[0].labels == ("e", "é")
    again = tables.read(text(**{names["NFD"]: labels, "w": WEIGHTS}), schema=first.schema)
    np.testing.assert_array_equal(again.x, first.x)
    old = {**first.schema.config["columns"][0], "name": names["NFD"], "labels": labels[1:]}
    schema = tables.Schema([old, first.schema.columns[1]])
    assert tables.read(text(**{names["NFC"]: labels, "w": WEIGHTS}), schema=schema).x[0, 0] == 0


@pytest.mark.parametrize(
    ("cells", "odd", "words"),
    [
        (
            ["$5.00", "$7.50", "$8.25"],
            "€5.00",
            ["a column of numbers has one unit, and this has '$'", "--columns c=category"],
        ),
        (["5%", "7%", "8%"], "0.5", ["such as 1234.50%", "--missing-cells=0.5 (missing=['0.5']"]),
        (
            ["1.5", "2.5"] + [f"{i}.25" for i in range(12)],
            "n.a.",
            ["a number", "--missing-cells=n.a."],
        ),
        (
            ["2024-01-05", "2024-02-07"],
            "soon",
            ["written as yyyy-MM-dd", "--missing-cells=soon"],
        ),
        (["2024-01-05", "2024-02-07", "2024-03-09"], "2024-02-30", ["written as yyyy-MM-dd"]),
    ],
)
def test_a_cell_that_does_not_fit_is_named(text, refusal, cells, odd, words):
    message = refusal(text(c=[*cells, odd, *cells], w=WEIGHTS))
    for word in [f"line {len(cells) + 2}, column 'c'", repr(odd), *words]:
        assert word in message


def test_a_column_without_a_name(tmp_path):
    rows = [(f"Mazda {i}", f"{w}", f"2024-01-{i % 28 + 1:02d}") for i, w in enumerate(WEIGHTS)]

    def read(names, cells):
        (tmp_path / "t.csv").write_text("\n".join([names, *(",".join(c) for c in cells)]))
        return tables.read(tmp_path / "t.csv").schema

    why = "it has no name, and is different in every row, as row names are"
    assert read('"",w', [row[:2] for row in rows]).skipped == {"index": why}
    assert read("w,d", rows).skipped == {"index": why}, "R's write.table names one column less"
    assert read(",w", [(str(i * 7), row[1]) for i, row in enumerate(rows)]).skipped == {
        "index": why
    }
    assert read(",w", [(str(i), row[1]) for i, row in enumerate(rows)]).skipped == {
        "index": "it numbers the rows"
    }
    assert read(",w", [(row[2], row[1]) for row in rows]).names == ["index", "w"], "pandas' dates"
    assert read("w,d,,", [(row[1], row[2], "", "") for row in rows]).names == ["w", "d"]


def test_rows_without_names(tmp_path):
    rows = [f"{39 + i % 20},{['State-gov', 'Private'][i % 2]},{w}" for i, w in enumerate(WEIGHTS)]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    table = tables.read(tmp_path / "t.csv")
    assert table.columns == ["x0", "x1", "x2"]
    assert len(table.x) == 60
    assert any("so it is data" in note for note in table.notes)
    (tmp_path / "t.csv").write_text("\n".join(["a,b", "x,u", "y,v", "x,v", "y,u", "x,u"]))
    assert tables.read(tmp_path / "t.csv").columns == ["a", "b"]


def test_what_was_read_is_kept_in_the_schema_as_json(text, tmp_path):
    comma = [w.replace(".", ",") + " €" for w in WEIGHTS]
    path = text(";", encoding="utf-16", c=comma, d=["31.12.2024", "1.2.2023"], e=["–", "ä", "b"])
    schema = tables.read(path, missing=["–"]).schema
    again = tables.Schema.of(json.loads(json.dumps(schema.config)))
    assert again == schema
    assert again.layout == schema.layout
    assert again.missing == ("–",)
    x = tables.read(path, missing=["–"]).x
    np.testing.assert_array_equal(tables.read(path, schema=again).x, x)
    tables.write(tmp_path / "u.csv", again, x)
    line = (tmp_path / "u.csv").read_text(encoding="utf-16").splitlines()[1]
    assert line == f"{comma[0]};31.12.2024;"


def test_rows_of_python_s_values(text):
    comma = [w.replace(".", ",") for w in WEIGHTS]
    table = tables.read(text(";", c=comma, d=["31.12.2024", "1.2.2023"], e=["a", "b"]))
    rows = table.schema.rows(table.x)
    assert rows[0] == {"c": float(WEIGHTS[0]), "d": rows[0]["d"], "e": "a"}
    assert rows[0]["d"].isoformat() == "2024-12-31"
    np.testing.assert_array_equal(table.schema.array(rows), table.x)
    said = [{**rows[0], "c": comma[0], "d": "31.12.2024"}]
    np.testing.assert_array_equal(table.schema.array(said), table.x[:1])
    with pytest.raises(nv.DataError, match=r"row 0 .*column 'd': every known cell"):
        table.schema.array([{**rows[0], "d": "soon"}])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("date:foo", ["can't be 'date:foo'", "date:dmy"]),
        ("flag:dmy", ["can't be 'flag:dmy'"]),
        ("dates", ["did you mean 'date'?"]),
        ("date", ["dates are written such as 2024-12-31"]),
    ],
)
def test_kinds_that_can_not_be(text, refusal, kind, words):
    message = refusal(text(c=["a", "b"], w=WEIGHTS), {"c": kind})
    for word in words:
        assert word in message


def test_dates_are_modelled_as_numbers(text, tmp_path):
    path = text(c=[f"2024-{m:02d}-{d:02d} 12:00" for m in (1, 5, 9) for d in (3, 9, 27)], w=WEIGHTS)
    table = tables.read(path)
    model = nv.VAE(z_dim=1, hidden=(8,), **table.schema.options())
    assert [part.name for part in model.likelihood.parts] == ["transformed"]
    nv.fit(model, table.x, epochs=2, batch_size=16)
    row = model.schema.rows(model.sample(2, take="draw"))[0]
    assert row["c"].year in range(2022, 2027)
    nv.save(model, tmp_path / "m.npz")
    assert nv.load(tmp_path / "m.npz").schema == table.schema
    assert np.isfinite(tables.nats_saved(model, table.x)).all()


def test_two_texts_of_one_number_are_pointed_at(text):
    versions = [f"1.{i}" for i in (*range(1, 31), *range(1, 31))]
    path = text(v=versions, x=[f"{i % 9}.5" for i in range(60)])
    table = tables.read(path)
    assert table.schema.columns[0].kind == "number"
    said = "'1.1' and '1.10' are one number in 'v'; if they are codes, say --columns v=category"
    assert said in table.notes
    kept = tables.read(path, columns={"v": "category"})
    assert {"1.1", "1.10"} <= set(kept.schema.columns[0].labels)


def test_no_note_reads_a_code_as_a_number(text):
    table = tables.read(text(c=["+49", "+33", "+1"], x=[f"{i}.5" for i in range(30)]))
    assert table.schema.columns[0].kind == "category"
    assert not any("is read as" in note for note in table.notes)

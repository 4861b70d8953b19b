"""Words that say that a value is not known, or are labels: none and NA."""

from __future__ import annotations

import numpy as np
import pytest

from npvae import DataError, tables


@pytest.fixture
def read(tmp_path):
    def read(cells, **options):
        path = tmp_path / "t.csv"
        rows = "".join(f"{cell},{i % 7}.5\n" for i, cell in enumerate(cells))
        path.write_text(f"state,x\n{rows}")
        return tables.read(path, **options)

    return read


def test_none_is_a_step_of_a_scale(read, tmp_path):
    table = read(["None", "mild", "severe", "moderate", "NA"] * 12)
    schema, x = table.schema, table.x
    assert schema.columns[0].labels == ("None", "mild", "moderate", "severe")
    np.testing.assert_array_equal(x[:5, 0], [0, 1, 3, 2, np.nan])
    assert any(note.startswith("'None' is a label of 'state', as a step") for note in table.notes)
    assert any("--missing-cells=NA,None" in note for note in table.notes)
    np.testing.assert_array_equal(schema.array(schema.rows(x)), x)
    tables.write(tmp_path / "again.csv", schema, x)
    for again in (
        tables.read(tmp_path / "again.csv"),
        tables.read(tmp_path / "again.csv", schema=schema),
    ):
        np.testing.assert_array_equal(again.x, x)
    assert np.isnan(read(["None", "mild", "severe", "moderate"] * 12, missing=["None"]).x[0, 0])


def test_a_step_stays_one_beside_a_word_for_not_known(read, tmp_path):
    table = read(["none", "mild", "severe", "unknown", "moderate"] * 12)
    assert "none" in table.schema.columns[0].labels
    steps, odd = ("none", "mild", "unknown", "severe"), {7: "NA", 41: "-"}
    rows = "".join(f"{steps[i % 4]},{odd.get(i, i / 7)}\n" for i in range(60))
    (tmp_path / "u.csv").write_text(f"pain,x\n{rows}")
    with pytest.raises(DataError, match=r"say --missing-cells=NA,- \("):
        tables.read(tmp_path / "u.csv")


@pytest.mark.parametrize(("cells", "word"), [("NA,EU,AS", "NA"), ("none,shed,attic", "none")])
def test_words_that_may_be_labels_are_said(read, cells, word):
    table = read(cells.split(",") * 20)
    assert np.isnan(table.x[:, 0]).sum() == 20
    assert f"{word!r} in 'state' counts as not known; --columns state=category" in table.remarks[-1]
    table = read(cells.split(",") * 20, columns={"state": "category"})
    assert word in table.schema.columns[0].labels
    assert not any("counts as not known" in note for note in table.notes)
    rows = table.schema.rows(table.x)
    np.testing.assert_array_equal(table.schema.array(rows), table.x)


def test_no_word_is_said_of_numbers(read):
    assert not any(
        "counts as not known" in note for note in read(["NA", "1.5", "2.5", "3.5"] * 20).notes
    )

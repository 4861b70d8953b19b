"""Which kind a column is, and how it is said that it has none."""

from __future__ import annotations

import numpy as np
import pytest

from npvae import tables

RNG = np.random.default_rng(3)
POISSON = RNG.poisson(3.0, 60).tolist()


def kinds(path, **options):
    return {c.name: c.kind for c in tables.read(path, **options).schema.columns}


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("constant", ["a"] * 6),
        ("constant", ["7", "", "7", "7", "", "7"]),
        ("flag", ["yes", "no", "no", "yes", "", "no"]),
        ("flag", ["Yes", "NO", "no", "yes", "YES", "no"]),
        ("flag", ["true", "FALSE"] * 3),
        ("flag", ["T", "F"] * 3),
        ("flag", ["on", "off"] * 3),
        ("flag", ["0", "1"] * 3),
        ("flag", ["0.0", "1.0"] * 3),
        ("flag", ["0", "1.0", "nan"] * 3),
        ("category", ["m", "f"] * 3),
        ("category", ["yes", "no", "maybe"] * 3),
        ("ordered", ["yes", "no", "partly"] * 3),
        ("category", ["1", "2", "3a"] * 3),
        ("category", ["001", "002", "007"] * 3),
        ("category", ["1", "2", "3"] * 10),
        ("category", ["1.0", "2.0"] * 10),
        ("category", ["-0.044", "0.051"] * 5),
        ("number", ["-0.044", "0.051"] * 4),
        ("count", ["0", "1", "2"] * 10),
        ("count", ["3", "11", "4", "8", "29", "1"]),
        ("count", ["3.0", "11.0", "NA", "8.0", "29.0", "1.0"]),
        ("count", POISSON),
        ("number", ["0.5", "1.5", "2.5"] * 10),
        ("number", ["-1", "0", "4", "9"]),
        ("number", ["1e-5", "3", "4", "9"]),
        ("number", ["1987", "1990", "2003", "2011"]),
        ("number", ["171", "180", "165", "177"]),
        ("number", ["3", "90000000", "17"]),
    ],
)
def test_kinds(write, kind, cells):
    other = [str(v) for v in RNG.normal(size=len(cells))]
    assert kinds(write(c=cells, other=other)) == {"c": kind, "other": "number"}


def test_rows_that_are_numbered_are_left_out(write):
    numbers = list(range(5, 17))
    path = write(id=numbers, x=RNG.normal(size=12), shuffled=numbers[::-1])
    schema = tables.read(path).schema
    assert schema.skipped == {"id": "it numbers the rows"}
    assert schema.names == ["x", "shuffled"]
    assert kinds(path, columns={"id": "count"})["id"] == "count"
    assert tables.read(write(id=[1, 2, 3, 4], x=[5, 8, 2, 0])).schema.skipped == {}, "too few rows"


def test_text_that_is_different_everywhere_is_left_out_unless_its_kind_is_said(write):
    names = [f"n{i}" for i in range(50)]
    tickets = [f"t{i // 2 if i < 20 else i}" for i in range(50)]
    path = write({"name": names, "the ticket": tickets, "x": RNG.normal(size=50)})
    schema = tables.read(path).schema
    assert schema.names == ["x"]
    why = "it is different in (nearly) every row, as names and ids are"
    assert schema.skipped == {"name": why, "the ticket": why}
    left = tables.read(path, {"name": "skip", "the ticket": "skip"}).schema
    assert left.names == ["x"]
    assert left.skipped == {"name": "as was said", "the ticket": "as was said"}
    given = tables.read(path, {"name": "skip", "the ticket": "category"}).schema
    assert len(given.columns[0].labels) == 40


def test_a_kind_that_is_given_is_the_kind(write):
    path = write(a=["1", "2"] * 6, b=["0", "1"] * 6, c=["x", "y"] * 6, label=["u", "v"] * 6)
    given = {"a": "number", "b": "count", "c": "flag", "label": "category"}
    assert kinds(path, columns=given) == given
    assert tables.read(path, given).y is None
    assert tables.read(path).y.tolist() == ["u", "v"] * 6
    by_c = tables.read(path, {"c": "label"})
    assert by_c.y.tolist() == ["x", "y"] * 6
    assert by_c.columns == ["a", "b", "label"]


@pytest.mark.parametrize(
    ("cells", "given", "words"),
    [
        (["", "NA", "?"], {"c": "number"}, ["'c' has none in all 3 rows", "--columns c=skip"]),
        (["3", "-1", "4"], {"c": "count"}, ["line 3, column 'c'", "a count is", "'-1'"]),
        (["3", "4", "0.5"], {"c": "count"}, ["line 4, column 'c'", "a count is", "'0.5'"]),
        (["3", "x", "5"], {"c": "number"}, ["line 3, column 'c'", "hold a number", "'x'"]),
        (["3", "1_0", "5"], {"c": "number"}, ["line 3", "hold a number", "'1_0'"]),
        (["3", "inf", "5"], {"c": "number"}, ["line 3", "finite", "'inf'"]),
        (["3", "1e39", "5"], {}, ["line 3", "finite", "'1e39'"]),
        (["a", "b", "c"], {"c": "flag"}, ["column 'c'", "two different values", "has 3"]),
        (["a", "a", ""], {"c": "category"}, ["column 'c'", "two labels or more", "has 1"]),
        (["a", "a", "b"], {"c": "text"}, ["'c' can't be of the kind 'text'", "category, count"]),
        (["a", "a", "b"], {"c": "counts"}, ["did you mean 'count'?"]),
        (["a", "a", "b"], {"d": "count"}, ["table's own columns; got 'd'", "Known: c, x"]),
        (["a", "a", "b"], {"c": "skip", "x": "skip"}, ["a table needs a column to model"]),
        (["a", "a", "b"], {"c": "label", "x": "label"}, ["one column may be the label"]),
    ],
)
def test_refused(write, refusal, cells, given, words):
    message = refusal(write(c=cells, x=["1.5", "2", "0"]), given)
    for word in words:
        assert word in message


def test_an_empty_column_is_left_out(write):
    schema = tables.read(write(c=["", "NA", "?"], x=["1.5", "2", "0"])).schema
    assert schema.skipped == {"c": "it is empty"}


def test_a_few_cells_that_are_no_numbers_are_mistakes(write, refusal):
    cells = [str(i % 12) for i in range(60)]
    cells[33] = "seven"
    message = refusal(write(age=cells, x=RNG.normal(size=60)))
    assert "line 35, column 'age'" in message
    assert "'seven'" in message
    cells[33] = ""
    assert kinds(write(age=cells, x=RNG.normal(size=60)))["age"] == "number"

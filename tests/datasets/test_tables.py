"""Tables: values, headers, labels, delimiters, and what is refused where."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae.datasets import has_test_split, load, read


def test_numbers_alone(write_text):
    data = read(write_text("1,2.5,-3e2\n4, 5 ,.5\n"))
    assert data.x.dtype == np.float32
    assert data.x.tolist() == [[1, 2.5, -300], [4, 5, 0.5]]
    assert (data.y, data.columns, data.image_shape) == (None, None, None)


def test_header_and_labels(write_text):
    path = write_text("a,b,label\n1,2,7\n3,4,-9\n")
    data = read(path)
    assert data.columns == ["a", "b"]
    assert data.x.tolist() == [[1, 2], [3, 4]]
    assert data.y.tolist() == [7, -9]
    assert data.y.dtype == np.int64
    assert not has_test_split(path)
    assert len(load(path)) == 2


@pytest.mark.parametrize("name", ["label", "y", "target", "class", "Class", " LABEL "])
def test_label_columns(write_text, name):
    for text in (f"{name},a,b\n5,1,2\n", f"a,b,{name}\n1,2,5\n"):
        data = read(write_text(text))
        assert data.columns == ["a", "b"]
        assert data.x.tolist() == [[1, 2]]
        assert data.y.tolist() == [5]


def test_label_name_in_the_middle_is_a_column(write_text):
    data = read(write_text("x,y,z\n1,2,3\n"))
    assert data.columns == ["x", "y", "z"]
    assert data.y is None


@pytest.mark.parametrize(
    ("labels", "expected", "kind"),
    [
        (["1", "+2", "-3"], [1, 2, -3], "i"),
        (["1", "2.5", "1e3"], [1, 2.5, 1000], "f"),
        (["cat", "dog", "cat"], ["cat", "dog", "cat"], "U"),
        (["1", "2", "x"], ["1", "2", "x"], "U"),
        (["1_0", "2", "3"], ["1_0", "2", "3"], "U"),
        (["9" * 30, "1", "2"], ["9" * 30, "1", "2"], "U"),
        (["123456789012345678", "1", "2"], [123456789012345678, 1, 2], "i"),
        (["007", "7", "2"], ["007", "7", "2"], "U"),
        (["3", "", "7"], [3, -1, 7], "i"),  # one that is not known
        (["cat", "", "dog"], ["cat", "", "dog"], "U"),
        (["-2", "", "7"], ["-2", "", "7"], "U"),
    ],
)
def test_kinds_of_labels(write_text, labels, expected, kind):
    y = read(write_text("a,label\n" + "".join(f"1,{label}\n" for label in labels))).y
    assert y.dtype.kind == kind
    assert y.tolist() == expected


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_line_ends_and_byte_order_mark(write_text, mark, end, encoding):
    lines = ["größe|b", "1|2", "", "3|4", "  ", ""]
    path = write_text(end.join(lines).replace("|", mark), encoding=encoding)
    data = read(path)
    assert data.columns == ["größe", "b"]
    assert data.x.tolist() == [[1, 2], [3, 4]]


def test_byte_order_mark_before_a_number(write_text):
    assert load(write_text("1,2\n3,4\n", encoding="utf-8-sig")).tolist() == [[1, 2], [3, 4]]


def test_quotes(write_text):
    data = read(write_text('"a; in m", "b ""c""", label\n"1","2","x, y\nz"\n3,4,"w"\n'))
    assert data.columns == ["a; in m", 'b "c"']
    assert data.x.tolist() == [[1, 2], [3, 4]]
    assert data.y.tolist() == ["x, y\nz", "w"]


def test_one_column_and_one_row(write_text):
    assert load(write_text("1\n2\n")).tolist() == [[1], [2]]
    assert load(write_text("1,2")).tolist() == [[1, 2]]
    assert load(write_text("1\t2", name="a.tsv")).tolist() == [[1, 2]]


def test_header_with_numbers_in_it(write_text):
    data = read(write_text("label,0,1\n5,10,20\n"))
    assert data.columns == ["0", "1"]
    assert data.y.tolist() == [5]


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    st.sampled_from(",;\t"),
)
@settings(deadline=None, derandomize=True)
def test_round_trip(tmp_path_factory, array, mark):
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream, delimiter=mark).writerows(array.tolist())
    np.testing.assert_array_equal(load(path), array)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["a table needs rows", "empty file"]),
        ("\n \n", ["a table needs rows", "empty file"]),
        ("a,b\n", ["a table needs rows", "a header alone"]),
        ("label\n1\n", ["a table needs data", "labels alone"]),
        ("1,2\n3\n", ["line 2", "needs 2 cells", "got 1"]),
        ("a,b\n1,2\n\n1,2,3\n", ["line 4", "needs 2 cells", "got 3"]),
        ("a,color\n1,2\n3,red\n", ["line 3", "column 'color'", "'red'", "labels go in"]),
        ("1,2\n3,red\n", ["line 2", "column 2", "'red'"]),
        ("a,b\n1,2\n1,1_000\n", ["line 3", "column 'b'", "'1_000'"]),
        ("a,b\n1," + "z" * 999, ["line 2", "'" + "z" * 40 + "...'"]),
        ("a;b\n1,5;2\n", ["line 2", "column 'a'", "'1,5'", "nv.tables.read"]),
        ("1,5;2\n", ["column 1", "'1,5'"]),
        ("a,b\n1,\n", ["line 2", "column 'b'", "''", "a missing value", "Fill it"]),
        ('a\n1\n""\n', ["line 3", "column 'a'", "''", "a missing value"]),
        ("1,2\n3, \n", ["line 2", "column 2", "a missing value"]),
        ("1,2\n3,NA\n", ["line 2", "column 2", "'NA'", "a missing value"]),
        ("1,2\n\n3,nan\n", ["line 3", "column 2", "'nan'", "a missing value"]),
        ("1,\n3,4\n", ["line 1", "column 2", "a missing value"]),
        ("\t\t\n1\t2\t3\n", ["a missing value"]),
        ("?,2\n3,4\n", ["line 1", "column 1", "'?'", "a missing value"]),
        ("1,inf\n", ["line 1", "column 2", "finite", "got inf"]),
        ("1,2\n-1e39,0\n", ["line 2", "column 1", "float32", "got -1e+39"]),
        (",a,b\n0,1,2\n", ["line 1", "name every column", "column 1 of 3", "index=False"]),
        ("y,a,label\n1,2,3\n", ["one column at most", "'y' and 'label'"]),
        ('a,b\n1,"2\n', ["after line", "quotes", "unexpected end of data"]),
        ('a,b\n1,"2"3\n', ["after line 1", "quotes"]),
        ("a,b\n1," + "1" * 200_000, ["line 2", "column 'b'", "finite", "got inf"]),
    ],
)
def test_refused(write_text, refusal, text, words):
    message = refusal(write_text(text))
    for word in words:
        assert word in message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1", "utf-32"])
def test_other_encodings(write_text, encoding):
    data = read(write_text("größe,b\n1,2\n", encoding=encoding))
    assert data.columns == ["größe", "b"]
    assert data.x.tolist() == [[1, 2]]


def test_float64_parse_then_one_rounding(write_text):
    text = "0.1,16777217.000001\n"
    x = load(write_text(text))
    assert x[0, 0] == np.float32(0.1)
    assert x[0, 1] == np.float32(16777217.000001)
    assert math.isclose(x[0, 0], 0.1, rel_tol=1e-7)

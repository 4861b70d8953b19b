"""Text files: encodings, comments, delimiters, and which row has the names."""

from __future__ import annotations

import numpy as np
import pytest

from npvae.core.errors import ConfigError, DataError
from npvae.datasets import read
from npvae.datasets.headers import names_of
from npvae.datasets.rows import open_rows
from npvae.datasets.text import encoding_of


def rows(path, **options):
    with open_rows(path, "t", **options) as found:
        return [cells for _, cells in found], found


@pytest.mark.parametrize(
    ("encoding", "text", "codec", "said"),
    [
        ("utf-8", "größe", "utf-8", ""),
        ("utf-8-sig", "größe", "utf-8-sig", ""),
        ("utf-16", "größe", "utf-16", ""),
        ("utf-16-le", "größe", "utf-16-le", ""),
        ("utf-16-be", "größe", "utf-16-be", ""),
        ("utf-32", "größe", "utf-32", ""),
        ("latin-1", "größe", "latin-1", "Latin-1"),
        ("cp1252", "5 € größe", "cp1252", "code page 1252"),
        ("ascii", "a,b\n1,2", "utf-8", ""),
    ],
)
def test_encodings_are_recognised(tmp_path, encoding, text, codec, said):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    found, note = encoding_of(path, "t")
    assert found == codec
    assert said in note
    assert bool(said) == bool(note)
    assert rows(path)[0][0] == text.splitlines()[0].split(",")


@pytest.mark.parametrize(
    ("data", "place", "byte"),
    [
        ("größe,ä,ö,ü\n1,2\nab".encode() + b"\xff,3\n", "line 3, column 3", "0xff"),
        ("größe\r\nab\r".encode() + b"ab\xc3\r\n", "line 3, column 3", "0xc3"),
        (b"a,b\n1,\x81\xe9\n", "line 2, column 3", "0x81"),
        ("é,b\n1,2\n".encode("utf-16")[:-1], "line 2, column 4", "0x0a"),
        (b"\xef\xbb\xbfa\nb\xe9\n", "line 2, column 2", "0xe9"),
    ],
)
def test_the_byte_that_is_wrong_is_named(tmp_path, data, place, byte):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        encoding_of(path, "'t.csv'")
    assert f"'t.csv', {place}: " in str(caught.value)
    assert byte in str(caught.value)
    assert "--encoding" in str(caught.value)


def test_a_byte_after_a_megabyte(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("ä".encode() * 700_000 + b"\n\xff")
    with pytest.raises(DataError, match=r"line 2, column 1.*0xff"):
        encoding_of(path, "t")


def test_an_encoding_that_is_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("łódź".encode("cp1250"))
    assert rows(path, encoding="cp1250")[0] == [["łódź"]]
    assert rows(path, likely="cp1250")[0] == [["łódź"]]
    with pytest.raises(ConfigError, match=r"one that Python knows.*'cp99'"):
        rows(path, encoding="cp99")
    with pytest.raises(DataError, match=r"line 1, column 1.*0xb3"):
        rows(path, encoding="utf-8")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters_that_part_all_rows_alike(write_text, mark):
    path = write_text("a|b\n1.5|2\n3.5|x y\n".replace("|", mark))
    quoted = write_text('a|b\n"1;1"|2\n"1,5|"|2\n'.replace("|", mark), name="q.csv")
    assert {len(row) for row in rows(path)[0]} == {2}
    assert rows(path)[1].layout.delimiter == mark
    assert {len(row) for row in rows(quoted)[0]} == {2}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_first_line_that_says_the_delimiter(write_text, end):
    path = write_text(end.join(["sep=;", "a;b", "1,5;2", "2,5;3", ""]))
    cells, found = rows(path)
    assert cells == [["a", "b"], ["1,5", "2"], ["2,5", "3"]]
    assert (found.layout.sep_line, found.layout.line_end) == (True, end)
    assert next(iter(found))[0] == 2, "lines are counted from the file's first"


def test_comments(write_text):
    text = '# by "x\n#\n# a, b\n1,2\n# a remark\n3,4\n'
    data = read(write_text(text))
    assert data.columns == ["a", "b"]
    assert data.x.tolist() == [[1, 2], [3, 4]]
    assert read(write_text("# made, today\na,b\n1,2\n")).columns == ["a", "b"]
    colours = write_text("#ff0000,1\n#00ff00,2\n")
    assert len(rows(colours)[0]) == 2, "these are no comments"


def test_a_cell_of_a_megabyte_and_lines_in_quotes(write_text):
    long = "x" * 1_000_000
    path = write_text(f'a,label\n1,"{long}"\n2,"two\r\nlines"\n')
    assert read(path).y.tolist() == [long, "two\r\nlines"]


def test_accents_are_composed(write_text):
    assert read(write_text("a\u0302ge,b\n1,2\n")).columns == ["\u00e2ge", "b"]


RNG = np.random.default_rng(4)
SPECTRA = "".join(",".join(f"{v:.3f}" for v in row) + "\n" for row in RNG.normal(0.5, 0.1, (30, 5)))


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("400,401,402,403,404", True),
        ("350.5,402.1,454.2,505,560.8", True),
        ("2400,2300,2200,2100,2000", True),
        ("0,1,2,3,4", True),
        ("0.4,0.45,0.5,0.55,0.6", False),
        ("0.4,401,402,403,404", False),
        ("400,402,401,403,404", False),
        (",,,,", False),
    ],
)
def test_numbers_that_are_names(write_text, first, names):
    path = write_text(f"{first}\n{SPECTRA}")
    if first == ",,,,":
        with pytest.raises(DataError, match="a missing value"):
            read(path)
        return
    data = read(path)
    assert data.columns == (first.split(",") if names else None)
    assert len(data.x) == (30 if names else 31)


def test_rows_that_all_go_up_have_no_names_among_them(write_text):
    data = read(write_text("1,2,3\n2,3,4\n3,4,5\n10,20,30\n"))
    assert data.columns is None
    assert len(data.x) == 4


def test_numbers_that_may_be_names_are_noted(write_text):
    with open_rows(write_text("400,402,401,403,404\n" + SPECTRA), "t") as found:
        assert names_of(found) is None
    assert "is beyond all others" in found.notes[0]
    with open_rows(write_text("400,402,401,403,404\n" + SPECTRA), "t") as found:
        assert names_of(found, known=["401", "400"]) == (1, ["400", "402", "401", "403", "404"])
    assert found.notes == []

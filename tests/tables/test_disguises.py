"""Tables in other scripts, drawn ones, and files of other kinds under a table's name."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile

import numpy as np
import pytest

import npvae as nv
from npvae import tables

X = [f"{v:.2f}" for v in np.random.default_rng(3).normal(50, 9, 40)]


def read(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tables.read(path, **options)


def refused(*arguments, **options):
    with pytest.raises(nv.DataError) as caught:
        read(*arguments, **options)
    return str(caught.value)


def archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.csv", "a,b")
    return buffer.getvalue()


def database(folder):
    connection = sqlite3.connect(folder / "d.sqlite")
    connection.execute("create table t (a)")
    connection.commit()
    connection.close()
    return (folder / "d.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archive, "a workbook or another archive, whatever its name says; give it the suffix"),
        (database, "a database, whatever its name says; export one of its tables"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), r"an old workbook \(\.xls\)"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "compressed, whatever its name says; unpack it"),
        (b"%PDF-1.7\n%\xe2\xe3\n1 0 obj", "a PDF"),
        (b"PAR1" + bytes(50), "give it the suffix .parquet"),
        ("\ufeff\n <!DOCTYPE html>\n<table><tr><td>1</td></tr></table>", "a web page"),
        ("<html><body><table>", "a web page"),
        ('<?xml version="1.0"?>\n<rows/>', "XML"),
        (json.dumps([{"a": 1.5, "b": "u"}] * 9, indent=1), "JSON"),
        ('{"a": 1}\n{"a": 2}\n', "JSON"),
    ],
)  # fmt: skip
def test_other_kinds_of_files_are_named(tmp_path, content, said):
    if callable(content):
        content = content(tmp_path) if content is database else content()
    with pytest.raises(nv.DataError, match=said) as caught:
        read(tmp_path / "t.csv", content)
    assert str(caught.value).startswith(f"'{tmp_path / 't.csv'}' is ")


@pytest.mark.parametrize("name", ["{x", "<b>", "PARtly", "BZ", "PK", "<xml>"])
def test_what_begins_alike_is_a_table(tmp_path, name):
    rows = [f"{x},u{i % 2}" for i, x in enumerate(X)]
    assert read(tmp_path / "t.csv", "\n".join([f"{name},b", *rows])).columns == [name, "b"]


@pytest.mark.parametrize("suffix", [".csv.gz", ".zip"])
def test_what_is_packed_is_to_be_unpacked(tmp_path, suffix):
    assert "Unpack it." in refused(tmp_path / f"t{suffix}", b"x")


TOWNS = {
    "cp1251": ("город", "Москва", "Казань"),
    "cp1253": ("πόλη", "Αθήνα", "Πάτρα"),
    "cp932": ("都市名", "とうきょう", "おおさか"),
    "gb18030": ("城市", "北京市朝阳区", "上海市"),
    "cp949": ("도시이름", "서울특별시", "부산광역시"),
}


@pytest.mark.parametrize("codec", TOWNS)
def test_letters_that_are_not_latin_are_asked_for_and_never_garbled(tmp_path, codec):
    name, one, other = TOWNS[codec]
    text = "\n".join([f"{name},x", *(f"{[one, other][i % 2]},{x}" for i, x in enumerate(X))])
    said = refused(tmp_path / "t.csv", text.encode(codec))
    assert f"--encoding {codec} (which reads {name!r})" in said
    table = tables.read(tmp_path / "t.csv", encoding=codec)
    assert table.columns == [name, "x"]
    assert table.schema.columns[0].labels == tuple(sorted((one, other)))


@pytest.mark.parametrize("word", ["Göteborg", "créée", "Ærø", "5 €", "naïve À ÔÖ", "21 °C"])
def test_latin_letters_are_read_as_before(tmp_path, word):
    rows = "\n".join(["t,x", *(f"{[word, 'Ulm'][i % 2]},{x}" for i, x in enumerate(X))])
    table = read(tmp_path / "t.csv", rows.encode("cp1252"))
    assert word in table.schema.columns[0].labels or table.columns[0] == "t"
    assert any("was read as" in note for note in table.notes)


LATIN = {"cp1250": ["mąka", "Erdős", "mő"], "cp1254": ["ışık ç", "çağ"]}


@pytest.mark.parametrize("codec", LATIN)
def test_latin_letters_of_other_countries_are_asked_for(tmp_path, codec):
    """Each of the words that some letter gives away, and none tells the codec."""
    for word in LATIN[codec]:
        rows = "\n".join(["t,x", *(f"{[word, 'Ulm'][i % 2]},{x}" for i, x in enumerate(X))])
        said = refused(tmp_path / "t.csv", rows.encode(codec))
        assert f"--encoding {codec} (which reads " in said
        assert "--encoding cp1252 (which reads " in said
        table = tables.read(tmp_path / "t.csv", encoding=codec)
        assert word in table.schema.columns[0].labels


CENTRAL = {
    "cp1250": [
        "Łódź", "město", "Kč 5", "Dvořák Šťastný", "Ťažký", "żółw źdźbło", "Győr Pécs",
        "szőlő Tóth", "hűtő könyv", "Braşov", "Ştefan Brăila", "Constanţa Brăila", "Petrović",
        "Kočevje Žužemberk",
    ],
    "iso-8859-2": ["woźny", "zażyły", "mąka", "Łódź Kraków", "Győr Pécs", "Petrović Đurić"],
    "cp1257": ["Šiauliai Klaipėda", "Panevėžys", "Rēzekne Žīguri"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("codec", "word"), [(codec, word) for codec, words in CENTRAL.items() for word in words]
)
def test_latin_letters_of_other_countries_are_read(tmp_path, codec, word):
    """Where two codecs read the same it does not matter which it is; the notes say what was."""
    rows = "\n".join(["t,x", *(f"{[word, 'Ulm'][i % 2]},{x}" for i, x in enumerate(X)), ""])
    table = read(tmp_path / "t.csv", rows.encode(codec))
    assert word in table.schema.columns[0].labels
    assert "the text is no UTF-8, and was read as" in table.notes[0]
    assert word.split()[0] in table.notes[0]
    tables.write(tmp_path / "again.csv", table.schema, table.x)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()


WESTERN = [
    "São Simões limões Irmã manhã", "août sûr été", "François Ramón João Jörg", "Tõnu Pärnu",
    "Hélène Sánchez così", "Ísafjörður þórr", "Ærø Ålborg", "Tórshavn Eiði Norðoy ø", "irmãzinha",
    "Žižka Hélène", "nº 5", "1ª vez", "Jürgen Strauß", "L·l·l", "dîner",
]  # fmt: skip


@pytest.mark.parametrize("words", WESTERN)
def test_western_letters_are_not_taken_for_others(tmp_path, words):
    rows = "\n".join(["t,x", *(f"{[words, 'Ulm'][i % 2]},{x}" for i, x in enumerate(X))])
    table = read(tmp_path / "t.csv", rows.encode("cp1252"))
    assert words in table.schema.columns[0].labels


@pytest.mark.parametrize("word", ["così fa", "Ýmir", "þórr", "5 m³", "3±1", "£5m", "¿Qué?", "1½"])
def test_western_letters_and_signs_are_not(tmp_path, word):
    rows = "\n".join(["t,x", *(f"{[word, 'Ulm'][i % 2]},{x}" for i, x in enumerate(X))])
    table = read(tmp_path / "t.csv", rows.encode("cp1252"))
    assert word in table.schema.columns[0].labels
    assert any(f"such as {word.split()[0]!r}" in n for n in table.notes) or not word.isalpha()


def test_tables_that_are_drawn(tmp_path):
    plain = read(
        tmp_path / "p.csv", "\n".join(["a,b", *(f"{x},u{i % 2}" for i, x in enumerate(X))])
    )
    of_database = [" a | b ", "---+---", *(f" {x} | u{i % 2} " for i, x in enumerate(X))]
    of_markdown = ["| a | b |", "|---|:-:|", *(f"| {x} | u{i % 2} |" for i, x in enumerate(X))]
    for lines in ([*of_database, "(40 rows)", ""], of_markdown):
        table = read(tmp_path / "t.txt", "\n".join(lines))
        np.testing.assert_array_equal(table.x, plain.x)
        assert table.columns == ["a", "b"]
        assert "line 2, which is drawn, is left out" in table.notes


def test_a_first_row_of_missing_values_is_none_that_is_drawn(tmp_path):
    rows = ["-,u", *(f"{x},v" for x in X), "1.5,u"]
    assert len(read(tmp_path / "t.csv", "\n".join(["a,b", *rows]), missing=["-"]).x) == 42


def test_crosses_in_some_rows_are_no_constant(tmp_path):
    rows = [f"{'X' if i % 3 else ''},{x}" for i, x in enumerate(X)]
    table = read(tmp_path / "t.csv", "\n".join(["done,x", *rows]))
    assert table.columns == ["x"]
    nearly = [f"{'X' if i != 3 else ''},{x}" for i, x in enumerate(X)]
    assert (
        read(tmp_path / "t.csv", "\n".join(["done,x", *nearly])).schema.columns[0].kind
        == "constant"
    )

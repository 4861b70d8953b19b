"""Tables as people have them: how countries and programs write them, their truth, and the check.

What a file must give is made beside its text, by other code than the reader's: numbers, dates,
labels, and which columns are left out. Then the table is written again, and must be as it was.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

import npvae as nv
from npvae import tables
from npvae.cli.arguments import column_kinds, texts

N = 60
NBSP, NARROW = "\u00a0", "\u202f"


@dataclass
class Locale:
    name: str
    decimal: str
    group: str
    day: str
    money: str
    percent: str
    delimiter: str
    encoding: str
    end: str
    word: str  # with a letter that ASCII does not have
    order: str  # of days and months
    months: tuple  # their names
    scale: tuple  # how often

    def number(self, value, decimals=2):
        text = f"{value:,.{decimals}f}"
        return text.replace(",", "_").replace(".", self.decimal).replace("_", self.group)

    def numbers(self, values, decimals=2):
        return [self.number(value, decimals) for value in values]

    def date(self, value):
        return value.strftime(self.day)


MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "ch": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
}
OFTEN = {
    "en": ("never", "rarely", "sometimes", "often", "always"),
    "de": ("nie", "selten", "manchmal", "oft", "immer"),
    "fr": ("jamais", "rarement", "parfois", "souvent", "toujours"),
}
LOCALES = [
    Locale("american", ".", ",", "%m/%d/%Y", "${}", "{}%", ",", "utf-8-sig", "\r\n", "café",
           "mdy", tuple(MONTHS["en"].upper().split()), OFTEN["en"]),
    Locale("german", ",", ".", "%d.%m.%Y", "{} €", "{} %", ";", "cp1252", "\r\n", "Größe",
           "dmy", tuple(MONTHS["de"].split()), OFTEN["de"]),
    Locale("french", ",", NARROW, "%d/%m/%Y", f"{{}}{NBSP}€", f"{{}}{NBSP}%", "\t", "utf-16", "\n",
           "âge", "dmy", tuple(MONTHS["fr"].split()), OFTEN["fr"]),
    Locale("swiss", ".", "'", "%d.%m.%Y", "CHF {}", "{}%", ";", "latin-1", "\r", "Zürich",
           "dmy", tuple(MONTHS["ch"].split()), OFTEN["de"]),
]  # fmt: skip


@dataclass
class File:
    """A column's texts by its name, and what it must become: its numbers, its labels, or None."""

    texts: dict = field(default_factory=dict)
    truth: dict = field(default_factory=dict)
    kinds: dict = field(default_factory=dict)
    before: str = ""  # lines above the names
    units: list = field(default_factory=list)  # a row below the names
    after: str = ""  # lines below the rows
    after_row: str = ""  # what every line ends with
    nameless: str = ""
    options: dict = field(default_factory=dict)
    same: bool = True  # whether the written table has the same text
    names: dict = field(default_factory=dict)  # what columns are called in the file, if not so
    notes: list = field(default_factory=list)  # words that the notes must have
    advised: bool = False  # whether it is read only with what the error says

    def add(self, name, kind, texts, truth=None):
        self.texts[name], self.kinds[name], self.truth[name] = list(texts), kind, truth

    def text(self, locale):
        out = io.StringIO(newline="")
        out.write(self.before)
        writer = csv.writer(
            out, delimiter=locale.delimiter, lineterminator=self.after_row + locale.end
        )
        names = ["" if name == self.nameless else name for name in self.texts]
        writer.writerow([self.names.get(name, name) for name in names])
        writer.writerows([self.units] if self.units else [])
        writer.writerows(zip(*self.texts.values(), strict=True))
        return out.getvalue() + self.after


def days(rng, n=N):
    return [date(2024, 1, 1) + timedelta(int(i)) for i in rng.integers(0, 700, n)]


def ordinals(values):
    return [value.toordinal() for value in values]


def check(f, locale, path):
    """Write a file, read it and compare it with its truth; write what was read and compare that."""
    path.write_bytes(f.text(locale).encode(locale.encoding))
    table, advice = read_as_the_error_says(path, f.options, locale)
    assert bool(advice) == f.advised, advice
    schema = table.schema
    assert {c.name: c.kind for c in schema.columns} == {
        n: k for n, k in f.kinds.items() if k not in (None, "label")
    }
    assert set(schema.skipped) == {
        "index" if n == f.nameless else n for n, k in f.kinds.items() if k is None
    }
    assert schema.label == next((n for n, k in f.kinds.items() if k == "label"), None)
    for words in f.notes:
        assert any(words in note for note in table.notes), (words, table.notes)
    for j, column in enumerate(schema.modelled):
        truth = f.truth[column.name]
        if column.kind in ("category", "ordered"):
            assert [column.labels[int(v)] for v in table.x[:, j]] == list(truth)
        elif column.kind == "date":
            timed = column.format.pattern[0].lower() == "h"
            start = 0 if timed else date.fromisoformat(column.format.origin).toordinal()
            np.testing.assert_allclose(table.x[:, j] + start, truth, rtol=0, atol=1e-6)
        elif truth is not None:
            np.testing.assert_array_equal(table.x[:, j], truth)
    again = path.with_name("again.csv")
    tables.write(again, schema, table.x)
    np.testing.assert_array_equal(tables.read(again, schema=schema).x, table.x)
    if f.same:
        kept = {n: t for n, t in f.texts.items() if f.kinds[n] not in (None, "label")}
        assert again.read_bytes() == File(kept).text(locale).encode(locale.encoding)


def read_as_the_error_says(path, options, locale):
    """A table, read as it is or with the one option that the error names, and that option."""
    try:
        return tables.read(path, **options), []
    except nv.DataError as error:
        advice = advised(str(error), locale)
        if not advice:
            raise
        return tables.read(path, **{**options, **dict(advice[:1])}), advice


def advised(message, locale):
    """The options that a message names, as the command line takes them.

    Of two ways to read a cell, it is the one that who wrote the file knows.
    """
    words = [word.strip(",.;") for word in split(message)]
    found = []
    for i, word in enumerate(words):
        if word == "--columns":
            found.append(("columns", column_kinds(words[i + 1])))
        elif word.startswith("--missing-cells="):
            found.append(("missing", texts(word.partition("=")[2])))
    known = {
        f"date:{locale.order}",
        f"number:decimal-{'comma' if locale.decimal == ',' else 'point'}",
    }
    return [one for one in found if one[0] == "columns" and known & {*one[1].values()}] or found


def split(message):
    """The words of a message as a shell parts them, from its first option on."""
    start = re.search(r"(?<!')--(columns |missing-cells=)", message)
    return shlex.split(message[start.start() :]) if start else []

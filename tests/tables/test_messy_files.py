"""Ten files as people have them, each as three countries and programs write it, and their truth.

What a file must give is made beside its text, by other code than the reader's: numbers, dates,
labels, and which columns are left out. Then the table is written again, and must be as it was.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest

import npvae as nv
from npvae import tables

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

    def number(self, value, decimals=2):
        text = f"{value:,.{decimals}f}"
        return text.replace(",", "_").replace(".", self.decimal).replace("_", self.group)

    def numbers(self, values, decimals=2):
        return [self.number(value, decimals) for value in values]

    def date(self, value):
        return value.strftime(self.day)


LOCALES = [
    Locale("american", ".", ",", "%m/%d/%Y", "${}", "{}%", ",", "utf-8-sig", "\r\n", "café"),
    Locale("german", ",", ".", "%d.%m.%Y", "{} €", "{} %", ";", "cp1252", "\r\n", "Größe"),
    Locale("french", ",", NARROW, "%d/%m/%Y", f"{{}}{NBSP}€", f"{{}}{NBSP}%", "\t", "utf-16", "\n",
           "âge"),
    Locale("swiss", ".", "'", "%d.%m.%Y", "CHF {}", "{}%", ";", "latin-1", "\r", "Zürich"),
]  # fmt: skip


@dataclass
class File:
    """A column's texts by its name, and what it must become: its numbers, its labels, or None."""

    texts: dict = field(default_factory=dict)
    truth: dict = field(default_factory=dict)
    kinds: dict = field(default_factory=dict)
    before: str = ""  # lines above the names
    after_row: str = ""  # what every line ends with
    nameless: str = ""
    options: dict = field(default_factory=dict)
    same: bool = True  # whether the written table has the same text

    def add(self, name, kind, texts, truth=None):
        self.texts[name], self.kinds[name], self.truth[name] = list(texts), kind, truth

    def text(self, locale):
        out = io.StringIO(newline="")
        out.write(self.before)
        writer = csv.writer(
            out, delimiter=locale.delimiter, lineterminator=self.after_row + locale.end
        )
        writer.writerow(["" if name == self.nameless else name for name in self.texts])
        writer.writerows(zip(*self.texts.values(), strict=True))
        return out.getvalue()


def days(rng, n=N):
    return [date(2024, 1, 1) + timedelta(int(i)) for i in rng.integers(0, 700, n)]


def ordinals(values):
    return [value.toordinal() for value in values]


def sales(at, rng):
    f, when, sums = File(), days(rng), np.round(rng.gamma(2, 900, N), 2)
    f.add("id", None, [str(123456789012345678 + 7 * i) for i in range(N)])
    f.add("date", "date", map(at.date, when), ordinals(when))
    f.add("sum", "number", map(at.money.format, at.numbers(sums)), sums)
    f.add("pieces", "count", [str(i) for i in rng.poisson(4, N)])
    region = rng.choice(["Nord", "Süd", "Ost"], N)
    f.add("region", "category", region, region)
    f.add("remark", None, [f"please deliver order no. {i % 43} before noon" for i in range(N)])
    return f


def patients(at, rng):
    f, weight = File(), np.round(rng.normal(70, 12, N), 1)
    f.add("zip", "category", z := rng.choice(["01067", "1067", "00100", "20095"], N), z)
    f.add(at.word, "number", at.numbers(weight, 1), weight)
    gaps = rng.random(N) < 0.2
    dose = np.where(gaps, np.nan, np.round(rng.normal(5, 1, N), 2))
    f.add("dose", "number", ["-" if v != v else at.number(v) for v in dose], dose)
    born = days(rng)
    f.add("born", "date", map(at.date, born), ordinals(born))
    f.add("smoker", "flag", rng.choice(["yes", "no"], N))
    f.options, f.same = {"missing": ["-"]}, False
    return f


def spectra(at, rng):
    f = File()
    for wave in range(400, 412, 2):
        values = np.round(rng.normal(0.5, 0.1, N), 3)
        f.add(str(wave), "number", at.numbers(values, 3), values)
    return f


def sensors(at, rng):
    f = File()
    zone = timezone(timedelta(hours=1))
    when = [datetime(2024, 3, 1, 6, tzinfo=zone) + timedelta(minutes=17 * i) for i in range(N)]
    truth = [w.timestamp() / 86_400 + 719_163 for w in when]
    f.add("time", "date", [w.isoformat(timespec="seconds") for w in when], truth)
    flow = [f"{v:.3e}" for v in rng.gamma(2, 1e-5, N)]
    f.add("flow", "number", [v.replace(".", at.decimal).replace("e", "E") for v in flow],
          list(map(float, flow)))  # fmt: skip
    humid = np.round(rng.uniform(5, 99, N), 1)
    f.add("humidity", "number", map(at.percent.format, at.numbers(humid, 1)), humid)
    drift = np.round(rng.normal(0, 2, N), 2)
    f.add("drift", "number", [("+" if v > 0 else "") + at.number(v) for v in drift], drift)
    return f


def accounts(at, rng):
    f, balance = File(), np.round(rng.normal(0, 9000, N), 2)
    text = [at.number(abs(v)) for v in balance]
    text = [f"({t})" if v < 0 else t for t, v in zip(text, balance, strict=True)]
    f.add("balance", "number", text, balance)
    f.add("account", "category", a := rng.choice(["0012", "012", "12"], N), a)
    f.add("version", "category", v := rng.choice(["1.1", "1.10", "1.2"], N), v)
    f.add("hash", "category", h := rng.choice(["0e12", "0e7", "00"], N), h)
    turnover = rng.integers(900, 30_000, N)
    f.add("turnover", "number", at.numbers(turnover, 0), turnover)
    return f


def survey(at, rng):
    f, age = File(), np.round(rng.normal(40, 12, N), 1)
    f.add("age", "number", at.numbers(age, 1), age)
    answers = ["never", "seldom", "often", "alwäys"]
    f.add("answer", "category", a := rng.choice(answers, N), a)
    f.add("opinion", None, [f'Line {i},\n"quoted"; and\tmore' for i in range(N)])
    when = days(rng)
    f.add("on", "date", [w.isoformat() for w in when], ordinals(when))
    return f


def r_export(at, rng):
    f, size = File(nameless="row"), np.round(rng.normal(20, 5, N), 2)
    f.add("row", None, [f"Mazda {i}" for i in range(N)])
    f.add("size", "number", at.numbers(size), size)
    f.add("ok", "flag", rng.choice(["TRUE", "FALSE"], N))
    continent = rng.choice(["NA", "EU", "AS"], N)
    f.add("continent", "category", continent, continent)
    f.options = {"columns": {"continent": "category"}}
    return f


def excel_export(at, rng):
    f, price = File(), np.round(rng.gamma(2, 700, N), 2)
    f.before, f.after_row = f"sep={at.delimiter}{at.end}", at.delimiter
    f.add(f"{at.word} (m²)", "number", at.numbers(price), price)
    f.add("kind", "category", k := rng.choice(["ä", "b", "ç"], N), k)
    when = [datetime(2024, 1, 5, 8) + timedelta(minutes=1000 * i) for i in range(N)]
    truth = [w.toordinal() + w.hour / 24 + w.minute / 1440 for w in when]
    f.add("start", "date", [w.strftime(f"{at.day} %I:%M %p") for w in when], truth)
    f.same = False  # the delimiters at the ends of lines
    return f


def with_comments(at, rng):
    f = File(before=f'# exported by a "device{at.end}#{at.end}# units: mm, °C{at.end}')
    for name in ("length", "width"):
        values = np.round(rng.normal(1500, 400, N), 1)
        f.add(name, "number", at.numbers(values, 1), values)
    f.add("state", "flag", rng.choice(["on", "off"], N))
    f.same = False  # the comments
    return f


def shipments(at, rng):
    f, when = File(), days(rng)
    f.add("left", "date", [w.strftime("%d %b %Y") for w in when], ordinals(when))
    minutes = rng.integers(0, 1440, N)
    f.add("at", "date", [f"{m // 60:02d}:{m % 60:02d}" for m in minutes], minutes / 1440)
    f.add("note", None, ["x" * (1_000_000 if i == 3 else 9 + i) for i in range(N)])
    port = rng.choice(["Málaga", "Orléans", "Ulm"], N)
    f.add("port", "category", port, port)
    weight = np.round(rng.normal(30_000, 9000, N), 1)
    f.add("weight", "number", at.numbers(weight, 1), weight)
    return f


FILES = [
    sales, patients, spectra, sensors, accounts, survey, r_export, excel_export, with_comments,
    shipments,
]  # fmt: skip


@pytest.mark.parametrize("locale", LOCALES, ids=lambda at: at.name)
@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_a_messy_file(make, locale, tmp_path):
    f = make(locale, np.random.default_rng(5))
    path = tmp_path / "t.csv"
    path.write_bytes(f.text(locale).encode(locale.encoding))
    table = read_as_the_error_says(path, f.options)
    schema = table.schema
    assert {c.name: c.kind for c in schema.columns} == {n: k for n, k in f.kinds.items() if k}
    assert set(schema.skipped) == {
        "index" if n == f.nameless else n for n, k in f.kinds.items() if k is None
    }
    for j, column in enumerate(schema.modelled):
        truth = f.truth[column.name]
        if column.kind == "category":
            assert [column.labels[int(v)] for v in table.x[:, j]] == list(truth)
        elif column.kind == "date":
            start = 0 if column.format.pattern == "HH:mm" else date.fromisoformat(
                column.format.origin).toordinal()  # fmt: skip
            np.testing.assert_allclose(table.x[:, j] + start, truth, rtol=0, atol=1e-6)
        elif truth is not None:
            np.testing.assert_array_equal(table.x[:, j], truth)
    tables.write(tmp_path / "u.csv", schema, table.x)
    again = tables.read(tmp_path / "u.csv", schema=schema)
    np.testing.assert_array_equal(again.x, table.x)
    if f.same:
        kept = {n: t for n, t in f.texts.items() if f.kinds[n]}
        assert (tmp_path / "u.csv").read_bytes() == File(kept).text(locale).encode(locale.encoding)


def read_as_the_error_says(path, options):
    """Read a table, if need be with the one option that the error names."""
    try:
        return tables.read(path, **options)
    except nv.DataError as error:
        said = re.search(r"--columns (\S+)=((?:date|number):[a-z-]+)", str(error))
        if said is None:
            raise
        return tables.read(path, **options, columns={said[1]: said[2]})

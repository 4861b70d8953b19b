"""Ten files as people have them, each as four countries and programs write it, and their truth."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from messy import LOCALES, File, N, check, days, ordinals


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
    f.advised, f.same = True, False
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


@pytest.mark.smoke
@pytest.mark.parametrize("locale", LOCALES, ids=lambda at: at.name)
@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_a_messy_file(make, locale, tmp_path):
    check(make(locale, np.random.default_rng(5)), locale, tmp_path / "t.csv")

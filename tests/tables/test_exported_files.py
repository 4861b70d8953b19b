"""Ten more files, as banks, clinics, shops and programs export them: with all that is around."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest
from messy import LOCALES, NBSP, File, N, check, days, ordinals


def bank_statement(at, rng):
    """Lines above the names, two columns of one name, a balance in words below."""
    f = File(same=False, notes=["above the table", "below the table", "'currency (2)'"])
    mark, end = at.delimiter, at.end
    f.before = f"Statement{mark}{at.word}{end}IBAN{mark}DE12 3456{end}{end}"
    when = sorted(days(rng))
    f.add("booked", "date", map(at.date, when), ordinals(when))
    f.add("text", "category", t := rng.choice(["Lastschrift", "Dépôt", "ATM"], N), t)
    f.add("purpose", None, [f"Invoice {i}, {at.word}" for i in range(N)])
    amount = np.round(rng.normal(0, 5000, N), 2)
    f.add("amount", "number", at.numbers(amount), amount)
    f.add("currency", "constant", ["EUR"] * N)
    balance = np.round(10_000 + np.cumsum(amount), 2)
    f.add("balance", "number", at.numbers(balance), balance)
    f.add("currency (2)", "constant", ["EUR"] * N)
    f.names = {"currency (2)": "currency"}
    f.after = f"{end}Printed by the bank, without signature{end}"
    return f


def lab_results(at, rng):
    """Values below what can be measured, units below the names, gaps in several words."""
    f = File(same=False, advised=True, notes=["units such as 'mg/l'"])
    f.add("patient", None, [f"P{i:05d}" for i in range(N)])
    crp = np.where(rng.random(N) < 0.2, np.nan, np.round(rng.gamma(2, 8, N), 1))
    odd = iter(["<0.3", "n.d.", "-"] * N)
    f.add("CRP", "number", [next(odd) if v != v else at.number(v, 1) for v in crp], crp)
    platelets = np.where(rng.random(N) < 0.1, np.nan, rng.integers(1000, 400_000, N))
    gaps = iter(["NA", "#N/A", ""] * N)
    f.add("platelets", "number",
          [next(gaps) if v != v else at.number(v, 0) for v in platelets], platelets)  # fmt: skip
    f.add("sex", "category", s := rng.choice(["m", "w", "d"], N), s)
    when = [datetime(2023, 5, 1, 7) + timedelta(minutes=977 * i) for i in range(N)]
    f.add("taken", "date", [w.strftime(f"{at.day} %H:%M") for w in when],
          [w.toordinal() + w.hour / 24 + w.minute / 1440 for w in when])  # fmt: skip
    f.units = ["", "mg/l", "/µl", "", ""]
    return f


def orders(at, rng):
    """Money with signs, shares, rests of a pivot table: a total and empty rows at the end."""
    f = File(same=False, notes=["below the table"])
    f.add("order", None, [f"#{2024_0000 + 37 * i}" for i in range(N)])
    when = days(rng)
    f.add("day", "date", [f"{w.day:02d} {at.months[w.month - 1]} {w.year}" for w in when],
          ordinals(when))  # fmt: skip
    net = np.round(rng.normal(300, 900, N), 2)
    f.add("net", "number", [at.money.format(t) for t in at.numbers(net)], net)
    off = np.round(rng.uniform(0, 30, N), 1)
    f.add("discount", "number", map(at.percent.format, at.numbers(off, 1)), off)
    f.add("sku", "category", s := rng.choice(["007", "7", "1.10", "1.1", "0e12"], N), s)
    f.add("gift", "flag", rng.choice(["ja", "nein"], N))
    mark = at.delimiter
    total = at.money.format(at.number(net.sum()))
    total = f'"{total}"' if mark in total else total
    f.after = f"Total{mark}{mark}{total}{3 * mark}{at.end}{5 * mark}{at.end}"
    return f


def likert_survey(at, rng):
    """Answers on scales, questions as names, remarks with quotes and line ends."""
    f = File()
    f.add("No.", None, [str(i) for i in range(1, N + 1)])
    often = rng.choice(at.scale, N)
    f.add(f"How often do you go to the {at.word}, if at all?", "ordered", often, often)
    f.add("satisfaction", "ordered", s := rng.choice(["1", "2", "3", "4", "5"], N), s)
    f.options = {"columns": {"satisfaction": "ordered"}}
    ages = rng.choice(["18-29", "30-49", "50+"], N)
    f.add("age group", "ordered", ages, ages)
    f.add("remark", None, [f'No. {i}: "fine",\n{at.word}; but\tlate' for i in range(N)])
    hours = np.round(rng.gamma(2, 9, N), 1)
    f.add("hours", "number", at.numbers(hours, 1), hours)
    return f


def sensor_log(at, rng):
    """Times with zones' names and parts of seconds, units in the cells, comments, a gap."""
    f = File(before=f"# device 7, {at.word}{at.end}", same=False)
    zone = timezone(timedelta(hours=1))
    when = [datetime(2024, 1, 3, 6, tzinfo=zone) + timedelta(seconds=37.25 * i) for i in range(N)]
    text = [f"{w:%Y-%m-%d %H:%M:%S}.{w.microsecond // 10_000:02d} CET" for w in when]
    f.add("time", "date", text, [w.timestamp() / 86_400 + 719_163 for w in when])
    degrees = np.round(rng.normal(-2, 5, N), 1)
    f.add("temperature", "number", [f"{t} °C" for t in at.numbers(degrees, 1)], degrees)
    rate = [f"{v:.2e}" for v in rng.gamma(2, 1e-6, N)]
    f.add("rate", "number", [v.replace(".", at.decimal) for v in rate], list(map(float, rate)))
    f.add("state", "flag", rng.choice(["ON", "OFF"], N))
    gain = np.where(np.arange(N) % 9 == 4, np.nan, rng.integers(1500, 9000, N))
    f.add("gain", "number", ["NaN" if v != v else at.number(v, 0) for v in gain], gain)
    return f


def spectra(at, rng):
    """Wavelengths as names, with decimal marks, beside a label of the sample."""
    f = File()
    f.add("label", "label", rng.choice(["grün", "rot"], N))
    for i in range(8):
        values = np.round(rng.normal(0.5, 0.1, N), 4)
        f.add(at.number(700.5 + 2 * i, 1), "number", at.numbers(values, 4), values)
    return f


def real_estate(at, rng):
    """Prices in thousands, floor areas with a unit, years, postcodes, an empty column."""
    f = File()
    price = rng.integers(90_000, 2_000_000, N)
    f.add("price", "number", [at.money.format(at.number(v, 0)) for v in price], price)
    area = np.round(rng.normal(90, 30, N), 1)
    f.add("area", "number", [f"{t} m²" for t in at.numbers(area, 1)], area)
    f.add(
        "built", "number", y := [str(v) for v in rng.integers(1950, 2024, N)], list(map(float, y))
    )
    f.add("postcode", "category", z := rng.choice(["01067", "1067", "80331"], N), z)
    f.add("garage", None, [""] * N)
    f.add("text", None, [f"{at.word}: bright, {i} minutes to the station" for i in range(N)])
    return f


def staff(at, rng):
    """Births with years of two figures, negative amounts in parentheses, the names again."""
    f = File(same=False, notes=["the names again"])
    f.add("name", None, [f"Müller, {chr(65 + i % 26)}. {i}" for i in range(N)])
    born = [date(1948, 2, 3) + timedelta(311 * i) for i in range(N)]
    f.add("born", "date", [w.strftime(at.day.replace("Y", "y")) for w in born], ordinals(born))
    pay = np.round(rng.normal(200, 3000, N), 2)
    text = [f"({at.number(-v)})" if v < 0 else at.number(v) for v in pay]
    f.add("pay", "number", text, pay)
    f.add("grade", "category", g := rng.choice(["2-", "2", "3+"], N), g)
    f.add("left", "flag", rng.choice(["yes", "no"], N))
    f.after = at.delimiter.join(f.texts) + at.end
    return f


def exam(at, rng):
    """A title above empty cells, points as decimals, marks, minuses behind, times of the day."""
    f = File(same=False, notes=["above the table"])
    f.before = f"Exam {at.word}{5 * at.delimiter}{at.end}{5 * at.delimiter}{at.end}"
    f.add("seat", None, [f"A-{i:03d}" for i in range(N)])
    points = np.round(rng.normal(0, 1200, N), 1)
    text = [f"{at.number(abs(v), 1)}{'-' if v < 0 else ''}" for v in points]
    f.add("points", "number", text, points)
    f.add("mark", "ordered", m := rng.choice(["A", "A-", "B+", "B"], N), m)
    minutes = rng.integers(480, 700, N)
    f.add("handed in", "date", [f"{m // 60}:{m % 60:02d}" for m in minutes], minutes / 1440)
    f.add("passed", "flag", rng.choice(["TRUE", "FALSE"], N))
    f.add("country", "category", c := rng.choice(["NA", "DE", "None"], N), c)
    f.options = {"columns": {"country": "category"}}
    return f


def r_table(at, rng):
    """As write.table writes: all text in quotes, row names without a name of their column."""
    f = File(nameless="row", advised=at.decimal == "," or at.delimiter == ";")
    f.add("row", None, [f"Mazda {i}" for i in range(N)])
    f.add("weight", "number", at.numbers(w := np.round(rng.normal(3, 1, N), 3), 3), w)
    when = days(rng)
    f.add("day", "date", [w.isoformat() for w in when], ordinals(when))
    f.add("cyl", "category", c := rng.choice(["4", "6", "8"], N), c)
    f.add("note", "category", t := rng.choice([f"a{NBSP}b", "c d", 'say "x"'], N), t)
    return f


FILES = [
    bank_statement, lab_results, orders, likert_survey, sensor_log, spectra, real_estate, staff,
    exam, r_table,
]  # fmt: skip


@pytest.mark.smoke
@pytest.mark.parametrize("locale", LOCALES, ids=lambda at: at.name)
@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_an_exported_file(make, locale, tmp_path):
    check(make(locale, np.random.default_rng(11)), locale, tmp_path / "t.csv")

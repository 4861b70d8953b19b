"""How numbers and dates are written: recognised, read, and written back as they were."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta, timezone

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from npvae.datasets.numerals import are_plain, holds, is_plain
from npvae.tables.formats import Ambiguous, DateFormat, NumberFormat, dates_as, numbers_as, reading
from npvae.tables.formats.names import month_of

NBSP, NARROW = "\u00a0", "\u202f"
MARKS = [
    (".", ""), (".", ","), (".", "'"), (".", "’"), (".", " "), (".", NBSP),
    (",", ""), (",", "."), (",", " "), (",", NBSP), (",", NARROW), (",", "'"),
]  # fmt: skip
SIGNS = [
    ("{}", "-{}"), ("{}", "−{}"), ("{}", "({})"), ("+{}", "-{}"),
    ("${}", "-${}"), ("${}", "$-{}"), ("${}", "(${})"), ("{} €", "-{} €"),
    (f"{{}}{NBSP}€", f"-{{}}{NBSP}€"),
    ("£ {}", "-£ {}"), ("{}%", "-{}%"), ("{} %", "-{} %"), ("{}‰", "-{}‰"), ("USD {}", "USD -{}"),
    ("{} kr", "-{} kr"), ("CHF {}", "-CHF {}"), ("R$ {}", "-R$ {}"), ("₹{}", "-₹{}"),
    ("{} zł", "({} zł)"),
]  # fmt: skip
number_formats = st.builds(
    lambda marks, signs: NumberFormat(*marks, *signs),
    st.sampled_from(MARKS),
    st.sampled_from(SIGNS),
)
numbers = st.floats(-1e9, 1e9, allow_nan=False)


@given(number_formats, numbers, st.integers(0, 6))
@settings(deadline=None, derandomize=True)
def test_a_number_that_is_written_is_read(form, number, decimals):
    text = form.write(number, decimals)
    assert form.parse(text) == round(number, decimals)
    assert form.write(form.parse(text), decimals) == text


@given(number_formats, st.lists(numbers, min_size=3, max_size=9, unique=True), st.integers(0, 4))
@settings(deadline=None, derandomize=True)
def test_a_format_is_recognised_by_what_it_writes(form, values, decimals):
    texts = list(dict.fromkeys(form.write(value, decimals) for value in values))
    counts = np.ones(len(texts), int)
    try:
        found = numbers_as(texts, counts)
    except Ambiguous:
        found = numbers_as(texts, counts, form.decimal)
    # Points that part thousands in every number could be decimal marks: the table's other columns
    # decide that, where there are such.
    assume(not (form.group == "." and decimals == 0 and found.decimal == "."))
    assert [found.parse(text) for text in texts] == [form.parse(text) for text in texts]
    assert [found.write(found.parse(text), decimals) for text in texts] == texts


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["34,166.50", "-1.25"], [34166.5, -1.25]),
        (["34.166,50", "-1,25"], [34166.5, -1.25]),
        (["34 166,50", "1,25"], [34166.5, 1.25]),
        ([f"34{NBSP}166,50", f"1{NARROW}000,25"], [34166.5, 1000.25]),
        (["34'166.50", "34’166.50"], [34166.5, 34166.5]),
        (["12,34,567.5", "99.0"], [1234567.5, 99]),
        (["1.234.567", "12"], [1234567, 12]),
        (["0,512", "1,234"], [0.512, 1.234]),
        (["94,075.0", "12,345.0"], [94075, 12345]),
        (["($1,200.50)", "$3.00"], [-1200.5, 3]),
        (["−5 %", "12 %"], [-5, 12]),
        (["+0.5", "-0.25", "0.0"], [0.5, -0.25, 0]),
        (["1.50E+03", "2.25E-10"], [1500, 2.25e-10]),
        (["1,5e3", "2,25e-10"], [1500, 2.25e-10]),
        (["Rs.500", "Rs.1,200.5"], [500, 1200.5]),
        (["$(2,505.68)", "$833.63", "($1.50)"], [-2505.68, 833.63, -1.5]),
        (["(5.25) €", "(1.50 €)", "3.00 €"], [-5.25, -1.5, 3]),
        (["10,77 €/kg", "9,50 €/kg"], [10.77, 9.5]),
        (["$8.28/h", "$12.50/h"], [8.28, 12.5]),
        ([".5", "1.25"], [0.5, 1.25]),
    ],
)
def test_numbers(texts, expected):
    form = numbers_as(texts, np.ones(len(texts), int))
    assert [form.parse(text) for text in texts] == expected


@pytest.mark.parametrize(
    "text",
    ["TL1", "2-", "3+", "1.2.10", "007", "12,34", "1,2,3", "$5 €", "--5", "A5", "5 apples",
     "1 234,5,6", "0,123,456", "f(7)", "(5)(", "$5/x", "5 a/b", "$/5", "$007", "", "(5", "1e",
     "9" * 70],
)  # fmt: skip
def test_text_that_is_no_number(text):
    with pytest.raises(ValueError):  # noqa: PT011 (what it raises; the column says why)
        NumberFormat(group=",", positive="${}").parse(text)


def test_pairs_of_numbers_are_no_number():
    with pytest.raises(ValueError):  # noqa: PT011 (for whoever looks at the column)
        numbers_as(["47.33, 7.76"], [1]).parse("47.33, 7.76")


@pytest.mark.parametrize("texts", [["94,075", "12,345"], ["1,234"], ["1,234", "5.678"]])
def test_commas_that_can_mean_both_are_asked_for(texts):
    counts = np.ones(len(texts), int)
    with pytest.raises(Ambiguous) as caught:
        numbers_as(texts, counts)
    assert caught.value.args == ("decimal-comma", "decimal-point")
    assert numbers_as(texts, counts, ",").parse("1,234") == 1.234
    assert numbers_as(texts, counts, ".").parse("1,234") == 1234


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.1", True),
        ("123456789012345", True),
        ("123456789012345678", False),
        ("100000000000000000", True),
        ("9" * 30, False),
        (f"{0.1:.18e}", True),
        (f"{1 / 3:.20f}", True),
        ("0.33333333333333333333", False),
        ("-0.03807590643342411", True),
    ],
)
def test_what_a_float_holds(text, exact):
    assert holds(text) is exact
    assert is_plain(text) is exact
    assert are_plain([text, "1"]) is exact


@pytest.mark.parametrize("text", ["007", "-01", "0e12", "00", "1_0", "0.0e5", "x", ""])
def test_codes_are_no_plain_numbers(text):
    assert not is_plain(text)
    assert not are_plain(["1", text])


@pytest.mark.parametrize("text", ["0", "-0.0", "1e-5", "0.000e+00", "+5", ".5", "5.", "12.50"])
def test_plain_numbers(text):
    assert is_plain(text)
    assert are_plain(["1", text])


DATES = [
    "yyyy-MM-dd", "yyyy/MM/dd", "yyyy.MM.dd", "dd.MM.yyyy", "d.M.yyyy", "dd/MM/yyyy", "MM/dd/yyyy",
    "M/d/yyyy", "dd-MM-yyyy", "dd.MM.yy", "MM/dd/yy", "dd MMM yyyy", "d MMMM yyyy", "MMM d, yyyy",
    "dd-MMM-yyyy",
]  # fmt: skip
TIMES = ["", " HH:mm", " H:mm", "THH:mm:ss", " HH:mm:ss.SSS", " h:mm A", " hh:mma", ", HH:mm:ss"]
ZONES = ["", "Z", "XXX", " XX", " 'UTC'"]
patterns = st.builds(
    lambda day, time, zone: (day + time + (zone if time else ""), bool(time and zone), zone),
    st.sampled_from(DATES), st.sampled_from(TIMES), st.sampled_from(ZONES),
)  # fmt: skip
days = st.floats(0, 20_000, allow_nan=False)


@given(patterns, days, st.sampled_from([60, -330, 0]))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_a_date_that_is_written_is_read(pattern, number, zone):
    pattern, has_zone, how = pattern
    zone = zone if "X" in how else 0
    form = DateFormat(pattern, "1970-01-01", zone if has_zone else None)
    text = form.write(number)
    assert form.write(form.parse(text)) == text
    step = 1 if not form.has_time else 1 / 86_400 if "s" in pattern else 1 / 1440
    assert abs(form.parse(text) - number) <= step / 2 + 1e-9 + (0.5 if step == 1 else 0)


@given(patterns, st.lists(days, min_size=8, max_size=12, unique=True))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_pattern_is_recognised_by_what_it_writes(pattern, values):
    pattern, has_zone, how = pattern
    form = DateFormat(pattern, "1970-01-01", (90 if "X" in how else 0) if has_zone else None)
    texts = list(dict.fromkeys(form.write(value) for value in values))
    try:
        found = dates_as(texts)
    except Ambiguous:
        found = dates_as(texts, "mdy" if pattern.startswith(("M/", "MM/")) else "dmy")
    assert [found.write(found.parse(text)) for text in texts] == texts
    assert [found.moment(found.parse(text)) for text in texts] == [
        form.moment(form.parse(text)) for text in texts
    ]


@pytest.mark.parametrize(
    ("texts", "pattern", "moment"),
    [
        (["2024-01-31"], "yyyy-MM-dd", date(2024, 1, 31)),
        (["31.12.2024", "1.2.2024"], "d.M.yyyy", date(2024, 12, 31)),
        (["12/31/2024", "01/02/2024"], "MM/dd/yyyy", date(2024, 12, 31)),
        (["31/12/2024", "01/02/2024"], "dd/MM/yyyy", date(2024, 12, 31)),
        (["31/12/69", "31/12/68"], "dd/MM/yy", date(1969, 12, 31)),
        (["12/31/2024 5:07 PM"], "MM/dd/yyyy h:mm A", datetime(2024, 12, 31, 17, 7)),
        (["12/31/2024 12:00 am"], "MM/dd/yyyy hh:mm a", datetime(2024, 12, 31)),
        (["2024-01-31T05:06:07Z"], "yyyy-MM-ddTHH:mm:ssZ",
         datetime(2024, 1, 31, 5, 6, 7, tzinfo=timezone.utc)),
        (["2024-01-31 05:06:07.25+01:00"], "yyyy-MM-dd HH:mm:ss.SSXXX",
         datetime(2024, 1, 31, 5, 6, 7, 250_000, timezone(timedelta(hours=1)))),
        (["5:30", "12:30"], "H:mm", time(5, 30)),
        (["5 January 2024"], "d MMMM yyyy", date(2024, 1, 5)),
    ],
)  # fmt: skip
def test_dates(texts, pattern, moment):
    form = dates_as(texts)
    assert form.pattern == pattern
    assert form.moment(form.parse(texts[0])) == moment


def test_days_that_can_be_months_are_asked_for():
    with pytest.raises(Ambiguous) as caught:
        dates_as(["01/02/2024", "12/12/2024"])
    assert caught.value.args == ("dmy", "mdy")
    assert dates_as(["01/02/2024"], "mdy").moment(0) == date(2024, 1, 2)
    assert dates_as(["01.02.2024"]).moment(0) == date(2024, 2, 1)


def test_summer_time_is_one_hour_and_not_one_day_off():
    form = dates_as(["2024-03-31T01:30+01:00", "2024-03-31T03:30+02:00"])
    first, second = (form.parse(t) for t in ("2024-03-31T01:30+01:00", "2024-03-31T03:30+02:00"))
    assert second - first == pytest.approx(1 / 24)


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "1.2.10", "10:75", "25:00", "13:00 PM", "2024-13-01", "2024-1", "2024-13",
         "Foo 2024", "2024Q5", "2024-03 10:00", "2024年13月1日", "1024-03",
     "12.30", "05:00-05:00", "0001-01-01T00:00+14:00", "2024-01-01T00:00+15:00",
     "5. Foo 2024", "2024-01-01x", "", "31.12.2024 ", "2024-01-01T"],
)  # fmt: skip
def test_text_that_is_no_date(text):
    assert reading(text, "dmy") is None


def test_days_beyond_the_calendar_are_its_ends():
    form = DateFormat("yyyy-MM-dd HH:mm", "2024-01-01", 0)
    assert form.write(1e9).startswith("9999-12")
    assert (
        DateFormat("yyyy-MM-dd").write(DateFormat("yyyy-MM-dd").parse("9999-12-31")) == "9999-12-31"
    )
    assert form.write(-1e9).startswith("0001-01")
    assert DateFormat("HH:mm").write(7.0) == "23:59"
    assert DateFormat("HH:mm").write(-1.0) == "00:00"


@pytest.mark.parametrize("pattern", ["", "MM", "yyyy", "YYYY", "HH", "foo"])
def test_patterns_that_are_none(pattern):
    with pytest.raises(ValueError):  # noqa: PT011 (a config that the schema refuses)
        DateFormat(pattern)


@pytest.mark.parametrize(
    ("texts", "pattern", "moments"),
    [
        (["31 DEC 2024", "01 SEP 2023"], "dd MMM yyyy", ["2024-12-31", "2023-09-01"]),
        (["31-DEC-24", "01-MAY-23"], "dd-MMM-yy", ["2024-12-31", "2023-05-01"]),
        (["31dec2024", "01may2023"], "ddMMMyyyy", ["2024-12-31", "2023-05-01"]),
        (["1. März 2023", "31. Dezember 2024"], "d. MMMM yyyy", ["2023-03-01", "2024-12-31"]),
        (["2 Mrz 2023", "1 Okt 2024"], "d MMM yyyy", ["2023-03-02", "2024-10-01"]),
        (["2 févr. 2023", "1 août 2024"], "d MMM yyyy", ["2023-02-02", "2024-08-01"]),
        (["2 de enero de 2023"], "d' de 'MMMM' de 'yyyy", ["2023-01-02"]),
        (["20241231", "19991231"], "yyyyMMdd", ["2024-12-31", "1999-12-31"]),
        (["24/12/31", "23/02/01", "20/03/15"], "yy/MM/dd", ["2024-12-31", "2023-02-01"]),
        (["31/12/45", "01/02/99", "03/04/03"], "dd/MM/yy", ["1945-12-31", "1999-02-01"]),
        (["12/31/45", "12/01/99"], "MM/dd/yy", ["1945-12-31", "1999-12-01"]),
        (["31.12.24", "01.02.99"], "dd.MM.yy", ["2024-12-31", "1999-02-01"]),
        (["31/Dec/2024:10:05:06 +0000"], "dd/MMM/yyyy:HH:mm:ss XX", ["2024-12-31 10:05:06+00:00"]),
        (["2024-12-31 10:05:06,250"], "yyyy-MM-dd HH:mm:ss,SSS", ["2024-12-31 10:05:06.250000"]),
        (["2024-01-02 10:00 CET", "2024-07-02 10:00 CEST", "2024-02-02 10:00 CET"],
         "yyyy-MM-dd HH:mm 'CET'", ["2024-01-02 10:00:00+01:00", "2024-07-02 09:00:00+01:00"]),
        (["1:05 p.m.", "11:20 a.m."], "h:mm b", ["13:05:00", "11:20:00"]),
        (["1:05\u202fPM", "11:20\u202fAM"], "h:mm\u202fA", ["13:05:00", "11:20:00"]),
        (["2024-02", "2023-12"], "yyyy-MM", ["2024-02-01", "2023-12-01"]),
        (["2024/02", "2023/12"], "yyyy/MM", ["2024-02-01", "2023-12-01"]),
        (["Feb 2024", "Dec 2023"], "MMM yyyy", ["2024-02-01", "2023-12-01"]),
        (["Februar 2024", "März 2023"], "MMMM yyyy", ["2024-02-01", "2023-03-01"]),
        (["2024Q1", "2023Q4"], "yyyy'Q'Q", ["2024-01-01", "2023-10-01"]),
        (["Q2 2024", "Q3 2023"], "'Q'Q' 'yyyy", ["2024-04-01", "2023-07-01"]),
        (["Thu, 23 Apr 2020", "Sun, 02 Jan 2022"], "EEE, dd MMM yyyy",
         ["2020-04-23", "2022-01-02"]),
        (["Sunday, May 30, 2021", "Tuesday, September 7, 2021"], "EEEE, MMMM d, yyyy",
         ["2021-05-30", "2021-09-07"]),
        (["Mo 03.04.2023", "Di 04.04.2023", "Do 06.04.2023"], "EEE dd.MM.yyyy",
         ["2023-04-03", "2023-04-04", "2023-04-06"]),
        (["lundi 3 avril 2023", "dimanche 9 avril 2023"], "EEEE d MMMM yyyy",
         ["2023-04-03", "2023-04-09"]),
        (["Sat 03/04/2023", "Sun 01/01/2023"], "EEE MM/dd/yyyy", ["2023-03-04", "2023-01-01"]),
        (["Mon 03/04/2023", "Sun 01/01/2023"], "EEE dd/MM/yyyy", ["2023-04-03", "2023-01-01"]),
        (["2024-W29", "2020-W53"], "YYYY'-W'ww", ["2024-07-15", "2020-12-28"]),
        (["2024-W01-1", "2020-W53-7"], "YYYY'-W'ww-u", ["2024-01-01", "2021-01-03"]),
        (["Jun-20", "Jan-99"], "MMM-yy", ["2020-06-01", "1999-01-01"]),
        (["07/2020", "12/1999"], "MM/yyyy", ["2020-07-01", "1999-12-01"]),
        (["7.2020", "12.1999"], "M.yyyy", ["2020-07-01", "1999-12-01"]),
        (["20221014000704", "19991231235959"], "yyyyMMddHHmmss",
         ["2022-10-14 00:07:04", "1999-12-31 23:59:59"]),
        (["20221014T000704Z", "19991231T235959Z"], "yyyyMMdd'T'HHmmssZ",
         ["2022-10-14 00:07:04+00:00"]),
        (["1st May 2024", "22nd August 2023", "13th May 2022"], "do MMMM yyyy",
         ["2024-05-01", "2023-08-22", "2022-05-13"]),
        (["May 3rd, 2024", "April 11th, 2023"], "MMMM do, yyyy", ["2024-05-03", "2023-04-11"]),
        (["1er juin 2024", "12 août 2023"], "de MMM yyyy", ["2024-06-01", "2023-08-12"]),
        (["15:16 Uhr", "09:05 Uhr"], "HH:mm' Uhr'", ["15:16:00", "09:05:00"]),
        (["20 maja 2020", "3 października 2021"], "d MMMM yyyy", ["2020-05-20", "2021-10-03"]),
        (["20 мая 2020", "3 октября 2021"], "d MMMM yyyy", ["2020-05-20", "2021-10-03"]),
        (["2024年2月29日", "2023年12月1日"], "yyyy'年'M'月'd'日'", ["2024-02-29", "2023-12-01"]),
    ],
)  # fmt: skip
def test_dates_of_all_kinds(texts, pattern, moments):
    form = dates_as(texts)
    assert form.pattern == pattern
    assert [str(form.moment(form.parse(text))) for text in texts[: len(moments)]] == moments
    again = DateFormat(**json.loads(json.dumps(form.config)))
    written = [again.write(again.parse(text)) for text in texts]
    assert written == [text if "CEST" not in text else "2024-07-02 09:00 CET" for text in texts]


def test_months_that_a_column_does_not_have_are_in_its_language_and_spelling():
    for texts, written in [
        (["31 DEC 2024"], "01 MAY 2024"),
        (["31. Dezember 2024", "01. März 2024"], "01. Mai 2024"),
        (["31 DÉC. 2024", "01 MARS 2024"], "01 MAI 2024"),
        (["31 déc. 2024"], "01 mai 2024"),
    ]:
        form = dates_as(texts)
        assert form.write(form.parse(texts[0]) - 244) == written
    assert month_of("Juil.") == 7
    assert month_of("FEVR") == 2
    with pytest.raises(KeyError):
        month_of("jui")  # June or July


@pytest.mark.parametrize(
    ("texts", "first", "other"),
    [
        (["2024-W29", "2020-W53"], "2024-07-15", "2024-07-16"),
        (["2024-02", "2023-12"], "2024-02-01", "2024-02-02"),
        (["Q2 2024", "Q3 2023"], "2024-04-01", "2024-05-01"),
        (["Jun-20", "Jan-99"], "2020-06-01", "2020-06-30"),
    ],
)
def test_the_first_day_of_a_part_of_the_year_is_the_part(texts, first, other):
    """As it stands in workbooks and data frames."""
    form = dates_as(texts)
    assert form.parse(first) == form.parse(texts[0])
    with pytest.raises(ValueError):  # noqa: PT011 (the column says more)
        form.parse(other)


def test_a_weekday_that_is_not_the_date_s_is_no_date():
    assert reading("Mon, 23 Apr 2020") is None
    assert reading("Thu, 23 Apr 2020") is not None
    assert reading("Monday 12:30") is None


@pytest.mark.parametrize("text", ["Model 20", "2024-W54", "13/2020", "0.2020", "20221014240000"])
def test_texts_that_only_look_like_months_weeks_and_times(text):
    assert reading(text) is None


@pytest.mark.parametrize(
    ("texts", "ways"),
    [
        (["01/02/03", "04/05/06"], ("dmy", "mdy", "ymd")),
        (["01-02-03", "29-12-24"], ("dmy", "ymd")),
    ],
)
def test_years_of_two_figures_that_can_be_days_are_asked_for(texts, ways):
    with pytest.raises(Ambiguous) as caught:
        dates_as(texts)
    assert caught.value.args == ways
    assert str(dates_as(texts, "ymd").moment(0)) == "2001-02-03"


@pytest.mark.parametrize("text", ["1,234.50-", "3.25-", "−1,234.50", "-1,234.50"])
def test_a_minus_may_stand_behind_money(text):
    form = numbers_as([text, "1,000.25"], np.ones(2, int))
    assert form.parse(text) == -float(text.strip("-−").replace(",", ""))
    assert form.write(form.parse(text), 2) == text


@pytest.mark.parametrize("names", [["Jan"], ["x"] * 13, [1] * 12])
def test_names_of_months_that_are_none(names):
    with pytest.raises((ValueError, TypeError)):
        DateFormat("d MMM yyyy", names=names).write(0)

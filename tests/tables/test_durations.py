"""Durations, which may be longer than a day: numbers of days inside, and as they were outside."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import npvae as nv
from npvae import tables
from npvae.tables.formats import Ambiguous, DurationFormat, certain, durations_as, length

N = 60
DAY, HOUR, MINUTE = 86400, 3600, 60
COLUMNS = {
    "of a spreadsheet": (["36:15:00", "12:30:05", "100:00:59"], [130500, 45005, 360059]),
    "of pandas": (
        ["1 days 02:00:00", "0 days 12:15:00", "-1 days +22:30:00", "9 days 00:00:01"],
        [93600, 44100, -5400, 9 * DAY + 1],
    ),
    "of Python": (
        ["1 day, 2:00:00", "12:00:05", "2 days, 3:04:05", "-1 day, 22:30:00"],
        [93600, 43205, 2 * DAY + 11045, -5400],
    ),
    "of a database": (["1 day 02:00:00", "02:00:00", "3 days 00:00:01"], [93600, 7200, 259201]),
    "of SQL": (["1 12:15:00", "0 01:02:03"], [130500, 3723]),
    "of .NET": (["1.12:15:00", "0.01:02:03"], [130500, 3723]),
    "in letters": (["2h 30m", "45m", "1h", "12h 5m"], [9000, 2700, 3600, 43500]),
    "in short words": (["45 min", "1 h 20 min"], [2700, 4800]),
    "in words": (["1 hour 5 minutes", "2 hours 1 minute"], [3900, 7260]),
    "in German": (["3 Tage", "1 Tag", "10 Tage"], [3 * DAY, DAY, 10 * DAY]),
    "in French": (["2h30", "36h05"], [9000, 129900]),
    "of a pregnancy": (["12w3d", "40w0d"], [87 * DAY, 280 * DAY]),
    "of ISO 8601": (["P1DT12H15M", "PT2H", "PT30S", "P1DT1S"], [130500, 7200, 30, DAY + 1]),
    "with parts of a second": (["PT1.5S", "PT2S"], [1.5, 2]),
    "of a race": (["59:48", "1:02:33", "9:05"], [3588, 3753, 545]),
    "of a swimmer": (["1:02.35", "0:58.31"], [62.35, 58.31]),
    "of a film": (["00:00:00,500", "25:00:01,250"], [0.5, 90001.25]),
    "behind the first": (["+0:00:00", "+25:12:03", "-1:00:00"], [0, 90723, -3600]),
    "below zero": (["-1:30:00", "26:00:00"], [-5400, 93600]),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_durations_are_read_and_written(kind):
    texts, seconds = COLUMNS[kind]
    assert certain(texts)
    form = durations_as(texts)
    assert [form.parse(text) * DAY for text in texts] == pytest.approx(seconds, abs=1e-6)
    assert [form.moment(form.parse(text)).total_seconds() for text in texts] == seconds
    assert [form.write(form.parse(text)) for text in texts] == texts
    again = DurationFormat(**form.config)
    assert again.config == form.config
    assert [again.write(second / DAY) for second in seconds] == texts


@given(st.sampled_from(list(COLUMNS)), st.lists(st.integers(0, 10**7), min_size=3, max_size=9))
@settings(deadline=None, derandomize=True)
def test_what_a_format_writes_it_reads(kind, seconds):
    form = durations_as(COLUMNS[kind][0])
    for second in seconds:
        written = form.write(second / DAY)
        number = form.parse(written)
        assert form.write(number) == written
        assert form.moment(number) == form.moment(second / DAY)


@pytest.mark.parametrize(
    "text",
    ["36:75:00", "36:15:60", "3 mon", "1 year", "P1Y", "P", "PT", "5", "007", "h", "", "1 02:30",
     "30 Feb", "2-3", "5 mg", "1:2:3", "1.5:30:00", "9" * 70],
)  # fmt: skip
def test_text_that_is_no_duration(text):
    assert length(text) is None
    with pytest.raises(ValueError):  # noqa: PT011
        DurationFormat("H:mm:ss").parse(text)


@pytest.mark.parametrize("texts", [["12:30:00", "23:59:59"], ["36:15", "12:30"], ["5 min"], ["5"]])
def test_texts_that_can_be_something_else(texts):
    assert not certain(texts)


def test_two_figures_that_can_mean_both_are_asked_for():
    with pytest.raises(Ambiguous) as caught:
        durations_as(["36:15", "12:30"])
    assert caught.value.args == ("hm", "ms")
    assert durations_as(["36:15"], "hm").parse("36:15") * 24 == 36.25
    assert durations_as(["36:15"], "ms").parse("36:15") * 24 * 60 == pytest.approx(36.25)


@pytest.mark.parametrize(
    "pattern", ["", "x", "mm:HH", "H:mm:H", "'P'", "HH.SS", "yyyy", "H" * 70, "s.SSSSSSSSSS"]
)
def test_patterns_that_are_none(pattern):
    with pytest.raises(ValueError, match="no duration is written as"):
        DurationFormat(pattern)


def hours(n=N):
    """Different durations of up to sixty hours, in seconds, one of them more than a day's."""
    rng = np.random.default_rng(5)
    return [130500, *(rng.integers(600, 216_000, n - 1)).tolist()]


def clock(seconds):
    return f"{seconds // HOUR}:{seconds // MINUTE % 60:02d}:{seconds % 60:02d}"


@pytest.fixture
def written(tmp_path):
    """Writes a column beside one of numbers, and gives the table's path."""

    def call(cells):
        path = tmp_path / "t.csv"
        lines = [f"{cell};{i % 9},5" for i, cell in enumerate(cells)]
        path.write_text("\n".join(["took;b", *lines, ""]), encoding="utf-8")
        return path

    return call


def test_a_column_of_durations(written, tmp_path):
    path = written(map(clock, hours()))
    table = tables.read(path)
    column = table.schema.columns[0]
    assert (column.kind, column.modelled_as) == ("duration", "number")
    np.testing.assert_allclose(table.x[:, 0] * DAY, hours(), rtol=1e-12)
    assert table.schema.rows(table.x)[0]["took"] == timedelta(hours=36, minutes=15)
    assert column.marginal.step * DAY == pytest.approx(1)
    tables.write(tmp_path / "again.csv", table.schema, table.x)
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()
    again = tables.Schema.of(table.schema.config)
    assert again == table.schema
    assert again.columns[0].number(timedelta(hours=36)) == 1.5


def test_a_cell_that_is_none(written):
    with pytest.raises(nv.DataError) as caught:
        tables.read(written([*map(clock, hours()), "36:75:00"]))
    said = str(caught.value)
    assert f"line {N + 2}, column 'took': every known cell must hold a duration" in said
    assert "got '36:75:00'" in said
    assert "--missing-cells=36:75:00" in said


def test_times_of_the_day_among_which_one_is_none(written):
    times = [f"{i % 24:02d}:{i:02d}" for i in range(20)]
    path = written([*times, "36:15"])
    with pytest.raises(nv.DataError) as caught:
        tables.read(path)
    assert "If they are durations, say --columns took=duration:hm (hours and minutes)" in str(
        caught.value
    )
    table = tables.read(path, columns={"took": "duration:hm"})
    assert table.x[-1, 0] * 24 == 36.25
    assert table.schema.cells(table.x)[-1][0] == "36:15"
    with pytest.raises(nv.DataError, match="two figures can be hours and minutes or minutes and"):
        tables.read(path, columns={"took": "duration"})


def test_minutes_and_seconds_that_are_not_said(written):
    path = written([f"{24 + i}:{59 - i % 60:02d}" for i in range(N)])
    assert any("took=duration:ms (minutes and seconds)" in note for note in tables.read(path).notes)
    table = tables.read(path, columns={"took": "duration:ms"})
    assert table.schema.rows(table.x[:1])[0]["took"] == timedelta(minutes=24, seconds=59)


@pytest.mark.parametrize("words", [["60 minutes", "1 hour", "2 hours"], ["PT90M", "PT1H30M"]])
def test_texts_that_mean_the_same_stay_codes(written, words):
    schema = tables.read(written(words * (N // len(words)))).schema
    assert schema.columns[0].kind == "category"
    assert set(schema.columns[0].labels) == set(words)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library):
    frames = pytest.importorskip(library)
    values = [timedelta(seconds=s, microseconds=250_000) for s in hours()]
    values[3] = None
    frame = frames.DataFrame({"took": values, "b": np.arange(N) / 8})
    if library == "pandas":
        frame["took"] = frames.to_timedelta(frame["took"])
    table = tables.read(frame)
    assert table.schema.columns[0].kind == "duration"
    assert table.x[0, 0] * DAY == pytest.approx(130500.25)
    assert np.isnan(table.x[3, 0])
    again = table.schema.frame(table.x, like=frame)
    assert again.equals(frame)
    assert table.schema.frame(table.x, library)["took"].to_list()[:3] == values[:3]


def test_durations_of_less_than_a_day_in_a_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"took": pandas.to_timedelta(np.arange(N) * 600, "s")})
    table = tables.read(frame)
    assert table.schema.columns[0].kind == "duration"
    np.testing.assert_allclose(table.x[:, 0] * 144, np.arange(N))
    assert not any("read as" in note for note in table.notes)


@pytest.mark.parametrize(("suffix", "package"), [(".xlsx", "openpyxl"), (".parquet", "pyarrow")])
def test_sheets(written, tmp_path, suffix, package):
    pytest.importorskip(package)
    table = tables.read(written(map(clock, hours())))
    tables.write(tmp_path / f"t{suffix}", table.schema, table.x)
    again = tables.read(tmp_path / f"t{suffix}")
    assert again.schema.columns[0].kind == "duration"
    np.testing.assert_allclose(again.x[:, 0], table.x[:, 0], rtol=1e-9)

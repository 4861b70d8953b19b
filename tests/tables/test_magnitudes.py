"""Thousands, millions and more behind numbers: read where the whole column agrees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import npvae as nv
from npvae import tables
from npvae.tables.formats import Ambiguous, NumberFormat, number_format, numbers_as

NBSP = "\u00a0"
COLUMNS = {
    "views": (["1.2M", "45.3K", "873", "3M", "12K"], [1.2e6, 45300, 873, 3e6, 12000]),
    "players": (["€3.50m", "€900k", "€12.00m"], [3.5e6, 9e5, 12e6]),
    "companies": (["$1.2 billion", "$950 million"], [1.2e9, 9.5e8]),
    "German": (["3,5 Mio. €", "-12,0 Mio. €"], [3.5e6, -12e6]),
    "French": ([f"3,5{NBSP}Md{NBSP}€", f"12,1{NBSP}Md{NBSP}€"], [3.5e9, 1.21e10]),
    "states": (["1.2bn", "3.4bn", "1,200.5bn"], [1.2e9, 3.4e9, 1.2005e12]),
    "funds": (["($1.5M)", "$2.0M"], [-1.5e6, 2e6]),
    "Chinese": (["3.4万", "1.2億", "870"], [34000, 1.2e8, 870]),
    "Indian": (["₹ 3.4 crore", "₹ 12.0 crore"], [3.4e7, 1.2e8]),
    "salaries": (["45k", "52k", "61k"], [45000, 52000, 61000]),
    "resistors": (["4.7k", "1M", "870"], [4700, 1e6, 870]),
    "budgets": (["12.5k EUR", "0.5k EUR"], [12500, 500]),
    "prices": (["US$3.4m", "US$12.0m"], [3.4e6, 1.2e7]),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_sizes_are_read_and_written(kind):
    texts, numbers = COLUMNS[kind]
    form = numbers_as(texts, np.ones(len(texts), int))
    assert [form.parse(text) for text in texts] == numbers
    assert [form.write(number, None) for number in numbers] == texts
    assert [form.nearest(number) for number in numbers] == numbers
    assert number_format(form.config) == form


@given(st.sampled_from(sorted(COLUMNS)), st.floats(1, 1e13))
@settings(deadline=None, derandomize=True)
def test_what_is_written_is_the_nearest_number(kind, number):
    texts, _ = COLUMNS[kind]
    form = numbers_as(texts, np.ones(len(texts), int))
    nearest = form.nearest(number)
    assert form.parse(form.write(number, None)) == nearest
    assert form.write(nearest, None) == form.write(number, None)
    one = [m for m in form.magnitudes if m.power == 0 or 10.0**m.power <= nearest]
    one = (one or form.magnitudes)[-1 if one else 0]
    assert abs(nearest - number) <= 0.51 * 10.0 ** (one.power - one.decimals) + 1e-9 * number


@pytest.mark.parametrize(
    "text", ["5 m", "3 km", "2 kg", "9.5 M", "5M2", "M5", "12kk", "3 apples", "4K TV", "1e3k", "k"]
)
def test_what_is_no_size(text):
    with pytest.raises(ValueError):  # noqa: PT011
        numbers_as(["1.2M", "45.3K"], np.ones(2, int)).parse(text)


def test_metres_are_metres():
    form = numbers_as(["3.4m", "12.5m"], np.ones(2, int))
    assert (form.unit, form.magnitudes, form.parse("3.4m")) == ("m", (), 3.4)


def test_commas_that_can_mean_both_are_asked_for():
    with pytest.raises(Ambiguous):
        numbers_as(["1,234k", "2,345k"], np.ones(2, int))
    assert numbers_as(["1,234k"], np.ones(1, int), ",").parse("1,234k") == 1234


@pytest.mark.parametrize(
    "magnitudes",
    [[["k", 4, 1, True]], [["x", 3, 1, True]], [["", 0, 1, True]], [["k", 3, 99, False]],
     [["M", 6, 1, True], ["k", 3, 1, True]], [["k", 3]], 5],
)  # fmt: skip
def test_magnitudes_that_are_none(magnitudes):
    with pytest.raises((TypeError, ValueError)):
        number_format({"magnitudes": magnitudes})


@pytest.fixture
def table(tmp_path):
    """Reads a column beside one of numbers."""

    def call(cells, **options):
        path = tmp_path / "t.csv"
        lines = [f"{cell};{i % 9 + 0.5}" for i, cell in enumerate(cells)]
        path.write_text("\n".join(["a;b", *lines, ""]), encoding="utf-8")
        return tables.read(path, **options)

    return call


def test_a_column_of_sizes(table, tmp_path):
    numbers = np.exp(np.random.default_rng(0).normal(10, 3, 80))
    form = NumberFormat(magnitudes=numbers_as(["1.2M", "4K", "873"], np.ones(3, int)).magnitudes)
    read = table([form.write(float(number), None) for number in numbers])
    column = read.schema.columns[0]
    assert column.kind == "number"
    np.testing.assert_allclose(read.x[:, 0], numbers, rtol=0.5, atol=1)
    assert any("is read as" in note and "in 'a'" in note for note in read.notes)
    tables.write(tmp_path / "again.csv", read.schema, read.x)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()
    assert tables.Schema.of(read.schema.config) == read.schema
    assert read.schema.rows([[3_412_345.6, 1]])[0]["a"] == 3.4e6
    assert read.schema.cells([[3_412_345.6, 1]])[0][0] == "3.4M"


CODES = {
    "sizes": ["5M", "10M", "15M"],
    "sizes with words": ["S", "M", "5M"],
    "shoes": ["9.5 M", "10 M", "8.5 W"],
    "races": ["5K", "10K", "42K"],
    "screens": ["4K", "8K", "2K"],
    "engines": ["1.5T", "2.0T", "1.0T"],
    "houses": [f"{i}B" for i in range(1, 31)],
    "classes": [f"{i}{letter}" for i in range(1, 13) for letter in "BKM"],
    "the same twice": ["1000K", "1M", "1.0M", "2.5M"],
    "not all": [*(f"{i / 10}M" for i in range(11, 40)), "about 5M"],
}


@pytest.mark.parametrize("kind", CODES)
def test_codes_stay_codes(table, kind):
    """In no case are two texts one number; those that come again and again are labels."""
    codes = CODES[kind]
    schema = table(codes * 6).schema
    assert schema.columns[0].kind == "category"
    assert set(schema.columns[0].labels) == set(codes)


def test_codes_that_are_said_to_be_numbers(table):
    read = table(["1000K", "1M", "1.0M", "2.5M", "12"] * 6, columns={"a": "number"})
    assert read.x[:5, 0].tolist() == [1e6, 1e6, 1e6, 2.5e6, 12]
    with pytest.raises(nv.DataError, match="line 2, column 'a': every known cell must hold a num"):
        table(["M5", "1M", "2M"] * 9, columns={"a": "number"})

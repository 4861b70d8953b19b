"""What errors advise, followed to the letter: the table is read, and no known cell is lost."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from messy import LOCALES, advised

import npvae as nv
from npvae import tables

N = 60
RNG = np.random.default_rng(4)
NUMBERS = [f"{v:.2f}" for v in RNG.normal(50, 9, N)]
DATES = [f"{i % 28 + 1:02d}.{i % 12 + 1:02d}.2024" for i in range(N)]


def with_odd(cells, *odd):
    cells = list(cells)
    for i, text in enumerate(odd):
        cells[7 * i + 3] = text
    return cells


COLUMNS = {
    "one word": with_odd(NUMBERS, "-"),
    "words and NA": with_odd(NUMBERS, "n.d.", "NA", "--", "#N/A", "<0.1", ">99"),
    "commas, quotes and blanks": with_odd(NUMBERS, 'about "5"', "5, about", "it's 5", "$x"),
    "like an option": with_odd(NUMBERS, "--columns", "-99a"),
    "code": with_odd(NUMBERS, "007"),
    "many": with_odd(NUMBERS, "1 ca", "2 ca", "3 ca", "4 ca", "5 ca", "6 ca", "7 ca", "8 ca"),
    "long": with_odd(NUMBERS, "x" * 50),
    "two units": with_odd([f"{n} kg" for n in NUMBERS], "7 g"),
    "money": with_odd([f"${n}" for n in NUMBERS], "€7.00"),
    "dates": with_odd(DATES, "soon", "31.02.2024"),
    "ambiguous dates": [f"{i % 12 + 1:02d}/{i % 11 + 1:02d}/2024" for i in range(N)],
    "ambiguous years": [f"{i % 12 + 1:02d}/{i % 11 + 1:02d}/{i % 12 + 10}" for i in range(N)],
    "ambiguous marks": [f"{i + 3},{i * 37 % 1000:03d}" for i in range(N)],
    "ambiguous points": [f"{i + 3}.{i * 37 % 1000:03d}" for i in range(N)],
    "infinite": with_odd(NUMBERS, "inf"),
    "two infinite": with_odd(NUMBERS, "inf", "1e999", "-inf"),
}
MISSING = {"NA", "#N/A"}
NAMES = ["x", "a b", "Größe (m²)", "it's", "a,b=c", "$x"]


@pytest.mark.parametrize("case", COLUMNS)
def test_each_option_that_an_error_names_mends_it_and_loses_no_known_cell(case, tmp_path):
    name = NAMES[list(COLUMNS).index(case) % len(NAMES)]
    cells = COLUMNS[case]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";")
    writer.writerows([[name, "kind"], *zip(cells, ["a", "b"] * 30, strict=True)])
    path = tmp_path / "t.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    with pytest.raises(nv.DataError) as caught:
        tables.read(path)
    message = str(caught.value)
    assert f"column {name!r}" in message
    assert "t.csv', line " in message
    options = [one for locale in LOCALES[:2] for one in advised(message, locale)]
    assert options
    for option, value in options:
        table = tables.read(path, **{option: value})
        column, values = table.schema.columns[0], table.x[:, 0]
        unknown = {""} if column.kind == "category" else {*(table.schema.missing or MISSING), ""}
        assert column.name == name
        for cell, value in zip(cells, values, strict=True):
            assert np.isnan(value) == (cell in unknown)
            if column.kind == "category":
                assert column.text(value) == cell
            elif cell not in unknown:
                assert column.parse(column.text(value)) == column.parse(cell) == value

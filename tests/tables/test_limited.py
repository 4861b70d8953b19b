"""Cells that say only that their number is below or above all others: <0.5, ≤3, >100, 80+."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae import tables
from npvae.tables.formats import beyond

N = 400


@pytest.fixture
def read(tmp_path):
    def read(cells, encoding="utf-8", mark=","):
        path, rng = tmp_path / "t.csv", np.random.default_rng(1)
        rows = "".join(f"{cell}{mark}{rng.integers(99)}\n" for cell in cells)
        path.write_text(f"level{mark}x\n{rows}", encoding=encoding)
        return tables.read(path)

    return read


def censored(values, low=None, high=None, decimals=1, above=">{}", below="<{}", comma=False):
    def text(v):
        if low is not None and v < low:
            return below.format(low)
        return above.format(high) if high is not None and v > high else f"{v:.{decimals}f}"

    texts = [text(v) for v in values]
    return [t.replace(".", ",") for t in texts] if comma else texts


VALUES = np.abs(np.random.default_rng(0).normal(3, 2, N))


@pytest.mark.parametrize(
    ("cells", "options", "low", "high"),
    [
        (censored(VALUES, 1.5), {}, 1.4, None),
        (censored(VALUES, 1.5, below="< {}"), {}, 1.4, None),
        (censored(VALUES, 1.5, comma=True), {"mark": ";", "encoding": "cp1252"}, 1.4, None),
        (censored(VALUES, 1.5, decimals=2), {"encoding": "utf-16"}, 1.49, None),
        (censored(VALUES, None, 4.5), {"mark": "\t"}, None, 4.6),
        (censored(10 * VALUES, 10, 50, 0), {}, 9, 51),
        (censored(10 * VALUES, None, 50, 0, above="{}+"), {}, None, 51),
        (["≥50" if v > 49.5 else f"{v:.0f}" for v in 10 * VALUES], {}, None, 50),
        ([f"{c}%" for c in censored(VALUES, 1.5)], {}, 1.4, None),
        ([f"{c} mg/l" for c in censored(VALUES, 1.5)], {}, 1.4, None),
    ],
)  # fmt: skip
def test_a_limit_is_a_number_beyond_all_others_and_is_written_as_it_was(
    read, tmp_path, cells, options, low, high
):
    table = read(cells, **options)
    column, x = table.schema.columns[0], table.x[:, 0]
    assert column.kind == "number"
    is_low = np.array([c[0] in "<" for c in cells])
    is_high = np.array([c[0] in ">≥" or c[-1] == "+" for c in cells])
    for at, number in ((is_low, low), (is_high, high)):
        assert at.any() == (number is not None)
        assert (x[at] == number).all() if number is not None else True
    assert [column.text(v) for v in x] == cells
    again = tables.Schema.of(table.schema.config).columns[0]
    assert [again.text(v) for v in x] == cells
    assert any("counts as" in note for note in table.notes)
    tables.write(tmp_path / "again.csv", table.schema, table.x)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()


def test_a_limit_has_the_probability_of_all_that_lies_beyond(read):
    """That of the censored normal, which SciPy fits to the same cells."""
    cells = censored(VALUES, 1.5)
    table = read(cells)
    marginal, x = table.schema.columns[0].marginal, table.x[:, 0]
    share = marginal.step * np.exp(marginal.log_prob(np.array([1.4])))[0]
    seen = np.array([v for v, c in zip(x, cells, strict=True) if c[0] != "<"])
    data = stats.CensoredData(uncensored=seen, left=np.full(N - len(seen), 1.5))
    mean, std = stats.norm.fit(data)
    assert share == pytest.approx(stats.norm.cdf(1.5, mean, std), abs=0.03)
    assert share == pytest.approx(1 - len(seen) / N, abs=0.01)


def test_drawn_rows_have_limits_as_often(read):
    table = read(censored(VALUES, 1.5, 5.0))
    model = nv.VAE(z_dim=2, hidden=(16,), **table.schema.options())
    nv.fit(model, table.x, epochs=20, batch_size=32, lr=3e-3)
    rows = table.schema.cells(model.sample(2000, take="draw"))
    drawn = [row[0] for row in rows]
    for text, share in (("<1.5", (VALUES < 1.5).mean()), (">5.0", (VALUES > 5).mean())):
        assert drawn.count(text) / 2000 == pytest.approx(share, abs=0.06)
    assert not any(t[0] not in "<>" and not 1.5 <= float(t) <= 5 for t in drawn)


@pytest.mark.parametrize(
    "cells",
    [
        [*censored(VALUES, 1.5), "0.3"],
        [*censored(VALUES, 1.5), "<1.0"],
        [*censored(VALUES, None, 4.5), "9.0"],
    ],
)
def test_several_limits_and_numbers_beyond_them_are_refused(read, cells):
    with pytest.raises(nv.DataError, match="there must be one such limit at either end") as error:
        read(cells)
    assert "--missing-cells=" in str(error.value)
    assert "level=category" in str(error.value)


def test_ranges_and_few_numbers_beside_a_limit_are_ordered_labels(read):
    assert read(["<18", "18-30", "31-50", ">50"] * 20).schema.columns[0].kind == "ordered"
    assert read(["0", "1", "2", "3+"] * 20).schema.columns[0].labels == ("0", "1", "2", "3+")


def test_long_texts_are_no_limits():
    assert beyond("<5") == (False, True, "5")
    assert beyond("1" * 1_000_000 + "+") is None
    assert beyond("<p>" + "1 x " * 100_000) is None

"""The detector finds what was put in, gives one score a row, and says which columns did it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import npvae as nv
from npvae.outliers import detector as module

RNG = np.random.default_rng
PENGUINS = Path(__file__).parents[2] / "examples/notebooks/penguins.csv"


def table(n=400, strange=12, seed=0):
    """Four related columns; the last rows break the relation and stay in the columns' ranges."""
    rng = RNG(seed)
    z = rng.normal(size=(n, 1))
    x = z * [1.0, -1.0, 0.5, 2.0] + 0.1 * rng.normal(size=(n, 4))
    x[-strange:, 1] *= -1
    x[-strange:, 1] += np.sign(x[-strange:, 1])
    return x * [1, 1e3, 1, 1e-3] + [0, 5e5, 0, 0]


@pytest.fixture(scope="module")
def fitted():
    x = table()
    return nv.fit_detector(x, contamination=0.03, seed=1), x


def test_rows_that_break_a_relation_are_found(fitted):
    detector, x = fitted
    scores = detector.scores(x)
    assert scores.dtype == np.float64
    assert (scores[-12:] > np.quantile(scores[:-12], 0.98)).mean() > 0.9


def test_a_rows_score_is_its_own(fitted):
    detector, x = fitted
    scores = detector.scores(x)
    order = RNG(0).permutation(len(x))
    np.testing.assert_allclose(detector.scores(x[order]), scores[order], rtol=1e-9)
    np.testing.assert_allclose(detector.scores(x[7:8]), scores[7:8], rtol=1e-9)
    np.testing.assert_array_equal(detector.train_scores, scores)


def test_the_model_to_which_a_row_is_strangest_decides(fitted):
    detector, x = fitted
    each = np.stack([nv.anomaly_scores(m, x, n_samples=4) for m in detector.models])
    each = (each - detector.usual[:, None]) / detector.spread[:, None]
    np.testing.assert_array_equal(detector.deciding(x), each.argmax(0))
    np.testing.assert_allclose(detector.scores(x), each.max(0))
    blame = detector.contributions(x[-12:], reference=x)
    for row, model, found in zip(x[-12:], detector.deciding(x[-12:]), blame, strict=True):
        own = nv.anomaly_contributions(detector.models[model], row[None], x, n_samples=4)[0]
        np.testing.assert_allclose(found, own, rtol=1e-9)


def test_as_many_rows_are_strange_as_contamination_says(fitted):
    detector, x = fitted
    assert detector.strange(x).sum() == 12
    assert detector.x_dim == 4


def test_the_broken_column_is_to_blame(fitted):
    detector, x = fitted
    blamed = detector.contributions(x[-12:], reference=x).argmax(1)
    assert np.isin(blamed, [0, 1, 2, 3]).all()
    assert (blamed == 1).mean() >= 0.5


@pytest.mark.slow
def test_same_seed_same_detector():
    x = table(60)
    one, two, other = (nv.fit_detector(x, seed=s).scores(x) for s in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.slow
def test_gaps_and_constant_columns_are_taken():
    x = table(80)
    x[RNG(0).random(x.shape) < 0.1] = np.nan
    x = np.column_stack([x, np.full(len(x), 7.0)])
    detector = nv.fit_detector(x)
    scores = detector.scores(x)
    assert np.isfinite(scores).all()
    assert (detector.contributions(x)[np.isnan(x)] == 0).all()
    odd = x[:1].copy()
    odd[0, 4] = 9.0
    assert detector.scores(odd)[0] > scores[0]


def test_a_table_of_several_kinds(tmp_path):
    rng = RNG(0)
    town = rng.choice(["Rome", "Oslo"], 200)
    rows = [f"{rng.normal(10 * (t == 'Rome')):.2f},{t}" for t in town]
    rows[-1] = "0.1,Rome"
    (tmp_path / "t.csv").write_text("degrees,town\n" + "\n".join(rows) + "\n", encoding="utf-8")
    read = nv.tables.read(tmp_path / "t.csv")
    detector = nv.fit_detector(read.x, schema=read.schema)
    assert detector.scores(read.x).argmax() == 199


def test_rows_that_weigh_nothing_are_not_learnt():
    x = table(200)
    weights = np.ones(200)
    weights[-12:] = 0
    detector = nv.fit_detector(x, weights=weights)
    assert detector.strange(x)[-12:].mean() > 0.8


def test_what_is_left_out_may_not_be_all_that_a_column_knows():
    x = np.full((20, 2), np.nan)
    x[:, 0] = np.arange(20)
    x[19, 1] = 1.0
    assert module._usual_rows(x, np.arange(20.0)).all()
    assert module._usual_rows(x[:, :1], np.arange(20.0)).sum() == 19


@pytest.mark.parametrize("n", [2, 90, 30_000, 200_000])
def test_rows_are_visited_equally_often_and_in_whole_batches(n):
    rows, epochs = module._turns((n, 4), 1000, RNG(0))
    assert len(rows) % module.BATCH == 0
    assert 980 <= len(rows) // module.BATCH * epochs <= 1000
    visits = np.bincount(rows, minlength=n)
    assert np.ptp(visits) <= 1


def test_wide_tables_are_not_repeated_in_memory():
    rows, epochs = module._turns((3_000, 5_000), 1000, RNG(0))
    assert len(rows) == 3_008
    assert epochs == 21


def test_a_species_is_not_strange_as_a_whole():
    """A fifth of the penguins are Chinstraps; far less than half of the strangest tenth are."""
    table = nv.tables.read(PENGUINS)
    lines = PENGUINS.read_text(encoding="utf-8").splitlines()
    chinstrap = np.array(["Chinstrap" in line for line in lines[1:]])
    detector = nv.fit_detector(table.x, contamination=0.1, schema=table.schema, seed=1)
    assert chinstrap[detector.strange(table.x)].mean() < 0.4


@pytest.mark.parametrize(
    ("x", "options", "said"),
    [
        (np.zeros((1, 3)), {}, r"rows \(N, D\), two or more; got shape \(1, 3\)"),
        (np.zeros(5), {}, r"got shape \(5,\)"),
        ([["a"], ["b"]], {}, "x needs numbers"),
        ([[1.0], [np.inf]], {}, "got inf in row 1, column 0"),
        (np.zeros((4, 3)), {"contamination": 0.6}, "at most 0.5; got 0.6"),
        (np.zeros((4, 3)), {"contamination": 0}, "contamination is a finite number above 0"),
        (np.zeros((4, 3)), {"seed": -1}, "seed is a whole number, 0 or more"),
    ],
)
def test_what_is_wrong_is_said(x, options, said):
    with pytest.raises(nv.NpvaeError, match=said):
        nv.fit_detector(x, **options)


def test_a_number_that_has_no_square_is_strange():
    x = table()
    x[5, 1] = 1e300
    scores = nv.fit_detector(x, most_steps=20).scores(x)
    assert scores.argmax() == 5
    assert np.isfinite(np.delete(scores, 5)).all()

"""What is said of drawn rows, against SciPy, and rows made to have a fault."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae import plots
from npvae.evaluate import classifier
from npvae.evaluate.associations import associations
from npvae.evaluate.by_column import column_distances, outside, outside_the_others
from npvae.evaluate.nearness import nearer_to_training

NAN = float("nan")


@pytest.fixture(autouse=True)
def _small_forests(monkeypatch):
    monkeypatch.setattr(classifier, "TREES", 20)


def report(rows, x, valid=None, schema=None, **more):
    """The report on a model that draws exactly these rows."""
    options = {"likelihood": "gaussian"} if schema is None else schema.options()
    model = nv.VAE(**{"x_dim": np.shape(rows)[1], "z_dim": 1, "hidden": (2,), **options})
    model.sample = lambda n, seed, context, take: np.array(rows, float)
    return nv.drawn_rows_report(model, x, valid, n=len(rows), **more)


def gaussian(n, seed, d=4):
    """Rows with correlations."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ (np.eye(d) + 0.7 * np.eye(d, k=1))


def test_distances_are_those_of_scipy_and_of_shares_by_hand():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 2)), rng.normal(0.4, 1.3, size=(60, 2)).round(1)
    x[3, 1] = NAN
    expected = [stats.ks_2samp(x[:, 0], y[:, 0]), stats.ks_2samp(np.delete(x[:, 1], 3), y[:, 1])]
    np.testing.assert_allclose(column_distances(x, y), [e.statistic for e in expected], rtol=1e-12)
    a, b = [[0], [0], [1], [NAN]], [[2], [0]]
    # Shares 2/3, 1/3, 0 and 1/2, 0, 1/2.
    words = [("p", "q", "r")]
    np.testing.assert_allclose(column_distances(a, b, words), [0.5 * (1 / 6 + 1 / 3 + 1 / 2)])
    assert np.isnan(column_distances([[NAN]], [[1.0]])).all()


def test_correlations_are_those_of_each_pair_s_known_rows():
    x = gaussian(70, 1) * [1e-9, 1, 1e6, 1]
    x[:5, 0] = x[3:9, 1] = NAN
    table = associations(x)
    for i, j in np.ndindex(4, 4):
        known = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
        expected = stats.pearsonr(x[known, i], x[known, j]).statistic
        np.testing.assert_allclose(table[i, j], expected, atol=1e-12)


def test_labels_have_cramer_s_v_and_the_correlation_ratio():
    rng = np.random.default_rng(2)
    a = rng.integers(3, size=90)
    b, y = (a + (rng.random(90) < 0.4)) % 4, 0.1 * a + rng.normal(size=90)
    table = associations(np.column_stack([a, y, b]), nominal=[0, 2])
    counts = stats.contingency.crosstab(a, b).count
    np.testing.assert_allclose(table[0, 2], stats.contingency.association(counts), rtol=1e-12)
    for labels, j in ((a, 0), (b, 2)):
        f = stats.f_oneway(*(y[labels == label] for label in np.unique(labels))).statistic
        groups = len(np.unique(labels))
        eta2 = f * (groups - 1) / (f * (groups - 1) + len(y) - groups)
        np.testing.assert_allclose(table[j, 1], np.sqrt(eta2), rtol=1e-10)
        assert table[1, j] == table[j, 1]


def test_a_constant_column_goes_with_none():
    x = np.column_stack([np.full(9, 0.1), np.arange(9), np.zeros(9), np.arange(9) % 3])
    table = associations(x, nominal=[2, 3])
    assert (table[0, 1:] == 0).all()
    assert (table[2, [0, 1, 3]] == 0).all()
    assert table[3, 1] > 0


def test_outside_is_beyond_the_least_and_the_greatest_known_value():
    x = np.array([[1.0, NAN], [3.0, 5.0], [2.0, 4.0]])
    y = np.array([[1.0, 4.5], [0.9, 4.5], [3.1, 5.1], [NAN, NAN]])
    expected = [[False, False], [True, False], [True, True], [False, False]]
    np.testing.assert_array_equal(outside(x, y), expected)
    np.testing.assert_array_equal(outside_the_others(x), [True, True, True])
    tied = np.array([[1.0], [1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(outside_the_others(tied), [False, False, False, True])


@pytest.mark.parametrize(("sizes", "d"), [((60, 60), 2), ((180, 20), 3), ((50, 10), 40)])
def test_rows_of_the_same_kind_are_as_near_to_either(sizes, d):
    found = []
    for seed in range(60):
        rows = np.random.default_rng(seed).normal(size=(100 + sum(sizes), d))
        found.append(nearer_to_training(*np.split(rows, [100, 100 + sizes[0]]), [()] * d))
    shares, errors = np.transpose(found)
    assert abs(shares.mean() - 0.5) < 4 * shares.std() / 60**0.5 + 0.02
    assert 0.75 < errors.mean() / shares.std() < 1.35, "the standard error is that of the share"


def test_nearness_by_hand():
    x, valid = np.array([[0.0, 0], [10.0, 1]]), np.array([[4.0, 0], [4.0, 1], [NAN, NAN]])
    drawn = np.array([[1.0, 0], [3.9, 1], [9.0, 0], [NAN, NAN]])
    # Widths are 9. The first is nearest to x[0]; the second to valid[1]; the third is 1/9 + 1 from
    # x[1], 1 from x[0] and 5/9 from valid[0]; the last knows nothing, so each of five has a fifth.
    weights = np.array([1.2, 0.2, 1.2, 1.2, 0.2]) / 4
    s, p = weights[:2].sum(), 2 / 5
    share, error = nearer_to_training(drawn, x, valid, [(), ("no", "yes")])
    np.testing.assert_allclose(share, (s / 2) / (s / 2 + (1 - s) / 3), rtol=1e-12)
    # Over every choice of which two of the five were trained on:
    shares = [weights[list(chosen)].sum() for chosen in combinations(range(5), 2)]
    np.testing.assert_allclose(error, np.std(shares) / (4 * p * (1 - p)), rtol=1e-12)


@pytest.mark.slow
def test_copies_of_training_rows_are_a_loss_of_privacy():
    x, valid = gaussian(300, 0), gaussian(50, 1)
    copied, fresh = report(x, x, valid), report(gaussian(300, 2), x, valid)
    assert copied.nearer_to_training == 1
    assert abs(fresh.nearer_to_training - 0.5) < 4 * fresh.nearer_to_training_se < 0.4
    assert report(x, x).nearer_to_training is None
    assert "No rows were held out" in str(report(x, x))


def test_rows_of_the_same_kind_differ_as_by_chance():
    same = report(gaussian(400, 0), gaussian(250, 1), gaussian(50, 2))
    assert abs(same.column_distance - same.column_distance_by_chance) < 0.03
    assert abs(same.association_error - same.association_error_by_chance) < 0.03
    assert abs(same.auc - 0.5) < 0.08
    assert (same.n, same.n_train, same.n_valid) == (400, 250, 50)
    assert abs(same.rows_outside - same.rows_outside_by_chance) < 0.04


def test_each_fault_shows_where_it_belongs():
    rng, x = np.random.default_rng(5), gaussian(300, 1)
    permuted = rng.permuted(gaussian(400, 0), axis=0)
    found = report(permuted, x)
    assert abs(found.column_distance - found.column_distance_by_chance) < 0.03
    assert found.association_error > 3 * found.association_error_by_chance
    assert found.auc > 0.65
    assert max(abs(pair.drawn) for pair in found.pairs) < 0.2
    first, second, data, _ = found.worst_pairs(1)[0]
    assert int(second[-1]) - int(first[-1]) == 1, "neighbours go together in the data"
    np.testing.assert_allclose(data, np.corrcoef(x.T)[int(first[-1]), int(second[-1])])

    shifted = gaussian(400, 0) + np.array([0, 0, 3, 0])
    found = report(shifted, x)
    assert found.worst_columns(1)[0][0] == "feature 2"
    ks = stats.ks_2samp(x[:, 2], shifted[:, 2]).statistic
    np.testing.assert_allclose(found.distances["feature 2"], ks)
    assert found.association_error < 2 * found.association_error_by_chance
    assert found.auc > 0.9
    np.testing.assert_allclose(found.outside["feature 2"], (shifted[:, 2] > x[:, 2].max()).mean())


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng, path = np.random.default_rng(3), tmp_path_factory.mktemp("table") / "t.csv"
    n, size = 120, np.random.default_rng(4).normal(20, 3, 120).round(1)
    day = [date(2024, 1, 1) + timedelta(int(d)) for d in rng.integers(300, size=n)]
    town = np.array(["Rome", "Oslo", "Bern"])[rng.integers(3, size=n)]
    lines = [
        f"{'' if i % 9 == 0 else s},{d:%d.%m.%Y},{t},{c},cm"
        for i, (s, d, t, c) in enumerate(zip(size, day, town, rng.poisson(2, n), strict=True))
    ]
    path.write_text("\n".join(["size,day,town,visits,unit", *lines]))
    return nv.tables.read(path)


def test_a_table_s_rows_are_compared_as_they_are_written(table):
    rows = np.array(table.x)
    rows[np.isnan(rows)] = 20.0
    off = rows + np.array([0.04, 0.4, 0, 0.4])  # less than half of a decimal, a day, a visit
    found = report(off, table.x, schema=table.schema)
    assert list(found.distances) == ["size", "day", "town", "visits"]
    assert (found.distances["day"], found.distances["town"]) == (0, 0)
    assert found.distances["visits"] == 0
    assert found.rows_outside == 0
    assert found.auc < 0.6, "gaps in the data do not tell"
    plain = json.loads(json.dumps(found.as_dict()))
    assert {"first", "second", "data", "drawn"} == set(plain["worst_pairs"][0])
    with pytest.raises(nv.DataError, match="column 'visits' can't have: a count is"):
        report(np.where([0, 0, 0, 1], 1e9, rows), table.x, schema=table.schema)
    with pytest.raises(nv.DataError, match="not finite"):
        report(rows + NAN, table.x, schema=table.schema)


@pytest.mark.parametrize("rows", [np.zeros((0, 4)), np.zeros((3, 5)), np.zeros(4)])
def test_other_data_are_refused_with_a_sentence(table, rows):
    for x, valid in ((rows, None), (table.x, rows)):
        with pytest.raises(nv.DataError, match=r"must be \(N, 4\), a row or more"):
            report(np.nan_to_num(table.x[:9]), x, valid, schema=table.schema)


def test_without_scikit_learn_the_report_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    found = report(gaussian(20, 0), gaussian(20, 1))
    assert found.auc is None
    assert "pip install scikit-learn" in str(found)


@pytest.mark.parametrize("d", [1, 400])
def test_one_column_one_row_and_many_columns(d):
    found = report(gaussian(1, 0, d), gaussian(4, 1, d), gaussian(1, 2, d))
    assert (found.association_error is None) == (d == 1)
    assert len(found.pairs) == (0 if d == 1 else 300 * 299 // 2)
    assert "it needs 5 rows" in str(found)
    json.dumps(found.as_dict(), allow_nan=False)
    plots.drawn_rows(found)


def test_the_picture_shows_the_report():
    found = report(gaussian(60, 0), gaussian(50, 1), gaussian(9, 2))
    columns, pairs, whole = plots.drawn_rows(found).axes
    worst = found.worst_columns(9)
    assert [text.get_text() for text in columns.get_yticklabels()] == [name for name, _ in worst]
    np.testing.assert_allclose([bar.get_width() for bar in columns.patches], [d for _, d in worst])
    points = [(pair.data, pair.drawn) for pair in found.pairs]
    np.testing.assert_array_equal(pairs.lines[1].get_xydata(), points)
    shown = [bars.lines[0].get_xdata()[0] for bars in whole.containers]
    assert shown == [found.auc, found.nearer_to_training]

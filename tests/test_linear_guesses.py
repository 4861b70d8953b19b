"""Linear guesses beside a model's: the conditional normal, its fit, its weight, what they mend."""

from __future__ import annotations

import json

import numpy as np
import pytest

import npvae as nv
from npvae.data.features import MOST_DEVIATIONS, coded
from npvae.data.linear import LinearGuesses, expected, fitted
from npvae.gaps import hidden as hiding
from npvae.gaps.guesses import fit_guesses

NAN = np.nan
RHO = 0.6


def of_two(**changed):
    return LinearGuesses(**{
        "columns": [0, 1], "labels": [None, None], "mean": [1.0, -2.0], "scale": [2.0, 0.5],
        "least": [-9.0, -9.0], "most": [9.0, 9.0], "covariance": [[1.0, RHO], [RHO, 1.0]],
        "weights": [0.25, 0.5],
        **changed,
    })  # fmt: skip


def correlated(n=400, seed=0):
    """Five columns that two numbers and a little noise make, linearly."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(n, 5))
    return 10 + 3 * x


def with_gaps(x, share=0.2, seed=1):
    return np.where(np.random.default_rng(seed).random(x.shape) < share, NAN, x)


def fit_linear(model, x):
    """The linear guesses that a copy of the model gets."""
    model = model.copy()
    fit_guesses(model, x)
    return model.linear


def poor(x_dim=5, **more):
    """A model that hardly knows more than the means."""
    return nv.VAE(
        x_dim, 1, hidden=(2,), likelihood="gaussian_column_scale", missing="mask",
        standardise=True, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    x = correlated()
    model = poor()
    nv.fit(model, with_gaps(x), epochs=2, threads=1)
    return model, x, with_gaps(x)


def test_guesses_are_the_conditional_normal_s():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    c = root @ root.T + 0.1 * np.eye(4)
    f = rng.normal(size=(7, 4))
    f[rng.random(f.shape) < 0.4] = NAN
    f[0], f[1] = NAN, rng.normal(size=4)  # nothing known, and all
    filled, left = expected(f, c)
    want, covariances = f.copy(), np.zeros((4, 4))
    for i, row in enumerate(f):
        m = np.isnan(row)
        gain = c[np.ix_(m, ~m)] @ np.linalg.inv(c[np.ix_(~m, ~m)])
        want[i, m] = gain @ row[~m]
        covariances[np.ix_(m, m)] += c[np.ix_(m, m)] - gain @ c[np.ix_(~m, m)]
    np.testing.assert_allclose(filled, want, rtol=1e-10)
    np.testing.assert_allclose(left, covariances, atol=1e-10)


def test_the_fit_is_the_likeliest_normal_where_that_has_a_formula():
    """Gaps in one column alone: its regression on the other, by the rows that have both."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=20_000)
    b = 1 + 0.8 * a + rng.normal(size=len(a))
    seen = a < 0.3  # so that b's own mean is far off
    slope, intercept = np.polyfit(a[seen], b[seen], 1)
    noise = np.var(b[seen] - intercept - slope * a[seen])
    mean, covariance = fitted(np.stack([a, np.where(seen, b, NAN)], axis=1))
    np.testing.assert_allclose(mean, [a.mean(), intercept + slope * a.mean()], atol=0.01)
    want = [[a.var(), slope * a.var()], [slope * a.var(), slope**2 * a.var() + noise]]
    np.testing.assert_allclose(covariance, want, atol=0.01)


def test_without_gaps_the_fit_has_the_moments_of_the_rows_and_one_row_without_correlation():
    f = np.random.default_rng(0).normal(size=(30, 3)) @ np.triu(np.ones((3, 3)))
    mean, covariance = fitted(f)
    np.testing.assert_allclose(mean, f.mean(0), rtol=1e-12)
    of_rows = np.cov(f.T, bias=True)
    want = (30 * of_rows + np.diag(np.diag(of_rows))) / 31
    np.testing.assert_allclose(covariance, want, rtol=1e-12)


def test_a_label_that_no_row_has_is_independent_of_all():
    """Of a large table some rows are looked at, and a rare label may have none of them."""
    f = np.random.default_rng(0).normal(size=(40, 3))
    f[:, 1] = -0.2
    mean, covariance = fitted(f)
    assert mean[1] == -0.2
    assert covariance[1, 1] > 0
    np.testing.assert_allclose(covariance[1, [0, 2]], 0, atol=1e-12)
    unknown = np.where([False, False, True], NAN, f)
    alone = fitted(f[:, [0, 2]])[1]
    want = expected(unknown[:, [0, 2]], alone)[0]
    np.testing.assert_allclose(expected(unknown, covariance)[0][:, [0, 2]], want, rtol=1e-10)


def test_gaps_are_moved_by_the_column_s_weight_within_the_bounds():
    x = np.array([[NAN, -1.0], [5.0, NAN], [3.0, 4.0], [NAN, NAN], [NAN, 1e9]])
    v = np.array([[0.0, -1.0], [5.0, 8.0], [3.0, 4.0], [0.0, 0.0], [0.0, 1e9]])
    far = 1 + 2 * RHO * MOST_DEVIATIONS  # and so beyond the most there was
    guesses = [[1 + 2 * RHO * 2, NAN], [NAN, -2 + 0.5 * RHO * 2], [NAN, NAN], [1, -2], [9, NAN]]
    assert far > 9
    np.testing.assert_allclose(of_two().guesses(x), guesses, rtol=1e-12)
    w = np.array([0.25, 0.5])
    want = np.where(np.isnan(guesses), v, (1 - w) * v + w * np.array(guesses))
    np.testing.assert_allclose(of_two().moved(v, x), want, rtol=1e-12)


def test_labels_say_something_and_are_not_guessed():
    linear = of_two(labels=[None, 2], mean=[0.0, 0.5], scale=[1.0, 0.5])
    x = np.array([[NAN, 2.0], [NAN, 1.0], [1.0, NAN]])
    np.testing.assert_allclose(linear.guesses(x), [[RHO, NAN], [-RHO, NAN], [NAN, NAN]])


def test_the_config_comes_back_bit_by_bit():
    linear = of_two(labels=[None, 1], weights=[1 / 3, 0.0])
    again = LinearGuesses.given(json.loads(json.dumps(linear.config)), 2)
    assert again.config == linear.config


@pytest.mark.parametrize(
    "changed",
    [{"scale": [1.0, 0.0]}, {"weights": [0.5, 1.5]}, {"weights": [NAN, 0]}, {"weights": [0.5]},
     {"mean": [0.0]}, {"least": [0, "a"]},
     {"covariance": [[1.0, 2.0], [2.0, 1.0]]}, {"covariance": [[1.0]]}, {"columns": [-1, 0]},
     {"labels": [np.inf, None]}],
)  # fmt: skip
def test_guesses_that_are_none(changed):
    with pytest.raises(nv.ConfigError, match="linear guesses have"):
        of_two(**changed)


def test_guesses_of_other_columns_are_refused():
    with pytest.raises(nv.ConfigError, match="of column 1, and there are 1"):
        poor(1, linear=of_two().config)
    for wrong in ({"columns": [0]}, 3):
        with pytest.raises(nv.ConfigError, match="linear is"):
            poor(linear=wrong)


def test_weights_are_the_least_squares_ones_of_hidden_cells(monkeypatch):
    """Around the table's, as the mean of a normal regression with a normal prior has it."""
    x = with_gaps(correlated(1200), 0.1)
    taken = {}

    def of_model(model, seen, **options):
        taken["seen"] = seen
        return np.where(np.isnan(seen), 8.0, seen)

    monkeypatch.setattr(hiding, "impute", of_model)
    linear = fit_linear(poor(), x)
    seen = taken["seen"]
    hidden = np.isnan(seen) & ~np.isnan(x)
    assert abs(hidden.sum() / (~np.isnan(x)).sum() - 0.2) < 0.02
    b, r = ((a - 8.0) / linear.scale for a in (linear.guesses(seen), x))
    of_all = np.linalg.lstsq(b[hidden][:, None], r[hidden], rcond=None)[0][0]
    assert 0.5 < of_all < 1
    for j in range(5):
        bj, rj = b[hidden[:, j], j], r[hidden[:, j], j]
        s = np.sqrt(np.mean(np.square(rj - of_all * bj)))
        design = np.append(bj / s, 1 / hiding._APART)[:, None]
        want = np.linalg.lstsq(design, np.append(rj / s, of_all / hiding._APART), rcond=None)[0][0]
        np.testing.assert_allclose(linear.weights[j], min(want, 1.0), rtol=1e-6)


def test_what_a_poor_model_fills_in_is_mended(trained):
    model, x, gaps = trained
    missing = np.isnan(gaps)
    before = np.square(nv.impute(model, gaps) - x)[missing].mean()
    mended = model.copy()
    nv.calibrate(mended, gaps)
    after = np.square(nv.impute(mended, gaps) - x)[missing].mean()
    assert mended.linear.weights.min() > 0.9
    assert after < 0.2 * before


def test_draws_medians_and_known_cells_are_as_they_were(trained):
    model, _, gaps = trained
    mended = model.copy()
    mended.linear = fit_linear(model, gaps)
    for options in ({"n_draws": 3}, {"statistic": "median"}):
        got, want = (nv.impute(m, gaps[:9], n_samples=40, **options) for m in (mended, model))
        np.testing.assert_array_equal(got, want)
    known = ~np.isnan(gaps)
    np.testing.assert_array_equal(nv.impute(mended, gaps)[known], gaps[known])


def test_a_row_is_filled_in_the_same_way_wherever_it_stands(trained, tmp_path):
    model, _, gaps = trained
    mended = model.copy()
    mended.linear = fit_linear(model, gaps)
    filled = nv.impute(mended, gaps)
    alone = np.concatenate([nv.impute(mended, gaps[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, filled[:20], rtol=1e-12)
    nv.save(mended, tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    assert again.config == mended.config
    np.testing.assert_array_equal(nv.impute(again, gaps), filled)
    twin = again.copy()
    assert twin.linear.config == mended.linear.config
    assert "linear=True" in repr(mended)


def test_models_that_get_none(trained):
    _, x, gaps = trained
    assert fit_linear(nv.VAE(5, 1, likelihood="gaussian"), x) is None  # it takes no gaps
    assert fit_linear(poor(), gaps[:19]) is None
    assert fit_linear(poor(1), gaps[:, :1]) is None
    assert fit_linear(poor(101), np.tile(gaps[:, :1], 101)) is None
    assert fit_linear(poor(), 1e300 * x) is None
    constant = np.where(np.isnan(gaps), NAN, 1.0)
    assert fit_linear(poor(), constant) is None
    scaled = nv.VAE(5, 1, likelihood="bernoulli", missing="mask", scale=255.0)
    assert fit_linear(scaled, np.full((30, 5), 7, np.uint8)) is None


def test_weights_of_nothing_are_none(monkeypatch):
    """The model's own guesses are the truth."""
    x = correlated(1200)
    monkeypatch.setattr(hiding, "impute", lambda model, seen, **options: x[: len(seen)])
    assert fit_linear(poor(), x) is None


def test_labels_are_features_and_stay_the_model_s_own():
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=300).astype(float)
    x = np.stack([label, 5 * label + rng.normal(size=300)], axis=1)
    mixed = nv.Mixed([("categorical:classes=3", (0,)), ("gaussian_column_scale", (1,))])
    model = nv.VAE(2, 1, hidden=(2,), likelihood=mixed, missing="mask", standardise=True)
    nv.fit(model, x, epochs=1, threads=1)
    linear = fit_linear(model, x)
    assert sorted(l for l in linear.config["labels"] if l is not None) == sorted(
        set(range(3)) - {int(np.bincount(label.astype(int)).argmax())}
    )
    guesses = linear.guesses(np.where([True, False], x, NAN))
    np.testing.assert_allclose(guesses[:, 1], 5 * label, atol=0.4)
    assert np.isnan(linear.guesses(np.where([False, True], x, NAN))).all()


def test_codes_are_nan_where_a_cell_is_missing_and_cut_far_out():
    args = np.array([0, 1]), np.array([NAN, 2.0]), np.array([1.0, 0.5]), np.array([2.0, 0.5])
    x = np.array([[3.0, 2.0], [NAN, 1.0], [1e9, NAN]])
    want = [[1.0, 1.0], [NAN, -1.0], [MOST_DEVIATIONS, NAN]]
    np.testing.assert_allclose(coded(x, *args), want)

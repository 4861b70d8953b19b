"""Labels that are drawn anew given the other columns."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize, special, stats

import npvae as nv
from npvae.data.functions import Functions
from npvae.data.redraws import Redraws, mended
from npvae.gaps.likelihood import log_given
from npvae.training import redraws
from npvae.training.redraws import fit_redraws, fitted

NONE = np.full(3, np.nan)


def of_three(**changed):
    """A label of 0, 1 and 3 by a number, and whether that is above 1; a flag by both."""
    return Redraws(**{
        "columns": [0, 0, 1, 1, 2], "labels": [None, None, 1, 3, None],
        "mean": [2.0, 0.25, 0.3, 0.2, 0.5], "scale": [2.0, 0.5, 0.4, 0.4, 0.5],
        "above": [None, 1.0, None, None, None],
        "redrawn": [
            [1, [0, 1, 3], [[0.1, 0, 0], [0.5, 0, -1], [0, 1, 0], [0] * 3, [0] * 3, [0] * 3]],
            [2, [0, 1], [[0, 0], [0, 1], [0, 0], [0, -1], [0, 2], [0, 0]]],
        ],
        **changed,
    })  # fmt: skip


def test_labels_come_as_often_as_the_softmax_says():
    rng, n = np.random.default_rng(0), 40_000
    x = np.tile([3.0, 0, 0], (n, 1))
    drawn = of_three().drawn(x, rng, None, NONE)
    assert not x[:, 1:].any(), "what was given stays as it was"
    p = special.softmax([0.1 + 0.5 * 0.5, 1.5, -0.5])
    shares = np.array([(drawn[:, 1] == label).mean() for label in (0, 1, 3)])
    assert (np.abs(shares - p) < 4 * np.sqrt(p * (1 - p) / n)).all()
    for label in (0, 1, 3):  # the label that was drawn, not that which was there
        its = drawn[drawn[:, 1] == label, 2]
        one, three = ((label == 1) - 0.3) / 0.4, ((label == 3) - 0.2) / 0.4
        p = special.expit(0.5 - one + 2 * three)
        assert abs(its.mean() - p) < 4 * np.sqrt(p * (1 - p) / len(its)) + 1e-9


def test_known_columns_stay_and_functions_follow():
    x = np.random.default_rng(0).integers(2, size=(500, 3)).astype(float)
    drawn = of_three().drawn(x, np.random.default_rng(1), None, np.array([np.nan, 1.0, np.nan]))
    np.testing.assert_array_equal(drawn[:, :2], x[:, :2])
    assert (drawn[:, 2] != x[:, 2]).any()
    functions = Functions([[0, 1, [0, 1, 3], [5, 6, 7], False, 0]])
    both = mended(x, functions, of_three(), np.random.default_rng(1))
    np.testing.assert_array_equal(both[:, 0], np.array([5, 6, 0, 7])[both[:, 1].astype(int)])


def test_the_config_comes_back_bit_by_bit():
    made = of_three()
    again = Redraws.given(json.loads(json.dumps(made.config)), 3)
    assert again.config == made.config
    x = np.random.default_rng(0).normal(size=(50, 3))
    drawn = [r.drawn(x, np.random.default_rng(1), None, NONE) for r in (made, again)]
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize(
    "changed",
    [{"scale": [1.0]}, {"scale": [0.0] * 5}, {"above": ["a"] * 5}, {"above": [np.inf] * 5},
     {"redrawn": 3}, {"redrawn": [[1, [0, 1], [[0, 0]]]]}, {"columns": [-1, 0, 1, 1, 2]},
     {"redrawn": [[1, [0], [[0]] * 6]]}, {"redrawn": [[3, [0, 1], [[0, 0]] * 6]]},
     {"redrawn": [[1, [0, 1], [[0, np.nan]] * 6]]}, {"redrawn": [[1.5, [0, 1], [[0, 0]] * 6]]}],
)  # fmt: skip
def test_redraws_that_are_none(changed):
    with pytest.raises(nv.ConfigError, match="redraws have"):
        of_three(**changed)


def test_redraws_of_other_columns_are_refused():
    config = of_three().config
    with pytest.raises(nv.ConfigError, match="are of column 2, and there are 2"):
        nv.VAE(2, 1, redraws=config)
    for wrong in (3, {"columns": [0]}):
        with pytest.raises(nv.ConfigError, match="redraws is"):
            nv.VAE(2, 1, redraws=wrong)


@pytest.mark.parametrize("ridge", [0.5, 50.0])
def test_the_fit_is_the_least_of_the_loss(ridge):
    """Against a general minimiser, which knows the loss alone."""
    rng = np.random.default_rng(2)
    f = np.concatenate([np.ones((80, 1)), rng.normal(size=(80, 2))], axis=1)
    y = rng.choice(3, 80, p=[0.7, 0.25, 0.05])

    def loss(flat):
        w = flat.reshape(3, 3)
        log_p = special.log_softmax(f @ w, axis=1)
        return -np.mean(log_p[np.arange(80), y]) + ridge / 160 * np.square(w).sum()

    found = optimize.minimize(loss, np.zeros(9), method="BFGS", options={"gtol": 1e-8})
    mine = fitted(f, y, np.zeros((3, 3)), ridge)
    assert loss(mine.ravel()) - found.fun < 1e-4
    np.testing.assert_allclose(mine, found.x.reshape(3, 3), atol=0.1 if ridge < 1 else 0.01)


def test_labels_are_as_surprising_as_those_who_draw_them_expect():
    rng = np.random.default_rng(3)
    f = np.concatenate([np.ones((20_000, 1)), rng.normal(size=(20_000, 2))], axis=1)
    w = np.array([[0.5, 0, -0.5], [1, 0, -1], [0, 2, 0]])
    p = special.softmax(f @ w, axis=1)
    y = (p.cumsum(1) < rng.random((len(p), 1))).sum(1).clip(0, 2)
    surprise = redraws._excess((f, y), w)
    np.testing.assert_allclose(surprise[:9], -np.log(p[range(9), y[:9]]) - stats.entropy(p[:9].T))
    assert abs(surprise.mean()) < 4 * surprise.std() / np.sqrt(len(y))
    blurred = np.where(rng.random(len(y)) < 0.1, rng.integers(3, size=len(y)), y)
    assert redraws._excess((f, blurred), w).mean() > 0.05


def with_labels(n, seed, sharp):
    """A number, a flag that is likely where it is high, and a label that is independent."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    flag = rng.random(n) < special.expit(sharp * (a - 0.5))
    return np.stack([a, flag, rng.integers(3, size=n)], axis=1).astype(float)


@pytest.fixture(autouse=True)
def likely(monkeypatch):
    """A model that only draws knows as much of a label as it says it does."""
    real = redraws.log_given

    def log_given(model, x, *rest):
        known = getattr(model, "log_p", None)
        return real(model, x, *rest) if known is None else np.full(len(x), known)

    monkeypatch.setattr(redraws, "log_given", log_given)


def drawing(rows, functions=None, log_p=-1.0):
    """A model whose draws are these rows."""
    kinds = ("number", ()), ("flag", "ab"), ("category", "abc")
    columns = [SimpleNamespace(kind=kind, labels=labels, marginal=None) for kind, labels in kinds]
    return SimpleNamespace(
        schema=SimpleNamespace(modelled=columns), functions=functions, log_p=log_p, missing="mask",
        sample=lambda *_, **__: rows,
    )  # fmt: skip


def test_a_column_is_drawn_anew_where_draws_say_less_of_it():
    x = with_labels(3000, 0, sharp=5.0)
    blurred = with_labels(3000, 1, sharp=1.0)
    found = fit_redraws(drawing(blurred), x, None, 0)
    assert [r.column for r in found.redrawn] == [1]
    drawn = found.drawn(blurred, np.random.default_rng(0), None, NONE)
    np.testing.assert_array_equal(drawn[:, [0, 2]], blurred[:, [0, 2]])
    edges = [-np.inf, -0.5, 0, 0.25, 0.5, 0.75, 1, 1.5, np.inf]
    for low, high in itertools.pairwise(edges):
        inside = (blurred[:, 0] > low) & (blurred[:, 0] <= high)
        p = special.expit(5 * (blurred[inside, 0] - 0.5)).mean()
        assert abs(drawn[inside, 1].mean() - p) < 0.08
    assert fit_redraws(drawing(with_labels(3000, 2, sharp=5.0)), x, None, 0) is None
    assert fit_redraws(drawing(with_labels(3000, 2, sharp=3.0)), x, None, 0) is not None
    assert fit_redraws(drawing(blurred, log_p=-0.05), x, None, 0) is None, "it knows better"
    apart = with_labels(3000, 3, sharp=-5.0)
    assert fit_redraws(drawing(blurred), x, apart, 0) is None, "held-out rows are otherwise"


def test_few_rows_no_labels_and_functions_are_left_alone():
    x, blurred = with_labels(3000, 0, 5.0), with_labels(3000, 1, 0.0)
    assert fit_redraws(drawing(blurred[:100]), x[:100], None, 0) is None
    assert fit_redraws(SimpleNamespace(schema=None), x, None, 0) is None
    rare = np.where(np.arange(3000) < 2980, 0.0, 1.0 + np.arange(3000) % 2)
    x_rare, few = (np.column_stack([a[:, :2], rare]) for a in (x, blurred))
    x_rare[20:, 1] = np.nan
    assert fit_redraws(drawing(few), x_rare, None, 0) is None, "nothing is known of either label"
    follows = Functions([[1, 0, [0.0], [1.0], False, 0.0]])
    assert fit_redraws(drawing(blurred, follows), x, None, 0) is None


def test_a_table_s_model_keeps_them_in_its_file(tmp_path):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    balance = rng.normal(1000, 300, 1500).round()
    late = np.where(balance > 1400, "late", "paid")
    table = nv.tables.read(pandas.DataFrame({"balance": balance, "paid": late}))
    model = nv.VAE(z_dim=1, hidden=(8,), **table.schema.options())
    nv.fit(model, table.x, epochs=4, seed=0)
    nv.calibrate(model, table.x)
    assert [r.column for r in model.redraws.redrawn] == [1]
    nv.save(model, tmp_path / "m.npz")
    loaded = nv.load(tmp_path / "m.npz")
    drawn = model.sample(2000, take="draw")
    np.testing.assert_array_equal(loaded.sample(2000, take="draw"), drawn)
    is_late = drawn[:, 1] == table.schema.modelled[1].labels.index("late")
    assert is_late[drawn[:, 0] > 1450].mean() > 0.9
    assert is_late[drawn[:, 0] < 1350].mean() < 0.02
    given = nv.tables.sample(model, 300, {"paid": "late"})
    assert (given[:, 1] == table.schema.modelled[1].labels.index("late")).all()


def test_how_likely_a_cell_is_given_others_is_the_ratio_of_two_integrals(monkeypatch):
    model = nv.VAE(4, 1, hidden=(5,), missing="mask", dtype="float64")
    for array in model.params.values():
        array[...] = np.random.default_rng(array.size).normal(size=array.shape)
    monkeypatch.setattr("npvae.gaps.likelihood.FOR_MEANS", 4000)
    x = np.array([[0.0, 1, 1, 0], [1, 1, 0, 1], [1, np.nan, 0, 0]])
    got = log_given(model, x, np.arange(4) == 3, np.arange(4) == 2)
    z = np.linspace(-9, 9, 4001)[:, None]
    p = special.expit(model.theta(z, None))
    prior = np.exp(-0.5 * z[:, 0] ** 2)
    for row, log_p in zip(x, got, strict=True):
        known = np.where(np.isnan(row), 1.0, np.where(row == 1, p, 1 - p))
        rest = prior * known[:, :2].prod(1)
        assert abs(np.exp(log_p) - (rest * known[:, 2]).sum() / rest.sum()) < 0.02

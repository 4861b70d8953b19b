"""What a report makes of its rows, and how it says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from npvae import VAE, ConfigError
from npvae.gradcheck import Report, Row, check_gradients

RNG = np.random.default_rng(8)
X = RNG.normal(size=4)


def row(verdict, method="central", argument="x", **more):
    return Row("f", argument, method, verdict, **more)


@pytest.mark.parametrize(
    ("verdicts", "ok"),
    [
        (("ok",), True),
        (("wrong", "ok"), False),
        (("inconclusive",), False),
        (("inconclusive", "ok"), True),
        (("n/a",), False),
        (("n/a", "inconclusive"), False),
        (("n/a", "ok"), True),
        ((), True),
    ],
)
def test_an_argument_is_proven_by_one_method_and_refuted_by_one(verdicts, ok):
    report = Report([row(v, m) for v, m in zip(verdicts, ("taylor", "central"), strict=False)])
    assert report.ok is ok
    assert bool(report) is ok
    # Another argument that is proven proves nothing of this one.
    assert Report([*report.rows, row("ok", argument="y")]).ok is ok


def test_each_row_says_for_itself():
    assert [row(v).ok for v in ("ok", "n/a", "inconclusive", "wrong")] == [True, True, False, False]
    found = Report([row("inconclusive", note="why")]).as_dicts()
    assert found[0] | {"ok": False, "verdict": "inconclusive", "note": "why"} == found[0]
    assert Report([row("inconclusive", numeric=np.nan)]).as_dicts()[0]["numeric"] is None
    json.dumps(found)


def test_the_last_line_names_what_is_wrong_and_what_is_open():
    text = str(Report([row("wrong", argument="a"), row("inconclusive", argument="b")]))
    assert text.endswith("1 of 2 checks FAIL; NOT PROVEN: no method could settle b")


def test_the_worst_row_is_one_that_fails_or_else_the_nearest_to_failing():
    near = row("ok", error=1e-9, limit=1e-8)
    far = row("ok", "complex", error=1e-15, limit=1e-11)
    open_one = row("inconclusive", "taylor", error=1.0, limit=1.9)
    assert Report([far, near, open_one]).worst is near
    wrong = row("wrong", argument="y", error=1e-6, limit=1e-8)
    assert Report([far, near, wrong]).worst is wrong
    assert Report([open_one]).worst is open_one
    assert Report([]).worst is None


def hidden_by_rounding(x):
    return 1e8 + 1e-6 * (x**2).sum()


def test_what_rounding_hides_is_inconclusive_and_complex_step_settles_it():
    pair = hidden_by_rounding, lambda x: 2e-6 * x
    for method in ("central", "taylor"):
        report = check_gradients(pair, (X,), methods=[method])
        assert [r.verdict for r in report] == ["inconclusive"], str(report)
        assert not report.ok
        assert 'rounding in the function hides the gradient: try "complex"' in str(report)
        assert "NOT PROVEN: no method could settle x" in str(report)
    report = check_gradients(pair, (X,))
    assert report.ok, str(report)
    assert {r.method: r.verdict for r in report} == {
        "central": "inconclusive",
        "complex": "ok",
        "taylor": "inconclusive",
    }
    assert "1 of 3 checks hold and prove every argument; 2 could not decide" in str(report)
    wrong = check_gradients((hidden_by_rounding, lambda x: 3e-6 * x), (X,))
    assert {r.method: r.verdict for r in wrong}["complex"] == "wrong"


def test_kinks_at_every_step_are_inconclusive_and_said_to_be_kinks():
    def cantor(x):  # the devil's staircase: kinks wherever it is not flat
        total, share = 0.0, x % 1.0
        for i in range(40):
            share *= 3
            digit = np.floor(share)
            share -= digit
            total += np.where(digit > 0, 1.0, 0.0) / 2 ** (i + 1)
            if (digit == 1).all():
                break
        return float(np.sum(total))

    x = np.array([0.25])  # 0.020202... in base 3: in the Cantor set
    report = check_gradients((cantor, np.ones_like), (x,), methods=("central", "taylor"))
    assert not report.ok
    assert {r.verdict for r in report} <= {"inconclusive", "wrong"}


def test_a_method_that_does_not_apply_proves_nothing():
    pair = lambda x: np.abs(x).sum(), np.sign
    report = check_gradients(pair, (X,), methods=["complex"])
    assert [r.verdict for r in report] == ["n/a"]
    assert not report.ok
    assert "NOT PROVEN" in str(report)
    assert check_gradients(pair, (X,)).ok


def test_complex_step_on_its_own_does_not_blame_the_gradient_for_a_forward_it_does_not_fit():
    def f(x):
        return (x.real**2 + 0 * x).sum()

    report = check_gradients((f, lambda x: 2 * x), (X,), methods=["complex"])
    assert [r.verdict for r in report] == ["n/a"], str(report)
    assert "not analytic" in str(report)


def test_a_row_that_is_ok_shows_numbers_that_agree():
    pairs = {
        "smooth": (lambda x: np.sin(x).sum(), np.cos),
        "kinky": (lambda x: np.abs(x).sum() + (x**2).sum(), lambda x: np.sign(x) + 2 * x),
        "curved": (lambda x: np.exp(3 * x).sum(), lambda x: 3 * np.exp(3 * x)),
    }
    for n in (3, 1000, 100_000):
        for name, pair in pairs.items():
            report = check_gradients(pair, (RNG.normal(size=n),), max_entries=4)
            for r in report:
                if r.verdict == "ok":
                    assert r.analytic == pytest.approx(r.numeric, rel=2e-7), f"{name}\n{report}"


def test_a_relative_error_that_was_allowed_is_allowed_by_every_method():
    pair = lambda x: np.sin(x).sum(), lambda x: np.cos(x).astype(np.float32)
    assert not check_gradients(pair, (X,)).ok
    report = check_gradients(pair, (X,), rtol=1e-6)
    assert {r.verdict for r in report} == {"ok"}, str(report)


def test_steps_outside_of_the_domain_raise_and_warn_of_nothing():
    import math

    def f(x):
        return sum(math.log(v) + math.sqrt(v) for v in x)

    def gradient(x):
        return 1 / x + 0.5 / np.sqrt(x)

    x = np.array([1e-3, 0.02, 5.0])
    report = check_gradients((f, gradient), (x,), methods=("central", "taylor"))
    assert {r.verdict for r in report} == {"ok"}, str(report)
    report = check_gradients((lambda x: np.log(x).sum(), lambda x: 1 / x), (x,))
    assert {r.verdict for r in report} == {"ok"}, str(report)


def test_nothing_to_check_is_said():
    with pytest.raises(ConfigError, match="integers count as constants"):
        check_gradients((lambda x: (x**2).sum(), lambda x: 2 * x), (np.arange(3),))
    with pytest.raises(ConfigError, match="methods is empty: name at least one of central"):
        check_gradients((np.sum, np.ones_like), (X,), methods=())


def test_a_function_that_is_nan_where_it_is_checked():
    report = check_gradients((lambda x: np.nan * x.sum(), np.ones_like), (X,))
    assert not report.ok
    assert "the function is nan or inf at this point" in str(report)


@pytest.mark.parametrize("objective", ["dreg:n_samples=2", "stl"])
def test_a_gradient_that_is_right_in_the_mean_alone_is_said_to_be(objective):
    model = VAE(3, 1, hidden=(), likelihood="gaussian", dtype="float64")
    report = check_gradients(model, objective=objective, methods=["central"])
    assert not report.ok
    assert "a term of mean 0 is left out of the encoder's" in str(report)
    assert "left out" not in str(check_gradients(model, objective="iwae", methods=["central"]))

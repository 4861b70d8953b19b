"""What the checker says of a wrong gradient: the slip where there is one, and never a wrong one."""

from __future__ import annotations

import numpy as np
import pytest

from npvae.gradcheck import check_gradients

RNG = np.random.default_rng(1)
X, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(3, 4)), RNG.normal(size=3)
SQUARE = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3))


def notes(target, inputs, **options):
    """Argument to what is said of it, over all methods."""
    report = check_gradients(target, inputs, **options)
    assert not report.ok
    found = {}
    for row in report.failures():
        if row.method != "taylor":
            found.setdefault(row.argument, set()).add(row.note)
    assert all(len(texts) == 1 for texts in found.values()), str(report)
    return {argument: texts.pop() for argument, texts in found.items()}


FUNCTIONS = {
    "relu": (lambda s: np.where(s.real > 0, s, 0 * s), lambda y: (y.real > 0) * 1.0),
    "tanh": (np.tanh, lambda y: 1 - y * y),
    "sigmoid": (lambda s: 1 / (1 + np.exp(-s)), lambda y: y * (1 - y)),
    "exp": (np.exp, lambda y: y),
    "softplus": (lambda s: np.log1p(np.exp(s)), lambda y: -np.expm1(-y)),
}


def dense(function, derivative=None):
    """y = f(x wᵀ + b) with a derivative of f in terms of y to choose."""
    f, df = FUNCTIONS[function]

    def forward(x, w, b):
        y = f(x @ w.T + b)
        return y, (x, w, y)

    def backward(cache, dy):
        x, w, y = cache
        da = dy * (derivative or df)(y)
        return da @ w, da.T @ x, da.sum(0)

    return forward, backward


@pytest.mark.smoke(2)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_derivative_of_the_last_function(function):
    df = FUNCTIONS[function][1]
    said = {
        "forgotten": notes(dense(function, lambda y: 1.0), (X, W, B)),
        "twice": notes(dense(function, lambda y: df(y) ** 2), (X, W, B))
        if function != "relu"
        else {},
    }
    assert set(said["forgotten"]) == {"x", "w", "b"}
    for note in said["forgotten"].values():
        assert ("a mask is missing" if function == "relu" else f"derivative of {function}") in note
    for note in said["twice"].values():
        assert f"derivative of {function}" in note
        assert note.endswith("applied twice")


def test_a_factor_that_depends_on_the_output():
    said = notes(dense("tanh", lambda y: 1 - y), (X, W, B))
    assert {n.split(":")[0] for n in said.values()} == {
        "for each output y it should be 1 + y times as large"
    }


def test_special_inputs_suggest_no_constant():
    """At ones and an identity every output is tanh(1), and 1 + tanh(1) = 1.76159 explains all."""

    def forward(x, w):
        y = np.tanh(x @ w.T)
        return y, (x, w, y)

    def backward(cache, dy):
        x, w, y = cache
        da = dy * (1 - y)
        return da @ w, da.T @ x

    for note in notes((forward, backward), (np.ones((2, 3)), np.eye(3))).values():
        assert "1 + y times as large" in note


def test_what_would_mend_it_at_one_point_only_is_no_diagnosis():
    cube = lambda x: (x**3).sum(), lambda x: 3 * x  # 3x for 3x²: at 2 a factor 2 is missing
    for x in (2 * np.ones(4), np.array([2.0])):
        (note,) = notes(cube, (x,)).values()
        assert note.startswith("none of the usual slips")
    (note,) = notes((cube[0], lambda x: x**2), (2 * np.ones(4),)).values()
    assert note == "it is off by a constant factor: multiply by 3"


@pytest.mark.parametrize("size", [2e-6, 1e-5, 1e-4, 0.01, 0.5])
def test_a_constant_factor_is_named_where_it_can_be_told_from_1(size):
    pair = lambda x: np.sin(x).sum(), lambda x: np.cos(x) / (1 + size)
    (note,) = notes(pair, (X,)).values()
    assert note == f"it is off by a constant factor: multiply by {1 + size:.7g}"
    assert not note.endswith(" 1")


def test_nobody_is_told_to_multiply_by_1():
    pair = lambda x: np.sin(x).sum(), lambda x: np.cos(x).astype(np.float32)
    (note,) = notes(pair, (X,)).values()
    assert "right to six digits and no more: is a part of it computed in float32" in note
    for size in (1e-6, 3e-7, 3e-8):
        (note,) = notes((pair[0], lambda x, s=size: np.cos(x) * (1 + s)), (X,)).values()
        assert "six digits" in note


def test_of_two_uses_one_is_forgotten():
    def forward(x, a):
        return x @ a @ x.T, (x, a)

    def backward(cache, dy):
        x, a = cache
        return dy @ x @ a.T, x.T @ dy @ x

    said = notes((forward, backward), SQUARE)
    assert set(said) == {"x"}
    assert (
        "of degree 2 in x, as if using it 2 times, and this gradient counts 1 of them"
        in (said["x"])
    )


def test_of_three_uses_one_is_forgotten():
    def f(x, a):
        return (x @ a @ x @ x).sum()

    def gradient(x, a):
        ones = np.ones((3, 3))
        first, second = ones @ (a @ x @ x).T, (x @ a).T @ ones @ x.T
        return first + second, x.T @ ones @ (x @ x).T

    said = notes((f, gradient), SQUARE)
    assert set(said) == {"x"}
    assert "counts 2 of them: add what comes through the other" in said["x"]


def test_a_skip_connection_is_forgotten():
    def forward(x):
        return x + np.tanh(x), x

    said = notes((forward, lambda x, dy: dy * (1 - np.tanh(x) ** 2)), (X,))
    assert said["x"].startswith("a term is missing: 1 times d_outputs[0], as from a skip")


def test_a_gradient_that_should_be_0_or_is():
    def f(x, y):
        return (x**2).sum() + 0 * y.sum()

    said = notes((f, lambda x, y: (2 * x, y)), (X[0], X[1]))
    assert "the function does not depend on this argument" in said["y"]
    said = notes((f, lambda x, y: (0 * x, 0 * y)), (X[0], X[1]))
    assert "it is 0 everywhere" in said["x"]


def test_a_gradient_that_is_anothers():
    def f(x, y):
        return (x**2).sum() + np.sin(y).sum()

    said = notes((f, lambda x, y: (2 * x, 2 * x)), (X[0], X[1]))
    assert said == {"y": "it is a copy of the gradient of x"}


def test_a_sum_over_too_little():
    def backward(cache, dy):
        x, w, y = cache
        da = dy * (1 - y * y)
        return da @ w, da[1:].T @ x[1:], da.sum(0)

    said = notes((dense("tanh")[0], backward), (X, W, B))
    assert set(said) == {"w"}
    assert "it leaves out 3 of 15 outputs that change with it" in said["w"]


def test_a_mean_over_all_entries():
    def f(x):
        return np.sin(x).sum()

    (note,) = notes((f, lambda x: np.cos(x) / x.size), (X,)).values()
    assert note == "it is 20 times too small (a mean where a sum over 20 is due?)"


def test_entries_that_are_nan():
    def gradient(x):
        dx = 2 * x
        dx[1, 2] = np.nan
        return dx

    report = check_gradients((lambda x: (x**2).sum(), gradient), (X,))
    assert [row.note for row in report] == [
        "it is nan or inf in 1 of 20 entries, the first at [1, 2]"
    ]


def test_what_nothing_explains_is_not_explained():
    (note,) = notes((lambda x: np.sin(x * x[::-1]).sum(), lambda x: x**3 - 0.3), (X[0],)).values()
    assert note.startswith("none of the usual slips")


def test_one_line_for_all_arguments_and_methods_that_say_the_same():
    text = str(check_gradients(dense("relu", lambda y: 1.0), (X, W, B)))
    assert text.count("a mask is missing") == 1
    assert "dense.forward, x, w, b (central, complex, taylor): it is right for" in text

"""Looking into somebody's functions leaves them, their data and the interpreter as they were."""

from __future__ import annotations

import functools
import sys

import numpy as np
import pytest

from npvae.core import Part
from npvae.gradcheck import check_gradients, diagnosis
from npvae.gradcheck.variables import Change, Tracer

RNG = np.random.default_rng(6)
X, W = RNG.normal(size=(5, 4)), RNG.normal(size=(3, 4))


def forward(x, w):
    h = np.tanh(x @ w.T)
    y = h.copy()
    y[y < 0] = 0
    return y, (x, w, h)


def backward(cache, dy):
    x, w, h = cache
    dh = dy.copy()
    dh[h < 0] = 0
    da = dh * (1 - h)
    return da @ w, da.T @ x


def notes(report):
    return {row.note for row in report.failures() if row.method in ("central", "complex")}


def test_arrays_of_the_caller_and_of_closures_are_never_written_to():
    """Among the changes that are tried is `y = h` for `y = h.copy()`, before y is changed."""
    data = X.copy()

    def loss(w):
        seen = data.copy()
        seen[seen < 0] *= 0.5
        return (np.tanh(seen @ w.T) ** 2).sum()

    def gradient(w):
        seen = data.copy()
        seen[seen < 0] *= 0.5
        h = np.tanh(seen @ w.T)
        return 2 * (h * h * (1 - h**2)).T @ seen

    w = W.copy()
    report = check_gradients((loss, gradient), (w,))
    assert not report.ok
    np.testing.assert_array_equal(data, X)
    np.testing.assert_array_equal(w, W)
    assert data.flags.writeable
    labels, x = np.array([0, 1, 2, 0, 1]), X.copy()

    def picked(x, labels):
        rows = np.arange(len(x))
        shifted = x.copy()
        shifted[rows, labels] -= 1
        return (shifted**2).sum(), -2 * shifted

    assert not check_gradients(picked, (x, labels)).ok
    np.testing.assert_array_equal(labels, [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(x, X)


def test_whoever_traces_already_goes_on():
    def trace(frame, event, argument):
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        report = check_gradients((forward, backward), (X, W))
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)
    assert "`da = dh * (1 - h)`, should be `da = dh * (1 - h * h)`" in str(report)


def test_functions_that_take_long_are_not_looked_into(monkeypatch):
    monkeypatch.setattr(diagnosis, "MAX_SECONDS", 0.0)
    report = check_gradients((forward, backward), (X, W))
    assert not report.ok
    assert not any("line" in note for note in notes(report))


def test_functions_without_source():
    text = "def forward(x):\n    y = x**2\n    return y, x\n"
    text += "def backward(x, dy):\n    dx = 3 * x * dy\n    return dx\n"
    exec(compile(text, "<nowhere>", "exec"), namespace := {})
    report = check_gradients((namespace["forward"], namespace["backward"]), (X,))
    assert notes(report) == {"it is off by a constant factor: multiply by 0.6666667 (line 5)"}


class Callable:
    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        return self.function(*arguments)


def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@pytest.mark.parametrize("wrap", [decorated, functools.partial, Callable])
def test_functions_that_are_wrapped(wrap):
    report = check_gradients((wrap(forward), wrap(backward)), (X, W))
    assert not report.ok
    assert check_gradients((wrap(forward), wrap(right)), (X, W)).ok


def right(cache, dy):
    x, w, h = cache
    da = np.where(h < 0, 0, dy) * (1 - h**2)
    return da @ w, da.T @ x


class Swish(Part, abstract=True):
    """A part of one's own, with a slip in the derivative of tanh."""

    def __init__(self):
        self.parameter("w", (4,), lambda rng, shape: rng.normal(size=shape))

    def forward(self, x):
        a = self.w * x
        t = np.tanh(a)
        return a * t, (x, a, t)

    def backward(self, cache, dy):
        x, a, t = cache
        dt = dy * a
        da = dy * t + dt * (1 - t)
        self.dw += (da * x).sum(0)
        return da * self.w


def test_parts_of_ones_own_are_looked_into_and_no_breach_of_a_changed_one_is_told():
    report = check_gradients(Swish(), (X,))
    assert not any(row.method == "contract" for row in report), str(report)
    assert "`da = dy * t + dt * (1 - t)`, should be `da = dy * t + dt * (1 - t * t)`" in str(report)


def test_a_variable_is_recorded_with_its_line_and_changed_on_the_way():
    def f(x):
        a = 2 * x
        a[0] = 7
        return a.sum()

    tracer = Tracer((f,))
    total, found = tracer.record(lambda: f(np.ones(3)))
    assert total == 11
    seen = [(v.label, v.value.tolist(), v.in_place) for v in found]
    assert seen == [
        ("x", [1, 1, 1], False), ("a", [2, 2, 2], False), ("a", [7, 2, 2], True)
    ]  # fmt: skip
    assert "`a[0] = 7`" in found[-1].source
    change = Change(found[1].event, ("a",), lambda a: a + 1)
    assert tracer.change(lambda: f(np.ones(3)), [change]) == 13


def test_names_that_do_not_fit_blame_nobody():
    """Here da is the gradient of b and db that of a: of no use, but no lie either."""

    def crossed(x):
        a = np.sin(x)
        b = a * a
        return b, (x, a)

    def its_backward(cache, dy):
        x, a = cache
        db = 2 * a * dy
        da = db * np.sin(x)
        return da

    (note,) = notes(check_gradients((crossed, its_backward), (X,)))
    assert "first wrong value" not in note

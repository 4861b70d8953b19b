"""The checker is held against gradients that are wrong on purpose: it must name the argument."""

from __future__ import annotations

import numpy as np
import pytest

from npvae.core import Part
from npvae.gradcheck import Report, check_gradients

RNG = np.random.default_rng(3)
X, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 4)), RNG.normal(size=4)
MU, LOGVAR = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))


def dense(x, w, b):
    return np.tanh(x @ w.T + b), (x, w, np.tanh(x @ w.T + b))


def dense_backward(cache, dh, fault=""):
    x, w, h = cache
    da = dh if fault == "mask" else dh * (1 - h * h)
    dw = da.T @ x
    if fault == "transpose":
        dw = dw.T
    db = da.sum(0)
    if fault == "sum":
        db = da[0]
    if fault == "unsummed":
        db = da
    if fault == "mean":
        db = da.mean(0)
    return da @ w, dw, db


def kl(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()


def faulty_kl_gradient(fault):
    def gradient(mu, logvar):
        dmu, dlogvar = mu.copy(), 0.5 * (np.exp(logvar) - 1)
        if fault == "sign":
            dmu = -dmu
        if fault == "half":
            dlogvar = 2 * dlogvar
        if fault == "term":
            dlogvar = 0.5 * np.exp(logvar)
        if fault == "absent":
            dmu = 0 * dmu
        if fault == "swapped":
            dmu, dlogvar = dlogvar, dmu
        return dmu, dlogvar

    return gradient


def failed_arguments(report: Report, method: str | None = None) -> set[str]:
    return {row.argument for row in report.failures() if method in (None, row.method)}


def note(report: Report, argument: str) -> str:
    return next(r.note for r in report.failures() if r.argument == argument and r.note)


def test_right_gradients_pass():
    assert check_gradients((kl, faulty_kl_gradient("")), (MU, LOGVAR))
    assert check_gradients((dense, dense_backward), (X, W, B))


@pytest.mark.parametrize(
    ("fault", "argument", "words"),
    [
        ("sign", "mu", "sign is wrong"),
        ("half", "logvar", "a factor 1/2 is missing"),
        ("term", "logvar", "a constant is missing: -0.5"),
        ("absent", "mu", "0 everywhere"),
    ],
)
@pytest.mark.parametrize("method", ["central", "complex", "taylor"])
def test_faults_of_a_function(fault, argument, words, method):
    report = check_gradients((kl, faulty_kl_gradient(fault)), (MU, LOGVAR), methods=[method])
    assert failed_arguments(report) == {argument}
    if method != "taylor":
        assert words in note(report, argument)


def test_swapped_gradients_are_recognised():
    report = check_gradients((kl, faulty_kl_gradient("swapped")), (MU, LOGVAR))
    assert "gradient of logvar: the two are swapped" in note(report, "mu")


@pytest.mark.parametrize(
    ("fault", "arguments", "words"),
    [
        ("transpose", {"w"}, "it is transposed"),
        ("sum", {"b"}, "it leaves out 16 of 20 outputs that change with it"),
        ("mean", {"b"}, "a mean where a sum over 5 is due"),
        ("unsummed", {"b"}, "sum over the leading axis"),
        ("mask", {"x", "w", "b"}, "the derivative of tanh, 1 - y² for the output y, seems to be"),
    ],
)
def test_faults_of_a_forward_and_backward(fault, arguments, words):
    report = check_gradients((dense, lambda c, d: dense_backward(c, d, fault)), (X, W, B))
    assert failed_arguments(report) == arguments
    for argument in arguments:
        assert words in note(report, argument)


def test_a_missing_mask_is_told_from_other_faults():
    def relu(x):
        return np.where(x.real > 0, x, 0 * x), x

    report = check_gradients((relu, lambda x, d: d), (X,))
    assert failed_arguments(report) == {"x"}
    n_masked = int((X < 0).sum())
    assert f"not 0 in {n_masked} of 20 entries where it should be: a mask" in note(report, "x")


@pytest.mark.parametrize("method", ["central", "complex", "taylor"])
def test_a_gradient_of_1e_7_that_is_wrong_by_half(method):
    def f(x, y):
        return 1e-7 * (x**2).sum() + np.sin(y).sum()

    def wrong(x, y):
        return 1e-7 * x, np.cos(y)

    def right(x, y):
        return 2e-7 * x, np.cos(y)

    inputs = (X[0], X[1])
    assert failed_arguments(check_gradients((f, wrong), inputs, methods=[method])) == {"x"}
    assert check_gradients((f, right), inputs, methods=[method])


def test_one_tiny_wrong_entry_beside_large_right_ones():
    weights = np.array([1.0, 1e-7, 2.0])

    def f(x):
        return (weights * np.sin(x)).sum()

    def wrong(x):
        return np.array([1, 0.5, 1]) * weights * np.cos(x)

    for method in ("central", "complex"):
        report = check_gradients((f, wrong), (X[0, :3],), methods=[method])
        assert not report.ok
        assert report.worst.where == (1,)
        assert report.worst.error == pytest.approx(0.5, rel=1e-3)


class Scale(Part, abstract=True):
    """y = w x, with a fault to choose; abstract, so that it never enters the registry."""

    def __init__(self, fault=""):
        self.fault = fault
        self.parameter("w", (4,), lambda rng, shape: rng.normal(size=shape))

    def forward(self, x):
        return self.w * x, x

    def backward(self, x, dy):
        dw = (dy * x).sum(0)
        if self.fault == "overwrites":
            self.dw[...] = dw
        else:
            self.dw += dw
        if self.fault == "changes":
            dy *= self.w
            return dy
        if self.fault == "changes input":
            x *= 1.5
        if self.fault == "forgets":
            return None
        return dy * self.w


def test_a_part_that_keeps_the_contract():
    assert check_gradients(Scale(), (X,))


@pytest.mark.parametrize(
    ("fault", "argument", "words"),
    [
        ("overwrites", "w", "overwrites this gradient instead of adding"),
        ("changes", "d_outputs[0]", "changes its caller's array"),
        ("changes input", "x", "changes its caller's array"),
        ("forgets", "x", "backward gives None"),
    ],
)
def test_breaches_of_the_contract(fault, argument, words):
    report = check_gradients(Scale(fault), (X,))
    assert argument in failed_arguments(report, "contract")
    assert words in note(report, argument)


def test_a_forward_that_changes_its_input():
    def forward(x):
        x *= 2
        return x, None

    report = check_gradients((forward, lambda cache, d: 2 * d), (X.copy(),))
    assert "forward changes its caller's array" in note(report, "x")


def test_noise_drawn_inside_is_found():
    rng = np.random.default_rng(0)

    def forward(x):
        return x * rng.normal(size=x.shape), x

    report = check_gradients((forward, lambda x, d: d), (X,))
    assert "draw the noise outside" in note(report, "(outputs)")


def test_a_backward_with_too_few_gradients():
    report = check_gradients((dense, lambda c, d: dense_backward(c, d)[:2]), (X, W, B))
    assert "returns 2 gradients for 3 inputs (x, w, b)" in note(report, "(all inputs)")


def test_the_report_reads_as_a_failure_message():
    report = check_gradients((kl, faulty_kl_gradient("half")), (MU, LOGVAR))
    text = str(report)
    assert not report
    assert report.worst.argument == "logvar"
    assert "WRONG" in text
    assert "checks FAIL" in text
    assert "kl, logvar (central, complex, taylor): it is twice what it should be" in text
    worst = report.worst
    row = next(line for line in text.splitlines() if line.startswith("WRONG"))
    assert f"{worst.numeric:.6g}"[:6] in row


def test_wrong_entries_in_one_place_are_located():
    def f(x):
        return (np.exp(x).sum(1) - x[:, 2]).sum()

    report = check_gradients((f, np.exp), (X,))
    assert "all those with index 2 on axis 1" in note(report, "x")
    assert str(report).count("all those with index 2") == 1  # both methods, said once

"""Stages of a network: each call is checked by itself, and the wrong one is named."""

from __future__ import annotations

import numpy as np
import pytest

from npvae import ConfigError
from npvae.gradcheck import check_gradients

RNG = np.random.default_rng(0)
PARAMS = {
    "W1": RNG.normal(size=(4, 5)), "b1": RNG.normal(size=5),
    "W2": RNG.normal(size=(5, 3)), "b2": RNG.normal(size=3),
}  # fmt: skip
GIVEN = PARAMS, RNG.normal(size=(6, 4)), RNG.integers(0, 3, 6)


def affine_forward(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def relu_without_mask(dout, cache):
    return dout


def cross_entropy(scores, labels):
    e = np.exp(scores)
    p = e / e.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    d = p.copy()
    d[rows, labels] -= 1
    return -np.log(p[rows, labels]).mean(), d / len(labels)


def network(relu_backward, skips_relu=False):
    """Two affine layers with a ReLU in between, as courses have it."""

    def loss(params, x, labels):
        first, cache_1 = affine_forward(x, params["W1"], params["b1"])
        hidden, cache_2 = relu_forward(first)
        scores, cache_3 = affine_forward(hidden, params["W2"], params["b2"])
        value, dscores = cross_entropy(scores, labels)
        dhidden, dW2, db2 = affine_backward(dscores, cache_3)
        dfirst = dhidden if skips_relu else relu_backward(dhidden, cache_2)
        _, dW1, db1 = affine_backward(dfirst, cache_1)
        return value, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}

    return loss


def rows_of(report, verdict):
    return {row.target for row in report if row.verdict == verdict}


def test_each_call_of_a_stage_is_checked():
    stages = [(affine_forward, affine_backward), (relu_forward, relu_backward)]
    report = check_gradients(network(relu_backward), GIVEN, stages=stages)
    assert report.ok, str(report)
    names = {"affine_forward, call 1", "affine_forward, call 2", "relu_forward"}
    assert rows_of(report, "ok") == {*names, "network.loss"}
    first = next(r for r in report if r.target == "affine_forward, call 1" and r.argument == "w")
    assert first.analytic == pytest.approx(first.numeric)


def test_the_wrong_stage_is_named():
    stages = {
        "affine": (affine_forward, affine_backward), "relu": (relu_forward, relu_without_mask)
    }  # fmt: skip
    report = check_gradients(network(relu_without_mask), GIVEN, stages=stages)
    assert rows_of(report, "wrong") == {"network.loss", "relu"}
    assert "contract (stages): wrong by themselves: relu" in str(report)
    assert "relu, x (central, complex, taylor): it is not 0 in" in str(report)
    assert "a mask is missing" in str(report)


def test_where_all_stages_are_right_the_slip_is_between_them():
    stages = [(affine_forward, affine_backward), (relu_forward, relu_backward)]
    report = check_gradients(network(relu_backward, skips_relu=True), GIVEN, stages=stages)
    assert rows_of(report, "wrong") == {"network.loss"}
    assert "each is right by itself, so that the slip is in what backward does" in str(report)
    assert "the first wrong value in backward is dfirst" in str(report)


class Affine:
    def __init__(self, n_in, n_out):
        self.W, self.b = RNG.normal(size=(n_in, n_out)), RNG.normal(size=n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T


class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dout):
        return dout * (1 - self.y)


class Network:
    def __init__(self):
        self.layers = [Affine(4, 5), Tanh(), Affine(5, 3)]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


@pytest.mark.smoke(1)
@pytest.mark.parametrize("stages", [[Affine, Tanh], {"Affine": Affine(1, 1), "Tanh": Tanh()}])
def test_classes_and_objects_as_stages(stages):
    report = check_gradients(Network(), GIVEN[1], stages=stages)
    assert {t for t in rows_of(report, "ok") if "Affine" in t} == {
        "Affine, call 1", "Affine, call 2"
    }  # fmt: skip
    assert rows_of(report, "wrong") == {"Network", "Tanh"}
    assert "dout * (1 - self.y)`, should be `return dout * (1 - self.y" in str(report)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (3, "stages= takes pairs .* got int"),
        ({"relu": relu_forward}, "the stage 'relu' is a function: pass a pair"),
        ([(np.tanh, np.cos)], "tanh is no Python function, whose calls could be seen"),
        ({"x": (lambda x: x, lambda x: x)}, "the stage 'x' is never called: name in stages="),
    ],
)
def test_what_is_no_stage_is_refused(stages, words):
    with pytest.raises(ConfigError, match=words):
        check_gradients(network(relu_backward), GIVEN, stages=stages)

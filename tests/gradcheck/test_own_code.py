"""What people write: parameters in dicts and lists, one function for both, objects with state."""

from __future__ import annotations

import numpy as np
import pytest

from npvae import ConfigError
from npvae.gradcheck import check_gradients

RNG = np.random.default_rng(5)
X = RNG.normal(size=(5, 4))
PARAMS = {"W": RNG.normal(size=(3, 4)), "b": RNG.normal(size=3)}
LABELS = np.array([0, 2, 1, 1, 0])


def loss_and_gradients(params, x, wrong_sign=False):
    h = np.tanh(x @ params["W"].T + params["b"])
    da = 2 * h * (1 - h * h)
    return (h**2).sum(), {"W": da.T @ x, "b": -da.sum(0) if wrong_sign else da.sum(0)}


def arguments(report, verdict="ok"):
    return {row.argument for row in report if row.verdict == verdict}


def test_a_dict_of_parameters():
    report = check_gradients(loss_and_gradients, (PARAMS, X))
    assert report.ok, str(report)
    assert arguments(report) == {"params['W']", "params['b']"}
    assert "contract (x): taken as a constant, as no gradient is given" in str(report)
    assert str(report).endswith("all 6 checks hold")
    alone = check_gradients(lambda params: loss_and_gradients(params, X), PARAMS)
    assert arguments(alone) == arguments(report)
    wrong = check_gradients(lambda params: loss_and_gradients(params, X, True), PARAMS)
    assert arguments(wrong, "wrong") == {"params['b']"}
    assert "its sign is wrong" in str(wrong)


def test_gradients_are_called_by_many_names():
    for pattern in ("d{}", "d_{}", "grad_{}", "{}_grad", "{}"):

        def f(params, pattern=pattern):
            loss, gradients = loss_and_gradients(params, X)
            return loss, {pattern.format(name): d for name, d in gradients.items()}

        assert check_gradients(lambda params, f=f: f(params), PARAMS).ok


def test_lists_and_nested_parameters():
    def f(params):
        loss, gradients = loss_and_gradients(dict(zip("Wb", params, strict=True)), X)
        return loss, list(gradients.values())

    assert arguments(check_gradients(f, list(PARAMS.values()))) == {"params[0]", "params[1]"}

    def nested(params):
        loss, gradients = loss_and_gradients(params["layers"][0], X)
        return loss, {"layers": [gradients]}

    report = check_gradients(nested, {"layers": [PARAMS]})
    assert arguments(report) == {"params['layers'][0]['W']", "params['layers'][0]['b']"}


def test_a_gradient_that_is_missing_in_the_dict_or_unknown():
    def loss(params):
        return loss_and_gradients(params, X)

    report = check_gradients(lambda params: (loss(params)[0], {"b": loss(params)[1]["b"]}), PARAMS)
    assert arguments(report, "wrong") == {"params['W']"}
    assert "gives None for it" in str(report)
    report = check_gradients(lambda params: (loss(params)[0], {"V": 0}), PARAMS)
    assert "the gradients have the key 'V', which is none of 'W', 'b'" in str(report)
    named = (lambda p, x: (loss(p)[0], p)), lambda p: {"W": p["W"], "B": p["b"]}
    report = check_gradients(named, (PARAMS, X))
    assert "the gradients have the key 'B', which is none of 'W', 'b'" in str(report)


def test_one_function_whose_first_argument_has_the_gradient():
    def hinge(W, x, y, strength):
        scores = x @ W
        rows = np.arange(len(y))
        margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
        margins[rows, y] = 0
        d = (margins > 0).astype(float)
        d[rows, y] = -d.sum(1)
        return margins.sum() / len(y) + strength * (W * W).sum(), x.T @ d / len(
            y
        ) + 2 * strength * W

    report = check_gradients(hinge, (RNG.normal(size=(4, 3)), X, LABELS, 0.1))
    assert report.ok, str(report)
    assert arguments(report) == {"W"}


def affine(x, w, b):
    return x @ w + b, (x, w, b)


AFFINE_INPUTS = X, RNG.normal(size=(4, 3)), RNG.normal(size=3)


def test_a_backward_that_takes_its_cache_last():
    def backward(dout, cache):
        x, w, _ = cache
        return dout @ w.T, x.T @ dout, dout.sum(0)

    assert check_gradients((affine, backward), AFFINE_INPUTS).ok


def test_a_backward_that_starts_from_the_loss():
    def forward(params, x):
        y, cache = affine(x, params["w"], params["b"])
        return 0.5 * (y**2).sum(), (*cache, y)

    def backward(cache):
        x, _, _, y = cache
        return {"dw": x.T @ y, "db": y.sum(0)}

    params = dict(zip("wb", AFFINE_INPUTS[1:], strict=True))
    report = check_gradients((forward, backward), (params, X))
    assert report.ok, str(report)
    assert arguments(report) == {"params['w']", "params['b']"}
    with pytest.raises(ConfigError, match=r"takes the cache alone, and the output has shape"):
        check_gradients((affine, lambda cache: cache), AFFINE_INPUTS)


def test_a_gradient_of_the_loss_that_is_1_by_default_may_be_left_out():
    def forward(x):
        return (x**3).sum(), x

    def with_default(x, d=1.0):
        return 3 * x**2

    def without(x, d):
        dx = 3 * x**2
        return dx

    assert check_gradients((forward, with_default), [X]).ok
    report = check_gradients((forward, without), [X])
    assert not report.ok
    assert "backward leaves d_outputs[0] out: multiply by it" in str(report)


def clipped(x):
    x[x < 0] = 0
    return x**2, x


def clipped_at_once(x):
    np.maximum(x, 0, out=x)
    return x.copy(), x


@pytest.mark.parametrize(
    ("forward", "backward"),
    [(clipped, lambda x, d: 2 * x * d), (clipped_at_once, lambda x, d: d * (x > 0))],
)
def test_a_forward_that_changes_its_input_twice_to_the_same_is_told(forward, backward):
    report = check_gradients((forward, backward), [X.copy()])
    assert "forward changes its caller's array" in str(report)
    assert not report.ok
    assert str(report).endswith("1 of 4 checks FAIL")  # its gradient is right


def test_several_outputs_and_then_the_cache():
    def forward(x):
        return np.sin(x), np.cos(x), x

    def backward(ds, dc, cache):
        return ds * np.cos(cache) - dc * np.sin(cache)

    assert check_gradients((forward, backward), X).ok


def test_a_backward_that_destroys_its_cache_is_told():
    def softmax(x):
        e = np.exp(x)
        p = e / e.sum(1, keepdims=True)
        return p, (p.copy(),)

    def backward(cache, d):
        (p,) = cache
        d = d - (d * p).sum(1, keepdims=True)
        p *= d
        return p

    report = check_gradients((softmax, backward), X)
    assert report.ok, str(report)
    assert "contract (cache[0]): backward changes it, so that a second backward" in str(report)


def log_softmax(x):
    y = x - np.log(np.exp(x).sum(1, keepdims=True))
    return y, y


def test_the_diagonal_of_log_softmax_is_named():
    report = check_gradients((log_softmax, lambda y, d: d * (1 - np.exp(y))), X)
    assert "d_outputs[0] - exp(outputs[0]) * d_outputs[0].sum(1, keepdims=True)" in str(report)
    assert "log-softmax's whole Jacobian" in str(report)


def two_layers(x, W, V):
    a = x @ W
    h = np.tanh(a)
    return h @ V, {"x": x, "W": W, "V": V, "a": a, "h": h}


def test_a_line_of_several_statements_is_pointed_at():
    def backward(c, d):
        dV = c["h"].T @ d; dh = d @ c["V"].T; da = dh * (1 - c["h"])  # noqa: E702  # fmt: skip
        return da @ c["W"].T, c["x"].T @ da, dV

    inputs = X, PARAMS["W"].T, RNG.normal(size=(3, 2))
    report = str(check_gradients((two_layers, backward), inputs))
    assert "has several statements: with a line for each" in report


class Affine:
    """Layers as in many a course: W and dW, b and db."""

    def __init__(self, n_in, n_out, fault=""):
        self.W, self.b = RNG.normal(size=(n_in, n_out)), RNG.normal(size=n_out)
        self.x = self.dW = self.db = None
        self.fault = fault

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        if self.fault != "no db":
            self.db = -dout.sum(0) if self.fault == "sign" else dout.sum(0)
        return dout @ self.W.T


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        return dout


class MatMul:
    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, x):
        self.x = x
        return x @ self.params[0]

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        return dout @ self.params[0].T


class Summing:
    """Its gradients are in a dict, are added up, and are its parameters under another name too."""

    def __init__(self):
        self.W = RNG.normal(size=(4, 2))
        self.params = {"W": self.W}
        self.grads = {"W": np.ones((4, 2))}

    def forward(self, x):
        return x @ self.W, x

    def backward(self, cache, dout):
        self.grads["W"] += cache.T @ dout
        return dout @ self.W.T


class CrossEntropy:
    def forward(self, x, t):
        e = np.exp(x)
        self.y, self.t = e / e.sum(1, keepdims=True), t
        return -(t * np.log(self.y)).sum() / len(t)

    def backward(self, dout=1):
        return (self.y - self.t) / len(self.t)


LAST = RNG.normal(size=(5, 3))


class Network:
    def __init__(self, fault=""):
        self.layers = [Affine(4, 6), Relu(), Affine(6, 5, fault), Relu(), MatMul(LAST)]
        self.last = CrossEntropy()

    def forward(self, x, t):
        for layer in self.layers:
            x = layer.forward(x)
        return self.last.forward(x, t)

    def backward(self):
        d = self.last.backward()
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return d


@pytest.mark.parametrize(
    ("target", "parameters"),
    [
        (Affine(4, 3), {"W", "b"}),
        (Relu(), set()),
        (MatMul(RNG.normal(size=(4, 3))), {"params.0"}),
        (Summing(), {"W"}),
    ],
    ids=lambda x: type(x).__name__,
)
def test_objects(target, parameters):
    for _ in range(2):  # what a run leaves in the object is no parameter
        report = check_gradients(target, X)
        assert report.ok, str(report)
        assert arguments(report) == {*parameters, "x"}
        target.forward(X)


def test_a_network_of_objects():
    one_hot = np.eye(3)[LABELS]
    report = check_gradients(Network(), (X, one_hot))
    assert report.ok, str(report)
    own = {"layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b", "layers.4.params.0"}
    assert arguments(report) == {*own, "x"}
    report = check_gradients(Network("sign"), (X, one_hot))
    assert arguments(report, "wrong") == {"layers.2.b"}
    assert "its sign is wrong" in str(report)


def test_an_object_that_forgets_a_gradient():
    report = check_gradients(Affine(4, 3, "no db"), X)
    assert arguments(report, "wrong") == {"b"}
    assert "backward gives None for it" in str(report)


def test_an_array_of_an_object_without_a_gradient_is_a_constant_and_named():
    class Scaled(Affine):
        def __init__(self):
            super().__init__(4, 3)
            self.running_mean = np.zeros(4)

        def forward(self, x):
            return super().forward(x - self.running_mean)

    report = check_gradients(Scaled(), X)
    assert report.ok, str(report)
    assert "contract (running_mean): taken as a constant" in str(report)


@pytest.mark.parametrize(
    ("target", "inputs", "words"),
    [
        (Affine, X, "got the class Affine: pass an object of it, as Affine"),
        ("relu", X, "got str"),
        ((1, 2, 3), X, "got a tuple of 3: int, int, int"),
        (lambda x: x.sum(), X, r"returns \(loss, gradients\), the loss a number; got a number"),
        (lambda x: x, X, r"the loss a number; got an array of shape \(5, 4\)"),
        (Relu(), None, "pass inputs= with what the function is to be checked at"),
        ((affine, affine), (X,), r"affine takes \(x, w, b\), and inputs= has 1: pass one for each"),
    ],
)
def test_what_is_no_target_is_refused_in_one_sentence(target, inputs, words):
    with pytest.raises(ConfigError, match=words):
        check_gradients(target, inputs)

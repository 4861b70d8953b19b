"""Kernels that no operation is compiled for, and values in every form, in captured training."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import network, numbers

import npvae as nv
from npvae import kernels as k
from npvae.kernels.seam import kernel
from npvae.layers import Dense, Layer, Sequential

X = numbers((50, 12))
OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4)

pytestmark = pytest.mark.usefixtures("share_all")

each_number_of_threads = pytest.mark.parametrize("threads", [1, 2])


def python_calls(captured):
    programs = [p for p in (captured.full, captured.short) if p is not None]
    names = [[made.call.kernel for made in program.python_calls] for program in programs]
    assert names[0] == names[-1]
    return names[0]


def layers(*middle):
    """A VAE whose encoder has these between its first and its last layer."""
    encoder = Sequential([Dense(12, 8, "tanh"), *middle, Dense(8, 4)])
    return network(12, 2, encoder=encoder)


# Kernels of a user's own


@kernel
def planar(x, u, w, b):
    """x + u tanh(w·x + b), and the tanh."""
    h = np.tanh(x.dot(w) + b)
    return x + h[..., None] * u, h


@kernel
def planar_backward(dy, x, u, w, h):
    da = dy.dot(u) * (1 - h * h)
    return dy + da[..., None] * w, h.dot(dy), da.dot(x), da.sum(keepdims=True)


class Planar(Layer, abstract=True):
    def __init__(self, width=8):
        self.width = width
        self.in_shape = self.out_shape = (width,)
        for name, shape in (("u", (width,)), ("w", (width,)), ("b", (1,))):
            self.parameter(name, shape, lambda rng, shape: 0.5 * rng.normal(size=shape))

    def forward(self, x):
        y, h = planar(x, self.u, self.w, self.b)
        return y, (x, h)

    def backward(self, cache, dy, wrt_input=True):
        x, h = cache
        dx, du, dw, db = planar_backward(dy, x, self.u, self.w, h)
        self.du += du
        self.dw += dw
        self.db += db
        return dx


@each_number_of_threads
def test_a_kernel_without_an_operation_is_run_by_python(alike, threads):
    captured = alike(layers(Planar(), Planar()), X, threads=threads, **OPTIONS)
    names = ["planar", "planar", "planar_backward", "planar_backward"]
    assert python_calls(captured) == names
    kernels = [made.call for made in captured.full.python_calls]
    assert {call.why for call in kernels} == {""}, "parts were run by Python, not their kernels"


def test_calls_that_follow_one_another_are_one_stop(alike):
    """Compiled code is entered once before them and once after, in either direction."""
    captured = alike(layers(Planar(), Planar()), X, **OPTIONS)
    forward, again, back, back_again = (made.at for made in captured.full.python_calls)
    assert forward == again < back == back_again


@kernel
def add(a, b):
    """Not what npvae's kernel of this name computes."""
    return a - b


class Minus(Layer, abstract=True):
    in_shape = out_shape = (8,)

    def forward(self, x):
        return add(x, k.add(x, x)), None

    def backward(self, cache, dy, wrt_input=True):
        return add(dy, k.add(dy, dy))


def test_a_kernel_by_the_name_of_another_is_itself(alike):
    assert python_calls(alike(layers(Minus()), X, **OPTIONS)) == ["add", "add"]


@kernel
def gram(x):
    return x.T.dot(x) / len(x)


class Tied(Layer, abstract=True):
    """y = x (W + Wᵀ): its gradient comes from Python, in the weight's own form."""

    def __init__(self):
        self.in_shape = self.out_shape = (8,)
        self.parameter("W", (8, 8), lambda rng, shape: 0.3 * rng.normal(size=shape))

    def forward(self, x):
        return symmetric(x, self.W), x

    def backward(self, x, dy, wrt_input=True):
        dx, dW = symmetric_backward(dy, x, self.W)
        self.dW += dW
        self.dW += k.linear_dw(dy, k.add(x, x))
        self.dW += k.linear_dw(k.add(dy, dy), x).T
        return dx


@kernel
def symmetric(x, W):
    return 3 * x.dot(W + W.T)


@kernel
def symmetric_backward(dy, x, W):
    one = x.T.dot(dy)
    return 3 * dy.dot(W + W.T), one + one.T - 0 * W


@each_number_of_threads
def test_a_weights_gradient_may_come_from_python_and_from_operations(alike, threads):
    """dW = 3 (xᵀdy + dyᵀx), a third of it by Python, the rest in two other ways."""
    captured = alike(layers(Tied()), X, threads=threads, **OPTIONS)
    assert python_calls(captured) == ["symmetric", "symmetric_backward", "copy"]


@kernel
def normalise(x, eps):
    centred = x - x.mean(0)
    return centred / np.sqrt((centred * centred).mean(0) + eps)


@kernel
def normalise_backward(dy, x, eps):
    centred = x - x.mean(0)
    inverse = 1 / np.sqrt((centred * centred).mean(0) + eps)
    y = centred * inverse
    return inverse * (dy - dy.mean(0) - y * (dy * y).mean(0))


class Normalised(Layer, abstract=True):
    """Over the batch, then shifted: a bias that no product stands before."""

    in_shape = out_shape = (8,)

    def __init__(self):
        self.parameter("shift", (8,), lambda rng, shape: 0.1 * rng.normal(size=shape))

    def forward(self, x):
        h = k.bias_tanh(normalise(x, 1e-3), self.shift)
        return h, (x, h)

    def backward(self, cache, dy, wrt_input=True):
        x, h = cache
        da, db = k.bias_tanh_backward(dy, h)
        self.dshift += db
        return normalise_backward(da, x, 1e-3)


def test_a_normalisation_before_a_bias(alike):
    captured = alike(layers(Normalised()), X, **OPTIONS)
    assert python_calls(captured) == ["normalise", "normalise_backward"]


# Values in other forms


class Channels(Layer, abstract=True):
    """Rows as (H, W, C): a product over C, a bias for each channel, and rows again."""

    def __init__(self, n, channels_in, channels_out):
        self.n, self.channels = n, (channels_in, channels_out)
        self.in_shape, self.out_shape = (n * channels_in,), (n * channels_out,)
        draw = lambda rng, shape: 0.5 * rng.normal(size=shape)  # noqa: E731
        self.parameter("W", (channels_out, channels_in), draw)
        self.parameter("b", (channels_out,), draw)

    def forward(self, x):
        rows = x.reshape(-1, self.n, self.channels[0]).reshape(-1, self.channels[0])
        h = k.bias_tanh(k.linear(rows, self.W), self.b)
        return h.reshape(x.shape[0], -1), (rows, h, x.shape)

    def backward(self, cache, dy, wrt_input=True):
        rows, h, shape = cache
        da, db = k.bias_tanh_backward(dy.reshape(-1, self.channels[1]), h)
        self.dW += k.linear_dw(da, rows)
        self.db += db
        return k.linear_dx(da, self.W).reshape(shape)


@each_number_of_threads
@pytest.mark.parametrize("batch_size", [16, 1])
def test_channels_are_compiled_as_a_whole(alike, threads, batch_size):
    """The last layer's output is no multiple of its input: 8 -> 2 x 4 -> 2 x 3 -> 6 -> 2 x 4."""
    model = layers(Channels(2, 4, 3), Channels(2, 3, 4))
    options = {**OPTIONS, "batch_size": batch_size, "epochs": 2}
    assert not python_calls(alike(model, X, threads=threads, **options))


def test_channels_of_the_data(alike):
    first = Sequential([Channels(4, 3, 2), Dense(8, 4)])
    assert not python_calls(alike(network(12, 2, encoder=first), X, **OPTIONS))


class Mixed(Layer, abstract=True):
    """y = v(x) + v(x) for a view that is undone on the way back."""

    in_shape = out_shape = (8,)

    def __init__(self, there, back):
        self.there, self.back = there, back

    def forward(self, x):
        seen = self.there(x)
        return self.back(k.bias_identity(seen, self.bias(seen))).reshape(x.shape), x.shape

    def bias(self, seen):
        zeros = np.zeros(seen.shape[-1], np.float32)
        zeros.flags.writeable = False
        return zeros

    def backward(self, shape, dy, wrt_input=True):
        da, _ = k.bias_identity_backward(self.there(dy))
        return self.back(da).reshape(shape)


TURNS = {
    "transposed": (lambda x: x.T, lambda y: y.T, {"copy"}),
    "axes": (
        lambda x: x.reshape(-1, 2, 4).transpose(0, 2, 1).reshape(-1, 2),
        lambda y: y.reshape(-1, 4, 2).transpose(0, 2, 1),
        {"copy"},
    ),
    "backwards": (lambda x: x[:, ::-1], lambda y: y[:, ::-1], {"copy"}),
    "flat": (lambda x: x.reshape(-1, 1), lambda y: y, set()),
}


@pytest.mark.parametrize(("there", "back", "calls"), TURNS.values(), ids=TURNS)
def test_what_has_no_view_is_copied(alike, there, back, calls):
    captured = alike(layers(Mixed(there, back)), X, **OPTIONS)
    assert set(python_calls(captured)) == calls


class Halves(Layer, abstract=True):
    """y = [tanh(a + s), b] of x = [a, b], with a part of a parameter as the bias."""

    in_shape = out_shape = (8,)

    def __init__(self):
        self.parameter("s", (12,), lambda rng, shape: 0.3 * rng.normal(size=shape))

    def forward(self, x):
        h = k.bias_tanh(x[..., :4], self.s[..., 3:7])
        return k.concat(h, x[..., 4:]), h

    def backward(self, h, dy, wrt_input=True):
        da, db = k.bias_tanh_backward(dy[..., :4], h)
        self.ds += widened(db, 12, 3)
        return k.concat(da, dy[..., 4:])


@kernel
def widened(x, n, start):
    wide = np.zeros(n, x.dtype)
    wide[start : start + len(x)] = x
    return wide


def test_a_bias_that_is_part_of_a_parameter(alike):
    assert python_calls(alike(layers(Halves()), X, **OPTIONS)) == ["widened"]


# Refusals in the middle of a rule


class Broadcast(Layer, abstract=True):
    """Adds each row's neighbours' sum: the sum is one row, which NumPy broadcasts."""

    in_shape = out_shape = (8,)

    def forward(self, x):
        return k.add(x, total(x)), None

    def backward(self, cache, dy, wrt_input=True):
        return k.add(dy, total(dy))


@kernel
def total(x):
    return 0.1 * x.sum(0, keepdims=True)


def test_operands_that_numpy_broadcasts_are_added_by_python(alike):
    captured = alike(layers(Broadcast()), X, **OPTIONS)
    assert python_calls(captured) == ["total", "add", "total", "add"]


def test_what_a_refused_rule_began_is_taken_back(alike, monkeypatch):
    from npvae.executor.graph import NotCapturable
    from npvae.executor.lower import RULES

    rule = RULES["linear_dw"]

    def half(to, call):
        rule(to, call)
        raise NotCapturable("not today")

    monkeypatch.setitem(RULES, "linear_dw", half)
    captured = alike(network(12), X, **OPTIONS)
    assert python_calls(captured) == 4 * ["linear_dw"]
    assert {made.why for made in captured.full.python_calls} == {"not today"}
    assert sum(op.name == "product" for op in captured.full.operations) == 4 + 3


def test_outputs_must_be_as_many_each_time():
    class Fickle(nv.Gaussian, abstract=True):
        calls = 0

        def backward(self, cache, d):
            self.calls += 1
            found = super().backward(cache, d)
            return found if self.calls < 3 else (found[0], found[0])

    with pytest.raises(ValueError, match=r"Fickle\.backward gave \d at first and \d now"):
        nv.fit(network(12, likelihood=Fickle()), X, **OPTIONS)

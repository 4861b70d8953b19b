"""What is recorded and what Python runs: found by watching, whoever defined it."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
from capture_cases import network, numbers
from impure import IMPURE, Counting, Global, Knobs, Plain, Tanh, TwiceEncoded

import npvae as nv
from npvae.executor.describe import describe
from npvae.executor.purity import attributes
from npvae.layers import Dense, Layer

X = numbers((50, 5))
OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4)


def python_calls(captured):
    return [made.call.kernel for made in captured.full.python_calls]


# Compositions of a user's own


@pytest.mark.parametrize("activation", [Tanh(), Plain()], ids=lambda a: type(a).__name__)
def test_what_only_calls_kernels_is_captured_without_saying_so(alike, activation):
    assert not python_calls(alike(network(activation=activation), X, **OPTIONS))


def test_a_subclass_of_a_model_is_captured(alike):
    model = TwiceEncoded(5, 2, hidden=(6,))
    assert not python_calls(alike(model, X, **OPTIONS))
    assert describe(model, nv.ELBO()) == "captured as a whole"


# What else a part may do


@pytest.mark.smoke(4)
@pytest.mark.parametrize(("kind", "why"), IMPURE.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_what_does_more_is_run_by_python(alike, kind, why):
    """The part alone: all else is compiled."""
    captured = alike(network(activation=kind()), X, **OPTIONS)
    name = kind.__name__
    assert python_calls(captured) == [
        f"{name}.forward", f"{name}.forward", f"{name}.backward", f"{name}.backward",
    ]  # fmt: skip
    assert {made.why for made in captured.full.python_calls} == {
        made.why for made in captured.full.python_calls if why in made.why
    }
    assert f"{name} (" in describe(network(activation=kind()), nv.ELBO(), batch=4)


class Sometimes(Tanh, abstract=True):
    """Kernels alone for some widths, arrays for another."""

    def forward(self, a, b):
        return super().forward(a, b) if a.shape[-1] == 6 else 2 * (np.tanh(a + b),)


def test_what_can_be_recorded_at_some_of_its_places_is_run_by_python_at_all(alike):
    captured = alike(network(activation=Sometimes(), hidden=(6, 5)), X, **OPTIONS)
    names = 4 * ["Sometimes.forward"] + 4 * ["Sometimes.backward"]
    assert python_calls(captured) == names


class Saying(Tanh, abstract=True):
    """Depends on what nobody can see, and says so."""

    capturable = False


def test_what_says_so_is_run_by_python(alike):
    captured = alike(network(activation=Saying()), X, **OPTIONS)
    assert len(python_calls(captured)) == 4
    objective = nv.ELBO()
    objective.capturable = False
    assert python_calls(alike(network(), X, objective=objective, **OPTIONS)) == ["ELBO"]


class Inside(Layer, abstract=True):
    """A layer that counts within one that only composes."""

    in_shape = out_shape = (5,)

    def __init__(self, inner):
        self.inner, self.outer = inner, Dense(5, 5, "tanh")

    def forward(self, x):
        y, one = self.inner.forward(x)
        z, other = self.outer.forward(y)
        return z, (one, other)

    def backward(self, cache, dz, wrt_input=True):
        return self.inner.backward(cache[0], self.outer.backward(cache[1], dz))


class CountingDense(Dense, abstract=True):
    def forward(self, x):
        self.n = getattr(self, "n", 0) + 1
        np.random.rand()  # noqa: NPY002
        return super().forward(x)


class Meddling(Inside, abstract=True):
    """Sets an attribute of the part within."""

    def forward(self, x):
        self.inner.gain += 1.0
        return super().forward(x)


def composed(layer):
    encoder = nv.layers.Sequential([layer, Dense(5, 4)])
    return network(encoder=encoder)


def test_the_innermost_part_is_run_by_python(alike):
    captured = alike(composed(Inside(CountingDense(5, 5, "tanh"))), X, **OPTIONS)
    assert python_calls(captured) == ["CountingDense.forward", "CountingDense.backward"]


def test_who_sets_anothers_attributes_is_run_by_python(alike):
    captured = alike(composed(Meddling(Dense(5, 5, "tanh"))), X, **OPTIONS)
    assert python_calls(captured) == ["Meddling.forward", "Meddling.backward"]


class Odd(Dense, abstract=True):
    """Gives what is neither an array nor a number, besides."""

    def forward(self, x):
        h, cache = super().forward(x)
        return {"h": np.array(h), "lock": threading.Lock()}, cache


class Opening(Inside, abstract=True):
    def forward(self, x):
        y, one = self.inner.forward(x)
        z, other = self.outer.forward(y["h"])
        return z, (one, other)


def test_what_gives_something_else_is_run_with_what_it_is_in(alike):
    captured = alike(composed(Opening(Odd(5, 5, "tanh"))), X, **OPTIONS)
    assert python_calls(captured) == ["Opening.forward", "Opening.backward"]


# The rehearsal


def test_training_leaves_the_global_random_numbers_alone():
    """What a captured part draws in training it draws; rehearsals draw nothing."""
    states = []
    for kernel_set in (None, "numpy"):
        nv.use_kernels(kernel_set)
        np.random.seed(5)  # noqa: NPY002
        random.seed(5)
        nv.fit(network(activation=Global()), X, valid=X[:9], **OPTIONS)
        states.append((np.random.rand(), random.random()))  # noqa: NPY002
    assert states[0] == states[1]


def test_a_counter_counts_the_steps_of_training():
    activation = Counting()
    model = network(activation=activation)
    nv.fit(model, X, **OPTIONS)
    assert activation.n == 0, "the model's parts are its own"


# Settings that change between epochs


def spied(monkeypatch):
    from npvae.training import captured as steps

    found = []
    capture = steps.CapturedSteps._capture
    monkeypatch.setattr(
        steps.CapturedSteps, "_capture", lambda self: found.append(1) or capture(self)
    )
    return found


def changing(thing, name, values):
    """A callback that sets another value after each epoch."""
    rest = iter(values)

    def callback(model, record):
        setattr(thing, name, next(rest))

    return callback


@pytest.mark.parametrize("values", [[0.3, 0.3, 0.3], [0.3, 0.9, 0.9]], ids=["same", "other"])
def test_what_a_part_holds_may_change_between_epochs(monkeypatch, values):
    flats, captures = [], spied(monkeypatch)
    for kernel_set in (None, "numpy"):
        nv.use_kernels(kernel_set)
        activation = Plain()
        model = network(activation=activation)
        callback = changing(model.decoder.layers[0].activation.knobs, "slope", values)
        nv.fit(model, X, callbacks=[callback], **OPTIONS)
        flats.append(model.flat)
    np.testing.assert_allclose(*flats, atol=1e-5)
    assert len(captures) == (1 if values[1] == 0.3 else 2)


def test_what_python_runs_may_change_as_it_likes(monkeypatch):
    captures = spied(monkeypatch)
    nv.fit(network(activation=Counting()), X, **OPTIONS)
    assert len(captures) == 1


# What is looked at


class Holder:
    def __init__(self, **held):
        vars(self).update(held)


CHANGES = {
    "number": (1, 2),
    "type of a number": (1, 1.0),
    "string": ("a", "b"),
    "item of a list": ([1, 2], [1, 3]),
    "order": ([1, 2], [2, 1]),
    "list or tuple": ([1, 2], (1, 2)),
    "key": ({"a": 1}, {"b": 1}),
    "deep": ({"a": [{"b": (1, 2)}]}, {"a": [{"b": (1, 3)}]}),
    "array": (np.zeros(3), np.array([0.0, 0.0, 1e-300])),
    "type of an array": (np.zeros(3), np.zeros(3, "float32")),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "generator": (np.random.default_rng(0), np.random.default_rng(1)),
    "Python's generator": (random.Random(0), random.Random(1)),
    "object": (Knobs(), Knobs(0.4)),
    "set": ({1, 2}, {1, 3}),
    "missing": (Holder(), Holder(a=1)),
}


@pytest.mark.parametrize(("one", "other"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(one, other):
    seen = [attributes(Holder(held=thing)) for thing in (one, one, other)]
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


def test_things_that_hold_each_other_can_be_looked_at():
    one, other = Holder(n=1), Holder(n=2)
    one.other, other.other = other, one
    before = attributes(one)
    assert before == attributes(one)
    other.n = 3
    assert before != attributes(one)


def test_a_number_that_is_none_stays_the_same():
    assert attributes(Holder(a=float("nan"))) == attributes(Holder(a=float("nan")))

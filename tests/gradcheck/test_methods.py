"""The numeric methods themselves: accuracy, error estimates, kinks, and where they don't apply."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npvae import ELBO, VAE, Bernoulli, ConfigError
from npvae.gradcheck import check_gradients
from npvae.gradcheck.methods import central
from npvae.layers import Dense

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("f", "derivative", "at"),
    [
        (np.sin, np.cos, 0.7),
        (np.exp, np.exp, -3.0),
        (lambda x: np.log(x), lambda x: 1 / x, 1e-3),  # the first steps leave the domain
        (lambda x: np.sin(1000 * x), lambda x: 1000 * np.cos(1000 * x), 0.3),
        (lambda x: 1e8 + x * x, lambda x: 2 * x, 3.0),  # round-off dominates
        (lambda x: np.exp(np.exp(x)), lambda x: np.exp(x + np.exp(x)), 1.5),
        (lambda x: 1e-12 * x**3, lambda x: 3e-12 * x**2, 2.0),
    ],
)
def test_central_differences_know_how_far_off_they_are(f, derivative, at):
    with np.errstate(invalid="ignore"):
        estimate = central(lambda t: float(f(at + t)), scale=max(abs(at), 0.1))
    off = abs(estimate.value - derivative(at))
    assert off <= 4 * estimate.error
    assert estimate.error < 1e-6 * max(abs(derivative(at)), abs(f(at)))
    assert not estimate.kink


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(-3, 3), st.floats(0.2, 4), st.floats(-2, 2))
def test_central_differences_on_random_smooth_functions(at, frequency, mix):
    def f(x):
        return np.sin(frequency * x) + mix * x**3 / 3

    exact = frequency * np.cos(frequency * at) + mix * at**2
    estimate = central(lambda t: float(f(at + t)), scale=max(abs(at), 0.1))
    assert abs(estimate.value - exact) <= max(8 * estimate.error, 1e-13)
    assert estimate.error < 1e-9 * max(1, abs(exact))


@pytest.mark.parametrize("offset", [0.0, 1e-3, 1e-5, 1e-2])
def test_kinks_are_noticed_or_avoided(offset):
    estimate = central(lambda t: abs(offset + t), scale=1.0)
    assert estimate.kink == (offset == 0.0)
    if offset:
        assert estimate.value == pytest.approx(1.0, abs=1e-8)


def test_relu_at_its_kink_is_moved_off_it():
    x = np.array([[0.0, 1.0, -2.0]])

    def relu(x):
        return np.where(x.real > 0, x, 0 * x), x

    def backward(x, d):
        return np.where(x.real > 0, d, 0)

    report = check_gradients((relu, backward), (x,))
    assert report.ok, str(report)
    assert any("1 of 3 entries can't be told at this point" in row.note for row in report)
    wrong = check_gradients((relu, lambda x, d: np.where(x.real > 0, d, 0.5 * d)), (x,))
    assert not wrong.ok


def test_a_dead_relu_layer_with_all_biases_zero_passes():
    layer = Dense(3, 4, "relu").allocate(np.random.default_rng(0))
    report = check_gradients(layer, (np.zeros((2, 3)),))
    assert report.ok, str(report)


def test_vanishing_gradients_are_compared_and_not_waved_through():
    x = np.array([-30.0, -40.0])

    def f(x):
        return np.exp(x).sum()

    assert check_gradients((f, np.exp), (x,), methods=["complex"])
    assert not check_gradients((f, lambda x: 0.5 * np.exp(x)), (x,), methods=["complex"])


def test_complex_step_admits_where_it_does_not_apply():
    def f(x):
        return (np.abs(x) ** 3).sum()

    def gradient(x):
        return 3 * np.abs(x) * x

    report = check_gradients((f, gradient), (RNG.normal(size=3),))
    assert report.ok, str(report)
    assert [r.note for r in report if r.method == "complex"] == [
        "the forward takes no complex input (the result is real: x is unused, or its imaginary "
        "part dropped)"
    ]

    def smooth_but_real(x):
        return (x.real**2 + x * 0).sum()

    report = check_gradients((smooth_but_real, lambda x: 2 * x), (RNG.normal(size=3),))
    assert report.ok, str(report)
    assert any("not analytic" in r.note for r in report if r.method == "complex")
    assert not check_gradients((f, lambda x: x), (RNG.normal(size=3),)).ok


def test_integers_are_constants():
    def f(x, k):
        return (x**k).sum()

    report = check_gradients((f, lambda x, k: (k * x ** (k - 1), None)), (np.ones(3) * 1.5, 3))
    assert report.ok
    assert {row.argument for row in report} == {"x"}


def test_large_arguments_are_sampled_and_the_same_seed_samples_the_same():
    a = RNG.normal(size=(40, 50))

    def f(x):
        return np.sin(a * x).sum()

    def gradient(x):
        return a * np.cos(a * x)

    x = RNG.normal(size=(40, 50))
    first, second = (check_gradients((f, gradient), (x,), max_entries=20) for _ in range(2))
    assert first.ok
    assert first.rows == second.rows


def test_models_parts_and_trained_float32_models():
    model = VAE(5, 2, hidden=(4,), dtype="float32")
    before = model.flat.copy()
    report = check_gradients(model, objective=ELBO(beta=0.5))
    assert report.ok, str(report)
    assert {row.argument for row in report} == set(model.params)
    np.testing.assert_array_equal(model.flat, before)
    x, eps = RNG.random((3, 5)), RNG.normal(size=(2, 3, 2))
    assert check_gradients(model, (x, eps))
    assert check_gradients(Bernoulli())
    assert check_gradients(Bernoulli, methods=("central",), rtol=1e-6)


def test_a_model_with_a_faulty_part_names_that_parts_weights(monkeypatch):
    original = Dense.backward

    def forgets_rows(self, cache, dh, wrt_input=True):
        dx = original(self, cache, dh, wrt_input)
        if self.n_out == 5:
            self.db -= 0.5 * dh.reshape(-1, 5)[0]
        return dx

    monkeypatch.setattr(Dense, "backward", forgets_rows)
    report = check_gradients(VAE(5, 2, hidden=(4,)))
    assert {row.argument for row in report.failures()} == {"decoder.layers.1.b"}


def test_the_wrong_kind_of_question_gets_a_sentence():
    with pytest.raises(ConfigError, match="takes a part, a model, a pair"):
        check_gradients(3)
    with pytest.raises(ConfigError, match="did you mean 'central'"):
        check_gradients(Bernoulli, methods=["centrale"])
    with pytest.raises(ConfigError, match="pass inputs="):
        check_gradients((np.sum, np.ones_like))
    with pytest.raises(ConfigError, match="pass inputs="):
        check_gradients(Dense(7, 2))
    with pytest.raises(ConfigError, match=r"or one number; got an array of shape \(3,\)"):
        check_gradients((np.sin, np.cos), (np.ones(3),))


def test_logits_of_exactly_zero_are_no_kink():
    # A dead decoder gives logits of exactly 0, where softplus = max(x, 0) + log1p(exp(-|x|)) has
    # two branches: complex step follows one branch through both terms, or it is off by 1/2.
    report = check_gradients(Bernoulli, (np.zeros((1, 2, 3)), RNG.random((2, 3))))
    assert report.ok, str(report)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "n"), [(150, 150), (5_000, 200), (200_000, 50), (800_000, 20)])
def test_of_a_function_of_many_numbers_fewer_are_checked_one_by_one(size, n):
    steps = []

    def f(x):
        steps.append(np.iscomplexobj(x))
        return np.sin(x).sum()

    report = check_gradients((f, np.cos), (RNG.normal(size=size),), methods=["complex"])
    assert report.ok
    assert sum(steps) == n

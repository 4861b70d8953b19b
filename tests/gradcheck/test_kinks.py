"""Kinks: a right gradient is never called wrong for them, and a wrong one never excused by them."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.gradcheck import check_gradients
from npvae.gradcheck.methods import central, round_off
from npvae.layers import Dense

WEIGHTS = np.random.default_rng(99).normal(size=100_000)


def max_of_three(x):
    rows = x[: x.size // 3 * 3].reshape(3, -1)
    return rows.max(0).sum()


def d_max_of_three(x):
    rows = x[: x.size // 3 * 3].reshape(3, -1)
    dx = np.zeros_like(x)
    dx[rows.argmax(0) * rows.shape[1] + np.arange(rows.shape[1])] = 1
    return dx


KINKY = {
    "abs": (lambda x: np.abs(x).sum(), np.sign),
    "relu": (lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0),
    "weighted relu": (
        lambda x: (WEIGHTS[: x.size] * np.maximum(x, 0)).sum(),
        lambda x: WEIGHTS[: x.size] * (x > 0),
    ),
    "elu": (
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))).sum(),
        lambda x: np.exp(np.minimum(x, 0)),
    ),
    "huber": (
        lambda x: np.where(np.abs(x) < 1, x * x / 2, np.abs(x) - 0.5).sum(),
        lambda x: np.clip(x, -1, 1),
    ),
    "max": (max_of_three, d_max_of_three),
    "relu and curvature": (
        lambda x: (np.maximum(x, 0) ** 2 + np.abs(x)).sum(),
        lambda x: 2 * np.maximum(x, 0) + np.sign(x),
    ),
    "sort": (
        lambda x: (np.sort(x) * np.arange(x.size)).sum() / x.size,
        lambda x: np.argsort(np.argsort(x)) / x.size,
    ),
}
INPUTS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "half on a kink": lambda rng, n: rng.normal(size=n) * (rng.random(n) < 0.5),
    "all on a kink": lambda rng, n: np.zeros(n),
    "next to a kink": lambda rng, n: 1e-6 * rng.normal(size=n),
    "integers": lambda rng, n: rng.integers(-3, 4, n).astype(float),
}


@pytest.mark.parametrize(
    ("n", "seeds"),
    [
        (3, range(8)),
        (100, range(8, 16)),
        (3000, range(16, 24)),
        pytest.param(100_000, range(24, 26), marks=pytest.mark.slow),
    ],
    ids=lambda value: f"{value:,}" if isinstance(value, int) else "",
)
@pytest.mark.parametrize("name", KINKY)
def test_right_gradients_are_never_called_wrong_or_left_open(name, n, seeds):
    """416 checks: 8 functions, 3 to 100,000 entries, 26 seeds, two methods."""
    for seed in seeds:
        x = np.random.default_rng(seed).normal(size=n)
        for method in ("central", "taylor"):
            report = check_gradients(KINKY[name], (x,), methods=[method], seed=seed, max_entries=4)
            assert report.ok, f"{name}, n = {n}, seed {seed}\n{report}"


@pytest.mark.smoke
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("name", KINKY)
def test_on_kinks_they_are_compared_near_by(name, inputs):
    for seed in range(3):
        x = INPUTS[inputs](np.random.default_rng(seed), 300)
        report = check_gradients(
            KINKY[name], (x,), methods=("central", "taylor"), seed=seed, max_entries=6
        )
        assert report.ok, f"{name}, {inputs}, seed {seed}\n{report}"


FAULTS = {
    "a factor of 1.0001": lambda g: 1.0001 * g,
    "a factor of 1 - 1e-6": lambda g: (1 - 1e-6) * g,
    "1e-4 here and there": lambda g: g * (1 + 1e-4 * np.sin(1e3 * np.arange(g.size))),
    "one entry of all": lambda g: np.where(np.arange(g.size) == np.abs(g).argmax(), 0.5 * g, g),
    "a mask": lambda g: np.ones_like(g),
}


@pytest.mark.smoke
@pytest.mark.parametrize("sizes", [(30, 30, 3000, 3000), (100_000,)], ids=["small", "large"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", KINKY)
def test_wrong_gradients_are_seen_among_as_many_kinks(name, fault, sizes):
    f, gradient = KINKY[name]
    for seed, n in enumerate(sizes):
        x = np.random.default_rng(seed).normal(size=n)
        if np.array_equal(FAULTS[fault](gradient(x)), gradient(x)):
            continue
        report = check_gradients(
            (f, lambda x: FAULTS[fault](gradient(x))), (x,), methods=["taylor"], seed=seed
        )
        assert report.rows[0].verdict == "wrong", f"{name}, n = {n}, seed {seed}\n{report}"


@pytest.mark.parametrize("jump", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("offset", 10.0 ** np.arange(-9, 0))
def test_the_error_estimate_is_honest_at_any_distance_from_a_kink(offset, jump):
    for bend in (np.abs, lambda s: np.where(s > 0, s * s, 0)):  # a kink in phi, or in phi'
        estimate = central(lambda t, b=bend: float(jump * b(offset + t) + np.sin(t + 0.3)))
        slope = jump if bend is np.abs else 2 * jump * offset
        assert abs(estimate.value - slope - np.cos(0.3)) <= estimate.error


def test_steps_of_whole_periods_do_not_deceive():
    for k in range(1, 12):
        estimate = central(lambda t, k=k: float(np.sin(20 * np.pi * k * t + 0.5) + t))
        assert abs(estimate.value - 1 - 20 * np.pi * k * np.cos(0.5)) <= estimate.error


def test_round_off_is_measured_and_neither_kink_nor_curvature_taken_for_it():
    eps = np.finfo(float).eps
    assert round_off(lambda t: float(2 + abs(t) + 50 * t * t)) < 8 * eps
    assert round_off(lambda t: float((1e6 + t) - 1e6)) > 1e5 * eps
    x = np.linspace(0, 1, 50)
    assert round_off(lambda t: float((x + t).astype(np.float32).sum())) > 1e-8


def test_a_function_in_float32_is_left_open_and_not_called_wrong():
    def f(x):
        return float(np.sin(x.astype(np.float32)).sum())

    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=1 + seed % 4)
        report = check_gradients((f, np.cos), (x,), methods=("central", "taylor"), seed=seed)
        assert not any(row.verdict == "wrong" for row in report), str(report)


class Laplace(nv.Likelihood, abstract=True):
    """log p = -|x - m| / s, all of it kinks."""

    not_analytic = "|x - m| has no complex derivative"

    def forward(self, m, x):
        return -np.abs(x - m).sum(-1) / 0.2, np.sign(x - m) / 0.2

    def backward(self, slope, d_log_px):
        return d_log_px[..., None].astype(slope.dtype) * slope, None

    def mean(self, m):
        return m

    def sample(self, m, rng):
        return rng.laplace(m, 0.2)


@pytest.fixture(
    scope="module",
    params=[
        ("relu", "bernoulli"),
        *(
            pytest.param(pair, marks=pytest.mark.slow)
            for pair in (("elu", "gaussian"), ("leaky_relu", Laplace()), ("relu", Laplace()))
        ),
    ],
    ids=lambda pair: pair[0],
)
def trained(request):
    """A trained model, and a batch of digits with noise."""
    activation, likelihood = request.param
    model = nv.VAE(64, 8, hidden=(128,), likelihood=likelihood, activation=activation)
    x, _ = nv.datasets.digits()
    nv.fit(model, x[:1000], epochs=8)
    return model, (x[1000:1050], model.draw_noise(50, 1, np.random.default_rng(0)))


def test_trained_models_full_of_kinks_are_proven(trained):
    model, batch = trained
    report = check_gradients(model, batch, methods=("central", "taylor"), max_entries=3)
    assert {row.verdict for row in report} == {"ok"}, str(report)


@pytest.mark.slow
def test_and_an_error_of_1e_4_in_one_of_their_gradients_is_seen(trained, monkeypatch):
    model, batch = trained
    original = Dense.backward

    def a_little_off(self, cache, dh, wrt_input=True):
        dx = original(self, cache, dh, wrt_input)
        if self.n_in == 8:
            self.db *= 1.0001
        return dx

    monkeypatch.setattr(Dense, "backward", a_little_off)
    report = check_gradients(model, batch, methods=("central", "taylor"), max_entries=3)
    wrong = {(row.argument, row.method) for row in report if row.verdict == "wrong"}
    assert wrong >= {("decoder.layers.0.b", "central"), ("decoder.layers.0.b", "taylor")}
    assert {argument for argument, _ in wrong} == {"decoder.layers.0.b"}, str(report)

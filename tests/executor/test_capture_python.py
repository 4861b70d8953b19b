"""Parts and objectives of a user's own in captured training: run by Python, or as kernels."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from capture_cases import network, numbers
from own_parts import (
    Bent,
    Counting,
    Float32,
    Halves,
    InPlace,
    Scaled,
    Shifted,
    Spread,
    Squared,
    Through,
)

import npvae as nv
from npvae import kernels as k
from npvae.layers import Activation
from npvae.levels import GaussianKL, closed_form
from npvae.objectives import Losses

X = numbers((50, 5))
OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4)
STEPS = 3 * 4

pytestmark = pytest.mark.usefixtures("share_all")


@pytest.mark.smoke(3)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("parts", "objective", "segments"),
    [
        ({"likelihood": Scaled()}, nv.ELBO(n_samples=2), 2),
        ({"likelihood": Scaled()}, nv.IWAE(3), 2),
        ({"likelihood": Float32()}, nv.ELBO(n_samples=2), 2),
        ({"likelihood": InPlace()}, nv.ELBO(n_samples=2), 2),
        ({"activation": Bent(), "hidden": (6, 4)}, nv.ELBO(), 8),
        ({"activation": Bent(), "hidden": ()}, nv.ELBO(), 0),
        ({"activation": Through(), "hidden": (6, 4)}, nv.ELBO(), 8),
        ({"prior": Shifted()}, nv.ELBO(n_samples=2), 2),
        ({"prior": Shifted()}, nv.IWAE(3), 2),
        ({"posterior": Halves()}, nv.ELBO(), 2),
        ({"posterior": Halves(), "prior": Shifted()}, nv.ELBO(), 4),
        ({}, Counting(nv.Linear(0, 2, epochs=2), free_bits=0.1), 1),
        ({}, Spread(), 1),
        ({}, Squared(), 1),
        ({"prior": Shifted()}, Squared(), 3),
        (
            {"likelihood": Scaled(), "activation": Bent(), "prior": Shifted(),
             "posterior": Halves(), "hidden": (6, 4)},
            Counting(), 15,
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)  # fmt: skip
def test_they_train_as_eagerly(alike, parts, objective, segments, threads):
    for context_dim in (0, 2):
        model = network(context_dim=context_dim, **parts)
        context = numbers((50, 2), 9) if context_dim else None
        captured = alike(model, X, context=context, objective=objective, threads=threads, **OPTIONS)
        assert len(captured.full.python_calls) == len(captured.short.python_calls) == segments


def test_batches_of_one_row(alike):
    """Where the objective's gradient is the very array that it was given."""
    for parts in ({}, {"prior": Shifted()}):
        alike(network(**parts), X[:9], objective=Squared(), **{**OPTIONS, "batch_size": 1})


def test_parameters_of_their_own_are_trained():
    likelihood, activation = Scaled(), Bent()
    model = network(likelihood=likelihood, activation=activation)
    before = {n: p.copy() for n, p in model.params.items() if "slope" in n or "log_scale" in n}
    assert len(before) == 2
    nv.fit(model, X, **OPTIONS)
    for name, old in before.items():
        assert np.abs(model.params[name] - old).min() > 1e-4


def test_calls_are_counted_once_a_step(attempts):
    """Rehearsals go to copies."""
    objective = Counting()
    nv.fit(network(), X, objective=objective, **OPTIONS)
    assert len(attempts[0].full.python_calls) == 1
    assert objective.count == STEPS
    times = np.arange(STEPS) / 4
    np.testing.assert_allclose(objective.epochs, times)


class Remembering(nv.Bernoulli, abstract=True):
    """Keeps count in all the ways in which one may."""

    def __init__(self):
        self.calls, self.table, self.array = [], {"n": 0}, np.zeros(1)
        self._private, self.nested = {"n": 0}, ([], {"list": []})

    def forward(self, logits, x):
        self.calls.append(len(x))
        self.table["n"] += 1
        self._private["n"] += 1
        self.array += 1
        self.nested[0].append(1)
        self.nested[1]["list"].append(1)
        return super().forward(logits, x)


def test_what_a_part_keeps_is_of_its_own_steps_alone(attempts):
    likelihood = Remembering()
    nv.fit(network(likelihood=likelihood), X, **OPTIONS)
    assert attempts[0].full.python_calls
    assert likelihood.calls == [16, 16, 16, 2] * 3
    counts = (likelihood.table["n"], likelihood._private["n"], int(likelihood.array[0]))
    assert counts == (STEPS,) * 3
    assert len(likelihood.nested[0]) == len(likelihood.nested[1]["list"]) == STEPS


class Holding(nv.ELBO, abstract=True):
    """Holds what can't be copied."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def test_what_can_not_be_copied_runs_eagerly(attempts):
    nv.fit(network(), X, objective=Holding(), **OPTIONS)
    likelihood = Remembering()
    likelihood.lock = threading.Lock()
    nv.fit(network(likelihood=likelihood), X, **OPTIONS)
    assert attempts == [None, None]
    assert likelihood.table["n"] == STEPS


class Fixed(Spread):
    """Its beta can be read only."""

    def __init__(self):
        pass

    @property
    def beta(self):
        return lambda epoch: 0.5


def test_a_beta_that_can_not_be_set_runs_eagerly(attempts):
    nv.fit(network(), X, objective=Fixed(), **OPTIONS)
    assert attempts == [None]


class Overflowing(nv.Gaussian, abstract=True):
    """An exp that overflows harmlessly, and an invalid number that np.where drops."""

    def forward(self, mean, x):
        gate = 1 / (1 + np.exp(0 * mean + 1000)) + np.where(mean < 99, 0, 0 * mean / (mean - mean))
        log_px, r = super().forward(mean, x)
        return log_px + gate.sum(-1), r


def test_overflow_in_python_is_as_silent_as_in_eager_training(alike):
    with np.errstate(divide="ignore"):
        alike(network(likelihood=Overflowing()), X, **OPTIONS)


class Failing(nv.Gaussian, abstract=True):
    def forward(self, mean, x):
        raise RuntimeError("mine")


def test_an_error_of_theirs_is_raised():
    with pytest.raises(RuntimeError, match=r"^mine$"):
        nv.fit(network(likelihood=Failing()), X, **OPTIONS)
    assert k.add(1.0, 2.0) == 3.0


class Dropping(nv.Gaussian, abstract=True):
    """Depends on more than its inputs: a random number."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)

    def forward(self, mean, x):
        log_px, r = super().forward(mean, x)
        weight = self.rng.random()
        return weight * log_px, weight * r


@pytest.mark.parametrize("part", [Dropping, Remembering])
def test_a_part_with_a_state_draws_and_counts_as_in_eager_steps(attempts, part):
    """What it has of one trial of the recorded step, it does not take into the next."""
    flats = []
    for kernel_set in (None, "numpy"):
        nv.use_kernels(kernel_set)
        model = network(likelihood=part())
        nv.fit(model, X, **OPTIONS)
        flats.append(model.flat)
    assert len(attempts[0].full.python_calls) == 2
    np.testing.assert_allclose(*flats, atol=1e-5)


# Parts that are kernels alone


class Doubled(Activation, abstract=True):
    """tanh(s) + tanh(s), of kernels alone."""

    def forward(self, a, b):
        h = k.bias_tanh(a, b)
        return k.add(h, h), h

    def backward(self, h, dh):
        return k.bias_tanh_backward(k.add(dh, dh), h)


class Weighted(nv.Gaussian, abstract=True):
    """A Gaussian of a sum: of what it is given, and of that again through a layer of its own."""

    def __init__(self):
        super().__init__(0.8)
        self.layer = nv.layers.Dense(5, 5, "tanh")

    def forward(self, mean, x):
        added, cache = self.layer.forward(mean)
        log_px, r = k.gaussian(k.add(mean, added), x, self.scale)
        return log_px, (cache, r)

    def backward(self, cache, d):
        layer, r = cache
        dmean = k.scale_rows(d, r)
        return k.add(dmean, self.layer.backward(layer, dmean)), None


class Tempered(nv.ELBO, abstract=True):
    """An ELBO that leaves out the KL's own loss, of kernels alone."""

    def __call__(self, terms, epoch=math.inf):
        beta = self.beta(epoch)
        rec, d = k.mean_loss(terms.log_px)
        kl, d_kl = k.kl_loss(terms.levels[0].kl, beta, self.free_bits)
        return Losses(k.weighted_loss(rec, kl, beta), rec, kl), nv.Terms(
            d, [nv.LevelTerms(kl=d_kl)]
        )


@pytest.mark.smoke
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("parts", "objective"),
    [
        ({"activation": Doubled()}, nv.ELBO()),
        ({"likelihood": Weighted()}, nv.ELBO(n_samples=3)),
        ({}, Tempered(nv.Linear(0, 3, epochs=2))),
    ],
    ids=["activation", "likelihood", "objective"],
)
def test_pure_ones_are_recorded(alike, parts, objective, threads):
    captured = alike(network(**parts), X, objective=objective, threads=threads, **OPTIONS)
    assert not captured.full.python_calls


class Mixing(Doubled, abstract=True):
    """Kernels on the way forward, arrays on the way back."""

    def backward(self, h, dh):
        da = 2 * dh * (1 - h) * (1 + h)
        return da, da.sum(0)


class Claims(Doubled, abstract=True):
    """Computes on the numbers themselves."""

    def forward(self, a, b):
        h = np.tanh(a + b) * 2
        return h, h / 2

    def backward(self, h, dh):
        da = 2 * dh * (1 - h) * (1 + h)
        return da, da.sum(0)


def test_what_computes_on_numbers_either_way_is_run_by_python(alike):
    for activation in (Claims(), Mixing()):
        captured = alike(network(activation=activation), X, **OPTIONS)
        assert len(captured.full.python_calls) == 4


class Own(Tempered, abstract=True):
    """Weighs the KL by a number of its own, next to a schedule that starts there."""

    def __call__(self, terms, epoch=math.inf):
        rec, d = k.mean_loss(terms.log_px)
        kl, d_kl = k.kl_loss(terms.levels[0].kl, 1.0, self.free_bits)
        return Losses(k.weighted_loss(rec, kl, 1.0), rec, kl), nv.Terms(d, [nv.LevelTerms(kl=d_kl)])


class Constants(Doubled, abstract=True):
    def forward(self, a, b):
        h = k.bias_tanh(k.add(a, 0.5), b)
        return k.add(h, h), h


class Noisy(nv.posteriors.Reparameterise, abstract=True):
    """Asks for the gradient of the noise."""

    def backward(self, cache, dz):
        dmu, dlogvar, deps = super().backward(cache, dz)
        return k.add(dmu, k.reparameterise_backward(deps, *cache)[0]), dlogvar, deps


class NoisyPosterior(nv.DiagonalGaussian, abstract=True):
    def __init__(self):
        super().__init__()
        self.sample = Noisy()


closed_form(NoisyPosterior, nv.StandardNormal)(GaussianKL)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("parts", "objective", "calls"),
    [
        ({}, Own(nv.Linear(1.0, 0.0, epochs=2)), ["kl_loss", "weighted_loss"]),
        ({"activation": Constants()}, nv.ELBO(), 2 * ["add"]),
        ({"posterior": NoisyPosterior()}, nv.ELBO(), ["reparameterise_backward"]),
    ],
    ids=["a beta of its own", "a constant in a kernel", "the gradient of the noise"],
)
def test_a_kernel_whose_operation_does_not_fit_is_run_by_python(
    alike, parts, objective, calls, threads
):
    captured = alike(network(**parts), X, objective=objective, threads=threads, **OPTIONS)
    assert [made.call.kernel for made in captured.full.python_calls] == calls


class OwnModel(nv.VAE, abstract=True):
    """Does array work of its own: standardises the data."""

    def forward(self, x, eps, context=None, needs=("log_px", "kl")):
        return super().forward(2 * x - 1, eps, context, needs)


class Renamed(nv.VAE, abstract=True):
    """Nothing of its own."""


@pytest.mark.parametrize("objective", [nv.ELBO(n_samples=2), nv.IWAE(3)], ids=["elbo", "iwae"])
def test_a_model_that_does_its_own_array_work_is_run_by_python(alike, objective):
    model = OwnModel(5, 2, hidden=(6,), likelihood="gaussian")
    captured = alike(model, X, objective=objective, valid=X[:9], **OPTIONS)
    calls = [made.call.kernel for made in captured.full.python_calls]
    assert calls == ["OwnModel.forward", "OwnModel.backward"]


def test_a_model_of_another_name_is_captured_as_a_whole(alike):
    captured = alike(Renamed(5, 2, hidden=(6,)), X, **OPTIONS)
    assert not captured.full.python_calls

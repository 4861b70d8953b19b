"""What `decode` computes is a list of kernel calls: recorded and replayed, to the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae import kernels

MIXED = {
    "name": "mixed",
    "groups": [["gaussian_column_scale", [4, 0]], ["poisson", [1]], ["categorical", [5, 2]],
               [{"name": "beta", "concentration": "decoder"}, [3]]],
}  # fmt: skip
LIKELIHOODS = [n for n, c in nv.registered("likelihood").items() if c.__module__[:6] == "npvae."]
BY_DECODER = [
    "laplace:scale=decoder", "student_t:df=3,scale=decoder", "beta:concentration=decoder",
    "negative_binomial:dispersion=decoder", "zero_inflated_negative_binomial:dispersion=decoder",
]  # fmt: skip
LINES = [{"x": [0, 1, 4], "y": [-1, 0, 2], "step": step} for step in (0, 1, 0, 0.5, 0, 0)]
TRANSFORMED = {"name": "transformed", "marginals": LINES}
CHOICES = [
    *(n for n in LIKELIHOODS if n not in ("mixed", "transformed")), *BY_DECODER,
    "categorical:classes=3", MIXED, TRANSFORMED,
]  # fmt: skip


class Traced:
    """Stands for an array while its kernel calls are listed: of NumPy it can only be a view."""

    def __init__(self, calls, example, made):
        self.calls, self.example, self.made = calls, example, made
        self.shape, self.ndim, self.dtype = example.shape, example.ndim, example.dtype

    def reshape(self, *shape):
        return Traced(self.calls, self.example.reshape(*shape), lambda a: a(self).reshape(*shape))

    def __getitem__(self, key):
        return Traced(self.calls, self.example[key], lambda a: a(self)[key])


def trace(function, example):
    """The traced input, its output, and the calls that lead from one to the other."""
    calls = []

    def recorder(kernel, *arguments):
        examples = [a.example if isinstance(a, Traced) else a for a in arguments]
        results = kernel(*examples)
        several = results if isinstance(results, tuple) else (results,)
        outputs = [Traced(calls, r, None) for r in several]
        calls.append((kernel, arguments, outputs))
        return tuple(outputs) if isinstance(results, tuple) else outputs[0]

    given = Traced(calls, example, None)
    with kernels.recording(recorder):
        return given, function(given), calls


def replay(traced, array):
    given, output, calls = traced
    found = {id(given): array}

    def value(a):
        if not isinstance(a, Traced):
            return a
        return found[id(a)] if a.made is None else a.made(value)

    for kernel, arguments, outputs in calls:
        results = kernel(*[value(a) for a in arguments])
        results = results if isinstance(results, tuple) else (results,)
        found.update({id(o): r for o, r in zip(outputs, results, strict=True)})
    return value(output)


def small(likelihood, **options):
    model = nv.VAE(6, 2, hidden=(5,), activation="gelu", likelihood=likelihood, **options)
    model.flat += 0.5 * np.random.default_rng(1).normal(size=model.n_params).astype("float32")
    return model


@pytest.mark.parametrize("take", ["mean", "mode"])
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_decode_is_recorded_and_replayed_to_the_same_bits(choice, take):
    model = small(choice)
    z, other = np.random.default_rng(2).normal(size=(2, 7, 2)).astype("float32")
    output = getattr(model.likelihood, take)
    traced = trace(lambda z: output(model.theta(z, None)), z)
    assert len(traced[2]) >= 4
    np.testing.assert_array_equal(replay(traced, other), model.decode(other, take=take))


def test_units_are_restored_by_a_kernel_too():
    x = np.random.default_rng(3).normal([1e3, 0, -5, 1, 2, 3], [1, 10, 2, 1, 1, 5], (50, 6))
    model = small("gaussian_column_scale", standardise=True)
    nv.fit(model, x, epochs=1)
    z, other = np.random.default_rng(2).normal(size=(2, 7, 2)).astype("float32")
    traced = trace(lambda z: model._output("mean", 0)(model.theta(z, None)), z)
    assert traced[2][-1][0].__name__ == "restored"
    np.testing.assert_array_equal(replay(traced, other), model.decode(other))


def test_what_is_no_kernel_can_not_be_recorded():
    with pytest.raises(TypeError):
        trace(lambda z: z + 1, np.ones((2, 3)))
    with pytest.raises(AttributeError):
        trace(lambda z: z.sum(), np.ones((2, 3)))

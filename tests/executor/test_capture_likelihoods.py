"""Likelihoods and priors that npvae has: captured as a whole, and what eager training gives."""

from __future__ import annotations

import re

import numpy as np
import pytest
from capture_cases import assert_agreement, data_for, network

import npvae as nv
from npvae.executor.describe import describe

LIKELIHOODS = {
    "continuous Bernoulli": nv.ContinuousBernoulli,
    "Gaussian, a scale per column": nv.GaussianColumnScale,
    "Gaussian, a scale per entry": nv.GaussianHeteroscedastic,
    "Laplace": nv.Laplace,
    "Laplace by the decoder": lambda: nv.Laplace("decoder"),
    "Student's t": lambda: nv.StudentT(3.0),
    "Student's t by the decoder": lambda: nv.StudentT(5.0, scale="decoder"),
    "Poisson": nv.Poisson,
    "Poisson with a library": lambda: nv.Poisson(library=20.0),
    "negative binomial": nv.NegativeBinomial,
    "negative binomial by the decoder": lambda: nv.NegativeBinomial("decoder", library=True),
    "zero-inflated": nv.ZeroInflatedNegativeBinomial,
    "zero-inflated by the decoder": lambda: nv.ZeroInflatedNegativeBinomial("decoder", library=9.0),
    "categorical": lambda: nv.Categorical((3, 2, 4, 2, 5)),
    "categorical, all alike": lambda: nv.Categorical(4),
    "one-hot": nv.OneHot,
    "ordinal": lambda: nv.Ordinal((3, 2, 4, 2, 5)),
    "beta": nv.Beta,
    "beta by the decoder": lambda: nv.Beta("decoder"),
}
PRIORS = {"mixture": lambda: nv.Mixture(3), "VampPrior": lambda: nv.VampPrior(4)}

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
each_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)


@pytest.mark.smoke
@pytest.mark.usefixtures("share_all")
@pytest.mark.parametrize("threads", [1, 2])
@each_likelihood
def test_steps_with_each_likelihood(likelihood, threads):
    model = network(likelihood=likelihood())
    step = assert_agreement(model, nv.ELBO(n_samples=2), 7, threads)
    assert not step.program.python_calls


@pytest.mark.smoke
@pytest.mark.usefixtures("share_all")
@pytest.mark.parametrize("context_dim", [0, 2])
@pytest.mark.parametrize(
    "objective", [nv.ELBO(beta=0.5, n_samples=3), nv.IWAE(2)], ids=["elbo", "iwae"]
)
@each_prior
def test_steps_with_each_prior(prior, objective, context_dim):
    for threads in (1, 3):
        model = network(prior=prior(), context_dim=context_dim)
        step = assert_agreement(model, objective, 7, threads)
        assert not step.program.python_calls


@pytest.mark.usefixtures("share_all")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("objective", [nv.ELBO(n_samples=2), nv.IWAE(3)], ids=["elbo", "iwae"])
@pytest.mark.parametrize(
    "parts",
    [{"posterior": "planar:n=3"}, {"posterior": "iaf:n=2,width=5"}, {"prior": "coupling:n=2"}],
    ids=["planar", "iaf", "coupling prior"],
)
def test_steps_with_flows(parts, objective, threads):
    step = assert_agreement(network(**parts), objective, 7, threads)
    assert not step.program.python_calls


@each_likelihood
def test_training_with_each_likelihood(alike, likelihood):
    # Of counts tanh would make tiny slopes, which are mostly rounding, and its kin large rates.
    model = network(likelihood=likelihood(), activation="leaky_relu")
    model.flat *= 0.3
    x = data_for(model.likelihood, (50, 5))
    captured = alike(
        model, x, valid=x[:9], objective=nv.ELBO(n_samples=2), epochs=3, batch_size=16, lr=3e-3,
        seed=4,
    )  # fmt: skip
    assert not captured.full.python_calls


@pytest.mark.smoke(6)
@each_likelihood
def test_training_with_missing_entries_and_units_of_ones_own(alike, likelihood):
    part = likelihood()
    x = data_for(part, (50, 5))
    gaps = np.random.default_rng(1).random(x.shape) < 0.2
    if isinstance(part, nv.OneHot):  # whose columns are one label
        gaps[:] = gaps[:, :1]
    x[gaps] = np.nan
    model = network(likelihood=part, missing="mask", standardise=part.real)
    if part.real:
        x = 40 * x + 300
    captured = alike(
        model, x, valid=x[:9], objective=nv.ELBO(n_samples=2), epochs=2, batch_size=16, lr=3e-3,
        seed=5,
    )  # fmt: skip
    assert not captured.full.python_calls


@each_prior
def test_training_with_each_prior(alike, prior):
    x = data_for(None, (50, 5))
    alike(network(prior=prior()), x, valid=x[:9], epochs=3, batch_size=16, lr=3e-3, seed=4)


def test_blocks_of_rows():
    """More rows than the short rows of scratch hold, and not a multiple of them."""
    for likelihood in (nv.NegativeBinomial(), nv.GaussianHeteroscedastic(), nv.Categorical(3)):
        assert_agreement(network(likelihood=likelihood), nv.ELBO(n_samples=2), 261, 2)


# What is said of it


@each_likelihood
def test_captured_as_a_whole(likelihood):
    assert describe(network(likelihood=likelihood()), nv.ELBO()) == "captured as a whole"


class Plain(nv.Gaussian, abstract=True):
    """In plain NumPy."""

    name = "plain"

    def forward(self, mean, x):
        return -0.5 * ((x - mean) ** 2).sum(-1, dtype=float), x - mean

    def backward(self, r, d):
        return d[..., None].astype(r.dtype) * r, None


def test_what_is_not_captured_is_named():
    own = network(likelihood=Plain())
    assert re.fullmatch(
        r"captured, but for 0\.\d+ ms of each step in Python: "
        r"Plain \(x was used outside of a kernel\)",
        describe(own, nv.ELBO(), batch=3),
    )
    wide = nv.VAE(5, 2, hidden=(6,), dtype="float64")
    assert describe(wide, nv.ELBO()).startswith("eager: the weights are float64")
    nv.use_kernels("numpy")
    assert describe(network(), nv.ELBO()).startswith("eager: numba is not installed, or")


def test_describing_changes_nothing():
    model = network(likelihood="poisson", prior="vamp")
    before = model.flat.copy()
    describe(model, nv.IWAE(3))
    np.testing.assert_array_equal(model.flat, before)

"""Whole VAEs: the loss and every parameter's gradient against PyTorch's and JAX's autodiff."""

from __future__ import annotations

import jax_witness
import numpy as np
import pytest
import torch_witness
from oracle_compare import assert_agree, losses_and_gradients
from oracle_parts import PARTS, B, C, D, H, Z

import npvae as nv

RTOL = 1e-10

# npvae's objective, and its loss of a witness's terms.
OBJECTIVES = {
    "elbo": (nv.ELBO(), lambda w, terms: w.elbo_loss(terms)),
    "beta": (nv.ELBO(beta=2.5), lambda w, terms: w.elbo_loss(terms, 2.5)),
    "free bits": (nv.ELBO(0.7, free_bits=0.5), lambda w, terms: w.elbo_loss(terms, 0.7, 0.5)),
    "iwae": (nv.IWAE(), lambda w, terms: w.iwae_loss(terms)),
}
LIKELIHOODS = {
    "bernoulli": nv.Bernoulli(),
    "gaussian": nv.Gaussian(0.4),
    "gaussian_learnt_scale": nv.GaussianLearntScale(),
}
ACTIVATIONS = [name.split(".")[1] for name in PARTS if name.startswith("activation.")]
MODELS = [
    *((activation, "bernoulli", 0) for activation in ACTIVATIONS),
    *(("tanh", likelihood, 0) for likelihood in LIKELIHOODS if likelihood != "bernoulli"),
    *(("tanh", likelihood, C) for likelihood in LIKELIHOODS),
]


WITNESSED_AS_PARTS = {
    "beta", "categorical", "continuous_bernoulli", "gaussian_column_scale",
    "gaussian_heteroscedastic", "laplace", "negative_binomial", "one_hot", "poisson", "student_t",
    "zero_inflated_negative_binomial",
}  # fmt: skip
"""Likelihoods whose own values and gradients have witnesses, and whose models differ in no other
part from those here."""


def test_every_likelihood_has_its_model():
    names = {name.split(".")[1] for name in PARTS if name.startswith("likelihood.")}
    assert names == set(LIKELIHOODS) | WITNESSED_AS_PARTS


def small_model(rng, activation="tanh", likelihood="bernoulli", context_dim=0):
    model = nv.VAE(
        D, Z, hidden=(H, 5), activation=activation, likelihood=LIKELIHOODS[likelihood],
        dtype="float64", context_dim=context_dim,
    )  # fmt: skip
    model.flat[:] = rng.normal(0, 0.6, model.n_params)
    return model


@pytest.mark.parametrize("witness", [torch_witness, jax_witness], ids=["torch", "jax"])
@pytest.mark.parametrize(("activation", "likelihood", "context_dim"), MODELS)
def test_small_model(activation, likelihood, context_dim, witness, use_kernels):
    rng = np.random.default_rng(0)
    model = small_model(rng, activation, likelihood, context_dim)
    x = rng.random((B, D))
    context = rng.normal(size=(B, C)) if context_dim else None
    eps = model.draw_noise(B, 3, rng)
    losses = {name: loss for name, (_, loss) in OBJECTIVES.items()}
    expected = losses_and_gradients(witness, model, losses, x, eps, context)
    for kernels in ("numpy", "numba"):
        use_kernels(kernels)
        for name, (objective, _) in OBJECTIVES.items():
            loss, gradients = nv.value_and_grad(model, objective, x, eps, context)
            assert loss == pytest.approx(expected[name][0], rel=RTOL)
            assert_agree(gradients, expected[name][1], RTOL)


@pytest.mark.parametrize("witness", [torch_witness, jax_witness], ids=["torch", "jax"])
@pytest.mark.parametrize("context_dim", [0, C])
@pytest.mark.parametrize("prior", [nv.Mixture(4), nv.VampPrior(4)], ids=["mixture", "vamp"])
def test_small_model_with_a_learnt_prior(prior, context_dim, witness, use_kernels):
    rng = np.random.default_rng(0)
    model = nv.VAE(
        D, Z, hidden=(H, 5), activation="tanh", prior=prior, dtype="float64",
        context_dim=context_dim,
    )  # fmt: skip
    model.flat[:] = rng.normal(0, 0.6, model.n_params)
    x, eps = rng.random((B, D)), model.draw_noise(B, 3, rng)
    context = rng.normal(size=(B, C)) if context_dim else None
    losses = {
        "elbo": lambda w, terms: w.sampled_elbo_loss(terms, 0.7),
        "iwae": lambda w, terms: w.iwae_loss(terms),
    }
    expected = losses_and_gradients(witness, model, losses, x, eps, context)
    for kernels in ("numpy", "numba"):
        use_kernels(kernels)
        for name, objective in {"elbo": nv.ELBO(0.7), "iwae": nv.IWAE()}.items():
            loss, gradients = nv.value_and_grad(model, objective, x, eps, context)
            assert loss == pytest.approx(expected[name][0], rel=RTOL)
            assert_agree(gradients, expected[name][1], RTOL)


def test_free_bits_hold_some_dimensions_and_not_others():
    """Else the comparison above would not see what they do."""
    rng = np.random.default_rng(0)
    model = small_model(rng)
    terms, _ = model.forward(rng.random((B, D)), model.draw_noise(B, 1, rng))
    above = terms.kl[0].mean((0, 1)) > OBJECTIVES["free bits"][0].free_bits
    assert above.any()
    assert not above.all()

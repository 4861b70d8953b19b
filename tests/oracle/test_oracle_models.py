"""Whole VAEs: the loss and every parameter's gradient against PyTorch's and JAX's autodiff."""

from __future__ import annotations

import jax_witness
import numpy as np
import pytest
import torch_witness
from oracle_compare import assert_agree, losses_and_gradients
from oracle_parts import PARTS, B, C, Draw, H, Z
from oracle_parts.models import codes

import npvae as nv

RTOL = 1e-10

# npvae's objective, and its loss of a witness's terms.
OBJECTIVES = {
    "elbo": (nv.ELBO(), lambda w, terms: w.elbo_loss(terms)),
    "beta": (nv.ELBO(beta=2.5), lambda w, terms: w.elbo_loss(terms, 2.5)),
    "free bits": (nv.ELBO(0.7, free_bits=0.5), lambda w, terms: w.elbo_loss(terms, 0.7, 0.5)),
    "iwae": (nv.IWAE(), lambda w, terms: w.iwae_loss(terms)),
}
WITH_SAMPLED_KL = {
    "elbo": (nv.ELBO(0.7), lambda w, terms: w.sampled_elbo_loss(terms, 0.7)),
    "iwae": OBJECTIVES["iwae"],
}
"""For priors whose KL has no closed form."""

ACTIVATIONS, LIKELIHOODS, PRIORS = (
    [name.split(".")[1] for name in PARTS if name.startswith(f"{family}.")]
    for family in ("activation", "likelihood", "prior")
)

each_witness = pytest.mark.parametrize(
    "witness", [torch_witness, jax_witness], ids=["torch", "jax"]
)
each_context = pytest.mark.parametrize("context_dim", [0, C])


def small_model(rng, likelihood="bernoulli", activation="tanh", context_dim=0, prior="standard"):
    """A VAE with random parameters, and data (B, x_dim) that its likelihood takes."""
    part, (_, x) = PARTS[f"likelihood.{likelihood}"].example(Draw(rng, 1, False))
    model = nv.VAE(
        x.shape[1], Z, hidden=(H, 5), activation=activation, likelihood=part.config, prior=prior,
        dtype="float64", context_dim=context_dim,
    )  # fmt: skip
    model.flat[:] = rng.normal(0, 0.6, model.n_params)
    return model, x


def check(witness, use_kernels, objectives, **options):
    """Losses and gradients, of both kernel sets, against the witness's."""
    rng = np.random.default_rng(0)
    model, x = small_model(rng, **options)
    context = rng.normal(size=(B, C)) if model.context_dim else None
    eps = model.draw_noise(B, 3, rng)
    losses = {name: loss for name, (_, loss) in objectives.items()}
    expected = losses_and_gradients(witness, model, losses, x, eps, context)
    for kernels in ("numpy", "numba"):
        use_kernels(kernels)
        for name, (objective, _) in objectives.items():
            loss, gradients = nv.value_and_grad(model, objective, x, eps, context)
            assert loss == pytest.approx(expected[name][0], rel=RTOL)
            assert_agree(gradients, expected[name][1], RTOL)


@each_witness
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_activation(activation, witness, use_kernels):
    check(witness, use_kernels, OBJECTIVES, activation=activation)


@each_witness
@each_context
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_each_likelihood(likelihood, context_dim, witness, use_kernels):
    check(witness, use_kernels, OBJECTIVES, likelihood=likelihood, context_dim=context_dim)


@each_witness
@each_context
@pytest.mark.parametrize(
    "prior", ["mixture:n_components=4", "vamp:n_components=4", "coupling:n=2,hidden=[4]"]
)
@pytest.mark.parametrize("likelihood", ["bernoulli", "negative_binomial"])
def test_each_learnt_prior(likelihood, prior, context_dim, witness, use_kernels):
    options = dict(likelihood=likelihood, prior=prior, context_dim=context_dim)
    check(witness, use_kernels, WITH_SAMPLED_KL, **options)


@each_witness
def test_a_prior_of_the_context(witness, use_kernels):
    check(witness, use_kernels, OBJECTIVES, prior="conditional", context_dim=3)


@each_witness
@pytest.mark.parametrize("estimator", ["relaxed", "exact"])
@pytest.mark.parametrize("posterior", ["categorical:n=2,classes=3", "bernoulli"])
def test_codes(posterior, estimator, witness, use_kernels):
    rng = np.random.default_rng(0)
    of_classes = "classes" in posterior
    model = nv.VAE(
        4, None if of_classes else 3, hidden=(H, 5), activation="tanh", dtype="float64",
        posterior=posterior + (",estimator=" if of_classes else ":estimator=") + estimator,
        prior=None if of_classes else "bernoulli:p=0.3",
    )  # fmt: skip
    model.flat[:] = rng.normal(0, 0.6, model.n_params)
    x, eps = rng.random((B, 4)), model.draw_noise(B, 3, rng)
    losses = {"beta": OBJECTIVES["beta"][1]}
    expected = losses_and_gradients(witness, model, losses, x, eps, None, codes)["beta"]
    for kernels in ("numpy", "numba"):
        use_kernels(kernels)
        loss, gradients = nv.value_and_grad(model, OBJECTIVES["beta"][0], x, eps)
        assert loss == pytest.approx(expected[0], rel=RTOL)
        assert_agree(gradients, expected[1], RTOL)


def test_every_prior_has_its_model():
    """Of "flow" it is "coupling", which is made of the same flows."""
    of_codes = {"uniform", "bernoulli"}
    others = {"standard", "mixture", "vamp", "conditional", "coupling", "flow"}
    assert set(PRIORS) == others | of_codes


def test_free_bits_hold_some_dimensions_and_not_others():
    """Else the comparison above would not see what they do."""
    rng = np.random.default_rng(0)
    model, x = small_model(rng)
    terms, _ = model.forward(x, model.draw_noise(B, 1, rng))
    above = terms.levels[0].kl.mean((0, 1)) > OBJECTIVES["free bits"][0].free_bits
    assert above.any()
    assert not above.all()

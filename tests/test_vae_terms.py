"""Every term that a model can give, and the gradient through each, whatever objective asks for it.

The objectives that npvae has use four of the six terms; one on the aggregate posterior would use
the samples and the posterior's parameters.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import npvae as nv
from npvae.core import LevelTerms, Terms
from npvae.gradcheck import check_gradients
from npvae.objectives import Losses

NEEDS = ("log_px", "kl", "log_pz", "log_qz", "z", "posterior")


class Weighted:
    """Σ weights · term over the terms that are asked for: linear, so the weights are its gradient.

    Random weights differ for every sample, row and dimension: no term can stand in for another.
    """

    n_samples = 2

    def __init__(self, *needs):
        self.needs = needs

    def beta(self, epoch):
        return 1.0

    def __call__(self, terms, epoch=math.inf):
        rng = np.random.default_rng(6)
        total, d_terms = 0.0, Terms()

        def weigh(term):
            nonlocal total
            weights = rng.normal(size=term.shape)
            total = total + (weights * term).sum()
            return weights

        if "log_px" in self.needs:
            d_terms.log_px = weigh(terms.log_px)
        else:
            d_terms.log_px = np.zeros(terms.log_px.shape)
        for level in terms.levels:
            asked = [n for n in ("kl", "log_pz", "log_qz", "z") if n in self.needs]
            d_level = LevelTerms(**{name: weigh(getattr(level, name)) for name in asked})
            if "posterior" in self.needs:
                d_level.posterior = tuple(weigh(p) for p in level.posterior)
            d_terms.levels.append(d_level)
        return Losses(total, total, 0.0), d_terms


def model(context_dim=0):
    return nv.VAE(5, 2, hidden=(4,), activation="tanh", dtype="float64", context_dim=context_dim)


@pytest.mark.smoke
@pytest.mark.parametrize("context_dim", [0, 3])
@pytest.mark.parametrize("needs", [*((name,) for name in NEEDS), NEEDS], ids="+".join)
def test_the_gradient_through_every_term(needs, context_dim):
    report = check_gradients(model(context_dim), objective=Weighted(*needs), methods=["complex"])
    assert report.ok, str(report)


@pytest.mark.parametrize("needs", [(), *((name,) for name in NEEDS[1:]), NEEDS], ids="+".join)
def test_the_terms_are_those_that_were_asked_for(needs):
    """log_px is always there."""
    vae, rng = model(), np.random.default_rng(0)
    eps = vae.draw_noise(3, 2, rng)
    terms, _ = vae.forward((rng.random((3, 5)) < 0.5).astype(float), eps, needs=needs)
    (level,) = terms.levels
    assert {name for name in NEEDS[1:] if getattr(level, name) is not None} == {*needs} - {"log_px"}
    assert terms.log_px.shape == (2, 3)


@pytest.mark.parametrize("prior", ["mixture", "vamp"])
def test_a_sampled_kl_is_computed_where_it_is_asked_for(prior):
    model = nv.VAE(4, 2, hidden=(3,), prior=prior)
    x, eps = np.full((2, 4), 0.5, "float32"), np.zeros((1, 2, 2), "float32")
    terms, _ = model.forward(x, eps, needs=("log_px",))
    assert terms.levels == [LevelTerms()]
    (level,) = model.forward(x, eps, needs=("kl",))[0].levels
    assert level.kl is None
    assert level.log_pz.shape == level.log_qz.shape == (1, 2)


def test_z_and_posterior_are_what_the_other_terms_are_of():
    vae, rng = model(), np.random.default_rng(0)
    x, eps = (rng.random((3, 5)) < 0.5).astype(float), vae.draw_noise(3, 2, rng)
    terms, _ = vae.forward(x, eps, needs=NEEDS)
    (level,) = terms.levels
    (mu, logvar), z = level.posterior, level.z
    np.testing.assert_array_equal([mu, logvar], vae.encode(x))
    np.testing.assert_allclose(z, mu + np.exp(logvar / 2) * eps, rtol=1e-14)
    log_pz = -0.5 * (z**2 + np.log(2 * np.pi)).sum(-1)
    np.testing.assert_allclose(level.log_pz, log_pz, rtol=1e-14)


@pytest.mark.parametrize("context_dim", [0, 3])
def test_the_gradient_of_the_data_is_not_computed(context_dim):
    """Nobody asks for it, and it is the one product that needs the encoder's first weights."""
    vae, rng, objective = model(context_dim), np.random.default_rng(0), nv.ELBO()
    x, context = rng.random((3, 5)), rng.normal(size=(3, context_dim))
    worker = vae.with_gradients(np.zeros(vae.n_params))
    eps = worker.draw_noise(3, 1, rng)
    terms, cache = worker.forward(x, eps, context if context_dim else None)
    worker.encoder.layers[0].W = None
    worker.backward(cache, objective(terms)[1])

"""What models compute in a step is what their encoders and decoders say of the same rows."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.core import LevelTerms, Terms

SMALL = dict(hidden=(4,), activation="gelu", dtype="float64")
HIERARCHIES = {
    f"{inference}, {len(z_dims)}": (inference, z_dims)
    for inference in ("top_down", "bottom_up", "chain")
    for z_dims in ((3,), (4, 3, 2))
}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def rows(rng, model):
    model.flat += 0.4 * rng.normal(size=model.n_params)
    return rng.random((4, 5)), rng.normal(size=(4, 2))


def hierarchy(inference, z_dims):
    return nv.HierarchicalVAE(5, z_dims, inference=inference, context_dim=2, **SMALL)


@pytest.mark.parametrize("sizes", HIERARCHIES.values(), ids=HIERARCHIES)
def test_each_level_of_a_hierarchy_is_drawn_around_its_centre(sizes, rng):
    model = hierarchy(*sizes)
    x, context = rows(rng, model)
    q = model.posteriors(x, context)
    theta = model.theta(q[0][0][None], context)
    for at, (mu, logvar) in enumerate(q):
        eps = [np.zeros((2, 4, z)) for z in sizes[1]]
        eps[at] = rng.normal(size=eps[at].shape)
        given = eps if len(q) > 1 else eps[0]
        terms, _ = model.forward(x, given, context, needs=("log_px", "z"))
        np.testing.assert_allclose(terms.levels[at].z, mu + np.exp(logvar / 2) * eps[at])
        assert terms.log_px.shape == (2, 4)
    terms, _ = model.forward(x, [0 * e for e in eps] if len(q) > 1 else 0 * given, context)
    log_px, _ = model.likelihood.forward(theta, x)
    np.testing.assert_allclose(terms.log_px, np.repeat(log_px, 2, axis=0))


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_an_autoencoder_decodes_what_it_makes_of_rows_with_noise(noise, rng):
    model = nv.Autoencoder(5, 2, noise=noise, context_dim=2, **SMALL)
    x, context = rows(rng, model)
    eps = rng.normal(size=(1, 4, 7)) if noise else model.draw_noise(4, 1, rng)
    terms, _ = model.forward(x, eps, context)
    seen = x + noise * eps[0, :, :5] if noise else x
    theta = model.theta(model.posteriors(seen, context)[0][0][None], context)
    np.testing.assert_allclose(terms.log_px, model.likelihood.forward(theta, x)[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: nv.VAE(5, 2, **SMALL),
        lambda: nv.SemiSupervisedVAE(5, 2, 3, **SMALL),
        lambda: nv.HierarchicalVAE(5, (4, 3, 2), inference="top_down", **SMALL),
        lambda: nv.HierarchicalVAE(5, (4, 3, 2), inference="bottom_up", **SMALL),
        lambda: nv.HierarchicalVAE(5, (4, 3, 2), inference="chain", **SMALL),
    ],
)
def test_terms_of_levels_that_are_not_used_have_no_gradient(make, rng):
    model, found = make(), []
    x, _ = rows(rng, model)
    eps, d_log_px = model.draw_noise(4, 2, rng), rng.normal(size=(2, 4))
    for given in ("nothing", "levels", "zeros"):
        gradient = np.zeros(model.n_params)
        worker = model.with_gradients(gradient)
        terms, cache = worker.forward(x, eps)
        levels = [
            LevelTerms(kl=0 * level.kl) if level.kl is not None and given == "zeros"
            else LevelTerms() for level in terms.levels
        ]  # fmt: skip
        worker.backward(cache, Terms(d_log_px, [] if given == "nothing" else levels))
        found.append(gradient)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found[1], found[2], rtol=1e-12, atol=1e-14)

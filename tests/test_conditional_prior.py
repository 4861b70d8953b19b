"""p(z given c): its closed-form KL, its gradients, and what a model makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import npvae as nv
from npvae.gradcheck import check_gradients
from npvae.levels import ConditionalKL


def conditional(**options):
    options = dict(hidden=(5,), activation="tanh", dtype="float64", prior="conditional") | options
    model = nv.VAE(6, 2, **{"context_dim": 3, **options})
    model.flat += 0.3 * np.random.default_rng(0).normal(size=model.n_params).astype(model.dtype)
    return model


def test_the_kl_against_quadrature():
    rng = np.random.default_rng(0)
    mu, logvar, mu_p, logvar_p = rng.normal(size=(4, 5, 3))
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    z = mu + np.exp(logvar / 2) * nodes[:, None, None]
    ratio = stats.norm.logpdf(z, mu, np.exp(logvar / 2))
    ratio -= stats.norm.logpdf(z, mu_p, np.exp(logvar_p / 2))
    want = np.einsum("n,nbz->bz", weights / weights.sum(), ratio)
    kl, _ = ConditionalKL().forward(mu, logvar, mu_p, logvar_p)
    np.testing.assert_allclose(kl, want[None], rtol=1e-12)


@pytest.mark.parametrize("objective", ["elbo:n_samples=2", "iwae:n_samples=2"])
def test_the_gradient(objective):
    model, rng = conditional(), np.random.default_rng(1)
    x, context = rng.random((4, 6)), rng.normal(size=(4, 3))
    eps = model.draw_noise(4, 2, rng)
    assert check_gradients(model, (x, eps, context), objective=objective, methods=("complex",)).ok


def test_draws_come_from_the_context_s_own_prior():
    """Two classes whose rows differ: each class's prior covers its own posteriors."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=600)
    x = (4.0 * labels[:, None] - 2 + 0.3 * rng.normal(size=(600, 6))).astype("float32")
    model = nv.VAE(
        6, 1, hidden=(8,), likelihood="gaussian", prior="conditional", condition=nv.Labels(2)
    )
    nv.fit(model, x, context=labels, epochs=40, batch_size=50, lr=1e-2)
    for label in (0, 1):
        drawn = model.sample(500, context=label, take="draw")
        assert abs(drawn.mean() - (4 * label - 2)) < 0.3
    bound = model.elbo(x, 20, context=labels).mean()
    wrong = model.elbo(x, 20, context=1 - labels).mean()
    assert bound > wrong


def test_it_is_saved(tmp_path):
    model = conditional(condition=nv.Labels(3), context_dim=0)
    model.save(tmp_path / "m.npz")
    np.testing.assert_array_equal(
        nv.load(tmp_path / "m.npz").sample(4, context=2), model.sample(4, context=2)
    )


def test_it_needs_a_context():
    with pytest.raises(nv.ConfigError, match="'conditional' depends on a context"):
        conditional(context_dim=0)

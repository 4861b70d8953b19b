"""Levels: which terms they give, their two switches, and closed forms of a user's own pairs."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.core import LevelTerms, resolve
from npvae.levels import GaussianKL, Level, closed_form
from npvae.priors import StandardNormal

K, B, Z = 4, 3, 2


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def level_of(prior="standard"):
    return Level(resolve("posterior", "gaussian"), resolve("prior", prior))


def inputs(rng):
    """stats whose log-variances are far from their bounds, and eps."""
    return rng.uniform(-1, 1, (B, 2 * Z)), rng.normal(size=(K, B, Z))


@pytest.mark.parametrize(
    ("prior", "needs", "given"),
    [
        ("standard", (), set()),
        ("standard", ("log_px",), set()),
        ("standard", ("kl",), {"kl"}),
        ("standard", ("kl", "log_qz"), {"kl", "log_qz"}),
        ("standard", ("log_pz", "z"), {"log_pz", "z"}),
        ("standard", ("posterior",), {"posterior"}),
        ("mixture", ("log_px",), set()),
        ("mixture", ("kl",), {"log_pz", "log_qz"}),
        ("mixture", ("kl", "z"), {"log_pz", "log_qz", "z"}),
        ("mixture", ("log_qz",), {"log_qz"}),
    ],
)
def test_a_level_gives_the_terms_that_are_asked_for(prior, needs, given, rng):
    level = level_of(prior)
    level.prior.build(Z, 5)
    level.allocate(rng)
    stats, eps = inputs(rng)
    (z, terms), _ = level.forward(stats, eps, needs)
    mu, logvar = stats[:, :Z], stats[:, Z:]
    np.testing.assert_allclose(z, mu + np.exp(logvar / 2) * eps, atol=1e-7)
    names = ("kl", "log_pz", "log_qz", "z", "posterior")
    assert {name for name in names if getattr(terms, name) is not None} == given
    assert terms.score is True
    assert terms.dz_scale is None


def by_hand(stats, eps, dz, d_log_qz, score):
    """dmu and dlogvar of a draw from N(mu, exp(logvar)), whose log q has the gradient d_log_qz."""
    std, d = np.exp(stats[:, Z:] / 2), d_log_qz[:, :, None]
    dz = dz - d * eps / std  # log q of the sample falls by eps / std as z grows
    dmu, dlogvar = dz.sum(0), (dz * eps * std / 2).sum(0)
    if score:  # u = (z - mu) / std is eps
        dmu = dmu + (d * eps / std).sum(0)
        dlogvar = dlogvar + (d * (eps**2 - 1) / 2).sum(0)
    return np.concatenate([dmu, dlogvar], axis=1)


@pytest.mark.parametrize("score", [True, False])
def test_without_the_score_log_q_reaches_the_parameters_through_z_alone(score, rng):
    level, (stats, eps) = level_of(), inputs(rng)
    dz, d_log_qz = rng.normal(size=(K, B, Z)), rng.normal(size=(K, B))
    _, cache = level.forward(stats, eps, ("log_qz",))
    dstats, d_inputs = level.backward(cache, dz, LevelTerms(log_qz=d_log_qz, score=score))
    want = by_hand(stats, eps, dz, d_log_qz, score)
    np.testing.assert_allclose(dstats, want, atol=1e-7 * np.abs(want).max())
    assert d_inputs == ()


@pytest.mark.parametrize("score", [True, False])
def test_dz_scale_multiplies_all_of_dz_and_nothing_else(score, rng):
    """What the decoder, the objective, log p and log q say of z is scaled, not the score."""
    level, (stats, eps) = level_of(), inputs(rng)
    dz, own = rng.normal(size=(2, K, B, Z))
    d_log_qz, d_log_pz, scale = rng.normal(size=(3, K, B))
    (z, _), cache = level.forward(stats, eps, ("log_qz", "log_pz", "z"))
    d_level = LevelTerms(log_qz=d_log_qz, log_pz=d_log_pz, z=own, score=score, dz_scale=scale)
    dstats, _ = level.backward(cache, dz, d_level)
    of_prior = -d_log_pz[:, :, None] * z
    scaled = scale[:, :, None] * (dz + own + of_prior)
    want = by_hand(stats, eps, scaled, scale * d_log_qz, score=False)
    if score:
        want += by_hand(stats, eps, 0 * dz, d_log_qz, True)
        want -= by_hand(stats, eps, 0 * dz, d_log_qz, False)
    np.testing.assert_allclose(dstats, want, atol=1e-6 * np.abs(want).max())


class Wide(StandardNormal, abstract=True):
    """N(0, 4 I)."""

    def forward(self, z):
        log_p, cache = super().forward(z / 2)
        return log_p - z.shape[-1] * np.log(2), cache

    def backward(self, cache, d):
        return super().backward(cache, d) / 2


def test_a_closed_form_belongs_to_a_pair(rng):
    """A subclass of the prior, or of the posterior, may have another density: it has none yet."""

    class Own(nv.DiagonalGaussian, abstract=True):
        pass

    assert isinstance(level_of().kl, GaussianKL)
    assert Level(nv.DiagonalGaussian(), Wide()).kl is None
    assert Level(Own(), nv.StandardNormal()).kl is None
    assert Level(nv.DiagonalGaussian(), nv.Mixture(2)).kl is None

    @closed_form(nv.DiagonalGaussian, Wide)
    class WideKL(nv.Part, abstract=True):
        def forward(self, mu, logvar):
            kl = 0.5 * ((mu**2 + np.exp(logvar)) / 4 - 1 - logvar) + np.log(2)
            return kl[None], (mu, logvar)

        def backward(self, cache, dkl):
            mu, logvar = cache
            return dkl[0] * mu / 4, dkl[0] * 0.5 * (np.exp(logvar) / 4 - 1)

    assert isinstance(Level(nv.DiagonalGaussian(), Wide()).kl, WideKL)
    assert Level(Own(), Wide()).kl is None
    model = nv.VAE(5, Z, hidden=(4,), prior=Wide(), dtype="float64", activation="tanh")
    report = nv.check_gradients(model, objective=nv.ELBO(free_bits=0.1))
    assert report.ok, str(report)
    x = (rng.random((6, 5)) < 0.5).astype(float)
    mu, logvar = model.encode(x)
    kl = 0.5 * ((mu**2 + np.exp(logvar)) / 4 - 1 - logvar) + np.log(2)
    np.testing.assert_allclose(model.elbo_terms(x)[1], kl.sum(1), rtol=1e-12)

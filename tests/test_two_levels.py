"""Models with several latent levels: what Level, Terms and Model give those who write one."""

from __future__ import annotations

import numpy as np
import pytest
from proofs import each_proof
from scipy import stats
from two_levels import BottomUp, Conditional

import npvae as nv
from npvae import kernels as k
from npvae.core import LevelTerms, Terms, registry
from npvae.gradcheck import check_gradients
from npvae.levels import Level, closed_form

X_DIM, Z_DIMS = 5, (3, 2)


class Independent(Conditional, abstract=True):
    """The prior of a z whose posterior does not depend on what conditions the prior."""


@closed_form(nv.DiagonalGaussian, Independent)
class BetweenGaussians(nv.Part, abstract=True):
    """½ (u² + exp(w) - 1 - w) per dimension, u = (mu - mu_p) / std_p and w = logvar - logvar_p."""

    def forward(self, mu, logvar, mu_p, logvar_p):
        u, w = (mu - mu_p) * np.exp(-logvar_p / 2), logvar - logvar_p
        return 0.5 * (u * u + np.expm1(w) - w), (u, w, logvar_p)

    def backward(self, cache, dkl):
        u, w, logvar_p = cache
        dmu, dw = dkl * u * np.exp(-logvar_p / 2), dkl * 0.5 * np.expm1(w)
        return dmu, dw, -dmu, -dw - 0.5 * dkl * u * u


class TopDown(BottomUp, abstract=True):
    """The posterior from the top down: q(z2 given x) q(z1 given x, z2)."""

    def _levels(self):
        q = nv.DiagonalGaussian()
        return [Level(q, Independent()), Level(q, nv.StandardNormal())]

    def _seen(self):
        return self.x_dim + self.z_dims[1], self.x_dim

    def forward(self, x, eps, context=None, needs=("log_px", "kl")):
        lower, upper = self.levels
        upper_stats, c_upper_up = self.up[1].forward(x)
        (z2, upper_terms), c_upper = upper.forward(upper_stats, eps[1], needs)
        prior_stats, c_down = self.down.forward(z2)
        prior, c_heads = self.heads.forward(prior_stats)
        lower_stats, c_up = self.up[0].forward(k.concat(z2, x))
        (z1, lower_terms), c_lower = lower.forward(lower_stats, eps[0], needs, prior)
        theta, c_decoder = self.decoder.forward(z1)
        log_px, c_likelihood = self.likelihood.forward(theta, x)
        return Terms(log_px, [lower_terms, upper_terms]), (
            c_upper_up, c_upper, c_down, c_heads, c_up, c_lower, c_decoder, c_likelihood, x.shape
        )  # fmt: skip

    def backward(self, cache, d_terms):
        (
            c_upper_up, c_upper, c_down, c_heads, c_up, c_lower, c_decoder, c_likelihood, shape
        ) = cache  # fmt: skip
        lower, upper = self.levels
        d_lower, d_upper = d_terms.levels or [LevelTerms(), LevelTerms()]
        dtheta, _ = self.likelihood.backward(c_likelihood, d_terms.log_px)
        dz1 = self.decoder.backward(c_decoder, dtheta)
        d_lower_stats, d_prior = lower.backward(c_lower, dz1, d_lower)
        d_seen = self.up[0].backward(c_up, d_lower_stats)
        dz2, _ = k.concat_backward(d_seen, self.z_dims[1], shape)
        dz2 = k.add(dz2, self.down.backward(c_down, self.heads.backward(c_heads, *d_prior)))
        d_upper_stats, _ = upper.backward(c_upper, dz2, d_upper)
        self.up[1].backward(c_upper_up, d_upper_stats, wrt_input=False)

    def posteriors(self, x, context):
        lower, upper = (level.posterior for level in self.levels)
        second, _ = upper.forward(self.up[1].forward(x)[0])
        lower_stats, _ = self.up[0].forward(np.concatenate([second[0], x], axis=-1))
        return [lower.forward(lower_stats)[0], second]


each_model = pytest.mark.parametrize("cls", [BottomUp, TopDown])


def model_and_rows(cls, n=6, **options):
    model = cls(X_DIM, Z_DIMS, hidden=(4,), **options)
    rng = np.random.default_rng(1)
    model.flat += (0.3 * rng.normal(size=model.n_params)).astype(model.dtype)
    return model, (rng.random((n, X_DIM)) < 0.4).astype(float)


@pytest.mark.smoke
@each_model
@pytest.mark.parametrize("objective", ["elbo", "elbo:beta=2,n_samples=3", "iwae:n_samples=4"])
@each_proof
def test_the_gradient(cls, objective, methods):
    model, x = model_and_rows(cls, dtype="float64")
    n_samples = nv.objectives.as_objective(objective).n_samples
    eps = model.draw_noise(len(x), n_samples, np.random.default_rng(0))
    report = check_gradients(model, (x, eps), objective=objective, methods=methods)
    assert report.ok, str(report)


@each_model
def test_the_terms_of_each_level(cls):
    """The lower level's of the bottom-up posterior are sampled, all others closed."""
    model, x = model_and_rows(cls, dtype="float64")
    eps = model.draw_noise(6, 3, np.random.default_rng(0))
    terms, _ = model.forward(x, eps)
    lower, upper = terms.levels
    assert (lower.kl is None) == (lower.log_qz is not None) == (cls is BottomUp)
    assert upper.kl.shape == ((3 if cls is BottomUp else 1), 6, 2)
    sampled, _ = model.forward(x, eps, needs=("log_px", "log_pz", "log_qz", "z", "posterior"))
    for level, z_dim in zip(sampled.levels, Z_DIMS, strict=True):
        assert level.z.shape == (3, 6, z_dim)
        mu, logvar = level.posterior
        want = stats.norm.logpdf(level.z, mu, np.exp(logvar / 2)).sum(-1)
        np.testing.assert_allclose(level.log_qz, want, rtol=1e-12)


@each_model
def test_the_elbo_with_closed_levels_is_that_of_the_samples(cls):
    """In the mean over the noise, within standard errors."""
    model, x = model_and_rows(cls, n=2, dtype="float64")
    eps = model.draw_noise(2, 20_000, np.random.default_rng(0))
    terms, _ = model.forward(x, eps)
    sampled, _ = model.forward(x, eps, needs=("log_px", "log_pz", "log_qz"))
    kl = np.broadcast_to(terms.kl_per_row, terms.log_px.shape)
    difference = (terms.log_px - kl) - sampled.log_w
    spread = difference.std(0, ddof=1) / np.sqrt(len(difference))
    assert (np.abs(difference.mean(0)) < 4.5 * spread).all()
    assert (spread < 0.1).all()


@each_model
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_every_model_offers(cls, dtype, tmp_path):
    model, x = model_and_rows(cls, n=40, dtype=dtype)
    history = nv.fit(model, x, epochs=30, batch_size=16, lr=1e-2, valid=x[:9])
    assert history.records[-1]["train_loss"] < history.records[0]["train_loss"]
    encoded = model.encode(x)
    assert [[a.shape for a in pair] for pair in encoded] == [[(40, 3)] * 2, [(40, 2)] * 2]
    np.testing.assert_array_equal(model.centres(x)[1], encoded[1][0])
    for rows in (model.reconstruct(x), model.decode(encoded[0][0]), model.sample(40, seed=1)):
        assert rows.shape == (40, X_DIM)
        assert rows.dtype == dtype
    np.testing.assert_array_equal(model.sample(3, seed=2), model.copy().sample(3, seed=2))
    log_px, kl = model.elbo_terms(x, 4)
    np.testing.assert_array_equal(model.elbo(x, 4), log_px - kl)
    figures = nv.metrics(model, x, n_samples=50)
    assert figures["z_dim"] == 5
    assert figures["log_likelihood"] > figures["elbo"]
    assert nv.active_units(model, x).shape == (5,)


@each_model
def test_noise_of_several_levels_is_one_draw(cls):
    model, x = model_and_rows(cls)
    lower, upper = model.draw_noise(6, 2, np.random.default_rng(3))
    flat = np.random.default_rng(3).standard_normal(2 * 6 * 5, dtype="float32")
    np.testing.assert_array_equal(np.concatenate([lower.ravel(), upper.ravel()]), flat)
    assert (lower.shape, upper.shape) == ((2, 6, 3), (2, 6, 2))
    for wrong, message in (
        (lower, "eps is a list of 2 arrays, one for each latent level; got ndarray"),
        ([lower], "eps is a list of 2 arrays"),
        ([upper, upper], r"eps needs shape \(K, 6, 3\)"),
    ):
        with pytest.raises(nv.DataError, match=message):
            nv.value_and_grad(model, nv.ELBO(), x, wrong)


def test_dreg_is_refused():
    model, x = model_and_rows(BottomUp)
    with pytest.raises(nv.ConfigError, match="one latent level; this model has 2"):
        nv.fit(model, x, objective="dreg")


def test_a_model_of_ones_own_is_saved_and_read(tmp_path, monkeypatch):
    known = {family: dict(classes) for family, classes in registry._registry.items()}
    monkeypatch.setattr(registry, "_registry", known)

    class Kept(BottomUp):
        @classmethod
        def example(cls, rng):
            model = cls(4, (2, 1), hidden=(3,), dtype="float64")
            return model, (rng.random((3, 4)), model.draw_noise(3, 2, rng))

    model, x = model_and_rows(Kept)
    model.save(tmp_path / "m.npz")
    twin = nv.load(tmp_path / "m.npz")
    assert list(twin.params) == list(model.params)
    np.testing.assert_array_equal(twin.elbo(x), model.elbo(x))

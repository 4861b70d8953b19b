"""DReG: its mean is IWAE's gradient, with less noise."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.core import LevelTerms, Terms, layout
from npvae.gradcheck.linear_gaussian import encode_posterior, linear_vae

N, K = 1500, 4


class KeepsTheScore(nv.DReG, abstract=True):
    """Scales dz and lets the score stand, which counts it twice."""

    def __call__(self, terms, epoch=np.inf):
        losses, d_terms = super().__call__(terms, epoch)
        d_terms.levels[0].score = True
        return losses, d_terms


def gradients(model, objective, x, seeds):
    """Of each seed's noise: (losses, {name: (N, size)})."""
    losses, found = [], np.zeros((len(seeds), model.n_params))
    gradient = np.zeros(model.n_params)
    worker = model.with_gradients(gradient)  # one for all, where value_and_grad makes one for each
    for i, rng in enumerate(map(np.random.default_rng, seeds)):
        gradient[:] = 0
        eps = model.draw_noise(len(x), objective.n_samples, rng)
        terms, cache = worker.forward(x, eps, needs=objective.needs)
        loss, d_terms = objective(terms)
        worker.backward(cache, d_terms)
        losses.append(loss.loss)
        found[i] = gradient
    slots = layout(model).items()
    views = {name: found[:, s.start : s.start + s.size] for name, s in slots}
    return np.array(losses), views


def model_and_row(prior="standard", likelihood="gaussian"):
    rng = np.random.default_rng(2)
    model = nv.VAE(
        3, 2, hidden=(3,), activation="tanh", likelihood=likelihood, prior=prior, dtype="float64"
    )
    model.flat += 0.3 * rng.normal(size=model.n_params)
    return model, rng.normal(size=(1, 3))


def distance(one, other):
    """The means' distance at the worst entry, in standard errors of the paired difference."""
    difference = one - other
    error = difference.std(0, ddof=1) / np.sqrt(len(difference))
    return (np.abs(difference.mean(0)) / np.where(error > 0, error, np.inf)).max()


@pytest.mark.smoke(1)
@pytest.mark.parametrize("prior", ["standard", nv.Mixture(2)], ids=["standard", "mixture"])
def test_the_mean_is_iwaes_gradient(prior):
    model, x = model_and_row(prior)
    seeds = range(N)
    loss, ours = gradients(model, nv.DReG(K), x, seeds)
    wanted_loss, wanted = gradients(model, nv.IWAE(K), x, seeds)
    np.testing.assert_array_equal(loss, wanted_loss)
    for name, gradient in wanted.items():
        if name.startswith("encoder"):
            assert distance(ours[name], gradient) < 4, name
            assert np.abs(ours[name] - gradient).max() > 0
        else:
            np.testing.assert_array_equal(ours[name], gradient, name)
    _, twice = gradients(model, KeepsTheScore(K), x, seeds)
    assert max(distance(twice[n], wanted[n]) for n in wanted if n.startswith("encoder")) > 8


def exactly_encoded(rng):
    """A linear model whose q is the posterior."""
    model = linear_vae(rng, x_dim=4, z_dim=2, scale=0.7, axes=True)
    encode_posterior(model)
    return model


def test_there_is_no_noise_where_the_posterior_is_exact():
    """All weights are then the same whatever z is, so that nothing moves the encoder."""
    rng = np.random.default_rng(0)
    model = exactly_encoded(rng)
    x, eps = rng.normal(size=(3, 4)), model.draw_noise(3, 5, rng)
    _, ours = nv.value_and_grad(model, nv.DReG(5), x, eps)
    _, iwaes = nv.value_and_grad(model, nv.IWAE(5), x, eps)
    for name in ("encoder.layers.0.W", "encoder.layers.0.b"):
        np.testing.assert_allclose(ours[name], 0, atol=1e-7)  # the bend of logvar is 1e-8
        assert np.abs(iwaes[name]).max() > 0.1


def test_near_the_posterior_the_noise_is_small_beside_iwaes():
    rng = np.random.default_rng(0)
    model = exactly_encoded(rng)
    model.params["encoder.layers.0.b"][...] += 0.1
    x = rng.normal(size=(1, 4))
    _, ours = gradients(model, nv.DReG(32), x, range(200))
    _, iwaes = gradients(model, nv.IWAE(32), x, range(200))
    for name in ("encoder.layers.0.W", "encoder.layers.0.b"):
        assert ours[name].var(0).sum() < 0.1 * iwaes[name].var(0).sum()


def test_of_one_sample_the_score_alone_is_missing():
    """There w̃ is 1, and this is "sticking the landing" (Roeder et al. 2017)."""
    log_px, log_pz, log_qz = np.random.default_rng(0).normal(size=(3, 1, 4))
    terms = Terms(log_px, [LevelTerms(log_pz=log_pz, log_qz=log_qz)])
    losses, d_terms = nv.DReG(1)(terms)
    wanted_losses, wanted = nv.IWAE(1)(terms)
    assert losses == wanted_losses
    (d_level,) = d_terms.levels
    np.testing.assert_array_equal(d_level.dz_scale, np.ones((1, 4)))
    assert not d_level.score
    np.testing.assert_array_equal(d_level.log_qz, wanted.levels[0].log_qz)


def test_the_scale_is_the_share_of_the_weight():
    log_px, log_pz, log_qz = np.random.default_rng(0).normal(size=(3, 5, 4))
    _, d_terms = nv.DReG(5)(Terms(log_px, [LevelTerms(log_pz=log_pz, log_qz=log_qz)]))
    w = np.exp(log_px + log_pz - log_qz)
    np.testing.assert_allclose(d_terms.levels[0].dz_scale, w / w.sum(0), rtol=1e-12)


def test_weights_of_rows_count_once():
    """A row of weight 2 has twice the gradient, not four times."""
    model, x = model_and_row()
    eps = model.draw_noise(1, K, np.random.default_rng(0))
    once = nv.value_and_grad(model, nv.DReG(K), x, eps)[1]
    twice = nv.value_and_grad(model, nv.DReG(K), x, eps, weights=[2.0])[1]
    for name, gradient in once.items():
        np.testing.assert_allclose(twice[name], 2 * gradient, rtol=1e-12)


def test_it_is_for_one_level():
    level = LevelTerms(log_pz=np.zeros((2, 3)), log_qz=np.zeros((2, 3)))
    with pytest.raises(nv.ConfigError, match="one latent level; this model has 2"):
        nv.DReG(2)(Terms(np.zeros((2, 3)), [level, level]))


def test_it_trains():
    x, _ = nv.datasets.digits()
    model = nv.VAE(64, 4, hidden=(32,))
    history = nv.fit(model, x[:300], objective="dreg", epochs=15, batch_size=50, lr=3e-3)
    assert history.records[-1]["train_loss"] < history.records[0]["train_loss"] - 1

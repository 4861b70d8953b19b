"""Latent codes in captured training: relaxed, straight through, and every one of them."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import numbers

import npvae as nv

X = numbers((50, 5))
OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4, valid=X[:9])

pytestmark = pytest.mark.usefixtures("share_all")

CLASSES = "categorical:n=3,classes=4"
ESTIMATORS = ["relaxed", "straight_through", "exact"]


def model_of(posterior, **options):
    z_dim = 3 if posterior.startswith("bernoulli") else None
    return nv.VAE(5, z_dim, hidden=(6,), posterior=posterior, seed=1, **options)


@pytest.mark.smoke
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n_samples", [1, 3])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("posterior", [CLASSES + ",", "bernoulli:"])
def test_codes(alike, posterior, estimator, n_samples, threads):
    model = model_of(f"{posterior}estimator={estimator},temperature=0.4")
    objective = nv.ELBO(0.7, n_samples, free_bits=0.01)
    captured = alike(model, X, objective=objective, threads=threads, **OPTIONS)
    assert not captured.full.python_calls


@pytest.mark.parametrize("prior", [None, "bernoulli:p=0.2"])
def test_codes_with_a_context_and_weights(alike, prior):
    model = model_of("bernoulli", prior=prior, context_dim=2)
    weights = np.random.default_rng(0).random(50)
    options = OPTIONS | dict(valid=(X[:9], X[:9, :2]))
    captured = alike(model, X, context=X[:, :2], weights=weights, **options)
    assert not captured.full.python_calls


@pytest.mark.parametrize("posterior", [CLASSES + ",", "bernoulli:"])
def test_a_temperature_that_falls_is_python_s(alike, posterior):
    """Step by step, as the eager step has it: what is recorded knows no epoch."""
    falling = f"{posterior}temperature=(linear:start=2,stop=0.3,epochs=2)"
    captured = alike(model_of(falling), X, **OPTIONS)
    names = [made.call.kernel.partition(".")[2] for made in captured.full.python_calls]
    assert names == ["forward", "backward"]
    assert captured.full.python_calls[0].why == "it has capturable = False"


def test_a_temperature_that_falls_is_not_its_end():
    trained = []
    for temperature in ("0.3", "(linear:start=2,stop=0.3,epochs=2)"):
        model = model_of(f"{CLASSES},temperature={temperature}")
        nv.fit(model, X, **OPTIONS)
        trained.append(model.flat)
    assert np.abs(trained[0] - trained[1]).max() > 1e-3


def test_noise_far_out_is_as_eager_code_has_it(alike, monkeypatch):
    """Both tails of the normal, in which a Gumbel variable is -2 or 20."""
    rng = np.random.default_rng

    def wider(self, batch, n_samples, stream):
        return np.clip(
            4 * stream.standard_normal((n_samples, batch, self.z_dim), np.float32), -6, 6
        )

    monkeypatch.setattr(nv.VAE, "draw_noise", wider)
    for posterior in (f"{CLASSES},temperature=0.4", "bernoulli:temperature=0.4"):
        model = model_of(posterior)
        model.flat += 0.5 * rng(2).normal(size=model.n_params).astype(np.float32)
        assert not alike(model, X, **OPTIONS).full.python_calls

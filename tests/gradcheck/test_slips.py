"""Slips that are common in print, each with the number that shows it.

`docs/derivations.md` cites these numbers; every assertion prints its own.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import npvae as nv
from npvae import kernels
from npvae.core import Part
from npvae.gradcheck import check_gradients, estimators, evidence
from npvae.gradcheck.linear_gaussian import (
    LinearGaussian,
    cubature,
    encode_posterior,
    exact_elbo,
    exact_terms,
    linear_vae,
)
from npvae.levels import GaussianKL
from npvae.posteriors import GaussianLogProb, Reparameterise
from npvae.priors import StandardNormal


def test_kl_without_its_minus_is_negative_and_has_no_least_value():
    """½ Σ(1 + log σ² - μ² - σ²), printed as the KL, is -KL: minimising it drives μ away."""
    mu, logvar = np.array([[1.0, -2.0]]), np.array([[0.5, -1.0]])
    printed = float(0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum())
    kl = float(GaussianKL().forward(mu, logvar)[0].sum())
    assert printed == pytest.approx(-kl, rel=1e-12), f"printed {printed:.4f}, KL {kl:.4f} nats"
    assert printed == pytest.approx(-2.7583, abs=1e-4), f"a KL of {printed:.4f} nats is none"
    far = float(0.5 * (1 + logvar - (100 * mu) ** 2 - np.exp(logvar)).sum())
    assert far == pytest.approx(-25000.26, abs=0.01), f"at 100 mu it is {far:.2f} nats"


def test_reconstruction_minus_mutual_information_is_no_bound():
    """E_x KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)), and the last term is often forgotten.

    z -> 10 z with W -> W / 10 changes neither reconstruction nor I, so that their difference is
    blind to it; log p(x) falls, and the difference is above it: it bounds nothing.
    Source: Hoffman & Johnson 2016.
    """
    rng = np.random.default_rng(0)
    model = linear_vae(rng, x_dim=5, z_dim=1, scale=0.5)
    x = LinearGaussian.of(model).sample(50, rng)
    encode_posterior(model)
    stretched = model.copy()
    stretched.decoder.layers[0].W /= 10
    stretched.encoder.layers[0].W[0] *= 10
    stretched.encoder.layers[0].b[0] *= 10
    stretched.encoder.layers[0].b[1] += np.log(100)

    found = {}
    for name, vae in (("as it was", model), ("stretched", stretched)):
        rec = float(exact_terms(vae, x).log_px.mean())
        information, forgotten = information_and_rest(vae, x)
        kl = float(exact_terms(vae, x).levels[0].kl.sum((0, -1)).mean())
        assert information + forgotten == pytest.approx(kl, rel=1e-6)
        log_px = float(LinearGaussian.of(vae).log_px(x).mean())
        found[name] = rec - information, log_px, float(exact_elbo(vae, x).mean()), forgotten
    (claim, log_px, elbo, _), (claim_2, log_px_2, elbo_2, forgotten) = found.values()
    numbers = (
        f"rec - I {claim:.3f} -> {claim_2:.3f}, log p(x) {log_px:.3f} -> {log_px_2:.3f}, "
        f"ELBO {elbo:.3f} -> {elbo_2:.3f}; KL(q(z) ‖ p(z)) forgotten: {forgotten:.3f} nats"
    )
    assert claim_2 == pytest.approx(claim, abs=1e-5), numbers
    assert claim_2 > log_px_2 + 1, numbers
    assert elbo_2 <= log_px_2, numbers


def information_and_rest(vae, x):
    """I(x; z) and KL(q(z) ‖ p(z)) of one latent dimension, x being one of these rows, by a sum
    over a grid of z."""
    mu, logvar = vae.encode(x)
    std = np.exp(0.5 * logvar)
    z = np.linspace((mu - 12 * std).min(), (mu + 12 * std).max(), 20_001)
    log_q = GaussianLogProb().forward(z[:, None, None], mu, logvar)[0]
    log_marginal = np.logaddexp.reduce(log_q, axis=1) - np.log(len(x))
    log_p = StandardNormal().forward(z[:, None, None])[0][:, 0]
    step = z[1] - z[0]
    information = (np.exp(log_q) * (log_q - log_marginal[:, None])).sum() * step / len(x)
    return information, (np.exp(log_marginal) * (log_marginal - log_p)).sum() * step


def test_mean_reconstruction_with_summed_kl_is_a_beta_of_d():
    """rec / D + KL has D times the weight on the KL: the gradient of beta = D, over D."""
    model = nv.VAE(12, 3, hidden=(8,), activation="tanh", dtype="float64")
    rng = np.random.default_rng(1)
    x, eps = rng.random((6, 12)), model.draw_noise(6, 1, rng)
    at = {b: nv.value_and_grad(model, nv.ELBO(beta=b), x, eps)[1] for b in (0.0, 1.0, 12.0)}
    for name in model.params:
        kl = at[1.0][name] - at[0.0][name]
        np.testing.assert_allclose(at[0.0][name] / 12 + kl, at[12.0][name] / 12, atol=1e-14)


@pytest.mark.slow
def test_a_beta_of_d_collapses_the_digits():
    x = nv.datasets.digits()[0]
    found = {}
    for beta in (1.0, 64.0):
        model = nv.VAE(64, 8, hidden=(64,))
        nv.fit(model, x, epochs=30, lr=3e-3, objective=nv.ELBO(beta=beta))
        rec, kl = (float(a.mean()) for a in model.elbo_terms(x))
        found[beta] = -rec, kl, int(nv.active_units(model, x).sum())
    numbers = ", ".join(
        f"beta {beta:g}: rec {rec:.1f}, KL {kl:.2f} nats, {units} of 8 units active"
        for beta, (rec, kl, units) in found.items()
    )
    assert found[1.0][2] >= 4, numbers
    assert found[1.0][1] > 2, numbers
    assert found[64.0][2] == 0, numbers
    assert found[64.0][1] < 0.01, numbers
    assert found[64.0][0] > found[1.0][0] + 4, numbers


def test_bce_outside_the_unit_interval_is_unbounded():
    """x·l - softplus(l) for x = 2 grows as l, without end: there is nothing to converge to."""
    log_p = {
        logit: nv.Bernoulli().forward(np.full((1, 1, 1), logit), np.full((1, 1), 2.0))[0].item()
        for logit in (1.0, 10.0, 100.0, 1000.0)
    }
    shown = ", ".join(f"{logit:g}: {value:.4f}" for logit, value in log_p.items())
    for logit, value in log_p.items():
        want = logit - math.log1p(math.exp(-logit))
        assert value == pytest.approx(want, rel=1e-12), f"log p at logit {shown}"
    logits = np.linspace(-50, 50, 1001).reshape(1, -1, 1)
    for x in (0.0, 0.3, 1.0):  # inside, the best is minus the entropy of x, at logit(x)
        best = float(nv.Bernoulli().forward(logits, np.full((1001, 1), x))[0].max())
        entropy = 0.0 if x in (0, 1) else -(x * math.log(x) + (1 - x) * math.log(1 - x))
        assert best == pytest.approx(-entropy, abs=2e-3)
        assert best <= 0
    with pytest.raises(nv.DataError, match=r"Bernoulli needs data in \[0, 1\]; got a maximum of 2"):
        nv.VAE(1, 1).elbo(np.full((1, 1), 2.0))


class TooWide(Part, abstract=True):
    """z = mu + exp(logvar) eps, with the gradient that belongs to it."""

    def forward(self, mu, logvar, eps):
        std = np.exp(logvar)
        return mu + std * eps, (std, eps)

    def backward(self, cache, dz):
        std, eps = cache
        return dz.sum(0), std * (dz * eps).sum(0), dz * std


def test_exp_logvar_for_exp_half_logvar_passes_gradient_checks_and_fails_on_variance(monkeypatch):
    inputs = Reparameterise.example(np.random.default_rng(0))[1]
    assert check_gradients(TooWide(), inputs).ok
    zeros = np.zeros((1, 2))
    logvar = np.array([[-2.0, 2.0]])
    right, wrong = (
        (part.forward(zeros, logvar, cubature(1, 2))[0] ** 2).mean(0)[0]
        for part in (Reparameterise(), TooWide())
    )
    numbers = f"logvar -2 and 2: variance {right} as meant, {wrong} with exp(logvar)"
    np.testing.assert_allclose(right, [0.135335, 7.389056], rtol=1e-5, err_msg=numbers)
    np.testing.assert_allclose(wrong, [0.018316, 54.59815], rtol=1e-4, err_msg=numbers)

    monkeypatch.setattr(kernels, "reparameterise", lambda *a: swap(TooWide().forward(*a)))
    monkeypatch.setattr(
        kernels,
        "reparameterise_backward",
        lambda dz, std, eps: TooWide().backward((std, eps), dz),
    )
    assert check_gradients(nv.VAE(4, 2, hidden=(3,), activation="tanh")).ok
    failed = {i.name for i in estimators.sampler(np.random.default_rng(0)) if not i.ok}
    assert failed == {"Var[z] = exp(logvar)"}


def swap(result):
    z, (std, _) = result
    return z, std


def test_a_factorised_prior_does_not_disentangle():
    """W R with Rᵀz has the same p(x) for every rotation R: no axis of z is marked by the model."""
    found = evidence.rotation(np.random.default_rng(0))
    assert all(i.ok for i in found), [i.as_dict() for i in found]
    joint, marginal, cost = found
    numbers = (
        f"log p(x, z) off by {joint.off:.1e}, log p(x) by {marginal.off:.1e}; the best diagonal "
        f"posterior loses {cost.measured:.3f} nats"
    )
    assert joint.off < 1e-12, numbers
    assert marginal.off < 1e-12, numbers
    assert cost.measured > 0.01, numbers

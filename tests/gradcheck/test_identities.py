"""The identities hold, what they are held against is right, and a slip in npvae breaks them."""

from __future__ import annotations

import functools
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

import npvae as nv
from npvae import kernels
from npvae.gradcheck import check_gradients, estimators, evidence, ppca
from npvae.gradcheck import identities as listed
from npvae.gradcheck.claim import Claim
from npvae.gradcheck.verify import Verification

TRAINED = (ppca.ppca_of_digits, ppca.collapse_on_digits)
QUICK = [check for check in listed.IDENTITIES if check not in TRAINED]


def failures(found):
    return "\n".join(f"{i.name}: {i.measured} {i.relation} {i.expected}, {i.note}" for i in found)


@functools.cache
def names_of(check):
    """The names of a check's identities."""
    return {i.name for i in check(np.random.default_rng(0))}


def failed_names(*checks, seed=5):
    found = [i for check in checks for i in check(np.random.default_rng(seed))]
    return {i.name for i in found if not i.ok}


def only(monkeypatch, *names):
    """Leave these likelihoods alone in the registry that the identities see."""
    known = nv.registered("likelihood")
    monkeypatch.setattr(estimators, "registered", lambda family: {n: known[n] for n in names})


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, marks=pytest.mark.slow) if check.__name__ == "likelihood_samplers"
        else check
        for check in QUICK
    ],
    ids=lambda check: check.__name__,
)  # fmt: skip
def test_identity(check):
    found = check(np.random.default_rng(1))
    assert found
    assert all(i.ok for i in found), failures(found)


@pytest.mark.slow
def test_linear_vae_is_ppca_on_digits():
    x = nv.datasets.digits()[0].astype(float)
    found = ppca.linear_vae_is_ppca(x, z_dim=8, seed=0, epochs=250)
    assert all(i.ok for i in found), failures(found)
    per_column, _, noise, sine = found
    assert per_column.expected == pytest.approx(0.2220, abs=1e-4)
    assert per_column.expected - per_column.measured < 0.001
    assert noise.measured == pytest.approx(noise.expected, rel=0.01)
    assert math.degrees(math.asin(sine.measured)) < 5


@pytest.mark.slow
def test_directions_below_the_noise_collapse_on_digits():
    x = nv.datasets.digits()[0].astype(float)
    found = ppca.collapse(x, z_dim=6, seed=1, epochs=250)
    assert all(i.ok for i in found), failures(found)
    assert found[1].expected == 4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "z_dim"), [("cardio", 2), ("letter", 4)])
def test_linear_vae_is_ppca_on_a_real_table(name, z_dim):
    root = os.environ.get("NPVAE_DATA")
    if not root:
        pytest.skip("NPVAE_DATA is not set: it names the folder of real data sets")
    path = Path(root, "odds", f"{name}.npz")
    assert path.exists(), f"NPVAE_DATA is set, but {path} is missing"
    x = nv.datasets.load(path)[0].astype(float)
    x = (x - x.mean(0)) / x.std(0)
    found = ppca.linear_vae_is_ppca(x, z_dim, seed=0, epochs=100)
    found += ppca.collapse(x, z_dim + 1, seed=0, epochs=100)
    assert all(i.ok for i in found), failures(found)
    assert found[0].expected - found[0].measured < 0.001


def test_an_identity_that_raises_is_reported_and_the_rest_still_run(monkeypatch):
    def broken(rng):
        raise ZeroDivisionError("no")

    monkeypatch.setattr(listed, "IDENTITIES", (broken, estimators.general_kl))
    found = listed.identities()
    assert [i.ok for i in found] == [False, True, True]
    assert found[0].note == "it raised ZeroDivisionError: no"


def test_same_seed_same_numbers_and_none_depends_on_the_others(monkeypatch):
    monkeypatch.setattr(listed, "IDENTITIES", (evidence.jensen, estimators.kl_monte_carlo))
    found = listed.identities(3)
    assert found == listed.identities(3)
    assert found != listed.identities(4)
    monkeypatch.setattr(listed, "IDENTITIES", (lambda rng: [], estimators.kl_monte_carlo))
    assert listed.identities(3) == found[2:]


def test_verification_shows_and_counts_identities():
    good = Claim("good one", 1.0, 1.0, 0.1, "rounding", "as it should be")
    bad = Claim("bad one", math.nan, 1.0, 0.1, "rounding", "it is not")
    report = check_gradients(nv.Bernoulli)
    assert Verification({"b": report}, [good]).ok
    verification = Verification({"b": report}, [good, bad])
    assert not verification.ok
    text = str(verification)
    assert "every gradient is proven" in text
    assert "WRONG bad one" in text
    assert "bad one: it is not" in text
    assert "1 of 2 identities FAIL" in text
    read = json.loads(json.dumps(verification.as_dict(), allow_nan=False))
    assert read["ok"] is False
    assert [i["ok"] for i in read["identities"]] == [True, False]
    assert read["identities"][1]["measured"] is None
    assert read["identities"][0]["note"] == "as it should be"


def replaced(name, change):
    """A kernel of that name whose result is changed."""
    right = getattr(kernels, name)
    return lambda *arguments: change(right(*arguments), *arguments)


# Slips whose gradient agrees with their forward, so that no gradient check can see them.
CONSISTENT = {
    "KL without its minus": (
        {
            "gaussian_kl": lambda kl, *_: -kl,
            "gaussian_kl_backward": lambda d, *_: tuple(-x for x in d),
        },
        {"KL(q || p(z))", "KL(q || p): closed form = Monte Carlo", "ELBO = E_q[log p(x,z)] + H(q)"},
    ),
    "KL without its half": (
        {
            "gaussian_kl": lambda kl, *_: 2 * kl,
            "gaussian_kl_backward": lambda d, *_: tuple(2 * x for x in d),
        },
        {"log p(x) = ELBO + KL(q || p(z|x))", "KL(N1 || N2) = KL to N(0, I), rescaled"},
    ),
    "exp(logvar) for exp(logvar/2)": (
        {
            "reparameterise": lambda out, mu, logvar, eps: (
                mu + np.exp(logvar) * eps,
                np.exp(logvar),
            ),
            "reparameterise_backward": lambda out, dz, std, eps: (
                dz.sum(0),
                std * (dz * eps).sum(0),
                dz * std,
            ),
        },
        {"Var[z] = exp(logvar)", "E_q[log p(x|z)]", "KL(q || p): closed form = Monte Carlo"},
    ),
    "no log 2π in q": (
        {"gaussian_log_prob": lambda log_q, z, *_: log_q + z.shape[-1] * np.log(2 * np.pi) / 2},
        {"H(q) = -E_q[log q]", "IWAE(1) = ELBO", "E_q[p(x,z)/q(z)] / p(x) = 1"},
    ),
    "no log scale in the likelihood": (
        {"gaussian": lambda out, mean, x, s: (out[0] + x.shape[-1] * np.log(s), out[1])},
        {"E_q[log p(x|z)]", "log p(x) = ELBO + KL(q || p(z|x))"},
    ),
    "the likelihood's mean over the columns": (
        {"gaussian": lambda out, mean, x, s: tuple(o / x.shape[-1] for o in out)},
        {"E_q[log p(x|z)]", "Jensen: ELBO <= log p(x)", "gaussian: sampler = density"},
    ),
}


@pytest.mark.smoke(1)
@pytest.mark.parametrize(("changes", "broken"), CONSISTENT.values(), ids=CONSISTENT)
def test_a_slip_that_gradient_checks_pass_breaks_identities(monkeypatch, changes, broken):
    only(monkeypatch, "gaussian", "bernoulli")
    checks = [check for check in QUICK if broken & names_of(check)]
    for name, change in changes.items():
        monkeypatch.setattr(kernels, name, replaced(name, change))
    model = nv.VAE(4, 2, hidden=(3,), activation="tanh", likelihood=nv.Gaussian(0.5))
    for objective in (nv.ELBO(), nv.IWAE()):
        assert check_gradients(model, objective=objective, methods=["complex"]).ok
    assert broken <= failed_names(*checks)


# Slips in one place: each is caught by an identity that is about something else than gradients.
IN_ONE_PLACE = {
    "dlogvar without its half": (
        "reparameterise_backward",
        lambda d, *_: (d[0], 2 * d[1], d[2]),
        {"reparameterised gradient is unbiased", "d ELBO/dphi = 0 at q = p(z|x)"},
    ),
    "a score without its -1": (
        "gaussian_log_prob_backward",
        lambda d, d_log_q, z, *_: (d[0], d[1], d[2] + 0.5 * d_log_q.sum(0)[..., None]),
        {"score-function gradient is unbiased"},
    ),
    "KL's gradient without its -1": (
        "gaussian_kl_backward",
        lambda d, dkl, *_: (d[0], d[1] + 0.5 * dkl[0]),
        {"d ELBO/dphi = 0 at q = p(z|x)"},
    ),
    "a mean over the rows instead of the sum": (
        "linear_dw",
        lambda dW, dy, x: dW / len(x),
        {"d ELBO/dtheta = d log p(x)/dtheta at q = p(z|x)", "mean of all minibatches = the whole"},
    ),
}


@pytest.mark.parametrize(("kernel", "change", "broken"), IN_ONE_PLACE.values(), ids=IN_ONE_PLACE)
def test_a_wrong_backward_breaks_identities(monkeypatch, kernel, change, broken):
    checks = [check for check in QUICK if broken & names_of(check)]
    monkeypatch.setattr(kernels, kernel, replaced(kernel, change))
    assert broken <= failed_names(*checks)


def test_a_bound_that_is_no_bound_is_noticed(monkeypatch):
    monkeypatch.setattr("npvae.kernels.training.logmeanexp", lambda log_w, axis: log_w.max(axis))
    assert "IWAE(64) <= log p(x)" in failed_names(evidence.iwae_bounds)
    monkeypatch.setattr("npvae.kernels.training.logmeanexp", lambda log_w, axis: log_w.mean(axis))
    assert "IWAE(K) rises with K" in failed_names(evidence.iwae_bounds)


def test_a_sampler_of_another_scale_is_noticed(monkeypatch):
    def sample(self, mean, rng):
        return mean + self.scale**2 * rng.standard_normal(mean.shape)

    only(monkeypatch, "gaussian", "bernoulli")
    monkeypatch.setattr(nv.Gaussian, "sample", sample)
    assert failed_names(estimators.likelihood_samplers) == {"gaussian: sampler = density"}


def test_a_sampler_that_returns_the_mean_is_noticed(monkeypatch):
    only(monkeypatch, "gaussian", "bernoulli")
    monkeypatch.setattr(nv.Gaussian, "sample", lambda self, mean, rng: mean.copy())
    found = estimators.likelihood_samplers(np.random.default_rng(0))
    assert [i.note for i in found if not i.ok] == ["its draws are all the same"]


@pytest.mark.parametrize("logit", [-30.0, -9.0, 9.0])
def test_a_rare_event_is_no_false_alarm(monkeypatch, logit):
    theta = np.full((1, 1, 3), [[[logit, 0.5, -1.0]]])
    monkeypatch.setattr(nv.Bernoulli, "example", lambda rng: (nv.Bernoulli(), (theta, None)))
    for seed in range(5):
        found = estimators._sampler_of("bernoulli", nv.Bernoulli, np.random.default_rng(seed))
        assert found.ok, str(found)


def test_a_density_that_is_no_density_is_noticed(monkeypatch):
    def unnormalised(logits, x):
        return (x * logits).sum(-1), np.broadcast_to(x, logits.shape)

    only(monkeypatch, "gaussian", "bernoulli")
    monkeypatch.setattr(kernels, "bernoulli", unnormalised)
    assert failed_names(estimators.likelihood_samplers) == {"bernoulli: sampler = density"}


def test_a_density_with_a_kink_is_no_false_alarm():
    class Laplace(nv.Likelihood, abstract=True):
        def forward(self, m, x):
            return (-np.abs(x - m) / 0.2 - np.log(0.4)).sum(-1), np.sign(x - m) / 0.2

        def backward(self, slope, d_log_px):
            return d_log_px[..., None] * slope, None

        def mean(self, m):
            return m

        def sample(self, m, rng):
            return rng.laplace(m, 0.2)

        @classmethod
        def example(cls, rng):
            return cls(), (rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 4)))

    for seed in range(5):
        found = estimators._sampler_of("laplace", Laplace, np.random.default_rng(seed))
        assert found.ok, str(found)


def test_training_that_forgets_the_kl_is_no_ppca(monkeypatch):
    monkeypatch.setattr(ppca, "fit", lambda *a, **k: nv.fit(*a, objective=nv.ELBO(beta=0.0), **k))
    x = nv.datasets.digits()[0].astype(float)[:500]
    found = ppca.linear_vae_is_ppca(x, z_dim=2, seed=0, epochs=30)
    assert not found[0].ok
    found = ppca.collapse(x, z_dim=4, seed=0, epochs=30)
    assert not found[1].ok

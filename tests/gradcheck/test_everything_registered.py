"""Every registered part and every model, by each method, to the stated precision."""

from __future__ import annotations

import json

import numpy as np
import pytest

from npvae import layers, likelihoods, models, posteriors, priors  # noqa: F401  (they register)
from npvae.core import Part, registered
from npvae.gradcheck import check_gradients, verify
from npvae.models import Model
from npvae.objectives import ELBO, IWAE

PARTS = {n: c for n, c in registered().items() if not issubclass(c, Model)}
OBJECTIVES = {
    "elbo": ELBO(),
    "elbo-beta-free-bits": ELBO(beta=3.0, n_samples=2, free_bits=0.2),
    "beta-0": ELBO(beta=0.0),
    "iwae": IWAE(n_samples=4),
}
MIXED = {
    "name": "mixed",
    "groups": [
        ["gaussian_column_scale", [4, 0]],
        ["bernoulli", [1]],
        ["negative_binomial", [2]],
        [{"name": "categorical", "classes": 3}, [3]],
    ],
}
LIKELIHOODS = {name: name for name in registered("likelihood")} | {"mixed": MIXED}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", PARTS)
def test_part(name, seed):
    report = check_gradients(PARTS[name], seed=seed)
    assert report.ok, str(report)
    for row in report:
        if row.method == "taylor" and row.error is not None:
            assert row.error == pytest.approx(2.0, abs=0.1)
        elif row.error is not None:
            assert row.error < {"complex": 1e-11, "central": 1e-8}[row.method]


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
@pytest.mark.parametrize(
    ("likelihood", "activation"),
    [("bernoulli", "gelu"), *((likelihood, "tanh") for likelihood in LIKELIHOODS)],
)
def test_model(objective, likelihood, activation):
    part = LIKELIHOODS[likelihood]
    model = models.VAE(5, 2, hidden=(4, 3), activation=activation, likelihood=part)
    report = check_gradients(model, objective=objective)
    assert report.ok, str(report)
    assert {row.argument for row in report} == set(model.params)


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
@pytest.mark.parametrize("prior", registered("prior").values(), ids=registered("prior"))
@pytest.mark.parametrize("context_dim", [0, 2])
def test_model_with_each_prior(objective, prior, context_dim):
    options = {"activation": "tanh", "prior": prior.example(np.random.default_rng(0))[0].config}
    model = models.VAE(5, 2, hidden=(4, 3), context_dim=context_dim, **options)
    if getattr(objective, "free_bits", 0) and model.prior.kl is None:
        objective = ELBO(objective.beta, objective.n_samples)
    report = check_gradients(model, objective=objective)
    assert report.ok, str(report)
    assert {row.argument for row in report} == set(model.params)


def test_every_part_is_checked_on_all_its_inputs_and_parameters():
    for cls in PARTS.values():
        report = check_gradients(cls, methods=["complex"])
        assert report.rows, cls


def test_verify_covers_the_registry_and_reads_as_json():
    verification = verify()
    assert verification.ok, str(verification)
    covered = {name.split(" under ")[0] for name in verification.reports}
    assert covered == set(registered())
    assert "model.vae under IWAE, prior vamp" in verification.reports
    assert json.loads(json.dumps(verification.as_dict()))["ok"] is True


def test_verify_finds_a_users_part_and_its_fault(monkeypatch):
    monkeypatch.setattr("npvae.core._registry", {"layer": {}})

    class Twice(Part):
        family = "layer"

        def forward(self, x):
            return 2 * x, None

        def backward(self, cache, dy):
            return dy

        @classmethod
        def example(cls, rng):
            return cls(), (rng.normal(size=3),)

    verification = verify()
    assert not verification.ok
    assert "layer.twice" in str(verification)
    assert "a factor 2 is missing" in str(verification)

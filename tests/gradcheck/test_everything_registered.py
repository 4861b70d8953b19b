"""Every registered part and every model, by each method, to the stated precision."""

from __future__ import annotations

import json
import sys
from functools import partial

import numpy as np
import pytest
from proofs import each_proof

from npvae import (  # noqa: F401  (they register)
    discrete,
    layers,
    likelihoods,
    models,
    posteriors,
    priors,
)
from npvae.core import Part, registered, registered_parts
from npvae.gradcheck import check_gradients, estimators, verify
from npvae.gradcheck import identities as listed
from npvae.gradcheck.whole_level import fitting, level_of
from npvae.models import Model
from npvae.objectives import ELBO, IWAE

PARTS = {n: c for n, c in registered_parts().items() if not issubclass(c, Model)}
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
LINES = [{"x": [-0.5, 0.4, 2.5, 6.5], "y": [-1, 0, 1, 2], "step": s} for s in (0, 1, 0, 0.5, 1)]
TRANSFORMED = {"name": "transformed", "marginals": LINES}
KINKED = {"laplace"}
LIKELIHOODS = {
    **{name: name for name in registered("likelihood")}, "mixed": MIXED, "transformed": TRANSFORMED,
}  # fmt: skip


@pytest.mark.smoke
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


def check_model(objective, methods=("central", "complex", "taylor"), **options):
    options = {"x_dim": 5, "z_dim": 2, "hidden": (3, 4), "activation": "tanh", **options}
    model = models.VAE(**options)
    report = check_gradients(model, objective=objective, methods=methods)
    assert report.ok, str(report)
    assert {row.argument for row in report} == set(model.params)


PAIRS = [
    (q, p)
    for q, posterior in registered("posterior").items()
    for p, prior in registered("prior").items()
    if fitting(posterior, prior)
]


@pytest.mark.smoke
@pytest.mark.parametrize(("posterior", "prior"), PAIRS)
@pytest.mark.parametrize("conditioned", [False, True])
@each_proof
def test_the_level_of_each_pair(posterior, prior, conditioned, methods):
    """On all of its terms at once: each weighs in with random weights of its own."""
    classes = registered("posterior")[posterior], registered("prior")[prior]
    level, inputs = level_of(*classes, np.random.default_rng(3), conditioned)
    report = check_gradients(level, inputs, methods=methods)
    assert report.ok, str(report)
    assert len({row.argument for row in report}) >= len(inputs)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_model_under_each_objective(objective):
    check_model(objective, activation="silu", x_dim=3, context_dim=2)


# Whose parts are proven by all methods above; here it is how they go together.


@pytest.mark.smoke(6)
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_model_with_each_likelihood(name):
    methods = ["taylor" if name in KINKED else "complex"]
    for objective in ("elbo-beta-free-bits", "iwae"):
        check_model(OBJECTIVES[objective], methods, likelihood=LIKELIHOODS[name])


@pytest.mark.smoke
@pytest.mark.parametrize("posterior", ["categorical:n=2,classes=3", "bernoulli"])
@pytest.mark.parametrize("estimator", ["relaxed", "exact"])
@pytest.mark.parametrize("n_samples", [1, 3])
def test_model_of_codes(posterior, estimator, n_samples):
    """Straight through is no derivative: tests/test_codes.py."""
    posterior = posterior + (":" if ":" not in posterior else ",") + f"estimator={estimator}"
    z_dim = None if "classes" in posterior else 3
    check_model(ELBO(beta=2.0, n_samples=n_samples), posterior=posterior, z_dim=z_dim)


@pytest.mark.smoke
@pytest.mark.parametrize(
    "prior",
    [
        prior
        for prior in registered("prior").values()
        if fitting(posteriors.DiagonalGaussian, prior)
    ],
    ids=lambda prior: prior.name,
)
@pytest.mark.parametrize("context_dim", [0, 2])
def test_model_with_each_prior(prior, context_dim):
    prior = prior.example(np.random.default_rng(0))[0]
    context_dim = context_dim or 2 * prior.of_context
    for objective in OBJECTIVES.values():
        if getattr(objective, "free_bits", 0) and prior.name not in ("standard", "conditional"):
            objective = ELBO(objective.beta, objective.n_samples)
        check_model(objective, ["complex"], prior=prior.config, context_dim=context_dim)


@pytest.mark.slow
def test_every_part_is_checked_on_all_its_inputs_and_parameters():
    for cls in PARTS.values():
        report = check_gradients(cls, methods=["complex"])
        assert report.rows, cls


@pytest.mark.slow
def test_verify_covers_the_registry_and_reads_as_json(monkeypatch):
    """By the quickest method, and with one of the identities, which have tests of their own."""
    quick = partial(check_gradients, methods=["taylor"])
    monkeypatch.setattr(sys.modules[verify.__module__], "check_gradients", quick)
    monkeypatch.setattr(listed, "IDENTITIES", (estimators.general_kl,))
    verification = verify()
    assert verification.ok, str(verification)
    covered = {name.split(" under ")[0] for name in verification.reports}
    levels = {f"level of {q} and {p}" for q, p in PAIRS}
    levels |= {f"{name}, conditioned" for name in levels}
    assert covered == set(registered_parts()) | levels
    assert "model.vae under IWAE, prior vamp" in verification.reports
    assert "model.vae under ELBO, posterior flowed" in verification.reports
    assert len(verification.identities) == 2
    assert json.loads(json.dumps(verification.as_dict()))["ok"] is True


def test_verify_finds_a_users_part_and_its_fault(monkeypatch):
    monkeypatch.setattr("npvae.core.registry._registry", {"layer": {}})

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

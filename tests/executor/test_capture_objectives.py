"""Every objective trains captured as it trains eagerly, and what Python runs of it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from capture_cases import network, numbers

import npvae as nv

X = numbers((50, 5))
OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4)

WHOLE = {
    "renyi": nv.Renyi(0.5, 4),
    "renyi, negative": nv.Renyi(-1.5, 3),
    "renyi, above 1": nv.Renyi(2.0, 3),
    "renyi at 1": nv.Renyi(1.0, 3),
    "best": nv.Renyi(-math.inf, 3),
    "worst": nv.Renyi(math.inf, 3),
    "miwae": nv.MIWAE(2, 3),
    "ciwae": nv.CIWAE(0.3, 4),
    "stl": nv.STL(2, beta=nv.Linear(0, 1, epochs=2)),
    "dreg": nv.DReG(3),
    "free bits per level": nv.ELBO(free_bits=0.3, free_bits_per="level"),
    "free bits per group": nv.ELBO(0.5, 2, free_bits=0.2, free_bits_per=2),
    "betatc": nv.BetaTC(nv.Linear(0, 3, epochs=2), 0.5, n_samples=2),
    "betatc, stratified": nv.BetaTC(3.0, 0.5, 1.5, "stratified", n_data=50),
}
"""Captured as a whole."""

PYTHON = {
    "capacity": (nv.ELBO(beta=3, capacity=0.4), 3),
    "rising capacity": (nv.ELBO(beta=3, capacity=nv.Linear(0, 2, epochs=2)), 1),
    "mmd": (nv.MMD(5.0, beta=nv.Linear(0, 1, epochs=2)), 1),
    "dip": (nv.DIP(1, 0.5), 1),
    "dip of kind 2": (nv.DIP(2, 0.5, n_samples=2), 1),
}
"""With so many calls of Python in a step."""

pytestmark = pytest.mark.usefixtures("share_all")


@pytest.mark.smoke(12)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", WHOLE.values(), ids=WHOLE)
def test_captured_as_a_whole(alike, objective, weighted, threads):
    weights = np.random.default_rng(0).random(50) if weighted else None
    model = network(z_dim=3)
    captured = alike(model, X, objective=objective, weights=weights, threads=threads, **OPTIONS)
    assert not captured.full.python_calls


@pytest.mark.smoke(2)
@pytest.mark.parametrize(("objective", "calls"), PYTHON.values(), ids=PYTHON)
def test_with_python_in_the_middle(alike, objective, calls):
    for weights in (None, np.random.default_rng(0).random(50)):
        captured = alike(network(z_dim=3), X, objective=objective, weights=weights, **OPTIONS)
        assert len(captured.full.python_calls) == calls


@pytest.mark.parametrize("objective", [nv.Renyi(0.5, 3), nv.MIWAE(2, 2), nv.STL(2)])
def test_with_a_learnt_prior(alike, objective):
    captured = alike(network(prior=nv.Mixture(3)), X, objective=objective, **OPTIONS)
    assert not captured.full.python_calls

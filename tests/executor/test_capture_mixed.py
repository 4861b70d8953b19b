"""Captured training of Mixed: columns are taken and put together by compiled code too."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import network

import npvae as nv

OPTIONS = dict(epochs=3, batch_size=16, lr=3e-3, seed=4)
GROUPS = [
    ("gaussian_column_scale", (6, 0, 1)),
    ("bernoulli", (3,)),
    (nv.NegativeBinomial(library=5), (2, 5)),
    ({"name": "categorical", "classes": 3}, (4,)),
]


def table(n=50):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 7))
    x[:, [2, 5]], x[:, 3] = rng.poisson(3, (n, 2)), rng.integers(2, size=n)
    x[:, 4] = rng.integers(3, size=n)
    return x.astype("float32")


X = table()
WEIGHTS = np.random.default_rng(1).gamma(1.0, 2.0, 50)


@pytest.mark.smoke
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("objective", [nv.ELBO(0.7, 2), nv.IWAE(3)], ids=["elbo", "iwae"])
def test_groups_of_all_kinds(alike, share_all, objective, weights):
    captured = alike(
        network(7, likelihood=nv.Mixed(GROUPS)), X, valid=X[:9], objective=objective,
        weights=weights, threads=2, **OPTIONS,
    )  # fmt: skip
    assert not captured.full.python_calls


@pytest.mark.parametrize(
    "groups",
    [
        [("gaussian", range(7))],
        [("gaussian", (6, 5, 4, 3, 2, 1, 0))],
        [("gaussian", (0,)), ("gaussian_learnt_scale", (1, 2, 3, 4, 5, 6))],
        [("laplace", (5, 6, 1)), ("gaussian_heteroscedastic", (0, 2, 3, 4))],
    ],
    ids=str,
)
def test_runs_of_columns(alike, groups):
    captured = alike(network(7, likelihood=nv.Mixed(groups), context_dim=2), X,
                     context=X[:, :2], **OPTIONS)  # fmt: skip
    assert not captured.full.python_calls


class Own(nv.Gaussian):
    """Python runs it, since it computes with NumPy."""

    def forward(self, mean, x):
        log_px, r = super().forward(mean, x)
        return np.negative(-log_px), r


def test_a_group_that_python_runs_leaves_the_others_compiled(alike):
    groups = [("bernoulli", (3,)), (Own(0.5), (0, 1, 2)), ("gaussian", (4, 5, 6))]
    captured = alike(network(7, likelihood=nv.Mixed(groups)), X, **OPTIONS)
    assert [call.call.kernel for call in captured.full.python_calls] == [
        "Own.forward", "Own.backward",
    ]  # fmt: skip


def test_binarised_flags(alike):
    x = np.random.default_rng(2).random((50, 5), np.float32)
    flags = nv.Mixed([("bernoulli", (4, 0)), ("continuous_bernoulli", (1, 2, 3))])
    captured = alike(network(likelihood=flags), x, binarise=True, valid=x[:9], **OPTIONS)
    assert not captured.full.python_calls


@pytest.mark.parametrize("prior", ["mixture", "vamp"])
def test_weights_under_a_prior_without_a_closed_form(alike, prior):
    captured = alike(
        network(7, likelihood=nv.Mixed(GROUPS), prior=prior), X, weights=WEIGHTS,
        objective=nv.ELBO(0.5, n_samples=2), **OPTIONS,
    )  # fmt: skip
    assert not captured.full.python_calls


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_a_table_with_gaps_and_units_of_its_own(alike, weights):
    x = X * np.float32([40, 0.01, 1, 1, 1, 1, 1]) + np.float32([300, -2, 0, 0, 0, 0, 0])
    x[np.random.default_rng(3).random(x.shape) < 0.2] = np.nan
    model = network(7, likelihood=nv.Mixed(GROUPS), missing="mask", standardise=True)
    captured = alike(
        model, x, valid=x[:9], weights=weights, objective=nv.ELBO(n_samples=2), **OPTIONS
    )
    assert not captured.full.python_calls

"""β-TCVAE, MMD and DIP-VAE in use: spelled, refused, and what models they train."""

from __future__ import annotations

import json

import numpy as np
import pytest

import npvae as nv
from npvae.core import resolve


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize(
    ("objective", "options", "message"),
    [
        (
            "betatc",
            {"posterior": "planar:n=2"},
            "posterior='gaussian'; this one's posterior is PlanarF",
        ),
        (
            "dip",
            {"posterior": "planar:n=2"},
            "posterior='gaussian'; this one's posterior is PlanarF",
        ),
        ("dip", {"prior": "mixture"}, "prior='standard'; this one's prior is Mixture"),
        (
            "mmd",
            {"prior": "vamp:n_components=2"},
            "prior='standard'; this one's prior is VampPrior",
        ),
    ],
)
def test_models_that_they_are_not_for(objective, options, message, rng):
    model = nv.VAE(4, 2, hidden=(3,), dtype="float64", **options)
    with pytest.raises(nv.ConfigError, match=message):
        nv.value_and_grad(model, objective, rng.random((3, 4)), model.draw_noise(3, 1, rng))
    with pytest.raises(nv.ConfigError, match=message):
        nv.fit(nv.VAE(4, 2, hidden=(3,), **options), rng.random((9, 4)), objective=objective)


def test_mmd_takes_flows_and_betatc_learnt_priors(rng):
    x = rng.random((60, 4))
    for objective, options in (("mmd", {"posterior": "planar:n=2"}), ("betatc", {"prior": "vamp"})):
        history = nv.fit(
            nv.VAE(4, 2, hidden=(8,), **options), x, objective=objective, epochs=2, batch_size=20
        )
        assert np.isfinite(history.records[-1]["train_loss"])


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("betatc:beta=6", nv.BetaTC(6)),
        ("betatc:estimator=stratified,n_data=100", nv.BetaTC(6, 1, 1, "stratified", 100)),
        ("mmd:weight=10,kernel=rbf,scales=[1,2]", nv.MMD(10, "rbf", scales=(1, 2))),
        ("dip:kind=2,off_diagonal=3", nv.DIP(2, 3)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_text_and_config_stand_for_them(text, made):
    assert resolve("objective", text).config == made.config
    assert resolve("objective", json.loads(json.dumps(made.config))).config == made.config


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nv.BetaTC(alpha=-1), "alpha is a finite number, 0 or more; got -1."),
        (lambda: nv.BetaTC(estimator="x"), "estimator is one of weighted, stratified; got 'x'."),
        (
            lambda: nv.BetaTC(estimator="stratified"),
            "the stratified estimator needs n_data, the number of training rows; got none. "
            "Give n_data=..., or take estimator='weighted'.",
        ),
        (lambda: nv.MMD(kernel="linear"), "kernel is one of imq, rbf; got 'linear'."),
        (lambda: nv.MMD(scales=()), "scales are 1 to 100 numbers, such as [0.5,1,2]; got ()."),
        (lambda: nv.MMD(scales=[0]), "a scale is a finite number above 0; got 0."),
        (lambda: nv.MMD(weight="1"), "weight is a finite number, 0 or more; got '1'."),
        (lambda: nv.DIP(3), "kind is 1 or 2, for DIP-VAE I or II; got 3."),
        (lambda: nv.DIP(diagonal=-1), "diagonal is a finite number, 0 or more; got -1."),
    ],
)
def test_arguments_are_checked(build, message):
    with pytest.raises(nv.ConfigError) as caught:
        build()
    assert str(caught.value) == message


def trained(objective, **options):
    x, _ = nv.datasets.digits()
    x = x[:600].copy()
    if options.pop("gaps", False):
        x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
        options["missing"] = "mask"
    model = nv.VAE(64, 4, hidden=(32,), **options)
    history = nv.fit(model, x, objective=objective, epochs=25, batch_size=60, lr=5e-3)
    return model, x, history.records


def covariance(model, x):
    mu, logvar = model.encode(x)
    return np.cov(mu.T), np.exp(logvar).mean(0)


@pytest.mark.slow
def test_mmd_alone_brings_the_draws_to_the_prior():
    spreads = []
    for weight in (0, 1000):
        model, x, records = trained(nv.MMD(weight))
        spreads.append(
            sum(map(np.diag, [np.diag(covariance(model, x)[1]), covariance(model, x)[0]]))
        )
        assert {"train_mmd", "train_kl"} <= records[-1].keys()
    assert np.abs(spreads[0] - 1).max() > 2
    assert np.abs(spreads[1] - 1).max() < 0.5


def test_dip_draws_the_covariance_to_that_of_the_prior():
    means, _ = covariance(*trained(nv.DIP(1, 20.0, 20.0))[:2])
    assert np.abs(means - np.eye(4)).max() < 0.15
    means, variances = covariance(*trained(nv.DIP(2, 20.0, 20.0))[:2])
    assert np.abs(means + np.diag(variances) - np.eye(4)).max() < 0.15


def test_betatc_presses_the_total_correlation_with_gaps_too():
    correlations = []
    for beta in (0.0, 8.0):
        *_, records = trained(nv.BetaTC(beta, 0.2, 0.2), gaps=True)
        correlations.append(records[-1]["train_tc"])
    assert correlations[1] < correlations[0] - 0.1

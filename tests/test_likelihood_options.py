"""What likelihoods take and refuse, where training starts, and what models make of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import special

import npvae as nv
from npvae.core import bind, layout, n_parameters

VARIANTS = {
    "laplace by the decoder": (lambda: nv.Laplace("decoder"), 3, 1.0),
    "student_t by the decoder": (lambda: nv.StudentT(3.0, "decoder"), 3, 1.0),
    "poisson of a total": (lambda: nv.Poisson(library=True), 3, 2.0),
    "negative_binomial by the decoder": (lambda: nv.NegativeBinomial("decoder"), 3, 2.0),
    "negative_binomial of a total": (lambda: nv.NegativeBinomial(library=7.5), 3, 2.0),
    "zero_inflated by the decoder, of a total": (
        lambda: nv.ZeroInflatedNegativeBinomial("decoder", library=7.5), 3, 2.0
    ),
    "beta by the decoder": (lambda: nv.Beta("decoder"), 3, 0.4),
    "categorical of one size": (lambda: nv.Categorical(4), 3, 2.0),
    "one_hot of one group": (nv.OneHot, 3, np.eye(3)[[0, 2]]),
    "one_hot of groups": (lambda: nv.OneHot(2), 4, np.eye(2)[[[0, 1], [1, 1]]].reshape(2, 4)),
}  # fmt: skip


@pytest.mark.smoke(4)
@pytest.mark.parametrize(("make", "x_dim", "x"), VARIANTS.values(), ids=VARIANTS)
def test_gradients_of_every_setting(make, x_dim, x):
    """Each class's own example is in the registry's tests; these are its other settings."""
    rng = np.random.default_rng(2)
    likelihood = make()
    likelihood.declare(x_dim)
    x = np.broadcast_to(np.asarray(x, float), (2, x_dim)).copy()
    theta = rng.normal(size=(3, 2, likelihood.n_outputs(x_dim)))
    report = nv.check_gradients(likelihood, (theta, x))
    assert report.ok, str(report)
    model = nv.VAE(x_dim, 2, hidden=(3,), activation="tanh", likelihood=make())
    inputs = x, model.draw_noise(2, 2, rng)
    report = nv.check_gradients(model, inputs, objective=nv.ELBO(n_samples=2), methods=["taylor"])
    assert report.ok, str(report)


def a_table(name, n=64):
    rng = np.random.default_rng(0)
    if name in ("poisson", "negative_binomial", "zero_inflated_negative_binomial"):
        return rng.poisson(3, (n, 5)).astype(np.int32)
    if name == "one_hot":
        return np.eye(5)[rng.integers(5, size=n)]
    if name in ("categorical", "ordinal", "bernoulli"):
        return rng.integers(2, size=(n, 5))
    return rng.uniform(0.05, 0.95, (n, 5))


@pytest.mark.smoke(6)
@pytest.mark.parametrize(
    "name", [n for n in nv.registered("likelihood") if n not in ("mixed", "transformed")]
)
def test_by_name_a_model_trains_and_is_saved_and_loaded(name, tmp_path):
    x = a_table(name)
    model = nv.VAE(5, 2, hidden=(8,), likelihood=name)
    history = nv.fit(model, x, epochs=8, batch_size=16, lr=0.01)
    losses = [record["train_loss"] for record in history.records]
    assert losses[-1] < losses[0]
    nv.save(model, tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz")
    assert again.config == json.loads(json.dumps(model.config))
    np.testing.assert_array_equal(again.elbo(x), model.elbo(x))
    assert again.reconstruct(x).shape == x.shape
    assert np.isfinite(nv.log_likelihood(again, x, n_samples=5)).all()


@pytest.mark.parametrize(
    "likelihood",
    [
        nv.NegativeBinomial("decoder", library=True),
        nv.Poisson(library=100),
        nv.Laplace("decoder"),
        nv.StudentT(3, "decoder"),
        nv.Beta("decoder"),
        nv.Categorical((2, 3, 4, 2, 2)),
        nv.OneHot([3, 2]),
    ],
    ids=repr,
)
def test_settings_are_part_of_the_config(likelihood, tmp_path):
    model = nv.VAE(5, 2, hidden=(4,), likelihood=likelihood)
    nv.save(model, tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz").likelihood
    assert repr(again) == repr(likelihood)
    assert again.n_outputs(5) == likelihood.n_outputs(5)


@pytest.mark.parametrize(
    ("likelihood", "x", "message"),
    [
        (
            nv.Poisson(),
            [1, -2],
            "Poisson needs counts, whole numbers from 0 on; got -2 in",
        ),
        (nv.NegativeBinomial(), [0.5, 2], "whole numbers from 0 on; got 0.5 in column 0"),
        (nv.ZeroInflatedNegativeBinomial(), [3, 1e-9], "got 1e-09 in column 1"),
        (nv.Beta(), [0.0, 0.5], "Beta needs data above 0 and below 1; got a minimum of 0. Move"),
        (nv.Beta(), [0.5, 1.0], "got a maximum of 1. Move them inside, or use Continuous"),
        (nv.Beta(), [0.5, 200.0], "got a maximum of 200. Divide by 255, or use Continuous"),
        (nv.ContinuousBernoulli(), [0, 255], "got a maximum of 255. Divide by 255, or use Gauss"),
        (nv.ContinuousBernoulli(), [-1, 0], "needs data in [0, 1]; got a minimum of -1. Scale"),
        (nv.Categorical(3), [0, 3], "from 0 to 2 in column 1 (counted from 0); got 3. Number"),
        (nv.Categorical((3, 2)), [1.5, 0], "from 0 to 2 in column 0 (counted from 0); got 1.5."),
        (nv.Categorical(3), [-1, 0], "got -1."),
        (nv.OneHot(), [1, 1], "a single 1 among zeros in each group of columns; got [1.0, 1.0] in"),
        (nv.OneHot(), [0.5, 0.5], "got [0.5, 0.5] in group 0"),
    ],
)
def test_support(likelihood, x, message):
    with pytest.raises(nv.DataError) as caught:
        likelihood.check(np.array([x], float))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nv.StudentT(0), "StudentT's df is a finite number above 0; got 0."),
        (lambda: nv.Laplace("row"), "Laplace's scale is given by 'column' or 'decoder'; got 'row'"),
        (lambda: nv.NegativeBinomial(1.5), "NegativeBinomial's dispersion is given by 'column'"),
        (lambda: nv.Beta(None), "Beta's concentration is given by 'column' or 'decoder'"),
        (lambda: nv.Poisson(library=-1), "library is a finite number, 0 or more; got -1."),
        (lambda: nv.NegativeBinomial(library="yes"), "library is a finite number, 0 or more"),
        (lambda: nv.Categorical(1), "Categorical's number of classes is a whole number, 2 or more"),
        (lambda: nv.Categorical(()), "Categorical's number of classes is one for each column"),
        (lambda: nv.OneHot("3,2"), "OneHot's number of classes is a whole number, 2 or more"),
        (lambda: nv.VAE(3, 2, likelihood=nv.Categorical((2, 2))), "got 2 for 3 columns"),
        (lambda: nv.VAE(6, 2, likelihood=nv.OneHot((3, 2))), "got (3, 2) for 6 columns"),
        (lambda: nv.VAE(6, 2, likelihood=nv.OneHot(4)), "got 4 for 6 columns"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(nv.ConfigError) as caught:
        make()
    assert message in str(caught.value)


BIASED = {
    "bernoulli": (nv.Bernoulli, None), "continuous_bernoulli": (nv.ContinuousBernoulli, None),
    "beta": (nv.Beta, None), "beta by the decoder": (lambda: nv.Beta("decoder"), None),
    "poisson": (nv.Poisson, None), "poisson of a total": (lambda: nv.Poisson(library=3), 3),
    "negative_binomial": (lambda: nv.NegativeBinomial("decoder"), None),
    "zero_inflated": (nv.ZeroInflatedNegativeBinomial, None),
    "zero_inflated by the decoder": (lambda: nv.ZeroInflatedNegativeBinomial("decoder"), None),
    "gaussian_heteroscedastic": (nv.GaussianHeteroscedastic, None),
    "gaussian_column_scale": (nv.GaussianColumnScale, None),
    "laplace": (lambda: nv.Laplace("decoder"), None), "student_t": (nv.StudentT, None),
    "one_hot": (nv.OneHot, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", BIASED)
def test_training_starts_at_the_mean_of_the_data(name):
    make, total = BIASED[name]
    likelihood, mean = make(), np.array([0.1, 0.5, 0.02, 0.9])
    mean = mean / mean.sum() if name == "one_hot" else mean
    likelihood.declare(4)
    likelihood.allocate(np.random.default_rng(0))
    bias = likelihood.output_bias(mean, 10**7)
    assert bias.shape == (likelihood.n_outputs(4),)
    want = mean if total is None else mean / mean.sum() * total
    np.testing.assert_allclose(likelihood.mean(bias[None])[0], want, rtol=1e-5)
    empty = likelihood.output_bias(np.where(mean > 0.4, mean, 1e-9), 50)
    assert np.isfinite(empty).all()


def test_columns_without_counts_start_finite():
    for likelihood in (nv.Poisson(), nv.Poisson(library=True), nv.ContinuousBernoulli()):
        assert np.isfinite(likelihood.output_bias(np.zeros(3), 9)).all()


def test_library_multiplies_by_the_row_s_total():
    rng = np.random.default_rng(0)
    theta, x = rng.normal(size=(2, 5, 4)), rng.poisson(4, (5, 4)).astype(float)
    x[2] = 0  # counts as a total of 1
    total = np.maximum(x.sum(1, keepdims=True), 1)
    for library in (True, 1, 20.0):
        moved = theta + np.log(total / float(library))
        got = nv.Poisson(library=library).log_prob(theta, x)
        np.testing.assert_allclose(got, nv.Poisson().log_prob(moved, x), rtol=1e-12)
    np.testing.assert_array_equal(nv.Poisson(library=9).mean(theta), np.exp(theta))
    # Doubling a row's counts and its total's rate is one and the same.
    for kind, heads in ((nv.NegativeBinomial, 2), (nv.ZeroInflatedNegativeBinomial, 3)):
        one, other = kind("decoder", library=8.0), kind("decoder")
        theta = rng.normal(size=(1, 5, 4 * heads))
        shift = np.concatenate([np.log(total / 8)] + (heads - 1) * [0 * total], 1)
        shifted = theta + shift.repeat(4, axis=1)
        np.testing.assert_allclose(one.log_prob(theta, x), other.log_prob(shifted, x), rtol=1e-12)


def test_logits_far_apart():
    """The softmax is taken from each group's greatest logit, or it overflows."""
    logits, x = np.array([[0, 2000, 0, -3000, -3000.0]]), np.array([[0.0, 1.0]])
    got = nv.Categorical((3, 2)).log_prob(logits, x)
    np.testing.assert_allclose(got, [-2000 - np.log(2)], rtol=1e-15)


def test_gradients_where_the_bound_of_a_scale_is_felt():
    """At 10 and more the bend is so nearly odd that its slope at -raw would do as well."""

    class Bounded(nv.GaussianHeteroscedastic, abstract=True):
        bound = 1.0

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 2, 8)), rng.normal(size=(2, 4))
    report = nv.check_gradients(Bounded(), inputs)
    assert report.ok, report


@pytest.mark.parametrize("make", [nv.GaussianLearntScale, nv.GaussianColumnScale])
def test_fit_scale_is_the_optimum_of_the_likelihood(make):
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(2, 30, 3))
    x = mean[0] + rng.normal(size=(30, 3)) * [0.1, 1.0, 7.0]
    likelihood = make()
    likelihood.declare(3)
    likelihood.allocate(rng)
    likelihood.fit_scale(mean, x)
    bind(likelihood, own := np.zeros(n_parameters(likelihood)), prefix="d")
    log_px, cache = likelihood.forward(mean, x)
    likelihood.backward(cache, np.ones_like(log_px))
    assert np.abs(own).max() < 1e-10
    square = ((x - mean) ** 2).mean((0, 1) if make is nv.GaussianColumnScale else None)
    np.testing.assert_allclose(np.exp(2 * likelihood.log_scale), square, rtol=1e-12)
    likelihood.fit_scale(x, x)  # rows that are met exactly: no logarithm of 0
    np.testing.assert_allclose(likelihood.log_scale, np.log(1e-10))


def test_fit_scale_after_each_epoch():
    """The optimal σ-VAE, by a callback."""
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32) * 0.01
    model = nv.VAE(4, 2, hidden=(8,), likelihood="gaussian_column_scale")

    def fit_scale(model, record):
        model.likelihood.fit_scale(model.reconstruct(x), x)

    nv.fit(model, x, epochs=3, callbacks=[fit_scale])
    square = ((model.reconstruct(x) - x) ** 2).mean(0)
    np.testing.assert_allclose(np.exp(2 * model.likelihood.log_scale), square, rtol=1e-4)


def test_log_prob_takes_samples_or_none_and_checks():
    rng = np.random.default_rng(0)
    theta, x = rng.normal(size=(3, 5, 4)), rng.integers(2, size=(5, 4))
    bernoulli = nv.Bernoulli()
    log_px = bernoulli.log_prob(theta, x)
    assert log_px.shape == (3, 5)
    np.testing.assert_array_equal(bernoulli.log_prob(theta[1], x), log_px[1])
    want = (x * theta - np.logaddexp(0, theta)).sum(-1)
    np.testing.assert_allclose(log_px, want, rtol=1e-12)
    with pytest.raises(nv.DataError, match=r"Bernoulli needs data in \[0, 1\]"):
        bernoulli.log_prob(theta, x + 7)
    for theta_shape, x_shape in (((5, 3), (5, 4)), ((4, 4), (5, 4)), ((4,), (4,)), ((5, 4), (4,))):
        with pytest.raises(nv.DataError, match="log_prob needs x"):
            bernoulli.log_prob(np.zeros(theta_shape), np.zeros(x_shape))


def test_a_likelihood_without_a_mode_says_so():
    class Own(nv.Likelihood, abstract=True):
        forward = backward = mean = sample = None

    with pytest.raises(nv.ConfigError, match="Own has no mode"):
        Own().mode(np.zeros((1, 2)))


def test_grey_images_as_a_density():
    """Where all mass lies near the mean's grey, the Bernoulli's log p is below 0 and no density."""
    x = np.full((1, 9), 0.5)
    logits = np.full((1, 9), special.logit(0.5))
    assert nv.ContinuousBernoulli().log_prob(logits, x) == 0  # the uniform density
    assert nv.Bernoulli().log_prob(logits, x) < 0
    assert nv.ContinuousBernoulli.unit_interval
    assert nv.Beta.unit_interval


def test_parameters_of_columns_have_names_and_shapes():
    model = nv.VAE(6, 2, hidden=(4,), likelihood="negative_binomial")
    assert layout(model)["likelihood.log_dispersion"].shape == (6,)
    assert model.params["likelihood.log_dispersion"].tolist() == [0] * 6
    assert "likelihood.log_scale" in nv.VAE(6, 2, hidden=(4,), likelihood="laplace").params

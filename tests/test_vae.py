"""The dense VAE: shapes, types and values of its methods, its config, its parameters, its scale."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from scipy import special, stats

import npvae as nv
from npvae import models  # noqa: F401  (all parts get registered)
from npvae.data import reader


def own(family):
    """The names of npvae's own parts; other tests may have registered some of theirs."""
    parts = nv.registered(family).items()
    return sorted(name for name, part in parts if part.__module__.startswith("npvae."))


ACTIVATIONS = own("activation")
LIKELIHOODS = [name for name in own("likelihood") if name not in ("mixed", "transformed")]
"""Those that a name is enough for; Mixed is told its groups, Transformed its marginals."""


def small(**options):
    return nv.VAE(**{"x_dim": 6, "z_dim": 2, "hidden": (5, 4), "seed": 3, **options})


def perturbed(**options):
    """A model whose biases are no zeros either."""
    model = small(dtype="float64", activation="tanh", **options)
    model.flat += 0.2 * np.random.default_rng(8).normal(size=model.n_params)
    return model


def binary(n=7, d=6, seed=0):
    return (np.random.default_rng(seed).random((n, d)) < 0.4).astype(float)


def supported(likelihood, n):
    """Rows in the support of a likelihood, by its name."""
    if likelihood == "beta":
        return 0.1 + 0.8 * binary(n)
    if likelihood == "one_hot":
        return np.eye(6)[np.arange(n) % 6]
    return binary(n)


def by_hand(model, a, part):
    """The layers of an encoder or decoder in plain NumPy, from the parameters' names alone."""
    depth = sum(name.startswith(part) for name in model.params) // 2
    for i in range(depth):
        a = a @ model.params[f"{part}.layers.{i}.W"].T + model.params[f"{part}.layers.{i}.b"]
        a = np.tanh(a) if i < depth - 1 else a
    return a


@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("hidden", [(), (5,)])
def test_results_share_no_memory_with_the_input_or_each_other(n, hidden):
    model, x = small(hidden=hidden, activation="identity"), binary(n).astype("float32")
    mu, logvar = model.encode(x)
    x_before, logvar_before = x.copy(), logvar.copy()
    decoded = model.decode(mu)
    mu_before = mu.copy()
    decoded[...] = 7
    np.testing.assert_array_equal(mu, mu_before)
    mu[...] = 7
    np.testing.assert_array_equal(logvar, logvar_before)
    logvar[...] = 7
    np.testing.assert_array_equal(x, x_before)
    assert not (model.flat == 7).any()


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("n", [1, 7])
def test_shapes_and_types_of_every_method(dtype, likelihood, n):
    model, x = small(dtype=dtype, likelihood=likelihood), supported(likelihood, n)
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == (n, 2)
    for array in (model.decode(mu), model.reconstruct(x), model.sample(n)):
        assert array.shape == (n, 6)
        assert array.dtype == dtype
    assert mu.dtype == logvar.dtype == dtype
    for nats in (model.elbo(x), model.elbo(x, n_samples=3), *model.elbo_terms(x)):
        assert nats.shape == (n,)
        assert nats.dtype == np.float64
    eps = model.draw_noise(n, 4, np.random.default_rng(0))
    assert eps.shape == (4, n, 2)
    assert eps.dtype == dtype
    assert nv.log_likelihood(model, x, n_samples=3).shape == (n,)
    assert nv.active_units(model, x).shape == (2,)


def test_encode_decode_and_reconstruct_are_the_formulas():
    model, x = perturbed(), binary()
    raw = by_hand(model, x, "encoder")
    mu, logvar = model.encode(x)
    np.testing.assert_allclose(mu, raw[:, :2], rtol=1e-13)
    np.testing.assert_allclose(logvar, raw[:, 2:], atol=1e-7)  # the bend at ±20 is not felt here
    z = np.random.default_rng(1).normal(size=(5, 2))
    np.testing.assert_allclose(
        model.decode(z), special.expit(by_hand(model, z, "decoder")), rtol=1e-13
    )
    np.testing.assert_array_equal(model.reconstruct(x), model.decode(mu))


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_elbo_is_its_definition_on_the_documented_noise(likelihood):
    model = perturbed(likelihood=likelihood)
    x, n_samples = binary(), 3
    mu, logvar = model.encode(x)
    std = np.exp(logvar / 2)
    rng = np.random.default_rng(11)
    log_px = np.zeros(len(x))
    for _ in range(n_samples):
        z = mu + std * model.draw_noise(len(x), 1, rng)[0]
        theta = by_hand(model, z, "decoder")
        if likelihood == "bernoulli":
            log_px += stats.bernoulli.logpmf(x, special.expit(theta)).sum(1)
        else:
            log_px += stats.norm.logpdf(x, theta, 1.0).sum(1)
    kl = (0.5 * (std**2 + mu**2 - 1) - np.log(std)).sum(1)
    rec, got_kl = model.elbo_terms(x, n_samples=n_samples, seed=11)
    np.testing.assert_allclose(rec, log_px / n_samples, rtol=1e-12)
    np.testing.assert_allclose(got_kl, kl, rtol=1e-12)
    np.testing.assert_allclose(
        model.elbo(x, n_samples=n_samples, seed=11), log_px / n_samples - kl, rtol=1e-12
    )


def test_sample_has_the_moments_of_the_prior_seen_through_the_decoder():
    model = nv.VAE(3, 2, hidden=(), likelihood="gaussian", dtype="float64", seed=1)
    model.params["decoder.layers.0.W"][...] = [[1.0, 2.0], [-1.0, 0.5], [0.0, 3.0]]
    model.params["decoder.layers.0.b"][...] = [1.0, 2.0, 3.0]
    drawn = model.sample(40_000, seed=5)
    W = model.params["decoder.layers.0.W"]
    np.testing.assert_allclose(drawn.mean(0), [1, 2, 3], atol=0.06)
    np.testing.assert_allclose(np.cov(drawn.T), W @ W.T, atol=0.2)
    np.testing.assert_array_equal(model.sample(9, seed=5), model.sample(9, seed=5))
    assert not np.array_equal(model.sample(9, seed=5), model.sample(9, seed=6))


@pytest.mark.smoke(1)
@pytest.mark.parametrize("n_samples", [1, 2])
def test_rows_are_taken_in_chunks_that_do_not_show(monkeypatch, n_samples):
    model, x = perturbed(context_dim=1), binary(50)
    c = np.linspace(-1, 1, 50)[:, None]
    z = np.random.default_rng(2).normal(size=(50, 2))

    def everything(k):
        mu, logvar = model.encode(x, c)
        return mu, logvar, model.decode(z, c), model.elbo(x, k, context=c), model.sample(50, 0, c)

    whole = everything(n_samples)
    monkeypatch.setattr(reader, "CHUNK", 7)
    chunked = everything(n_samples)
    names = ("mu", "logvar", "decode", "elbo", "sample")
    for name, a, b in zip(names, whole, chunked, strict=True):
        if name == "elbo" and n_samples > 1:  # the draws then come in another order
            assert not np.array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-12, err_msg=name)
    many = model.elbo(x, 400, context=c)
    monkeypatch.setattr(reader, "CHUNK", 2048)
    np.testing.assert_allclose(many.mean(), model.elbo(x, 400, context=c).mean(), atol=0.05)


def test_elbo_is_fixed_by_its_seed():
    model, x = perturbed(), binary()
    np.testing.assert_array_equal(model.elbo(x, 2, seed=4), model.elbo(x, 2, seed=4))
    assert not np.array_equal(model.elbo(x, 2, seed=4), model.elbo(x, 2, seed=5))


def test_a_row_means_the_same_alone_and_among_others():
    model, x = small(), binary(40)
    for i in (0, 17, 39):
        np.testing.assert_allclose(
            model.encode(x[i : i + 1])[0], model.encode(x)[0][[i]], atol=1e-6
        )


# Config and parameters


@pytest.mark.smoke
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("likelihood", [*LIKELIHOODS, nv.Gaussian(scale=0.3)])
def test_the_config_survives_json_and_rebuilds_the_model(activation, likelihood):
    model = nv.VAE(
        6, 2, hidden=[np.int64(5), 4], activation=activation, likelihood=likelihood,
        dtype="float64", seed=9, context_dim=1, init="he_normal", scale=255,
    )  # fmt: skip
    config = json.loads(json.dumps(model.config, allow_nan=False))
    twin = nv.VAE(**config)
    assert twin.config == model.config == config
    assert list(twin.params) == list(model.params)
    np.testing.assert_array_equal(twin.flat, model.flat)
    assert type(twin.likelihood) is type(model.likelihood)
    assert twin.likelihood.config == model.likelihood.config


def test_same_seed_same_weights():
    np.testing.assert_array_equal(small().flat, small().flat)
    assert not np.array_equal(small().flat, small(seed=4).flat)
    np.testing.assert_array_equal(small(dtype="float64").flat.astype("float32"), small().flat)


def test_hidden_layers_are_mirrored_and_may_be_absent():
    shapes = {name: p.shape for name, p in small(context_dim=3).params.items()}
    assert shapes == {
        "encoder.layers.0.W": (5, 9), "encoder.layers.0.b": (5,),
        "encoder.layers.1.W": (4, 5), "encoder.layers.1.b": (4,),
        "encoder.layers.2.W": (4, 4), "encoder.layers.2.b": (4,),
        "decoder.layers.0.W": (4, 5), "decoder.layers.0.b": (4,),
        "decoder.layers.1.W": (5, 4), "decoder.layers.1.b": (5,),
        "decoder.layers.2.W": (6, 5), "decoder.layers.2.b": (6,),
    }  # fmt: skip
    assert nv.VAE(3, 1, hidden=()).n_params == (3 * 2 + 2) + (1 * 3 + 3)


def test_params_are_views_that_cover_the_flat_vector_once():
    model, x = small(), binary()
    assert model.n_params == model.flat.size == sum(p.size for p in model.params.values())
    for i, view in enumerate(model.params.values()):
        assert np.shares_memory(view, model.flat)
        view[...] = i + 1
    expected = [np.full(p.size, i + 1) for i, p in enumerate(model.params.values())]
    np.testing.assert_array_equal(model.flat, np.concatenate(expected))
    model.flat[...] = 0
    model.params["decoder.layers.2.b"][...] = 1.5
    np.testing.assert_allclose(model.decode(np.ones((1, 2))), special.expit(1.5), rtol=1e-6)
    model.params.clear()  # the mapping is the caller's own
    model.elbo(x)
    assert len(model.params) == 12


def test_given_parameters_are_copied_in():
    model = small()
    given = {name: np.full(p.shape, 0.25) for name, p in model.params.items()}
    built = small(parameters=given)
    assert (built.flat == 0.25).all()
    assert not any(np.shares_memory(built.flat, p) for p in given.values())


@pytest.mark.parametrize("copied", [lambda m: m.copy(), copy.deepcopy])
def test_a_copy_shares_nothing_and_is_whole(copied):
    model, x = small(scale=255), binary()
    twin = copied(model)
    assert twin.config == model.config
    np.testing.assert_array_equal(twin.flat, model.flat)
    before = model.elbo(x)
    twin.flat += 0.1
    np.testing.assert_array_equal(model.elbo(x), before)
    np.testing.assert_array_equal(twin.params["encoder.layers.0.W"].ravel(), twin.flat[:30])
    assert not np.array_equal(twin.elbo(x), before)


def test_another_type_gives_the_same_model():
    model, x = small(), binary()
    wide = model.astype("float64")
    assert (wide.dtype, model.dtype) == ("float64", "float32")
    assert wide.config["dtype"] == "float64"
    np.testing.assert_allclose(wide.elbo(x), wide.copy().elbo(x))
    np.testing.assert_allclose(wide.encode(x)[0], model.encode(x)[0], atol=1e-5)


def test_models_of_one_likelihood_object_share_no_parameters():
    likelihood = nv.GaussianLearntScale()
    one, other = small(likelihood=likelihood), small(likelihood=likelihood)
    before = other.flat.copy()
    nv.fit(one, binary(), epochs=1)
    np.testing.assert_array_equal(other.flat, before)
    assert np.shares_memory(one.likelihood.log_scale, one.flat)


def test_repr_names_the_choices():
    text = repr(small(likelihood=nv.Gaussian(0.5)))
    assert text.startswith("VAE(x_dim=6, z_dim=2, hidden=[5, 4]")
    assert "0.5" in text
    assert "\n" not in text


# Integer input


def test_integers_are_divided_by_the_scale_and_floats_are_not():
    images = np.random.default_rng(0).integers(0, 256, (9, 6))
    model = small(scale=255.0, dtype="float64")
    expected = small(dtype="float64").elbo(images / 255.0)
    for dtype in ("uint8", "int16", "int64", "uint32"):
        np.testing.assert_array_equal(model.elbo(images.astype(dtype)), expected)
    np.testing.assert_array_equal(model.elbo(images / 255.0), expected)
    ones = images > 127
    np.testing.assert_array_equal(model.encode(ones)[0], model.encode(ones.astype(float))[0])


def test_without_a_scale_integers_stay_as_they_are():
    counts = np.random.default_rng(0).integers(0, 256, (9, 6)).astype("uint8")
    model = small(likelihood="gaussian")
    np.testing.assert_array_equal(model.encode(counts)[0], model.encode(counts.astype(float))[0])


@pytest.mark.parametrize(
    "given",
    [
        lambda x: x.tolist(),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.astype("float32"),
        lambda x: x.astype("float16"),
        lambda x: x.astype("longdouble"),
        lambda x: x.astype(">f8"),
        lambda x: x.astype(bool),
        lambda x: np.ma.masked_array(x, mask=False),
    ],
)
def test_any_array_of_the_same_numbers_gives_the_same(given):
    model, x = small(), binary()
    np.testing.assert_array_equal(model.elbo(given(x)), model.elbo(x))


# Context


def test_a_context_is_appended_to_the_inputs_of_encoder_and_decoder():
    model, x = perturbed(context_dim=3), binary()
    c = np.random.default_rng(4).normal(size=(7, 3))
    raw = by_hand(model, np.hstack([x, c]), "encoder")
    mu, _ = model.encode(x, context=c)
    np.testing.assert_allclose(mu, raw[:, :2], rtol=1e-13)
    z = np.random.default_rng(1).normal(size=(7, 2))
    theta = by_hand(model, np.hstack([z, c]), "decoder")
    np.testing.assert_allclose(model.decode(z, context=c), special.expit(theta), rtol=1e-13)
    np.testing.assert_array_equal(model.reconstruct(x, context=c), model.decode(mu, context=c))
    assert not np.allclose(model.elbo(x, context=c), model.elbo(x, context=-c))
    ll = nv.log_likelihood(model, x, 50, context=c)
    assert not np.allclose(ll, nv.log_likelihood(model, x, 50, context=-c))
    assert nv.active_units(model, x, context=c).shape == (2,)


def test_one_context_serves_a_whole_sample():
    model = perturbed(context_dim=3)
    c = np.array([0.5, -1.0, 2.0])
    expected = model.sample(4, seed=1, context=np.tile(c, (4, 1)))
    np.testing.assert_array_equal(model.sample(4, seed=1, context=c), expected)
    np.testing.assert_array_equal(model.sample(4, seed=1, context=[c.tolist()]), expected)

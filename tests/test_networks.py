"""Models with encoders and decoders of one's own: sizes, copies, files, gradients, training."""

from __future__ import annotations

import json

import numpy as np
import pytest
from proofs import each_proof

import npvae as nv
from npvae.layers import Dense, Layer, Sequential, mlp

rng = np.random.default_rng(5)
X = rng.random((40, 6))
CONTEXT = rng.normal(size=(40, 3))


class Bump(Layer):
    """y = x + a tanh(x), one a for each number: a layer of a user's own, with a parameter."""

    def __init__(self, n):
        self.n = n
        self.in_shape = self.out_shape = (n,)
        self.parameter("a", (n,), lambda rng, shape: rng.normal(size=shape))

    def forward(self, x):
        t = np.tanh(x)
        return x + self.a * t, t

    def backward(self, t, dy, wrt_input=True):
        self.da += (dy * t).reshape(-1, self.n).sum(0)
        return dy * (1 + self.a * (1 - t * t)) if wrt_input else None

    @classmethod
    def example(cls, rng):
        return cls(3).allocate(rng), (rng.normal(size=(4, 3)),)


def encoder(n_in=6):
    return Sequential([Bump(n_in), Dense(n_in, 5, "elu:alpha=0.7"), Sequential([Dense(5, 4)])])


def decoder(n_in=2):
    return Sequential([Dense(n_in, 7, "gelu"), Bump(7), Dense(7, 6, gain=0.1)])


def model(**options):
    options = {"encoder": encoder(), "decoder": decoder(), "dtype": "float64", **options}
    return nv.VAE(6, 2, **options)


def test_dense_networks_by_hand_are_the_short_form():
    short = nv.VAE(6, 2, hidden=(5, 4), activation="tanh", seed=3)
    by_hand = nv.VAE(
        6, 2, encoder=mlp(6, (5, 4), 4, "tanh"), decoder=mlp(2, (4, 5), 6, "tanh", out_gain=0.1),
        seed=3,
    )  # fmt: skip
    assert list(by_hand.params) == list(short.params)
    np.testing.assert_array_equal(by_hand.flat, short.flat)
    for one in (short, by_hand):
        nv.fit(one, X, epochs=2, batch_size=16)
    np.testing.assert_array_equal(by_hand.flat, short.flat)
    assert "encoder" not in short.config
    assert "decoder" not in short.config


def test_parameters_are_named_by_their_place():
    names = list(model().params)
    assert names[:5] == [
        "encoder.layers.0.a", "encoder.layers.1.W", "encoder.layers.1.b",
        "encoder.layers.2.layers.0.W", "encoder.layers.2.layers.0.b",
    ]  # fmt: skip
    assert list(nv.VAE(6, 2, encoder=Dense(6, 4)).params)[:2] == ["encoder.W", "encoder.b"]


@pytest.mark.parametrize("options", [{}, {"decoder": None}, {"encoder": None, "hidden": (3,)}])
def test_a_model_is_rebuilt_from_its_config_and_its_file(options, tmp_path):
    one = model(**options)
    config = json.loads(json.dumps(one.config))
    assert set(config) & {"encoder", "decoder"} == {"encoder", "decoder"} - set(options)
    twin = nv.VAE(**config)
    assert twin.config == one.config
    np.testing.assert_array_equal(twin.flat, one.flat)
    nv.fit(one, X, epochs=1)
    one.save(tmp_path / "model.npz")
    again = nv.load(tmp_path / "model.npz")
    assert again.config == one.config
    np.testing.assert_array_equal(again.elbo(X), one.elbo(X))
    assert repr(again) == repr(one)


@pytest.mark.smoke
@pytest.mark.parametrize("objective", [nv.ELBO(), nv.IWAE(3)], ids=["elbo", "iwae"])
@pytest.mark.parametrize("prior", ["standard", "vamp:n_components=3"])
@each_proof
def test_gradients(objective, prior, methods):
    report = nv.check_gradients(model(prior=prior), objective=objective, methods=methods)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nv.VAE(11, 2, hidden=(4,)),
        lambda: nv.Autoencoder(11, 2, hidden=(4,)),
        lambda: nv.HierarchicalVAE(11, (3, 2), hidden=(4,), inference="top_down"),
        lambda: nv.HierarchicalVAE(11, (3, 2), hidden=(4,), inference="chain"),
        lambda: nv.SemiSupervisedVAE(11, 2, 3, hidden=(4,)),
    ],
)
def test_no_model_asks_for_the_gradient_of_its_data(make, monkeypatch):
    asked, original = {}, Dense.backward

    def watched(self, cache, dh, wrt_input=True):
        asked.setdefault(self.n_in, set()).add(wrt_input)
        return original(self, cache, dh, wrt_input)

    monkeypatch.setattr(Dense, "backward", watched)
    one = make()
    nv.value_and_grad(one, "elbo", rng.random((3, 11)), one.draw_noise(3, 1, rng))
    assert asked[11] == {False}
    assert asked[4] == {True}


def test_with_a_mask_and_a_context():
    one = nv.VAE(
        6, 2, missing="mask", context_dim=3, encoder=mlp(15, (4,), 4, "relu"),
        decoder=mlp(5, (4,), 6, "relu"),
    )  # fmt: skip
    x = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    history = nv.fit(one, x, context=CONTEXT, epochs=1)
    assert np.isfinite(history.records[0]["train_loss"])


def test_networks_are_copied():
    network, last = decoder(), Dense(6, 4)
    one, two = nv.VAE(6, 2, encoder=last, decoder=network), nv.VAE(6, 2, decoder=network)
    assert not hasattr(last, "W")
    one.flat[...] = 0
    assert two.decoder.layers[0].W.any()
    both = nv.VAE(6, 2, posterior="gaussian", encoder=Dense(6, 4), decoder=Dense(2, 6))
    assert both.n_params == 6 * 4 + 4 + 2 * 6 + 6


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_training_lowers_the_loss_and_starts_at_the_mean(kernels):
    nv.use_kernels(kernels)
    try:
        one = model(dtype="float32")
        records = nv.fit(one, X, epochs=30, batch_size=8, lr=1e-2, seed=1).records
        assert records[-1]["train_loss"] < records[0]["train_loss"] - 0.01
        fresh = model(dtype="float32")
        fresh.start_from(X.mean(0), len(X), X)
        p = (X.mean(0) * 40 + 0.5) / 41
        bias = fresh.decoder.layers[-1].b
        np.testing.assert_allclose(bias, np.log(p / (1 - p)), rtol=1e-5)
    finally:
        nv.use_kernels(None)


def test_captured_and_eager_steps_agree():
    """With the user's layer run by Python in the middle of the captured step."""
    flats = []
    for kernels in ("numpy", "numba"):
        nv.use_kernels(kernels)
        try:
            one = model(dtype="float32")
            nv.fit(one, X, epochs=3, batch_size=16, seed=2, threads=1)
            flats.append(one.flat)
        finally:
            nv.use_kernels(None)
    np.testing.assert_allclose(flats[1], flats[0], atol=2e-4)


def test_a_decoder_without_a_bias_at_its_end_starts_as_it_is():
    one = nv.VAE(6, 2, decoder=Sequential([Dense(2, 6), Bump(6)]), seed=1)
    before = one.flat.copy()
    one.start_from(X.mean(0), len(X), X)
    np.testing.assert_array_equal(one.flat, before)
    assert Sequential([]).output_bias is None
    assert Dense(2, 3, "relu").output_bias is None


def test_its_likelihood_and_inputs_start_from_data_all_the_same():
    counts = rng.poisson(1e4 * np.arange(1, 7), (40, 6))
    last = [Dense(2, 6), Bump(6)]
    one = nv.VAE(6, 2, decoder=Sequential(last), likelihood="negative_binomial", seed=1)
    two = nv.VAE(6, 2, likelihood="negative_binomial")
    for made in (one, two):
        made.start_from(counts.mean(0), len(counts), counts)
    np.testing.assert_array_equal(one.likelihood.log_dispersion, two.likelihood.log_dispersion)
    assert one.inputs.config == two.inputs.config
    started = one.flat.copy()
    one.start_from(counts.mean(0) + 5, len(counts), counts[::-2])
    np.testing.assert_array_equal(one.flat, started, "it was trained before")


class Channels(Layer, abstract=True):
    """Adds a number for each channel of an image."""

    def __init__(self, height, width, channels):
        self.height, self.width, self.channels = height, width, channels
        self.in_shape = self.out_shape = (height, width, channels)
        self.parameter("c", (channels,), lambda rng, shape: np.zeros(shape))

    @property
    def output_bias(self):
        return self.c

    def forward(self, x):
        images = x.reshape(*x.shape[:-1], self.height, self.width, self.channels)
        return (images + self.c).reshape(x.shape), None

    def backward(self, cache, dy, wrt_input=True):
        self.dc += dy.reshape(-1, self.channels).sum(0)
        return dy if wrt_input else None

    @classmethod
    def example(cls, rng):
        return cls(2, 3, 2).allocate(rng), (rng.normal(size=(3, 12)),)


def test_a_bias_for_each_channel_starts_at_the_channel_s_mean():
    x = rng.normal(size=(50, 12)) + np.tile([5.0, -3.0], 6)
    last = Sequential([Dense(2, 12), Channels(2, 3, 2)])
    one = nv.VAE(12, 2, likelihood="gaussian", decoder=last)
    one.start_from(x.mean(0), len(x), x)
    means = x.reshape(-1, 2).mean(0)
    np.testing.assert_allclose(one.decoder.layers[-1].c, means, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"encoder": mlp(6, (), 3, "relu")},
            "the encoder of this model maps rows of 6 numbers to rows of 4; got a network from 6 "
            "to 3. Change its first or its last layer.",
        ),
        (
            {"encoder": Dense(6, 4), "context_dim": 2},
            "the encoder of this model maps rows of 8 numbers to rows of 4; got a network from 6 "
            "to 4. Change its first or its last layer.",
        ),
        (
            {"decoder": Sequential([])},
            "the decoder of this model maps rows of 2 numbers to rows of 6; got a network from any "
            "size to the same. Change its first or its last layer.",
        ),
        ({"decoder": "dense:n_in=2,n_out=5"}, "the decoder of this model maps rows of 2 numbers"),
        ({"decoder": "densse"}, "layer must be a registered name; got 'densse'; did you mean 'd"),
        ({"encoder": nv.Gaussian()}, "layer takes a name or an object of that family; got Gauss"),
        ({"encoder": np.tanh}, "layer takes a name or an object of that family; got <ufunc"),
    ],
)
def test_networks_that_do_not_fit(options, message):
    with pytest.raises(nv.ConfigError) as caught:
        nv.VAE(6, 2, **options)
    assert str(caught.value).startswith(message)

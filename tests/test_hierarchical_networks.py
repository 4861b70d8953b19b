"""Networks of one's own in a model of several levels: on which its hidden layers stand."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv
from npvae.layers import Conv2d, ConvTranspose2d, Dense, Sequential

INFERENCES = ("top_down", "bottom_up", "chain")
HALVING = dict(kernel=4, stride=2, padding=1)


def convolutions(context_dim=0):
    """Of images of 6 x 6 pixels."""
    return dict(
        encoder=Sequential([Conv2d((6, 6, 1), 3, activation="tanh", **HALVING), Dense(27, 7)]),
        decoder=Sequential(
            [
                Dense(3 + context_dim, 27, "tanh"),
                ConvTranspose2d((3, 3, 3), 1, **HALVING),
            ]
        ),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("inference", INFERENCES)
def test_gradients_and_files(inference, rng, tmp_path):
    model = nv.HierarchicalVAE(
        36, (3, 2), hidden=(5,), inference=inference, activation="tanh", dtype="float64",
        **convolutions(),
    )  # fmt: skip
    x = rng.random((3, 36))
    assert nv.check_gradients(model, (x, model.draw_noise(3, 2, rng)), methods=["taylor"]).ok
    nv.save(model, tmp_path / "model.npz")
    for other in (nv.load(tmp_path / "model.npz"), model.copy()):
        np.testing.assert_array_equal(other.flat, model.flat)
        for one, two in zip(other.encode(x), model.encode(x), strict=True):
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(other.sample(4), model.sample(4))


def test_the_levels_see_what_the_encoder_makes_of_x(rng):
    model = nv.HierarchicalVAE(
        6, (3, 2), hidden=(5,), inference="bottom_up", activation="tanh", dtype="float64",
        encoder=Dense(6, 4, "tanh"),
    )  # fmt: skip
    model.flat += rng.normal(size=model.n_params)
    x, p = rng.random((8, 6)), model.params
    h = np.tanh(x @ p["encoder.W"].T + p["encoder.b"])
    h = np.tanh(h @ p["posterior.up.0.layers.1.W"].T + p["posterior.up.0.layers.1.b"])
    mu = (h @ p["posterior.heads.0.W"].T + p["posterior.heads.0.b"])[:, :3]
    np.testing.assert_allclose(model.encode(x)[0][0], mu, rtol=1e-12)
    names = [name for name in p if name.endswith("W")]
    assert len(names) == len({id(p[name]) for name in names}) == 9
    assert model.n_params == sum(p[name].size for name in p)


def test_images_train_with_gaps_and_labels_as_one_compiled_step(rng):
    from npvae.layers import Beside, Stacked

    images = rng.random((60, 36)).astype(np.float32)
    images[rng.random(images.shape) < 0.1] = np.nan
    labels = rng.integers(3, size=60)
    seen = Sequential([Stacked((6, 6), (1, 1)), Conv2d((6, 6, 2), 3, activation="relu", **HALVING)])
    options = convolutions(context_dim=3) | dict(encoder=Beside(seen, 3))
    model = nv.HierarchicalVAE(
        z_dims=(3, 2), hidden=(5,), missing="mask", condition=nv.Labels(3), **options
    )
    with np.errstate(all="raise"):
        history = nv.fit(model, images, context=labels, epochs=2, batch_size=20)
    assert np.isfinite(history["train_loss"]).all()
    assert model.sample(4, context=1).shape == (4, 36)


def test_a_layer_is_in_the_summary_once():
    model = nv.HierarchicalVAE(36, (3, 2), hidden=(5,), **convolutions())
    assert str(model).count("Conv2d 6 x 6") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(encoder=Dense(5, 4)), "encoder of this model maps rows of 6 numbers; got .* from 5"),
        (dict(decoder=Dense(2, 6)), "decoder of this model maps rows of 3 numbers to rows of 6"),
    ],
    ids=["encoder", "decoder"],
)  # fmt: skip
def test_networks_that_do_not_fit(options, message):
    with pytest.raises(nv.ConfigError, match=message):
        nv.HierarchicalVAE(6, (3, 2), **options)


def test_a_dropout_alone_keeps_the_number_of_features():
    model = nv.HierarchicalVAE(6, (3, 2), hidden=(5,), encoder="dropout:p=0.5")
    assert model.params["posterior.up.0.layers.1.W"].shape == (5, 6)

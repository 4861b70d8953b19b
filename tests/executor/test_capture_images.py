"""Convolutions in captured steps against their definitions, for windows of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import ACTIVATIONS, Step, batch, network, recorded

import npvae as nv
from npvae.executor.graph import replay
from npvae.executor.rules.windows import LONGEST
from npvae.layers import (
    AveragePool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    GroupNorm,
    LayerNorm,
    MaxPool2d,
    Sequential,
    Stacked,
    Unstacked,
    Upsample2d,
)
from npvae.layers.mode import learning


def images(encoder, decoder=None, z_dim=3, **options):
    """A VAE of images whose encoder, or whose decoder too, ends or begins with these layers."""
    height, width, channels = encoder[0].in_shape
    x_dim = height * width * channels
    encoder = Sequential([*encoder, Dense(encoder[-1].n_out, 2 * z_dim)])
    if decoder is not None:
        decoder = Sequential([Dense(z_dim, decoder[0].n_in, "tanh"), *decoder])
    return network(x_dim, z_dim, encoder=encoder, decoder=decoder, **options)


def check(model, rows, threads=1, objective=None, python=()):
    """The gradient and the losses of the compiled step, from an arena full of NaN."""
    objective = nv.ELBO() if objective is None else objective
    step, given = Step(model, objective, rows, threads), batch(model, objective, rows, seed=3)
    assert {made.call.kernel for made in step.program.python_calls} == set(python)
    step.program.arena.fill(255)
    step.gradient[:] = np.nan
    done, losses = step.run([given], rehearsal=True)
    assert done == 1
    graph, worker, _ = recorded(model, objective, given)
    inputs = dict(x=given.x, eps=given.eps, beta=np.float64(1))
    wanted, truth = replay(graph, inputs, {n: v.example for n, v in graph.parameters.items()})
    np.testing.assert_allclose(losses[0, :3], wanted, rtol=1e-5)
    largest, slots = max(np.abs(g).max() for g in truth.values()), nv.core.layout(worker)
    for name, wanted in truth.items():
        error = np.abs(slots[name].view(step.gradient) - wanted).max()
        assert error <= 2e-5 * np.abs(wanted).max() + 1e-6 * largest, f"{name}: {error:.1e}"
    return step.gradient


def one(shape, channels, layer=Conv2d, rows=5, **options):
    """A step of which the window's layer is the second, so that its image has a gradient too."""
    first = Conv2d(shape, shape[2], 1, activation="tanh")
    return check(images([first, layer(shape, channels, **options)]), rows)


WINDOWS = [
    dict(kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    for kernel in (1, 3, (2, 4), (5, 1))
    for stride in (1, 2, 3, (1, 2))
    for padding in (0, 1, (2, 0))
    for dilation in (1, 2, (1, 3))
]


def fits(layer, shape, channels, window):
    try:
        layer(shape, channels, **window)
    except nv.ConfigError:
        return False
    return True


@pytest.mark.smoke(12)
@pytest.mark.parametrize("layer", [Conv2d, ConvTranspose2d])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_windows_of_every_kind(layer, window):
    shape = (7, 6, 3)
    if not fits(layer, shape, 4, window):
        pytest.skip("the window has no place in the image")
    one(shape, 4, layer, **window)


@pytest.mark.parametrize("rows", [1, 7, 70, 130])
@pytest.mark.parametrize("layer", [Conv2d, ConvTranspose2d])
def test_batches_of_every_size(layer, rows):
    one((5, 6, 2), 3, layer, rows, kernel=3, stride=2, padding=1)


@pytest.mark.parametrize("layer", [Conv2d, ConvTranspose2d])
@pytest.mark.parametrize(("channels", "out"), [(1, 40), (40, 1), (3, 1), (1, 2), (35, 36)])
def test_channels_of_every_number(layer, channels, out):
    one((6, 5, channels), out, layer, kernel=(3, 4), stride=(2, 1), padding=1, activation="relu")


@pytest.mark.smoke(3)
@pytest.mark.parametrize("layer", [Conv2d, ConvTranspose2d])
@pytest.mark.parametrize(
    ("channels", "kernel"), [(80, 3), (LONGEST + 9, 1), (LONGEST // 2 + 3, 2), (256, 2)]
)
def test_long_sums_are_made_in_turns(layer, channels, kernel):
    one((3, 4, channels), 2, layer, kernel=kernel, padding=kernel // 2)


def test_a_window_that_leaves_lines_out():
    """A stride above the kernel: some of the image is seen by none, and some of h is the bias."""
    one((8, 7, 2), 3, kernel=2, stride=4)
    one((3, 2, 2), 3, ConvTranspose2d, kernel=2, stride=4, output_padding=3)


def autoencoder(activation="relu", **options):
    encoder = [Conv2d((9, 8, 1), 5, 3, 2, 1, activation=activation)]
    encoder.append(Conv2d(encoder[0].out_shape, 7, 3, 2, activation=activation))
    decoder = [ConvTranspose2d((2, 1, 7), 5, 3, 2, output_padding=(0, 1), activation=activation)]
    decoder.append(ConvTranspose2d(decoder[0].out_shape, 1, (3, 4), 2, 1))
    return images(encoder, decoder, **options)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_of_an_image(activation):
    check(autoencoder(activation), 6)


@pytest.mark.parametrize("objective", [nv.ELBO(n_samples=3), nv.IWAE(4)], ids=["elbo", "iwae"])
def test_the_decoder_sees_every_sample(objective):
    check(autoencoder(), 6, objective=objective)


NORMS = {
    "batch": BatchNorm,
    "layer": LayerNorm,
    "group": lambda shape, how: GroupNorm(shape, 1 if len(shape) == 1 else 2, how),
}


def normalised(norm):
    """A model with norms of images and of dense rows."""
    encoder = [Conv2d((8, 7, 2), 6, 3, 2, 1)]
    encoder += [norm(encoder[0].out_shape, "relu"), Conv2d(encoder[0].out_shape, 4, 2)]
    encoder += [norm(encoder[-1].out_shape, "tanh"), Dense(encoder[-1].n_out, 9), norm((9,), "elu")]
    return images(encoder)


@pytest.mark.usefixtures("share_all")
@pytest.mark.parametrize("norm", NORMS)
def test_norms_are_captured_and_their_bits_do_not_depend_on_threads(norm):
    with learning(np.random.default_rng(0)):
        alone = check(normalised(NORMS[norm]), 34)
        np.testing.assert_array_equal(check(normalised(NORMS[norm]), 34, 3), alone)


@pytest.mark.parametrize("norm", NORMS)
def test_a_model_with_norms_trains_as_it_does_eagerly(alike, norm):
    x = np.random.default_rng(0).random((50, 112), dtype=np.float32)
    options = dict(epochs=2, batch_size=16, lr=3e-3, seed=4, valid=x[:20])
    # A norm before the convolution: a bias before a batch's would have no gradient but rounding's.
    shape = (8, 7, 2)
    layers = [NORMS[norm](shape, "identity"), Conv2d(shape, 6, 3, 2, 1, activation="tanh")]
    alike(images(layers), x, **options)


@pytest.mark.usefixtures("share_all")
def test_bits_do_not_depend_on_the_number_of_threads():
    alone = check(autoencoder(), 33)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(check(autoencoder(), 33, threads), alone)


GROUPS = [(4, 6, 2), (6, 6, 3), (40, 40, 2), (1, 40, 1), (5, 5, 5), (5, 10, 5), (10, 5, 5)]


@pytest.mark.smoke(5)
@pytest.mark.parametrize("layer", [Conv2d, ConvTranspose2d])
@pytest.mark.parametrize(("channels", "out", "groups"), GROUPS)
def test_groups_see_their_own_channels(layer, channels, out, groups):
    window = dict(kernel=(3, 2), stride=(1, 2), padding=1, dilation=(1, 2))
    one((5, 6, channels), out, layer, groups=groups, **window)


@pytest.mark.usefixtures("share_all")
@pytest.mark.parametrize("groups", [2, 8])
def test_bits_of_groups_do_not_depend_on_the_number_of_threads(groups):
    def model():
        layers = [Conv2d((6, 5, 2), 8, 3, activation="tanh")]
        return images([*layers, Conv2d(layers[0].out_shape, 16, 2, groups=groups)])

    alone = check(model(), 33)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(check(model(), 33, threads), alone)


RESIZED = {
    "mean": lambda shape: AveragePool2d(shape, (2, 3)),
    "overlapping means": lambda shape: AveragePool2d(shape, 3, (1, 2)),
    "mean of each channel": lambda shape: AveragePool2d(shape, shape[:2]),
    "max": lambda shape: MaxPool2d(shape, 2),
    "overlapping max": lambda shape: MaxPool2d(shape, (3, 2), (1, 2)),
    "max of each channel": lambda shape: MaxPool2d(shape, shape[:2]),
    "nearest": lambda shape: Upsample2d(shape, (2, 3)),
    "bilinear": lambda shape: Upsample2d(shape, (3, 2), "bilinear"),
}


def resized(kind):
    """A step of which the layer is the second, so that its image has a gradient too."""
    first = Conv2d((7, 6, 2), 3, 1, activation="tanh")
    return images([first, RESIZED[kind](first.out_shape)])


@pytest.mark.smoke(4)
@pytest.mark.usefixtures("share_all")
@pytest.mark.parametrize("kind", RESIZED)
def test_images_are_made_smaller_and_larger(kind):
    alone = check(resized(kind), 9)
    for threads in (2, 5):
        np.testing.assert_array_equal(check(resized(kind), 9, threads), alone)


@pytest.mark.parametrize("rows", [1, 130])
@pytest.mark.parametrize("kind", ["mean", "max", "bilinear"])
def test_batches_of_every_size_are_resized(kind, rows):
    check(resized(kind), rows)


@pytest.mark.parametrize("of_gradient", [False, True])
def test_images_one_after_another_become_channels_and_back(of_gradient):
    first = [Conv2d((4, 3, 5), 5, 1, activation="tanh")] if of_gradient else []
    layers = [Unstacked((4, 3), (2, 3)), Stacked((4, 3), (1, 3, 1)), Conv2d((4, 3, 5), 2, 2)]
    stacked = Sequential([*first, *layers])
    check(network(60, 3, encoder=Sequential([stacked, Dense(12, 6)])), 7)


def test_a_model_that_knows_what_is_missing_has_no_call_of_python():
    model = nv.ConvVAE((4, 6, 2), 3, channels=(3,), missing="mask")
    step = Step(model, nv.ELBO(), 5, 1)
    assert not step.program.python_calls


def test_every_pixel_may_have_its_own_bias():
    one((5, 6, 2), 3, kernel=3, bias="pixel", activation="tanh")
    one((3, 2, 2), 3, ConvTranspose2d, kernel=3, bias="pixel", activation="relu")


@pytest.mark.usefixtures("share_all")
def test_a_model_of_images_trains_as_it_does_eagerly(alike):
    x = np.random.default_rng(0).random((50, 72), dtype=np.float32)
    for threads in (1, 2):
        alike(autoencoder(), x, epochs=3, batch_size=16, lr=3e-3, seed=4, threads=threads)

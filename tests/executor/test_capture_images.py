"""Convolutions in captured steps against their definitions, for windows of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from capture_cases import Step, batch, network, recorded

import npvae as nv
from npvae.executor.graph import replay
from npvae.executor.operations.tiles import LANES
from npvae.layers import Conv2d, ConvTranspose2d, Dense, Sequential

EACH = ("conv2d", "conv2d_dx", "conv2d_dw")


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
    graph, worker, gradient = recorded(model, objective, given)
    inputs = dict(x=given.x, eps=given.eps, beta=np.float64(1))
    wanted, truth = replay(graph, inputs, {n: v.example for n, v in graph.parameters.items()})
    np.testing.assert_allclose(losses[0, :3], wanted, rtol=1e-5)
    for name, slot in nv.core.layout(worker).items():
        error = np.abs(slot.view(step.gradient) - truth[name]).max()
        assert error <= 2e-5 * np.abs(truth[name]).max() + 1e-7, f"{name} is off by {error:.1e}"
    return step.gradient.copy()


def one(shape, *window, layer=Conv2d, rows=5, **options):
    """A step of which the window's layer is the second, so that its image has a gradient too."""
    first = Conv2d(shape, shape[2], 1, activation="tanh")
    return check(images([first, layer(shape, *window, **options)]), rows)


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
    one(shape, 4, layer=layer, **window)

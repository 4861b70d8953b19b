"""How weights are drawn: variances by the papers' rules, for any shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from npvae.core import resolve
from npvae.core.errors import ConfigError
from npvae.layers import INITIALISERS, Conv2d, Dense, mlp
from npvae.layers.init import fans
from npvae.layers.masked import MaskedDense


@pytest.fixture
def rng():
    return np.random.default_rng(11)


VARIANCES = {
    "glorot_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "glorot_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
}


@pytest.mark.parametrize("name", INITIALISERS)
@pytest.mark.parametrize(("fan_in", "fan_out"), [(100, 400), (400, 100)])
def test_initialiser(name, fan_in, fan_out, rng):
    """Mean 0 and the papers' variance within 4 standard errors, and the distribution's shape."""
    variance = VARIANCES[name](fan_in, fan_out)
    W = INITIALISERS[name](rng, (fan_out, fan_in))
    assert W.shape == (fan_out, fan_in)
    uniform = name.endswith("uniform")
    kurtosis = 9 / 5 if uniform else 3
    assert abs(W.mean()) < 4 * math.sqrt(variance / W.size)
    assert abs(W.var() - variance) < 4 * variance * math.sqrt((kurtosis - 1) / W.size)
    bound = math.sqrt(3 * variance)
    shape = stats.uniform(-bound, 2 * bound) if uniform else stats.norm(0, math.sqrt(variance))
    assert stats.kstest(W.ravel(), shape.cdf).pvalue > 1e-3
    if uniform:
        assert bound * (1 - 40 / W.size) < np.abs(W).max() <= bound


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 3), (3, 4)),
        ((8, 3, 3, 2), (18, 72)),
        ((5, 7, 2), (14, 35)),
        ((6,), (1, 1)),
        ((), (1, 1)),
    ],
)
def test_fans(shape, expected):
    assert fans(shape) == expected


@pytest.mark.parametrize("name", INITIALISERS)
def test_kernels_of_a_convolution_keep_the_variance(name, rng):
    """Of an output summed from h w I inputs of variance 1: 1 by He's rule for a half of them."""
    W = INITIALISERS[name](rng, (60, 3, 5, 40))
    expected = VARIANCES[name](3 * 5 * 40, 60 * 3 * 5)
    assert W.shape == (60, 3, 5, 40)
    assert W.var() == pytest.approx(expected, rel=4 * math.sqrt(2 / W.size))


def test_initialisers_are_seeded():
    for draw in INITIALISERS.values():
        one, same, other = (draw(np.random.default_rng(s), (4, 3)) for s in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert (one != other).all()


def test_an_unknown_initialiser_is_refused():
    with pytest.raises(ConfigError, match=r"no initialiser 'glorot'.*Known: glorot_normal"):
        Dense(3, 2, init="glorot")


def test_gain_multiplies_the_first_weights():
    plain, tenth, by_input = Dense(4, 3), Dense(4, 3, gain=0.1), Dense(4, 3, gain=[1, 2, 0, 0.5])
    for layer in (plain, tenth, by_input):
        layer.allocate(np.random.default_rng(0))
    np.testing.assert_allclose(tenth.W, 0.1 * plain.W, rtol=1e-15)
    np.testing.assert_allclose(by_input.W, [1, 2, 0, 0.5] * plain.W, rtol=1e-15)
    assert not plain.b.any()
    assert resolve("layer", by_input.config).gain == [1, 2, 0, 0.5]


@pytest.mark.parametrize(
    ("gain", "message"),
    [
        ([1, 2], "a number, or one for each of its 4 inputs; got 2"),
        ([1, 2, 3, "x"], "each of Dense's gains is a finite number; got 'x'"),
        (np.inf, "Dense's gain is a finite number; got inf"),
    ],
)
def test_a_gain_that_is_refused(gain, message):
    with pytest.raises(ConfigError, match=message):
        Dense(4, 3, gain=gain)


def test_gains_of_several_layers():
    """Of a network's first layer, its last, or of both where they are one."""
    for hidden, first, last in (((5, 6), [2, 3], 0.5), ((), [1, 1.5], [1, 1.5])):
        network = mlp(2, hidden, 3, "tanh", out_gain=0.5, in_gain=[2, 3])
        assert [network.layers[0].gain, network.layers[-1].gain] == [first, last]
        assert all(layer.gain == 1 for layer in network.layers[1:-1])


# f'(0) of activations that are straight there; of others 1, which leaves weights as they are drawn.
SLOPES = {"identity": 1, "tanh": 1, "sigmoid": 1 / 4, "softplus": 1 / 2, "relu": 1, "gelu": 1}


@pytest.mark.parametrize("name", SLOPES)
def test_initial_weights_make_up_for_an_activation_that_is_straight_with_another_slope(name):
    """So that what is small keeps its size from layer to layer, as Glorot's variances mean it."""
    layers = [
        (Dense(4, 3), Dense(4, 3, name)),
        (Conv2d((4, 4, 2), 3, 3), Conv2d((4, 4, 2), 3, 3, activation=name)),
        (MaskedDense(np.ones((3, 4))), MaskedDense(np.ones((3, 4)), name)),
    ]
    expected = 1 / SLOPES[name]
    for plain, curved in layers:
        for layer in (plain, curved):
            layer.allocate(np.random.default_rng(0))
        np.testing.assert_allclose(curved.W, expected * plain.W, rtol=1e-15)

"""Convolutions: values against explicit sums, adjoints, sizes, and the errors that name layers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import correlate

from npvae import kernels
from npvae.core import bind, n_parameters
from npvae.core.errors import ConfigError
from npvae.gradcheck import check_gradients
from npvae.kernels import conv
from npvae.layers import Beside, Conv2d, ConvTranspose2d, Dense, Sequential, Stacked, Unstacked

WINDOWS = {
    "plain": dict(kernel=3),
    "halving": dict(kernel=4, stride=2, padding=1),
    "uneven": dict(kernel=(3, 2), stride=(2, 3), padding=(1, 0)),
    "dilated": dict(kernel=(2, 3), dilation=(3, 2), padding=(0, 2)),
    "grouped": dict(kernel=3, groups=2, padding=1),
    "depthwise": dict(kernel=3, groups=4, stride=2),
}
each_window = pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def layer(kind, rng, *shape, **options):
    part = kind(*shape, **options)
    bind(part, rng.normal(size=n_parameters(part)))
    return part


def by_sums(part, x):
    """The convolution as its formula has it, tap by tap and output by output."""
    (height, width, n_in), (_, _, n_out) = part.in_shape, part.out_shape
    own_in, own_out = n_in // part.groups, n_out // part.groups
    y = np.zeros((len(x), *part.out_shape)) + part.b
    for v, u, o in np.ndindex(*part.out_shape):
        for i, j, c in np.ndindex(*part.kernel, own_in):
            row = v * part.stride[0] - part.padding[0] + i * part.dilation[0]
            column = u * part.stride[1] - part.padding[1] + j * part.dilation[1]
            if 0 <= row < height and 0 <= column < width:
                seen = x.reshape(-1, height, width, n_in)[:, row, column, o // own_out * own_in + c]
                y[:, v, u, o] += part.W[o, i, j, c] * seen
    return y.reshape(len(x), -1)


@each_window
def test_values_are_the_formulas(window, rng):
    part = layer(Conv2d, rng, (7, 8, 4), 6 if window.get("groups", 1) < 3 else 8, **window)
    x = rng.normal(size=(3, part.n_in))
    np.testing.assert_allclose(part.forward(x)[0], by_sums(part, x), rtol=1e-12, atol=1e-12)


def test_values_are_scipys(rng):
    part = layer(Conv2d, rng, (9, 7, 2), 3, (4, 3), activation="tanh")
    image = rng.normal(size=(9, 7, 2))
    filtered = [correlate(image, weight, mode="valid")[..., 0] for weight in part.W]
    wanted = np.tanh(np.stack(filtered, axis=-1) + part.b)
    np.testing.assert_allclose(part.forward(image.reshape(1, -1))[0][0], wanted.ravel(), rtol=1e-12)


@each_window
def test_the_transpose_is_the_adjoint(window, rng):
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩, with the same weight and no bias."""
    n_out = 6 if window.get("groups", 1) < 3 else 8
    there = layer(Conv2d, rng, (7, 8, 4), n_out, **window)
    missed = [
        (size + 2 * p - d * (taps - 1) - 1) % s
        for size, p, d, taps, s in zip(
            (7, 8), there.padding, there.dilation, there.kernel, there.stride, strict=True
        )
    ]
    back = ConvTranspose2d(there.out_shape, 4, output_padding=missed, **window)
    assert back.out_shape == there.in_shape
    bind(back, np.zeros(n_parameters(back)))
    back.W[...], there.b[...] = there.W, 0
    x, y = rng.normal(size=(5, there.n_in)), rng.normal(size=(5, there.n_out))
    ax, aty = there.forward(x)[0], back.forward(y)[0]
    np.testing.assert_allclose((ax * y).sum(), (x * aty).sum(), rtol=1e-12)


def test_gradients_before_an_activation_that_is_not_odd(rng):
    part = layer(Conv2d, rng, (3, 3, 2), 2, 2, activation="gelu")
    assert check_gradients(part, (rng.normal(size=(2, part.n_in)),), methods=["complex"]).ok


@each_window
def test_its_kernels_are_one_form_by_each_of_its_factors(window, rng):
    """Σ dy · weight · patches(x) is dx · x and dweight · weight, each of its factor's shape."""
    part = layer(Conv2d, rng, (7, 8, 4), 6 if window.get("groups", 1) < 3 else 8, **window)
    options = part.stride, part.padding, part.dilation, part.groups
    x = rng.normal(size=(3, 7, 8, 4))
    y = kernels.conv2d(x, part.W, *options)
    dy = rng.normal(size=y.shape)
    dx = kernels.conv2d_dx(dy, part.W, (7, 8), *options)
    dw = kernels.conv2d_dw(dy, x, part.kernel, *options)
    assert y.shape == (3, *part.out_shape)
    assert dx.shape == x.shape
    assert dw.shape == part.W.shape
    np.testing.assert_allclose([(dx * x).sum(), (dw * part.W).sum()], (dy * y).sum(), rtol=1e-10)


def test_many_rows_are_the_rows_one_by_one(rng, monkeypatch):
    """Patches are copied in portions, of which the last is smaller."""
    monkeypatch.setattr(conv, "_PORTION", 500)
    for kind in (Conv2d, ConvTranspose2d):
        part = layer(kind, rng, (5, 4, 2), 3, 3, padding=1)
        x = rng.normal(size=(7, part.n_in))
        y, cache = part.forward(x)
        apart = [part.forward(row[None])[0][0] for row in x]
        np.testing.assert_allclose(y, apart, rtol=1e-12)
        dy = rng.normal(size=y.shape)
        whole = bind(part, np.zeros(n_parameters(part)), prefix="d")["W"]
        dx = part.backward(cache, dy)
        summed = bind(part, np.zeros(n_parameters(part)), prefix="d")["W"]
        rows = [
            part.backward(part.forward(r[None])[1], d[None])[0] for r, d in zip(x, dy, strict=True)
        ]
        np.testing.assert_allclose(dx, rows, rtol=1e-10)
        np.testing.assert_allclose(whole, summed, rtol=1e-10)


def test_portions_hold_so_many_numbers(monkeypatch):
    monkeypatch.setattr(conv, "_PORTION", 100)
    assert list(conv._portions((5, 20, 2))) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(conv._portions((2, 7, 31))) == [slice(0, 1), slice(1, 2)]
    assert list(conv._portions((150, 3, 0))) == [slice(0, 100), slice(100, 150)]


def test_leading_axes_are_kept(rng):
    part = layer(Conv2d, rng, (4, 4, 1), 2, 3)
    x = rng.normal(size=(3, 5, 16))
    y, cache = part.forward(x)
    assert y.shape == (3, 5, 8)
    np.testing.assert_array_equal(y[1], part.forward(x[1])[0])
    bind(part, np.zeros(n_parameters(part)), prefix="d")
    assert part.backward(cache, y).shape == x.shape
    assert part.backward(cache, y, wrt_input=False) is None


def test_initial_weights_scale_with_what_an_output_sees(rng):
    for kind, n_in, n_out in ((Conv2d, 20, 30), (ConvTranspose2d, 30, 20)):
        part = kind((5, 5, n_in), n_out, 3, init="he_normal", gain=0.5).allocate(rng)
        assert part.W.std() == pytest.approx(0.5 * (2 / (9 * n_in)) ** 0.5, rel=0.05)
        assert not part.b.any()
    part = ConvTranspose2d((9, 9, 50), 8, 4, 2, 1, init="he_normal").allocate(rng)
    y, _ = part.forward(rng.normal(size=(50, part.n_in)))
    inside = y.reshape(50, 18, 18, 8)[:, 1:-1, 1:-1]
    assert inside.var() == pytest.approx(2, rel=0.1)  # He's, for rectifiers of variance ½


def test_a_pixels_own_bias_is_added_there_alone(rng):
    for kind in (Conv2d, ConvTranspose2d):
        part = layer(kind, rng, (5, 4, 2), 3, 3, bias="pixel")
        assert part.b.shape == (part.n_out,)
        assert part.output_bias is part.b
        without = layer(kind, rng, (5, 4, 2), 3, 3)
        without.W[...], without.b[...] = part.W, 0
        x = rng.normal(size=(2, part.n_in))
        np.testing.assert_allclose(part.forward(x)[0], without.forward(x)[0] + part.b, rtol=1e-12)


def test_stacked_is_one_image_of_several(rng):
    one, two = rng.normal(size=(3, 2, 4, 2)), rng.normal(size=(3, 2, 4, 1))
    rows = np.hstack([one.reshape(3, -1), two.reshape(3, -1)])
    there, back = Stacked((2, 4), (2, 1)), Unstacked((2, 4), (2, 1))
    y, _ = there.forward(rows)
    np.testing.assert_array_equal(y.reshape(3, 2, 4, 3), np.concatenate([one, two], axis=-1))
    np.testing.assert_array_equal(back.forward(y)[0], rows)
    np.testing.assert_array_equal(there.backward(None, y), rows)
    assert there.backward(None, y, wrt_input=False) is None


def test_three_images_are_stacked_and_unstacked(rng):
    images = [rng.normal(size=(5, 4, n)) for n in (1, 2, 3)]
    rows = np.hstack([image.reshape(5, -1) for image in images])
    stacked = np.concatenate(images, axis=-1).reshape(5, -1)
    np.testing.assert_array_equal(kernels.stack_channels(rows, 4, (1, 2, 3)), stacked)
    np.testing.assert_array_equal(kernels.unstack_channels(stacked, 4, (1, 2, 3)), rows)


def test_beside_leaves_the_rest(rng):
    part = Beside(Dense(3, 2), 2).allocate(rng)
    x = rng.normal(size=(4, 5))
    y, _ = part.forward(x)
    np.testing.assert_array_equal(y[:, 2:], x[:, 3:])
    np.testing.assert_array_equal(y[:, :2], part.network.forward(x[:, :3])[0])


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Conv2d((3, 3, 1), 4, 7), "Conv2d's window lies inside .* 7 × 7 .* of 3 × 3"),
        (lambda: Conv2d((3, 3, 4), 4, 3, groups=3), "groups divide .* got 3 for 4 channels in"),
        (lambda: Conv2d((3, 3), 4), r"in_shape is \(height, width, channels\); got \(3, 3\)"),
        (lambda: Conv2d((3, 3, 3), 4, (3, 3, 3)), "kernel is a whole number or two"),
        (lambda: Conv2d((3, 3, 3), 4, stride=0), "stride is a whole number, 1 or more; got 0"),
        (lambda: ConvTranspose2d((3, 3, 4), 4, padding=9), "has -13 × -13. Take less of it"),
        (lambda: ConvTranspose2d((3, 3, 4), 4, output_padding=1), "smaller than its stride"),
        (
            lambda: Sequential([ConvTranspose2d((3, 3, 4), 4, 4, 2, 1), Conv2d((7, 6, 4), 1)]),
            r"layer 1 \(Conv2d\) .* 168 numbers, \(7, 6, 4\), and layer 0 \(ConvTranspose2d\) .* "
            r"\(6, 6, 4\). output_padding=\(1, 0\) makes its ConvTranspose2d give 7 × 6 × 4",
        ),
        (
            lambda: Sequential([Conv2d((6, 6, 1), 2), Dense(30, 2)]),
            "layer 1 .Dense. .* takes rows of 30 numbers, and layer 0 .* 32 numbers, .4, 4, 2.; ",
        ),
        (lambda: Conv2d((3, 3, 1), 2, 3, bias="none"), "bias is 'channel' or 'pixel'; got 'none'"),
        (lambda: Stacked((2, 2), 3), "Stacked's channels are a list of numbers; got 3"),
        (lambda: Beside(Sequential([]), 2), "divides rows by the shape that its network takes"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_when_it_is_built(build, said):
    with pytest.raises(ConfigError, match=said):
        build()

"""Pooling, upsampling, residuals: values by explicit sums and SciPy, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import npvae as nv
from npvae import kernels
from npvae.core.errors import ConfigError
from npvae.layers import (
    AveragePool2d,
    Conv2d,
    Dense,
    MaxPool2d,
    Residual,
    Sequential,
    Upsample2d,
)


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def windows(part, x):
    """What the window sees at each place, (B, H', W', kh, kw, C)."""
    images = x.reshape(-1, *part.in_shape)
    (kh, kw), (down, right) = part.kernel, part.stride
    rows, columns, _ = part.out_shape
    return np.array(
        [
            [images[:, i * down :, j * right :][:, :kh, :kw] for j in range(columns)]
            for i in range(rows)
        ]
    ).transpose(2, 0, 1, 3, 4, 5)


@pytest.mark.parametrize(
    ("kernel", "stride"), [(2, None), ((3, 2), (1, 2)), ((2, 4), (3, 1)), (5, 1)]
)
def test_pools_are_means_and_maxima_of_windows(kernel, stride, rng):
    x = rng.normal(size=(3, 5 * 6 * 2))
    average, largest = (kind((5, 6, 2), kernel, stride) for kind in (AveragePool2d, MaxPool2d))
    seen = windows(average, x)
    np.testing.assert_allclose(average.forward(x)[0], seen.mean((3, 4)).reshape(3, -1), rtol=1e-12)
    np.testing.assert_array_equal(largest.forward(x)[0], seen.max((3, 4)).reshape(3, -1))


def test_a_maximum_that_is_there_twice_is_the_first_ones():
    part = MaxPool2d((2, 2, 1))
    x = np.array([[1.0, 3.0, 3.0, 2.0]])
    y, cache = part.forward(x)
    assert y == [[3.0]]
    np.testing.assert_array_equal(part.backward(cache, np.array([[5.0]])), [[0, 5, 0, 0]])


@pytest.mark.parametrize("where", range(4))
def test_a_maximum_of_what_is_no_number_is_none_either(where):
    x = np.arange(4.0)
    x[where] = np.nan
    part = MaxPool2d((2, 2, 1))
    y, cache = part.forward(x[None])
    assert np.isnan(y).all()
    np.testing.assert_array_equal(np.flatnonzero(part.backward(cache, np.ones((1, 1)))), where)


def test_of_any_ties_the_first_gets_the_gradient():
    """The second and the fourth of a window, which the third does not part; and NaN the first."""
    part = MaxPool2d((2, 4, 1), (2, 2))
    x = np.array([[1.0, 4.0, np.nan, 3.0], [2.0, 4.0, 5.0, np.nan]])
    y, cache = part.forward(x.reshape(1, -1))
    np.testing.assert_array_equal(y, [[4.0, np.nan]])
    dx = part.backward(cache, np.array([[5.0, 7.0]]))
    np.testing.assert_array_equal(dx.reshape(2, 4), [[0, 5, 7, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resampling_is_by_two_matrices(dtype, rng):
    """They are float64; the images' type stays."""
    x = rng.normal(size=(2, 3, 4, 6)).astype(dtype)
    down, along = rng.normal(size=(5, 3)), rng.normal(size=(7, 4))
    y = kernels.resample(x, down, along)
    np.testing.assert_allclose(
        y, np.einsum("ih,jw,rhwc->rijc", down, along, x), rtol=1e-4, atol=1e-5
    )
    assert y.dtype == dtype


def test_nearest_repeats_pixels(rng):
    x = rng.normal(size=(2, 3, 4, 2))
    y = Upsample2d((3, 4, 2), (2, 3)).forward(x.reshape(2, -1))[0]
    wanted = x.repeat(2, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(y, wanted.reshape(2, -1))


def test_bilinear_is_scipys(rng):
    image = rng.normal(size=(5, 4))
    y = Upsample2d((5, 4, 1), (3, 2), "bilinear").forward(image.reshape(1, -1))[0]
    rows, columns = (np.arange(15) + 0.5) / 3 - 0.5, (np.arange(8) + 0.5) / 2 - 0.5
    places = np.meshgrid(rows, columns, indexing="ij")
    wanted = ndimage.map_coordinates(image, places, order=1, mode="nearest")
    np.testing.assert_allclose(y, wanted.reshape(1, -1), rtol=1e-12)


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
def test_upsampling_keeps_what_is_constant(how):
    y = Upsample2d((3, 2, 1), 4, how).forward(np.full((1, 6), 2.5))[0]
    np.testing.assert_allclose(y, 2.5, rtol=1e-15)


def test_residual_adds(rng):
    part = Residual(Dense(4, 4, "tanh")).allocate(rng)
    x = rng.normal(size=(3, 4))
    np.testing.assert_array_equal(part.forward(x)[0], x + part.network.forward(x)[0])


def test_a_model_of_them_trains_captured_as_eagerly(rng):
    x = rng.random((40, 64), dtype=np.float32)
    flats = []
    for own in ("numpy", "numba"):
        nv.use_kernels(own)
        try:
            encoder = Sequential([
                Conv2d((8, 8, 1), 4, 3, padding=1, activation="relu"), MaxPool2d((8, 8, 4)),
                Residual(Conv2d((4, 4, 4), 4, 3, padding=1)), AveragePool2d((4, 4, 4), 4),
                Dense(4, 4),
            ])  # fmt: skip
            decoder = Sequential([
                Dense(2, 32, "relu"), Upsample2d((4, 4, 2)), Conv2d((8, 8, 2), 1, 3, padding=1),
            ])  # fmt: skip
            one = nv.VAE(64, 2, encoder=encoder, decoder=decoder)
            nv.fit(one, x, epochs=2, batch_size=16, threads=1, progress=False)
            flats.append(one.flat)
        finally:
            nv.use_kernels(None)
    np.testing.assert_allclose(flats[1], flats[0], atol=2e-4)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: MaxPool2d((3, 3, 1), 4), "MaxPool2d's window .* 4 × 4 for an image of 3 × 3"),
        (lambda: Upsample2d((3, 3, 1), 2, "cubic"), "'nearest' or 'bilinear'; got 'cubic'"),
        (lambda: Residual(Dense(3, 4)), r"from \(3,\) to \(4,\). Change its last layer"),
    ],
)
def test_what_does_not_fit_is_refused(build, said):
    with pytest.raises(ConfigError, match=said):
        build()

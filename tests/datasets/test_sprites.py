"""The sprites that npvae draws."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv


def test_images_of_their_factors():
    x, factors = nv.datasets.sprites(600, size=32, seed=1)
    assert (x.shape, x.dtype, factors.shape) == ((600, 1024), np.float32, (600, 5))
    assert set(np.unique(x)) == {0, 1}
    assert (factors.min(0) >= 0).all()
    assert (factors.max(0) < (3, 6, 40, 32, 32)).all()
    images = x.reshape(-1, 32, 32)
    middle = np.arange(32) + 0.5
    area = images.sum((1, 2))
    across, down = images.sum(1) @ middle / area, images.sum(2) @ middle / area
    square = factors[:, 0] == 0
    want = 32 * (0.3 + 0.4 * factors[:, 3:] / 31)
    np.testing.assert_allclose(across[square], want[square, 0], atol=0.5)
    np.testing.assert_allclose(down[square], want[square, 1], atol=0.5)
    side = 2 * 32 * (0.1 + 0.02 * factors[:, 1])
    np.testing.assert_allclose(area[square], side[square] ** 2, rtol=0.25)
    assert not images[:, [0, -1]].any()
    assert not images[:, :, [0, -1]].any()


def test_a_rotation_turns_the_shape():
    x, factors = nv.datasets.sprites(4000, size=32)
    images = x.reshape(-1, 32, 32)
    ellipse = factors[:, 0] == 1
    lying, standing = (images[ellipse & (factors[:, 2] == turn)] for turn in (0, 10))
    assert np.ptp(np.nonzero(lying[0].any(0))) > np.ptp(np.nonzero(lying[0].any(1)))
    assert np.ptp(np.nonzero(standing[0].any(0))) < np.ptp(np.nonzero(standing[0].any(1)))


def test_the_same_seed_gives_the_same_sprites():
    one, two, other = (nv.datasets.sprites(20, 16, seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    with pytest.raises(nv.ConfigError, match="size is a whole number"):
        nv.datasets.sprites(5, size=0)

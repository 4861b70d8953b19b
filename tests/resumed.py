"""What the tests of resumed runs share: rows, a model, and when two runs are the same."""

from __future__ import annotations

import numpy as np

import npvae as nv

X = np.random.default_rng(0).integers(0, 256, (40, 5)).astype("uint8")


def small(**options):
    return nv.VAE(**{"x_dim": 5, "z_dim": 2, "hidden": (4,), **options})


def assert_same(one, other):
    """Of two runs: model, records without times, and EarlyStopping."""
    np.testing.assert_array_equal(one[0].flat, other[0].flat)
    assert one[1] == other[1]
    assert (one[2].best_loss, one[2].best_epoch) == (other[2].best_loss, other[2].best_epoch)
    assert one[0].scale == other[0].scale

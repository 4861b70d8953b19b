"""Clipping by the gradient's norm: g <- g min(1, clip_norm / ‖g‖), in place."""

from __future__ import annotations

import numpy as np
import pytest

from npvae import Adam

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def clipped(gradient, clip_norm):
    optimiser, theta, given = Adam(clip_norm=clip_norm), np.zeros_like(gradient), gradient.copy()
    optimiser.step(optimiser.start(theta), theta, given, 0.1)
    assert given.dtype == gradient.dtype
    return given


@each_dtype
@pytest.mark.parametrize("clip_norm", [5.0, 5.5, 1e30])
def test_a_gradient_of_at_most_the_norm_is_left_alone(clip_norm, dtype):
    g = np.array([3.0, 0.0, -4.0], dtype)
    np.testing.assert_array_equal(clipped(g, clip_norm), g)


@each_dtype
def test_a_longer_one_keeps_its_direction(dtype):
    g = np.array([3.0, 0.0, -4.0], dtype)
    np.testing.assert_allclose(clipped(g, 2.0), [1.2, 0, -1.6], rtol=2 * float(np.finfo(dtype).eps))


def test_a_gradient_of_zeros_has_no_direction():
    np.testing.assert_array_equal(clipped(np.zeros(3), 1.0), 0)


@pytest.mark.parametrize(("size", "clip_norm"), [(1e25, 1.0), (1e-25, 1e-25)])
def test_the_norm_is_taken_in_float64(size, clip_norm):
    """In float32 the squares would become infinite, or 0."""
    g = np.array([3.0, 4.0], np.float32) * np.float32(size)
    want = np.array([0.6, 0.8]) * clip_norm
    np.testing.assert_allclose(clipped(g, clip_norm), want, rtol=1e-6)


def test_the_factor_is_rounded_to_the_gradient_s_type():
    """So that every version of NumPy multiplies alike, whatever a float64 factor means to it."""
    g = np.random.default_rng(0).normal(size=100).astype(np.float32)
    factor = 2 / np.linalg.norm(g.astype(np.float64))
    np.testing.assert_array_equal(clipped(g, 2.0), g * np.float32(factor))
    assert (g * np.float32(factor) != (g * factor).astype(np.float32)).any()


@pytest.mark.parametrize(
    ("numbers", "alone", "clipped"),
    [
        ([1.0, -2.0], True, True),
        ([0.0, 0.0], True, True),
        ([1e30, -1.0], False, True),  # in float32 its square is infinite, its norm is not
        ([1.0, np.nan], False, False),
        ([np.inf, 1.0], False, False),
    ],
)
def test_which_gradients_a_step_can_be_taken_with(numbers, alone, clipped):
    gradient = np.array(numbers, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        assert Adam().accepts(gradient) is alone
        assert Adam(clip_norm=1.0).accepts(gradient) is clipped

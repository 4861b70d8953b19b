"""Adam's update against the papers' algorithms, written out here step by step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from npvae import kernels
from npvae.optim import Adam

STEPS = 20
SETTINGS = [
    dict(lr=1e-3),
    dict(lr=0.1, beta1=0.8, beta2=0.95, eps=1e-3),
    dict(lr=0.05, weight_decay=0.1),
    dict(lr=0.02, beta1=0.0),
    dict(lr=1e-3, beta1=0.99, eps=1e-4, v_start=1.0),
]


def kingma_and_ba(
    theta, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, v_start=0.0
):
    """Algorithm 1 of Kingma & Ba 2015, number by number; decay of Loshchilov & Hutter 2019."""
    theta = [float(x) for x in theta]
    m, v = [0.0] * len(theta), [v_start] * len(theta)
    for t, g in enumerate(gradients, start=1):
        for i in range(len(theta)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
            m_hat = m[i] / (1 - beta1**t)
            v_hat = v[i] / (1 - beta2**t)
            theta[i] -= lr * (m_hat / (math.sqrt(v_hat) + eps) + weight_decay * theta[i])
    return np.array(theta), np.array(m), np.array(v)


def torch_adamw(
    theta, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, v_start=0.0
):
    """PyTorch's order of the same: decay first, the corrections in the step and denominator."""
    theta, m, v = theta.copy(), 0 * theta, 0 * theta + v_start
    for t, g in enumerate(gradients, start=1):
        theta = theta * (1 - lr * weight_decay)
        m = m + (1 - beta1) * (g - m)
        v = beta2 * v + (1 - beta2) * g * g
        denominator = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        theta = theta - lr / (1 - beta1**t) * m / denominator
    return theta, m, v


def test_summed_gradients_of_burda_et_al(problem):
    """A mean gradient with eps / B and v_start / B² takes the steps of one summed over B rows."""
    theta, sums = problem
    summed, *_ = run(theta, sums, 1e-3, beta1=0.99, eps=1e-4, v_start=1.0)
    mean, *_ = run(theta, sums / 20, 1e-3, beta1=0.99, eps=1e-4 / 20, v_start=1 / 20**2)
    np.testing.assert_allclose(mean, summed, rtol=1e-12)


def run(theta, gradients, lr, **settings):
    optimiser, theta = Adam(**settings), theta.copy()
    state = optimiser.start(theta)
    for g in gradients:
        optimiser.step(state, theta, g.copy(), lr)
    assert state.t == len(gradients)
    return theta, state.m, state.v


@pytest.fixture
def problem():
    rng = np.random.default_rng(8)
    scales = 10.0 ** rng.integers(-6, 3, 37)
    return rng.normal(size=37), rng.normal(size=(STEPS, 37)) * scales


@pytest.mark.parametrize("independent", [kingma_and_ba, torch_adamw])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_twenty_steps(independent, settings, problem):
    theta, gradients = problem
    ours = run(theta, gradients, **settings)
    for got, want in zip(ours, independent(theta, gradients, **settings), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=0)


def test_float32_follows_float64(problem):
    theta, gradients = (a.astype(np.float32) for a in problem)
    moved, m, v = run(theta, gradients, lr=0.01)
    wants = kingma_and_ba(theta, gradients.astype(np.float64), lr=0.01)
    rounding = np.finfo(np.float32).eps
    largest = np.abs(gradients).max(0)  # m sums terms of either sign: it may be far smaller
    np.testing.assert_array_less(np.abs(m - wants[1]), 4 * rounding * largest)
    np.testing.assert_allclose(v, wants[2], rtol=STEPS * rounding)
    np.testing.assert_allclose(moved, wants[0], rtol=0, atol=STEPS * rounding)


def test_first_step_is_lr_against_the_sign():
    """m̂ = g and v̂ = g² at t = 1, whatever the size of g."""
    g = np.array([3.0, -1e-5, 1e6])
    moved, _, _ = run(np.zeros(3), g[None], lr=0.25, eps=1e-30)
    np.testing.assert_allclose(moved, [-0.25, 0.25, -0.25], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_denormal_moments_are_flushed(dtype):
    tiny = np.finfo(dtype).tiny
    m = np.array([1.05, -1.05, 1.2, -1.2, 0.5, 0.0], dtype) * tiny
    v = np.array([1.0005, 1.0005, 1.2, 1.2, 0.5, 0.0], dtype) * tiny
    theta, g = np.ones(6, dtype), np.zeros(6, dtype)
    kernels.adam(theta, g, m, v, 0.1, 0.9, 0.999, 1e-8, 1.0, 0.0)
    np.testing.assert_array_equal(m[[0, 1, 4, 5]], 0)
    np.testing.assert_array_equal(v[[0, 1, 4, 5]], 0)
    np.testing.assert_allclose(m[2:4] / tiny, [1.08, -1.08], rtol=1e-6)
    np.testing.assert_allclose(v[2:4] / tiny, 1.2 * 0.999, rtol=1e-6)
    np.testing.assert_array_equal(theta, 1)


def test_moments_without_gradient_end_at_zero():
    """A weight that never gets a gradient again: no step leaves a denormal behind."""
    theta, g = np.zeros(3, np.float32), np.zeros(3, np.float32)
    m = np.array([1e-36, -1e-36, 1.0], np.float32)
    v = np.array([1.2e-38, 1e-37, 1.0], np.float32)
    for _ in range(60):
        kernels.adam(theta, g, m, v, 0.0, 0.9, 0.999, 1e-8, 1.0, 0.0)
        for moment in (m, v):
            assert ((moment == 0) | (np.abs(moment) >= np.finfo(np.float32).tiny)).all()
    assert (m[:2] == 0).all()
    assert m[2] > 0


def test_long_vectors_are_updated_to_their_end():
    """The kernel works in blocks; 40 000 numbers are two whole ones and a part."""
    rng = np.random.default_rng(1)
    theta, g = rng.normal(size=(2, 40_000))
    before, optimiser = theta.copy(), Adam(weight_decay=0.1)
    state = optimiser.start(theta)
    optimiser.step(state, theta, g, 0.1)
    moved, _, _ = kingma_and_ba(before, g[None], lr=0.1, weight_decay=0.1)
    np.testing.assert_allclose(theta, moved, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(state.m, 0.1 * g, rtol=1e-12)
    np.testing.assert_allclose(state.v, 0.001 * g * g, rtol=1e-12)

"""Where kernels agree in every type and may still be wrong: kinks, own settings, felt bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from npvae import kernels

H = 1e-30

zero = np.zeros(1)


def slope(kernel, s, *settings):
    """The derivative of an activation at s, by complex step."""
    return kernel((s + 1j * H)[:, None], zero + 0j, *settings).imag[:, 0] / H


LEFT = {"relu": ((), 0.0), "leaky_relu": ((0.2,), 0.2), "elu": ((0.6,), 0.6)}


@pytest.mark.parametrize("name", LEFT)
def test_at_the_kink_forward_and_backward_take_the_slope_from_the_left(name):
    settings, left = LEFT[name]
    assert slope(getattr(kernels, f"bias_{name}"), zero, *settings) == left
    h = getattr(kernels, f"bias_{name}")(zero[None], zero, *settings)
    da, db = getattr(kernels, f"bias_{name}_backward")(3 * np.ones((1, 1)), h, *settings)
    np.testing.assert_allclose([da[0, 0], db[0]], 3 * left, rtol=1e-15)


@pytest.mark.parametrize("alpha", [0.6, 2.5])
def test_elu_with_an_alpha_of_its_own(alpha):
    s = np.array([-30.0, -2.0, -0.3, 0.4, 5.0])
    negative = s < 0
    h = kernels.bias_elu(s[:, None] - 1, zero + 1, alpha)
    np.testing.assert_allclose(
        h[:, 0], np.where(negative, alpha * (np.exp(s) - 1), s), rtol=1e-14, atol=1e-15
    )
    da, _ = kernels.bias_elu_backward(np.full_like(h, 1.5), h, alpha)
    np.testing.assert_allclose(
        da[:, 0], 1.5 * np.where(negative, alpha * np.exp(s), 1), rtol=1e-14, atol=1e-15
    )


@pytest.mark.parametrize(("name", "setting"), [("leaky_relu", 0.2), ("elu", 0.6)])
def test_an_infinite_gradient_leaves_the_others_as_they_are(name, setting):
    h = np.array([[2.0, -0.3, 0.7, -0.4, 1.0, -0.5]])
    dh = np.array([[1.5, 2.5, np.inf, -np.inf, 0.5, 3.0]])
    slope = setting if name == "leaky_relu" else h + setting
    da, _ = getattr(kernels, f"bias_{name}_backward")(dh, h, setting)
    np.testing.assert_array_equal(da, np.where(h > 0, dh, slope * dh))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_of_huge_sums_give_no_warning(dtype):
    a = np.array([[-1e30, -1e4, 0.0, 1e4, 1e30]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        h = kernels.bias_elu(a, np.zeros(5, dtype), 1.0)
    np.testing.assert_array_equal(h, [[-1, -1, 0, 1e4, dtype(1e30)]])


def test_the_bernoulli_residual_is_analytic_too():
    """r = x - σ(logit), so ∂r/∂logit = -σ (1 - σ), also at 0 where its branches meet."""
    logits = np.array([-800.0, -2.0, -1e-9, 0.0, 1e-9, 3.0, 800.0])[None, None]
    _, r = kernels.bernoulli(logits + 1j * H, np.full((1, 7), 0.3))
    np.testing.assert_allclose(r.imag / H, -expit(logits) * expit(-logits), rtol=1e-14)


BOUNDS = [(-1.5, 2.0), (-0.5, 3.0), (-3.0, 0.25)]


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_heads_where_the_bounds_are_felt(low, high):
    """Bounds as near and as unequal as these show terms that ±20 hides below the rounding."""
    raw = np.linspace(-6, 6, 13)[:, None]
    stats, ones = np.hstack([0 * raw, raw]), np.ones_like(raw)
    mu, logvar = kernels.gaussian_heads(stats + 1j * H * np.array([0, 1]), low, high)
    exact = np.log(1 / (np.exp(-raw) + np.exp(-high)) + np.exp(low))
    np.testing.assert_allclose(logvar.real, exact, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(mu, 0)
    d = kernels.gaussian_heads_backward(5 * ones, 7 * ones, stats, low, high)
    np.testing.assert_array_equal(d[:, :1], 5)
    np.testing.assert_allclose(d[:, 1:], 7 * logvar.imag / H, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_keeps_the_smallest_normal_moment(dtype):
    """Halved, these are the smallest normal number exactly: the last that is not flushed."""
    tiny = np.finfo(dtype).tiny
    m, v = np.array([2, -2], dtype) * tiny, np.array([2, 2], dtype) * tiny
    theta, g = np.zeros(2, dtype), np.zeros(2, dtype)
    kernels.adam(theta, g, m, v, 0.1, 0.5, 0.5, 1e-8, 1.0, 0.0)
    np.testing.assert_array_equal(m, [tiny, -tiny])
    np.testing.assert_array_equal(v, [tiny, tiny])


@pytest.mark.parametrize(("low", "high"), [(-20.0, 20.0), (-21.0, 18.0), *BOUNDS])
def test_heads_in_float32_are_the_bend_wherever_it_shows(low, high):
    """Far inside the bounds raw is taken as it is: there it is the bend to the last place."""
    raw = np.linspace(-24, 24, 961).astype(np.float32)
    exact = raw.astype(np.float64)
    slope = expit(exact_bend(exact, low=-np.inf, high=high) - low) * expit(high - exact)
    exact = exact_bend(exact, low, high)
    one = np.ones((1, 1), np.float32)
    for i in range(len(raw)):  # each alone, for whether it is far inside is asked of all at once
        stats = np.array([[0.5, raw[i]]], np.float32)
        mu, logvar = kernels.gaussian_heads(stats, low, high)
        place = np.spacing(np.float32(max(abs(exact[i]), 1)))
        assert mu == 0.5
        assert abs(logvar - exact[i]) <= 3 * place
        if max(low + 16, -4) <= raw[i] <= min(high - 16, 4):
            np.testing.assert_array_equal(logvar, raw[i])
            assert abs(exact[i] - raw[i]) <= place
        assert not np.shares_memory(mu, stats)
        assert not np.shares_memory(logvar, stats)
        d = kernels.gaussian_heads_backward(2 * one, 3 * one, stats, low, high)
        assert d[0, 0] == 2
        np.testing.assert_allclose(d[0, 1], 3 * slope[i], rtol=24 * np.finfo(np.float32).eps)


def exact_bend(raw, low, high):
    return np.log(1 / (np.exp(-raw) + np.exp(-high)) + np.exp(low))


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("raw", [25.0, -25.0, np.nan])
def test_a_single_head_that_is_not_far_inside_counts(raw, place):
    stats = np.zeros((1, 8), np.float32)
    stats[0, 4 + place] = raw
    _, logvar = kernels.gaussian_heads(stats, -20.0, 20.0)
    want = np.zeros(4)
    want[place] = exact_bend(raw, -20.0, 20.0)
    np.testing.assert_allclose(logvar[0], want, rtol=1e-6, atol=1e-6)


def test_a_gradient_that_is_not_finite_stays_in_its_place():
    """ReLU's backward is a product with 0 and 1, and 0 · ∞ is NaN: the closed units stay at 0."""
    h = np.array([[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]], np.float32)
    for value in (np.nan, np.inf, -np.inf):
        for dtype in (np.float32, np.complex128):
            dh = np.full((2, 3), value, dtype)
            with np.errstate(all="raise"):
                da, db = kernels.bias_relu_backward(dh, h)
            np.testing.assert_array_equal(da, np.where(h > 0, dh, 0))
            np.testing.assert_array_equal(db, [value, value, 0])


@pytest.mark.parametrize("samples", [1, 2])
def test_at_free_bits_a_kl_has_its_slope_and_below_none(samples):
    kl, zeros = np.full((samples, 3), 0.5), np.zeros((samples, 3))
    one = 0.7 / kl.size
    for free_bits, counted, slope in ((0.25, 0.5, one), (0.5, 0.5, one), (0.75, 0.75, 0.0)):
        total, d = kernels.kl_loss(np.repeat(kl[..., None], 4, -1), 0.7, free_bits)
        assert total == 4 * counted
        np.testing.assert_array_equal(d, np.full((samples, 3, 4), slope))
        total, d_q, d_p = kernels.sampled_kl_loss(kl, zeros, 0.7, None, free_bits)
        assert isinstance(total, float)
        assert total == counted
        np.testing.assert_array_equal([d_q, -d_p], np.full((2, samples, 3), slope))


def test_cutpoints_gradients_are_summed_in_float64():
    """Of 40,000 equal rows in float32 too, where sums in float32 go astray by 1e-4."""
    eta, cuts = np.zeros((40_000, 1), np.float32), np.array([-0.5, 0.25, -0.25], np.float32)
    d = np.tile(np.array([0.1, 1.1, 0.7, 0.4], np.float32), (40_000, 1))
    _, got = kernels.ordinal_logits_backward(d[None], eta[None], cuts, (4,))
    assert got.dtype == np.float32
    wide = (a.astype(np.float64) for a in (d[None], eta[None], cuts))
    np.testing.assert_allclose(got, kernels.ordinal_logits_backward(*wide, (4,))[1], rtol=1e-5)


def test_ordered_classes_are_the_intervals_between_cutpoints():
    eta, cuts = np.array([[0.3, -1.0]]), np.array([-0.5, 0.25, -0.75, 1.0])
    points = [np.array([-0.5, -0.5 + np.exp(0.25), -0.5 + np.exp(0.25) + np.exp(-0.75)]), [1.0]]
    upto = [np.concatenate([[0], expit(p - e), [1]]) for p, e in zip(points, eta[0], strict=True)]
    wanted = np.log(np.concatenate([np.diff(u) for u in upto]))
    np.testing.assert_allclose(kernels.ordinal_logits(eta, cuts, (4, 2))[0], wanted, rtol=1e-12)


@pytest.mark.parametrize("u", [np.inf, -np.inf])
def test_a_planar_flow_of_infinite_slope_has_no_gradient(u):
    one = np.ones((1, 1, 1))
    with np.errstate(all="ignore"):
        _, dw, du, db = kernels.planar_backward(
            one, one[0], one, one[0, 0], u * one[0, 0], one[0, 0]
        )
    assert np.isnan([dw, du]).all()
    assert db.shape == (1,)


@pytest.mark.parametrize("size", [1.0, 1e-25])
def test_a_planar_flow_moves_along_w_by_softplus(size):
    """f(z) - z = h û with û·w = log(1 + exp(w·u)) - 1, also where float32 has no |w|²."""
    w, u = np.array([size, -size], np.float32), np.array([0.5, 2.0], np.float32)
    z, b = np.zeros((1, 1, 2), np.float32), np.array([0.75], np.float32)
    f, _ = kernels.planar(z, w, u, b)
    along = f[0, 0].astype(np.float64) @ w.astype(np.float64) / np.tanh(0.75)
    np.testing.assert_allclose(along, np.log1p(np.exp(-1.5 * size)) - 1, rtol=1e-5)


def test_a_dimension_is_stretched_by_exp_3_at_most():
    raw = np.array([[[-1e3, 0.0, 1e3]]])
    y, change = kernels.stretched(np.ones_like(raw), np.zeros_like(raw), raw)
    np.testing.assert_allclose(y, [[np.exp([-3.0, 0.0, 3.0])]], rtol=1e-14)
    np.testing.assert_array_equal(change, [[0.0]])


def test_posteriors_of_each_sample_are_those_of_the_samples_one_by_one():
    """As a level has them that stands below another: (K, B, Z) where others have (B, Z)."""
    rng = np.random.default_rng(0)
    stats, (mu, logvar, dmu, eps) = rng.normal(size=(3, 4, 10)), rng.normal(size=(4, 3, 4, 5))
    heads = kernels.gaussian_heads(stats, -1.5, 2.0)
    back = kernels.gaussian_heads_backward(dmu, eps, stats, -1.5, 2.0)
    kl, moved = kernels.gaussian_kl(mu, logvar), kernels.reparameterise_backward(dmu, mu, eps)
    for s in range(3):
        np.testing.assert_array_equal(
            np.stack(heads)[:, s], kernels.gaussian_heads(stats[s], -1.5, 2.0)
        )
        np.testing.assert_array_equal(
            back[s], kernels.gaussian_heads_backward(dmu[s], eps[s], stats[s], -1.5, 2.0)
        )
        np.testing.assert_array_equal(kl[s], kernels.gaussian_kl(mu[s], logvar[s])[0])
        alone = kernels.reparameterise_backward(dmu[s : s + 1], mu[s], eps[s : s + 1])
        np.testing.assert_allclose(np.stack(moved)[:2, s], alone[:2], rtol=1e-14)
    assert kl.shape == (3, 4, 5)


def test_of_a_variable_that_serves_all_samples_gradients_are_summed_over_them():
    """Either of two Gaussians may be (B, Z), and the other of each sample, (K, B, Z)."""
    rng = np.random.default_rng(0)
    d_mean, d_spread, *each = rng.normal(size=(6, 3, 4, 5))
    of_each = kernels.precision_weighted_backward(d_mean, d_spread, *each)
    for shared in ((0, 1), (2, 3)):
        some = [a[0] if i in shared else a for i, a in enumerate(each)]
        found = kernels.precision_weighted_backward(d_mean, d_spread, *some)
        repeated = [np.stack([a] * 3) if a.ndim == 2 else a for a in some]
        wanted = kernels.precision_weighted_backward(d_mean, d_spread, *repeated)
        for i, (got, want) in enumerate(zip(found, wanted, strict=True)):
            np.testing.assert_allclose(got, want.sum(0) if i in shared else want, rtol=1e-12)
    assert [d.shape for d in of_each] == [(3, 4, 5)] * 4


def test_samples_that_are_all_impossible_have_no_mean_and_give_no_warning_of_a_division():
    log_w, zero = np.full((3, 1), -np.inf), np.zeros((3, 1))
    with np.errstate(divide="raise", invalid="ignore"):
        loss, *_ = kernels.power_means(log_w, zero, zero, 0.5, 1, 0.0)
    assert loss == np.inf


@pytest.mark.parametrize("power", [0.5, -0.5])
def test_power_means_of_samples_and_rows_that_are_far_apart(power):
    log_w = np.array([[0.0, -9000.0], [-4000.0, -5000.0], [-1.0, -9001.0]])
    zero = np.zeros_like(log_w)
    loss, *_ = kernels.power_means(log_w, zero, zero, power, 1, 0.0)
    means = (logsumexp(power * log_w, axis=0) - np.log(3)) / power
    np.testing.assert_allclose(loss, -means.mean(), rtol=1e-13)

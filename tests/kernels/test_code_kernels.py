"""Kernels of latent codes: ties, sums in float64, and codes of each sample, (K, B, Z)."""

from __future__ import annotations

import numpy as np
import pytest

from npvae import kernels

SHARED = {
    "categorical": (
        lambda a: kernels.categorical_kl(a, 3),
        lambda z, d, dz, a: (
            kernels.gumbel_softmax_backward(dz, z, a, 3, 0.7),
            kernels.code_log_prob_backward(d, z, a)[1],
        ),
    ),
    "bernoulli": (
        lambda a: kernels.bernoulli_kl(a, -0.8),
        lambda z, d, dz, a: (
            kernels.binary_concrete_backward(dz, z, a, 0.7),
            kernels.bernoulli_code_log_prob_backward(d, z, a)[1],
        ),
    ),
}


@pytest.mark.parametrize(("kl", "back"), SHARED.values(), ids=SHARED)
def test_codes_of_each_sample_are_those_of_the_samples_one_by_one(kl, back):
    """As a level has them that stands below another: (K, B, Z) where others have (B, Z)."""
    rng = np.random.default_rng(0)
    each, dz, z = rng.normal(size=(3, 4, 2, 6))
    z, d = 1 / (1 + np.exp(-z)), rng.normal(size=(4, 2))
    kl_of_each, backs = kl(each), back(z, d, dz, each)
    for s in range(4):
        alone = back(z[s : s + 1], d[s : s + 1], dz[s : s + 1], each[s])
        np.testing.assert_allclose(kl_of_each[s], kl(each[s])[0], rtol=1e-14)
        np.testing.assert_allclose([b[s] for b in backs], alone, rtol=1e-14)
    of_all = back(z, d, dz, each[0])
    repeated = back(z, d, dz, np.stack([each[0]] * 4))
    np.testing.assert_allclose(of_all, np.sum(repeated, axis=1), rtol=1e-12)


def test_half_is_not_above_half():
    z = np.array([[[0.5, 0.5 + 1e-9, 0.5 - 1e-9]]])
    np.testing.assert_array_equal(kernels.likelier_side(z), [[[0, 1, 0]]])


@pytest.mark.parametrize("name", ["code_log_prob", "bernoulli_code_log_prob"])
def test_many_variables_add_up_in_float64(name):
    rng = np.random.default_rng(1)
    z, a = rng.random((2, 3, 5000)).astype(np.float32), rng.normal(size=(3, 5000))
    a = a.astype(np.float32)
    terms = z * a if name == "code_log_prob" else z * a - np.logaddexp(a, np.float32(0))
    got = getattr(kernels, name)(z, a)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, terms.astype(np.float64).sum(-1), rtol=3e-7, atol=1e-4)


def test_what_all_rows_share_has_a_place_for_each():
    theta = np.random.default_rng(2).normal(size=(4, 1, 3))
    np.testing.assert_array_equal(kernels.shared_by_rows(theta, 2), np.stack([theta[:, 0]] * 2, 1))
    d = np.random.default_rng(3).normal(size=(4, 2, 3))
    back = kernels.shared_by_rows_backward(d)
    np.testing.assert_allclose(back, (d[:, 0] + d[:, 1])[:, None], rtol=1e-14)

"""The stable forms on axes of length one, and their silence where a branch overflows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from npvae.core import numerics as nm


@pytest.fixture(autouse=True)
def _every_warning_counts():
    with np.errstate(all="raise", under="ignore"):
        yield


@pytest.mark.parametrize("shape", [(4, 1, 5), (1, 4, 1), (1, 1, 1)])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_logsumexp_beside_axes_of_length_one(shape, axis):
    x = np.random.default_rng(0).normal(0, 30, shape)
    got, want = nm.logsumexp(x, axis), special.logsumexp(x, axis=axis)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-15)
    assert nm.logmeanexp(x, axis).shape == want.shape


@pytest.mark.parametrize("others", [[1e4], [1e4, -np.inf], [-1e4]])
def test_logsumexp_beside_infinity_gives_no_warning(others):
    assert nm.logsumexp(np.array([np.inf, *others]), 0) == np.inf
    assert nm.logmeanexp(np.array([np.inf, *others]), 0) == np.inf


def test_logsumexp_of_nothing_but_zeros_gives_no_warning():
    assert nm.logsumexp(np.full(3, -np.inf), 0) == -np.inf


@pytest.mark.parametrize("step", [1e-100j, -1e-100j])
def test_the_minimum_with_a_complex_bound_goes_by_real_parts(step):
    got = nm.minimum(np.array([1.0, 2.0, 3.0]), np.full(3, 2.0) + step)
    np.testing.assert_array_equal(got, [1, 2, 2 + step])


@pytest.mark.parametrize(("x", "tail"), [(1e200, 0), (-1e200, 2), (np.inf, 0), (-np.inf, 2)])
def test_erfc_so_far_out_that_the_square_overflows(x, tail):
    x = np.array([x])
    np.testing.assert_array_equal(nm.erfc(x), tail)
    np.testing.assert_array_equal(nm.normal_cdf(-x), tail / 2)

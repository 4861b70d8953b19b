"""When a claim holds: what is allowed, and of many numbers the worst."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from npvae.gradcheck.claim import Claim, compare, estimate, rounding, sigmas_for


class TestIdentity:
    def test_equality(self):
        assert Claim("a", 1.0, 1.5, 0.5, "", "").ok
        assert not Claim("a", 1.0, 1.6, 0.5, "", "").ok

    @pytest.mark.parametrize(
        ("relation", "below", "above"), [("<=", True, False), (">=", False, True)]
    )
    def test_inequality(self, relation, below, above):
        assert Claim("a", 0.0, 1.0, 0.1, "", "", relation).ok is below
        assert Claim("a", 2.0, 1.0, 0.1, "", "", relation).ok is above
        assert Claim("a", 1.0, 1.0, 0.0, "", "", relation).ok

    @pytest.mark.parametrize("relation", ["=", "<=", ">="])
    def test_a_number_that_is_not_finite_fails(self, relation):
        for odd in (math.nan, math.inf, -math.inf):
            assert not Claim("a", odd, 1.0, 2.0, "", "", relation).ok
            assert not Claim("a", 1.0, odd, 2.0, "", "", relation).ok
        assert not Claim("a", 1.0, 1.0, math.nan, "", "", relation).ok

    def test_the_worst_entry_is_shown(self):
        found = compare("a", [1.0, 2.0, 3.0], [1.0, 2.5, 3.1], [1.0, 1.0, 0.1], "", "")
        assert (found.measured, found.expected, found.allowed) == (3.0, 3.1, 0.1)
        assert compare("a", [1.0, math.nan], 1.0, 1.0, "", "").ok is False
        assert compare("a", [5.0, 3.0], 4.0, 0.0, "", "", "<=").measured == 5.0
        assert compare("a", [5.0, 3.0], 4.0, 0.0, "", "", ">=").measured == 3.0

    def test_estimate_uses_the_exact_variance_where_there_is_one(self):
        draws = np.array([1.0, 3.0, 1.0, 3.0])
        assert estimate("a", draws, 2.0, "", variance=4.0).allowed == pytest.approx(4.0)
        own = estimate("a", draws, 2.0, "")
        assert own.allowed == pytest.approx(4 * math.sqrt(4 / 3) / 2)

    def test_many_estimates_need_a_wider_limit(self):
        assert sigmas_for(1) == 4
        normal = stats.norm()
        for n in (10, 1000):  # the chance that the worst of n is out stays below that of one
            assert n * normal.sf(sigmas_for(n)) < normal.sf(4)

    def test_rounding_grows_with_size_chain_and_condition(self):
        eps = np.finfo(float).eps
        assert rounding(np.array([-8.0, 2.0]), 10, 3.0) == pytest.approx(240 * eps)

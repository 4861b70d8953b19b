"""Disentanglement scores, on codes of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

import npvae as nv

pytest.importorskip("sklearn")


@pytest.fixture
def factors():
    return np.random.default_rng(0).integers([3, 6, 10], size=(4000, 3))


def test_a_dimension_for_each_factor_is_best(factors):
    noise = np.random.default_rng(1).normal(size=(4000, 4))
    useful = [-2.0 * factors[:, 1], 5 + factors[:, 2], factors[:, 0], np.zeros(4000)]
    scores = nv.disentanglement(np.column_stack(useful) + 0.01 * noise, factors)
    assert set(scores) == {"mig", "sap", "dci", "factor_vae"}
    assert scores["dci"] > 0.85  # trees split on what tells nothing now and then
    assert min(scores["mig"], scores["sap"], scores["factor_vae"]) > 0.97


def test_factors_that_are_mixed_evenly_are_worst(factors):
    standard = (factors - factors.mean(0)) / factors.std(0)
    scores = nv.disentanglement(np.repeat(standard.sum(1, keepdims=True), 3, axis=1), factors)
    assert scores["sap"] < 0.01
    assert scores["mig"] < 0.01
    assert scores["factor_vae"] < 0.45  # a guess is right in a third


def test_two_dimensions_for_one_factor_have_no_gap(factors):
    z = np.column_stack([factors[:, 0], factors[:, 0], factors[:, 1], factors[:, 2]]).astype(float)
    scores = nv.disentanglement(z, factors)
    assert scores["mig"] == pytest.approx(2 / 3, abs=0.02)  # of three factors two have a gap
    assert scores["sap"] == pytest.approx(2 / 3, abs=0.02)
    assert scores["dci"] > 0.9


def test_the_gap_by_hand():
    """Two bits; z_0 tells the first, and z_1 tells half of what z_0 does."""
    first = np.tile([0, 1], 200)
    second = np.repeat([0, 1], 200)
    half = np.where(np.arange(400) % 4 < 2, first, 0)  # 1 for half of the ones
    z = np.column_stack([first, half]).astype(float)
    scores = nv.disentanglement(z, np.column_stack([first, second]))
    told = np.log(2) - (0.75 * -(1 / 3 * np.log(1 / 3) + 2 / 3 * np.log(2 / 3)))
    assert scores["mig"] == pytest.approx((1 - told / np.log(2)) / 2, abs=1e-12)


def test_what_is_refused(factors):
    z = np.zeros((4000, 2))
    with pytest.raises(nv.DataError, match="a row for each example"):
        nv.disentanglement(z[:5], factors)
    with pytest.raises(nv.DataError, match="factor 1 has one"):
        nv.disentanglement(z, factors * [1, 0, 1])
    with pytest.raises(nv.DataError, match="finite"):
        nv.disentanglement(z + np.nan, factors)
    for value in (np.nan, np.inf, 0.5):
        wrong = factors.astype(float)
        wrong[7, 1] = value
        with pytest.raises(nv.DataError, match=f"whole numbers.*got {value:g} in row 7, column 1"):
            nv.disentanglement(z, wrong)

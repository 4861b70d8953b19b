"""Cells of values: which latent numbers give a value, by the definition of the marginal's line."""

from __future__ import annotations

import numpy as np
import pytest

from npvae import kernels
from npvae.kernels.marginals import FAR, MOST

STEPPED = {  # cells that begin and end at odd numbers, at even ones, and far from 0
    "odd": ([0.5, 1.5, 4.5, 7.5], 1.0),
    "even": ([-0.5, 1.5, 2.5, 6.5], 1.0),
    "far": ([299.985, 300.005, 300.035], 0.01),
    "two knots": ([-0.75, 3.75], 0.5),
}
EXACT = {
    "atoms": ([-1.0, -1.0, 0.1, 0.1, 0.3, 0.7, 2.1, 2.1], [-1.5, -0.5, 0.2, 0.5, 0.6, 1.1, 1.2, 2]),
    "smooth": ([-0.7, 0.1, 0.4, 1.3], [-2.0, -0.3, 0.9, 1.7]),
    "two knots": ([0.1, 0.4], [-1.0, 1.0]),
}
NO_TAILS = np.tile([1.0, 1.0, 0.0, 1.0, 1.0, 0.0], (3, 1))
each_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def beside_a_longer_one(knots, scores, step):
    """The column between two with more knots: what fills up the shorter one is not used."""
    n = max(len(knots), 5) + 2
    filled = np.full((2, 3, n), np.inf)
    filled[0, 1, : len(knots)], filled[1, 1, : len(knots)] = knots, scores
    filled[:, 0] = np.linspace(-2.0, 2.0, n)
    filled[:, 2] = 3 * filled[:, 0]
    return filled[0], filled[1], np.array([0.0, step, 0.0])


def cells_of(x, knots, scores, step, dtype, tails=NO_TAILS):
    other = np.linspace(-1, 1, len(x))
    x = np.stack([other, x, other], -1).astype(dtype)
    found = kernels.cells(x, *beside_a_longer_one(knots, scores, step), tails)
    assert {part.dtype for part in found} == {np.dtype(dtype)}
    return [part[:, 1] for part in found]


@each_type
@pytest.mark.parametrize(("knots", "step"), STEPPED.values(), ids=STEPPED)
def test_a_rounded_value_is_what_rounds_to_it(knots, step, dtype):
    """Values beyond the ends stand for the outermost cells, which are open."""
    knots = np.array(knots)
    scores = np.cumsum(0.3 + np.arange(len(knots)) % 3) - 2
    first, last = knots[0] + step / 2, knots[-1] - step / 2
    x = np.arange(round((last - first) / step) + 1) * step + first
    x = np.concatenate([[first - 9 * step, np.nan], x, [last + 5 * step]])
    low, high, width, offset = cells_of(x, knots, scores, step, dtype)
    wants = np.clip(x, first, last)[None] + step / 2 * np.array([[-1], [1]])
    want_low, want_high = np.interp(wants, knots, scores)
    want_low[x <= first + step / 4], want_high[x >= last - step / 4] = -FAR, FAR
    rtol = 1e-10 if dtype is np.float64 else 3e-3 if knots[0] > 100 else 1e-6
    np.testing.assert_allclose(low, want_low, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(high, want_high, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(width, want_high - want_low, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(offset, np.where(np.isnan(x), np.nan, -np.log(step)), rtol=1e-6)


@each_type
@pytest.mark.parametrize(("knots", "scores"), EXACT.values(), ids=EXACT)
def test_a_value_that_is_not_rounded_is_an_atom_or_one_latent_number(knots, scores, dtype):
    """Also in float32, where 0.1 is met by the float32 that is nearest to it."""
    knots, scores = np.array(knots), np.array(scores, float)
    between = knots[:-1] + np.diff(knots) * 0.375
    x = np.unique(np.concatenate([knots, between]))
    low, high, width, offset = cells_of(x, knots, scores, 0.0, dtype)
    for i, value in enumerate(x):
        own = scores[knots == value]
        at = own if len(own) else np.interp([value], knots, scores)
        ends = at[0] if value > knots[0] else -FAR, at[-1] if value < knots[-1] else FAR
        np.testing.assert_allclose([low[i], high[i]], ends, rtol=1e-6, atol=1e-7)
        if ends[0] == ends[1]:
            after = np.searchsorted(knots, value)  # of a bend, the slope on its left
            slope = np.diff(scores)[after - 1] / np.diff(knots)[after - 1]
            assert width[i] == 0
            np.testing.assert_allclose(offset[i], np.log(slope), rtol=1e-5)
        else:
            np.testing.assert_allclose(width[i], ends[1] - ends[0], rtol=1e-6)
            assert offset[i] == 0


def test_at_a_bend_the_width_is_no_rounding_error():
    rng = np.random.default_rng(0)
    knots, scores = (np.cumsum(rng.uniform(0.01, 1, 40)) for _ in range(2))
    low, high, width, _ = cells_of(knots[1:-1], knots, scores, 0.0, np.float64)
    np.testing.assert_array_equal(width, 0)
    np.testing.assert_array_equal(low, high)


@each_type
def test_what_is_beyond_the_ends_has_the_tails_density(dtype):
    """The outermost value itself keeps 1 - s, also in float32, where 0.1 is another number."""
    knots, scores = [-0.3, -0.1, 0.05, 0.1], [-2.0, -0.3, 0.9, 1.7]
    scale, shape, share = 0.5, 0.25, 0.4
    tails = np.array([NO_TAILS[0], [scale, shape, share, scale, shape, share], NO_TAILS[0]])
    x = np.array([-1.3, -0.3, -0.1, 0.1, 2.1])
    _, _, _, offset = cells_of(x, knots, scores, 0.0, dtype, tails)
    _, _, _, bare = cells_of(x, knots, scores, 0.0, dtype)
    beyond = [np.log(share / scale) - 5 * np.log1p(t / 2) for t in (1.0, 2.0)]
    kept = np.log1p(-share)
    want = [beyond[0], kept, bare[2], kept, beyond[1]]
    np.testing.assert_allclose(offset, want, rtol=1e-5)


def test_a_column_without_tails_has_none_beside_one_that_has():
    columns = beside_a_longer_one([-0.5, 0.5, 2.5], [-1.0, 0.2, 1.0], 1.0)
    x = np.array([[-7.0, -3.0, -30.0], [9.0, 4.0, 30.0]])
    tails = NO_TAILS.copy()
    tails[1] = [1.0, 0.25, 0.4] * 2
    offset, bare = (kernels.cells(x, *columns, t)[3] for t in (tails, NO_TAILS))
    np.testing.assert_array_equal(offset[:, [0, 2]], bare[:, [0, 2]])
    assert (offset[:, 1] != bare[:, 1]).all()


@pytest.mark.parametrize("first", [-1.0, 3.0, 12.0])
@pytest.mark.parametrize("step", [1e-4, 0.1, 7.0])
def test_values_in_other_units_have_the_same_cells(step, first):
    """x in steps: only the density is another one, by the step, and so the tails' scale."""
    last = 59
    knots = np.arange(first - 0.5, last + 1)  # rounding moves some ends of cells off their knots
    scores = np.cumsum(0.3 + np.arange(len(knots)) % 3) - 2
    x = np.arange(first - 3, last + 7)
    found = []
    for unit in (1.0, step):
        tail = [2 * unit, 0.25, 0.4]
        tails = np.array([NO_TAILS[0], [*tail, *tail], NO_TAILS[0]])
        found.append(cells_of(x * unit, knots * unit, scores, unit, np.float64, tails))
    (*cells, offset), (*in_units, in_units_offset) = found
    np.testing.assert_allclose(in_units, cells, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(in_units_offset, offset - np.log(step), rtol=1e-9, atol=1e-9)
    beyond = np.maximum(0, np.maximum(first - x, x - last))
    density = np.log(0.4 / 2) - 5 * np.log1p(0.125 * beyond)
    np.testing.assert_allclose(offset[beyond > 0], density[beyond > 0], rtol=1e-12)
    np.testing.assert_array_equal(cells[0] == -FAR, x <= first)
    np.testing.assert_array_equal(cells[1] == FAR, x >= last)


def test_an_encoder_sees_the_middle_of_a_cell():
    knots, scores, steps = beside_a_longer_one([0.5, 1.5, 3.5], [-1.0, 0.0, 1.0], 1.0)
    x = np.stack([np.zeros(4), [1.0, 2.0, 3.0, np.nan], np.zeros(4)], -1).astype(np.float32)
    seen = kernels.cell_scores(x, knots, scores, steps)
    assert seen.dtype == np.float32
    seen = seen[:, 1]
    np.testing.assert_allclose(seen, [-MOST / 2, 0.25, (0.5 + MOST) / 2, np.nan], rtol=1e-6)


def test_narrow_cells_have_the_slope_of_their_width():
    """g / (exp(g) - 1) = 1 - g/2 + ..., on either side of where the formula changes."""
    width = np.array([1e-10, 5e-9, 2e-8, 1e-6])[None]
    low, zeros = np.full((1, 4), 0.3), np.zeros((1, 4))
    _, _, slope = kernels.logistic_cells(zeros[None], low, low + width, width, zeros, zeros[0])
    a, b = low, low + width
    wanted = a / (1 + np.exp(-a)) - b / (1 + np.exp(b)) - (1 - width / 2)
    np.testing.assert_allclose(slope[0], wanted, rtol=1e-12)

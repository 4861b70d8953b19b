"""NaN in x: an entry that is missing, in every likelihood's kernel."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from kernel_cases import KERNELS, inputs, sizes

from npvae import kernels

N = sizes(batch=6, width=12)
DENSITIES = [
    name
    for name, kernel in KERNELS.items()
    if "x" in kernel.hides and {"KBD", "KBP"} & set(kernel.shapes.values())
]

each_density = pytest.mark.parametrize("name", DENSITIES)


def given(name, dtype=np.float64):
    """The kernel's arguments, and where x is to be missing: one row as a whole, one column too."""
    rng = np.random.default_rng(3)
    arrays = inputs(KERNELS[name], N, dtype, seed=3)
    missing = rng.random(arrays["x"].shape) < 0.3
    missing[1], missing[:, 4], missing[2] = True, True, False
    if name == "categorical":  # a label is missing as a whole
        starts = np.cumsum([0, *KERNELS[name].constants["sizes"](N)])
        for start, stop in pairwise(starts):
            missing[:, start:stop] = missing[:, start : start + 1]
    return arrays, missing


def with_gaps(arrays, missing):
    return arrays | {"x": np.where(missing, np.nan, arrays["x"]).astype(arrays["x"].dtype)}


@each_density
def test_log_p_is_that_of_the_known_columns(name):
    arrays, missing = given(name)
    kernel = KERNELS[name]
    log_px, *_ = kernel.call(name, with_gaps(arrays, missing), N)
    for b in range(N["B"]):
        columns = np.flatnonzero(~missing[b])
        heads = np.concatenate([columns, columns + N["D"]])
        alone = {
            a: x[..., heads if axes.endswith("P") else columns] if axes[-1] in "DP" else x
            for (a, x), axes in zip(arrays.items(), kernel.shapes.values(), strict=True)
        }
        alone = {
            a: x[:, b : b + 1] if kernel.shapes[a][:2] == "KB" else x for a, x in alone.items()
        }
        alone["x"] = alone["x"][b : b + 1]
        width = [w for w in groups_left(name, missing[b]) if w]
        constants = {c: v(N) if callable(v) else v for c, v in kernel.constants.items()}
        if "sizes" in constants:
            constants["sizes"] = tuple(width)
        if len(columns) == 0:
            np.testing.assert_array_equal(log_px[:, b], 0)
            continue
        want = getattr(kernels, name)(*alone.values(), *constants.values())[0]
        np.testing.assert_allclose(log_px[:, b : b + 1], want, rtol=1e-12)


def groups_left(name, missing):
    if name != "categorical":
        return []
    widths = KERNELS[name].constants["sizes"](N)
    starts = np.cumsum([0, *widths])
    return [0 if missing[s] else w for s, w in zip(starts, widths, strict=False)]


@each_density
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_0_where_x_is_missing_and_the_same_elsewhere(name, dtype):
    arrays, missing = given(name, dtype)
    _, *before = KERNELS[name].call(name, arrays, N)
    _, *after = KERNELS[name].call(name, with_gaps(arrays, missing), N)
    for one, other in zip(before, after, strict=True):
        if one.ndim < 3:  # a sum over the columns, of which the densities' test speaks
            continue
        gaps = np.broadcast_to(np.tile(missing, one.shape[-1] // N["D"]), one.shape)
        assert (other[gaps] == 0).all()
        np.testing.assert_array_equal(other[~gaps], one[~gaps])
        assert other.dtype == one.dtype


@each_density
def test_nan_in_the_parameters_is_seen_where_x_is_known_alone(name):
    arrays, missing = given(name)
    first = next(iter(arrays))
    arrays = with_gaps(arrays, missing)
    arrays[first] = arrays[first].copy()
    arrays[first][0, 2, 3] = np.nan  # row 2 knows all
    arrays[first][0, 1] = np.nan  # row 1 knows nothing
    log_px, r, *_ = KERNELS[name].call(name, arrays, N)
    assert np.isnan(log_px[0, 2])
    assert np.isnan(r[0, 2, 3])
    assert log_px[0, 1] == 0
    assert (r[0, 1] == 0).all()
    assert np.isfinite(np.delete(log_px, 2, axis=1)).all()


@pytest.mark.parametrize("name", ["poisson", "negative_binomial"])
def test_a_library_size_is_the_total_of_the_known_entries(name):
    arrays, missing = given(name)
    rows = ~missing.all(-1)
    arrays = {a: x[:, rows] if x.ndim == 3 else x for a, x in arrays.items()}
    arrays["x"], missing = arrays["x"][rows], missing[rows]
    location, x, *rest = with_gaps(arrays, missing).values()
    function, library = getattr(kernels, name), 20.0
    total = np.maximum(np.nansum(x, -1), 1)
    want = function(location + np.log(total / library)[:, None], x, *rest, 0.0)
    for one, other in zip(function(location, x, *rest, library), want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_labels_that_are_missing_stay_so():
    x = np.array([[1.0, np.nan], [np.nan, 0.0]])
    nan = np.nan
    hot = kernels.one_hot(x, (2, 3))
    np.testing.assert_array_equal(hot, [[0, 1, nan, nan, nan], [nan, nan, 1, 0, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_an_encoder_is_given(dtype):
    x = np.array([[1.0, np.nan, np.inf], [np.nan, 0.0, -3.0]], dtype)
    for kernel, want in (
        (kernels.filled, [[1, 0, np.inf], [0, 0, -3]]),
        (kernels.known, [[1, 0, 1], [0, 1, 1]]),
    ):
        np.testing.assert_array_equal(kernel(x), want)
        assert kernel(x).dtype == dtype


def test_units_change_a_density_by_the_scales_of_the_known_columns():
    log_px = np.array([[1.0, 2.0], [3.0, 4.0]])
    x = np.array([[0.0, 1.0], [np.nan, 1.0]])
    np.testing.assert_array_equal(
        kernels.in_units(log_px, x, (10.0, 0.5)), [[1 - 10.5, 2 - 0.5], [3 - 10.5, 4 - 0.5]]
    )

"""Means, modes and parameters of draws: each kernel against SciPy, in every type and shape."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy import special, stats

from npvae import kernels
from npvae.kernels import decoding

SIZES = (3, 2, 4)
UNITS = np.array([1e3, -2.0, 0.0, 5.0] * 3), np.array([0.5, 1e-3, 1.0, 40.0] * 3)


def groups(logits):
    return np.split(logits, np.cumsum(np.resize(SIZES, logits.shape[-1] // 3))[:-1], axis=-1)


def of_groups(function):
    return lambda logits, sizes: np.concatenate([function(g) for g in groups(logits)], -1)


def continuous_mean(logits, steps=4001):
    """∫ x exp(l x) / ∫ exp(l x) over [0, 1], by Simpson's rule."""
    x = np.linspace(0, 1, steps)
    weight = np.exp(logits[..., None] * x - np.maximum(logits, 0)[..., None])
    weight *= np.r_[1, np.tile([4, 2], steps // 2 - 1), 4, 1]
    return (x * weight).sum(-1) / weight.sum(-1)


def counts_mode(log_mean, log_dispersion):
    """The first count of the greatest probability, among the first thousand."""
    m, d = np.exp(log_mean), np.exp(np.broadcast_to(log_dispersion, log_mean.shape))
    return stats.nbinom.pmf(np.arange(1000), d[..., None], (d / (d + m))[..., None])


def zero_inflated(log_mean, gate, log_dispersion):
    p = counts_mode(log_mean, log_dispersion) * special.expit(-gate)[..., None]
    p[..., 0] += special.expit(gate)
    return p.argmax(-1)


def shapes(logits, log_concentration):
    whole = np.exp(np.float64(log_concentration))
    return whole * special.expit(np.float64(logits)), whole * special.expit(-np.float64(logits))


def beta_mode(logits, log_concentration):
    """Where the density is greatest on a grid that ends near the edges."""
    x = np.clip(np.linspace(0, 1, 20001), 1e-9, 1 - 1e-9)
    a, b = (s[..., None] for s in shapes(logits, log_concentration))
    return x[((a - 1) * np.log(x) + (b - 1) * np.log1p(-x)).argmax(-1)]


STEPS = np.repeat([0.0, 0.5, 0.01], 3)
EDGES = np.array([-2.0, 0.0, 0.0, 3.0]) + STEPS[:, None] / 2 * [-1, -1, 1, 1]
LINES = EDGES, np.tile([-1.0, 0.0, 0.5, 2.0], (9, 1))


def on_line(y, *_):
    """Each column by itself, rounded to its step."""
    lines = [np.interp(y[..., j], LINES[1][0], EDGES[j]) for j in range(9)]
    lines = np.clip(np.stack(lines, -1), -2, 3)
    units = np.where(STEPS > 0, STEPS, 1)
    return np.where(STEPS > 0, np.rint(lines / units) * units, lines)


def mean_on_line(location, log_scale, *_):
    """The mean over evenly spread quantiles of the logistic distribution."""
    noise = special.logit((np.arange(40_001) + 0.5) / 40_001)
    y = location[..., None] + np.exp(log_scale)[:, None] * noise
    return np.moveaxis(on_line(np.moveaxis(y, -1, 0)), 0, -1).mean(-1)


# What is expected, the constants, how many arrays come in, and how near in float64.
CASES = {
    "exp": (np.exp, (), 1, 1e-15),
    "wide_exp": (lambda x: np.exp(x.astype(np.float64)), (), 1, 1e-15),
    "sigmoid": (special.expit, (), 1, 1e-14),
    "step": (lambda x: np.where(x > 0, 1, 0), (), 1, 0),
    "floor": (lambda x: x - x % 1, (), 1, 0),
    "continuous_bernoulli_mean": (continuous_mean, (), 1, 1e-9),
    "softmax": (of_groups(lambda g: special.softmax(g, axis=-1)), (SIZES,), 1, 1e-14),
    "mean_label": (
        of_groups(lambda g: special.softmax(g, -1) @ np.arange(1.0 * g.shape[-1])[:, None]),
        (SIZES,), 1, 1e-13,
    ),
    "likeliest_label": (
        of_groups(lambda g: g.argmax(-1)[..., None]), (SIZES,), 1, 0,
    ),
    "negative_binomial_mode": (lambda m, d: counts_mode(m, d).argmax(-1), (), 2, 0),
    "zero_inflated_mean": (lambda m, g: np.exp(m) * special.expit(-g), (), 2, 1e-14),
    "zero_inflated_mode": (zero_inflated, (), 3, 0),
    "beta_shapes": (shapes, (), 2, 1e-13),
    "beta_mode": (beta_mode, (), 2, 5e-4),
    "from_scores": (on_line, (*LINES, STEPS), 1, 1e-14),
    "mean_from_scores": (mean_on_line, (*LINES, STEPS), 2, 3e-3),
    "restored": (lambda x, m, s: x * s + m, UNITS, 1, 1e-15),
}  # fmt: skip
IN_DOUBLES = {"wide_exp", "beta_shapes", "from_scores", "mean_from_scores", "restored"}


def drawn(name, shape, dtype, seed=0):
    """The arrays of a case, of which the last of several is (D,), as a parameter of columns is."""
    width = len(UNITS[0]) if name == "restored" else 9
    rng = np.random.default_rng(seed)
    n = CASES[name][2]
    arrays = [rng.normal(0.5, 1.5, (*shape, width)).astype(dtype) for _ in range(n)]
    return arrays if n == 1 else [*arrays[:-1], rng.normal(0.5, 1, width).astype(dtype)]


def called(name, arrays):
    return tuple_of(getattr(kernels, name)(*arrays, *CASES[name][1]))


def tuple_of(values):
    return values if isinstance(values, tuple) else (values,)


def test_every_output_is_tested_here():
    own = inspect.getmembers(decoding, lambda f: hasattr(f, "__wrapped__"))
    assert {n for n, f in own if f.__module__ == decoding.__name__} == set(CASES)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(), (5,), (3, 5), (0,)], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_and_types(name, shape, dtype):
    expected, constants, _, tolerance = CASES[name]
    arrays = drawn(name, shape, dtype)
    for array in arrays:
        array.flags.writeable = False
    wants = expected(*[np.float64(a) for a in arrays], *constants)
    if dtype is np.float32 and name not in IN_DOUBLES:
        tolerance = 3e-6 if tolerance < 1e-6 and tolerance else tolerance
    for got, want in zip(called(name, arrays), tuple_of(wants), strict=True):
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance / 10)
        assert got.dtype == (np.float64 if name in IN_DOUBLES else dtype)


@pytest.mark.parametrize("name", CASES)
def test_memory_order_does_not_matter(name):
    arrays = drawn(name, (4, 6), np.float64)
    turned = [np.asfortranarray(a) if a.ndim > 1 else a for a in arrays]
    strided = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arrays]
    for others in (turned, strided):
        for got, want in zip(called(name, others), called(name, arrays), strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", CASES)
def test_usual_numbers_give_no_warning(name):
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        called(name, drawn(name, (4, 6), np.float64))
        called(name, [0 * a for a in drawn(name, (4, 6), np.float64)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_where_logits_are_extreme(dtype):
    logits = np.array([-800.0, -30.0, 0.0, 30.0, 800.0], dtype)
    np.testing.assert_allclose(kernels.sigmoid(logits), special.expit(logits), rtol=1e-6)
    np.testing.assert_array_equal(kernels.step(logits), [0, 0, 0, 1, 1])
    mean = kernels.continuous_bernoulli_mean(logits)
    np.testing.assert_allclose(mean, [1 / 800, 1 / 30, 0.5, 29 / 30, 799 / 800], rtol=1e-6)
    np.testing.assert_array_equal(kernels.softmax(logits, (5,)), [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(kernels.likeliest_label(logits, (2, 3)), [1, 2])


def test_modes_at_an_edge():
    """Counts of a dispersion up to 1 fall from 0 on; a beta without a peak rises to an edge."""
    log_mean, small = np.array([[-1.0, 3.0]]), np.array([0.0, -2.0])
    np.testing.assert_array_equal(kernels.negative_binomial_mode(log_mean, small), 0)
    np.testing.assert_array_equal(
        kernels.zero_inflated_mode(log_mean, np.array([[9.0, -9.0]]), np.array([5.0, 5.0])),
        [[0, 19]],
    )
    logits, log_concentration = np.array([-3.0, 3.0, 0.0, -1.0, 0.0]), np.log([1, 1, 2, 2, 1])
    with np.errstate(divide="raise", invalid="raise"):  # a = b = 1 among them, of any mode
        mode = kernels.beta_mode(logits, log_concentration)
    np.testing.assert_array_equal(mode, [0, 1, 0, 0, 0])


def test_a_cell_is_the_number_that_was_written():
    """311.65, and not 311.65000000000003, which 6233 times 0.05 are; and six digits are kept."""
    line = np.array([[311.0, 312.0]]), np.array([[-1.0, 1.0]])
    y = np.array([[np.interp(311.65, line[0][0], line[1][0])]])
    assert kernels.from_scores(y, *line, np.array([0.05])) == 311.65
    small = np.array([[0.0, 2.0]]), np.array([[-1.0, 1.0]])
    assert kernels.from_scores(np.array([[0.123456 - 1]]), *small, np.array([1e-6])) == 0.123456


def test_what_is_far_out_is_in_the_outermost_cell():
    """Their ends are halves, which NumPy rounds to even numbers: 0.5 to 0, and 3.5 to 4."""
    scores = np.array([[-1.0, 1.0]])
    for first, last in ((1, 3), (2, 4), (-3, -1)):
        for step in (1.0, 0.25):
            knots = step * np.array([[first - 0.5, last + 0.5]])
            got = kernels.from_scores(np.array([[-9.0], [9.0]]), knots, scores, np.array([step]))
            np.testing.assert_array_equal(got[:, 0], [first * step, last * step])


def test_the_number_of_cells_is_a_whole_one():
    """0.02 / 0.01 is 2.0000000000000004 between these edges: there are two cells, not three."""
    knots, scores = np.array([[0.015, 0.035]]), np.array([[-2.0, 2.0]])
    assert (knots[0, 1] - knots[0, 0]) / 0.01 > 2
    location, narrow = np.array([[50.0]]), np.array([-5.0])
    mean = kernels.mean_from_scores(location, narrow, knots, scores, np.array([0.01]))
    assert mean.item() == pytest.approx(0.03, abs=1e-12)

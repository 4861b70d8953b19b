"""Transformed: its probabilities and densities against SciPy, its draws, and the marginals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from proofs import each_proof
from scipy import integrate, stats

import npvae as nv
from npvae.data.marginal import Marginal
from npvae.data.shapes import far_out, shape_of

SMOOTH = Marginal([-3.0, -1.0, 0.5, 4.0], [-2.0, -0.5, 0.5, 2.5])
SPIKED = Marginal([0.0, 0.0, 1.0, 1.0, 5.0], [-0.5, 0.1, 0.6, 1.0, 2.0])
WHOLE = Marginal([-0.5, 0.5, 2.5, 7.5], [-1.5, -0.5, 0.5, 2.0], 1.0)
LOCATION, SCALE = 0.3, 0.7
Y = stats.logistic(LOCATION, SCALE)


def likelihood(marginal, **options):
    part = nv.Transformed([marginal], **{"scale": "column", **options})
    part.declare(1)
    part.allocate(np.random.default_rng(0))
    part.log_scale[...] = np.log(SCALE)
    return part


def log_p(marginal, x):
    x = np.atleast_1d(np.asarray(x, float))[:, None]
    return likelihood(marginal).log_prob(np.full(x.shape, LOCATION), x)


def test_a_rounded_value_has_the_probability_of_its_cell():
    edges = np.interp(np.arange(0.5, 7), WHOLE.x, WHOLE.y)
    below = np.concatenate([[0], Y.cdf(edges), [1]])
    got = log_p(WHOLE, np.arange(8))
    np.testing.assert_allclose(np.exp(got), np.diff(below), rtol=1e-9)
    np.testing.assert_allclose(np.exp(got).sum(), 1, rtol=1e-9)
    np.testing.assert_array_equal(log_p(WHOLE, [-40.0, 99.0]), got[[0, -1]])


@pytest.mark.parametrize(("marginal", "atoms"), [(SMOOTH, [-3.0, 4.0]), (SPIKED, [0.0, 1.0, 5.0])])
def test_atoms_and_densities_add_up_to_1(marginal, atoms):
    x = np.linspace(*marginal.x[[0, -1]], 9)[1:-1] + 0.01
    y = np.interp(x, marginal.x, marginal.y)
    step = 1e-6
    slope = np.interp(x + step, marginal.x, marginal.y) - np.interp(
        x - step, marginal.x, marginal.y
    )
    want = Y.logpdf(y) + np.log(slope / (2 * step))
    np.testing.assert_allclose(log_p(marginal, x), want, rtol=1e-6)
    inside = integrate.quad(
        lambda t: np.exp(log_p(marginal, t)[0]), *marginal.x[[0, -1]], points=marginal.x[1:-1]
    )[0]
    at = [(Y.cdf(marginal.y[0]), 1 - Y.cdf(marginal.y[-1]))] if marginal is SMOOTH else []
    np.testing.assert_allclose(inside + np.exp(log_p(marginal, atoms)).sum(), 1, atol=1e-6)
    for low, high in at:
        np.testing.assert_allclose(np.exp(log_p(marginal, atoms)), [low, high], rtol=1e-9)


@pytest.mark.parametrize("marginal", [SMOOTH, SPIKED, WHOLE])
def test_draws_never_leave_the_range_and_have_its_distribution(marginal):
    part = likelihood(marginal)
    draws = part.sample(np.full((20_000, 1), LOCATION), np.random.default_rng(1))[:, 0]
    assert draws.min() >= marginal.x[0] + marginal.step / 2
    assert draws.max() <= marginal.x[-1] - marginal.step / 2
    for x in (0.0, 1.0, 2.0):
        upto = Y.cdf(np.interp(x + marginal.step / 2, marginal.x, marginal.y + 0.0))
        if marginal is SPIKED:  # up to the end of the atom
            upto = Y.cdf({0.0: 0.1, 1.0: 1.0, 2.0: 1.25}[x])
        assert abs((draws <= x).mean() - upto) < 4.5 * np.sqrt(0.25 / 20_000)


TAILS = [0.5, 0.25, 0.1, 2.0, 0.7, 0.3]  # scale, shape and share, below and above


@pytest.mark.parametrize("marginal", [SMOOTH, SPIKED, WHOLE])
def test_beyond_the_ends_there_are_tails(marginal):
    """They are generalised Pareto, and all adds up to 1."""
    tailed = Marginal(marginal.x, marginal.y, marginal.step, TAILS)
    half = marginal.step / 2
    low, high = marginal.x[0] + half, marginal.x[-1] - half
    at_ends = np.exp(log_p(marginal, [low, high])) * (marginal.step or 1)
    t = np.array([1.0, 3.0, 500.0])
    for end, sign, (scale, shape, share), p in (
        (low, -1, TAILS[:3], at_ends[0]),
        (high, 1, TAILS[3:], at_ends[1]),
    ):
        want = p * share * stats.genpareto(shape, scale=scale).pdf(t)
        np.testing.assert_allclose(np.exp(log_p(tailed, end + sign * t)), want, rtol=1e-8)
        np.testing.assert_allclose(
            np.exp(log_p(tailed, end)) * (marginal.step or 1), p * (1 - share), rtol=1e-9
        )
    inside = np.linspace(low, high, 9)[1:-1] + 0.01 * (marginal.step == 0)
    np.testing.assert_array_equal(log_p(tailed, inside), log_p(marginal, inside))
    np.testing.assert_allclose(tailed.log_prob(np.array([high + 3]))[0] - np.log(
        TAILS[5] * stats.genpareto(TAILS[4], scale=TAILS[3]).pdf(3.0)
    ), marginal.log_prob(np.array([high]))[0] + np.log(marginal.step or 1), rtol=1e-9)  # fmt: skip
    assert Marginal.of(tailed.config) == tailed
    draws = likelihood(tailed).sample(np.full((2000, 1), LOCATION), np.random.default_rng(1))
    assert low <= draws.min()
    assert draws.max() <= high


@pytest.mark.slow
def test_tails_train_the_same_in_either_way():
    """What lies beyond has the location's gradient of its cell; captured steps have the offset."""
    marginals = [Marginal(m.x, m.y, m.step, TAILS) for m in (SMOOTH, SPIKED, WHOLE)]
    rng = np.random.default_rng(2)
    x = np.stack([m.restored(rng.normal(size=64)) for m in marginals], -1)
    x[:3] = [[-9.0, 40.0, 12.0], [5.0, -3.0, -6.0], [1e6, 0.0, 7.0]]
    losses = []
    for kernels in ("numpy", "numba"):
        nv.use_kernels(kernels)
        model = nv.VAE(3, 2, hidden=(4,), likelihood=nv.Transformed(marginals), seed=1)
        losses.append(nv.fit(model, x, epochs=2, batch_size=16, valid=x)["valid_loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    model = model.astype("float64")
    inputs = x[:3], model.draw_noise(3, 1, rng)
    assert nv.check_gradients(model, inputs, objective=nv.ELBO(), methods=["complex"]).ok


@pytest.mark.parametrize("tails", [TAILS[:5], [0.0, *TAILS[1:]], [*TAILS[:5], 1.0], 3])
def test_tails_that_are_none(tails):
    with pytest.raises(nv.ConfigError, match="tails"):
        Marginal(SMOOTH.x, SMOOTH.y, tails=tails)


def test_the_tails_of_values():
    """Of an exponential the scale, of a Pareto the shape; a further value is the greatest of n + 1
    with probability 1 / (n + 1)."""
    rng = np.random.default_rng(3)
    x = rng.exponential(2.0, 20_000)
    tails = shape_of(x, 0.0).marginal.tails
    beyond_all = np.log(20_000) * 2.0 * 0.25  # what the least shape adds at the greatest value
    assert 1.5 < tails[3] < 2.5 + 1.5 * beyond_all
    assert tails[4] == 0.25
    pareto = rng.pareto(1.6, 20_000) + 1
    assert abs(shape_of(pareto, 0.0).marginal.tails[4] - 1 / 1.6) < 0.15
    for n in (50, 2000):
        values = np.round(rng.normal(size=n), 2)
        marginal = shape_of(values, 0.01).marginal
        bare = Marginal(marginal.x, marginal.y, marginal.step)
        for end, share in ((values.min(), marginal.tails[2]), (values.max(), marginal.tails[5])):
            p = 0.01 * np.exp(bare.log_prob(np.array([end])))[0] * share
            assert p <= 1 / (n + 1) + 1e-12
            assert share == 0.5 or p > 0.999 / (n + 1)


def test_held_out_values_are_likelier_with_tails():
    """Beside those that count every further value as the greatest, and those of a normal."""
    rng = np.random.default_rng(4)
    gains = []
    for _ in range(20):
        x = rng.standard_t(3, 300)
        marginal = shape_of(x[:150], 0.0).marginal
        far = x[150:][(x[150:] > x[:150].max()) | (x[150:] < x[:150].min())]
        normal = stats.norm(x[:150].mean(), x[:150].std()).logpdf(far)
        gains += (marginal.log_prob(far) - normal).tolist()
    assert len(gains) > 20
    assert np.mean(gains) > 1.0


def test_a_column_alone_has_log_p_under_the_standard_normal():
    normal = stats.norm
    below = np.concatenate([[0], normal.cdf(np.interp(np.arange(0.5, 7), WHOLE.x, WHOLE.y)), [1]])
    np.testing.assert_allclose(WHOLE.log_prob(np.arange(8.0)), np.log(np.diff(below)), rtol=1e-9)
    got = SPIKED.log_prob(np.array([0.0, 3.0, np.nan]))
    slope = 1.0 / 4.0
    want = np.log(normal.cdf(0.1)), normal.logpdf(1.5) + np.log(slope)
    np.testing.assert_allclose(got[:2], want, rtol=1e-9)
    assert np.isnan(got[2])


@pytest.mark.parametrize("scale", ["column", "decoder"])
@each_proof
def test_gradients_of_a_model(scale, methods):
    rng = np.random.default_rng(2)
    part = nv.Transformed([SMOOTH, SPIKED, WHOLE], scale)
    model = nv.VAE(3, 2, hidden=(4,), activation="tanh", likelihood=part, missing="mask",
                   dtype="float64")  # fmt: skip
    model.flat += 0.2 * rng.normal(size=model.n_params)
    x = np.array([[0.2, 0.0, 3.0], [np.nan, 2.5, 0.0], [-3.0, 1.0, 7.0]])
    inputs = x, model.draw_noise(3, 2, rng)
    report = nv.check_gradients(model, inputs, objective=nv.ELBO(n_samples=2), methods=methods)
    assert report.ok, str(report)


def test_it_trains_and_is_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(4)
    y = rng.normal(size=(300, 1)) + 0.3 * rng.normal(size=(300, 3))
    marginals = [SMOOTH, SPIKED, WHOLE]
    x = np.stack([m.restored(y[:, j]) for j, m in enumerate(marginals)], -1)
    model = nv.VAE(3, 1, hidden=(16,), likelihood=nv.Transformed(marginals))
    history = nv.fit(model, x, epochs=20, batch_size=32, lr=1e-2)
    losses = [record["train_loss"] for record in history.records]
    assert losses[-1] < losses[0] - 0.3
    nv.save(model, tmp_path / "m.npz")
    again = nv.load(tmp_path / "m.npz")
    assert again.config == json.loads(json.dumps(model.config))
    np.testing.assert_array_equal(again.elbo(x), model.elbo(x))
    draws = again.sample(2000, take="draw")
    want = np.corrcoef(x.T)[np.triu_indices(3, 1)]
    assert np.abs(np.corrcoef(draws.T)[np.triu_indices(3, 1)] - want).max() < 0.15


@pytest.mark.parametrize(
    ("x", "y", "step", "rule"),
    [
        ([0, 1], [0, 0], 0, "y that rises"),
        ([1, 0], [0, 1], 0, "x that never falls"),
        ([0, 1, 2], [0, 1], 0, "got 3 and 2 numbers"),
        ([0, np.inf], [0, 1], 0, "got 0 and 2 numbers"),
        ([0, 1], [0, 1], -1, "step -1"),
        ([0, 1], [0, 1], 1, "values that differ"),
    ],
)
def test_marginals_that_are_none(x, y, step, rule):
    with pytest.raises(nv.ConfigError, match=rule):
        Marginal(x, y, step)


def test_a_marginal_for_each_column():
    with pytest.raises(nv.ConfigError, match="got 1 for 2"):
        nv.VAE(2, 1, likelihood=nv.Transformed([SMOOTH]))
    with pytest.raises(nv.ConfigError, match="a marginal for each column"):
        nv.Transformed([])
    with pytest.raises(nv.ConfigError, match="a marginal is"):
        nv.Transformed([3])


# Which marginal a column gets


def test_held_out_values_decide():
    rng = np.random.default_rng(0)
    assert shape_of(rng.normal(size=1000), 0.0).name == "normal"
    assert shape_of(rng.lognormal(3, 0.8, 1000), 0.0).name == "log-normal"
    spend = np.where(rng.random(1000) < 0.6, 0, rng.lognormal(3, 1, 1000))
    found = shape_of(spend, 0.0)
    assert "quantiles" in found.name
    assert abs(np.exp(found.marginal.log_prob(np.zeros(1))[0]) - (spend == 0).mean()) < 0.01
    assert shape_of(np.array([1.0, 2.0] * 30), 1.0) is None


@pytest.mark.parametrize("step", [0.0, 1.0, 0.5])
def test_what_is_fitted_is_a_distribution_near_that_of_the_values(step):
    rng = np.random.default_rng(1)
    values = rng.gamma(2.0, 8.0, 2000)
    values = np.rint(values / step) * step if step else values
    found = shape_of(values, step).marginal
    draws = found.restored(rng.normal(size=20_000))
    assert stats.ks_2samp(draws, values).statistic < 0.04
    assert values.min() <= draws.min()
    assert draws.max() <= values.max()
    if step:
        every = np.arange(values.min(), values.max() + step, step)
        bare = Marginal(found.x, found.y, found.step)
        np.testing.assert_allclose((np.exp(bare.log_prob(every)) * step).sum(), 1, rtol=1e-6)
        beyond = 1 - (np.exp(found.log_prob(every)) * step).sum()
        assert 0 < beyond <= 2.01 / (len(values) + 1)


def test_thousands_of_values_that_come_back_are_no_atoms_each():
    """Of census weights and the like, 30,000 in all, thousands come three times or more."""
    rng = np.random.default_rng(8)
    often = np.repeat(np.unique(rng.integers(10_000, 900_000, 4600)), 6)
    values = np.concatenate([often, rng.integers(10_000, 900_000, 4000), np.full(900, 100_000)])
    found = shape_of(rng.permutation(values).astype(float), 1.0)
    assert len(found.marginal.x) < 1024
    assert np.exp(found.marginal.log_prob(np.array([100_000.0]))) > 0.02
    assert np.isfinite(found.log_p)


def test_wild_cells_are_far_out_and_heavy_tails_are_not():
    rng = np.random.default_rng(2)
    wild = np.append(rng.normal(size=499), 9999.0)
    assert np.flatnonzero(far_out(wild)).tolist() == [499]
    assert not far_out(rng.lognormal(0, 2, 1000)).any()
    assert not far_out(np.where(rng.random(500) < 0.7, 0, rng.exponential(10, 500))).any()


@pytest.mark.parametrize("step", [0.0, 0.01, 0.5])
def test_a_coarse_line_is_hardly_off_and_has_few_knots(step):
    y = stats.norm.ppf((np.arange(800) + 0.5) / 800)
    x = np.exp(0.5 * y)
    line = Marginal(x, y, step)
    coarse = line.coarse()
    at = np.linspace(-2.5, 2.5, 4001)
    spread = np.exp(0.5) / 2 - np.exp(-0.5) / 2
    if step == 0.5:  # a step that matters stays
        assert coarse == line
        return
    assert coarse.step == 0
    assert len(coarse.x) < 60
    off = np.abs(coarse.restored(at) - np.interp(at, y, x))
    assert off.max() < 0.011 * spread + step


def test_averages_are_of_the_coarse_line():
    """They are near the exact mean, which a fine sum gives."""
    y = stats.norm.ppf((np.arange(800) + 0.5) / 800)
    part = likelihood(Marginal(np.exp(0.5 * y), y))
    theta = np.array([[LOCATION]])
    t = np.linspace(-20, 20, 400_001)
    exact = integrate.trapezoid(np.interp(t, y, np.exp(0.5 * y)) * Y.pdf(t), t)
    np.testing.assert_allclose(part.mean(theta), exact, rtol=1e-4)
    np.testing.assert_allclose(part.expected(theta), exact, rtol=0.01)
    assert np.isfinite(part._coarse.knots).sum() < 60

"""nv.impute: p(x missing given x known), against models of which it is known exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import two_levels

import npvae as nv
from npvae import kernels as k
from npvae.core.row_streams import row_streams
from npvae.gaps import fill
from npvae.gaps.fill import weighted_quantiles
from npvae.gaps.posterior import metropolis

NAN = np.nan


def linear(likelihood, z_dim=2, x_dim=5, seed=0, far=0.0, narrow=0.0):
    """x = W z + b + noise, with an encoder that knows nothing, or is `far` off and too `narrow`."""
    model = nv.VAE(x_dim, z_dim, hidden=(), likelihood=likelihood, missing="mask", dtype="float64")
    rng = np.random.default_rng(seed)
    model.decoder.layers[0].W[...] = rng.normal(size=model.decoder.layers[0].W.shape)
    model.decoder.layers[0].b[...] = rng.normal(size=model.decoder.layers[0].b.shape)
    model.encoder.layers[0].W[...] = 0
    model.encoder.layers[0].b[...] = np.repeat([far, -narrow], z_dim)
    return model


def conditional(model, row, noise):
    """Mean and covariance of x missing given x known, of a row of the linear model."""
    W, b = model.decoder.layers[0].W, model.decoder.layers[0].b
    C = W @ W.T + noise**2 * np.eye(len(b))
    gap = np.isnan(row)
    gain = np.linalg.solve(C[np.ix_(~gap, ~gap)], C[np.ix_(~gap, gap)]).T
    mean = b[gap] + gain @ (row - b)[~gap]
    return mean, C[np.ix_(gap, gap)] - gain @ C[np.ix_(~gap, gap)]


def rows_with_gaps(model, noise, n=6, seed=1):
    rng = np.random.default_rng(seed)
    W, b = model.decoder.layers[0].W, model.decoder.layers[0].b
    x = rng.normal(size=(n, W.shape[1])) @ W.T + b + noise * rng.normal(size=(n, len(b)))
    x[rng.random(x.shape) < 0.4] = NAN
    x[0], x[1, 2] = NAN, NAN  # nothing known
    return x


@pytest.fixture(scope="module")
def gaussian():
    model = linear(nv.Gaussian(1.0))
    return model, rows_with_gaps(model, 1.0)


def test_means_and_medians_are_the_exact_conditional_means(gaussian):
    model, x = gaussian
    for statistic, tolerance in (("mean", 0.06), ("median", 0.12)):
        filled = nv.impute(model, x, n_samples=20_000, statistic=statistic)
        for row, got in zip(x, filled, strict=True):
            gap = np.isnan(row)
            mean, cov = conditional(model, row, 1.0)
            off = (got[gap] - mean) / np.sqrt(np.diag(cov))
            assert np.abs(off).max(initial=0) < tolerance
            np.testing.assert_array_equal(got[~gap], row[~gap])


def test_draws_have_the_exact_conditional_mean_and_covariance(gaussian):
    model, x = gaussian
    draws = nv.impute(model, x, n_draws=4000, n_samples=4000, seed=3)
    assert draws.shape == (4000, *x.shape)
    for i, row in enumerate(x):
        gap = np.isnan(row)
        mean, cov = conditional(model, row, 1.0)
        scale = np.sqrt(np.diag(cov))
        np.testing.assert_allclose(draws[:, i, gap].mean(0), mean, atol=0.1 * scale.max())
        got = np.cov(draws[:, i, gap].T).reshape(cov.shape)
        assert np.abs(got - cov).max() < 0.12 * np.diag(cov).max()
        assert (draws[:, i, ~gap] == row[~gap]).all()


def test_nominal_intervals_cover_as_much():
    """1,000 gaps of the exact model: 90 % intervals hold 90 %, to three standard errors."""
    model = linear(nv.Gaussian(0.7), x_dim=6)
    rng = np.random.default_rng(0)
    W, b = model.decoder.layers[0].W, model.decoder.layers[0].b
    truth = rng.normal(size=(500, 2)) @ W.T + b + 0.7 * rng.normal(size=(500, 6))
    gaps = np.argsort(rng.random(truth.shape), axis=1) < 2
    draws = nv.impute(model, np.where(gaps, NAN, truth), n_draws=19, n_samples=400)
    inside = (draws.min(0) <= truth) & (truth <= draws.max(0))  # 18 in 20
    assert abs(inside[gaps].mean() - 0.9) < 3 * np.sqrt(0.09 / gaps.sum())


def test_metropolis_steps_find_the_posterior_from_an_encoder_that_is_far_off():
    model = linear(nv.Gaussian(0.5), far=2.5, narrow=2.0)
    x = rows_with_gaps(model, 0.5, n=3)
    _, effective = nv.impute(model, x, n_samples=200, diagnostics=True)
    assert effective.min() < 10
    draws = nv.impute(model, x, n_draws=3000, n_samples=200)
    chosen = nv.impute(model, x, n_samples=200)
    off = []
    for i, row in enumerate(x):
        gap = np.isnan(row)
        mean, cov = conditional(model, row, 0.5)
        scale = np.sqrt(np.diag(cov))
        off.append(np.abs(chosen[i, gap] - mean) / scale)
        assert (np.abs(draws[:, i, gap].mean(0) - mean) < 0.12 * scale).all()
        np.testing.assert_allclose(draws[:, i, gap].std(0), scale, rtol=0.1)
    assert np.concatenate(off).max() > 0.3  # which importance sampling alone does not find


def test_a_metropolis_step_leaves_the_exact_posterior_in_place():
    """Noise that has the right distribution keeps it: mean and covariance of z given x known."""
    model = linear(nv.Gaussian(0.8), far=0.7, narrow=0.5)
    x = rows_with_gaps(model, 0.8, n=2)[1:]
    W, b = model.decoder.layers[0].W, model.decoder.layers[0].b
    known = ~np.isnan(x[0])
    cov = np.linalg.inv(np.eye(2) + W[known].T @ W[known] / 0.64)
    mean = cov @ W[known].T @ (x[0] - b)[known] / 0.64
    rng = np.random.default_rng(4)
    z = mean + rng.normal(size=(20_000, 2)) @ np.linalg.cholesky(cov).T
    [(mu, logvar)] = model.posteriors(x, None)
    eps = (z - mu) / np.exp(logvar / 2)
    for steps in (1, 2, 5, 7):  # of one each kind, and of all kinds
        moved = metropolis(model, x, None, [eps[:, None]], [rng], steps)[:, 0]
        assert 0.02 < (np.abs(moved - z) > 1e-9).any(1).mean() <= 1
        np.testing.assert_allclose(moved.mean(0), mean, atol=0.03)
        np.testing.assert_allclose(np.cov(moved.T), cov, atol=0.03)


def by_quadrature(model, x, f, z_dim=1, n=4001):
    """E[f(theta) given x known] of a model with a z_dim of 1, over a grid of z."""
    z = np.linspace(-9, 9, n)[:, None]
    theta = model.theta(z, None)
    rows = np.repeat(x, n, axis=0)
    log_w = model.likelihood.forward(theta[None], rows)[0][0] - 0.5 * z[:, 0] ** 2
    w = np.exp(log_w - log_w.max())
    return np.tensordot(w / w.sum(), f(theta), 1)


def test_labels_are_the_likeliest_by_averaged_probabilities():
    model = linear(nv.Categorical((3, 4, 2)), z_dim=1, x_dim=3, seed=5)
    x = np.array(list(itertools.product([NAN, 0, 1, 2], [NAN, 0, 3], [NAN, 1])))
    filled = nv.impute(model, x, n_samples=4000)
    for row, got in zip(x, filled, strict=True):
        theta = by_quadrature(model, row[None], model.likelihood.expected)
        p = np.split(theta, [3, 7])
        for j in np.flatnonzero(np.isnan(row)):
            best = np.sort(p[j])[::-1]
            assert got[j] == p[j].argmax() or best[0] - best[1] < 0.02
        known = ~np.isnan(row)
        np.testing.assert_array_equal(got[known], row[known])


def test_draws_of_labels_are_as_frequent_as_their_probabilities():
    model = linear(nv.Categorical((3, 4, 2)), z_dim=1, x_dim=3, seed=5)
    x = np.array([[0, NAN, NAN], [NAN, 2, 1.0]])
    draws = nv.impute(model, x, n_draws=4000, n_samples=4000)
    for i, row in enumerate(x):
        p = np.split(by_quadrature(model, row[None], model.likelihood.expected), [3, 7])
        for j in np.flatnonzero(np.isnan(row)):
            shares = np.bincount(draws[:, i, j].astype(int), minlength=len(p[j])) / 4000
            np.testing.assert_allclose(shares, p[j], atol=0.04)


LIKELIHOODS = {
    "bernoulli": (nv.Bernoulli(), [[NAN, 1.0, 0.0]]),
    "ordinal": (nv.Ordinal((3, 4, 5)), [[NAN, 3.0, 1.0], [1.0, NAN, NAN]]),
    "one_hot": (nv.OneHot((3, 2)), [[NAN, NAN, NAN, 0.0, 1.0]]),
    "poisson": (nv.Poisson(), [[NAN, 4.0, 0.0]]),
    "negative_binomial": (nv.NegativeBinomial(), [[3.0, NAN, 0.0]]),
    "zero_inflated": (nv.ZeroInflatedNegativeBinomial(), [[NAN, 0.0, 5.0]]),
    "beta": (nv.Beta(), [[NAN, 0.2, 0.7]]),
    "student_t": (nv.StudentT(df=5), [[0.4, NAN, -1.0]]),
    "laplace": (nv.Laplace(), [[0.4, NAN, -1.0]]),
    "continuous_bernoulli": (nv.ContinuousBernoulli(), [[0.4, NAN, 0.9]]),
    "heteroscedastic": (nv.GaussianHeteroscedastic(), [[0.4, NAN, 0.9]]),
    "mixed": (
        nv.Mixed([("poisson", (2,)), (nv.Categorical(3), (0, 3)), ("gaussian", (1,))]),
        [[NAN, 0.3, NAN, NAN], [2.0, NAN, 4.0, 1.0]],
    ),
    "transformed": (
        nv.Transformed(
            [
                {"x": [0.0, 0.0, 1.0, 4.0], "y": [-1.0, 0.0, 0.5, 2.0]},
                {"x": [-0.5, 2.5, 9.5], "y": [-1.0, 0.5, 2.0], "step": 1.0},
                {"x": [0.0, 1.0], "y": [-2.0, 2.0]},
            ]
        ),
        [[NAN, 3.0, 0.7], [0.0, NAN, NAN]],
    ),
}


@pytest.mark.parametrize(("likelihood", "x"), LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_every_likelihood_against_quadrature(likelihood, x):
    """Means, likeliest labels and draws, of a model whose z is summed out on a grid."""
    x = np.array(x)
    model = linear(likelihood, z_dim=1, x_dim=x.shape[1], seed=7)
    filled = nv.impute(model, x, n_samples=4000)
    draws = nv.impute(model, x, n_draws=4000, n_samples=4000)
    part = model.likelihood
    nominal = part.nominal_columns(x.shape[1])
    for i, row in enumerate(x):
        expected = by_quadrature(model, row[None], part.expected)
        exact, means = part.guess(expected), by_quadrature(model, row[None], part.mean)
        gap, spread = np.isnan(row), draws[:, i].std(0) + 1e-6
        assert (np.abs(filled[i] - exact)[gap] < 0.08 * spread[gap]).all()
        numbers = gap & ~nominal
        assert (np.abs(draws[:, i].mean(0) - means)[numbers] < 0.08 * spread[numbers]).all()
        part.check(draws[:, i])
    medians = nv.impute(model, x, statistic="median", n_samples=500)
    part.check(medians)


def network(**more):
    model = nv.VAE(4, 3, hidden=(6,), likelihood="gaussian_column_scale", missing="mask", **more)
    model.flat[...] += np.random.default_rng(2).normal(0, 0.4, model.n_params)
    return model


def gappy(n=30, d=4, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    x[rng.random(x.shape) < 0.3] = NAN
    return x


@pytest.mark.smoke(1)
@pytest.mark.parametrize("how", [{}, {"n_draws": 3}, {"statistic": "median"}])
def test_a_row_is_filled_in_the_same_way_wherever_it_stands(how, monkeypatch):
    model, x = network(), gappy()
    filled = np.atleast_3d(nv.impute(model, x, n_samples=70, **how).T).T
    order = np.random.default_rng(0).permutation(len(x))
    again = np.atleast_3d(nv.impute(model, x[order], n_samples=70, **how).T).T
    np.testing.assert_allclose(again, filled[:, order], rtol=1e-9, atol=1e-9)
    alone = np.atleast_3d(nv.impute(model, x[7:8], n_samples=70, **how).T).T
    np.testing.assert_allclose(alone, filled[:, 7:8], rtol=1e-9, atol=1e-9)
    monkeypatch.setattr(fill, "_BLOCK", 5000)
    blocks = np.atleast_3d(nv.impute(model, x, n_samples=70, **how).T).T
    np.testing.assert_allclose(blocks, filled, rtol=1e-9, atol=1e-9)
    other = np.atleast_3d(nv.impute(model, x, n_samples=70, seed=1, **how).T).T
    assert not np.allclose(other, filled)


def test_known_entries_stay_as_they_are_bit_by_bit():
    model = network(standardise={"mean": [1e6] * 4, "scale": [0.1, 3.0, 7.0, 1.0]})
    x = (gappy() * 3.3 + 1e6).astype(np.float32)
    for filled in (nv.impute(model, x), *nv.impute(model, x, n_draws=2)):
        assert filled.dtype == np.float32
        np.testing.assert_array_equal(filled[~np.isnan(x)], x[~np.isnan(x)])
        assert np.isfinite(filled).all()
    assert np.isnan(x).any()  # the caller's own array


def test_rows_without_gaps_and_whole_numbers_come_back():
    model = network()
    x = np.arange(12).reshape(3, 4)
    filled, effective = nv.impute(model, x, n_samples=50, diagnostics=True)
    np.testing.assert_array_equal(filled, x)
    assert filled.dtype == np.float64
    assert (effective == 50).all()


def test_equal_rows_have_draws_of_their_own_and_the_same_mean():
    model, x = network(), np.repeat(gappy(1, seed=5), 20, axis=0)
    assert np.isnan(x).any()
    filled = nv.impute(model, x)
    np.testing.assert_allclose(filled, filled[:1].repeat(20, 0))
    draws = nv.impute(model, x, n_draws=1)[0]
    assert len(np.unique(draws[:, np.isnan(x[0])].round(9), axis=0)) == 20


def test_streams_are_of_rows():
    rows = np.array([[1.0, NAN], [0.0, 2.0], [-0.0, 2.0], [1.0, NAN]])
    firsts = [s.random() for s in row_streams(rows, None, 0, 1)]
    assert len(set(firsts)) == 4
    same = [s.random() for s in row_streams(rows, None, 0, 1, apart=False)]
    assert same == [firsts[0], firsts[1], firsts[1], firsts[0]]
    assert [s.random() for s in row_streams(rows[2:3], None, 0, 1)] == firsts[1:2]
    for other in (row_streams(rows, None, 1, 1), row_streams(rows, None, 0, 2)):
        assert not set(firsts) & {s.random() for s in other}
    context = np.array([[0.0], [1.0]])
    here, there = row_streams(rows[[0, 0]], context, 0, 1)
    assert here.random() != there.random()


def test_a_context_says_more_of_a_row():
    model = network(context_dim=2)
    x, context = gappy(), np.random.default_rng(1).normal(size=(30, 2))
    filled = nv.impute(model, x, context=context)
    assert not np.allclose(filled, nv.impute(model, x, context=context + 1))
    assert np.isfinite(nv.impute(model, x, n_draws=2, context=context)).all()
    with pytest.raises(nv.DataError, match="context"):
        nv.impute(model, x)


def test_a_context_may_be_labels():
    model, x = network(condition=nv.Labels(["a", "b"])), gappy()
    labels = ["a", "b"] * 15
    filled = nv.impute(model, x, context=labels)
    np.testing.assert_allclose(nv.impute(model, x[::2], context=labels[::2]), filled[::2])
    assert not np.allclose(filled, nv.impute(model, x, context=labels[::-1]))


def test_flows_and_mixtures_are_filled_by_too():
    for more in ({"posterior": "planar"}, {"prior": "mixture:n_components=3"}, {"prior": "vamp"}):
        model = network(**more)
        filled, effective = nv.impute(model, gappy(), diagnostics=True)
        assert np.isfinite(filled).all()
        assert ((effective >= 1) & (effective <= 200)).all()
        assert np.isfinite(nv.impute(model, gappy(), n_draws=2, n_samples=10)).all()


class Filled(nv.Gaussian, abstract=True):
    """For a model whose encoder has no mask."""

    def features(self, x):
        return k.filled(x)


def test_a_model_of_several_levels_is_summed_over_all_of_them():
    """Linear, so that x is normal: z1 = A z2 + a + noise, x = W z1 + b + noise."""
    model = two_levels.BottomUp(5, (2, 1), hidden=(), likelihood=Filled(0.7), dtype="float64")
    model.missing = "mask"
    rng = np.random.default_rng(6)
    W, b, A = rng.normal(size=(5, 2)), rng.normal(size=5), rng.normal(size=(2, 1))
    model.flat[...] = 0
    model.decoder.layers[0].W[...], model.decoder.layers[0].b[...] = W, b
    model.down.layers[0].W[:2] = A
    model.down.layers[0].b[...] = [0.3, -0.5, -0.2, 0.1]
    a, S = np.array([0.3, -0.5]), np.diag(np.exp([-0.2, 0.1]))
    C = W @ (A @ A.T + S) @ W.T + 0.49 * np.eye(5)
    row = np.array([[0.4, NAN, 1.0, NAN, -0.3]])
    known = ~np.isnan(row[0])
    gain = np.linalg.solve(C[np.ix_(known, known)], C[np.ix_(known, ~known)]).T
    exact = (W @ a + b)[~known] + gain @ (row[0] - W @ a - b)[known]
    cov = C[np.ix_(~known, ~known)] - gain @ C[np.ix_(known, ~known)]
    spread = np.sqrt(np.diag(cov))
    filled = nv.impute(model, row, n_samples=20_000)[0, ~known]
    assert (np.abs(filled - exact) < 0.06 * spread).all()
    draws = nv.impute(model, row, n_draws=3000, n_samples=100)[:, 0, ~known]  # few: by steps
    assert (np.abs(draws.mean(0) - exact) < 0.1 * spread).all()
    np.testing.assert_allclose(draws.std(0), spread, rtol=0.08)


def test_what_it_refuses():
    x = gappy()
    with pytest.raises(nv.DataError, match="missing='mask'"):
        nv.impute(nv.VAE(4, 2, hidden=(), likelihood="gaussian"), x)
    with pytest.raises(nv.DataError, match="columns"):
        nv.impute(network(), x[:, :3])
    for wrong in ({"n_draws": 0}, {"n_samples": 0}, {"statistic": "mode"}, {"seed": -1}):
        with pytest.raises(nv.ConfigError):
            nv.impute(network(), x, **wrong)
    x[0, 0] = np.inf
    with pytest.raises(nv.DataError, match="finite"):
        nv.impute(network(), x)


def test_quantiles_are_weighted():
    values = np.array([3.0, 1.0, 2.0])[:, None, None]
    weights = np.array([0.2, 0.5, 0.3])[:, None]
    got = weighted_quantiles(values, weights, [0.1, 0.5, 0.51, 0.8, 0.81, 1.0])[:, 0, 0]
    np.testing.assert_array_equal(got, [1, 1, 2, 2, 3, 3])


def test_the_table_s_own_name_is_the_same_function():
    assert nv.tables.impute is nv.impute


@pytest.mark.parametrize("absurd", [{"n_draws": 10**12}, {"n_samples": 10**12}])
def test_what_no_memory_holds_is_refused_at_once(absurd):
    model = nv.VAE(3, 2, hidden=(4,), likelihood="gaussian", missing="mask")
    x = np.ones((4, 3))
    x[0, 0] = np.nan
    with pytest.raises(nv.ConfigError, match="of memory, and this machine has"):
        nv.impute(model, x, **absurd)

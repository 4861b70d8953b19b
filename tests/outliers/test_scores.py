"""Scores and contributions against closed forms, SciPy and each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import npvae as nv
from npvae.outliers import scores as module

RNG = np.random.default_rng


def untrained(likelihood, x_dim, seed=0, **options):
    """A model away from its start, with a latent space that matters."""
    model = nv.VAE(x_dim, 2, hidden=(7,), likelihood=likelihood, seed=seed, **options)
    model.flat += RNG(seed + 1).normal(0, 0.3, model.n_params).astype(model.dtype)
    return model


def mixed():
    groups = [("student_t", (3, 0)), ("bernoulli", (1,)), ("categorical:classes=3", (2,))]
    rng = RNG(5)
    x = np.stack([rng.normal(size=150), rng.integers(2, size=150), rng.integers(3, size=150),
                  rng.normal(size=150)], axis=1).astype(float)  # fmt: skip
    x[rng.random(x.shape) < 0.2] = np.nan
    return untrained(nv.Mixed(groups), 4, missing="mask"), x


def one_hot():
    rng = RNG(2)
    x = np.hstack([np.eye(c)[rng.integers(c, size=150)] for c in (3, 4)])
    return untrained(nv.OneHot([3, 4]), 7), x


def of_units():
    return untrained("laplace", 3, standardise={"mean": [5.0, 0, 0], "scale": [1e3, 1, 0.1]}), (
        RNG(3).normal(size=(150, 3)) * [1e3, 1, 0.1] + [5.0, 0, 0]
    )


def of_levels():
    model = nv.HierarchicalVAE(4, (3, 2), hidden=(6,), likelihood="gaussian")
    model.flat += RNG(1).normal(0, 0.2, model.n_params).astype("float32")
    return model, RNG(7).normal(size=(150, 4))


CASES = {
    "levels": of_levels,
    "bernoulli": lambda: (untrained("bernoulli", 5), RNG(0).random((150, 5))),
    "counts": lambda: (untrained("poisson", 4), RNG(1).poisson(3, (150, 4))),
    "bytes": lambda: (
        untrained("bernoulli", 4, scale=255.0),
        RNG(4).integers(256, size=(150, 4)).astype(np.uint8),
    ),
    "flow": lambda: (
        untrained("gaussian", 3, posterior="planar:n=2", prior="mixture:n_components=3"),
        RNG(6).normal(size=(150, 3)),
    ),
    "mixed": mixed,
    "one-hot": one_hot,
    "units": of_units,
}


@pytest.mark.parametrize("method", ["elbo", "likelihood"])
@pytest.mark.parametrize("case", CASES)
def test_a_row_has_one_score_whatever_rows_stand_beside_it(case, method):
    model, x = CASES[case]()
    options = {"method": method, "n_samples": 5}
    scores = nv.anomaly_scores(model, x, **options)
    order = RNG(0).permutation(len(x))
    assert scores.shape == (len(x),)
    assert scores.dtype == np.float64
    for rows in (order, order[:70], [3], slice(60, 70)):
        some = nv.anomaly_scores(model, x[rows], **options)
        np.testing.assert_allclose(some, scores[rows], rtol=1e-11, atol=1e-11)


@pytest.mark.smoke(1)
@pytest.mark.parametrize("case", CASES)
def test_scores_estimate_minus_the_elbo(case):
    model, x = CASES[case]()
    x = x[:40]
    bounds = np.stack([model.elbo(x, 100, seed=seed) for seed in range(6)])
    error = bounds.std(0, ddof=1).max()
    scores = nv.anomaly_scores(model, x, n_samples=600)
    np.testing.assert_allclose(-scores, bounds.mean(0), atol=4 * error)


@pytest.mark.parametrize("method", ["elbo", "likelihood"])
def test_scores_are_their_definition_on_noise_that_rows_share(method):
    model = untrained("bernoulli", 5, dtype="float64")
    x = (RNG(3).random((6, 5)) < 0.5).astype(float)
    mu, logvar = model.encode(x)
    eps = model.draw_noise(1, 50, RNG(9))
    z = mu + np.exp(logvar / 2) * eps
    mean = model.decode(z.reshape(-1, 2)).reshape(50, 6, 5)
    log_px = stats.bernoulli.logpmf(x, mean).sum(-1)
    if method == "elbo":
        kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(-1)
        expected = log_px.mean(0) - kl
    else:
        log_w = log_px + stats.norm.logpdf(z).sum(-1)
        log_w -= stats.norm.logpdf(z, mu, np.exp(logvar / 2)).sum(-1)
        expected = special.logsumexp(log_w, axis=0) - np.log(50)
    scores = nv.anomaly_scores(model, x, method, n_samples=50, seed=9)
    np.testing.assert_allclose(scores, -expected, rtol=1e-10)


def test_likelihood_of_a_linear_model_is_that_of_its_normal_distribution():
    rng = RNG(0)
    w, b = rng.normal(size=(4, 2)), rng.normal(size=4)
    model = nv.VAE(4, 2, hidden=(), likelihood=nv.Gaussian(0.7), dtype="float64")
    model.params["decoder.layers.0.W"][...] = w
    model.params["decoder.layers.0.b"][...] = b
    precision = np.eye(2) + w.T @ w / 0.49
    gain = np.linalg.solve(precision, w.T / 0.49)
    model.params["encoder.layers.0.W"][...] = np.vstack([gain, np.zeros((2, 4))])
    logvar = np.log(1 / np.diag(precision)) + 0.2
    model.params["encoder.layers.0.b"][...] = np.concatenate([-gain @ b, logvar])
    x = b + rng.normal(size=(20, 4))
    exact = -stats.multivariate_normal(b, w @ w.T + 0.49 * np.eye(4)).logpdf(x)
    scores = nv.anomaly_scores(model, x, "likelihood", n_samples=20_000)
    np.testing.assert_allclose(scores, exact, atol=0.05)
    assert (nv.anomaly_scores(model, x, n_samples=4000) > exact - 0.05).all()


@pytest.mark.parametrize("case", CASES)
def test_contributions_add_up_to_what_a_row_is_stranger_in_than_usual(case):
    """Their sum and -E[log p(x given z)] differ by the same number for all rows without gaps."""
    model, x = CASES[case]()
    contributions = nv.anomaly_contributions(model, x, n_samples=3)
    assert contributions.shape == x.shape
    gaps = np.isnan(x.astype(float))
    assert (contributions[gaps] == 0).all()
    whole = ~gaps.any(1)
    model = model.astype("float64")
    (eps,) = module._noise(model, 3, 0)
    blocks = module._blocks(model, x, None)
    nats = [-model.forward(xb, eps)[0].log_px.mean(0)[:n] for xb, _, n in blocks]
    gap = (contributions.sum(1) - np.concatenate(nats))[whole]
    np.testing.assert_allclose(gap, gap[0], rtol=1e-9, atol=1e-9)


def test_a_column_usually_adds_its_median():
    model, x = CASES["bernoulli"]()
    contributions = nv.anomaly_contributions(model, x)
    np.testing.assert_allclose(np.median(contributions, axis=0), 0, atol=1e-12)
    other = nv.anomaly_contributions(model, x[:5], reference=x)
    np.testing.assert_allclose(other, contributions[:5], rtol=1e-9, atol=1e-9)


def test_a_one_hot_group_counts_once_at_its_one():
    model, x = one_hot()
    contributions = nv.anomaly_contributions(model, x)
    assert (contributions[x == 0] == 0).all()
    ones = contributions[x == 1].reshape(len(x), 2)
    np.testing.assert_allclose(np.median(ones, axis=0), 0, atol=1e-12)
    assert (ones != 0).any()


def test_the_column_that_was_changed_is_to_blame():
    model, x = mixed()
    model.params["likelihood.parts.0.log_scale"][...] = 0.0
    odd = np.array([[0.0, 1.0, 1.0, 30.0]])
    contributions = nv.anomaly_contributions(model, odd, reference=x)
    assert contributions[0].argmax() == 3
    assert nv.anomaly_scores(model, odd) > np.quantile(nv.anomaly_scores(model, x), 0.99)


def test_context_is_taken():
    model = untrained("gaussian", 3, context_dim=2)
    x, c = RNG(0).normal(size=(80, 3)), RNG(1).normal(size=(80, 2))
    scores = nv.anomaly_scores(model, x, context=c)
    np.testing.assert_allclose(nv.anomaly_scores(model, x[9:10], context=c[9:10]), scores[9])
    assert not np.allclose(nv.anomaly_scores(model, x, context=c[::-1]), scores)
    contributions = nv.anomaly_contributions(model, x, context=c)
    again = nv.anomaly_contributions(model, x[:9], x, c[:9], c)
    np.testing.assert_allclose(again, contributions[:9], rtol=1e-9, atol=1e-9)


def test_rows_beyond_all_numbers_are_infinitely_strange():
    model = untrained("gaussian", 3)
    x = np.array([[0.0, 0, 0], [1e200, -1e200, 1e200], [1e308, 1e308, -1e308]])
    for method in ("elbo", "likelihood"):
        scores = nv.anomaly_scores(model, x, method)
        assert np.isfinite(scores[0])
        assert (scores[1:] == np.inf).all()


def test_an_autoencoder_is_scored_by_what_it_reconstructs():
    model = nv.Autoencoder(3, 2, hidden=(4,), likelihood="gaussian", seed=1)
    x = RNG(0).normal(size=(30, 3))
    wrong = ((x - model.astype("float64").reconstruct(x)) ** 2 / 2).sum(1)
    scores = nv.anomaly_scores(model, x)
    np.testing.assert_allclose(scores - wrong, 1.5 * np.log(2 * np.pi), rtol=1e-9)
    assert nv.anomaly_contributions(model, x).shape == x.shape
    with pytest.raises(nv.ConfigError, match="no density"):
        nv.anomaly_scores(model, x, "likelihood")


def test_portions_of_noise_do_not_show(monkeypatch):
    model, x = CASES["bernoulli"]()
    expected = nv.anomaly_scores(model, x, "likelihood", n_samples=20)
    monkeypatch.setattr(module, "_MOST_ENTRIES", 3 * 64 * 5)
    found = nv.anomaly_scores(model, x, "likelihood", n_samples=20)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_model_stays_as_it_is():
    model, x = CASES["bernoulli"]()
    before = model.flat.copy()
    nv.anomaly_scores(model, x)
    nv.anomaly_contributions(model, x)
    assert model.dtype == "float32"
    np.testing.assert_array_equal(model.flat, before)


def test_what_is_wrong_is_said():
    model = untrained("bernoulli", 3)
    with pytest.raises(nv.ConfigError, match="method is 'elbo' or 'likelihood'; got 'kl'"):
        nv.anomaly_scores(model, np.zeros((2, 3)), method="kl")
    with pytest.raises(nv.DataError, match=r"shape \(N, 3\)"):
        nv.anomaly_scores(model, np.zeros((2, 4)))
    with pytest.raises(nv.DataError, match="row 1, column 2"):
        nv.anomaly_contributions(model, [[0.1, 0.2, 0.3], [0.1, 0.2, np.nan]])


@pytest.mark.parametrize(
    ("likelihood", "variables"),
    [
        (nv.Gaussian(), [0, 1, 2, 3, 4]),
        (nv.OneHot(), [0, 0, 0, 0, 0]),
        (nv.OneHot([2, 3]), [0, 0, 1, 1, 1]),
        (nv.Mixed([("gaussian", (4, 0)), (nv.OneHot(), (3, 1)), ("poisson", (2,))]),
         [1, 2, 3, 2, 0]),
    ],
)  # fmt: skip
def test_columns_of_one_variable(likelihood, variables):
    assert likelihood.variables(5).tolist() == variables


def test_noise_that_no_memory_holds_is_refused_at_once():
    model = nv.VAE(3, 2, hidden=(4,), likelihood="gaussian")
    for measure in (nv.anomaly_scores, nv.anomaly_contributions):
        with pytest.raises(nv.ConfigError, match="of memory, and this machine has"):
            measure(model, np.ones((2, 3)), n_samples=10**12)

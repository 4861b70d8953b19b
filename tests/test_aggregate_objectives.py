"""β-TCVAE, MMD and DIP-VAE: what looks at the draws of a whole batch, against explicit loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, special, stats

import npvae as nv
from npvae.core import LevelTerms, Terms
from npvae.core.schedules import Linear
from npvae.gradcheck import check_gradients
from npvae.kernels import aggregate
from npvae.objectives import mmd

K, B, Z = 2, 5, 3
OBJECTIVES = {t: o for c in (nv.BetaTC, nv.MMD, nv.DIP) for t, o in c.examples().items()}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def terms_of(rng, batch=B, samples=K, weights=None):
    mu, logvar = rng.normal(size=(batch, Z)), rng.normal(-1, 0.5, (batch, Z))
    z = mu + np.exp(0.5 * logvar) * rng.normal(size=(samples, batch, Z))
    log_qz = stats.norm.logpdf(z, mu, np.exp(0.5 * logvar)).sum(-1)
    level = LevelTerms(
        log_pz=stats.norm.logpdf(z).sum(-1), log_qz=log_qz, z=z, posterior=(mu, logvar)
    )
    level.kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)[None]
    return Terms(rng.normal(-90, 5, (samples, batch)), [level], weights=weights)


def sampled(terms):
    """Without the closed form of the KL, as an objective gets it that does not ask for it."""
    terms.levels[0].kl = None
    return terms


def shares_of(batch, n_data):
    """W of the paper's appendix, for each row b of the batch; without the 1/N of "weighted"."""
    if n_data is None or batch == 1:
        return np.full((batch, batch), 1 / batch)
    shares = np.full((batch, batch), 1 / (batch - 1))
    for b in range(batch):
        shares[b, b] = 1 / n_data
        shares[b, (b + 1) % batch] = (n_data - batch + 1) / (n_data * (batch - 1))
    return shares


def parts_of(terms, n_data):
    """mi, tc and dkl of each draw and row, (3, K, B), one density after the other."""
    (level,) = terms.levels
    mu, logvar = level.posterior
    samples, batch = level.log_qz.shape
    weights = np.ones(batch) if terms.weights is None else terms.weights
    shares = shares_of(batch, n_data) * weights / weights.mean()
    parts = np.empty((3, samples, batch))
    for i, b in itertools.product(range(samples), range(batch)):
        log_q = stats.norm.logpdf(level.z[i, b], mu, np.exp(0.5 * logvar))  # (B, Z)
        joint = special.logsumexp(log_q.sum(-1), b=shares[b])
        marginal = sum(special.logsumexp(log_q[:, j], b=shares[b]) for j in range(Z))
        parts[:, i, b] = (
            level.log_qz[i, b] - joint, joint - marginal, marginal - level.log_pz[i, b]
        )  # fmt: skip
    return parts


@pytest.mark.parametrize("batch", [1, 2, B])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("estimator", "n_data"), [("weighted", None), ("stratified", 20)])
def test_the_parts_of_the_kl(estimator, n_data, weighted, batch, rng):
    terms = sampled(terms_of(rng, batch, weights=rng.random(batch) if weighted else None))
    losses, d_terms = nv.BetaTC(6.0, 0.5, 2.0, estimator, n_data)(terms)
    weights = terms.weights if weighted else np.ones(batch)
    mi, tc, dkl = (weights * parts_of(terms, n_data)).mean((1, 2))
    rec = -(weights * terms.log_px).mean()
    wanted = (rec + 0.5 * mi + 6 * tc + 2 * dkl, rec, mi + tc + dkl, mi, tc, dkl)
    assert tuple(losses) == nv.BetaTC.losses == ("loss", "rec", "kl", "mi", "tc", "dkl")
    np.testing.assert_allclose(list(losses.values()), wanted, rtol=1e-11, atol=1e-12)
    (level,), (d_level,) = terms.levels, d_terms.levels
    each = np.broadcast_to(weights / level.log_qz.size, level.log_qz.shape)
    np.testing.assert_allclose(d_level.log_qz, 0.5 * each, rtol=1e-14)
    np.testing.assert_allclose(d_level.log_pz, -2 * each, rtol=1e-14)
    np.testing.assert_allclose(d_terms.log_px, -each, rtol=1e-14)


def test_at_weights_of_1_it_is_the_elbo(rng):
    model = nv.VAE(4, Z, hidden=(5,), activation="tanh", dtype="float64")
    x, eps = rng.random((B, 4)), model.draw_noise(B, K, rng)
    for made in (nv.BetaTC(1.0), nv.BetaTC(1.0, estimator="stratified", n_data=9)):
        loss, gradients = nv.value_and_grad(model, made, x, eps)
        wanted, expected = nv.value_and_grad(model, nv.Renyi(1.0, K), x, eps)
        assert loss == pytest.approx(wanted, rel=1e-12)
        for name, gradient in expected.items():
            np.testing.assert_allclose(gradients[name], gradient, rtol=1e-9, atol=1e-12)


def test_the_stratified_estimate_of_q_is_unbiased(rng):
    """Over all batches in which a row can stand, the mean of its q(z) is that of the data."""
    n, m = 5, 3
    z, mu, logvar = rng.normal(size=Z), rng.normal(size=(n, Z)), rng.normal(-1, 1, (n, Z))
    density = np.exp(stats.norm.logpdf(z, mu, np.exp(0.5 * logvar)).sum(-1))
    shares = shares_of(m, n)[0]
    found = [
        shares @ density[[0, *rest]] for rest in itertools.permutations(range(1, n), m - 1)
    ]  # fmt: skip
    assert np.mean(found) == pytest.approx(density.mean(), rel=1e-12)


def test_the_parts_are_those_of_a_gaussian_whose_answer_is_known():
    """q(z) = N(0, C) by many rows: then the parts are functions of C."""
    rng, n = np.random.default_rng(0), 3000
    covariance = np.array([[1.2, 0.6], [0.6, 0.8]])
    mu = rng.multivariate_normal([0, 0], covariance - 0.2 * np.eye(2), n)
    logvar = np.full((n, 2), math.log(0.2))
    z = mu + math.sqrt(0.2) * rng.normal(size=(1, n, 2))
    level = LevelTerms(
        log_pz=stats.norm.logpdf(z).sum(-1),
        log_qz=stats.norm.logpdf(z, mu, math.sqrt(0.2)).sum(-1), z=z, posterior=(mu, logvar),
    )  # fmt: skip
    losses, _ = nv.BetaTC()(Terms(np.zeros((1, n)), [level]))
    variances = np.diag(covariance)
    tc = 0.5 * (np.log(variances).sum() - np.linalg.slogdet(covariance)[1])
    dkl = 0.5 * (variances - 1 - np.log(variances)).sum()
    mi = 0.5 * (np.linalg.slogdet(covariance)[1] - 2 * math.log(0.2))
    assert losses.tc == pytest.approx(tc, abs=0.03)
    assert losses.dkl == pytest.approx(dkl, abs=0.03)
    assert losses.mi == pytest.approx(mi, abs=0.03)


def test_densities_far_from_1_are_mixed_in_float64():
    log_p, shares = aggregate._mixed(np.float32([[1000, 1000], [-1000, -1000]]))
    np.testing.assert_allclose(log_p, [1000 + math.log(2), math.log(2) - 1000], rtol=1e-9)
    np.testing.assert_array_equal(shares, 0.5)


def test_rows_that_all_have_weight_0_are_mixed_evenly():
    np.testing.assert_allclose(np.exp(aggregate._log_shares(2, None, np.zeros(2))), 0.5)


def test_imq_is_a_mean_of_gaussians():
    s, weights = mmd._nodes("imq")
    for r2, rel in ((0.0, 1e-13), (0.3, 1e-13), (4.0, 1e-13), (60.0, 1e-13), (1e3, 3e-12)):
        assert weights @ np.exp(-s * r2) == pytest.approx(1 / (1 + r2), rel=rel)


def mmd_by_loops(z, scales, kernel, weights):
    """The pairs one by one, and the prior's part by Gaussian integrals and by `integrate.quad`."""

    def expected(h, power):  # E of exp(-s r²/h) over one draw of the prior, or over two
        def of(s, square=0.0):
            a = s / h
            return (1 + power * a) ** (-Z / 2) * math.exp(-square * a / (1 + power * a))

        return of

    def over_s(f):
        return f(1.0) if kernel == "rbf" else integrate.quad(
            lambda s: math.exp(-s) * f(s), 0, math.inf, epsabs=1e-14, epsrel=1e-13)[0]  # fmt: skip

    total = 0.0
    for scale in scales:
        h = 2 * Z * scale
        near, pairs, norm = 0.0, 0.0, 0.0
        for b, c in itertools.permutations(range(len(z)), 2):
            r2 = ((z[b] - z[c]) ** 2).sum()
            pairs += weights[b] * weights[c] * (h / (h + r2) if kernel == "imq" else
                                                math.exp(-r2 / h))  # fmt: skip
            norm += weights[b] * weights[c]
        for b in range(len(z)):
            square = (z[b] ** 2).sum()
            near += weights[b] * over_s(lambda s, h=h, q=square: expected(h, 2)(s, q))
        total += pairs / norm - 2 * near / weights.sum() + over_s(expected(h, 4))
    return total


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
@pytest.mark.parametrize("weighted", [False, True])
def test_mmd(kernel, weighted, rng):
    terms = terms_of(rng, weights=rng.random(B) if weighted else None)
    made = nv.MMD(3.0, kernel, 0.5, (0.3, 2.0), n_samples=K)
    losses, d_terms = made(terms)
    elbo, d_elbo = nv.ELBO(0.5, K)(terms)
    weights = terms.weights if weighted else np.ones(B)
    z = terms.levels[0].z
    wanted = np.mean([mmd_by_loops(points, (0.3, 2.0), kernel, weights) for points in z])
    assert losses.mmd == pytest.approx(wanted, rel=1e-10)
    assert losses.loss == pytest.approx(elbo.loss + 3 * wanted, rel=1e-12)
    assert (losses.rec, losses.kl) == (elbo.rec, elbo.kl)
    np.testing.assert_array_equal(d_terms.levels[0].kl, d_elbo.levels[0].kl)
    step, at = 1e-5, (1, 2, 0)
    ends = []
    for sign in (1, -1):
        moved = z.copy()
        moved[at] += sign * step
        ends.append(mmd.mmd_loss(moved, 3.0, (0.3, 2.0), kernel, terms.weights)[1])
    assert d_terms.levels[0].z[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_tells_other_draws_from_the_priors(kernel, rng):
    """It is unbiased: of the prior's own draws 0 in the mean, and of others far above."""
    found = {}
    for name, spread, shift in (("prior", 1.0, 0.0), ("narrow", 0.5, 0.0), ("moved", 1.0, 1.0)):
        values = [
            mmd.mmd_loss(shift + spread * rng.normal(size=(1, 40, Z)), 1.0, (1.0,), kernel, None)[0]
            for _ in range(300)
        ]
        found[name] = np.mean(values) / (np.std(values) / math.sqrt(len(values)))
    assert abs(found["prior"]) < 4
    assert found["narrow"] > 20
    assert found["moved"] > 20


def test_mmd_of_one_row_is_0(rng):
    terms = terms_of(rng, batch=1, samples=1)
    losses, d_terms = nv.MMD()(terms)
    assert losses.mmd == 0
    assert losses.loss == nv.ELBO(0.0)(terms)[0].loss
    np.testing.assert_array_equal(d_terms.levels[0].z, np.zeros((1, 1, Z)), strict=True)


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_dip(kind, weighted, rng):
    terms = terms_of(rng, weights=rng.random(B) if weighted else None)
    losses, d_terms = nv.DIP(kind, 0.7, 1.3, beta=2.0, n_samples=K)(terms)
    weights = terms.weights if weighted else np.ones(B)
    mu, logvar = terms.levels[0].posterior
    covariance = np.cov(mu.T, aweights=weights, bias=True)
    if kind == 2:
        covariance += np.diag(np.average(np.exp(logvar), axis=0, weights=weights))
    wanted = sum(
        1.3 * (covariance[i, i] - 1) ** 2 if i == j else 0.7 * covariance[i, j] ** 2
        for i, j in itertools.product(range(Z), range(Z))
    )
    elbo, _ = nv.ELBO(2.0, K)(terms)
    assert losses.dip == pytest.approx(wanted, rel=1e-12)
    assert losses.loss == pytest.approx(elbo.loss + wanted, rel=1e-12)
    assert (losses.rec, losses.kl) == (elbo.rec, elbo.kl)
    dmu, dlogvar = d_terms.levels[0].posterior
    assert np.abs(dmu).max() > 0
    assert (np.abs(dlogvar).max() > 0) == (kind == 2)


def test_dip_of_variances_of_1_has_finite_gradients(rng):
    """Also where logvar is 0, and where a batch's rows all have weight 0."""
    terms = terms_of(rng, weights=np.zeros(B))
    terms.levels[0].posterior[1][...] = 0
    for kind in (1, 2):
        losses, d_terms = nv.DIP(kind, 0.7, 1.3)(terms)
        assert losses.dip == pytest.approx(Z * 1.3)  # C is 0, and (C_ii - 1)² is 1
        for gradient in d_terms.levels[0].posterior:
            np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize(
    "made", [nv.BetaTC, nv.MMD, nv.DIP, nv.STL], ids=lambda made: made.__name__
)  # fmt: skip
def test_beta_may_have_a_schedule(made, rng):
    terms = terms_of(rng)
    losses, _ = made(beta=Linear(0, 8, epochs=4))(terms, 1.0)
    assert losses == made(beta=2.0)(terms)[0]
    assert losses != made(beta=8.0)(terms)[0]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_gradients_by_float32_samples_are_float32(objective, weighted, rng):
    terms = terms_of(rng, weights=rng.random(B).astype(np.float32) if weighted else None)
    terms.log_px = terms.log_px.astype(np.float32)
    (level,) = terms.levels
    for name in ("kl", "log_pz", "log_qz", "z"):
        setattr(level, name, getattr(level, name).astype(np.float32))
    level.posterior = tuple(p.astype(np.float32) for p in level.posterior)
    (d_level,) = objective(terms)[1].levels
    found = [d for d in (d_level.z, *(d_level.posterior or ())) if d is not None]
    assert found
    assert {d.dtype for d in found} == {np.dtype(np.float32)}


def test_dips_weights_by_default_are_the_papers():
    assert (nv.DIP().off_diagonal, nv.DIP().diagonal) == (10, 100)
    assert (nv.DIP(2, 5).off_diagonal, nv.DIP(2, 5).diagonal) == (5, 5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_its_gradient_is_its_losss_derivative(objective, weighted, rng):
    model = nv.VAE(4, 2, hidden=(3,), activation="tanh", dtype="float64")
    model.flat += 0.1 * rng.normal(size=model.n_params)
    made = Weighted(objective, rng.random(B)) if weighted else objective
    inputs = rng.random((B, 4)), model.draw_noise(B, objective.n_samples, rng)
    report = check_gradients(model, inputs, objective=made, methods=["complex"])
    assert report.ok, str(report)


class Weighted:
    """An objective of rows with weights."""

    def __init__(self, objective, weights):
        self.objective, self.weights = objective, weights
        self.needs, self.n_samples = objective.needs, objective.n_samples

    def __call__(self, terms, epoch=math.inf):
        terms.weights = self.weights
        return self.objective(terms, epoch)


def test_rows_of_weight_0_are_as_if_they_were_not_there(rng):
    model = nv.VAE(4, 2, hidden=(3,), dtype="float64")
    x, eps = rng.random((B, 4)), model.draw_noise(B, 1, rng)
    for objective in ("betatc:beta=3", "mmd", "dip", "dip:kind=2"):
        weights = np.array([1.0, 0, 1, 1, 0]) * B / 3
        loss, gradients = nv.value_and_grad(model, objective, x, eps, weights=weights)
        kept = weights > 0
        wanted, expected = nv.value_and_grad(model, objective, x[kept], eps[:, kept])
        assert loss == pytest.approx(wanted, rel=1e-12), objective
        for name, gradient in expected.items():
            np.testing.assert_allclose(gradients[name], gradient, rtol=1e-9, atol=1e-12)
        nothing, _ = nv.value_and_grad(model, objective, x, eps, weights=[0, 0, 0, 0, 1e-300])
        assert np.isfinite(nothing)


def test_the_weighted_estimate_needs_no_number_of_rows(rng):
    """The 1/N of "weighted" is left out: it moves mi and tc by constants alone."""
    terms = sampled(terms_of(rng))
    assert nv.BetaTC(n_data=20)(terms)[0] == nv.BetaTC()(terms)[0]


def test_more_rows_than_the_data_have_are_refused(rng):
    nv.BetaTC(estimator="stratified", n_data=B)(sampled(terms_of(rng)))
    with pytest.raises(nv.ConfigError, match="at least a batch's 5; got 4"):
        nv.BetaTC(estimator="stratified", n_data=4)(sampled(terms_of(rng)))

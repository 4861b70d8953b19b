"""Identities of what is estimated: the KL, gradients through samples, minibatches, K samples.

Each function takes a random generator and returns what it found.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from ..core import bind, n_parameters, registered
from ..levels import GaussianKL
from ..models import VAE, value_and_grad
from ..objectives import ELBO
from ..posteriors import GaussianLogProb, Reparameterise
from ..priors import StandardNormal
from .claim import Claim, compare, estimate, rounding, sigmas_for
from .linear_gaussian import LinearGaussian, cubature, linear_vae

Array = np.ndarray
Rng = np.random.Generator


def sampler(rng: Rng) -> list[Claim]:
    """z = mu + std eps has the mean mu and the variance exp(logvar) that the KL counts with.

    A sampler that takes exp(logvar) for the standard deviation has a consistent gradient, which no
    gradient check can fault; its moments can. They are exact over the noise of `cubature`.
    Source: Kingma & Welling 2014, section 2.4.
    """
    mu, logvar = rng.normal(size=(5, 4)), rng.uniform(-3, 2, (5, 4))
    z, _ = Reparameterise().forward(mu, logvar, cubature(5, 4))
    allowed = rounding(np.abs(z).max() ** 2, 2 * len(z))
    return [
        compare("E[z] = mu", z.mean(0), mu, allowed, "rounding", "of 20 posteriors"),
        compare(
            "Var[z] = exp(logvar)", ((z - mu) ** 2).mean(0), np.exp(logvar), allowed, "rounding",
            "of 20 posteriors; exp(logvar) in place of exp(logvar/2) would square it",
        ),
    ]  # fmt: skip


def kl_monte_carlo(rng: Rng) -> list[Claim]:
    """KL(q ‖ p) = ½(mu² + v - 1 - log v) is the mean of log q(z) - log p(z) over z ~ q.

    With z = mu + √v eps, log q - log p = ½((v - 1)eps² + 2 mu √v eps + mu² - log v), whose variance
    is ½(v - 1)² + mu² v: the standard error of n draws is known exactly.
    Source: Kingma & Welling 2014, appendix B.
    """
    n, mu, logvar = 20_000, rng.uniform(-2, 2, (20, 1)), rng.uniform(-3, 2, (20, 1))
    z, _ = Reparameterise().forward(mu, logvar, rng.normal(size=(n, 20, 1)))
    draws = GaussianLogProb().forward(z, mu, logvar)[0] - StandardNormal().forward(z)[0]
    kl = GaussianKL().forward(mu, logvar)[0][0, :, 0]
    v = np.exp(logvar[:, 0])
    return [
        estimate(
            "KL(q || p): closed form = Monte Carlo", draws, kl,
            f"{n} draws for each of 20 posteriors, one latent dimension each",
            variance=0.5 * (v - 1) ** 2 + mu[:, 0] ** 2 * v,
        )
    ]  # fmt: skip


def general_kl(rng: Rng) -> list[Claim]:
    """KL(N(m1, v1) ‖ N(m2, v2)) = Σ ½(log v2/v1 + (v1 + (m1 - m2)²)/v2 - 1), diagonal v.

      (1) it is E[log q - log p] over z ~ q, a mean of quadratics in eps, exact by `cubature`
      (2) a KL does not change with the unit: with u = (z - m2)/√v2 it is the KL to the standard
          normal, of mean (m1 - m2)/√v2 and variance v1/v2
    Source: Kullback 1959, chapter 9.
    """
    m1, m2 = rng.normal(size=(2, 5, 3))
    logv1, logv2 = rng.uniform(-2, 2, (2, 5, 3))
    z, _ = Reparameterise().forward(m1, logv1, cubature(5, 3))
    density = GaussianLogProb()
    log_ratio = density.forward(z, m1, logv1)[0] - density.forward(z, m2, logv2)[0]
    standardised = GaussianKL().forward((m1 - m2) * np.exp(-0.5 * logv2), logv1 - logv2)[0]
    ratio = np.exp(logv1 - logv2)
    kl = 0.5 * (logv2 - logv1 + ratio + (m1 - m2) ** 2 * np.exp(-logv2) - 1).sum(-1)
    allowed = rounding(np.abs(density.forward(z, m2, logv2)[0]).max(), 8 * 3 + 6)
    return [
        compare(
            "KL(N1 || N2) = E[log N1 - log N2]", log_ratio.mean(0), kl, allowed, "rounding",
            "diagonal Gaussians: the means of npvae's own densities against the formula",
        ),
        compare(
            "KL(N1 || N2) = KL to N(0, I), rescaled",
            standardised.sum((0, -1)), kl, allowed, "rounding",
            "npvae's KL in units of the second Gaussian against the general formula",
        ),
    ]  # fmt: skip


def gradient_estimators(rng: Rng) -> list[Claim]:
    """Both estimators of the gradient of E[½‖z - a‖²] are unbiased; one has far less variance.

    E[½‖z - a‖²] = ½ Σ((mu - a)² + v), v = exp(logvar), so d/dmu = mu - a and d/dlogvar = ½ v.
    With s = √v, δ = mu - a, and f = ½ Σ(δ + s eps)² of one draw,
      (1) reparameterised: df/dmu = δ + s eps, of variance v; df/dlogvar = ½ s eps (δ + s eps), of
          variance ¼(δ² v + 2v²)
      (2) score function: f eps / s for mu, whose second moment E[f² eps²]/v is by E[eps⁴] = 3 and
          E[eps⁶] = 15, with S the sum of the other dimensions' (δ + s eps)²,
          (E[S²] + 2 E[S](δ² + 3v) + δ⁴ + 18 δ² v + 15 v²) / 4v
    (2) carries all of f, (1) only its slope: so the gap grows with the number of dimensions.
    Source: Kingma & Welling 2014, sections 2.2 and 2.4; Williams 1992.
    """
    n, z_dim = 50_000, 10
    mu, a = rng.normal(size=(2, z_dim))
    logvar = rng.uniform(-2, 1, z_dim)
    v, gap = np.exp(logvar), mu - a
    rows = np.ones((n, 1))
    sample, density = Reparameterise(), GaussianLogProb()
    z, cache = sample.forward(mu * rows, logvar * rows, rng.normal(size=(1, n, z_dim)))
    dmu, dlogvar, _ = sample.backward(cache, z - a)
    _, cache = density.forward(z, mu * rows, logvar * rows)
    loss = 0.5 * ((z - a) ** 2).sum(-1)
    _, score_mu, score_logvar = density.backward(cache, loss)

    first = gap**2 + v  # E[(δ + s eps)²], and its variance
    second = 4 * gap**2 * v + 2 * v**2
    others, spread = first.sum() - first, second.sum() - second
    moment = others**2 + spread + 2 * others * (gap**2 + 3 * v)
    score_variance = (moment + gap**4 + 18 * gap**2 * v + 15 * v**2) / (4 * v) - gap**2
    exact = np.concatenate([gap, 0.5 * v])
    variance = np.concatenate([v, 0.25 * (gap**2 * v + 2 * v**2)])
    spreads = (score_mu - gap) ** 2
    off = (score_mu.var(0).sum() + score_logvar.var(0).sum()) / variance.sum()
    return [
        estimate(
            "reparameterised gradient is unbiased", np.hstack([dmu, dlogvar]), exact,
            f"of mu and logvar, over {n} draws in {z_dim} dimensions", variance,
        ),
        estimate(
            "score-function gradient is unbiased", np.hstack([score_mu, score_logvar]), exact,
            "of mu and logvar, on the same draws",
        ),
        estimate(
            "variance of the reparameterised d/dmu", ((dmu - gap) ** 2).sum(1), v.sum(),
            "summed over the dimensions: Σ exp(logvar)",
        ),
        estimate(
            "variance of the score function's d/dmu", spreads.sum(1), score_variance.sum(),
            f"{score_variance.sum() / v.sum():.0f} times as large; {off:.0f} times with d/dlogvar",
        ),
    ]  # fmt: skip


def minibatches(rng: Rng) -> list[Claim]:
    """N/M times the sum over a random minibatch is unbiased for the sum over the data.

    Each row is in the same share M/N of all minibatches, so the mean of the minibatches' means is
    the mean over the rows. Drawn without replacement, a mean of M has the variance
    (1 - M/N) s²/M, s² being the rows' variance with N - 1. Here both are exact: N = 7, M = 3, and
    all 35 minibatches are visited.
    Source: Kingma & Welling 2014, equation 8; Cochran 1977, theorem 2.2.
    """
    n, m = 7, 3
    model = VAE(5, 2, hidden=(4,), activation="tanh", dtype="float64")
    model.flat[...] = rng.normal(0, 0.5, model.n_params)
    x, eps = rng.random((n, 5)), model.draw_noise(n, 2, rng)
    objective: Any = ELBO(n_samples=2)

    def gradient(rows: list[int]) -> Array:
        _, gradients = value_and_grad(model, objective, x[rows], eps[:, rows])
        return np.concatenate([g.ravel() for g in gradients.values()])

    whole = gradient(list(range(n)))
    batches = np.array([gradient(list(rows)) for rows in combinations(range(n), m)])
    singles = np.array([gradient([row]) for row in range(n)])
    size = np.abs(singles).max()
    operations = len(batches) + 5 + 4 + 2 + 4 + 5
    return [
        compare(
            "mean of all minibatches = the whole", batches.mean(0), whole,
            rounding(size, operations), "rounding",
            f"every entry of the gradient, over all {len(batches)} minibatches of {m} of {n} rows",
        ),
        compare(
            "variance of a minibatch = (1 - M/N) s^2/M",
            batches.var(0), (1 - m / n) * singles.var(0, ddof=1) / m,
            rounding(size**2, 2 * operations), "rounding", "every entry of the gradient",
        ),
    ]  # fmt: skip


def sample_sizes(rng: Rng) -> list[Claim]:
    """The variance of the ELBO's estimate from K samples is that of one sample, over K.

    On the linear model log p(x given z) of one draw is c - ½‖r - W s eps‖²/σ², r = x - b - W mu, a
    quadratic in eps of variance g·g + ½ ‖H‖², g = s Wᵀr/σ², H = s WᵀW s/σ².
    Source: Kingma & Welling 2014, equations 5 to 7.
    """
    model = linear_vae(rng, x_dim=7, z_dim=3, scale=0.7)
    exact = LinearGaussian.of(model)
    row, repeats = exact.sample(1, rng), 4000
    mu, logvar = (a[0] for a in model.encode(row))
    std = np.exp(0.5 * logvar)
    slope = std * (exact.W.T @ (row[0] - exact.b - exact.W @ mu)) / exact.noise
    curvature = np.outer(std, std) * (exact.W.T @ exact.W) / exact.noise
    variance = slope @ slope + 0.5 * (curvature**2).sum()
    scaled, errors, sizes = [], [], (1, 4, 16)
    for samples in sizes:
        seed = int(rng.integers(2**31))
        elbo = model.elbo(np.repeat(row, repeats, axis=0), n_samples=samples, seed=seed)
        squares = samples * (elbo - elbo.mean()) ** 2
        scaled.append(squares.mean())
        errors.append(squares.std() / np.sqrt(repeats))
    found = ", ".join(f"K={k}: {s / k:.4g}" for k, s in zip(sizes, scaled, strict=True))
    sigmas = sigmas_for(len(sizes))
    return [
        compare(
            "K Var[ELBO from K samples] = Var[ELBO from 1]",
            scaled, variance, sigmas * np.array(errors), f"{sigmas:.1f} standard errors",
            f"the variance of one is known; of {repeats} estimates each {found}",
        )
    ]  # fmt: skip


def likelihood_samplers(rng: Rng) -> list[Claim]:
    """Every registered likelihood draws x from the density that it reports.

    For x drawn at theta, in each entry of theta:
      (1) E[x] = mean(theta)
      (2) E[∂log p/∂theta] = 0, the derivative of ∫ p dx = 1
      (3) E[p(x given theta + δ) / p(x given theta)] = ∫ p(x given theta + δ) dx = 1 for any δ; it
          is taken as ½ over the score's standard deviation, where the ratio has a tame variance
    They hold only if x comes from the very density that forward gives: no gradient check can fault
    a sampler of the wrong scale, or a density whose integral changes with theta; (3) does.
    Source: Bartlett 1953, for (2).
    """
    return [_sampler_of(name, cls, rng) for name, cls in registered("likelihood").items()]


def _sampler_of(name: str, cls: Any, rng: Rng) -> Claim:
    n = 10_000
    part, (theta, _) = cls.example(rng)
    bind(part, np.zeros(n_parameters(part)), prefix="d")
    rows = theta.reshape(-1, theta.shape[-1])
    theta = np.tile(rows, (n, 1))[None]  # (1, n R, P): n draws at each of R thetas
    x = part.sample(theta, rng)[0]
    log_px, cache = part.forward(theta, x)
    scores = part.backward(cache, np.ones(log_px.shape))[0][0]
    spread = scores.reshape(n, *rows.shape).std(0)
    steps = np.tile(0.5 / np.where(spread > 0, spread, 1.0), (n, 1))[None]
    ratios = [
        np.exp(part.forward(theta + steps * entry, x)[0] - log_px)[0]
        for entry in np.eye(theta.shape[-1])
    ]
    draws = np.hstack([x - part.mean(theta)[0], scores, np.stack(ratios, axis=1) - 1])
    draws = _tame(draws.reshape(n, -1))
    if draws.size == 0:
        return Claim(
            f"{name}: sampler = density", np.nan, 0.0, 0.0, "", "its draws are all the same"
        )
    return estimate(
        f"{name}: sampler = density", draws, 0.0,
        "E[x] - mean, E[score] and E[p(x|theta + step) / p(x|theta)] - 1, all of them 0",
    )  # fmt: skip


def _tame(draws: Array) -> Array:
    """The columns whose mean is near enough to normal for its standard error to mean something.

    A coin that falls on its head once in 10,000 times has none. With a kurtosis of 100 at the most
    the skewness is below 10, and that of a mean of 10,000 draws below 0.1.
    """
    off = draws - draws.mean(0)
    second, fourth = (off**2).mean(0), (off**4).mean(0)
    varies = second > (1e-10 * np.abs(draws).max(0)) ** 2
    return draws[:, varies & (fourth <= 100 * second**2)]

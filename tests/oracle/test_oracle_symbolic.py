"""Values and derivatives against SymPy: derived by symbols, evaluated to 50 digits.

Entry by entry, where the comparisons with PyTorch and JAX go array by array.
"""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from numpy.testing import assert_allclose

import npvae as nv
from npvae import posteriors, priors
from npvae.core import bind

RTOL = 1e-12

s, x, logit, mean, log_scale, mu, logvar, eps, z, raw = sp.symbols(
    "s x logit mean log_scale mu logvar eps z raw", real=True
)

ACTIVATIONS = {
    "identity": s,
    "relu": sp.Piecewise((s, s > 0), (0, True)),
    "leaky_relu": sp.Piecewise((s, s > 0), (s / 100, True)),
    "tanh": (sp.exp(s) - sp.exp(-s)) / (sp.exp(s) + sp.exp(-s)),
    "sigmoid": 1 / (1 + sp.exp(-s)),
    "softplus": sp.log(1 + sp.exp(s)),
    "elu": sp.Piecewise((s, s > 0), (sp.exp(s) - 1, True)),
    "gelu": s * sp.erfc(-s / sp.sqrt(2)) / 2,
    "silu": s / (1 + sp.exp(-s)),
}
# Their backward works from h, which rounds to ±1: of a slope near 0 the digits are gone there.
SATURATING = ("tanh", "sigmoid", "elu")


def log_normal(at, mean, logvar):
    return -((at - mean) ** 2) / (2 * sp.exp(logvar)) - logvar / 2 - sp.log(2 * sp.pi) / 2


def kl_by_integration():
    """KL(N(mu, exp(logvar)) ‖ N(0, 1)): E[log q - log p] over z = mu + sigma t, t ~ N(0, 1)."""
    t, sigma = sp.Symbol("t", real=True), sp.Symbol("sigma", positive=True)
    at = mu + sigma * t
    log_ratio = log_normal(at, mu, sp.log(sigma**2)) - log_normal(at, 0, 0)
    integrand = sp.expand(sp.expand_log(log_ratio, force=True) * sp.exp(log_normal(t, 0, 0)))
    return sp.integrate(integrand, (t, -sp.oo, sp.oo)).subs(sigma, sp.exp(logvar / 2))


def learnt_scale():
    """The part with its scale moved, and the view of the scale's gradient."""
    part = nv.GaussianLearntScale()
    bind(part, np.array([LOG_SCALE]))
    return part, bind(part, np.zeros(1), prefix="d")["log_scale"]


MEANS, LOGVARS, LOGITS = [-1.5, 2.0], [0.25, -0.5], [0.0, 0.75]


def log_mixture(means, logvars, weights):
    triples = zip(means, logvars, weights, strict=True)
    return sp.log(sum(w * sp.exp(log_normal(z, m, v)) for m, v, w in triples))


def softmax(numbers):
    exps = [sp.exp(sp.Rational(n)) for n in numbers]
    return [e / sum(exps) for e in exps]


def mixture():
    part = nv.Mixture(2)
    part.build(1, 1)
    bind(part, np.array([*MEANS, *LOGVARS, *LOGITS]))
    bind(part, np.zeros(6), prefix="d")
    return part


ON = 1 / (1 + sp.exp(-logit))
SCALE, LOG_SCALE = 0.3, -0.75

# Parts, their output for one number per input, and these inputs in their forward's order.
FORMULAS = {
    "likelihood.bernoulli": (
        nv.Bernoulli(),
        x * sp.log(ON) + (1 - x) * sp.log(1 - ON),
        (logit, x),
    ),
    "likelihood.gaussian": (
        nv.Gaussian(SCALE),
        log_normal(x, mean, 2 * sp.log(sp.Rational(SCALE))),
        (mean, x),
    ),
    "likelihood.gaussian_learnt_scale": (
        learnt_scale()[0],
        log_normal(x, mean, 2 * sp.Rational(LOG_SCALE)),
        (mean, x),
    ),
    "posterior_step.reparameterise": (
        posteriors.Reparameterise(),
        mu + sp.exp(logvar / 2) * eps,
        (mu, logvar, eps),
    ),
    "posterior_step.gaussian_log_prob": (
        posteriors.GaussianLogProb(),
        log_normal(z, mu, logvar),
        (z, mu, logvar),
    ),
    "prior.mixture": (
        mixture(),
        log_mixture(map(sp.Rational, MEANS), map(sp.Rational, LOGVARS), softmax(LOGITS)),
        (z,),
    ),
    "prior.standard": (nv.StandardNormal(), log_normal(z, 0, 0), (z,)),
    "prior_step.gaussian_kl": (priors.GaussianKL(), kl_by_integration(), (mu, logvar)),
}
BELOW = {"prior.vamp", "prior_step.pseudo_inputs"}
"""Not entry by entry: `test_vamp_prior`, `test_pseudo_inputs_are_passed_on`."""
PER_SAMPLE = (logit, mean, eps, z)


def evaluated(expression, points):
    """The expression at each point, exact up to its rounding to a float; `points` by symbol."""
    found = []
    for point in zip(*(p.tolist() for p in points.values()), strict=True):
        exact = map(sp.Rational, point)
        found.append(float(sp.N(expression.subs(list(zip(points, exact, strict=True))), 50)))
    return np.array(found)


def draw(symbol, rng):
    """40 points, extreme ones among them."""
    if symbol is x:
        return np.clip(rng.uniform(-0.2, 1.2, 40), 0, 1)
    far = {s: 50, logit: 50, logvar: 20, raw: 25}.get(symbol, 5)
    return np.concatenate([[-far, far], rng.uniform(-far, far, 14), rng.normal(size=24)])


WITHOUT_SYMBOLS = {
    f"likelihood.{name}"
    for name in (
        "beta", "categorical", "continuous_bernoulli", "gaussian_column_scale",
        "gaussian_heteroscedastic", "laplace", "negative_binomial", "one_hot", "poisson",
        "student_t", "zero_inflated_negative_binomial",
    )
}  # fmt: skip
"""Held against 60-digit arithmetic instead: tests/oracle/test_oracle_extremes.py."""


def test_nothing_registered_lacks_its_symbols():
    families = ("likelihood", "posterior_step", "prior", "prior_step")
    assert set(ACTIVATIONS) == own_parts("activation")
    own = {f"{f}.{name}" for f in families for name in own_parts(f)}
    assert set(FORMULAS) | BELOW | WITHOUT_SYMBOLS == own


def own_parts(family):
    parts = nv.registered(family).items()
    return {name for name, cls in parts if cls.__module__.startswith("npvae.")}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    points = draw(s, np.random.default_rng(0))
    part, f = nv.registered("activation")[name](), ACTIVATIONS[name]
    h, cache = part.forward(points[:, None], np.zeros(1))
    assert_allclose(h[:, 0], evaluated(f, {s: points}), RTOL, atol=1e-300)
    slopes = evaluated(sp.diff(f, s), {s: points})
    da, db = part.backward(cache, np.ones_like(h))
    assert_allclose(da[:, 0], slopes, RTOL, atol=1e-15 if name in SATURATING else 1e-300)
    assert_allclose(db[0], slopes.sum(), RTOL)


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    part, f, symbols = FORMULAS[name]
    rng = np.random.default_rng(0)
    points = {symbol: draw(symbol, rng) for symbol in symbols}
    inputs = [p[None, :, None] if n in PER_SAMPLE else p[:, None] for n, p in points.items()]
    output, cache = part.forward(*inputs)
    assert_allclose(output.ravel(), evaluated(f, points), RTOL, atol=1e-15)
    d_inputs = part.backward(cache, np.ones_like(output))
    d_inputs = d_inputs if isinstance(d_inputs, tuple) else (d_inputs,)
    for symbol, d in zip(symbols, d_inputs, strict=True):
        if d is None:
            assert symbol is x
            continue
        slopes = evaluated(sp.diff(f, symbol), points)
        assert_allclose(d.ravel(), slopes, RTOL, atol=1e-15, err_msg=str(symbol))


def test_slope_of_the_learnt_scale():
    rng = np.random.default_rng(0)
    points = {mean: draw(mean, rng), x: draw(x, rng)}
    part, slope = learnt_scale()
    output, cache = part.forward(points[mean][None, :, None], points[x][:, None])
    part.backward(cache, np.ones_like(output))
    exact = sp.diff(log_normal(x, mean, 2 * log_scale), log_scale)
    exact = exact.subs(log_scale, sp.Rational(LOG_SCALE))
    assert_allclose(slope[0], evaluated(exact, points).sum(), RTOL)


def test_bend_of_the_log_variance():
    """c = -log(exp(-raw) + exp(-20)), logvar = log(exp(c) + exp(-20)); mu is passed on."""
    f = sp.log(1 / (sp.exp(-raw) + sp.exp(-20)) + sp.exp(-20))
    points = draw(raw, np.random.default_rng(0))
    part = nv.DiagonalGaussian()
    (mus, logvars), cache = part.forward(np.stack([points, points], axis=1))
    assert_allclose(mus[:, 0], points, rtol=0)
    assert_allclose(logvars[:, 0], evaluated(f, {raw: points}), RTOL)
    dstats = part.backward(cache, np.full_like(mus, 3.0), np.ones_like(logvars))
    assert_allclose(dstats[:, 0], 3.0, rtol=0)
    assert_allclose(dstats[:, 1], evaluated(sp.diff(f, raw), {raw: points}), RTOL)


def test_vamp_prior():
    """By z, and by each component's mean and log-variance."""
    means, logvars = sp.symbols("m0 m1", real=True), sp.symbols("v0 v1", real=True)
    f = log_mixture(means, logvars, [sp.Rational(1, 2)] * 2)
    rng = np.random.default_rng(0)
    for _ in range(10):
        values = rng.normal(0, 2, 5)
        mus, logvars_, at = values[:2, None], values[2:4, None], values[4:, None, None]
        points = {s: v[None] for s, v in zip((*means, *logvars, z), values, strict=True)}
        part = nv.VampPrior(2)
        output, cache = part.forward(at, mus, logvars_)
        assert_allclose(output[0], evaluated(f, points), RTOL)
        dz, dmu, dlogvar = part.backward(cache, np.ones((1, 1)))
        ours = [*dmu[:, 0], *dlogvar[:, 0], dz[0, 0, 0]]
        slopes = [evaluated(sp.diff(f, s), points)[0] for s in points]
        assert_allclose(ours, slopes, RTOL, atol=1e-14)


def test_pseudo_inputs_are_passed_on():
    part = priors.PseudoInputs(2, 3).allocate(np.random.default_rng(0))
    du = bind(part, np.ones(6), prefix="d")["u"]
    assert part.forward()[0] is part.u
    assert part.backward(None, np.full((2, 3), 4.0)) == ()
    assert_allclose(du, 5.0, rtol=0)

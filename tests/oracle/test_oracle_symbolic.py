"""Values and derivatives against SymPy: derived by symbols, evaluated to 50 digits.

Entry by entry, where the comparisons with PyTorch and JAX go array by array.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import sympy as sp
from numpy.testing import assert_allclose
from oracle_compare import arguments as arguments_of

import npvae as nv
from npvae import levels, posteriors, priors
from npvae.core import bind, n_parameters
from npvae.discrete.bernoulli import BernoulliCodeLogProb, BernoulliKL, BinaryConcrete
from npvae.discrete.categorical import CategoricalKL, CodeLogProb, GumbelSoftmax
from npvae.models.inference import PrecisionWeighted

RTOL = 1e-12

s, x, logit, mean, log_scale, mu, logvar, eps, z, raw = sp.symbols(
    "s x logit mean log_scale mu logvar eps z raw", real=True
)
share, count, label, tilt, log_mean, gate, log_size = sp.symbols(
    "share count label tilt log_mean gate log_size", real=True
)
classes = sp.symbols("l0 l1 l2", real=True)

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


def logistic(number):
    return 1 / (1 + sp.exp(-number))


def bend(number, bound):
    """c = -log(exp(-number) + exp(-bound)), then log(exp(c) + exp(-bound))."""
    return sp.log(1 / (sp.exp(-number) + sp.exp(-bound)) + sp.exp(-bound))


def softmax(numbers):
    exps = [sp.exp(n) for n in numbers]
    return [e / sum(exps) for e in exps]


def log_normal(at, mean, logvar):
    return -((at - mean) ** 2) / (2 * sp.exp(logvar)) - logvar / 2 - sp.log(2 * sp.pi) / 2


def log_mixture(means, logvars, weights):
    triples = zip(means, logvars, weights, strict=True)
    return sp.log(sum(w * sp.exp(log_normal(z, m, v)) for m, v, w in triples))


def kl_by_integration(prior_mu=0, prior_logvar=0):
    """E[log q - log p] over z = mu + sigma t, t ~ N(0, 1), where q = N(mu, exp(logvar))."""
    t, sigma = sp.Symbol("t", real=True), sp.Symbol("sigma", positive=True)
    at = mu + sigma * t
    log_ratio = log_normal(at, mu, sp.log(sigma**2)) - log_normal(at, prior_mu, prior_logvar)
    integrand = sp.expand(sp.expand_log(log_ratio, force=True) * sp.exp(log_normal(t, 0, 0)))
    return sp.integrate(integrand, (t, -sp.oo, sp.oo)).subs(sigma, sp.exp(logvar / 2))


def kl_of_ones(q, p):
    return q * sp.log(q / p) + (1 - q) * sp.log((1 - q) / (1 - p))


def log_bernoulli(p):
    return x * sp.log(p) + (1 - x) * sp.log(1 - p)


def log_student(log_scale, df):
    u = (x - mean) / sp.exp(log_scale)
    constant = sp.gamma((df + 1) / 2) / (sp.gamma(df / 2) * sp.sqrt(df * sp.pi))
    return sp.log(constant) - log_scale - (df + 1) / 2 * sp.log(1 + u**2 / df)


def log_poisson(log_rate):
    return count * log_rate - sp.exp(log_rate) - sp.loggamma(count + 1)


def log_negative_binomial(log_mean, log_size):
    m, d = sp.exp(log_mean), sp.exp(log_size)
    ways = sp.loggamma(count + d) - sp.loggamma(d) - sp.loggamma(count + 1)
    return ways + d * sp.log(d / (d + m)) + count * sp.log(m / (d + m))


def log_beta(m, log_whole):
    a, b = m * sp.exp(log_whole), (1 - m) * sp.exp(log_whole)
    normaliser = sp.loggamma(a) + sp.loggamma(b) - sp.loggamma(a + b)
    return (a - 1) * sp.log(share) + (b - 1) * sp.log(1 - share) - normaliser


IS_CLASS = ((1 - label) * (2 - label) / 2, label * (2 - label), label * (label - 1) / 2)
"""1 where the label is 0, 1 or 2, and else 0."""
LOG_CATEGORICAL = sum(h * sp.log(p) for h, p in zip(IS_CLASS, softmax(classes), strict=True))
CUTS = sp.symbols("c0 log_gap", real=True)
BELOW_CUTS = logistic(CUTS[0] - tilt), logistic(CUTS[0] + sp.exp(CUTS[1]) - tilt)
LOG_ORDINAL = sum(
    h * sp.log(p)
    for h, p in zip(
        IS_CLASS,
        (BELOW_CUTS[0], BELOW_CUTS[1] - BELOW_CUTS[0], 1 - BELOW_CUTS[1]),
        strict=True,
    )
)
FROM_LIBRARY = sp.log(sp.Max(count, 1) / 30)


class Formula(NamedTuple):
    """A part and its output, where rows have one column and theta one or more per column of data.

    Each of the arguments of its forward has its columns, in symbols; the same of its parameters.
    """

    part: nv.Part
    output: Any
    arguments: tuple[tuple[Any, ...], ...]
    own: dict[str, tuple[Any, ...]] = {}  # noqa: RUF012


def holding(part, *values):
    """The part, with these parameters."""
    bind(part, np.array(values))
    return part


def on_one_column(likelihood, *values):
    likelihood.declare(1)
    return holding(likelihood, *values)


def mixture(*values):
    part = nv.Mixture(2)
    part.build(1, 1)
    return holding(part, *values)


MEANS, LOGVARS, LOGITS = (sp.symbols(names, real=True) for names in ("m0 m1", "v0 v1", "w0 w1"))

FORMULAS = {
    "likelihood.bernoulli": Formula(
        nv.Bernoulli(), log_bernoulli(logistic(logit)), ((logit,), (x,))
    ),
    "likelihood.continuous_bernoulli": Formula(
        nv.ContinuousBernoulli(),
        x * logit - sp.log((sp.exp(logit) - 1) / logit),
        ((logit,), (x,)),
    ),
    "likelihood.gaussian": Formula(
        nv.Gaussian(0.3), log_normal(x, mean, 2 * sp.log(sp.Rational(0.3))), ((mean,), (x,))
    ),
    "likelihood.gaussian_learnt_scale": Formula(
        holding(nv.GaussianLearntScale(), -0.75),
        log_normal(x, mean, 2 * log_scale),
        ((mean,), (x,)),
        {"log_scale": (log_scale,)},
    ),
    "likelihood.gaussian_column_scale": Formula(
        on_one_column(nv.GaussianColumnScale(), 0.5),
        log_normal(x, mean, 2 * log_scale),
        ((mean,), (x,)),
        {"log_scale": (log_scale,)},
    ),
    "likelihood.gaussian_heteroscedastic": Formula(
        nv.GaussianHeteroscedastic(), log_normal(x, mean, 2 * bend(raw, 10)), ((mean, raw), (x,))
    ),
    "likelihood.laplace": Formula(
        on_one_column(nv.Laplace(), -0.25),
        -sp.Abs(x - mean) / sp.exp(log_scale) - sp.log(2) - log_scale,
        ((mean,), (x,)),
        {"log_scale": (log_scale,)},
    ),
    "likelihood.student_t": Formula(
        nv.StudentT(df=3.5, scale="decoder"),
        log_student(bend(raw, 10), sp.Rational(3.5)),
        ((mean, raw), (x,)),
    ),
    "likelihood.transformed": Formula(
        on_one_column(
            nv.Transformed([{"x": [-9.5, 9999.5], "y": [-9.5, 9999.5], "step": 1}], scale="column"),
            -0.25,
        ),
        sp.log(
            logistic((mean - count + sp.Rational(1, 2)) / sp.exp(log_scale))
            - logistic((mean - count - sp.Rational(1, 2)) / sp.exp(log_scale))
        ),
        ((mean,), (count,)),
        {"log_scale": (log_scale,)},
    ),
    "likelihood.poisson": Formula(
        nv.Poisson(library=30), log_poisson(log_mean + FROM_LIBRARY), ((log_mean,), (count,))
    ),
    "likelihood.negative_binomial": Formula(
        nv.NegativeBinomial("decoder", library=30),
        log_negative_binomial(log_mean + FROM_LIBRARY, bend(raw, 20)),
        ((log_mean, raw), (count,)),
    ),
    "likelihood.zero_inflated_negative_binomial": Formula(
        on_one_column(nv.ZeroInflatedNegativeBinomial(), 0.75),
        sp.log(
            logistic(gate) * sp.Piecewise((1, sp.Eq(count, 0)), (0, True))
            + logistic(-gate) * sp.exp(log_negative_binomial(log_mean, log_size))
        ),
        ((log_mean, gate), (count,)),
        {"log_dispersion": (log_size,)},
    ),
    "likelihood.beta": Formula(
        on_one_column(nv.Beta(), 1.25),
        log_beta(logistic(tilt), log_size),
        ((tilt,), (share,)),
        {"log_concentration": (log_size,)},
    ),
    "likelihood.categorical": Formula(nv.Categorical(3), LOG_CATEGORICAL, (classes, (label,))),
    "likelihood.ordinal": Formula(
        on_one_column(nv.Ordinal(3), -0.75, 0.5), LOG_ORDINAL, ((tilt,), (label,)), {"cuts": CUTS}
    ),
    "likelihood.one_hot": Formula(nv.OneHot(3), LOG_CATEGORICAL, (classes, IS_CLASS)),
    "likelihood.mixed": Formula(
        nv.Mixed([(nv.Categorical(3), (1,)), (nv.Bernoulli(), (0,))]),
        LOG_CATEGORICAL + log_bernoulli(logistic(logit)),
        ((*classes, logit), (x, label)),
    ),
    "posterior_step.reparameterise": Formula(
        posteriors.Reparameterise(), mu + sp.exp(logvar / 2) * eps, ((mu,), (logvar,), (eps,))
    ),
    "posterior_step.gaussian_log_prob": Formula(
        posteriors.GaussianLogProb(), log_normal(z, mu, logvar), ((z,), (mu,), (logvar,))
    ),
    "prior.mixture": Formula(
        mixture(-1.5, 2.0, 0.25, -0.5, 0.0, 0.75),
        log_mixture(MEANS, LOGVARS, softmax(LOGITS)),
        ((z,),),
        {"mu": MEANS, "logvar": LOGVARS, "logits": LOGITS},
    ),
    "prior.standard": Formula(nv.StandardNormal(), log_normal(z, 0, 0), ((z,),)),
    "prior.conditional": Formula(
        priors.Conditional(), log_normal(z, mu, logvar), ((z,), (mu,), (logvar,))
    ),
    "posterior_step.code_log_prob": Formula(CodeLogProb(), z * mu, ((z,), (mu,))),
    "posterior_step.bernoulli_code_log_prob": Formula(
        BernoulliCodeLogProb(), z * mu - sp.log(1 + sp.exp(mu)), ((z,), (mu,))
    ),
    "prior.uniform": Formula(nv.UniformPrior(3), -sp.log(3) * z, ((z,),)),
    "prior.bernoulli": Formula(
        nv.BernoulliPrior(0.25),
        z * sp.log(sp.Rational(1, 4)) + (1 - z) * sp.log(sp.Rational(3, 4)),
        ((z,),),
    ),
    "kl.bernoulli_bernoulli": Formula(
        BernoulliKL(np.log(1 / 3)), kl_of_ones(logistic(mu), sp.Rational(1, 4)), ((mu,),)
    ),
    "kl.gaussian_standard": Formula(levels.GaussianKL(), kl_by_integration(), ((mu,), (logvar,))),
    "kl.gaussian_conditional": Formula(
        levels.ConditionalKL(),
        kl_by_integration(mean, logit),
        ((mu,), (logvar,), (mean,), (logit,)),
    ),
}
BELOW = {
    "prior.coupling",
    "prior.flow",
    "prior.vamp",
    "prior_step.pseudo_inputs",
    "posterior_step.precision_weighted",
    "posterior_step.gumbel_softmax",
    "posterior_step.binary_concrete",
    "kl.categorical_uniform",
}
"""Not entry by entry: `test_vamp_prior`, `test_pseudo_inputs_are_passed_on`,
`test_product_of_gaussians`, `test_relaxed_codes`, `test_kl_of_classes`; of flows there is more than
an entry in each number, and PyTorch's and JAX's Jacobians are what proves them."""
BY_ROW = {x, share, count, label, mu, logvar}
"""What all samples share; the rest has a leading axis of them."""

N = 40


def evaluated(expression, points):
    """The expression at each point, exact up to its rounding to a float; `points` by symbol."""
    found = []
    for point in zip(*(p.tolist() for p in points.values()), strict=True):
        exact = map(sp.Rational, point)
        found.append(float(sp.N(expression.subs(list(zip(points, exact, strict=True))), 50)))
    return np.array(found)


def draw(symbol, rng):
    """N points, extreme ones among them."""
    if symbol is x:
        return np.clip(rng.uniform(-0.2, 1.2, N), 0, 1)
    if symbol is share:
        return rng.uniform(0.001, 0.999, N)
    if symbol is count:
        return np.append(rng.poisson(3, N - 2), [0, 1000]).astype(float)
    if symbol is label:
        return rng.integers(3, size=N).astype(float)
    far = {s: 50, logit: 50, logvar: 20, raw: 25}.get(symbol, 5)
    spread, ordinary = rng.uniform(-far, far, 14), rng.normal(size=N - 16)
    return np.concatenate([[-far, far], spread, ordinary])


def drawn(arguments, rng):
    """N points for each symbol in the columns of arguments."""
    columns = [column for argument in arguments for column in argument]
    symbols = [symbol for c in columns for symbol in sorted(c.free_symbols, key=str)]
    return {symbol: draw(symbol, rng) for symbol in dict.fromkeys(symbols)}


def array_of(columns, points):
    """(1, N, columns), or (N, columns) for what all samples share."""
    rows = np.stack([evaluated(column, points) for column in columns], axis=-1)
    return rows if set().union(*(c.free_symbols for c in columns)) <= BY_ROW else rows[None]


def own_parts(family):
    parts = nv.registered(family).items()
    return {name for name, cls in parts if cls.__module__.startswith("npvae.")}


def test_nothing_registered_lacks_its_symbols():
    families = ("kl", "likelihood", "posterior_step", "prior", "prior_step")
    assert set(ACTIVATIONS) == own_parts("activation")
    assert set(FORMULAS) | BELOW == {f"{f}.{name}" for f in families for name in own_parts(f)}


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
    part, f, arguments, own = FORMULAS[name]
    points = drawn(arguments, np.random.default_rng(0))
    inputs = [array_of(columns, points) for columns in arguments]
    for parameter, symbols in own.items():
        values = getattr(part, parameter).ravel()
        points |= {symbol: np.full(N, v) for symbol, v in zip(symbols, values, strict=True)}
    gradients = bind(part, np.zeros(n_parameters(part)), prefix="d")
    output, cache = part.forward(*inputs)
    assert_allclose(output.ravel(), evaluated(f, points), RTOL, atol=1e-15)
    d_inputs = part.backward(cache, np.ones_like(output))
    d_inputs = d_inputs if isinstance(d_inputs, tuple) else (d_inputs,)
    for argument, columns, d in zip(arguments_of(part), arguments, d_inputs, strict=True):
        assert (d is None) == (argument in part.data_inputs)
        for i, symbol in enumerate(columns if d is not None else ()):
            slopes = evaluated(sp.diff(f, symbol), points)
            assert_allclose(d[..., i].ravel(), slopes, RTOL, atol=1e-15, err_msg=str(symbol))
    for parameter, symbols in own.items():
        slopes = [evaluated(sp.diff(f, symbol), points).sum() for symbol in symbols]
        assert_allclose(gradients[parameter].ravel(), slopes, RTOL, err_msg=parameter)


def test_bend_of_the_log_variance():
    points = draw(raw, np.random.default_rng(0))
    f = bend(raw, 20)
    part = nv.DiagonalGaussian()
    (mus, logvars), cache = part.forward(np.stack([points, points], axis=1))
    assert_allclose(mus[:, 0], points, rtol=0)
    assert_allclose(logvars[:, 0], evaluated(f, {raw: points}), RTOL)
    dstats = part.backward(cache, np.full_like(mus, 3.0), np.ones_like(logvars))
    assert_allclose(dstats[:, 0], 3.0, rtol=0)
    assert_allclose(dstats[:, 1], evaluated(sp.diff(f, raw), {raw: points}), RTOL)


def test_vamp_prior():
    """By z, and by each component's mean and log-variance."""
    f = log_mixture(MEANS, LOGVARS, [sp.Rational(1, 2)] * 2)
    rng = np.random.default_rng(0)
    for _ in range(10):
        values = rng.normal(0, 2, 5)
        mus, logvars, at = values[:2, None], values[2:4, None], values[4:, None, None]
        points = {s: v[None] for s, v in zip((*MEANS, *LOGVARS, z), values, strict=True)}
        part = nv.VampPrior(2)
        output, cache = part.forward(at, mus, logvars)
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


def test_product_of_gaussians():
    """The logarithm of the product, less that of the merged density, does not depend on z."""
    prior_mu, prior_logvar = sp.symbols("prior_mu prior_logvar", real=True)
    given = (mu, logvar, prior_mu, prior_logvar)
    product = log_normal(z, mu, logvar) + log_normal(z, prior_mu, prior_logvar)
    precision = -sp.diff(product, z, 2)
    merged = sp.diff(product, z).subs(z, 0) / precision, -sp.log(precision)
    points = drawn([given], np.random.default_rng(0))
    inputs = [
        points[symbol].reshape(1, N, 1)[0 if i < 2 else ...] for i, symbol in enumerate(given)
    ]
    part = PrecisionWeighted()
    outputs, cache = part.forward(*inputs)
    for i, f in enumerate(merged):
        assert_allclose(outputs[i].ravel(), evaluated(f, points), RTOL, atol=1e-14)
        cotangents = [np.full((1, N, 1), float(i == j)) for j in range(2)]
        for symbol, d in zip(given, part.backward(cache, *cotangents), strict=True):
            slopes = evaluated(sp.diff(f, symbol), points)
            assert_allclose(d.ravel(), slopes, 1e-10, atol=1e-14, err_msg=str(symbol))


def test_relaxed_codes():
    """In symbols, with noise of u = Φ(eps): classes by their Gumbel noise, ones by the logistic."""
    u, v = sp.symbols("u v", positive=True)
    half = sp.Rational(1, 2)
    gumbel = [-sp.log(-sp.log(u)), -sp.log(-sp.log(v))]
    weights = [sp.exp((a + g) / half) for a, g in zip(classes[:2], gumbel, strict=True)]
    ones = logistic((mu + sp.log(u) - sp.log(1 - u)) / half)
    rng = np.random.default_rng(0)
    for _ in range(10):
        given, eps = rng.normal(0, 2, 2), rng.normal(size=2)
        uniform = [sp.N(sp.erfc(-sp.Rational(e) / sp.sqrt(2)) / 2, 60) for e in eps.tolist()]
        point = list(zip((*classes[:2], mu, u, v), [*given, given[0], *uniform], strict=True))
        point = [(symbol, sp.Rational(n) if isinstance(n, float) else n) for symbol, n in point]
        part = GumbelSoftmax(2, 0.5)
        out, cache = part.forward(given[None], eps[None, None])
        share = weights[0] / sum(weights)
        assert_allclose(out[0, 0, 0], float(sp.N(share.subs(point), 50)), RTOL)
        d, none = part.backward(cache, np.array([[[1.0, 0.0]]]))
        slopes = [float(sp.N(sp.diff(share, a).subs(point), 50)) for a in classes[:2]]
        assert_allclose(d[0], slopes, 1e-11, atol=1e-300)
        assert none is None
        part = BinaryConcrete(0.5)
        out, cache = part.forward(given[:1, None], eps[:1, None, None])
        assert_allclose(out.ravel(), float(sp.N(ones.subs(point), 50)), RTOL)
        d, none = part.backward(cache, np.ones((1, 1, 1)))
        slope = float(sp.N(sp.diff(ones, mu).subs(point), 50))
        assert_allclose(d.ravel(), slope, 1e-9, atol=1e-16)
        assert none is None


def test_kl_of_classes():
    """With q and p of measures: Σ q log(q/p) - q + p."""
    f = sum(sp.exp(a) * (a + sp.log(3)) - sp.exp(a) + sp.Rational(1, 3) for a in classes)
    points = {symbol: np.random.default_rng(i).normal(-1, 1, N) for i, symbol in enumerate(classes)}
    part = CategoricalKL(3)
    kl, cache = part.forward(np.stack(list(points.values()), axis=-1))
    assert_allclose(kl.ravel(), evaluated(f, points), RTOL)
    d = part.backward(cache, np.ones_like(kl))
    for i, symbol in enumerate(classes):
        assert_allclose(d[:, i], evaluated(sp.diff(f, symbol), points), RTOL, atol=1e-14)

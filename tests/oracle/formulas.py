"""One formula per registered part, in SymPy's symbols."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import sympy as sp

import npvae as nv
from npvae import levels, posteriors, priors
from npvae.core import bind
from npvae.discrete.bernoulli import BernoulliCodeLogProb, BernoulliKL
from npvae.discrete.categorical import CodeLogProb

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

"""Values and derivatives against SymPy: derived by symbols, evaluated to 50 digits.

Entry by entry, where the comparisons with PyTorch and JAX go array by array.
"""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from formulas import (
    ACTIVATIONS,
    BELOW,
    BY_ROW,
    FORMULAS,
    LOGVARS,
    MEANS,
    SATURATING,
    bend,
    classes,
    count,
    label,
    log_mixture,
    log_normal,
    logistic,
    logit,
    logvar,
    mu,
    raw,
    s,
    share,
    x,
    z,
)
from numpy.testing import assert_allclose
from oracle_compare import arguments as arguments_of

import npvae as nv
from npvae import priors
from npvae.core import bind, n_parameters
from npvae.discrete.bernoulli import BinaryConcrete
from npvae.discrete.categorical import CategoricalKL, GumbelSoftmax
from npvae.models.inference import PrecisionWeighted

RTOL = 1e-12

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
    own = {f"{f}.{name}" for f in families for name in own_parts(f)}
    assert set(FORMULAS) | BELOW == own, "give the new part an entry in formulas.py"


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

"""The mathematics of a VAE in JAX's own primitives; JAX differentiates.

Nothing here is taken from npvae's formulas, nor from `torch_witness.py`, which has the same names,
where there is another way to say the same.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn
from jax.scipy import stats
from jax.scipy.special import gammaln, logsumexp
from jax.scipy.stats import norm

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)  # compiling is what takes the time

array = jnp.asarray
vjp = jax.vjp


def vjp_at_once(function, arrays):
    """`vjp` in two compilations, and not in one for each operation: for shapes that come once."""

    def pulled(arrays, cotangents):
        return jax.vjp(function, arrays)[1](cotangents)

    return jax.jit(function)(arrays), lambda cotangents: jax.jit(pulled)(arrays, cotangents)


exp = jnp.exp
log = jnp.log
stack = jnp.stack
log1p = jnp.log1p
LAST = ("NHWC", "HWIO", "NHWC")

ACTIVATIONS = {
    "identity": lambda s: s,
    "relu": nn.relu,
    "leaky_relu": nn.leaky_relu,
    "tanh": jnp.tanh,
    "sigmoid": nn.sigmoid,
    "softplus": nn.softplus,
    "elu": nn.elu,
    "gelu": lambda s: nn.gelu(s, approximate=False),
    "silu": nn.silu,
}


def affine(x, W, b):
    return jnp.einsum("...i,oi->...o", x, W) + b


def conv2d(x, W, part):
    """Images and weights with their channels last, as the part's window goes over them."""
    return lax.conv_general_dilated(
        x, W.transpose(1, 2, 3, 0), part.stride, [(p, p) for p in part.padding],
        rhs_dilation=part.dilation, feature_group_count=part.groups, dimension_numbers=LAST,
    )  # fmt: skip


def conv_transpose2d(x, W, part):
    """As a convolution of the input with zeros put between its lines, by the turned weight."""
    n_in, kh, kw, n_out = W.shape
    turned = W[:, ::-1, ::-1].reshape(part.groups, n_in // part.groups, kh, kw, n_out)
    turned = turned.transpose(2, 3, 1, 0, 4).reshape(kh, kw, n_in // part.groups, -1)
    edges = [
        (d * (t - 1) - p, d * (t - 1) - p + o)
        for t, d, p, o in zip(
            part.kernel, part.dilation, part.padding, part.output_padding, strict=True
        )
    ]
    return lax.conv_general_dilated(
        x, turned, (1, 1), edges, lhs_dilation=part.stride, rhs_dilation=part.dilation,
        feature_group_count=part.groups, dimension_numbers=LAST,
    )  # fmt: skip


def average_pool2d(x, part):
    window = (1, *part.kernel, 1), (1, *part.stride, 1)
    return lax.reduce_window(x, 0.0, lax.add, *window, "VALID") / np.prod(part.kernel)


def max_pool2d(x, part):
    window = (1, *part.kernel, 1), (1, *part.stride, 1)
    return lax.reduce_window(x, -np.inf, lax.max, *window, "VALID")


def upsample2d(x, part):
    shape = len(x), *part.out_shape
    return jax.image.resize(x, shape, "nearest" if part.how == "nearest" else "linear")


def standardised(x, axes, eps):
    return nn.standardize(x, axes, epsilon=eps)


def join(a, context):
    repeated = jnp.broadcast_to(context, (*a.shape[:-1], context.shape[-1]))
    return jnp.concatenate([a, repeated], -1)


def heads(outputs):
    """mu, and the log-variance bent into (-20, 20)."""
    mu, raw = jnp.split(outputs, 2, -1)
    return mu, bounded(raw, 20)


def bounded(raw, bound):
    bound = jnp.full_like(raw, -bound)
    capped = -logsumexp(jnp.stack([-raw, bound]), 0)
    return logsumexp(jnp.stack([capped, bound]), 0)


def reparameterise(mu, logvar, eps):
    return mu + jnp.sqrt(jnp.exp(logvar)) * eps


def gaussian_log_prob(z, mu, logvar):
    return norm.logpdf(z, mu, jnp.sqrt(jnp.exp(logvar))).sum(-1)


def standard_log_prob(z):
    return norm.logpdf(z).sum(-1)


def mixture_log_prob(z, mu, logvar, logits):
    log_n = gaussian_log_prob(z[..., None, :], mu, logvar)
    return logsumexp(log_n, -1, b=nn.softmax(logits))


def gaussian_kl(mu, logvar):
    return gaussian_kl_between(mu, logvar, 0.0, 0.0)


def gaussian_kl_between(mu, logvar, prior_mu, prior_logvar):
    """E_q[log q - log p] by Gauss-Hermite quadrature: exact, since the bracket is quadratic."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    std, prior_std = jnp.sqrt(jnp.exp(logvar)), jnp.sqrt(jnp.exp(prior_logvar))
    z = mu + std * nodes.reshape(-1, 1, 1, 1)
    log_ratio = norm.logpdf(z, mu, std) - norm.logpdf(z, prior_mu, prior_std)
    return jnp.einsum("n,n...->...", weights / weights.sum(), log_ratio)


def by_class(a, classes):
    return a.reshape(*a.shape[:-1], -1, classes)


def class_log_probs(logits, classes):
    return nn.log_softmax(by_class(logits, classes)).reshape(logits.shape)


def gumbel_softmax(log_q, eps, classes, temperature):
    """By products: q^(1/τ) over E^(1/τ), E = -log Φ(eps) exponentially distributed."""
    e = by_class(-norm.logcdf(eps), classes) ** (1 / temperature)
    powers = nn.softmax(by_class(log_q / temperature, classes)) / e
    return (powers / powers.sum(-1, keepdims=True)).reshape(eps.shape)


def binary_concrete(logits, eps, temperature):
    noise = norm.logcdf(eps) - norm.logcdf(-eps)
    return nn.sigmoid((logits + noise) / temperature)


def bernoulli_log_prob(z, logits):
    """Of z between 0 and 1 too."""
    return (z * nn.log_sigmoid(logits) + (1 - z) * nn.log_sigmoid(-logits)).sum(-1)


def categorical_kl(log_q, classes):
    """KL of a measure that need not add up to 1: Σ q log(q/p) - q + p."""
    q = by_class(jnp.exp(log_q), classes)
    return (q * (by_class(log_q, classes) + np.log(classes)) - q + 1 / classes).sum(-1)[None]


def bernoulli_kl(logits, p):
    ones, zeros = nn.log_sigmoid(logits), nn.log_sigmoid(-logits)
    return (jnp.exp(ones) * (ones - np.log(p)) + jnp.exp(zeros) * (zeros - np.log1p(-p)))[None]


def planar(z, w, u, b):
    """Along û, which is u with its part along w bounded."""
    s = jnp.dot(w, u)
    u = u + (nn.softplus(s) - 1 - s) * w / jnp.dot(w, w)
    return flow(lambda z: z + u * jnp.tanh(jnp.dot(w, z) + b[0]), z)


def flow(move, z, *given):
    """Every row of z moved, and minus the log-determinant of that map's Jacobian."""
    lead = z.shape[:-1]
    rows = [jnp.broadcast_to(a, (*lead, a.shape[-1])).reshape(-1, a.shape[-1]) for a in (z, *given)]
    change = -jnp.linalg.slogdet(jax.vmap(jax.jacfwd(move))(*rows))[1]
    return jax.vmap(move)(*rows).reshape(z.shape), change.reshape(lead)


def bernoulli(logits, x):
    return jnp.sum(x * nn.log_sigmoid(logits) + (1 - x) * nn.log_sigmoid(-logits), -1)


def gaussian(mean, x, scale):
    return norm.logpdf(x, mean, scale).sum(-1)


def continuous_bernoulli(logits, x):
    """exp(x l) over its integral, by Gauss-Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(30)
    curve = jnp.exp(logits[..., None] * (nodes + 1) / 2)
    return jnp.sum(x * logits - jnp.log(curve @ (weights / 2)), -1)


def laplace(median, x, scale):
    return stats.laplace.logpdf(x, median, scale).sum(-1)


def student_t(mean, x, scale, df):
    return stats.t.logpdf(x, df, mean, scale).sum(-1)


def logistic(location, x, scale):
    return stats.logistic.logpdf(x, location, scale).sum(-1)


def logistic_cells(location, low, high, scale):
    """log(σ(b) - σ(a)) = log σ(b) + log σ(-a) + log(1 - exp(a - b))."""
    a, b = (low - location) / scale, (high - location) / scale
    inside = jnp.log(-jnp.expm1((low - high) / scale))
    return (nn.log_sigmoid(b) + nn.log_sigmoid(-a) + inside).sum(-1)


def poisson(log_rate, x):
    return stats.poisson.logpmf(x, jnp.exp(log_rate)).sum(-1)


def with_library(log_mean, x, library):
    return log_mean + jnp.log(x.sum(-1, keepdims=True) / library)


def negative_binomial_entries(log_mean, x, log_dispersion):
    return stats.nbinom.logpmf(x, jnp.exp(log_dispersion), nn.sigmoid(log_dispersion - log_mean))


def negative_binomial(log_mean, x, log_dispersion):
    return negative_binomial_entries(log_mean, x, log_dispersion).sum(-1)


def zero_inflated(log_mean, gate, x, log_dispersion):
    """A sum of two causes in logarithms, of which the first has no share where x > 0."""
    counted = negative_binomial_entries(log_mean, x, log_dispersion) + nn.log_sigmoid(-gate)
    causes = jnp.stack([jnp.broadcast_to(nn.log_sigmoid(gate), counted.shape), counted])
    weights = jnp.stack([x == 0, jnp.ones_like(x)])[:, None]
    return logsumexp(causes, 0, b=jnp.broadcast_to(weights, causes.shape)).sum(-1)


def beta(logits, x, log_concentration):
    """Not by jax.scipy.stats.beta, whose log B(a, b) is off by 1e-7 for a small a."""
    whole = jnp.exp(log_concentration)
    a, b = whole * nn.sigmoid(logits), whole * nn.sigmoid(-logits)
    log_kernel = (a - 1) * jnp.log(x) + (b - 1) * jnp.log(1 - x)
    return jnp.sum(log_kernel + gammaln(whole) - gammaln(a) - gammaln(b), -1)


def is_class(labels, n):
    return labels[:, None] == jnp.arange(n)


def categorical(logits, one_hot):
    return jnp.sum(one_hot * (logits - logsumexp(logits, -1, keepdims=True)), -1)


def ordinal(eta, first, gaps, one_hot):
    """The logistic distribution's mass between the cutpoints around a class."""
    far = jnp.array([jnp.inf])
    cuts = jnp.concatenate([-far, jnp.cumsum(jnp.concatenate([first, gaps])), far])
    below = nn.sigmoid(cuts - eta[..., None])
    return jnp.log((one_hot * (below[..., 1:] - below[..., :-1])).sum(-1))


def elbo_loss(terms, beta=1.0, free_bits=0.0):
    per_dimension = terms["kl"].mean((0, 1))
    return -terms["log_px"].mean() + beta * jnp.maximum(per_dimension, free_bits).sum()


def sampled_elbo_loss(terms, beta):
    return (beta * (terms["log_qz"] - terms["log_pz"]) - terms["log_px"]).mean()


def iwae_loss(terms):
    return -log_mean_exp(terms["log_px"] + terms["log_pz"] - terms["log_qz"]).mean()


def log_mean_exp(log_w):
    """Over the samples, the first axis."""
    return logsumexp(log_w, 0, b=1 / len(log_w))


def largest(log_w):
    """Of the samples, the first axis."""
    return log_w.max(0)

"""The mathematics of a VAE in PyTorch's own primitives and distributions; autograd differentiates.

Nothing here is taken from npvae's formulas. `jax_witness.py` has the same names.
"""

from __future__ import annotations

import math

import torch
from torch.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    ContinuousBernoulli,
    Independent,
    Laplace,
    MixtureSameFamily,
    NegativeBinomial,
    Normal,
    Poisson,
    StudentT,
    kl_divergence,
)
from torch.nn import functional

torch.set_num_threads(1)  # the processes that share the tests have the cores

array = torch.tensor
vjp = torch.func.vjp
exp = torch.exp
log = torch.log
stack = torch.stack
log1p = torch.log1p

ACTIVATIONS = {
    "identity": lambda s: s,
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": lambda s: functional.softplus(
        s, threshold=100
    ),  # above it torch would return s itself
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}


def affine(x, W, b):
    return functional.linear(x, W, b)


def conv2d(x, W, part):
    """Images and weights with their channels last, as the part's window goes over them."""
    window = part.stride, part.padding, part.dilation, part.groups
    x, W = x.permute(0, 3, 1, 2), W.permute(0, 3, 1, 2)
    return functional.conv2d(x, W, None, *window).permute(0, 2, 3, 1)


def conv_transpose2d(x, W, part):
    window = part.stride, part.padding, part.output_padding, part.groups, part.dilation
    x, W = x.permute(0, 3, 1, 2), W.permute(0, 3, 1, 2)
    return functional.conv_transpose2d(x, W, None, *window).permute(0, 2, 3, 1)


def average_pool2d(x, part):
    y = functional.avg_pool2d(x.permute(0, 3, 1, 2), part.kernel, part.stride)
    return y.permute(0, 2, 3, 1)


def max_pool2d(x, part):
    y = functional.max_pool2d(x.permute(0, 3, 1, 2), part.kernel, part.stride)
    return y.permute(0, 2, 3, 1)


def upsample2d(x, part):
    aligned = None if part.how == "nearest" else False
    y = functional.interpolate(
        x.permute(0, 3, 1, 2), scale_factor=part.factor, mode=part.how, align_corners=aligned
    )
    return y.permute(0, 2, 3, 1)


def standardised(x, axes, eps):
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + eps)


def join(a, context):
    return torch.cat([a, context.expand(*a.shape[:-1], -1)], -1)


def heads(stats):
    """mu, and the log-variance bent into (-20, 20)."""
    mu, raw = stats.chunk(2, -1)
    return mu, bounded(raw, 20.0)


def bounded(raw, bound):
    bound = torch.tensor(-bound, dtype=raw.dtype)
    return torch.logaddexp(-torch.logaddexp(-raw, bound), bound)


def posterior(mu, logvar):
    return Normal(mu, logvar.exp().sqrt())


def standard_normal(like):
    return Normal(torch.zeros_like(like), 1)


def reparameterise(mu, logvar, eps):
    return mu + logvar.exp().sqrt() * eps


def gaussian_log_prob(z, mu, logvar):
    return posterior(mu, logvar).log_prob(z).sum(-1)


def standard_log_prob(z):
    return standard_normal(z).log_prob(z).sum(-1)


def mixture_log_prob(z, mu, logvar, logits):
    components = Independent(posterior(mu, logvar), 1)
    return MixtureSameFamily(Categorical(logits=logits), components).log_prob(z)


def gaussian_kl(mu, logvar):
    return kl_divergence(posterior(mu, logvar), standard_normal(mu))[None]


def gaussian_kl_between(mu, logvar, prior_mu, prior_logvar):
    kl = kl_divergence(posterior(mu, logvar), posterior(prior_mu, prior_logvar))
    return kl if kl.ndim == 3 else kl[None]


def by_class(a, classes):
    return a.reshape(*a.shape[:-1], -1, classes)


def class_log_probs(logits, classes):
    return functional.log_softmax(by_class(logits, classes), -1).reshape(logits.shape)


def gumbel_softmax(log_q, eps, classes, temperature):
    noise = -torch.log(-torch.special.log_ndtr(eps))
    return functional.softmax(by_class((log_q + noise) / temperature, classes), -1).reshape(
        eps.shape
    )


def binary_concrete(logits, eps, temperature):
    noise = torch.special.log_ndtr(eps) - torch.special.log_ndtr(-eps)
    return torch.sigmoid((logits + noise) / temperature)


def bernoulli_log_prob(z, logits):
    """Of z between 0 and 1 too."""
    return -functional.binary_cross_entropy_with_logits(
        logits.expand(z.shape), z, reduction="none"
    ).sum(-1)


def categorical_kl(log_q, classes):
    """KL of a measure that need not add up to 1: Σ q log(q/p) - q + p."""
    q, p = by_class(torch.exp(log_q), classes), 1 / classes
    return (q * torch.log(q / p) - q + p).sum(-1)[None]


def bernoulli_kl(logits, p):
    q, prior = Bernoulli(logits=logits), Bernoulli(torch.full_like(logits, p))
    return kl_divergence(q, prior)[None]


def planar(z, w, u, b):
    """Along û, which is u with its part along w bounded."""
    s = w @ u
    u = u + (functional.softplus(s) - 1 - s) * w / (w @ w)
    return flow(lambda z: z + u * torch.tanh(w @ z + b[0]), z)


def flow(move, z, *given):
    """Every row of z moved, and minus the log-determinant of that map's Jacobian."""
    rows = [a.expand(*z.shape[:-1], -1).reshape(-1, a.shape[-1]) for a in (z, *given)]
    jacobians = torch.func.vmap(torch.func.jacrev(move))(*rows)
    change = -torch.linalg.slogdet(jacobians)[1].reshape(z.shape[:-1])
    return torch.func.vmap(move)(*rows).reshape(z.shape), change


def bernoulli(logits, x):
    x = x.expand_as(logits)
    return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def gaussian(mean, x, scale):
    return Normal(mean, scale).log_prob(x).sum(-1)


def continuous_bernoulli(logits, x):
    return ContinuousBernoulli(logits=logits).log_prob(x).sum(-1)


def laplace(median, x, scale):
    return Laplace(median, scale).log_prob(x).sum(-1)


def student_t(mean, x, scale, df):
    return StudentT(df, mean, scale).log_prob(x).sum(-1)


def logistic(location, x, scale):
    a = (x - location) / scale
    return (functional.logsigmoid(a) + functional.logsigmoid(-a) - scale.log()).sum(-1)


def logistic_cells(location, low, high, scale):
    """log(σ(b) - σ(a)) = log σ(b) + log σ(-a) + log(1 - exp(a - b))."""
    a, b = (low - location) / scale, (high - location) / scale
    inside = torch.log(-torch.expm1((low - high) / scale))
    return (functional.logsigmoid(b) + functional.logsigmoid(-a) + inside).sum(-1)


def poisson(log_rate, x):
    return Poisson(log_rate.exp()).log_prob(x).sum(-1)


def with_library(log_mean, x, library):
    return log_mean + torch.log(x.sum(-1, keepdim=True) / library)


def negative_binomial_entries(log_mean, x, log_dispersion):
    return NegativeBinomial(log_dispersion.exp(), logits=log_mean - log_dispersion).log_prob(x)


def negative_binomial(log_mean, x, log_dispersion):
    return negative_binomial_entries(log_mean, x, log_dispersion).sum(-1)


def zero_inflated(log_mean, gate, x, log_dispersion):
    counted = negative_binomial_entries(log_mean, x, log_dispersion) + functional.logsigmoid(-gate)
    zero = torch.logaddexp(counted, functional.logsigmoid(gate))
    return torch.where(x > 0, counted, zero).sum(-1)


def beta(logits, x, log_concentration):
    whole = log_concentration.exp()
    return Beta(whole * logits.sigmoid(), whole * (-logits).sigmoid()).log_prob(x).sum(-1)


def is_class(labels, n):
    return functional.one_hot(labels.long(), n).double()


def categorical(logits, one_hot):
    return (one_hot * functional.log_softmax(logits, -1)).sum(-1)


def ordinal(eta, first, gaps, one_hot):
    """The logistic distribution's mass between the cutpoints around a class."""
    far = torch.full((1,), math.inf, dtype=eta.dtype)
    cuts = torch.cat([-far, torch.cumsum(torch.cat([first, gaps]), 0), far])
    below = torch.sigmoid(cuts - eta[..., None])
    return torch.log((one_hot * (below[..., 1:] - below[..., :-1])).sum(-1))


def elbo_loss(terms, beta=1.0, free_bits=0.0):
    per_dimension = terms["kl"].mean((0, 1))
    return -terms["log_px"].mean() + beta * per_dimension.clamp(min=free_bits).sum()


def sampled_elbo_loss(terms, beta):
    return (beta * (terms["log_qz"] - terms["log_pz"]) - terms["log_px"]).mean()


def iwae_loss(terms):
    return -log_mean_exp(terms["log_px"] + terms["log_pz"] - terms["log_qz"]).mean()


def log_mean_exp(log_w):
    """Over the samples, the first axis."""
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def largest(log_w):
    """Of the samples, the first axis."""
    return log_w.amax(0)

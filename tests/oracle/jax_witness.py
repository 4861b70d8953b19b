"""The mathematics of a VAE in JAX's own primitives; JAX differentiates.

Nothing here is taken from npvae's formulas, nor from `torch_witness.py`, which has the same names,
where there is another way to say the same.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import nn
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)  # compiling is what takes the time

array = jnp.asarray
vjp = jax.vjp
exp = jnp.exp

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


def join(a, context):
    repeated = jnp.broadcast_to(context, (*a.shape[:-1], context.shape[-1]))
    return jnp.concatenate([a, repeated], -1)


def heads(stats):
    """mu, and the log-variance bent into (-20, 20)."""
    mu, raw = jnp.split(stats, 2, -1)
    bound = jnp.full_like(raw, -20)
    capped = -logsumexp(jnp.stack([-raw, bound]), 0)
    return mu, logsumexp(jnp.stack([capped, bound]), 0)


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
    """E_q[log q - log p] by Gauss-Hermite quadrature: exact, since the bracket is quadratic."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    std = jnp.sqrt(jnp.exp(logvar))
    z = mu + std * nodes[:, None, None]
    log_ratio = norm.logpdf(z, mu, std) - norm.logpdf(z)
    return jnp.einsum("n,n...->...", weights / weights.sum(), log_ratio)[None]


def bernoulli(logits, x):
    return jnp.sum(x * nn.log_sigmoid(logits) + (1 - x) * nn.log_sigmoid(-logits), -1)


def gaussian(mean, x, scale):
    return norm.logpdf(x, mean, scale).sum(-1)


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

"""What z says of x: rate and distortion, the KL by dimension, and its two parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels as k
from ..core.checks import whole
from ..core.errors import ConfigError
from ..core.numerics import logsumexp
from ..core.public import public
from ..models import Model
from .refine import gaussian_level

Array = np.ndarray

_BLOCK = 1 << 21
"""Numbers in the largest array: pairs of rows times latent dimensions."""


@public
def rate_distortion(
    model: Model, x: Any, n_samples: int = 1, seed: int = 0, context: Any = None
) -> tuple[float, float]:
    """The rate, mean KL(q(z given x) ‖ p(z)), and the distortion, mean -E_q[log p(x given z)].

    In nats per example; their sum is -ELBO. The rate is at least the mutual information of x and z
    under q.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    n_samples : int
        Draws of z per row.
    seed : int
        Of the draws.
    context : (N, C) array, or labels, optional

    Returns
    -------
    rate, distortion : float

    Source: Alemi et al. 2018, section 2.
    """
    log_px, kl = model.elbo_terms(x, n_samples, seed, context)
    return float(kl.mean()), float(-log_px.mean())


@public
def kl_by_dimension(model: Model, x: Any, seed: int = 0, context: Any = None) -> list[Array]:
    """The mean KL of each latent dimension, in nats: for each level an array (Z,), that next to x
    first.

    Where posterior and prior of a level have no closed form together, only its whole KL is known,
    by one draw for each row: then its array is (1,).

    Parameters
    ----------
    model : Model
    x : (N, D) array
    seed : int
        Of the draws.
    context : (N, C) array, or labels, optional

    Returns
    -------
    list of (Z,) arrays
    """
    rng = np.random.default_rng(whole("seed", seed, least=0))
    sums: list[Any] = [0.0] * len(model.levels)
    n = 0
    for xb, cb in model.batches(x, context):
        terms, _ = model.forward(xb, model.draw_noise(len(xb), 1, rng), cb, needs=("kl",))
        for i, level in enumerate(terms.levels):
            kl = level.kl
            kl = (level.log_qz - level.log_pz)[..., None] if kl is None else kl
            sums[i] = sums[i] + kl.mean(0, dtype=np.float64).sum(0)
        n += len(xb)
    return [total / n for total in sums]


@public
def information(
    model: Model, x: Any, seed: int = 0, context: Any = None, n_samples: int = 1
) -> dict[str, float]:
    """The mean KL(q(z given x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)), and its two parts, in nats.

    I(x; z) is the mean of log q(z given x) - log q(z), with z drawn of each row's posterior and
    q(z) = 1/N Σ_j q(z given x_j) over the N rows.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    seed : int
        Of the draws.
    context : (N, C) array, or labels, optional
    n_samples : int
        Draws of z per row.

    Returns
    -------
    dict
        ``kl``; ``mutual_information``, which for the rows' whole population is too low (it can't be
        above log N); ``mutual_information_at_most``, the same with q(z) made of the other rows
        alone, which is too high; ``log_n``; and ``marginal_kl`` = kl - mutual_information, which is
        as much too high. The truth of the population is between the two in expectation: where they
        are far apart, more rows are needed.

    Raises
    ------
    ConfigError
        If the model has several levels, another posterior than the Gaussian, or a prior that
        depends on a context.

    Source: Hoffman & Johnson 2016, equation 5; the bounds: Poole et al. 2019, section 2.3.
    """
    if gaussian_level(model, "the KL is told apart").prior.of_context:
        raise ConfigError(
            "the KL is told apart against one prior p(z); this model's prior is made of each row's "
            "context."
        )
    n_samples = whole("n_samples", n_samples)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    kl = float(model.elbo_terms(x, 1, seed, context)[1].mean())
    mu, logvar = (a.astype(np.float64) for a in model.encode(x, context))
    low, high = np.mean([_bounds(mu, logvar, rng) for _ in range(n_samples)], axis=0)
    return {
        "kl": kl,
        "mutual_information": float(low),
        "mutual_information_at_most": float(high),
        "log_n": math.log(len(mu)),
        "marginal_kl": kl - float(low),
    }


def _bounds(mu: Array, logvar: Array, rng: np.random.Generator) -> Array:
    """The mean of log q(z given x) - log q(z), with the row itself in q(z) and without, (2,)."""
    n, z_dim = mu.shape
    z = mu + np.exp(0.5 * logvar) * rng.standard_normal(mu.shape)
    block, found = max(1, _BLOCK // (n * z_dim)), np.zeros(2)
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        pairs = k.gaussian_log_prob(z[rows, None], mu, logvar)  # of each z, under each row's q
        own = np.diagonal(pairs, offset=start).copy()
        found[0] += (own - logsumexp(pairs, axis=1) + math.log(n)).sum()
        pairs[np.arange(len(own)), np.arange(start, start + len(own))] = -np.inf
        others = logsumexp(pairs, axis=1) - math.log(max(n - 1, 1))
        found[1] += (own - others).sum()
    return found / n

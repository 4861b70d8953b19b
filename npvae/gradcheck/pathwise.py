"""Identities of the objectives whose gradient is not the derivative of their loss.

They leave a term of mean 0 out of the encoder's gradient, so that no finite difference can prove
them: what is proven is that the mean is the derivative's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Terms
from ..models import VAE
from ..objectives import ELBO, IWAE, STL, DReG
from .claim import Claim, compare, estimate, rounding
from .linear_gaussian import cubature, encode_posterior, linear_vae

Array = np.ndarray
Rng = np.random.Generator


def row_gradients(model: VAE, objective: Any, x: Array, eps: Array) -> Array:
    """The gradient of each row's own loss by the encoder's output, (B, 2Z)."""
    twin = model.with_gradients(np.zeros_like(model.flat))
    stats, _ = twin.encoder.forward(x)
    level = twin.levels[0]
    (z, terms), c_level = level.forward(stats, eps, objective.needs)
    theta, c_decoder = twin.decoder.forward(z)
    log_px, c_likelihood = twin.likelihood.forward(theta, x)
    d_terms = objective(Terms(log_px, [terms]))[1]
    dtheta, _ = twin.likelihood.backward(c_likelihood, d_terms.log_px)
    dz = twin.decoder.backward(c_decoder, dtheta)
    return len(x) * level.backward(c_level, dz, d_terms.levels[0])[0]


def sticking_the_landing(rng: Rng) -> list[Claim]:
    """STL's gradient has the ELBO's mean, and is 0 for every sample where q is the posterior.

    On the linear model the encoder's gradient of one sample is a quadratic in eps, so that its mean
    over the noise of `cubature` is exact.
    Source: Roeder, Wu & Duvenaud 2017, section 3.
    """
    model = linear_vae(rng, x_dim=6, z_dim=3, scale=0.8)
    x, eps = rng.normal(size=(4, 6)), cubature(4, 3)
    ours, wanted = (row_gradients(model, o, x, eps) for o in (STL(len(eps)), ELBO(1.0, len(eps))))
    exact = linear_vae(rng, x_dim=6, z_dim=3, scale=0.8, axes=True)
    encode_posterior(exact)
    noise = rng.normal(size=(5, 4, 3))
    landed = row_gradients(exact, STL(5), x, noise)
    scored = row_gradients(exact, ELBO(1.0, 5), x, noise)
    size = np.abs(wanted).max()
    return [
        compare(
            "STL's gradient = ELBO's, in the mean", ours, wanted,
            rounding(size, 40 * len(eps)), "rounding", "of 4 rows, by mu and logvar, exact",
        ),
        compare(
            "STL's gradient = 0 at the posterior", landed, 0.0,
            1e-7 * np.abs(scored).max(), "the bend of logvar",
            f"for every sample; the ELBO's has entries up to {np.abs(scored).max():.2g} there",
        ),
    ]  # fmt: skip


def doubly_reparameterised(rng: Rng) -> list[Claim]:
    """DReG's gradient has IWAE's mean, by the same noise: the mean of the differences is 0.

    Source: Tucker, Lawson, Gu & Maddison 2019, equation 8.
    """
    n, samples = 100_000, 4
    model = linear_vae(rng, x_dim=4, z_dim=2, scale=1.0)
    x = np.repeat(rng.normal(size=(1, 4)), n, axis=0)
    eps = rng.normal(size=(samples, n, 2))
    ours, iwae = (row_gradients(model, o(samples), x, eps) for o in (DReG, IWAE))
    noise = iwae.var(0).sum() / ours.var(0).sum()
    return [
        estimate(
            "DReG's gradient = IWAE's, in the mean", ours - iwae, 0.0,
            f"over {n} draws of K = {samples}; IWAE's has {noise:.1f} times the variance",
        )
    ]  # fmt: skip

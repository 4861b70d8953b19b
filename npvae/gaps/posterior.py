"""Samples from p(z given x known): weighted ones, and Metropolis steps where those do not do.

**Importance sampling.** z_k ~ q(z given x known) has the weight w_k ∝ p(x known given z_k) p(z_k) /
q(z_k given x known), and with W_k = w_k / Σ w (Mattei & Frellsen 2019, equation 10)

    E[f(x missing) given x known] ≈ Σ_k W_k E[f(x missing) given z_k].

How many samples from p(z given x known) itself that is worth is about 1 / Σ W_k² (Kish 1965).

**Metropolis steps.** z is a function of the noise e that `forward` takes, on all latent levels and
through all flows; e is standard normal where z ~ q. So p(z given x known) is the distribution of e
with density ∝ w(e) N(e; 0, I). One step in `WALKS` + 1 proposes a fresh e', which is the proposal
of Mattei & Frellsen 2018 with x missing summed out, and is accepted with probability
min(1, w(e') / w(e)). The others propose e' = e + b ξ, ξ ~ N(0, I), with b of several lengths, and
get on where q is far off; there the densities N(e'; 0, I) / N(e; 0, I) are part of the ratio. At
the end x missing is drawn from p(x given z), which is the exact Gibbs step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core.trees import leaves

Array = np.ndarray
Context = Array | None

AT_ONCE = 50
"""Samples of a row that are taken together; their noise does not depend on the number of rows."""
STEPS = 120
WALKS = (4.0, 2.0, 1.0, 0.5)
"""The lengths b of the steps that walk, divided by √(number of latent dimensions)."""
NEEDS = ("log_px", "log_pz", "log_qz", "z", "theta")


class Samples(NamedTuple):
    """K weighted samples for each of B rows.

    Attributes
    ----------
    z : (K, B, Z) array, of the level next to x
    theta : (K, B, ·) array, what x is given z by
    eps : list of (K, 1, Z) arrays, the noise of each level, which all rows share
    log_w : (K, B) array
    weights : (K, B) array, which add up to 1 for each row
    """

    z: Array
    theta: Array
    eps: list[Array]
    log_w: Array
    weights: Array

    @property
    def effective(self) -> Array:
        """The effective sample size of each row, (B,): from 1 to K."""
        return 1 / np.square(self.weights).sum(0)


def weighted_samples(
    model: Any, x: Array, context: Context, n_samples: int, rng: np.random.Generator
) -> Samples:
    """Importance samples of p(z given x known), of rows (B, D) as `Model.batches` gives them."""
    noise, zs, thetas, log_ws = [], [], [], []
    for start in range(0, n_samples, AT_ONCE):
        eps = leaves(model.draw_noise(1, min(AT_ONCE, n_samples - start), rng))
        z, theta, log_w = _run(model, x, context, [np.repeat(e, len(x), axis=1) for e in eps])
        noise.append(eps)
        zs.append(z)
        thetas.append(model.theta(z, context) if theta is None else theta)
        log_ws.append(log_w)
    log_w = np.concatenate(log_ws)
    eps = [np.concatenate(level) for level in zip(*noise, strict=True)]
    z, theta = np.concatenate(zs), np.concatenate(thetas)
    return Samples(z, theta, eps, log_w, _normalised(log_w))


def metropolis(
    model: Any,
    x: Array,
    context: Context,
    eps: list[Array],
    streams: list[np.random.Generator],
    steps: int = STEPS,
) -> Array:
    """z (M, B, Z) after so many Metropolis steps, from noise (M, B, Z) of each level on."""
    n_chains, n_latent = len(eps[0]), sum(level.shape[-1] for level in eps)
    z, _, log_w = _run(model, x, context, eps)
    for step in range(steps):
        walk = step % (len(WALKS) + 1)
        noise = _side_by_side([leaves(model.draw_noise(1, n_chains, s)) for s in streams])
        log_ratio = -log_w
        if walk:
            length = WALKS[walk - 1] / np.sqrt(n_latent)
            noise = [e + length * xi for e, xi in zip(eps, noise, strict=True)]
            log_ratio += sum(
                0.5 * (np.square(e) - np.square(new)).sum(-1)
                for e, new in zip(eps, noise, strict=True)
            )
        z_new, _, log_w_new = _run(model, x, context, noise)
        log_u = np.log1p(-np.stack([s.random(n_chains) for s in streams], axis=1))
        with np.errstate(invalid="ignore"):  # -inf less -inf: not accepted
            accepted = log_u < log_w_new + log_ratio
        log_w = np.where(accepted, log_w_new, log_w)
        z = np.where(accepted[..., None], z_new, z)
        eps = [np.where(accepted[..., None], new, e) for new, e in zip(noise, eps, strict=True)]
    return z


def _run(model: Any, x: Array, context: Context, eps: list[Array]) -> tuple[Array, Any, Array]:
    """z (K, B, Z), theta (K, B, ·) and log_w (K, B), -inf where it is no number, of noise."""
    with np.errstate(over="ignore", invalid="ignore"):
        terms, _ = model.forward(x, eps[0] if len(eps) == 1 else eps, context, needs=NEEDS)
        log_w = np.asarray(terms.log_w, np.float64)
    return terms.levels[0].z, terms.theta, np.where(np.isnan(log_w), -np.inf, log_w)


def _normalised(log_w: Array) -> Array:
    """Weights (K, B) that add up to 1; equal ones where none is above 0."""
    top = log_w.max(0)
    w = np.exp(log_w - np.where(np.isfinite(top), top, 0))
    w[:, ~np.isfinite(top)] = 1
    return w / w.sum(0)


def _side_by_side(rows: list[list[Array]]) -> list[Array]:
    """The noise (M, 1, Z) of B rows as (M, B, Z), level by level."""
    return [np.concatenate(level, axis=1) for level in zip(*rows, strict=True)]

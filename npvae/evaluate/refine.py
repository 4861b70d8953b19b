"""Per-example variational inference, and what the encoder loses beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from .. import kernels as k
from ..core import LevelTerms
from ..core.checks import number, whole
from ..core.errors import ConfigError
from ..core.public import public
from ..levels import Drawn
from ..models import Model
from ..models.noise import Rng
from ..posteriors import LOGVAR_BOUNDS, DiagonalGaussian

Array = np.ndarray
Params = tuple[Array, ...]

SAMPLES = 8
"""Draws of z for each step's gradient."""


@public
def refine(
    model: Model,
    x: Any,
    steps: int = 100,
    lr: float = 0.1,
    from_encoder: bool = True,
    seed: int = 0,
    context: Any = None,
) -> tuple[Array, Array]:
    """mu and logvar, each (N, Z), of the Gaussian that fits each row's posterior best.

    Per-example variational inference: for every row its own (mu, logvar) is improved, by steps of
    Adam on the row's ELBO with fresh noise, lr falling to 0 along half a cosine.

    Derivation, for a row, with K draws z_k = mu + exp(logvar/2) eps_k:
      (1) -ELBO = -1/K Σ_k log p(x given z_k) + KL(q ‖ p)    ->  d_log_px = -1/K, dkl = 1
      (2) dz_k is the likelihood's and the decoder's own backward; the encoder has no part in it
      (3) dmu = Σ dz_k and dlogvar = ½ std Σ dz_k eps_k      (`posteriors.Reparameterise`)
      (4) the KL's own gradients by mu and logvar are added  (`Level.compare_backward`)

    Parameters
    ----------
    model : Model
        Of one latent level with the Gaussian posterior.
    x : (N, D) array
    steps : int
    lr : float
        The first step's, in units of mu and logvar.
    from_encoder : bool
        Whether rows start from the encoder's mu and logvar, or from 0, the prior.
    seed : int
        Of the noise.
    context : (N, C) array, optional

    Returns
    -------
    mu, logvar : (N, Z) arrays

    Raises
    ------
    ConfigError
        If the model has several levels or another posterior.

    Source: Hoffman, Blei, Wang & Paisley 2013; Cremer, Li & Duvenaud 2018, section 5.
    """
    steps, lr = whole("steps", steps, least=0), number("lr", lr, above=0)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    found = [
        _refined(model, xb, cb, rng, steps, lr, from_encoder)
        for xb, cb in model.batches(x, context)
    ]
    mu, logvar = (np.concatenate(each) for each in zip(*found, strict=True))
    return mu, logvar


def _refined(
    model: Any,
    x: Array,
    context: Array | None,
    rng: Rng,
    steps: int = 100,
    lr: float = 0.1,
    from_encoder: bool = True,
) -> Params:
    """`refine` of a batch as `Model.batches` gives it."""
    gaussian_level(model)  # else refused
    mu, logvar = model.posteriors(x, context)[0]
    both = np.stack([mu, logvar]).astype(model.flat.dtype) * bool(from_encoder)
    worker = model.with_gradients(np.zeros_like(model.flat))  # which nobody reads
    level = worker.levels[0]
    inputs = model.prior_inputs(context)
    first, second = np.zeros_like(both), np.zeros_like(both)
    for step in range(1, steps + 1):
        eps = model.draw_noise(len(x), SAMPLES, rng)
        with np.errstate(over="ignore", invalid="ignore"):
            g = np.stack(row_gradients(worker, level, tuple(both), eps, x, context, inputs))
        g[~np.isfinite(g)] = 0  # a row that blows up stays where it is
        rate = 0.5 * lr * (1 + math.cos(math.pi * (step - 1) / steps)) / (1 - 0.9**step)
        k.adam(
            both.reshape(-1), g.reshape(-1), first.reshape(-1), second.reshape(-1),
            rate, 0.9, 0.999, 1e-8, math.sqrt(1 - 0.999**step), 0.0,
        )  # fmt: skip
        np.clip(both[1], *LOGVAR_BOUNDS, out=both[1])
    return tuple(both)


def row_gradients(
    worker: Any,
    level: Any,
    params: Params,
    eps: Array,
    x: Array,
    context: Array | None,
    prior_inputs: tuple[Array, ...],
) -> tuple[Array, ...]:
    """The gradients of each row's -ELBO by its mu and logvar, each (B, Z)."""
    samples = len(eps)
    (z, log_qz), c_z = level.posterior.draw(params, eps, level.kl is None)
    terms, c_terms = level.compare(Drawn(z, params, log_qz), ("kl",), prior_inputs)
    theta, c_decoder = worker.decoder.forward(worker._joined(z, context))
    density, c_likelihood = worker.likelihood.forward(theta, x)
    each = np.full(density.shape, 1 / samples)
    dtheta, _ = worker.likelihood.backward(c_likelihood, -each)  # (1)
    dz = worker.decoder.backward(c_decoder, dtheta)[..., : z.shape[-1]]  # (2)
    d_level = (
        LevelTerms(log_qz=each, log_pz=-each)
        if terms.kl is None
        else LevelTerms(kl=np.full(terms.kl.shape, 1 / len(terms.kl)))
    )
    (dz_compared, d_params), _ = level.compare_backward(c_terms, d_level)
    dz = dz if dz_compared is None else dz + dz_compared
    own = level.posterior.draw_backward(c_z, dz, d_level.log_qz, True, None)  # (3)
    return tuple(reduce(np.add, uses) for uses in zip(own, *d_params, strict=True))  # (4)


def can_refine(model: Any) -> bool:
    """Whether a model is of the kind that `refine` is for."""
    one = len(model.levels) == 1 and model.has_density
    return one and type(model.levels[0].posterior) is DiagonalGaussian


def gaussian_level(model: Any, what: str = "per-example inference is") -> Any:
    """The level of a model that has one, with the Gaussian posterior; others are refused `what`."""
    if not can_refine(model):
        n = len(model.levels)
        came = f"{n} levels" if n != 1 else type(model.levels[0].posterior).__name__
        came = came if model.has_density or n != 1 else "a label that is summed out"
        raise ConfigError(
            f"{what} for models with one latent level and posterior='gaussian'; this one has "
            f"{came}."
        )
    return model.levels[0]


class Proposal(NamedTuple):
    """A Gaussian of each row's own, to draw z from: mu and logvar (B, Z)."""

    model: Any
    params: Params

    @classmethod
    def found(cls, model: Any, x: Array, context: Array | None, rng: Rng) -> Proposal:
        """By `refine`."""
        return cls(model, _refined(model, x, context, rng))

    def draws(
        self, x: Array, context: Array | None, rng: Rng
    ) -> tuple[Callable[[int], Array], Callable[[Array], Array]]:
        """How n draws are made, and the logarithms of their importance weights (n, B)."""
        level, inputs = gaussian_level(self.model), self.model.prior_inputs(context)

        def weigh(eps: Array) -> Array:
            from .likelihood import log_px

            (z, log_qz), _ = level.posterior.draw(self.params, eps, True)
            log_pz, _ = level.prior.forward(z, *inputs)
            return np.asarray(log_px(self.model, z, x, context) + log_pz - log_qz)

        return lambda n: self.model.draw_noise(len(x), n, rng), weigh


@public
def inference_gap(
    model: Model,
    x: Any,
    n_samples: int = 5000,
    steps: int = 300,
    seed: int = 0,
    context: Any = None,
) -> dict[str, float]:
    """What the ELBO is below log p(x), and why: means over the rows, in nats.

    Parameters
    ----------
    model : Model
        Of one latent level with the Gaussian posterior.
    x : (N, D) array
    n_samples : int
        The importance samples of each row.
    steps : int
        Of `refine`.
    seed : int
        Of the noise.
    context : (N, C) array, or labels, optional

    Returns
    -------
    dict
        ``elbo``; ``refined_elbo``, that of each row's own best Gaussian (`refine`, so many steps);
        ``log_likelihood``, importance-sampled from that Gaussian with n_samples; and their
        differences: ``gap`` of log p(x) and ELBO, ``amortisation``, what the encoder loses beside
        the best Gaussian, and ``approximation``, what that loses beside the posterior. The ELBOs
        are means over `GAP_SAMPLES` draws.

    Source: Cremer, Li & Duvenaud 2018, section 3.
    """
    rng = np.random.default_rng(whole("seed", seed, least=0))
    n_samples, steps = whole("n_samples", n_samples), whole("steps", steps, least=0)
    sums, n = np.zeros(3), 0
    for xb, cb in model.batches(x, context):
        encoded = Proposal(model, model.posteriors(xb, cb)[0])
        refined = Proposal(model, _refined(model, xb, cb, rng, steps))
        for i, proposal in enumerate((encoded, refined)):
            draw, weigh = proposal.draws(xb, cb, rng)
            sums[i] += np.mean([weigh(draw(1))[0] for _ in range(GAP_SAMPLES)], axis=0).sum()
        total = np.full(len(xb), -np.inf)
        for _ in range(n_samples):
            total = np.logaddexp(total, weigh(draw(1))[0])
        sums[2] += (total - math.log(n_samples)).sum()
        n += len(xb)
    elbo, better, log_p = (float(s) for s in sums / n)
    return {
        "elbo": elbo, "refined_elbo": better, "log_likelihood": log_p,
        "gap": log_p - elbo, "amortisation": better - elbo, "approximation": log_p - better,
    }  # fmt: skip


GAP_SAMPLES = 200

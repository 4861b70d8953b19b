"""The parts of npvae/priors."""

from __future__ import annotations

import numpy as np

import npvae as nv
from npvae import priors

from .case import B, D, Draw, Entry, M, Z


def mixture(draw: Draw) -> nv.Part:
    prior = nv.Mixture(M)
    prior.build(Z, D)
    return draw.parameters(prior)


PARTS = {
    "prior.standard": Entry(
        lambda draw: (nv.StandardNormal(), (draw.numbers(draw.K, B, Z),)),
        lambda w, part, p, z: w.standard_log_prob(z),
    ),
    "prior.conditional": Entry(
        lambda draw: (
            priors.Conditional(),
            (draw.numbers(draw.K, B, Z), draw.numbers(B, Z), draw.numbers(B, Z, far=20)),
        ),
        lambda w, part, p, z, mu, logvar: w.gaussian_log_prob(z, mu, logvar),
    ),
    "prior.mixture": Entry(
        lambda draw: (mixture(draw), (draw.numbers(draw.K, B, Z),)),
        lambda w, part, p, z: w.mixture_log_prob(z, p["mu"], p["logvar"], p["logits"]),
    ),
    "prior.vamp": Entry(
        lambda draw: (
            nv.VampPrior(M),
            (draw.numbers(draw.K, B, Z), draw.numbers(M, Z), draw.numbers(M, Z, far=3)),
        ),
        lambda w, part, p, z, mu, logvar: w.mixture_log_prob(
            z, mu, logvar, w.array(np.zeros(len(mu)))
        ),
    ),
    "prior_step.pseudo_inputs": Entry(
        lambda draw: (draw.parameters(priors.PseudoInputs(M, D)), ()),
        lambda w, part, p: p["u"],
    ),
}

"""The parts of npvae/posteriors."""

from __future__ import annotations

import npvae as nv
from npvae import posteriors

from .case import B, Entry, Z

PARTS = {
    "posterior.gaussian": Entry(
        lambda draw: (nv.DiagonalGaussian(), (draw.numbers(B, 2 * Z, far=25),)),
        lambda w, part, p, stats: w.heads(stats),
    ),
    "posterior_step.reparameterise": Entry(
        lambda draw: (
            posteriors.Reparameterise(),
            (draw.numbers(B, Z), draw.numbers(B, Z, far=20), draw.noise(draw.K, B, Z)),
        ),
        lambda w, part, p, mu, logvar, eps: w.reparameterise(mu, logvar, eps),
    ),
    "posterior_step.gaussian_log_prob": Entry(
        lambda draw: (
            posteriors.GaussianLogProb(),
            (draw.numbers(draw.K, B, Z), draw.numbers(B, Z), draw.numbers(B, Z, far=20)),
        ),
        lambda w, part, p, z, mu, logvar: w.gaussian_log_prob(z, mu, logvar),
    ),
}

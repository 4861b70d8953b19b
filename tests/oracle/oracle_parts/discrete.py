"""The parts of npvae/discrete: codes, their priors and divergences."""

from __future__ import annotations

import math

import numpy as np

import npvae as nv
from npvae.discrete.bernoulli import BernoulliCodeLogProb, BernoulliKL, BinaryConcrete
from npvae.discrete.categorical import CategoricalKL, CodeLogProb, GumbelSoftmax

from .case import B, C, Entry, V, Z

PARTS = {
    "posterior.categorical": Entry(
        lambda draw: (nv.CategoricalCode(V, C), (draw.numbers(B, V * C),)),
        lambda w, part, p, stats: w.class_log_probs(stats, C),
    ),
    "posterior.bernoulli": Entry(
        lambda draw: (nv.BernoulliCode(), (draw.numbers(B, Z),)), lambda w, part, p, stats: stats
    ),
    "posterior_step.gumbel_softmax": Entry(
        lambda draw: (
            GumbelSoftmax(C, 0.7),
            (draw.numbers(B, V * C, far=9), draw.noise(draw.K, B, V * C)),
        ),
        lambda w, part, p, log_q, eps: w.gumbel_softmax(log_q, eps, C, 0.7),
    ),
    "posterior_step.binary_concrete": Entry(
        lambda draw: (BinaryConcrete(0.7), (draw.numbers(B, Z, far=9), draw.noise(draw.K, B, Z))),
        lambda w, part, p, logits, eps: w.binary_concrete(logits, eps, 0.7),
    ),
    "posterior_step.code_log_prob": Entry(
        lambda draw: (CodeLogProb(), (draw.inside(draw.K, B, Z), draw.numbers(B, Z))),
        lambda w, part, p, z, log_q: (z * log_q).sum(-1),
    ),
    "posterior_step.bernoulli_code_log_prob": Entry(
        lambda draw: (BernoulliCodeLogProb(), (draw.inside(draw.K, B, Z), draw.numbers(B, Z))),
        lambda w, part, p, z, logits: w.bernoulli_log_prob(z, logits),
    ),
    "prior.uniform": Entry(
        lambda draw: (nv.UniformPrior(C), (draw.inside(draw.K, B, V * C),)),
        lambda w, part, p, z: -np.log(C) * z.sum(-1),
    ),
    "prior.bernoulli": Entry(
        lambda draw: (nv.BernoulliPrior(0.3), (draw.inside(draw.K, B, Z),)),
        lambda w, part, p, z: (z * np.log(0.3) + (1 - z) * np.log(0.7)).sum(-1),
    ),
    "kl.categorical_uniform": Entry(
        lambda draw: (CategoricalKL(C), (draw.gentle(B, V * C),)),
        lambda w, part, p, log_q: w.categorical_kl(log_q, C),
    ),
    "kl.bernoulli_bernoulli": Entry(
        lambda draw: (BernoulliKL(math.log(0.3 / 0.7)), (draw.numbers(B, Z, far=20),)),
        lambda w, part, p, logits: w.bernoulli_kl(logits, 0.3),
    ),
}

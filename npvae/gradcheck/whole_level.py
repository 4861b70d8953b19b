"""Latent levels as parts of arrays alone, so that their gradients can be proven like any part's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Part
from ..core.trees import leaves, refilled
from ..layers.mode import relaxing
from ..levels import Level

Array = np.ndarray


class WholeLevel(Part, abstract=True):
    """A level with its noise: from stats and the prior's inputs to z and all of its terms.

    A z that is relaxed has no densities.
    """

    def __init__(self, level: Level, eps: Array) -> None:
        self.level, self.eps = level, eps
        densities = () if level.posterior.relaxes else ("log_pz", "log_qz")
        self.needs = ("kl", "z", "posterior", *densities)

    def forward(self, stats: Array, *prior_inputs: Array) -> tuple[tuple[Array, ...], Any]:
        with relaxing():
            (z, terms), cache = self.level.forward(stats, self.eps, self.needs, prior_inputs)
        return (z, *leaves(terms)), (cache, terms)

    def backward(self, cache: Any, dz: Array, *d_terms: Array) -> tuple[Array, ...]:
        c_level, terms = cache
        d_stats, d_inputs = self.level.backward(c_level, dz, refilled(terms, iter(d_terms)))
        return (d_stats, *d_inputs)


def fitting(posterior: Any, prior: Any) -> bool:
    """Whether the examples of both classes are over the same z."""
    rng = np.random.default_rng(0)
    q, p = (cls.example(rng)[0] for cls in (posterior, prior))
    return bool(q.support == p.support)


def level_of(
    posterior: type[Part], prior: Any, rng: np.random.Generator, conditioned: bool = False
) -> tuple[Part, tuple[Array, ...]]:
    """The level of a posterior and a prior, by their examples, and inputs for it.

    Where it is `conditioned` by the sample of another level, each sample has its own stats.
    """
    q: Any
    p: Any
    q, (stats,) = posterior.example(rng)
    p, (z, *prior_inputs) = prior.example(rng)
    eps = rng.normal(size=(2, len(stats), z.shape[-1]))
    if prior.of_context:  # as many rows as the posterior's example has
        prior_inputs = [*rng.normal(size=(2, *eps.shape[1:]))]
    if conditioned:
        stats = stats + rng.normal(size=(2, *stats.shape))
    return WholeLevel(Level(q, p), eps), (stats, *prior_inputs)

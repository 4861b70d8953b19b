"""The identities of the theory, checked with numbers on npvae's own parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from . import estimators, evidence, pathwise, ppca
from .claim import Claim

Check: TypeAlias = Callable[[np.random.Generator], list[Claim]]

IDENTITIES: tuple[Check, ...] = (
    evidence.evidence_and_gap,
    evidence.jensen,
    evidence.fisher,
    evidence.entropy_form,
    evidence.iwae_bounds,
    evidence.importance_sampling,
    evidence.naive_monte_carlo,
    evidence.rotation,
    estimators.sampler,
    estimators.kl_monte_carlo,
    estimators.general_kl,
    estimators.gradient_estimators,
    estimators.minibatches,
    estimators.sample_sizes,
    estimators.likelihood_samplers,
    pathwise.sticking_the_landing,
    pathwise.doubly_reparameterised,
    ppca.ppca_of_digits,
    ppca.collapse_on_digits,
)


def identities(seed: int = 0) -> list[Claim]:
    """Check every identity.

    Parameters
    ----------
    seed : int
        Each identity draws from a stream of its own, so that none depends on the others.

    Returns
    -------
    list of Claim
        One that raises an error is in the list, failed, with the error in its note.
    """
    return [
        identity
        for i, check in enumerate(IDENTITIES)
        for identity in _run(check, np.random.default_rng([seed, i]))
    ]


def _run(check: Check, rng: np.random.Generator) -> list[Claim]:
    try:
        return check(rng)
    except Exception as error:  # the other identities are still worth knowing
        note = f"it raised {type(error).__name__}: {error}"
        return [Claim(check.__name__, math.nan, math.nan, 0.0, "", note)]

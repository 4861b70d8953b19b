"""Maps from any number to one that an argument can hold, and magnitudes of what is summed."""

from __future__ import annotations

import numpy as np

from .case import Array


def positive(x: Array) -> Array:
    return np.abs(x) / 4


def constant(x: Array) -> Array:
    """The same numbers where nobody can write to them: a step may hold them as they are."""
    x = x.copy()
    x.flags.writeable = False
    return x


def unit(x: Array) -> Array:
    return np.abs(x) % 1.125 / 1.125


def gentle(x: Array) -> Array:
    """The logarithm of a rate or of a dispersion that is between a hundredth and a hundred."""
    return np.clip(x / 4, -4.5, 4.5)


def part_of_one(x: Array) -> Array:
    """How much a label is known to be a class: of three classes at most 1 together."""
    return unit(x) / 3


def shares(scale: Array) -> Array:
    """The scale of a share of one, which may be 0 where float32 has but a denormal number."""
    normal = np.finfo(np.float32)
    return np.maximum(scale, normal.tiny / normal.eps)


HEADS = dict(low=-20.0, high=20.0)

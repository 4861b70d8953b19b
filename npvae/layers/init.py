"""Initial values of weights: Glorot and He, uniform and normal.

All scale a weight's variance by its fans (see `fans`) so that activations (and, for Glorot,
gradients) keep their variance from layer to layer:

* Glorot: Var W = 2 / (fan_in + fan_out), for activations that are linear around 0.
  Source: Glorot & Bengio 2010, equations 12 and 16.
* He: Var W = 2 / fan_in, since a rectifier lets half the variance through.
  Source: He et al. 2015, equation 10.

A uniform U(-a, a) of variance s² has a = √3 s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ..core.errors import ConfigError, nearest

Array = np.ndarray
Initialiser: TypeAlias = "Callable[[np.random.Generator, tuple[int, ...]], Array]"


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape)


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    bound = np.sqrt(3 * _glorot_variance(shape))
    return rng.uniform(-bound, bound, shape)


def glorot_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(0, np.sqrt(_glorot_variance(shape)), shape)


def he_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    bound = np.sqrt(3 * _he_variance(shape))
    return rng.uniform(-bound, bound, shape)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(0, np.sqrt(_he_variance(shape)), shape)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs reach one output of a weight, and how many outputs one input reaches.

    A weight is (O, ..., I): its outputs, the axes of a kernel if it has any, and its inputs. So
    (O, I) of a dense layer has the fans I and O, and a kernel (O, h, w, I) has h w I and O h w. A
    weight of one axis multiplies each input on its own, and has the fans 1 and 1.
    """
    if len(shape) < 2:
        return 1, 1
    n_out, *kernel, n_in = shape
    return math.prod(kernel) * n_in, n_out * math.prod(kernel)


def _glorot_variance(shape: tuple[int, ...]) -> float:
    return 2 / sum(fans(shape))


def _he_variance(shape: tuple[int, ...]) -> float:
    return 2 / fans(shape)[0]


INITIALISERS: dict[str, Initialiser] = {
    f.__name__: f for f in (glorot_uniform, glorot_normal, he_uniform, he_normal)
}


def initialiser(name: str) -> Initialiser:
    """The initialiser of that name.

    Raises
    ------
    ConfigError
        If there is none; the known ones are named.
    """
    if not isinstance(name, str) or name not in INITIALISERS:
        raise ConfigError(f"there is no initialiser {name!r}{nearest(str(name), INITIALISERS)}")
    return INITIALISERS[name]

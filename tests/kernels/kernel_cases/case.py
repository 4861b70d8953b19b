"""A kernel's case: how to call it, how exact it must be, and numbers for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npvae import kernels

Array = np.ndarray

Sizes = dict[str, int]


@dataclass(frozen=True)
class Kernel:
    """How to call a kernel and how to judge its outputs.

    Attributes
    ----------
    shapes : argument name to axes, such as ``{"logits": "KBD"}``
    constants : the arguments that are no arrays, or functions of the sizes that give them
    ulp : the greatest error of a float32 result, in units in the last place of its scale
    scales : the magnitude of what each output sums or subtracts, where that is more than the
        output itself; called with the arguments in float64
    domain : maps any number to one that the argument can hold
    wide : arguments that are float64 whatever the others are: gradients of float64 sums
    writes : arguments that are updated in place
    hides : arguments of which NaN may get lost, since they only choose a branch, or since it is an
        entry that is missing
    doubles : whether its outputs are float64 whatever comes in
    needs_rows : whether it has no value for a batch of no rows
    """

    shapes: dict[str, str]
    ulp: float
    constants: dict[str, Any] = field(default_factory=dict)
    scales: Callable[..., tuple[Array | None, ...]] | None = None
    domain: dict[str, Callable[[Array], Array]] = field(default_factory=dict)
    wide: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    doubles: bool = False
    needs_rows: bool = False

    def call(self, name: str, arrays: dict[str, Array], n: Sizes) -> list[Any]:
        """The kernel's outputs, or the arrays that it updates."""
        constants = {c: v(n) if callable(v) else v for c, v in self.constants.items()}
        outputs = getattr(kernels, name)(*arrays.values(), *constants.values())
        if self.writes:
            assert outputs is None
            return [arrays[a] for a in self.writes]
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return [np.atleast_1d(output) for output in outputs]


def sizes(batch: int = 7, samples: int = 3, width: int = 37) -> Sizes:
    """A length for each axis; the standard ones are multiples of no vector register's width."""
    latent, context = (width + 1) // 2, min(width, 3)
    return {
        "B": batch, "K": samples, "R": batch * samples, "D": width, "H": width, "I": width,
        "O": width // 2, "Z": latent, "S": 2 * latent, "C": context, "Y": width + context,
        "N": batch * width, "P": 2 * width, "T": 3 * width, "M": 4, "1": 1,
        "E": 5, "F": 4, "G": 3, "J": 2, "U": 3, "V": 2,  # images, taps, and the places of these
        "W": 3 * latent,  # of variables with three classes each
        "Q": 3, "L": 3 * samples, "X": latent + 1, "A": width + 3,  # classes
    }  # fmt: skip


def ordinary(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(0, 4, shape)


def small(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(0, 1e-3, shape)


def extreme(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.choice([-1e4, -60.0, -1.0, 0.0, 1.0, 60.0, 1e4], shape)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape)


def denormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Below the least normal number of the type that they are cast to."""
    return rng.choice([-0.25, -0.0, 0.5], shape)


LIMITS = dict(logvar=60, log_scale=10)

VALUES = {f.__name__: f for f in (ordinary, small, extreme, zeros, denormal)}


def inputs(
    kernel: Kernel, n: Sizes, dtype: Any, values: str = "ordinary", seed: int = 0
) -> dict[str, Array]:
    """Arrays for a kernel, in the order of its arguments."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, axes in kernel.shapes.items():
        own = np.dtype(np.float64 if name in kernel.wide else dtype)
        x = VALUES[values](rng, tuple(n[axis] for axis in axes))
        x = np.clip(x, -LIMITS.get(name, np.inf), LIMITS.get(name, np.inf))
        x = kernel.domain.get(name, lambda x: x)(x).astype(own)
        arrays[name] = x * np.finfo(dtype).tiny.astype(own) if values == "denormal" else x
    return arrays


def strided(x: Array) -> Array:
    """The same values at odd places: transposed, and with gaps between them."""
    roomy = np.full(tuple(2 * s for s in x.shape[::-1]), 77, x.dtype)
    view = roomy[(slice(None, None, 2),) * x.ndim].T
    view[...] = x
    return view

"""What the entries share: random inputs, networks in a witness's words, sizes of the axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import npvae as nv
from npvae.core import bind, n_parameters

Array = np.ndarray

B, D, H, Z, C, M, V = 5, 7, 6, 4, 3, 4, 2


class Draw:
    """Random arrays for a case of K samples, ordinary or extreme (but finite)."""

    def __init__(self, rng: np.random.Generator, n_samples: int, extreme: bool) -> None:
        self.rng, self.K, self.extreme = rng, n_samples, extreme

    def numbers(self, *shape: int, far: float = 50) -> Array:
        if self.extreme:
            return self.rng.uniform(-far, far, shape)
        return self.rng.normal(size=shape)

    def noise(self, *shape: int) -> Array:
        return self.rng.normal(size=shape)

    def probabilities(self, *shape: int) -> Array:
        """In [0, 1], some of them 0 or 1."""
        return np.clip(self.rng.uniform(-0.3, 1.3, shape), 0, 1)

    def gentle(self, *shape: int) -> Array:
        """Logits, or logarithms of rates, for which the witnesses' formulas keep their digits."""
        return self.rng.uniform(-6, 6, shape) if self.extreme else self.rng.normal(size=shape)

    def inside(self, *shape: int) -> Array:
        """In (0, 1), and not at an edge."""
        return self.rng.uniform(0.01, 0.99, shape)

    def counts(self, *shape: int) -> Array:
        return self.rng.poisson(200.0 if self.extreme else 2.0, shape).astype(float)

    def one_hot(self, rows: int, *sizes: int) -> Array:
        return np.hstack([np.eye(size)[self.rng.integers(size, size=rows)] for size in sizes])

    def sized(self, part: Any) -> Any:
        """The part on D columns, with random parameters."""
        part.declare(D)
        return self.parameters(part)

    def parameters(self, part: Any) -> Any:
        """The part, with random parameters: biases too."""
        bind(part, self.rng.normal(0, 0.5, n_parameters(part)))
        return part


class Entry(NamedTuple):
    """A part with inputs for it, and the witness: (w, part, its parameters, *inputs) -> outputs."""

    example: Callable[[Draw], tuple[nv.Part, tuple[Array, ...]]]
    witness: Callable[..., Any]


def mlp(w: Any, activation: str, p: dict[str, Any], x: Any) -> Any:
    """Layers "layers.0.W", "layers.0.b", ...; the last one has no activation."""
    last = len(p) // 2 - 1
    for i in range(last + 1):
        f = w.ACTIVATIONS[activation if i < last else "identity"]
        x = f(w.affine(x, p[f"layers.{i}.W"], p[f"layers.{i}.b"]))
    return x


def joined(w: Any, a: Any, context: Any) -> Any:
    return a if context is None else w.join(a, context)


def under(prefix: str, p: dict[str, Any]) -> dict[str, Any]:
    return {name[len(prefix) :]: value for name, value in p.items() if name.startswith(prefix)}

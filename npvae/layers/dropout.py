"""Dropout: noise that a network is trained with."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Part
from ..core.checks import number
from ..core.errors import ConfigError
from .layer import Layer
from .mode import stream

Array = np.ndarray


class Dropout(Layer):
    """In a training step y = m x, with each m 0 with probability p, and else 1 / (1 - p).

    So E[y] = x, and outside of training y = x: in validation, encoding, decoding and the proofs.
    The m are drawn from a stream of the seed and the epoch, so that a resumed run draws what an
    unbroken one would have drawn. Python runs this layer in a captured step.

    Derivation, with m given: ∂y/∂x = m  ->  dx = m dy.
    Shapes: x, y, m (..., n).  Source: Srivastava et al. 2014.

    Parameters
    ----------
    p : float, in [0, 1)
    """

    capturable = False

    def __init__(self, p: float = 0.1) -> None:
        self.p = number("Dropout's p", p, least=0)
        if self.p >= 1:
            raise ConfigError(f"Dropout's p is a share below 1; got {p!r}.")

    def forward(self, x: Array) -> tuple[Array, Any]:
        draws = stream()
        if draws is None or not self.p:
            return x, None
        kept = draws.random(x.shape, np.float32) >= self.p
        m = kept.astype(x.dtype) / (1 - self.p)
        return m * x, m

    def backward(self, m: Any, dy: Array, wrt_input: bool = True) -> Array | None:
        if not wrt_input:
            return None
        return dy if m is None else m * dy

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        return cls(0.3), (rng.normal(size=(2, 3, 4)),)

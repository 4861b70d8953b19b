"""Layers that bring numbers to mean 0 and variance 1: over a row, over groups of it, over a batch.

All share these steps of their derivation. The numbers x_i of one set, n of them, have the mean m
and the variance v, and

  (1) u_i = (x_i - m) r,  r = (v + eps)^(-1/2);  a = g u,  h = f(a + b), with g and b by channel
  (2) da, db as the activation gives them (activation.py);  dg = Σ da u,  du = g da
  (3) ∂m/∂x_j = 1/n, and ∂v/∂x_j = 2 (x_j - m) / n  ->  ∂r/∂x_j = -½ r³ ∂v/∂x_j = -r² u_j / n
  (4) ∂u_i/∂x_j = r ([i = j] - 1/n) + (x_i - m) ∂r/∂x_j = r ([i = j] - 1/n - u_i u_j / n)
      ->  dx_j = r (du_j - mean(du) - u_j mean(u du))

and differ in what a set is.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, resolve
from ..core.checks import number, whole
from ..core.errors import ConfigError
from .activation import Identity
from .init import zeros
from .layer import Layer
from .mode import is_learning, tell

Array = np.ndarray


class Norm(Layer, abstract=True):
    """Base of the normalising layers.

    Parameters
    ----------
    in_shape : int, or (height, width, channels)
        Of the rows; g and b have a number for each of the last of these.
    activation : str or Activation
        It takes b for its bias. A layer before it then needs neither.
    eps : float
        What is added to the variance.
    """

    g: Array
    b: Array
    dg: Array
    db: Array
    in_shape: tuple[int, ...]

    def _describe(self, in_shape: Any, activation: Any, eps: float) -> None:
        kind = type(self).__name__
        shape = in_shape if isinstance(in_shape, (list, tuple)) else (in_shape,)
        if len(shape) not in (1, 3):
            raise ConfigError(f"{kind}'s in_shape is n, or (height, width, channels); got {shape}.")
        self.in_shape = self.out_shape = tuple(whole(f"{kind}'s in_shape", n) for n in shape)
        self.channels = self.in_shape[-1]
        self.activation = resolve("activation", activation)
        self.eps = number(f"{kind}'s eps", eps, above=0)
        self.parameter("g", (self.channels,), lambda rng, shape: np.ones(shape))
        self.parameter("b", (self.channels,), zeros)

    @property
    def output_bias(self) -> Array | None:
        return self.b if isinstance(self.activation, Identity) else None

    @abstractmethod
    def _normalised(self, x: Array) -> tuple[Array, Any]:
        """u (R, channels) of rows x, and what `_backward` needs besides."""

    @abstractmethod
    def _backward(self, du: Array, u: Array, kept: Any) -> Array:
        """dx, of du's numbers."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        u, kept = self._normalised(x)
        h, saved = self.activation.forward(k.scaled(u, self.g), self.b)  # (1)
        return h.reshape(x.shape), (u, kept, saved)

    def backward(self, cache: Any, dh: Array, wrt_input: bool = True) -> Array | None:
        u, kept, saved = cache
        da, db = self.activation.backward(saved, dh.reshape(-1, self.channels))
        du, dg = k.scaled_backward(da, u, self.g)  # (2)
        self.dg += dg
        self.db += db
        dx = self._backward(du, u, kept).reshape(dh.shape)  # (4), and BatchNorm's own parameters
        return dx if wrt_input else None

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part: Any = cls((2, 3, 4), activation="tanh")  # type: ignore[call-arg]
        part.allocate(rng)
        part.g += 0.3 * rng.normal(size=4)
        part.b += rng.normal(size=4)
        return part, (rng.normal(size=(2, 3, 24)),)


class LayerNorm(Norm):
    """A set is a row; of images, the channels of one pixel.

    Derivation: steps (1) to (4), the mean over channels.
    Shapes: x, h (..., H·W·C) or (..., C); g, b (C,).
    Source: Ba, Kiros & Hinton 2016.
    """

    def __init__(self, in_shape: Any, activation: Any = "identity", eps: float = 1e-5) -> None:
        self._describe(in_shape, activation, eps)

    def _normalised(self, x: Array) -> tuple[Array, Any]:
        return k.normalised(x.reshape(-1, self.channels), (1,), self.eps)

    def _backward(self, du: Array, u: Array, kept: Any) -> Array:
        return k.normalised_backward(du, u, kept, (1,))


class GroupNorm(Norm):
    """A set is a group of an image's channels, over all pixels.

    Derivation: steps (1) to (4), the mean over pixels and over the channels of a group.
    Shapes: x, h (..., H·W·C) or (..., C); g, b (C,).
    Source: Wu & He 2018.

    Parameters
    ----------
    groups : int
        Into which the channels are divided, in order. 1: the whole row is one set.
    """

    def __init__(
        self, in_shape: Any, groups: int = 1, activation: Any = "identity", eps: float = 1e-5
    ) -> None:
        self._describe(in_shape, activation, eps)
        self.groups = whole("GroupNorm's groups", groups)
        if self.channels % self.groups:
            raise ConfigError(
                f"GroupNorm's groups divide its channels in equal parts; got {self.groups} for "
                f"{self.channels} channels."
            )

    @property
    def _apart(self) -> tuple[int, int, int]:
        return math.prod(self.in_shape[:-1]), self.groups, self.channels // self.groups

    def _normalised(self, x: Array) -> tuple[Array, Any]:
        u, inverse = k.normalised(x.reshape(-1, *self._apart), (1, 3), self.eps)
        return u.reshape(-1, self.channels), inverse

    def _backward(self, du: Array, u: Array, kept: Any) -> Array:
        apart = (-1, *self._apart)
        return k.normalised_backward(du.reshape(*apart), u.reshape(*apart), kept, (1, 3))

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part: Any = cls((2, 3, 4), 2, "tanh").allocate(rng)
        part.g += 0.3 * rng.normal(size=4)
        return part, (rng.normal(size=(2, 3, 24)),)


class BatchNorm(Norm):
    """A set is a channel, over the pixels of all rows of a batch; afterwards, m and v are fixed.

    In a training step m and v are those of the batch. `fit` measures both over training rows after
    each epoch and puts them in `mean` and `variance`, with which all else is computed: validation,
    encoding, decoding, and the proofs. They are parameters, so that they are saved and copied with
    the others, that no training step has a gradient of.

    Derivation in a training step: (1) to (4), the mean over rows and pixels. Else, with m and v
    parameters, u = (x - m) r:
      (5) ∂u/∂x = r            ->  dx = r du
      (6) ∂u/∂m = -r           ->  dm = -r Σ du
      (7) ∂u/∂v = -½ u r²      ->  dv = -½ r² Σ u du
    Shapes: x, h (..., H·W·C) or (..., C); g, b, mean, variance (C,).
    Source: Ioffe & Szegedy 2015; Wu & Johnson 2021 for statistics measured after training steps
    rather than averaged along the way.
    """

    mean: Array
    variance: Array
    dmean: Array
    dvariance: Array

    def __init__(self, in_shape: Any, activation: Any = "identity", eps: float = 1e-5) -> None:
        self._describe(in_shape, activation, eps)
        self.parameter("mean", (self.channels,), zeros)
        self.parameter("variance", (self.channels,), lambda rng, shape: np.ones(shape))

    def _normalised(self, x: Array) -> tuple[Array, Any]:
        rows = x.reshape(-1, self.channels)
        if is_learning():
            tell(self, rows)
            u, inverse = k.normalised(rows, (0,), self.eps)
            return u, (inverse, True)
        u, inverse = k.centred(rows, self.mean, self.variance, self.eps)
        return u, (inverse, False)

    def _backward(self, du: Array, u: Array, kept: Any) -> Array:
        inverse, of_batch = kept
        if of_batch:
            return k.normalised_backward(du, u, inverse, (0,))
        dx, dmean, dvariance = k.centred_backward(du, u, inverse)  # (5) to (7)
        self.dmean += dmean
        self.dvariance += dvariance
        return dx

"""The dense layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels as k
from ..core import Part, resolve
from ..core.checks import number, whole
from ..core.errors import ConfigError
from .activation import Identity
from .init import initialiser, zeros
from .layer import Layer

Array = np.ndarray


class Dense(Layer):
    """h = f(x Wᵀ + b), with f the layer's activation.

    Derivation, with a = x Wᵀ, so a_ro = Σ_i x_ri W_oi, and da, db as the activation gives them:
      (1) ∂a_ro/∂W_oi = x_ri      ->  dW_oi = Σ_r da_ro x_ri,   dW = daᵀ x
      (2) ∂a_ro/∂x_ri = W_oi      ->  dx_ri = Σ_o da_ro W_oi,   dx = da W
      (3) db = Σ_r da_r           (activation.py, step 3)
    The sum over rows r is where a batch's gradients add up.

    Shapes: x (..., I), W (O, I), b (O,), h (..., O); the leading axes, (B,) or (K, B), are the
    rows r.  Source: Rumelhart, Hinton & Williams 1986.

    Parameters
    ----------
    n_in, n_out : int
    activation : str or Activation
    init : str
        The weight's initialiser (see `init.py`). Biases start at 0.
    gain : float or sequence of float
        What the initial weights are multiplied by, besides the activation's own gain: all of them,
        or those of each input (I,).
    """

    W: Array
    b: Array
    dW: Array
    db: Array

    def __init__(
        self,
        n_in: int,
        n_out: int,
        activation: Any = "identity",
        init: str = "glorot_uniform",
        gain: Any = 1.0,
    ) -> None:
        self.in_shape = (whole("Dense's n_in", n_in),)
        self.out_shape = (whole("Dense's n_out", n_out),)
        self.activation = resolve("activation", activation)
        draw = initialiser(init)
        self.init, self.gain = init, _gain(gain, n_in)
        factor = self.activation.gain * np.asarray(self.gain)
        self.parameter("W", (n_out, n_in), lambda rng, shape: factor * draw(rng, shape))
        self.parameter("b", (n_out,), zeros)

    @property
    def output_bias(self) -> Array | None:
        return self.b if isinstance(self.activation, Identity) else None

    def forward(self, x: Array) -> tuple[Array, Any]:
        rows = x if x.ndim == 2 else x.reshape(-1, self.n_in)
        h, saved = self.activation.forward(k.linear(rows, self.W), self.b)
        if rows is not x:
            h = h.reshape(*x.shape[:-1], self.n_out)
        return h, (rows, saved, x.shape)

    def backward(self, cache: Any, dh: Array, wrt_input: bool = True) -> Array | None:
        rows, saved, x_shape = cache
        da, db = self.activation.backward(saved, dh.reshape(-1, self.n_out))
        self.dW += k.linear_dw(da, rows)  # (1)
        self.db += db  # (3)
        return k.linear_dx(da, self.W).reshape(x_shape) if wrt_input else None  # (2)

    @classmethod
    def example(cls, rng: np.random.Generator) -> tuple[Part, tuple[Any, ...]]:
        part = cls(4, 3, "tanh")
        part.allocate(rng)
        part.b += rng.normal(size=3)
        return part, (rng.normal(size=(2, 5, 4)),)


def _gain(given: Any, n_in: int) -> float | list[float]:
    if not isinstance(given, (list, tuple, np.ndarray)):
        return number("Dense's gain", given)
    if len(given) != n_in:
        raise ConfigError(
            f"Dense's gain is a number, or one for each of its {n_in} inputs; got {len(given)}."
        )
    return [number("each of Dense's gains", one) for one in given]

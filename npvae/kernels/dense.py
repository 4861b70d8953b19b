"""Matrix products, concatenation, and activations with their bias."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.numerics import (
    kept,
    maximum,
    minimum,
    normal_cdf,
    positive_part,
    sigmoid,
    softplus,
    unbroadcast,
)
from .seam import Array, Pair, kernel

__all__ = [
    "add", "bias_elu", "bias_elu_backward", "bias_gelu", "bias_gelu_backward", "bias_identity",
    "bias_identity_backward", "bias_leaky_relu", "bias_leaky_relu_backward", "bias_relu",
    "bias_relu_backward", "bias_sigmoid", "bias_sigmoid_backward", "bias_silu",
    "bias_silu_backward", "bias_softplus", "bias_softplus_backward", "bias_tanh",
    "bias_tanh_backward", "concat", "concat_backward", "linear", "linear_dw", "linear_dx",
    "masked", "take_columns",
]  # fmt: skip

LOG_2PI = float(np.log(2 * np.pi))

# Products by the method, which for a single row takes half the time of the operator.


@kernel
def linear(x: Array, W: Array) -> Array:
    """y = x Wᵀ.  x (R, I), W (O, I), y (R, O)."""
    return x.dot(W.T)


@kernel
def linear_dx(dy: Array, W: Array) -> Array:
    """dx = dy W."""
    return dy.dot(W)


@kernel
def linear_dw(dy: Array, x: Array) -> Array:
    """dW = dyᵀ x, which sums over the rows."""
    return dy.T.dot(x)


@kernel
def masked(W: Array, mask: Array) -> Array:
    """W where the mask is 1, and else 0."""
    return W * mask


@kernel
def add(a: Array, b: Array) -> Array:
    """a + b, where two gradients of one variable meet."""
    return a + b


@kernel
def concat(a: Array, c: Array) -> Array:
    """[a, c] along the last axis; c (B, C) is repeated over the leading axes of a (..., B, A)."""
    return np.concatenate([a, np.broadcast_to(c, (*a.shape[:-1], c.shape[-1]))], axis=-1)


@kernel
def concat_backward(dy: Array, a_width: int, c_shape: tuple[int, ...]) -> Pair:
    return dy[..., :a_width], unbroadcast(dy[..., a_width:], c_shape)


@kernel
def take_columns(x: Array, columns: Sequence[int]) -> Array:
    """Some columns of x (..., D), in this order."""
    return x.take(columns, axis=-1)


# Bias and activation: a (R, H) is a product, b (H,) its bias; backward gives da (R, H), db (H,).
# b[None], since to broadcast (H,) over (1, H) takes twice as long as the sum of a single row.


@kernel
def bias_identity(a: Array, b: Array) -> Array:
    return a + b


@kernel
def bias_identity_backward(dh: Array) -> Pair:
    return dh, dh.sum(0)


@kernel
def bias_relu(a: Array, b: Array) -> Array:
    return maximum(a + b, 0)


@kernel
def bias_relu_backward(dh: Array, h: Array) -> Pair:
    da = kept(dh, h.real > 0)
    return da, da.sum(0)


@kernel
def bias_leaky_relu(a: Array, b: Array, slope: float) -> Array:
    s = a + b
    return positive_part(s) + slope * minimum(s, 0)


@kernel
def bias_leaky_relu_backward(dh: Array, h: Array, slope: float) -> Pair:
    right = h.real > 0
    da = kept(dh, right) + kept(slope * dh, ~right)
    return da, da.sum(0)


@kernel
def bias_tanh(a: Array, b: Array) -> Array:
    return np.tanh(a + b)


@kernel
def bias_tanh_backward(dh: Array, h: Array) -> Pair:
    da = dh * (1 - h) * (1 + h)
    return da, da.sum(0)


@kernel
def bias_sigmoid(a: Array, b: Array) -> Array:
    return sigmoid(a + b)


@kernel
def bias_sigmoid_backward(dh: Array, h: Array) -> Pair:
    da = dh * h * (1 - h)
    return da, da.sum(0)


@kernel
def bias_softplus(a: Array, b: Array) -> Array:
    return softplus(a + b)


@kernel
def bias_softplus_backward(dh: Array, h: Array) -> Pair:
    da = dh * -np.expm1(-h)
    return da, da.sum(0)


@kernel
def bias_elu(a: Array, b: Array, alpha: float) -> Array:
    s = a + b
    return positive_part(s) + alpha * np.expm1(minimum(s, 0))


@kernel
def bias_elu_backward(dh: Array, h: Array, alpha: float) -> Pair:
    right = h.real > 0
    da = kept(dh, right) + kept(dh * (h + alpha), ~right)
    return da, da.sum(0)


@kernel
def bias_gelu(a: Array, b: Array) -> Pair:
    s = a + b
    return s * normal_cdf(s), s


@kernel
def bias_gelu_backward(dh: Array, s: Array) -> Pair:
    density = np.exp(-0.5 * (s * s + LOG_2PI))
    da = dh * (normal_cdf(s) + s * density)
    return da, da.sum(0)


@kernel
def bias_silu(a: Array, b: Array) -> Pair:
    s = a + b
    return s * sigmoid(s), s


@kernel
def bias_silu_backward(dh: Array, s: Array) -> Pair:
    g = sigmoid(s)
    da = dh * (g + s * g * (1 - g))
    return da, da.sum(0)

"""Matrix products, concatenation, and activations with their bias."""

from __future__ import annotations

import numpy as np

from ...core.numerics import (
    kept,
    maximum,
    minimum,
    normal_cdf,
    positive_part,
    sigmoid,
    softplus,
    unbroadcast,
)

LOG_2PI = float(np.log(2 * np.pi))

# Products by the method, which for a single row takes half the time of the operator.


def linear(x, W):
    """y = x Wᵀ.  x (R, I), W (O, I), y (R, O)."""
    return x.dot(W.T)


def linear_dx(dy, W):
    """dx = dy W."""
    return dy.dot(W)


def linear_dw(dy, x):
    """dW = dyᵀ x, which sums over the rows."""
    return dy.T.dot(x)


def add(a, b):
    """a + b, where two gradients of one variable meet."""
    return a + b


def concat(a, c):
    """[a, c] along the last axis; c (B, C) is repeated over the leading axes of a (..., B, A)."""
    return np.concatenate([a, np.broadcast_to(c, (*a.shape[:-1], c.shape[-1]))], axis=-1)


def concat_backward(dy, a_width, c_shape):
    return dy[..., :a_width], unbroadcast(dy[..., a_width:], c_shape)


def take_columns(x, columns):
    """Some columns of data x (B, D), in this order."""
    return x.take(np.asarray(columns, np.intp), axis=-1)


# Bias and activation: a (R, H) is a product, b (H,) its bias; backward gives da (R, H), db (H,).
# b[None], since to broadcast (H,) over (1, H) takes twice as long as the sum of a single row.


def bias_identity(a, b):
    return a + b[None]


def bias_identity_backward(dh):
    return dh, dh.sum(0)


def bias_relu(a, b):
    return maximum(a + b[None], 0)


def bias_relu_backward(dh, h):
    da = kept(dh, h.real > 0)
    return da, da.sum(0)


def bias_leaky_relu(a, b, slope):
    s = a + b[None]
    return positive_part(s) + slope * minimum(s, 0)


def bias_leaky_relu_backward(dh, h, slope):
    right = h.real > 0
    da = kept(dh, right) + kept(slope * dh, ~right)
    return da, da.sum(0)


def bias_tanh(a, b):
    return np.tanh(a + b[None])


def bias_tanh_backward(dh, h):
    da = dh * (1 - h) * (1 + h)
    return da, da.sum(0)


def bias_sigmoid(a, b):
    return sigmoid(a + b[None])


def bias_sigmoid_backward(dh, h):
    da = dh * h * (1 - h)
    return da, da.sum(0)


def bias_softplus(a, b):
    return softplus(a + b[None])


def bias_softplus_backward(dh, h):
    da = dh * -np.expm1(-h)
    return da, da.sum(0)


def bias_elu(a, b, alpha):
    s = a + b[None]
    return positive_part(s) + alpha * np.expm1(minimum(s, 0))


def bias_elu_backward(dh, h, alpha):
    right = h.real > 0
    da = kept(dh, right) + kept(dh * (h + alpha), ~right)
    return da, da.sum(0)


def bias_gelu(a, b):
    s = a + b[None]
    return s * normal_cdf(s), s


def bias_gelu_backward(dh, s):
    density = np.exp(-0.5 * (s * s + LOG_2PI))
    da = dh * (normal_cdf(s) + s * density)
    return da, da.sum(0)


def bias_silu(a, b):
    s = a + b[None]
    return s * sigmoid(s), s


def bias_silu_backward(dh, s):
    g = sigmoid(s)
    da = dh * (g + s * g * (1 - g))
    return da, da.sum(0)

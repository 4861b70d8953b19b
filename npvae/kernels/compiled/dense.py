"""Activations with their bias."""

from __future__ import annotations

import math

import numpy as np

from .options import kernel, logistic


@kernel
def bias_identity(a, b):
    h = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            h[i, j] = a[i, j] + b[j]
    return h


@kernel
def bias_identity_backward(dh):
    db = np.zeros(dh.shape[1], dh.dtype)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            db[j] += dh[i, j]
    return dh, db


@kernel
def bias_relu(a, b):
    h = np.empty_like(a)
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = a[i, j] + b[j]
            h[i, j] = zero if s <= zero else s  # in this order NaN passes through
    return h


@kernel
def bias_relu_backward(dh, h):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    zero = dh.dtype.type(0)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] if h[i, j] > zero else zero
            da[i, j] = d
            db[j] += d
    return da, db


@kernel
def bias_leaky_relu(a, b, slope):
    h = np.empty_like(a)
    slope = a.dtype.type(slope)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = a[i, j] + b[j]
            h[i, j] = s if s > 0 else slope * s
    return h


@kernel
def bias_leaky_relu_backward(dh, h, slope):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    slope = dh.dtype.type(slope)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] if h[i, j] > 0 else slope * dh[i, j]
            da[i, j] = d
            db[j] += d
    return da, db


@kernel
def bias_tanh(a, b):
    h = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            h[i, j] = math.tanh(a[i, j] + b[j])
    return h


@kernel
def bias_tanh_backward(dh, h):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    one = dh.dtype.type(1)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] * (one - h[i, j]) * (one + h[i, j])
            da[i, j] = d
            db[j] += d
    return da, db


@kernel
def bias_sigmoid(a, b):
    h = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            h[i, j] = logistic(a[i, j] + b[j])
    return h


@kernel
def bias_sigmoid_backward(dh, h):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    one = dh.dtype.type(1)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] * h[i, j] * (one - h[i, j])
            da[i, j] = d
            db[j] += d
    return da, db


@kernel
def bias_softplus(a, b):
    h = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = a[i, j] + b[j]
            h[i, j] = (s if s > 0 else a.dtype.type(0)) + math.log1p(math.exp(-abs(s)))
    return h


@kernel
def bias_softplus_backward(dh, h):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] * -math.expm1(-h[i, j])
            da[i, j] = d
            db[j] += d
    return da, db


@kernel
def bias_elu(a, b, alpha):
    h = np.empty_like(a)
    alpha = a.dtype.type(alpha)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = a[i, j] + b[j]
            h[i, j] = s if s > 0 else alpha * math.expm1(s)
    return h


@kernel
def bias_elu_backward(dh, h, alpha):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    alpha = dh.dtype.type(alpha)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            d = dh[i, j] if h[i, j] > 0 else dh[i, j] * (h[i, j] + alpha)
            da[i, j] = d
            db[j] += d
    return da, db


@kernel
def bias_gelu(a, b):
    h, s = np.empty_like(a), np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            v = a[i, j] + b[j]
            s[i, j] = v
            h[i, j] = v * (0.5 * math.erfc(-v * math.sqrt(0.5)))
    return h, s


@kernel
def bias_gelu_backward(dh, s):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    log_2pi = math.log(2 * math.pi)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            v = s[i, j]
            density = math.exp(-0.5 * (v * v + log_2pi))
            d = dh[i, j] * (0.5 * math.erfc(-v * math.sqrt(0.5)) + v * density)
            da[i, j] = d
            db[j] += d
    return da, db


@kernel
def bias_silu(a, b):
    h, s = np.empty_like(a), np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            v = a[i, j] + b[j]
            s[i, j] = v
            h[i, j] = v * logistic(v)
    return h, s


@kernel
def bias_silu_backward(dh, s):
    da, db = np.empty_like(dh), np.zeros(dh.shape[1], dh.dtype)
    one = dh.dtype.type(1)
    for i in range(dh.shape[0]):
        for j in range(dh.shape[1]):
            g = logistic(s[i, j])
            d = dh[i, j] * (g + s[i, j] * g * (one - g))
            da[i, j] = d
            db[j] += d
    return da, db

"""The update."""

from __future__ import annotations

import math

import numpy as np

from .options import exact_kernel


@exact_kernel
def adam(theta, g, m, v, step_size, beta1, beta2, eps, root, decay):
    real = theta.dtype.type
    zero, tiny = real(0), np.finfo(theta.dtype).tiny
    rest1, rest2 = real(1 - beta1), real(1 - beta2)  # before rounding: 1 - 0.999 cancels
    step_size, beta1, beta2 = real(step_size), real(beta1), real(beta2)
    eps, inverse_root, decay = real(eps), real(1 / root), real(decay)
    for i in range(theta.size):
        mi = beta1 * m[i] + rest1 * g[i]
        vi = beta2 * v[i] + rest2 * g[i] * g[i]
        mi = zero if abs(mi) < tiny else mi
        vi = zero if vi < tiny else vi
        m[i], v[i] = mi, vi
        theta[i] -= decay * theta[i] + step_size * mi / (math.sqrt(vi) * inverse_root + eps)

"""The kernels of npvae/kernels/training.py."""

from __future__ import annotations

import numpy as np

from .case import Kernel
from .domains import positive


def adam_terms(theta, g, m, v, step_size, beta1, beta2, eps, root, decay):
    m_terms = np.abs(beta1 * m) + np.abs((1 - beta1) * g)
    v_new = beta2 * v + (1 - beta2) * g * g
    return np.abs(theta) + step_size * m_terms / (np.sqrt(v_new) / root + eps), m_terms, None


ADAM = dict(
    step_size=0.0625, beta1=0.9, beta2=0.999, eps=1e-8, root=(1 - 0.999**3) ** 0.5, decay=1e-4
)

KERNELS = {
    "mean_loss": Kernel(
        dict(log_px="KB"),
        0.01,
        dict(weights=None),
        wide=("log_px",),
        doubles=True,
        needs_rows=True,
    ),
    "kl_loss": Kernel(
        dict(kl="1BZ"),
        0.5,
        dict(beta=0.7, free_bits=0.5, weights=None, group=2),
        doubles=True,
        needs_rows=True,
    ),
    "sampled_kl_loss": Kernel(
        dict(log_qz="KB", log_pz="KB"),
        0.01,
        dict(beta=0.7, weights=None, free_bits=0.0),
        wide=("log_qz", "log_pz"),
        doubles=True,
        needs_rows=True,
    ),
    "weighted_loss": Kernel(
        dict(rec="1", kl="1"), 0.01, dict(beta=0.7), wide=("rec", "kl"), doubles=True
    ),
    "iwae": Kernel(
        dict(log_px="KB", log_pz="KB", log_qz="KB"),
        0.01,
        dict(weights=None),
        wide=("log_px", "log_pz", "log_qz"),
        doubles=True,
        needs_rows=True,
    ),
    "power_means": Kernel(
        dict(log_px="KB", log_pz="KB", log_qz="KB"),
        0.01,
        dict(power=0.7, groups=1, share=0.25, weights=None),
        wide=("log_px", "log_pz", "log_qz"),
        doubles=True,
        needs_rows=True,
    ),
    "importance_weights": Kernel(
        dict(log_px="KB", log_pz="KB", log_qz="KB"),
        0.01,
        wide=("log_px", "log_pz", "log_qz"),
        doubles=True,
    ),
    "adam": Kernel(
        dict(theta="N", g="N", m="N", v="N"),
        4,
        ADAM,
        scales=adam_terms,
        domain={"v": positive},
        writes=("theta", "m", "v"),
    ),
}

"""The kernels of npvae/kernels/images.py."""

from __future__ import annotations

import numpy as np

from npvae import kernels

from .case import Kernel
from .domains import constant

POOL = dict(taps=(3, 2), stride=(2, 1))

MATRICES = constant(np.linspace(-1, 2, 15).reshape(3, 5)), constant(np.eye(6, 4) - 0.25)

KERNELS = {
    "resample": Kernel(
        dict(x="REFI"),
        8,
        dict(down=lambda n: MATRICES[0], along=lambda n: MATRICES[1]),
        scales=lambda x, *m: (kernels.resample(np.abs(x), *map(np.abs, m)),),
    ),
    "max_pool": Kernel(dict(x="REFI"), 0, POOL),
    "max_pool_backward": Kernel(
        dict(dy="RVUI", x="REFI", y="RVUI"),
        4,
        POOL,
        hides=("dy", "x", "y"),
        scales=lambda dy, *rest: (kernels.max_pool_backward(np.abs(dy), *rest),),
    ),
}

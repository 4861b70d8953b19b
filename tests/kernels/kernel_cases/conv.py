"""The kernels of npvae/kernels/conv.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from npvae import kernels

from .case import Array, Kernel


def magnitudes(kernel: Callable[..., Array]) -> Callable[..., tuple[Array]]:
    """Of the products that a kernel with two factors sums."""
    return lambda a, b, *constants: (kernel(np.abs(a), np.abs(b), *constants),)


WINDOW = dict(stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=1)

KERNELS = {
    "conv2d": Kernel(dict(x="REFI", weight="OGJI"), 8, WINDOW, scales=magnitudes(kernels.conv2d)),
    "conv2d_dx": Kernel(
        dict(dy="RUVO", weight="OGJI"),
        8,
        dict(size=(5, 4)) | WINDOW,
        scales=magnitudes(kernels.conv2d_dx),
    ),
    "conv2d_dw": Kernel(
        dict(dy="RUVO", x="REFI"),
        8,
        dict(taps=(3, 2)) | WINDOW,
        scales=magnitudes(kernels.conv2d_dw),
    ),
    "stack_channels": Kernel(dict(x="RT"), 0, dict(pixels=lambda n: n["D"], channels=(1, 2))),
    "unstack_channels": Kernel(dict(y="RT"), 0, dict(pixels=lambda n: n["D"], channels=(2, 1))),
}

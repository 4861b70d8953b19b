"""Convolutions of every kind of window, drawn by their numbers: a grid for proofs and witnesses."""

from __future__ import annotations

import numpy as np

from npvae.core import bind, n_parameters
from npvae.core.errors import ConfigError
from npvae.layers import Conv2d, ConvTranspose2d

N_SHAPES = 220


def convolution(number, transposed):
    """(layer, images as rows): odd and even sizes, strides, paddings, dilations, groups."""
    for attempt in range(1000):
        rng = np.random.default_rng([number, transposed, attempt])

        def pair(low, high, rng=rng):
            return tuple(rng.integers(low, high + 1, 2).tolist())

        groups = int(rng.choice([1, 1, 2, 3]))
        n_in, n_out = (groups * int(rng.integers(1, 4)) for _ in range(2))
        if groups > 1 and rng.random() < 0.4:
            n_in = groups  # depthwise
        window = dict(
            kernel=pair(1, 4), stride=pair(1, 3), padding=pair(0, 2), dilation=pair(1, 2),
            groups=groups, activation="tanh", bias=("channel", "pixel")[number % 3 == 0],
        )  # fmt: skip
        if transposed:
            window["output_padding"] = [int(rng.integers(s)) for s in window["stride"]]
        try:
            kind = ConvTranspose2d if transposed else Conv2d
            part = kind((*pair(1, 7), n_in), n_out, **window)
        except ConfigError:  # no such window
            continue
        if part.n_out <= 300:
            bind(part, rng.normal(0, 0.5, n_parameters(part)))
            return part, rng.normal(size=(2, part.n_in))
    raise AssertionError("no window in a thousand fits")

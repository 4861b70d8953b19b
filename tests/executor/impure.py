"""Parts of a user's own: such as only compose kernels, and such as do more."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import numpy as np

import npvae as nv
from npvae import kernels as k
from npvae.layers import Activation, Dense


class Tanh(Activation, abstract=True):
    def forward(self, a, b):
        h = k.bias_tanh(a, b)
        return h, h

    def backward(self, h, dh):
        return k.bias_tanh_backward(dh, h)


class TwiceEncoded(nv.VAE, abstract=True):
    """Encodes the encoder's features once more, by a layer of its own."""

    def __init__(self, *arguments, **options):
        self.twice = Dense(5, 5, "tanh")
        super().__init__(*arguments, **options)

    def _encoder_input(self, x, context):
        return self.twice.forward(x)[0]


@dataclass
class Knobs:
    slope: float = 0.3
    table: tuple = (1, 2, [3])


class Plain(Activation, abstract=True):
    """Leaky, with a slope that it looks up in what it holds."""

    def __init__(self):
        self.knobs, self.names = Knobs(), {"kind": [("leaky", None)]}
        self.lock_free, self.draws = frozenset({1}), np.random.default_rng(3)

    def forward(self, a, b):
        h = k.bias_leaky_relu(a, b, self.knobs.slope)
        return h, h

    def backward(self, h, dh):
        return k.bias_leaky_relu_backward(dh, h, self.knobs.slope)


class Counting(Tanh, abstract=True):
    def __init__(self):
        self.n = 0

    def forward(self, a, b):
        self.n += 1
        return super().forward(a, b)


class Listing(Tanh, abstract=True):
    def __init__(self):
        self.kept = ({"shapes": []},)

    def backward(self, h, dh):
        self.kept[0]["shapes"].append(dh.shape)
        return super().backward(h, dh)


class Writing(Tanh, abstract=True):
    def __init__(self):
        self.seen = np.zeros(3)

    def forward(self, a, b):
        self.seen[1] += 1
        return super().forward(a, b)


class InAnObject(Tanh, abstract=True):
    def __init__(self):
        self.knobs = Knobs()

    def forward(self, a, b):
        self.knobs.slope += 1
        return super().forward(a, b)


class InAClosure(Tanh, abstract=True):
    """Counts in a variable of the function that made its own."""

    def __init__(self):
        n = 0

        def count():
            nonlocal n
            n += 1

        self.count = count

    def forward(self, a, b):
        self.count()
        return super().forward(a, b)


class Drawing(Tanh, abstract=True):
    """With a generator of its own, whose numbers change nothing."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, a, b):
        self.rng.random()
        return super().forward(a, b)


class Global(Tanh, abstract=True):
    def forward(self, a, b):
        np.random.rand()  # noqa: NPY002
        return super().forward(a, b)


class Pythons(Tanh, abstract=True):
    def backward(self, h, dh):
        random.random()
        return super().backward(h, dh)


class Remembering(Tanh, abstract=True):
    """Keeps on itself what backward needs."""

    def forward(self, a, b):
        self.h = k.bias_tanh(a, b)
        return self.h, None

    def backward(self, cache, dh):
        return k.bias_tanh_backward(dh, self.h)


TICKS = itertools.count()


class Ticking(Tanh, abstract=True):
    """Hands a kernel a number that is another each time, though it computes the same."""

    def forward(self, a, b):
        h = k.bounded(k.bias_tanh(a, b), -1e6, 1e6 + next(TICKS))
        return h, h

    def backward(self, h, dh):
        return k.bias_tanh_backward(dh, h)


class Alternating(Tanh, abstract=True):
    """Takes another way at every third call, of which a step makes two."""

    def forward(self, a, b):
        h = k.bias_tanh(a, b)
        return (k.bounded(h, -1e6, 1e6) if next(TICKS) % 3 else h), h


IMPURE = {
    Counting: "its attribute n changes",
    Listing: "its attribute kept changes",
    Writing: "its attribute seen changes",
    InAnObject: "its attribute knobs changes",
    InAClosure: "its attribute count changes",
    Drawing: "its attribute rng changes",
    Global: "draws from global random numbers",
    Pythons: "draws from global random numbers",
    Remembering: "its attribute h changes",
    Ticking: "differ from batch to batch",
    Alternating: "differ from batch to batch",
}

"""What is trained: networks by their shapes, the arithmetic of a step, and the rows."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

DATA = ("mnist", "digits", "random")
SIDE = 64
"""Of the faces, which are cut to squares and shrunk."""
N_CLASSES, LABELLED = 10, 100
"""Of the families that know labels; a row in so many has its own, where few are known."""
N_FLOWS = {"planar": 16, "iaf": 4}
Z_ABOVE = 10
"""Dimensions of the upper of two levels."""


@dataclass(frozen=True)
class Net:
    """A VAE with a Bernoulli likelihood, and how it is trained.

    With `channels` it is convolutional, of square grey images: a window of 4 x 4 halves the image
    for each of them, and the decoder is the mirror image.
    """

    x_dim: int
    hidden: tuple[int, ...]
    z_dim: int
    batch: int = 128
    samples: int = 1
    activation: str = "relu"
    channels: tuple[int, ...] = ()

    @property
    def side(self) -> int:
        """Height and width of the images."""
        return math.isqrt(self.x_dim)

    @property
    def images(self) -> list[tuple[int, int, int]]:
        """(height, width, channels) of the image and of what each convolution makes of it."""
        sides = [self.side >> i for i in range(len(self.channels) + 1)]
        return [(s, s, c) for s, c in zip(sides, (1, *self.channels), strict=True)]

    @property
    def widths(self) -> str:
        if self.channels:
            return f"{self.side} x {self.side}, channels {self.channels}, z {self.z_dim}"
        return "-".join(map(str, (self.x_dim, *self.hidden, self.z_dim)))

    def __str__(self) -> str:
        return f"{self.widths} {self.activation}, batch {self.batch}, K = {self.samples}"

    def products(self) -> list[tuple[int, int, int]]:
        """(rows, inputs, outputs) of each dense layer; the decoder sees K rows for each one.

        The encoder ends in mean and log-variance, hence 2Z; the decoder mirrors its widths.
        """
        encoder = (self.x_dim, *self.hidden, 2 * self.z_dim)
        decoder = (self.z_dim, *self.hidden[::-1], self.x_dim)
        repeated = self.batch * self.samples
        return [(self.batch, m, n) for m, n in pairwise(encoder)] + [
            (repeated, m, n) for m, n in pairwise(decoder)
        ]

    def convolutions(self) -> list[int]:
        """The multiply-adds of each layer forward, without what padding is multiplied with.

        Along an axis each of the s/2 places meets four taps, but the first and the last, three.
        """
        met = [
            self.batch * (2 * s - 2) ** 2 * c * d for (s, _, c), (_, _, d) in pairwise(self.images)
        ]
        flat = self.batch * self.z_dim * math.prod(self.images[-1])
        return [*met, 2 * flat, flat, *met[::-1]]

    def flop(self) -> int:
        """Floating-point operations of the matrix products of one training step.

        A layer of R rows, m inputs and n outputs takes 2Rmn each for its output, its weights'
        gradient and its input's gradient; the first layer's input is data and needs no gradient.
        """
        dense = [rows * m * n for rows, m, n in self.products()]
        forward = [2 * n for n in (self.convolutions() if self.channels else dense)]
        return 3 * sum(forward) - forward[0]

    @classmethod
    def parse(cls, text: str) -> Net:
        """A net by its name in `NETS`, or by its widths: 784-200-200-50."""
        if text in NETS:
            return NETS[text]
        try:
            x_dim, *hidden, z_dim = (int(width) for width in text.split("-"))
        except ValueError:
            known = ", ".join(NETS)
            raise ValueError(
                f"a net is one of {known}, or widths such as 784-400-20; got {text!r}"
            ) from None
        return cls(x_dim, tuple(hidden), z_dim)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Net:
        """The net that `dataclasses.asdict` and JSON made of one."""
        both = {name: tuple(fields[name]) for name in ("hidden", "channels")}
        return cls(**{**fields, **both})


NETS = {
    "ref": Net(784, (400,), 20),
    "small": Net(30, (64,), 8, batch=64),
    "k50": Net(784, (200, 200), 50, batch=20, samples=50, activation="tanh"),
    "wide": Net(784, (1000, 500), 50, batch=512),
    "wider": Net(2000, (2000,), 100, batch=1024),
}


IMAGES = {
    "mnist": (Net(784, (), 20, channels=(32, 64)), "mnist"),
    "faces": (Net(SIDE**2, (), 32, batch=64, channels=(32, 64, 128, 256)), "faces"),
}
"""Convolutional nets, and what they are trained on."""


def on_data(net: Net, data: str) -> tuple[Net, str]:
    """The net for these data, and the data for this net: other widths than MNIST's are random."""
    if net.x_dim != 784:
        return net, "random"
    return (replace(net, x_dim=64), data) if data == "digits" else (net, data)


def whole_batches(net: Net, rows: int) -> int:
    """The rows of an epoch without a short last batch, which peers would treat differently."""
    return max(1, rows // net.batch) * net.batch


def mnist_folder() -> Path:
    """Where MNIST is; raises `FileNotFoundError` with what to do about it."""
    if not os.environ.get("NPVAE_DATA"):
        raise FileNotFoundError(
            "the environment variable NPVAE_DATA is not set; set it to the folder that holds "
            "mnist/ with the four IDX files"
        )
    folder = Path(os.environ["NPVAE_DATA"], "mnist")
    if not folder.is_dir():
        raise FileNotFoundError(f"NPVAE_DATA names a folder without mnist/: {folder} is missing")
    return folder


def faces_file() -> Path:
    """Where the faces are; raises `FileNotFoundError` with what to do about it."""
    path = Path(os.environ.get("NPVAE_DATA", ""), "orl_faces.npz")
    if not path.is_file():
        raise FileNotFoundError(
            "the environment variable NPVAE_DATA names no folder that holds orl_faces.npz; set it "
            "to one that does"
        )
    return path


def faces() -> np.ndarray:
    """The 400 faces of the ORL set as bytes (N, SIDE²): the middle square, each pixel a mean."""
    with np.load(faces_file()) as archive:
        x = archive["X"]
    top = (x.shape[1] - x.shape[2]) // 2
    square = x[:, top : top + x.shape[2]].astype(np.float64)
    edges = np.linspace(0, square.shape[1], SIDE + 1)
    pixels = np.arange(square.shape[1])
    # How much of each pixel of the square lies in each of the small image.
    share = np.clip(
        np.minimum(pixels[:, None] + 1, edges[1:]) - np.maximum(pixels[:, None], edges[:-1]), 0, 1
    )
    small = share.T @ square @ share / (edges[1] * edges[1])
    return np.rint(small).astype(np.uint8).reshape(len(x), -1)


def load(data: str, x_dim: int, rows: int) -> np.ndarray:
    """That many rows of `data`: MNIST as bytes, the others as float32 in [0, 1].

    Data that have fewer are repeated.
    """
    import npvae as nv

    if data == "random":
        return np.random.default_rng(0).random((rows, x_dim), dtype=np.float32)
    if data == "digits":
        x = nv.datasets.digits()[0].astype(np.float32)
    elif data == "faces":
        x = faces()
    else:
        x = nv.datasets.load(mnist_folder(), "train")[0]
    return x[:rows] if rows <= len(x) else np.resize(x, (rows, x.shape[1]))


def load_labels(data: str, family: str, rows: int) -> np.ndarray:
    """The labels of these rows; for a semi-supervised model all but a few are -1, unknown."""
    import npvae as nv

    if data == "random":
        y = np.random.default_rng(1).integers(N_CLASSES, size=rows)
    else:
        y = (
            nv.datasets.digits()[1]
            if data == "digits"
            else nv.datasets.load(mnist_folder(), "train")[1]
        )
    y = np.resize(y, rows).astype(int)
    if family == "semi":
        y[np.arange(rows) % LABELLED != 0] = -1
    return y


def floats(x: np.ndarray) -> np.ndarray:
    """Bytes as frameworks are fed them: float32 in [0, 1]."""
    return np.divide(x, 255, dtype=np.float32) if x.dtype == np.uint8 else x

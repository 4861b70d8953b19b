"""The pictures of one model, as `npvae train` and the commands after it draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plots
from ..models.walks import along, between
from .inputs import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray


class Gallery:
    """Draws what a model makes of data.

    Rows are images where `image_shape` says so; otherwise `columns` are their columns' names.
    """

    shown = 10
    """Rows in a picture of reconstructions."""

    def __init__(
        self, model: Any, image_shape: plots.Shape, columns: list[str] | None = None
    ) -> None:
        self.model = model
        self.image_shape = image_shape
        self.columns = columns
        self.value_range: plots.Range = (0, 1) if model.likelihood.unit_interval else None

    def new(self, n: int, seed: int) -> Array:
        """New examples (n, D)."""
        return self.model.sample(n, seed)

    def decode(self, z: Array) -> Array:
        """What latent vectors z (N, Z) stand for, (N, D)."""
        return self.model.decode(z)

    def remade(self, x: Array) -> Array:
        """The reconstructions of x (N, D)."""
        return self.decode(self.model.centres(x)[0])

    def samples(self, samples: Array, x: Array | None = None) -> Figure:
        """New examples (n, D): images, or their columns beside those of data x."""
        if self.image_shape is None:
            x = None if x is None else self._as_seen(x)
            return plots.columns(x, samples, self.columns, label="samples: means of p(x given z)")
        x = None if x is None else self._as_seen(x[draw(len(x), len(samples), 0)])
        return plots.image_grid(samples, self.image_shape, value_range=self.value_range, data=x)

    def reconstructions(self, x: Array, x_hat: Array) -> Figure:
        """Rows x (n, D) beside their reconstructions."""
        return plots.reconstructions(
            self._as_seen(x),
            x_hat,
            self.image_shape,
            n=len(x),
            value_range=self.value_range,
            names=self.columns,
        )

    def interpolation(self, walks: Array, ends: Array) -> Figure:
        """Decoded walks (pairs, steps, D) between rows (pairs, 2, D)."""
        ends = self._as_seen(ends.reshape(-1, ends.shape[-1])).reshape(ends.shape)
        return plots.interpolation(
            walks, self.image_shape, self.value_range, self.columns, ends=ends
        )

    def traversal(self, decoded: Array, dims: list[int], values: Array) -> Figure:
        """What rows become along some latent dimensions, (I, V, D)."""
        return plots.traversal(
            decoded, self.image_shape, dims, values, self.value_range, self.columns
        )

    @property
    def has_manifold(self) -> bool:
        return self.image_shape is not None and self.model.z_dim == 2

    def manifold(self) -> Figure:
        """All of a two-dimensional latent space, decoded."""
        return plots.manifold(self.model.decode, self.image_shape, value_range=self.value_range)

    def _as_seen(self, x: Array) -> Array:
        """Rows on the scale of the model's output: bytes divided as they were for training."""
        return self.model.reader(x).batch(slice(None))


def walks(
    gallery: Gallery, x: Array, pairs: int, steps: int, seed: int, spherical: bool = False
) -> tuple[Array, Array]:
    """Decode lines or arcs between posterior centres of random pairs of rows, (pairs, steps, D).

    With them come the rows at their ends, (pairs, 2, D).
    """
    rng = np.random.default_rng(seed)
    ends = np.array([rng.choice(len(x), 2, replace=False) for _ in range(pairs)])
    centres = gallery.model.centres(x[ends.ravel()])[0]
    z = between(centres[::2], centres[1::2], steps, spherical)
    decoded = gallery.decode(z.reshape(pairs * steps, -1)).reshape(pairs, steps, -1)
    return decoded, x[ends]


def traversals(gallery: Gallery, z: Array, dims: list[int], values: Array) -> Array:
    """What a latent vector z (Z,) stands for with each of I dimensions at each value, (I, V, D)."""
    walked = along(z[None], dims, values)[0]
    decoded = gallery.decode(walked.reshape(-1, len(z)))
    return decoded.reshape(*walked.shape[:2], -1)

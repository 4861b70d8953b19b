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

    def new(self, n: int, seed: int, context: Any = None) -> Array:
        """New examples (n, D)."""
        return self.model.sample(n, seed, context)

    def decode(self, z: Array, context: Any = None) -> Array:
        """What latent vectors z (N, Z) stand for, (N, D)."""
        return self.model.decode(z, context)

    def remade(self, x: Array, context: Any = None) -> Array:
        """The reconstructions of x (N, D)."""
        return self.decode(self.model.centres(x, context)[0], context)

    def samples(self, samples: Array, x: Array | None = None) -> Figure:
        """New examples (n, D): images, or their columns beside those of data x."""
        if self.image_shape is None:
            x = None if x is None else self._as_seen(x)
            return plots.columns(x, samples, self.columns, label="samples: means of p(x given z)")
        x = None if x is None else self._as_seen(x[draw(len(x), len(samples), 0)])
        return plots.image_grid(samples, self.image_shape, value_range=self.value_range, data=x)

    def reconstructions(self, x: Array, x_hat: Array, context: Any = None) -> Figure:
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

    def attribute(self, decoded: Array, strengths: Array, called: list[str]) -> Figure:
        """What rows become on their way to an attribute, (N, S, D)."""
        return plots.attribute(
            decoded, self.image_shape, strengths, called, self.value_range, self.columns
        )

    @property
    def has_manifold(self) -> bool:
        return self.image_shape is not None and self.model.z_dim == 2 and not self.model.context_dim

    def manifold(self) -> Figure:
        """All of a two-dimensional latent space, decoded."""
        return plots.manifold(self.model.decode, self.image_shape, value_range=self.value_range)

    def _as_seen(self, x: Array) -> Array:
        """Rows on the scale of the model's output: bytes divided as they were for training."""
        return self.model.reader(x).batch(slice(None))


def walks(
    gallery: Gallery,
    x: Array,
    pairs: int,
    steps: int,
    seed: int,
    spherical: bool = False,
    context: Any = None,
) -> tuple[Array, Array]:
    """Decode lines or arcs between posterior centres of random pairs of rows, (pairs, steps, D).

    With them come the rows at their ends, (pairs, 2, D). A context goes from one's to the other's.
    """
    rng = np.random.default_rng(seed)
    ends = np.array([rng.choice(len(x), 2, replace=False) for _ in range(pairs)])
    at_ends = None if context is None else gallery.model.condition.rows(context[ends.ravel()])
    centres = gallery.model.centres(x[ends.ravel()], at_ends)[0]
    z = between(centres[::2], centres[1::2], steps, spherical)
    on_the_way = None
    if at_ends is not None:
        on_the_way = between(at_ends[::2], at_ends[1::2], steps).reshape(pairs * steps, -1)
    decoded = gallery.decode(z.reshape(pairs * steps, -1), on_the_way).reshape(pairs, steps, -1)
    return decoded, x[ends]


def traversals(
    gallery: Gallery, z: Array, dims: list[int], values: Array, context: Any = None
) -> Array:
    """What a latent vector z (Z,) stands for with each of I dimensions at each value, (I, V, D).

    A context is one row, that of all of them.
    """
    walked = along(z[None], dims, values)[0]
    contexts = None if context is None else np.repeat(context, len(dims), axis=0)
    return _steps(gallery, walked, contexts)


def towards(
    gallery: Gallery, z: Array, vector: Array, strengths: Array, context: Any = None
) -> Array:
    """What latent vectors z (N, Z) stand for with a vector (Z,) added S times as strong, (N, S, D).

    A context has a row for each of them.
    """
    return _steps(gallery, z[:, None] + strengths[:, None].astype(z.dtype) * vector, context)


def _steps(gallery: Gallery, z: Array, context: Any) -> Array:
    """Latent vectors (N, S, Z), decoded with a context of N rows: (N, S, D)."""
    n, steps, width = z.shape
    contexts = None
    if context is not None:
        contexts = np.repeat(gallery.model.condition.rows(context), steps, axis=0)
    return gallery.decode(z.reshape(-1, width), contexts).reshape(n, steps, -1)

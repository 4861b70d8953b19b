"""The pictures of one model, as `npvae train` and the commands after it draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray


class Gallery:
    """Draws what a model makes of data; rows are images where `image_shape` says so."""

    def __init__(self, model: Any, image_shape: plots.Shape) -> None:
        self.model = model
        self.image_shape = image_shape
        self.value_range: plots.Range = (0, 1) if model.likelihood.unit_interval else None

    def samples(self, samples: Array, x: Array | None = None) -> Figure:
        """New examples (n, D): images, or the range of every column beside that of data x."""
        if self.image_shape is None:
            return _column_ranges(samples, None if x is None else self._as_seen(x))
        return plots.image_grid(samples, self.image_shape, value_range=self.value_range)

    def reconstructions(self, x: Array, x_hat: Array) -> Figure:
        """Rows x (n, D) beside their reconstructions."""
        return plots.reconstructions(
            self._as_seen(x), x_hat, self.image_shape, n=len(x), value_range=self.value_range
        )

    def interpolation(self, walks: Array) -> Figure:
        """Decoded walks (pairs, steps, D)."""
        return plots.interpolation(walks, self.image_shape, self.value_range)

    def latent(self, mu: Array, labels: Array | None) -> Figure:
        """Posterior means (N, Z)."""
        return plots.latent(mu, labels)

    @property
    def has_manifold(self) -> bool:
        return self.image_shape is not None and self.model.z_dim == 2

    def manifold(self) -> Figure:
        """All of a two-dimensional latent space, decoded."""
        return plots.manifold(self.model.decode, self.image_shape, value_range=self.value_range)

    def _as_seen(self, x: Array) -> Array:
        """Rows on the scale of the model's output: bytes divided as they were for training."""
        return self.model.reader(x).batch(slice(None))


@plots._house_style()
def _column_ranges(samples: Array, x: Array | None) -> Figure:
    """Where the middle nine tenths of every column lie, of samples and of data."""
    figure = plots._figure(7.5, 3.4)
    axes = figure.subplots()
    column = np.arange(samples.shape[1])
    for rows, name, colour in ((x, "data", plots.INK), (samples, "samples", plots.ORANGE)):
        if rows is not None:
            low, median, high = np.quantile(rows, (0.05, 0.5, 0.95), axis=0)
            marker = "o" if len(column) <= 60 else ""
            axes.fill_between(column, low, high, color=colour, alpha=0.2, linewidth=0, step="mid")
            axes.plot(column, median, color=colour, linewidth=1, marker=marker, markersize=3.5,
                label=name)  # fmt: skip
    if x is not None and x.min() >= 0 and x.max() > 50 * x.mean():  # counts, say
        axes.set_yscale("symlog")
    axes.set(title="Samples from the prior: medians, and from 5 % to 95 %", xlabel="feature")
    axes.set_ylabel("value")
    axes.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside upper right", ncols=2)
    return figure


def walks(model: Any, x: Array, pairs: int, steps: int, seed: int) -> Array:
    """Decode straight lines between posterior means of random pairs of rows, (pairs, steps, D)."""
    rng = np.random.default_rng(seed)
    ends = [rng.choice(len(x), 2, replace=False) for _ in range(pairs)]
    mu, _ = model.encode(x[np.ravel(ends)])
    start, end = mu.reshape(pairs, 2, 1, -1).swapaxes(0, 1)
    t = np.linspace(0, 1, steps, dtype=mu.dtype)[:, None]
    z = (1 - t) * start + t * end
    return model.decode(z.reshape(pairs * steps, -1)).reshape(pairs, steps, -1)

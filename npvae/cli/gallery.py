"""The pictures of one model, as `npvae train` and the commands after it draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray

_MOST_COLUMNS = 60
"""That can be told apart side by side."""


class Gallery:
    """Draws what a model makes of data; rows are images where `image_shape` says so."""

    def __init__(self, model: Any, image_shape: plots.Shape) -> None:
        self.model = model
        self.image_shape = image_shape
        self.value_range: plots.Range = (0, 1) if model.likelihood.unit_interval else None

    def samples(self, samples: Array, x: Array | None = None) -> Figure:
        """New examples (n, D): images, or their columns beside those of data x."""
        if self.image_shape is None:
            return _columns(samples, None if x is None else self._as_seen(x))
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
def _columns(samples: Array, x: Array | None) -> Figure:
    """Samples and data, column by column; of many columns the means alone."""
    if x is not None and samples.shape[1] > _MOST_COLUMNS:
        return _column_means(samples, x)
    from matplotlib.ticker import MaxNLocator

    figure = plots._figure(7.5, 3.4)
    axes = figure.subplots()
    column = np.arange(samples.shape[1])
    style = "o-" if len(column) <= _MOST_COLUMNS else "-"
    for rows, name, colour in (
        (x, "data", plots.INK),
        (samples, "samples: means of p(x given z)", plots.ORANGE),
    ):
        if rows is not None:
            low, median, high = np.quantile(rows, (0.05, 0.5, 0.95), axis=0)
            axes.fill_between(column, low, high, color=colour, alpha=0.2, linewidth=0, step="mid")
            axes.plot(column, median, style, c=colour, markersize=3.5, linewidth=1, label=name)
    axes.set(title="Samples from the prior: median, and 5 % to 95 %", xlabel="feature")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper right", ncols=2)
    return figure


def _column_means(samples: Array, x: Array) -> Figure:
    figure = plots._figure(4.6, 4.6)
    axes = figure.subplots()
    data, drawn = x.mean(0, dtype=float), samples.mean(0, dtype=float)
    ends = [min(data.min(), drawn.min()), max(data.max(), drawn.max())]
    axes.plot(ends, ends, color=plots.PALE, linewidth=1, zorder=0)
    axes.plot(data, drawn, "o", color=plots.BLUE, markersize=2.5, alpha=0.5)
    if x.min() >= 0 and data.max() > 50 * data.mean():  # counts, say: a few tower over the rest
        axes.set(xscale="symlog", yscale="symlog")
    axes.set(title="Samples from the prior: a point per feature")
    axes.set(xlabel="mean in the data", ylabel="mean in the samples")
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

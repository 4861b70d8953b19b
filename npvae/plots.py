"""Pictures: every function returns a new `matplotlib.figure.Figure`; `save` writes it.

No pyplot: no global state, no screen, no figure that stays open. Matplotlib is imported when the
first picture is drawn. In a notebook, ``%matplotlib inline`` lets a returned figure show itself.

Everywhere, ``image_shape`` is (height, width) of the grey images that the rows of an array hold,
and ``value_range`` is what is drawn black and white: None for the least and the greatest value.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DataError, MissingDependency
from .files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]
Shape = tuple[int, int] | None
Range = tuple[float, float] | None

DPI = 128  # a power of two: then whole pixels are exact in inches
INK, PALE, BLUE, ORANGE = "#333333", "#BBBBBB", "#0072B2", "#D55E00"
# Ten picked by a search that kept the closest two well apart, for normal and for colour-blind
# eyes of all three kinds. No twenty are safe: the others are the ten, darker or lighter.
_TEN = "#3F90DA #228833 #E69F00 #7A3E00 #88CCEE #DDCC77 #AA3377 #832DB6 #332288 #CC6677"
_MORE = "#234F78 #90C399 #7F5700 #BC9E80 #4B7083 #A8A03A #D499BB #C196DB #9990C3 #703841"
PALETTE = [*_TEN.split(), *_MORE.split()]
STYLE: dict[str, Any] = {
    "figure.dpi": DPI,
    "figure.constrained_layout.h_pad": 0.08,
    "image.aspect": "auto",
    "image.interpolation": "nearest",
    "svg.hashsalt": "npvae",
    "font.size": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": "#E6E6E6",
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
}
# What a file must not say, since it changes with version and date.
METADATA = {"png": "Software", "svg": "Creator Date", "pdf": "Creator Producer CreationDate"}
_STYLE_LOCK = threading.RLock()


@contextmanager
def _house_style() -> Iterator[None]:
    """Draw in the house style whatever the caller's settings, and leave those as they were."""
    try:
        from matplotlib import style
    except ImportError as error:
        raise MissingDependency("pictures need matplotlib; pip install 'npvae[plot]'") from error
    # Matplotlib's settings are one global dict: two threads inside would restore each other's.
    with _STYLE_LOCK, style.context(STYLE, after_reset=True):
        yield


@_house_style()
def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a .png, .svg or .pdf, whole or not at all, and always the same bytes."""
    path = Path(path)
    kind = path.suffix[1:].lower()
    if kind not in METADATA:
        raise DataError(f"a picture is a .png, .svg or .pdf; got {path}. Try {path.stem}.png.")
    with replacing(path) as file:
        figure.savefig(file, format=kind, metadata=dict.fromkeys(METADATA[kind].split()))


def guess_image_shape(d: int) -> Shape:
    """(s, s) where d = s² is at least 16, else None: rows of 784 are probably 28 × 28 images."""
    side = round(d**0.5)
    return (side, side) if side >= 4 and side * side == d else None


@_house_style()
def loss_curves(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Total loss, reconstruction term and KL term by epoch, in nats per example.

    ``records`` is `History.records`; what starts with ``valid_`` may be None, NaN or absent.
    Where the highest twentieth of the epochs would squeeze the others into a tenth of the
    height, the axis ends below it and says so. The lowest value is always in view.
    """
    missing = {"epoch", "train_loss", "train_rec", "train_kl"}.difference(*records[:1])
    if missing:
        got = "records without " + ", ".join(sorted(missing)) if records else "no record"
        raise DataError(f"loss_curves needs History.records of one epoch or more; got {got}.")
    figure = _figure(9.0, 2.9)
    titles = ("Loss", "Reconstruction term", "KL term")
    panels = figure.subplots(1, 3)
    for axes, title, term in zip(panels, titles, ("loss", "rec", "kl"), strict=True):
        curves = []
        for split, name, colour in (("train", "train", BLUE), ("valid", "validation", ORANGE)):
            rows = [(record["epoch"], record.get(f"{split}_{term}")) for record in records]
            curve = np.array(rows, dtype=float)  # None becomes NaN
            curve = curve[np.isfinite(curve[:, 1])]  # the line bridges epochs not measured
            if len(curve):
                marker = "o" if len(curve) <= 30 else ""
                axes.plot(*curve.T, color=colour, label=name, marker=marker, markersize=3.5)
                curves.append(curve)
        _limit_outliers(axes, curves)
        axes.set(title=title, xlabel="epoch", ylabel="nats per example")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(axis="y")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


@_house_style()
def image_grid(
    images: ArrayLike,
    image_shape: Shape,
    columns: int | None = None,
    value_range: Range = (0, 1),
    title: str = "Samples from the prior",
) -> Figure:
    """Images (n, D) as a tight grid, row by row; about square where ``columns`` is None."""
    tiles = _as_tiles("images", images, image_shape, value_range)
    pixels = _tile(tiles, columns or int(np.ceil(np.sqrt(len(tiles)))))
    return _mosaic(pixels, value_range, title)[0]


@_house_style()
def reconstructions(
    x: ArrayLike, x_hat: ArrayLike, image_shape: Shape, n: int = 10, value_range: Range = (0, 1)
) -> Figure:
    """The first ``n`` of the inputs x (N, D), and their reconstructions x_hat (N, D).

    Images: a row of inputs above the row of reconstructions. Other data, ``image_shape`` None:
    a panel for each of five examples at most; above 60 features, reconstruction against input.
    """
    x, x_hat = np.asarray(x), np.asarray(x_hat)
    if x.ndim != 2 or x.shape != x_hat.shape or not x.size or n < 1:
        got = f"got {x.shape}, {x_hat.shape} and n={n}. Is x_hat the reconstruction of this x?"
        raise DataError(f"x and x_hat must have one shape (N, D), and n be at least 1; {got}")
    x, x_hat = x[:n], x_hat[:n]
    if image_shape is None:
        return _profiles(x[:5], x_hat[:5]) if x.shape[1] <= 60 else _agreement(x, x_hat)
    both = [_as_tiles(*pair, image_shape, value_range) for pair in (("x", x), ("x_hat", x_hat))]
    pixels = _tile(np.concatenate(both), len(x))
    figure, axes = _mosaic(pixels, value_range, "Inputs and their reconstructions", left=1.05)
    axes.set_yticks([0.75, 0.25], ["input", "reconstruction"])
    return figure


@_house_style()
def interpolation(decoded: ArrayLike, image_shape: Shape, value_range: Range = (0, 1)) -> Figure:
    """Walks through latent space: ``decoded`` is (pairs, steps, D), and each pair has a row.

    ``image_shape`` None, other data: a heat map for each pair, steps downward.
    """
    decoded = np.asarray(decoded)
    if decoded.ndim != 3 or decoded.shape[1] < 2 or not decoded.size:
        got = f"got {decoded.shape}. One pair: pass decoded[None]."
        raise DataError(f"decoded must be (pairs, steps, D) with two steps or more; {got}")
    if image_shape is None:
        return _heat_maps(decoded)
    steps, d = decoded.shape[1:]
    tiles = _as_tiles("decoded", decoded.reshape(-1, d), image_shape, value_range)
    figure, axes = _mosaic(_tile(tiles, steps), value_range, "Latent interpolation", bottom=0.25)
    axes.set_xticks([0.5 / steps, 1 - 0.5 / steps], ["start", "end"])
    return figure


@_house_style()
def latent(mu: ArrayLike, labels: ArrayLike | None = None) -> Figure:
    """Where the posterior means ``mu`` (N, Z) lie, coloured by ``labels`` (N,).

    Z = 1 gives a histogram, Z = 2 a scatter, more a scatter of the first two principal
    components, each signed so that its largest loading is positive. Up to 20 classes (whole
    numbers, booleans, strings; NaN is "unknown") get a legend, other labels a colour bar: of
    their values or, for more strings, their alphabetical rank.
    """
    mu = np.asarray(mu, dtype=float)
    if mu.ndim != 2 or not mu.size or not np.isfinite(mu).all():
        got = f"got {mu.shape}, {np.sum(~np.isfinite(mu))} values NaN or infinite"
        raise DataError(f"mu must be (N, Z) and finite; {got}. Is it model.encode(x)[0]?")
    classes, values = _read_labels(labels, len(mu))
    figure = _figure(6.0, 4.9 if mu.shape[1] > 1 else 3.2)
    axes = figure.subplots()
    points, names = (mu, ["z[0]", "z[1]"]) if mu.shape[1] < 3 else _principal_components(mu)
    if mu.shape[1] > 1:
        _scatter(axes, points, classes, values)
        axes.set_aspect("equal", adjustable="datalim")
    elif classes:
        _histogram(axes, mu[:, 0], classes, values)
        names[1] = "examples"
    else:
        _scatter(axes, np.column_stack([mu, values]), *_read_labels(None, len(mu)))
        names[1] = "label"
    axes.set(title="Latent space: posterior means", xlabel=names[0], ylabel=names[1])
    return figure


def manifold(
    decode: Callable[[Array], Array], image_shape: Shape, n: int = 20, value_range: Range = (0, 1)
) -> Figure:
    """What a two-dimensional latent space decodes to; ``decode`` maps (n·n, 2) to (n·n, D).

    The n × n points are the standard normal's quantiles (i + 1/2) / n, so that each image stands
    for an equal share of the prior. z[0] grows rightward, z[1] upward.
    """
    normal = NormalDist()
    z = np.array([normal.inv_cdf((i + 0.5) / n) for i in range(n)])
    images = decode(np.stack(np.meshgrid(z, z[::-1]), axis=-1).reshape(n * n, 2))
    tiles = _as_tiles("decode(z)", images, image_shape, value_range)
    if len(tiles) != n * n:
        raise DataError(f"decode must give one image for each z, here {n * n}; got {len(tiles)}.")
    ticks = [tick for tick in np.arange(-4, 5) / 2 if abs(tick) <= z[-1]]
    labels = [f"{tick:g}".replace("-", "−") for tick in ticks]
    places = [normal.cdf(tick) for tick in ticks]
    with _house_style():  # not around decode, which may take its time
        pixels = _tile(tiles, n, gap=0)
        figure, axes = _mosaic(pixels, value_range, "Decoded latent space", left=0.62, bottom=0.48)
        axes.set(xlabel="z[0]", xticks=places, xticklabels=labels)
        axes.set(ylabel="z[1]", yticks=places, yticklabels=labels)
        axes.tick_params(length=3)
    return figure


def _figure(width: float, height: float, layout: Any = "constrained") -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def _limit_outliers(axes: Axes, curves: Sequence[Array]) -> None:
    if min(map(len, curves), default=0) < 4:
        return
    limit = max(np.sort(curve[:, 1])[-1 - max(1, len(curve) // 20)] for curve in curves)
    epochs, values = np.concatenate(curves).T
    low, high, at = values.min(), values.max(), epochs[values.argmax()]
    room = limit - low
    if room > 0 and high - low > 10 * room:
        axes.set_ylim(low - 0.06 * room, limit + 0.3 * room)
        text = f"↑ cut: up to {high:,.4g} (epoch {at:g})"
        axes.text(0.99, 0.98, text, transform=axes.transAxes, ha="right", va="top", fontsize=8)


def _as_tiles(name: str, images: ArrayLike, shape: Shape, value_range: Range) -> Array:
    """Check (n, D) images and give them as (n, height, width)."""
    images = np.asarray(images)
    if images.ndim != 2 or not images.size:
        raise DataError(f"{name} must be (n, D), an image a row; got {images.shape}. Reshape it.")
    d = images.shape[1]
    if shape is None or np.shape(shape) != (2,) or min(shape) < 1 or shape[0] * shape[1] != d:
        fix = f"Try {guess_image_shape(d)}." if guess_image_shape(d) else "Is it for other data?"
        raise DataError(f"image_shape must be (h, w) with h × w = {d}; got {shape}. {fix}")
    if value_range and images.dtype.kind in "iu" and images.max() > value_range[1]:
        raise DataError(f"{name} must lie in {value_range}; got {images.max()}. Divide by 255?")
    return images.reshape(-1, *shape)


def _tile(tiles: Array, columns: int, gap: int = 3) -> Array:
    """One picture of (n, h, w) tiles, row by row, in screen pixels; gaps are NaN, drawn white."""
    width = tiles.shape[2]
    scale = int(np.clip(round(900 / (columns * width)), 1, max(2, 112 // width)))
    tiles = tiles.astype(float).repeat(scale, 1).repeat(scale, 2)
    blank = [(0, -len(tiles) % columns), (0, gap), (0, gap)]
    tiles = np.pad(tiles, blank, constant_values=np.nan)
    h, w = tiles.shape[1:]
    pixels = tiles.reshape(-1, columns, h, w).swapaxes(1, 2).reshape(-1, columns * w)
    return pixels[: len(pixels) - gap, : columns * w - gap]


def _mosaic(
    pixels: Array, value_range: Range, title: str, left: float = 0.1, bottom: float = 0.1
) -> tuple[Figure, Axes]:
    """Show each of ``pixels`` as one on the screen, so never a blur; the axes run from 0 to 1."""
    height, width = pixels.shape
    x0, y0 = round(left * DPI), round(bottom * DPI)
    full_width = x0 + max(width, 3 * DPI) + round(0.1 * DPI)  # the title needs three inches
    full_height = y0 + height + round(0.32 * DPI)
    figure = _figure(full_width / DPI, full_height / DPI, layout=None)
    # A hair less: matplotlib before 3.11 rounds the picture's size up, and would stretch it.
    size = ((width - 1e-6) / full_width, (height - 1e-6) / full_height)
    box = (x0 / full_width, y0 / full_height, *size)
    axes = figure.add_axes(box, title=title, xticks=[], yticks=[], frame_on=False)
    low, high = value_range or (np.nanmin(pixels), np.nanmax(pixels))
    axes.imshow(pixels, "gray", vmin=low, vmax=high, extent=(0, 1, 0, 1))
    axes.tick_params(length=0)
    return figure, axes


def _profiles(x: Array, x_hat: Array) -> Figure:
    figure = _figure(6.5, 0.8 + 1.25 * len(x))
    panels = figure.subplots(len(x), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    feature = np.arange(x.shape[1])
    for i, axes in enumerate(panels):
        axes.vlines(feature, x[i], x_hat[i], color=PALE, linewidth=1)
        axes.plot(feature, x[i], "o", color=INK, markersize=3.5, label="input")
        axes.plot(feature, x_hat[i], "o", color=ORANGE, markersize=3.5, label="reconstruction")
        axes.set_ylabel(f"example {i + 1}")
    panels[-1].set_xlabel("feature")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    panels[0].set_title("Inputs and their reconstructions")
    return figure


def _agreement(x: Array, x_hat: Array) -> Figure:
    figure = _figure(4.6, 4.6)
    axes = figure.subplots()
    points = np.column_stack([x.ravel(), x_hat.ravel()])
    axes.plot(*2 * [[points.min(), points.max()]], color=PALE, linewidth=1, zorder=0)
    _scatter(axes, points, *_read_labels(None, len(points)))
    if x.min() >= 0 and x.max() > 50 * x.mean():  # counts, say: a few tower over the rest
        axes.set(xscale="symlog", yscale="symlog")
    axes.set(title="Inputs and their reconstructions", xlabel="input", ylabel="reconstruction")
    return figure


def _heat_maps(decoded: Array) -> Figure:
    pairs, steps, _ = decoded.shape
    figure = _figure(6.0, 0.9 + 0.9 * pairs)
    panels = figure.subplots(pairs, 1, sharex=True, squeeze=False)[:, 0]
    for i, axes in enumerate(panels):
        picture = axes.imshow(decoded[i], vmin=decoded.min(), vmax=decoded.max())
        axes.set(ylabel=f"pair {i + 1}", yticks=[0, steps - 1], yticklabels=["start", "end"])
        axes.spines[:].set_visible(False)
    panels[0].set_title("Latent interpolation")
    panels[-1].set_xlabel("feature")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    figure.colorbar(picture, ax=panels, label="decoded value", fraction=0.05)
    return figure


def _read_labels(labels: ArrayLike | None, n: int) -> tuple[list[str], Array]:
    """Names of the classes and each label's index (n,); or no name, and a quantity (n,)."""
    labels = np.full(n, "") if labels is None else np.asarray(labels)
    if labels.shape != (n,):
        got = f"got {labels.shape}. One-hot labels: pass labels.argmax(1)."
        raise DataError(f"labels must be ({n},), one for each row of mu; {got}")
    if labels.dtype.kind in "bOSU":
        names, index = np.unique(labels.astype(str), return_inverse=True)
        return (names.tolist() if len(names) <= len(PALETTE) else []), index
    quantity = labels.astype(float)
    values, index = np.unique(quantity, return_inverse=True)  # NaN comes last
    known = values[~np.isnan(values)]
    if len(known) > len(PALETTE) or (known != np.rint(known)).any():
        return [], quantity
    return [*(f"{value:.0f}" for value in known), "unknown"][: len(values)], index


def _scatter(axes: Axes, points: Array, classes: list[str], values: Array) -> None:
    """Draw (N, 2) points, smaller and fainter the more there are."""
    from matplotlib.colors import to_rgba_array

    n = len(points)
    order = np.random.default_rng(0).permutation(n)  # else the last class buries the others
    c = to_rgba_array(_legend(axes, classes))[values] if classes else values
    x, y = points[order].T
    dots = axes.scatter(x, y, np.clip(600 / n**0.5, 1.5, 30), c[order], lw=0, plotnonfinite=True)
    if not classes:
        dots.set_cmap(dots.get_cmap().with_extremes(bad=PALE))
        axes.figure.colorbar(dots, label="label")
    dots.set(alpha=np.clip(60 / n**0.5, 0.4, 0.9), rasterized=n > 5000)  # the bar stays opaque


def _histogram(axes: Axes, heights: Array, classes: list[str], index: Array) -> None:
    edges = np.histogram_bin_edges(heights, bins=int(np.clip(len(heights) ** 0.5, 10, 60)))
    for i, colour in enumerate(_legend(axes, classes)):
        counts, _ = np.histogram(heights[index == i], edges)
        axes.stairs(counts, edges, fill=True, fc=colour + "40", ec=colour, linewidth=1.2)


def _legend(axes: Axes, classes: list[str]) -> list[str]:
    """The colours of the classes, with a legend beside the axes if the classes have names."""
    from matplotlib.lines import Line2D

    colours = [PALE if c == "unknown" else PALETTE[i] for i, c in enumerate(classes)]
    dots = [Line2D([], [], color=c, marker="o", markersize=5, linestyle="") for c in colours]
    if any(classes):
        axes.figure.legend(dots, classes, loc="outside right upper", handletextpad=0.2)
    return colours


def _principal_components(mu: Array) -> tuple[Array, list[str]]:
    """(N, 2) coordinates, and the names of the two components with their shares of variance."""
    centred = mu - mu.mean(0)
    # A row of zeros changes nothing, and gives a single point its second component.
    _, sizes, axes = np.linalg.svd(np.vstack([centred, 0 * mu[:1]]), full_matrices=False)
    axes = axes[:2] * np.sign(axes[[0, 1], np.abs(axes[:2]).argmax(1)])[:, None]
    percent = 100 * sizes**2 / max(np.sum(sizes**2), np.finfo(float).tiny)
    names = [f"principal component {i + 1} ({percent[i]:.0f} % of variance)" for i in range(2)]
    return centred @ axes.T, names

"""Points in latent space, by class or by quantity."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import DataError
from .style import INK, PALE, PALETTE, Array, head, house_style, lettering, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLE = "Latent space: posterior means"
_MARKERS = "o^s"
"""For the classes that the palette has colours for, and for those that use them again."""
_MOST_BY_COLOUR = 10
"""Classes that are told apart by their colours at a glance."""
_MOST_LETTERS = 8
"""Of a name among the points."""
_MOST_CLASSES = len(_MARKERS) * len(PALETTE)


@house_style()
def latent(
    mu: ArrayLike, labels: ArrayLike | None = None, rows: str = "", label: str = ""
) -> Figure:
    """Where the posterior means ``mu`` (N, Z) lie, coloured by ``labels`` (N,).

    ``rows`` says which rows they are of, and ``label`` what the labels are.

    Z = 1 gives a histogram, or above 20 classes a row of points for each; Z = 2 a scatter, more a
    scatter of the first two principal components, each signed so that its largest loading is
    positive. Classes get a legend, and above 10 their names where they lie besides: up to 60
    strings or booleans, or whole numbers that count up from 0 or 1; other whole numbers up to 20.
    Above 20 classes the colours come again with another mark. NaN and "" are "unknown". Other
    labels get a colour bar, of their values or, for more strings, their alphabetical rank.

    Parameters
    ----------
    mu : (N, Z) array
    labels : (N,) array, optional
    rows, label : str

    Returns
    -------
    Figure
    """
    mu = np.asarray(mu, dtype=float)
    if mu.ndim != 2 or not mu.size or not np.isfinite(mu).all():
        got = f"got {mu.shape}, {np.sum(~np.isfinite(mu))} values NaN or infinite"
        raise DataError(f"mu must be (N, Z) and finite; {got}. Is it model.encode(x)[0]?")
    classes, values = _read_labels(labels, len(mu))
    n, z = mu.shape
    head(figure := new_figure(*_size(z, classes)), _TITLE)
    axes = figure.subplots()
    which = rows or f"{n:,} row{'s' * (n != 1)}"
    if z > 2:
        which += f"; of {z} dimensions, the plane of most variance"
    which = "\n".join(wrap(lettering(which, 180), 66))
    axes.set_title(which, fontsize=8, fontweight="normal")
    if z == 1:
        _line(axes, mu[:, 0], classes, values, label)
        return figure
    points, names = (mu, ["z[0]", "z[1]"]) if z == 2 else _principal_components(mu)
    draw_points(axes, points, classes, values, label)
    if len(classes) > _MOST_BY_COLOUR:
        _name_where_they_lie(axes, points, classes, values)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel=names[0], ylabel=names[1])
    return figure


def _size(z: int, classes: list[str]) -> tuple[float, float]:
    """Inches, with room for the legend."""
    if z == 1 and len(classes) > len(PALETTE):
        return 6.0, 1.2 + 0.15 * len(classes)
    columns = -(-len(classes) // len(PALETTE))
    longest = max((len(lettering(name)) for name in classes), default=0)
    legend = columns * (0.3 + 0.08 * longest)
    return 5.4 + max(0.6, legend), 3.4 if z == 1 else 5.1


def _name_where_they_lie(axes: Axes, points: Array, classes: list[str], index: Array) -> None:
    """The classes' names at their medians, where they are short and not over one another."""
    from matplotlib.patheffects import withStroke

    per_point = np.ptp(points, axis=0).max() / 300  # of the axes' 4 inches
    taken: list[tuple[float, float, float]] = []
    for i, name in enumerate(classes):
        (x, y), width = np.median(points[index == i], axis=0), 4.5 * len(name) * per_point
        near = (abs(x - a) < (width + b) / 2 and abs(y - c) < 8 * per_point for a, c, b in taken)
        if len(name) > _MOST_LETTERS or any(near):
            continue
        taken.append((x, y, width))
        text = axes.text(x, y, lettering(name), fontsize=7, ha="center", va="center", color=INK)
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _line(axes: Axes, mu: Array, classes: list[str], values: Array, label: str) -> None:
    """A latent space of one dimension, mu (N,)."""
    many = len(classes) > len(PALETTE)
    axes.set_xlabel("z[0]")
    if classes and not many:
        _histogram(axes, mu, classes, values, label)
        axes.set_ylabel("rows")
        return
    draw_points(axes, np.column_stack([mu, values]))
    axes.set_ylabel(lettering(label or "label"))
    if many:
        axes.set_yticks(range(len(classes)), [lettering(name) for name in classes], fontsize=7)
        axes.grid(axis="y")


def draw_points(
    axes: Axes,
    points: Array,
    classes: list[str] | None = None,
    values: Array | None = None,
    label: str = "",
) -> None:
    """Draw (N, 2) points, smaller and fainter the more there are; all alike without values."""
    from matplotlib.colors import to_rgba_array

    n = len(points)
    if values is None or classes is None:
        classes, values = [""], np.zeros(n, int)
    order = np.random.default_rng(0).permutation(n)  # else the last class buries the others
    x, y = points[order].T
    size, values = np.clip(600 / n**0.5, 1.5, 30), values[order]
    look = dict(alpha=np.clip(60 / n**0.5, 0.4, 0.9), rasterized=n > 5000)
    if not classes:
        dots = axes.scatter(x, y, size, values, lw=0, plotnonfinite=True)
        dots.set_cmap(dots.get_cmap().with_extremes(bad=PALE))
        axes.figure.colorbar(dots, label=lettering(label or "label"))
        dots.set(**look)  # after the bar, which stays opaque
        return
    colours = to_rgba_array(_legend(axes, classes, label))
    for i, marker in enumerate(_MARKERS):
        here = values // len(PALETTE) == i
        if here.any():
            c = colours[values[here]]
            axes.scatter(x[here], y[here], size, c, marker=marker, lw=0).set(**look)


def _read_labels(labels: ArrayLike | None, n: int) -> tuple[list[str], Array]:
    """Names of the classes and each label's index (n,); or no name, and a quantity (n,)."""
    labels = np.full(n, "") if labels is None else np.asarray(labels)
    if labels.shape != (n,):
        got = f"got {labels.shape}. One-hot labels: pass labels.argmax(1)."
        raise DataError(f"labels must be ({n},), one for each row of mu; {got}")
    if labels.dtype.kind in "bOSU":
        names, index = np.unique(labels.astype(str), return_inverse=True)
        named = [name or ("unknown" if len(names) > 1 else "") for name in names.tolist()]
        return (named if len(names) <= _MOST_CLASSES else []), index
    quantity = labels.astype(float)
    values, index = np.unique(quantity, return_inverse=True)  # NaN comes last
    known = values[~np.isnan(values)]
    if not _are_classes(known):
        return [], quantity
    return [*(f"{value:.0f}" for value in known), "unknown"][: len(values)], index


def _are_classes(known: Array) -> bool:
    """Whether the distinct values, sorted, name classes and measure nothing."""
    if (known != np.rint(known)).any():
        return False
    counts_up = len(known) > 0 and known[0] in (0, 1) and known[-1] - known[0] == len(known) - 1
    # Many whole numbers from anywhere are ages or years: a bar shows their order.
    return len(known) <= (_MOST_CLASSES if counts_up else len(PALETTE))


def _histogram(axes: Axes, heights: Array, classes: list[str], index: Array, label: str) -> None:
    edges = np.histogram_bin_edges(heights, bins=int(np.clip(len(heights) ** 0.5, 10, 60)))
    for i, colour in enumerate(_legend(axes, classes, label)):
        counts, _ = np.histogram(heights[index == i], edges)
        axes.stairs(counts, edges, fill=True, fc=colour + "40", ec=colour, linewidth=1.2)


def _legend(axes: Axes, classes: list[str], label: str) -> list[str]:
    """The colours of the classes, with a legend beside the axes if the classes have names."""
    from matplotlib.lines import Line2D

    n = len(PALETTE)
    colours = [PALE if c == "unknown" else PALETTE[i % n] for i, c in enumerate(classes)]
    dots = [
        Line2D([], [], color=colour, marker=_MARKERS[i // n], markersize=5, linestyle="")
        for i, colour in enumerate(colours)
    ]
    if any(classes):
        axes.figure.legend(
            dots, [lettering(name) for name in classes], loc="outside right upper",
            handletextpad=0.2, columnspacing=1, ncols=-(-len(classes) // n),
            title=lettering(label) or None, alignment="left",
        )  # fmt: skip
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

"""Which rows are strange, drawn: their scores, and the columns or pixels that make them so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import DataError
from .style import BLUE, INK, ORANGE, PALE, Array, head, house_style, lettering, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Blame = tuple[str, Sequence[tuple[str, float]]]
"""What a row is called, and what columns add to its strangeness, each with its nats."""

MOST_ROWS = 8


@house_style()
def anomalies(
    scores: ArrayLike,
    threshold: float,
    rows: Sequence[Blame] = (),
    images: Array | None = None,
    title: str = "Strange rows",
    unit: str = "nats",
) -> Figure:
    """A histogram of scores (N,) with the threshold, and what makes the strangest rows so.

    Parameters
    ----------
    scores : (N,) array
    threshold : float
    rows : sequence of (name, [(column, nats), ...])
        The strangest first; of many the first 8 are drawn.
    images : (3, M, H, W) or (3, M, H, W, 3) array, optional
        In place of columns: the strangest images, what was expected, and where they are strange,
        each in [0, 1].
    title : str
    unit : str
        What scores count.

    Returns
    -------
    Figure
    """
    scores = np.asarray(scores, float)
    if scores.ndim != 1 or not scores.size:
        raise DataError(f"scores must be (N,), one for each row; got shape {scores.shape}.")
    rows = rows[:MOST_ROWS]
    n_bars = sum(len(columns) for _, columns in rows)
    height = 4.0 if images is not None else 1.6 + max(2.4, 0.2 * n_bars + 0.14 * len(rows))
    figure = new_figure(9.6, height)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.2])
    _histogram(left, scores, threshold, unit)
    if images is not None:
        _images(right, images)
    else:
        _bars(right, rows)
    head(figure, title)
    return figure


def _histogram(axes: Axes, scores: Array, threshold: float, unit: str) -> None:
    """Scores far beyond the others are counted in the last bar, lest it be the only one seen."""
    finite = scores[np.isfinite(scores)]
    low, high = np.quantile(finite, (0, 0.99)) if finite.size else (threshold, threshold)
    high = max(high, threshold) + 0.25 * (max(high, threshold) - low)
    shown = np.clip(scores, low, high)
    beyond = int((scores > high).sum())
    bins = np.linspace(low, high if high > low else low + 1, 41).tolist()
    for some, colour, label in (
        (shown[scores <= threshold], BLUE, "usual"),
        (shown[scores > threshold], ORANGE, "strange"),
    ):
        axes.hist(some, bins, color=colour, label=f"{label}: {len(some):,} rows")
    axes.axvline(threshold, color=INK, linewidth=1, linestyle="--", label=f"at {threshold:.4g}")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, None)
    more = f"\nrows beyond the right edge, in the last bar: {beyond:,}" if beyond else ""
    axes.set(title="Scores", xlabel=f"{unit}, higher is stranger{more}", ylabel="rows")
    axes.legend(loc="upper right", fontsize=7, frameon=True, edgecolor="none", framealpha=0.9)


def _bars(axes: Axes, rows: Sequence[Blame]) -> None:
    """A group of bars for each row, a bar for each column that is to blame."""
    axes.set(title="Columns of the strangest rows", xlabel="nats over what the column usually adds")
    place, places, names = 0.0, [], []
    for name, columns in rows:
        axes.text(
            0, place, lettering(name, 40), fontsize=7, fontweight="bold", va="center", ha="left"
        )
        place += 0.9
        for column, nats in columns:
            axes.barh(place, nats, color=ORANGE, height=0.75)
            places.append(place)
            names.append(lettering(column, 40))
            place += 1
        place += 0.3
    axes.set_yticks(places, names, fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(place, 6), -0.7)
    axes.set_xlim(0, None)
    axes.spines["left"].set_color(PALE)
    axes.grid(axis="x")
    axes.set_axisbelow(True)


def _images(axes: Axes, images: Array) -> None:
    """Three lines of images side by side, a gap between them."""
    images = np.asarray(images, float)[:, :MOST_ROWS]
    if images.shape[-1] != 3:
        images = np.repeat(images[..., None], 3, axis=-1)
    framed = np.pad(images, [(0, 0), (0, 0), (0, 1), (0, 1), (0, 0)], constant_values=1.0)
    lines, n, h, w, _ = framed.shape
    axes.imshow(framed.transpose(0, 2, 1, 3, 4).reshape(lines * h, n * w, 3), aspect="equal")
    axes.set_xticks([])
    middle = (np.arange(lines) + 0.5) * h - 1
    axes.set_yticks(middle, ["image", "expected", "strange\nin"], fontsize=7)
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_title("The strangest images")

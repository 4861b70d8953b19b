"""A panel or a bar for each column of a table: what a model makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import DataError
from .style import (
    BLUE,
    INK,
    ORANGE,
    PALE,
    Array,
    Formats,
    check_names,
    head,
    house_style,
    lettering,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Labels = Sequence[Sequence[str]]

MOST_PANELS = 36
_MOST_BARS = 40
_MOST_TICKS = 8
"""Labels that can be told apart along the side of a panel."""


@house_style()
def column_bars(
    values: ArrayLike, names: Sequence[str], title: str, xlabel: str, most: int = _MOST_BARS
) -> Figure:
    """A horizontal bar for each column's value (D,), the least on top; of many, the least `most`.

    A NaN, of a column of which nothing is known, has no bar.

    Parameters
    ----------
    values : (D,) array
    names : sequence of D str
        The columns' names.
    title, xlabel : str
    most : int

    Returns
    -------
    Figure
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or not values.size or np.isinf(values).any():
        raise DataError(
            f"values must be (D,), a number or NaN for each column; got {values!r:.60}."
        )
    check_names(names, len(values))
    order = np.argsort(values)[: min(most, np.isfinite(values).sum())]
    figure = new_figure(6.5, 1.0 + 0.19 * max(4, len(order)))
    axes = figure.subplots()
    shown = values[order]
    axes.barh(range(len(order)), shown, color=np.where(shown < 0, ORANGE, BLUE), height=0.7)
    axes.set_yticks(range(len(order)), [lettering(names[i]) for i in order], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.spines["left"].set_visible(False)
    left_out = len(values) - len(order)
    axes.set_xlabel(xlabel + (f"\n{left_out:,} others have more, or no value" if left_out else ""))
    head(figure, title)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    return figure


@house_style()
def columns_reconstructed(
    x: ArrayLike,
    x_hat: ArrayLike,
    names: Sequence[str],
    labels: Labels | None = None,
    title: str = "Reconstruction against input",
    formats: Formats | None = None,
) -> Figure:
    """A panel for each column: the reconstructions x_hat (N, D) against x (N, D).

    A column with labels has a square for each pair of labels instead, the darker the more of the
    rows of one label are given the other. Rows where x is NaN are left out. Of more than 36 columns
    the first 36 are drawn.

    Parameters
    ----------
    x, x_hat : (N, D) arrays
    names : sequence of D str
    labels : sequence of D sequences of str, optional
        What the numbers 0, 1, ... of a column stand for; empty for a column of plain numbers.
    title : str
    formats : sequence of D functions, optional
        How a number of a column is written; None for a column of plain numbers.

    Returns
    -------
    Figure
    """
    x, x_hat = np.asarray(x, float), np.asarray(x_hat, float)
    if x.ndim != 2 or x.shape != x_hat.shape or not x.size:
        raise DataError(f"x and x_hat must have one shape (N, D); got {x.shape}, {x_hat.shape}.")
    check_names(names, x.shape[1])
    figure, panels = column_panels(min(x.shape[1], MOST_PANELS), square=True)
    for j, axes in enumerate(panels):
        rows = ~np.isnan(x[:, j])
        words = labels[j] if labels is not None else ()
        if words:
            _confusion(axes, x[rows, j], x_hat[rows, j], words)
        elif rows.any():
            _against(axes, x[rows, j], x_hat[rows, j])
            write_ticks(axes, formats[j] if formats is not None else None, "xy")
        axes.set_title(lettering(names[j]), fontsize=8, fontweight="normal")
    figure.supxlabel("input, in the column's units", fontsize=8)
    figure.supylabel("reconstruction", fontsize=8)
    head(figure, title)
    return figure


def column_panels(n: int, square: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each of n columns."""
    across = min(n, 4 if n <= 16 else 6)
    down = -(-n // across)
    side = 2.2 if across <= 4 else 1.7
    figure = new_figure(max(4.4, side * across), 0.8 + (side - 0.2 if square else 1.5) * down)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes in panels:
        axes.tick_params(labelsize=7)
    for axes in panels[n:]:
        axes.set_axis_off()
    return figure, list(panels[:n])


def label_ticks(axes: Axes, labels: Sequence[str], side: str = "x") -> None:
    """Name the places 0, 1, ... along a side of a panel where there is room."""
    words = [_brief(label) for label in labels]
    most = 2 * _MOST_TICKS if max(map(len, words)) <= 3 else _MOST_TICKS
    if len(words) > most:
        getattr(axes, f"set_{side}ticks")([])
        getattr(axes, f"set_{side}label")(f"{len(labels)} labels", fontsize=7)
        return
    rotation = 90 if side == "x" and sum(map(len, words)) > 16 else 0
    getattr(axes, f"set_{side}ticks")(range(len(words)), words, rotation=rotation)


def write_ticks(
    axes: Axes, text: Callable[[float], str] | None, sides: str, whole: bool = False
) -> None:
    """Few ticks along these sides of a panel of numbers, written by a function if there is one."""
    from matplotlib.ticker import MaxNLocator

    for side in sides:
        axis = getattr(axes, f"{side}axis")
        few = 3 if text is None else 2
        axis.set_major_locator(MaxNLocator(few, steps=[1, 2, 5, 10], integer=whole))
        if text is not None:
            axis.set_major_formatter(
                lambda value, _: "\n".join(map(lettering, text(value).split("\n")))
            )


def _brief(word: str) -> str:
    """A label in the room of a tick: in two lines where it is long."""
    if len(word) <= 10:
        return lettering(word)
    try:
        return f"{float(word):.3g}"
    except ValueError:
        first, *rest = wrap(word, 11, break_long_words=False) or [word]
        return "\n".join(lettering(line, 11) for line in (first, " ".join(rest)) if line)


def _against(axes: Axes, x: Array, x_hat: Array) -> None:
    ends = [min(x.min(), x_hat.min()), max(x.max(), x_hat.max())]
    axes.plot(ends, ends, color=PALE, linewidth=1, zorder=0)
    size = float(np.clip(40 / len(x) ** 0.5, 1, 4))
    axes.plot(x, x_hat, "o", color=BLUE, markersize=size, alpha=0.5, markeredgewidth=0)


def _confusion(axes: Axes, x: Array, x_hat: Array, words: Sequence[str]) -> None:
    n = len(words)
    places = np.rint(np.stack([x_hat, x])).astype(int).clip(0, n - 1)
    counts = np.bincount(np.ravel_multi_index(tuple(places), (n, n)), minlength=n * n)
    counts = counts.reshape(n, n)
    shares = counts / np.maximum(counts.sum(0), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.2, origin="lower", aspect="equal")
    if n <= 4:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.6 else INK
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)
    label_ticks(axes, words)
    label_ticks(axes, words, "y")

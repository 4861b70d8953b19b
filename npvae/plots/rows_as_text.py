"""Rows that are no images: their columns, in the data and in samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import DataError
from .by_column import MOST_PANELS, Labels, column_panels, label_ticks, write_ticks
from .style import (
    BLUE,
    INK,
    MOST_COLUMNS,
    ORANGE,
    PALE,
    Array,
    Formats,
    check_names,
    head,
    house_style,
    label_columns,
    lettering,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 16


@house_style()
def columns(
    x: ArrayLike | None,
    samples: ArrayLike,
    names: Sequence[str] | None = None,
    label: str = "samples",
    labels: Labels | None = None,
    title: str = "Samples from the prior: a histogram per column",
    formats: Formats | None = None,
) -> Figure:
    """The columns of samples (n, D) beside those of the data x (N, D), or alone where x is None.

    Up to 16 columns have a histogram each, without the outermost hundredth of the values; up to 60
    a median with the range from 5 % to 95 %; of more the means are drawn against each other. With
    `labels` 36 columns have a panel, of more the first 36, and x may have NaN, which is left out.

    Parameters
    ----------
    x : (N, D) array, optional
    samples : (n, D) array
    names : sequence of D str, optional
        The columns' names; by default they are numbered from 0.
    label : str
        What the samples are called in the legend.
    labels : sequence of D sequences of str, optional
        What the numbers 0, 1, ... of a column stand for, which then has a bar for each; empty for a
        column of plain numbers.
    title : str
        Of the histograms.
    formats : sequence of D functions, optional
        How a number of a column is written; None for a column of plain numbers.

    Returns
    -------
    Figure
    """
    samples = _table("samples", samples)
    d = samples.shape[1]
    x = None if x is None else _table("x", x, gaps=labels is not None)
    if x is not None and x.shape[1] != d:
        raise DataError(f"x and samples must have the same columns; got {x.shape[1]} and {d}.")
    check_names(names, d)
    rows = {"data": (x, INK), label: (samples, ORANGE)}
    shown = {name: (table, colour) for name, (table, colour) in rows.items() if table is not None}
    if d <= _MOST_PANELS or labels is not None:
        names = [f"feature {i}" for i in range(d)] if names is None else names
        return _histograms(shown, names, labels or [()] * d, title, formats or [None] * d)
    if d <= MOST_COLUMNS or x is None:
        return _bands(shown, d, names)
    return _means(x, samples)


def _table(what: str, array: ArrayLike, gaps: bool = False) -> Array:
    array = np.asarray(array)
    wrong = np.isinf if gaps else lambda values: ~np.isfinite(values)
    if array.ndim != 2 or not array.size or wrong(array).any():
        raise DataError(f"{what} must be (n, D) and finite; got {array.shape} {array.dtype}.")
    return array


def _histograms(
    shown: dict[str, tuple[Array, str]],
    names: Sequence[str],
    labels: Labels,
    title: str,
    formats: Formats,
) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, panels = column_panels(min(len(names), MOST_PANELS))
    for column, (axes, name) in enumerate(zip(panels, names, strict=False)):
        values = {label: _known(table[:, column]) for label, (table, _) in shown.items()}
        words = labels[column]
        edges = np.arange(len(words) + 1) - 0.5 if words else _edges(list(values.values()))
        for label, (_, colour) in shown.items():
            shares = np.histogram(values[label], edges)[0] / max(1, len(values[label]))
            style: dict[str, Any] = {
                "fc": colour + "40" if label == "data" else "none",
                "ec": colour,
            }
            if words:
                axes.bar(range(len(words)), shares, 0.8, linewidth=1.2, label=label, **style)
            else:
                axes.stairs(shares, edges, fill=True, linewidth=1.2, label=label, **style)
        if words:
            label_ticks(axes, words)
        else:
            first = values[next(iter(values))]
            write_ticks(axes, formats[column], "x", whole=bool((first == np.rint(first)).all()))
        axes.set_title(lettering(name), fontsize=8, fontweight="normal")
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
    figure.supylabel("share of the rows in each bar", fontsize=8)
    _head(figure, panels[0], title)
    return figure


def _known(values: Array) -> Array:
    return values[~np.isnan(values)]


def _edges(values: list[Array]) -> Array:
    """Bins for one column of all tables: a bin for each value where the first has few and whole."""
    together = np.concatenate(values)
    low, high = np.quantile(together, (0.005, 0.995)) if len(together) else (0.0, 1.0)
    if (values[0] == np.rint(values[0])).all() and high - low < 40:
        return np.arange(np.rint(low), np.rint(high) + 2) - 0.5
    if high == low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, 31)


def _bands(shown: dict[str, tuple[Array, str]], d: int, names: Sequence[str] | None) -> Figure:
    figure = new_figure(7.5, 3.4 if names is None else 4.2)
    axes = figure.subplots()
    column = np.arange(d)
    for label, (table, colour) in shown.items():
        low, median, high = np.quantile(table, (0.05, 0.5, 0.95), axis=0)
        axes.fill_between(column, low, high, color=colour, alpha=0.2, linewidth=0, step="mid")
        style = "o-" if d <= MOST_COLUMNS else "-"
        axes.plot(column, median, style, c=colour, markersize=3.5, linewidth=1, label=label)
    label_columns(axes, d, names)
    _head(figure, axes, "Samples from the prior: median, and 5 % to 95 %")
    return figure


def _means(x: Array, samples: Array) -> Figure:
    figure = new_figure(4.6, 4.6)
    axes = figure.subplots()
    data, drawn = x.mean(0, dtype=float), samples.mean(0, dtype=float)
    ends = [min(data.min(), drawn.min()), max(data.max(), drawn.max())]
    axes.plot(ends, ends, color=PALE, linewidth=1, zorder=0)
    axes.plot(data, drawn, "o", color=BLUE, markersize=2.5, alpha=0.5)
    if x.min() >= 0 and data.max() > 50 * data.mean():  # counts, say: a few tower over the rest
        axes.set(xscale="symlog", yscale="symlog")
    axes.set(title="Samples from the prior: a point per feature")
    axes.set(xlabel="mean in the data", ylabel="mean in the samples")
    return figure


def _head(figure: Figure, axes: Axes, title: str) -> None:
    head(figure, title)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)

"""Walks through latent space, as lines: a panel for each column, a line for each walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import DataError
from .by_column import MOST_PANELS, Labels, column_panels, label_ticks, write_ticks
from .style import (
    PALETTE,
    Array,
    Formats,
    check_names,
    each_called,
    head,
    house_style,
    lettering,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMED = 10
"""Walks that a legend names."""


@house_style()
def walks(
    decoded: ArrayLike,
    names: Sequence[str] | None = None,
    ends: ArrayLike | None = None,
    labels: Labels | None = None,
    formats: Formats | None = None,
    called: Sequence[str] | None = None,
    at: ArrayLike | None = None,
    title: str = "Walks through latent space, a line for each pair",
) -> Figure:
    """Walks from one row to another: ``decoded`` is (pairs, steps, D), a line for each pair.

    Each column has a panel in its own units; of more than 36, those 36 have one that change most on
    the way, in units of their range over all walks.

    Parameters
    ----------
    decoded : (pairs, steps, D) array
    names : sequence of D str, optional
    ends : (pairs, 2, D) array, optional
        The two rows that each walk goes between; they are drawn as circles at its ends, a missing
        value not at all.
    labels : sequence of D sequences of str, optional
        What the numbers 0, 1, ... of a column stand for; empty for a column of plain numbers.
    formats : sequence of D functions, optional
        How a number of a column is written; None for a column of plain numbers.
    called : sequence of str, optional
        What each walk is called; "pair 1" and so on where it is not said.
    at : (steps,) array, optional
        The numbers that the steps are drawn over, in place of "start" and "end".
    title : str

    Returns
    -------
    Figure
    """
    decoded, ends = as_walks(decoded, ends)
    pairs, _, d = decoded.shape
    check_names(names, d)
    names = [f"feature {j}" for j in range(d)] if names is None else names
    chosen = _most_moved(decoded)
    named = each_called(called, pairs, "pair")
    figure, panels = column_panels(len(chosen))
    for j, axes in zip(chosen, panels, strict=True):
        rows = None if ends is None else ends[:, :, j]
        _lines(axes, decoded[:, :, j], rows, named, None if at is None else np.asarray(at))
        if labels is not None and labels[j]:
            _name_places(axes, labels[j])
        else:
            write_ticks(axes, formats[j] if formats is not None else None, "y")
        axes.set_title(lettering(names[j]), fontsize=8, fontweight="normal")
    more = f": the {len(chosen)} columns that change most"
    head(figure, title + ("" if len(chosen) == d else more))
    handles = [line for line in panels[0].lines if not str(line.get_label()).startswith("_")]
    circles = "circles: the rows themselves" if ends is not None else None
    if pairs <= _MOST_NAMED:
        look = dict(loc="outside lower left", ncols=min(pairs, 5), fontsize=7, title_fontsize=7)
        figure.legend(handles=handles, title=circles, alignment="left", **look)
    return figure


def as_walks(decoded: ArrayLike, ends: ArrayLike | None) -> tuple[Array, Array | None]:
    """Check (pairs, steps, D) walks and the rows (pairs, 2, D) that they go between."""
    decoded = np.asarray(decoded)
    if decoded.ndim != 3 or decoded.shape[1] < 2 or not decoded.size:
        got = f"got {decoded.shape}. One pair: pass decoded[None]."
        raise DataError(f"decoded must be (pairs, steps, D) with two steps or more; {got}")
    if ends is None:
        return decoded, None
    ends, shape = np.asarray(ends), (len(decoded), 2, decoded.shape[2])
    if ends.shape != shape:
        raise DataError(f"ends must be {shape}, two rows for each pair; got {ends.shape}.")
    return decoded, ends


def _lines(
    axes: Axes, walks: Array, rows: Array | None, named: list[str], at: Array | None
) -> None:
    """The walks (pairs, steps) of one column, and the rows (pairs, 2) that they go between."""
    for pair, walk in enumerate(walks):
        colour = PALETTE[pair % len(PALETTE)]
        over = np.linspace(0, 1, len(walk)) if at is None else at
        axes.plot(over, walk, color=colour, linewidth=1.2, label=named[pair])
        if rows is not None:
            axes.plot([0, 1], rows[pair], "o", color=colour, ms=4, mfc="none", clip_on=False)
    if at is None:
        axes.set_xticks([0, 1], ["start", "end"])
        axes.set_xlim(-0.04, 1.04)


def _name_places(axes: Axes, labels: Sequence[str]) -> None:
    """Name the labels that a panel's lines meet; a probability has those on both sides of it.

    Between them lie no places of others, which would press their names together.
    """
    met = np.concatenate([line.get_ydata() for line in axes.lines])
    met = met[~np.isnan(met)].clip(0, len(labels) - 1)
    places = np.unique(np.concatenate([np.floor(met), np.ceil(met)])).astype(int)
    for line in axes.lines:
        line.set_ydata(np.interp(np.asarray(line.get_ydata()), places, range(len(places))))
    label_ticks(axes, [labels[place] for place in places], "y")
    axes.set_ylim(-0.3, len(places) - 0.7)


def _most_moved(decoded: Array) -> Array:
    """The columns that change most on the way from start to end, in the table's order."""
    moved = np.abs(np.diff(decoded, axis=1)).sum(1).mean(0)
    width = decoded.max((0, 1)) - decoded.min((0, 1))
    shares = np.divide(moved, width, out=np.zeros_like(moved), where=width > 0)
    return np.sort(np.argsort(-shares, kind="stable")[:MOST_PANELS])

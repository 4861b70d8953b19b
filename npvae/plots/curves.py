"""The losses of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..core.losses import LOSSES, in_words, losses_in
from .style import BLUE, INK, ORANGE, Array, house_style, lettering, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLES = {"loss": "Loss", "rec": "Reconstruction term", "kl": "KL term"}


@house_style()
def loss_curves(records: Any, kept: int | None = None) -> Figure:
    """Every loss by epoch, in nats per example; of the ELBO the total and its two terms.

    ``kept`` is the epoch whose weights the model has, where that is not the last one: it is marked.

    ``records`` is a `History` or its records; what starts with ``valid_`` may be None, NaN or
    absent. Where the highest twentieth of the epochs would squeeze the others into a tenth of the
    height, the axis ends below it and says so. The lowest value is always in view.

    Parameters
    ----------
    records : History or list of dict
    kept : int, optional

    Returns
    -------
    Figure
    """
    records = getattr(records, "records", records)
    names = (losses_in(records[0]) if records else []) or LOSSES
    missing = {"epoch", *(f"train_{name}" for name in names)}.difference(*records[:1])
    if missing:
        got = "records without " + ", ".join(sorted(missing)) if records else "no record"
        raise DataError(f"loss_curves needs History.records of one epoch or more; got {got}.")
    lines, columns = -(-len(names) // 3), min(len(names), 3)
    figure = new_figure(3.0 * columns, 2.9 * lines)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in panels[len(names) :]:
        unused.remove()
    for axes, term in zip(panels, names, strict=False):
        curves = []
        for split, name, colour in (("train", "train", BLUE), ("valid", "validation", ORANGE)):
            rows = [(record["epoch"], record.get(f"{split}_{term}")) for record in records]
            curve = np.array(rows, dtype=float)  # None becomes NaN
            curve = curve[np.isfinite(curve[:, 1])]  # the line bridges epochs not measured
            if len(curve):
                marker = "o" if len(curve) <= 30 else ""
                axes.plot(*curve.T, color=colour, label=name, marker=marker, markersize=3.5)
                curves.append(curve)
        if kept is not None:
            axes.axvline(kept, color=INK, linewidth=1, linestyle=":", label=f"kept: epoch {kept}")
        _limit_outliers(axes, curves)
        named = in_words(term)
        plain = term.replace("_", " ").capitalize() if named == term else named
        title = _TITLES.get(term) or lettering(plain)
        axes.set(title=title, xlabel="epoch", ylabel="nats per example")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(axis="y")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


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

"""What `drawn_rows_report` finds, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .style import BLUE, INK, ORANGE, PALE, head, house_style, lettering, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BARS = 16


@house_style()
def drawn_rows(report: Any) -> Figure:
    """A report on drawn rows: each column, each pair of columns, and all columns together.

    On the left the distances of the columns that differ most, with what chance gives as a line; in
    the middle a point for each pair of columns, its association in the drawn rows against that in
    the data; on the right, with standard errors, what should be one half.

    Parameters
    ----------
    report : DrawnRows
        As `nv.drawn_rows_report` gives it.

    Returns
    -------
    Figure
    """
    worst = report.worst_columns(_MOST_BARS)
    figure = new_figure(9.6, 1.4 + 0.19 * max(9, len(worst)))
    by_column, by_pair, together = figure.subplots(1, 3, width_ratios=[1, 1, 0.8])
    _distances(by_column, worst, report.column_distance_by_chance)
    _associations(by_pair, report.pairs)
    _halves(together, report)
    title = f"{report.n:,} rows drawn, beside {report.n_train + report.n_valid:,} of the data"
    head(figure, title)
    return figure


def _distances(axes: Axes, worst: list[tuple[str, float]], by_chance: float) -> None:
    places = range(len(worst))
    axes.barh(places, [distance for _, distance in worst], color=BLUE, height=0.7)
    axes.axvline(by_chance, color=INK, linewidth=1, linestyle="--", label="by chance")
    axes.set_yticks(places, [lettering(name) for name, _ in worst], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(worst), 5) - 0.4, -0.6)
    axes.set_xlim(0, None)
    axes.locator_params(axis="x", nbins=5)
    axes.set(title="Columns that differ most", xlabel="distance: 0 is alike, 1 apart")
    axes.legend(loc="lower right", fontsize=7, frameon=True, edgecolor="none", framealpha=0.9)
    axes.grid(axis="x")
    axes.set_axisbelow(True)


def _associations(axes: Axes, pairs: Any) -> None:
    axes.set(title="Pairs of columns", xlabel="association in the data")
    axes.set_ylabel("association in the drawn rows")
    if not pairs:
        axes.text(0.5, 0.5, "there is one column", ha="center", transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
        return
    points = np.array([(pair.data, pair.drawn) for pair in pairs])
    low, high = min(0.0, points.min()), max(points.max(), 0.1)
    axes.plot([low, high], [low, high], color=PALE, linewidth=1, zorder=0)
    size = float(np.clip(60 / len(points) ** 0.5, 1.5, 5))
    many = len(points) > 5000
    axes.plot(*points.T, "o", color=BLUE, ms=size, alpha=0.6, mew=0, rasterized=many)
    axes.set_box_aspect(1)


def _halves(axes: Axes, report: Any) -> None:
    """What should be one half, with its standard error; and a word where it is not known."""
    rows = (
        ("AUC of a classifier that tells\ndrawn rows from real ones", report.auc, report.auc_se),
        (
            "share nearer to a training row\nthan to one held out",
            report.nearer_to_training,
            report.nearer_to_training_se,
        ),
    )
    axes.axvline(0.5, color=PALE, linewidth=1)
    for place, (name, value, error) in enumerate(rows):
        axes.text(0, place - 0.3, name, fontsize=8, va="bottom")
        if value is None:
            axes.text(0, place, "not known", fontsize=8, va="center")
            continue
        axes.errorbar(value, place, xerr=error, fmt="o", color=ORANGE, capsize=3, markersize=5)
        axes.text(value, place + 0.12, f"{value:.2f}", fontsize=8, ha="center", va="top")
    out = (
        f"{report.rows_outside:.1%} of rows out of range\n"
        f"(of the data {report.rows_outside_by_chance:.1%})"
    )
    axes.text(0, len(rows) - 0.3, out, fontsize=8, va="bottom")
    axes.set(title="Whole rows", xlabel="0.5 is ideal", xlim=(-0.02, 1.02), yticks=[])
    axes.set_ylim(len(rows) - 0.1, -0.8)
    axes.spines["left"].set_visible(False)

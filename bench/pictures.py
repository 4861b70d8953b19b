"""The figures as pictures; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npvae import plots

from .measure import significant, threaded
from .nets import NETS, Net
from .peers import NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]


def save(path: Path | None, draw: Callable[[], Figure]) -> None:
    if path is not None:
        plots.save(draw(), path)


def training(results: Rows) -> Figure:
    """For each net and thread count, the time of a step beside the losses."""
    panels, colours = _grouped(results, "net", "threads"), _colours(results)
    figure, grid = _figure(len(panels), 2, 9.0, 2.4)
    for (left, right), ((net, threads), rows) in zip(grid, panels.items(), strict=True):
        _bars(left, rows, "ms_per_step", "ms/step", colours)
        left.set_title(_setup(net, threads), loc="left", fontsize=9)
        for row in rows:
            epochs, peer = range(1, len(row["losses"]) + 1), row["peer"]
            right.plot(epochs, row["losses"], ".-", color=colours[peer], label=_name(peer))
        right.set(xlabel="epoch", ylabel="loss, nats per example")
        right.xaxis.get_major_locator().set_params(integer=True)
        right.legend(fontsize=7, frameon=False)
    return figure


def bars(results: Rows, key: str, unit: str, title: str) -> Figure:
    """Every section's peers as bars."""
    panels, colours = _grouped(results, "section", "threads"), _colours(results)
    figure, grid = _figure(len(panels), 1, 7.0, 1.9)
    for (axes,), ((section, threads), rows) in zip(grid, panels.items(), strict=True):
        _bars(axes, rows, key, unit, colours, numpy="NumPy")
        axes.set_title(f"{section}; {threaded(threads)}")
    figure.suptitle(title)
    return figure


def inference(results: Rows) -> Figure:
    """Microseconds a call against rows, for each call."""
    panels, colours = _grouped(results, "net", "threads"), _colours(results)
    calls = list(dict.fromkeys(row["call"].split()[0] for row in results))
    figure, grid = _figure(len(panels), len(calls), 4.5 * len(calls), 3.0)
    for line, ((net, threads), rows) in zip(grid, panels.items(), strict=True):
        for axes, call in zip(line, calls, strict=True):
            of_call = [row for row in rows if row["call"].startswith(call)]
            for (peer,), points in _grouped(of_call, "peer").items():
                at = [int(row["call"].split()[1]) for row in points]
                _line(axes, at, points, "us", _name(peer), colours[peer])
            _log_axes(axes, [int(row["call"].split()[1]) for row in of_call])
            axes.set_title(f"{call}: {_setup(net, threads)}", loc="left", fontsize=8)
            axes.set(xlabel="rows", ylabel="µs a call")
            axes.legend(fontsize=7, frameon=False)
    return figure


def scaling(results: Rows, ref: Net) -> Figure:
    """Time and share of the peak, against width at ref's batch and against batch at its width."""
    figure, grid = _figure(2, 2, 9.0, 3.0)
    sweeps = ("hidden", "batch", ref.batch), ("batch", "hidden", ref.hidden[0])
    for column, (over, held, value) in enumerate(sweeps):
        time, rate = grid[0][column], grid[1][column]
        swept = sorted((row for row in results if row[held] == value), key=lambda row: row[over])
        lines = _grouped(swept, "peer", "threads").items()
        for ((peer, threads), points), colour in zip(lines, cycle(plots.PALETTE)):
            at = [row[over] for row in points]
            _line(time, at, points, "ms_per_step", f"{_name(peer)}, {threaded(threads)}", colour)
            shares = [100 * (row["of_peak"] or 0) for row in points]
            rate.plot(at, shares, ".-", color=colour)
        everywhere = [row[over] for row in swept]
        _log_axes(time, everywhere)
        time.set(ylabel="ms/step", title=f"{over}, at {held} {value}")
        time.legend(fontsize=7, frameon=False)
        _log_axes(rate, everywhere, "linear")
        rate.set(xlabel=over, ylabel="% of the multiply-add peak", ylim=(0, None))
    return figure


def _name(peer: str) -> str:
    return NAMES.get(peer, peer)


def _setup(net: str, threads: int) -> str:
    """What was run, in words: the net itself where `net` is its name."""
    return f"{NETS.get(net, net)}; {threaded(threads)}"


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    """A figure of panels, each row of them so high, in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height * rows + 0.4), layout="constrained", dpi=128)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _grouped(results: Rows, *names: str) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in results:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def _colours(results: Rows) -> dict[str, str]:
    """One for each peer, the same in all panels."""
    return dict(zip(dict.fromkeys(row["peer"] for row in results), cycle(plots.PALETTE)))


def _errors(rows: Rows, key: str) -> tuple[list[float], list[list[float]]]:
    """Medians, and how far the least lies below and the most above each."""
    figures = [row[key] for row in rows]
    below = [figure["median"] - figure["least"] for figure in figures]
    above = [figure["most"] - figure["median"] for figure in figures]
    return [figure["median"] for figure in figures], [below, above]


def _bars(
    axes: Axes, rows: Rows, key: str, unit: str, colours: Mapping[str, str], **others: str
) -> None:
    """Medians as bars with their numbers, the spread as a line on each.

    `others` are names of peers that mean something else here.
    """
    medians, spread = _errors(rows, key)
    shades = [colours[row["peer"]] for row in rows]
    drawn = axes.barh(
        [others.get(row["peer"], _name(row["peer"])) for row in rows],
        medians,
        xerr=spread,
        color=shades,
        ecolor=plots.INK,
    )
    axes.bar_label(drawn, [significant(m, 3) for m in medians], padding=4, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel(unit)


def _line(axes: Axes, at: Sequence[int], rows: Rows, key: str, label: str, colour: str) -> None:
    """Medians over `at`, the spread as bars."""
    axes.errorbar(at, *_errors(rows, key), fmt=".-", color=colour, label=label, capsize=2)


def _log_axes(axes: Axes, at: Sequence[int], yscale: str = "log") -> None:
    """A logarithmic x axis that names the points measured, and numbers without powers on both."""
    from matplotlib.ticker import LogFormatter, NullFormatter

    axes.set(xscale="log", yscale=yscale)
    axes.set_xticks(sorted(set(at)), [str(x) for x in sorted(set(at))])
    axes.xaxis.set_minor_formatter(NullFormatter())
    if yscale == "log":
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
    axes.grid(color="#E6E6E6")

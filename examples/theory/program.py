"""What the programs of this folder share: how they are run, and how their pictures look."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import npvae as nv
from npvae.core.files import writable_folder

SIDE = 8
"""Pixels along an edge of the embedded digits."""
SMALLER = {
    "axes.titlesize": 8.5, "axes.titleweight": "normal", "axes.labelsize": 8.5,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 7.5, "legend.handlelength": 1.2,
}  # fmt: skip
"""Letters of a panel, of which several stand side by side."""


def run(
    doc: str,
    measure: Callable[[bool], Any],
    table: Callable[[Any], str],
    pictures: dict[str, Callable[[Any], Figure]],
    arguments: Sequence[str] | None = None,
) -> None:
    """Measure, print the table, and write each picture as NAME.png."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--out", default=".", help="the folder for the picture")
    parser.add_argument("--quick", action="store_true", help="rougher, in a few seconds")
    options = parser.parse_args(arguments)
    out = writable_folder(options.out)
    found = measure(options.quick)
    print(table(found))
    for name, picture in pictures.items():
        with nv.plots.house_style(), rc_context(SMALLER):
            figure = picture(found)
        nv.plots.save(figure, out / f"{name}.png")
        print(f"picture: {out / f'{name}.png'}")


def panels(n: int, title: str, height: float = 3.1) -> tuple[Figure, list[Axes]]:
    """A figure as wide as a page, of n panels side by side."""
    figure = nv.plots.new_figure(7.6, height)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    return figure, list(np.ravel(figure.subplots(1, n)))


def strip(ax: Axes, images: np.ndarray, rows: int = 1) -> None:
    """Digits (n, 64) side by side, in so many rows, with a thin gap between."""
    tiles = np.pad(images.reshape(rows, -1, SIDE, SIDE), [(0, 0), (0, 0), (0, 1), (0, 1)],
                   constant_values=np.nan)  # fmt: skip
    pixels = tiles.swapaxes(1, 2).reshape(rows * (SIDE + 1), -1)[:-1, :-1]
    ax.imshow(pixels, "gray", vmin=0, vmax=1, aspect="equal")
    ax.set(xticks=[], yticks=[], frame_on=False)


def grid(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table of text: the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def slope(k: np.ndarray, error: np.ndarray) -> float:
    """The exponent p of error ∝ K^p, by least squares of the logarithms."""
    return float(np.polyfit(np.log(k), np.log(error), 1)[0])

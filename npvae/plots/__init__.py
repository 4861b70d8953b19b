"""Pictures: every function returns a new `matplotlib.figure.Figure`; `save` writes it.

No pyplot: no global state, no screen, no figure that stays open. Matplotlib is imported when the
first picture is drawn. In a notebook a figure that a cell ends with shows itself.

Everywhere, ``image_shape`` is (height, width) of the grey images that the rows of an array hold, or
(height, width, 3) of colour images, and ``value_range`` is what is drawn black and white: None for
the least and the greatest value.
"""

from __future__ import annotations

from .anomalies import anomalies
from .by_column import column_bars, columns_reconstructed
from .curves import loss_curves
from .examples import attribute, interpolation, reconstructions, traversal
from .images import guess_image_shape, image_grid, manifold
from .lines import walks
from .report import drawn_rows
from .rows_as_text import columns
from .scatter import latent
from .style import (
    BLUE,
    INK,
    ORANGE,
    PALE,
    PALETTE,
    Formats,
    Range,
    Shape,
    house_style,
    new_figure,
    save,
)

__all__ = [
    "BLUE", "INK", "ORANGE", "PALE", "PALETTE", "Formats", "Range", "Shape", "anomalies",
    "attribute", "column_bars", "columns", "columns_reconstructed", "drawn_rows",
    "guess_image_shape", "house_style", "image_grid", "interpolation", "latent", "loss_curves",
    "manifold", "new_figure", "reconstructions", "save", "traversal", "walks",
]  # fmt: skip

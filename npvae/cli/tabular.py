"""Tables on the command line: defaults, what is said of their columns, and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plots
from ..core.wording import short
from ..evaluate.by_column import column_distances
from ..plots.by_column import MOST_PANELS
from ..tables import Schema, Table, guess, nats_saved
from .console import count
from .gallery import Gallery
from .inputs import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .choices import Choices

Array = np.ndarray

_MOST_LINES = 24
"""The most columns that have a line each; where there are more, those of a kind share one."""
_ENTRIES = 4_000_000
"""The most to score for the chart of columns."""


def complete(choices: Choices, table: Table) -> list[str]:
    """Choose what a table's size decides; return what to tell the user.

    Measured on the tables that come with scikit-learn; see docs/training.md.
    """
    n, d = table.x.shape
    small = n < 1000
    _fill(
        choices,
        z_dim=max(1, min(8, d - 1)),
        hidden=[128] if small else [256],
        prior=f"mixture:n_components={max(2, min(30, n // 10))}",
        batch_size=32 if n < 3000 else 128,
        lr=2e-3,
    )
    stops = choices["epochs"] is None and choices["holdout"] and n > 1
    _fill(choices, epochs=min(1000, max(10, 30_000 // -(-n // choices["batch_size"]))))
    if not stops:
        return list(table.notes)
    _fill(choices, patience=max(5, choices["epochs"] // 10))
    patience = count(choices["patience"], "epoch")
    return [
        *table.notes,
        f"training stops {patience} after the best validation loss, since small tables overfit",
    ]


def _fill(choices: Choices, **defaults: Any) -> None:
    choices.update({name: v for name, v in defaults.items() if choices[name] is None})


def listing(table: Table) -> Iterator[str]:
    """What each column was taken for, a line each or a line for each kind."""
    schema = table.schema
    yield "columns    as inferred; --columns name=kind says otherwise"
    described = list(_described(table))
    if len(described) <= _MOST_LINES:
        wide = max(len(short(name)) for name, _, _ in described)
        for name, kind, what in described:
            yield f"  {short(name):<{wide}}  {kind:<8}  {what}"
        return
    for kind in dict.fromkeys(kind for _, kind, _ in described):
        names = [name for name, its_kind, _ in described if its_kind == kind]
        yield f"  {kind:<8}  {count(len(names), 'column')}: {_few(names)}"
    gaps = [c.name for c, gap in zip(schema.modelled, np.isnan(table.x).sum(0), strict=True) if gap]
    if gaps:
        yield f"  {'missing':<8}  cells in {count(len(gaps), 'column')}: {_few(gaps)}"


def _described(table: Table) -> Iterator[tuple[str, str, str]]:
    """Name, kind and contents of every column."""
    schema, places = table.schema, iter(table.x.T)
    for column in schema.columns:
        values = table.x[:, 0] if column not in schema.modelled else next(places)
        known = values[~np.isnan(values)]
        gaps = len(values) - len(known) if column in schema.modelled else 0
        missing = f"; {count(gaps, 'cell')} missing" if gaps else ""
        what = column.describe(known) if len(known) else "nothing known"
        yield column.name, column.kind, what + missing
    if schema.label is not None:
        yield schema.label, "label", "not modelled; it colours the latent space"
    for name, why in schema.skipped.items():
        yield name, "skip", f"left out: {why}"


def _few(names: list[str], most: int = 6) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*map(short, names[:most]), *more])


def saved_by_column(model: Any, x: Array, reference: Array | None = None) -> Array:
    """`nats_saved` (D,) over as many of the rows as there is time for."""
    n = max(50, _ENTRIES // x.shape[1])
    return nats_saved(model, x[draw(len(x), n, 0)], reference)


def worst(schema: Schema, saved: Array, most: int = 5) -> Iterator[tuple[str, float]]:
    """The columns that are reconstructed worst, and the nats saved in each."""
    order = np.argsort(saved)[: min(most, np.isfinite(saved).sum())]
    return ((schema.names[j], float(saved[j])) for j in order)


class TableGallery(Gallery):
    """The pictures of a table's model: in the table's units, with its names and labels."""

    shown = 1000

    def __init__(self, model: Any) -> None:
        self.schema: Schema = model.schema
        super().__init__(model, None, self.schema.names)
        self.labels = [column.labels for column in self.schema.modelled]

    def new(self, n: int, seed: int) -> Array:
        """New rows: draws, as the table's rows are."""
        return self.model.sample(n, seed, take="draw")

    def decode(self, z: Array) -> Array:
        return guess(self.model, z)

    def samples(self, samples: Array, x: Array | None = None) -> Figure:
        if x is None or x.shape[1] <= MOST_PANELS:
            return plots.columns(x, samples, self.columns, labels=self.labels)
        order = _most_different(x, samples)
        names, labels = self._ordered(order)
        x, samples = x[:, order], samples[:, order]
        title = f"Samples from the prior: the {len(order)} columns that differ most from the data"
        return plots.columns(x, samples, names, labels=labels, title=title)

    def reconstructions(self, x: Array, x_hat: Array) -> Figure:
        if x.shape[1] <= MOST_PANELS:
            return plots.columns_reconstructed(x, x_hat, self.columns or [], self.labels)
        order = np.argsort(saved_by_column(self.model, x))[:MOST_PANELS]
        names, labels = self._ordered(order)
        title = f"Reconstruction against input: the {len(order)} columns that come back worst"
        return plots.columns_reconstructed(x[:, order], x_hat[:, order], names, labels, title)

    def interpolation(self, walks: Array) -> Figure:
        """Each column from its least to its greatest value, since they have units of their own."""
        low, high = walks.min((0, 1)), walks.max((0, 1))
        shares = (walks - low) / np.where(high > low, high - low, 1)
        label = "decoded value, from the column's least to its greatest"
        return plots.interpolation(shares, None, None, self.columns, label)

    def worst(self, x: Array, reference: Array) -> Figure:
        """Which columns of x are reconstructed worst, next to what `reference` says of each."""
        return plots.column_bars(
            saved_by_column(self.model, x, reference),
            self.schema.names,
            "Reconstruction by column, the worst on top",
            "nats per row saved over knowing the column's distribution alone",
        )

    def _ordered(self, order: Array) -> tuple[list[str], list[tuple[str, ...]]]:
        return [self.schema.names[j] for j in order], [self.labels[j] for j in order]


def gallery_of(model: Any, image_shape: plots.Shape, columns: list[str] | None) -> Gallery:
    """The pictures that suit a model: those of a table for a table's."""
    if image_shape is None and getattr(model, "schema", None) is not None:
        return TableGallery(model)
    return Gallery(model, image_shape, columns)


def _most_different(x: Array, samples: Array) -> Array:
    """The columns whose samples differ most from x, by the Kolmogorov-Smirnov distance."""
    distances = np.nan_to_num(column_distances(x, samples))
    return np.sort(np.argsort(distances)[::-1][:MOST_PANELS])

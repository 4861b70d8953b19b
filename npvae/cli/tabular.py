"""Tables on the command line: defaults, what is said of their columns, and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plots
from ..core.wording import short
from ..data.conditions import Labels
from ..evaluate.by_column import column_distances
from ..plots.by_column import MOST_PANELS
from ..tables import Schema, Table, guess, nats_saved
from ..tables.column import Column
from ..tables.usual import usual
from .choices import Choices, fill_in
from .console import count
from .gallery import Gallery
from .inputs import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray

_MOST_LINES = 24
"""The most columns that have a line each; where there are more, those of a kind share one."""
_ENTRIES = 4_000_000
"""The most to score for the chart of columns."""


def complete(choices: Choices, table: Table) -> list[str]:
    """Choose what a table's size decides; return what to tell the user."""
    fill_in(choices, **usual(*table.x.shape))
    return list(table.notes)


def listing(table: Table, model: Any) -> Iterator[str]:
    """What each column was taken for, a line each or a line for each kind."""
    schema = table.schema
    yield "columns    as inferred; --columns name=kind says otherwise"
    described = list(_described(table, model))
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


def _described(table: Table, model: Any) -> Iterator[tuple[str, str, str]]:
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
        use = "predicted" if model.predicts else "not modelled"
        use = "given to the model" if type(model.condition) is Labels else use
        yield schema.label, "label", f"{use}; it colours the latent space"
    for name, why in schema.skipped.items():
        yield name, "skip", f"left out: {why}"


def _few(names: list[str], most: int = 6) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*map(short, names[:most]), *more])


def saved_by_column(
    model: Any, x: Array, reference: Array | None = None, context: Any = None
) -> Array:
    """`nats_saved` (D,) over as many of the rows as there is time for."""
    some = draw(len(x), max(50, _ENTRIES // x.shape[1]), 0)
    given = None if context is None else context[some]
    return nats_saved(model, x[some], reference, progress=True, context=given)


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

    def new(self, n: int, seed: int, context: Any = None) -> Array:
        """New rows: draws, as the table's rows are."""
        return self.model.sample(n, seed, context, take="draw")

    def decode(self, z: Array, context: Any = None) -> Array:
        return guess(self.model, z, context)

    def samples(self, samples: Array, x: Array | None = None) -> Figure:
        order = _most_different(x, samples) if x is not None else np.arange(samples.shape[1])
        title = "Samples from the prior: a histogram per column"
        if x is not None and len(order) < x.shape[1]:
            title = (
                f"Samples from the prior: the {len(order)} columns that differ most from the data"
            )
        x = None if x is None else x[:, order]
        return plots.columns(x, samples[:, order], title=title, **self._of(order))

    def reconstructions(self, x: Array, x_hat: Array, context: Any = None) -> Figure:
        order, title = np.arange(x.shape[1]), "Reconstruction against input"
        if len(order) > MOST_PANELS:
            order = np.argsort(saved_by_column(self.model, x, context=context))[:MOST_PANELS]
            title += f": the {len(order)} columns that come back worst"
        x, x_hat = x[:, order], x_hat[:, order]
        return plots.columns_reconstructed(x, x_hat, title=title, **self._of(order))

    def interpolation(self, walks: Array, ends: Array) -> Figure:
        everywhere = np.arange(walks.shape[2])
        return plots.walks(walks, ends=ends, **self._of(everywhere))

    def traversal(self, decoded: Array, dims: list[int], values: Array) -> Figure:
        everywhere = np.arange(decoded.shape[2])
        return plots.traversal(decoded, None, dims, values, **self._of(everywhere))

    def attribute(self, decoded: Array, strengths: Array, called: list[str]) -> Figure:
        everywhere = np.arange(decoded.shape[2])
        return plots.attribute(decoded, None, strengths, called, **self._of(everywhere))

    def worst(self, x: Array, reference: Array, context: Any = None) -> Figure:
        """Which columns of x are reconstructed worst, next to what `reference` says of each."""
        return plots.column_bars(
            saved_by_column(self.model, x, reference, context),
            self.schema.names,
            "Reconstruction by column, the worst on top",
            "nats per row saved over knowing the column's distribution alone",
        )

    def _of(self, columns: Array) -> dict[str, Any]:
        """The names, the labels and the ways to write the numbers of these columns."""
        chosen = [self.schema.modelled[j] for j in columns]
        return {
            "names": [column.name for column in chosen],
            "labels": [column.labels for column in chosen],
            "formats": [
                partial(_tick, column) if column.kind in ("date", "duration") else None
                for column in chosen
            ],
        }


def _tick(column: Column, value: float) -> str:
    """A date along an axis, its time below it; nothing for one that no calendar has."""
    try:
        return column.text(value).replace("T", "\n").replace(" ", "\n", 1)
    except (ValueError, OverflowError):
        return ""


def label_of(model: Any) -> str:
    """What the labels of a table's rows are called."""
    schema = getattr(model, "schema", None)
    return "" if schema is None else schema.label or ""


def gallery_of(model: Any, image_shape: plots.Shape, columns: list[str] | None) -> Gallery:
    """The pictures that suit a model: those of a table for a table's."""
    if image_shape is None and getattr(model, "schema", None) is not None:
        return TableGallery(model)
    return Gallery(model, image_shape, columns)


def _most_different(x: Array, samples: Array) -> Array:
    """The columns whose samples differ most from x, as many as have a panel."""
    distances = np.nan_to_num(column_distances(x, samples))
    return np.sort(np.argsort(distances)[::-1][:MOST_PANELS])

"""Strange rows in the words of their table: what each column has, and what was expected."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import plots, tables
from ..core.files import replacing
from ..core.wording import short
from ..datasets import Dataset
from ..tables import Schema
from ..tables.cells import no_formula
from .contexts import labels_of
from .inputs import take

Array = np.ndarray

_BLAMED = 3
"""The most columns that are named for a row, of those that add `_LEAST_NATS` or more."""
_LEAST_NATS = 0.5

Cells = Callable[[int], list[str]]


@dataclass
class RowsInQuestion:
    """Rows and what is known of them.

    Attributes
    ----------
    places : where each row stands in its source, counted from 0
    which : what they are, in words
    names : of the columns of x, if they have any
    source : the names of all columns of the file, and a function that gives the cells at a place
    """

    data: Dataset
    places: Array
    which: str
    names: list[str] | None
    schema: Schema | None
    image_shape: plots.Shape
    source: tuple[list[str], Cells] | None

    def name(self, column: int) -> str:
        """What a column is called; of an image, where the pixel is."""
        if self.schema is not None:
            return self.schema.names[column]
        if self.names:
            return self.names[column]
        if self.image_shape is not None:
            return f"pixel {','.join(map(str, np.unravel_index(column, self.image_shape)))}"
        return f"x{column}"

    def text(self, column: int, value: float) -> str:
        """A value as its table writes it."""
        if self.schema is None:
            return f"{value:.4g}"
        return short(self.schema.modelled[column].text(value), 40)


class Blame(NamedTuple):
    """A column that makes a row strange: its value, what was expected, and what it adds."""

    name: str
    value: str
    expected: str
    nats: float

    def __str__(self) -> str:
        return f"{self.name} {self.value} (expected {self.expected}, +{self.nats:.1f} nats)"


def because(blame: list[Blame]) -> str:
    """Why a row is strange, on a line."""
    return "; ".join(map(str, blame)) or "no single column"


def blames(model: Any, rows: RowsInQuestion, chosen: Array, nats: Array) -> list[list[Blame]]:
    """For each of the chosen rows, of which `nats` (M, D) are, the columns to blame."""
    order = np.argsort(-nats, axis=1, kind="stable")[:, :_BLAMED]
    pairs = [(i, j) for i, js in enumerate(order) for j in js if nats[i, j] >= _LEAST_NATS]
    found: list[list[Blame]] = [[] for _ in chosen]
    if not pairs:
        return found
    places, columns = np.array(pairs).T
    x = rows.data.x[chosen[places]]
    expected = _expected(model, rows, x, columns, _context(model, rows, chosen[places]))
    for k, (i, j) in enumerate(pairs):
        value, other = rows.text(j, float(x[k, j])), rows.text(j, float(expected[k]))
        found[i].append(Blame(rows.name(j), value, other, float(nats[i, j])))
    return found


def _context(model: Any, rows: RowsInQuestion, chosen: Array) -> Any:
    return labels_of(model, take(rows.data, chosen))


def _expected(model: Any, rows: RowsInQuestion, x: Array, columns: Array, context: Any) -> Array:
    """What the model expects in one column of each row x (N, D), (N,).

    Where it takes missing entries, that is by the row's other columns alone.
    """
    every = np.arange(len(x))
    if model.missing is None:
        scale = model.scale if model.scale is not None and x.dtype.kind in "ui" else 1
        return np.asarray(model.reconstruct(x, context)[every, columns] * scale)
    x = np.array(x, np.float64)
    x[every, columns] = np.nan
    z = model.centres(x, context)[0]
    decode = model.decode if rows.schema is None else partial(tables.guess, model)
    guesses = decode(z, context)
    return np.asarray(guesses[every, columns])


def write(
    path: Path,
    rows: RowsInQuestion,
    order: Array,
    found: Sequence[dict[str, Any]],
    blamed: list[list[Blame]],
    formulas: bool,
) -> None:
    """Write every row: number, score, verdict and reason, then its cells as its source has them."""
    text = io.StringIO(newline="")
    tabs = path.suffix.lower() == ".tsv"
    writer = csv.writer(text, lineterminator="\n", delimiter="\t" if tabs else ",")
    keep = str if formulas else no_formula
    names, cells = rows.source or _bare(rows)
    writer.writerow(["row", "score", "strange", "because", *map(keep, names)])
    for k, (row, i) in enumerate(zip(found, order, strict=True)):
        why = because(blamed[k]) if k < len(blamed) else ""
        own = cells(int(rows.places[i]) if rows.source else int(i))
        verdict = "yes" if row["strange"] else "no"
        writer.writerow([row["row"], f"{row['score']:.17g}", verdict, keep(why), *map(keep, own)])
    with replacing(path) as file:
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))


def _bare(rows: RowsInQuestion) -> tuple[list[str], Cells]:
    """Names and cells of rows that have no file of cells, with their label."""
    x, y = rows.data.x, rows.data.y
    names = [rows.name(j) for j in range(x.shape[1])]
    if y is None:
        return names, lambda i: [f"{v:.9g}" for v in x[i].tolist()]
    return [*names, "label"], lambda i: [*(f"{v:.9g}" for v in x[i].tolist()), str(y[i])]


def images(model: Any, rows: RowsInQuestion, chosen: Array, nats: Array) -> Array | None:
    """Images (3, M, *shape): rows, what the model makes of them, and where they are strange.

    None where the rows are no images.
    """
    if rows.image_shape is None:
        return None
    x = rows.data.x[chosen]
    seen = x if model.units is not None else model.reader(x).batch(slice(None))
    excess = np.maximum(nats[: len(chosen)], 0)
    x_hat = model.reconstruct(x, _context(model, rows, chosen))
    pair = np.stack([seen, x_hat]).astype(np.float64)
    pair = (pair - pair.min()) / max(np.ptp(pair), 1e-12)
    three = np.concatenate([pair, excess[None] / max(excess.max(), 1e-12)])
    return three.reshape(3, len(chosen), *rows.image_shape)

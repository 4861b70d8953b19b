"""The commands that go through latent space with data: from reconstruct to latent."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plots, tables
from ..core.errors import ConfigError
from ..core.files import replacing
from ..datasets import Dataset
from ..gaps import impute
from ..models.walks import attribute_vector
from ..tables.cells import no_formula
from .arguments import PICTURES, TABLES
from .console import count, say
from .contexts import as_written, known_labels, labels_of, written_schema
from .gallery import Gallery, towards, traversals, walks
from .having import rows_with
from .inputs import draw, image_shape_of, numbered_rows, rows_for, take
from .runs import Run, open_run
from .tabular import gallery_of, label_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray

_MOST_DIMS = 8
"""Latent dimensions that are traversed where none are named."""


def reconstruct(options: Namespace) -> None:
    """Write reconstructions: of some rows as a picture, of all as an array."""
    run = open_run(options.run)
    data, which, _ = rows_for(run, options)
    gallery = gallery_for(run, data, options)
    if options.impute and (run.schema is None or is_picture(options.out)):
        raise ConfigError(
            "--impute fills in the missing cells of a table; it needs --out FILE.csv."
        )
    if is_picture(options.out):
        rows = draw(len(data.x), options.n or gallery.shown, options.seed)
        which = f"{len(rows):,} of {which}"
        data = take(data, rows)
    x_hat = gallery.remade(data.x, labels_of(run.model, data))
    what = "reconstructions of"
    if options.impute:
        x_hat = impute(run.model, data.x, seed=options.seed, context=data.context)
        what = f"{count(int(np.isnan(data.x).sum()), 'missing cell')} filled in, of"
    picture = partial(gallery.reconstructions, data.x, x_hat, data.context)
    is_table = options.out.suffix.lower() in tables.SUFFIXES
    if run.schema is not None and is_table:
        x_hat = as_written(run.model, x_hat, data.context)
    schema = None if run.schema is None else written_schema(run.model)
    _write(options, x_hat, picture, data.columns, schema=schema)
    say(f"{options.out}: {what} {which}")


def interpolate(options: Namespace) -> None:
    """Write walks between pairs of rows."""
    run = open_run(options.run)
    data, which, _ = rows_for(run, options)
    if len(data.x) < 2:
        raise ConfigError("a walk needs two rows to go between; the data have one.")
    gallery = gallery_for(run, data, options)
    decoded, ends = walks(
        gallery, data.x, options.pairs, options.steps, options.seed, options.spherical,
        labels_of(run.model, data),
    )  # fmt: skip
    _write(options, decoded, lambda: gallery.interpolation(decoded, ends))
    say(f"{options.out}: {count(options.pairs, 'walk')} of {options.steps} steps, between {which}")


def traverse(options: Namespace) -> None:
    """Write what one row becomes when its latent dimensions change, each alone."""
    run = open_run(options.run)
    data, which, _ = rows_for(run, options)
    context = labels_of(run.model, data)
    centres = run.model.centres(data.x, context)[0]
    width = centres.shape[1]
    if options.row is not None and options.row >= len(centres):
        raise ConfigError(
            f"--row is one of the {len(centres):,} rows, counted from 0; got {options.row}."
        )
    busiest = np.argsort(-centres.var(0), kind="stable")[:_MOST_DIMS]
    dims = options.dims or busiest.tolist()
    if max(dims) >= width:
        raise ConfigError(f"--dims are some of 0 to {width - 1}; got {max(dims)}.")
    z = centres.mean(0) if options.row is None else centres[options.row]
    low, high = options.values
    values = np.linspace(low, high, options.steps)
    gallery = gallery_for(run, data, options)
    start_from = options.row or 0  # whose context all have
    given = None if context is None else context[start_from : start_from + 1]
    decoded = traversals(gallery, z, dims, values, given)
    _write(options, decoded, lambda: gallery.traversal(decoded, dims, values))
    start = f"the mean of {which}" if options.row is None else f"row {options.row} of {which}"
    start += "" if given is None else f", with the context of row {start_from}"
    say(f"{options.out}: {count(len(dims), 'latent dimension')} from {start}")


def attribute(options: Namespace) -> None:
    """Write what rows become on their way to what other rows have."""
    run = open_run(options.run)
    (data, which, _), places = numbered_rows(run, options)
    has, known = rows_with(run.model, data, options.has)
    data, places, has = take(data, np.flatnonzero(known)), places[known], has[known]
    context = labels_of(run.model, data)
    vector = attribute_vector(run.model, data.x, has, context)
    others = np.flatnonzero(~has)
    chosen = others[draw(len(others), options.n, options.seed)]
    theirs = None if context is None else context[chosen]
    centres = run.model.centres(data.x[chosen], theirs)[0]
    low, high = options.strength
    strengths = np.linspace(low, high, options.steps)
    gallery = gallery_for(run, data, options)
    decoded = towards(gallery, centres, vector, strengths, theirs)
    called = [f"row {place}" for place in places[chosen]]
    _write(options, decoded, lambda: gallery.attribute(decoded, strengths, called))
    say(
        f"{options.out}: {count(len(chosen), 'row')} on the way to {', '.join(options.has)}, as "
        f"{has.sum():,} of {which} have it, and {len(others):,} not"
    )


def latent(options: Namespace) -> None:
    """Write posterior means."""
    run = open_run(options.run)
    data, which, _ = rows_for(run, options)
    mu = run.model.centres(data.x, labels_of(run.model, data))[0]
    names = [f"z{i}" for i in range(mu.shape[1])]
    y = known_labels(run.model, data)
    picture = partial(plots.latent, mu, y, which, label_of(run.model))
    _write(options, mu, picture, names, data.y)
    say(f"{options.out}: posterior means of {which}")


def gallery_for(run: Run, data: Dataset, options: Namespace) -> Gallery:
    chosen = options.image_shape
    if chosen is None and run.config:
        chosen = run.config.get("image_shape") or []
    shape = image_shape_of(data, run.model.likelihood, chosen)
    return gallery_of(run.model, shape, run.columns)


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def _write(
    options: Namespace,
    array: Array,
    picture: Callable[[], Figure],
    columns: list[str] | None = None,
    labels: Array | None = None,
    schema: Any = None,
) -> None:
    """Write what the path's suffix asks for: the picture, or the array, as a table if it is one."""
    path, formulas = options.out, not getattr(options, "no_formulas", False)
    if is_picture(path):
        plots.save(picture(), path)
        return
    if schema is not None and path.suffix.lower() in tables.SUFFIXES:
        tables.write(path, schema, array, formulas)
        return
    refuse_table(path)
    with replacing(path) as file:
        if path.suffix.lower() == ".npy":
            np.save(file, array, allow_pickle=False)
        else:
            names = columns or [f"x{i}" for i in range(array.shape[1])]
            file.write(csv_line([*names, *([] if labels is None else ["label"])], formulas))
            file.write(csv_rows(array, labels, formulas))


def refuse_table(path: Path) -> None:
    """Raise where a path asks for a table, and the rows are of none."""
    if path.suffix.lower() in TABLES:
        raise ConfigError(
            f"a {path.suffix} is written for a model of a table; this one is of bare rows. "
            "Write a .csv or .npy."
        )


def csv_line(names: list[str], formulas: bool) -> bytes:
    """The header of a .csv."""
    return _csv([list(map(str if formulas else no_formula, names))])


def csv_rows(array: Array, labels: Array | None = None, formulas: bool = True) -> bytes:
    """Rows of a .csv, every number with all the digits that its type has."""
    digits = 9 if array.dtype == np.float32 else 17
    rows = [[f"{value:.{digits}g}" for value in row] for row in array.tolist()]
    if labels is not None:
        keep = str if formulas else no_formula
        rows = [[*row, keep(str(label))] for row, label in zip(rows, labels, strict=True)]
    return _csv(rows)


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")

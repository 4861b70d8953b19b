"""The rows that a command works on: the embedded digits, or the user's own."""

from __future__ import annotations

import math
import os
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import datasets, tables
from ..core.errors import ConfigError, DataError
from ..data.reader import Reader
from ..datasets import Dataset
from ..plots import Shape, guess_image_shape
from .console import count
from .contexts import whole_schema, with_context
from .known_rows import HELD_OUT, NEW, TRAINED
from .runs import Run
from .train_options import DIGITS

Array = np.ndarray

_HOLDOUT = 3  # beside the seed: a stream of its own, which none in fit has


def read(name: str, split: str | None = None, schema: Any = None) -> Dataset:
    """Read "digits" or a path; raises `DataError` where that, or its split, can't be read.

    A table is read by the schema of a model that has one.
    """
    if schema is not None and split != "test" and is_table(name):
        return tables.read(name, schema=schema)
    if name != DIGITS:
        return datasets.read(name, split)
    if split == "test":
        raise DataError("the digits have no test rows; --split held-out takes what validated.")
    x, y = datasets.digits()
    return Dataset(x, y, image_shape=(8, 8))


def read_for(run: Run, name: str, split: str | None = None) -> Dataset:
    """`read` of rows as a run's model takes them, with their context if it is given one."""
    model = run.model
    check_still_there(run.name, run.settings.get("data"), name)
    data = read(name, split, whole_schema(model.condition, run.schema))
    return with_context(model, data, name)


def check_still_there(run: str, trained_on: str | None, name: str) -> None:
    """Raise DataError where a run's own data, which nobody typed now, have gone."""
    if name == trained_on and name != DIGITS and not os.path.exists(name):
        raise DataError(
            f"'{run}' was trained on '{name}', and from this folder there is no such file. Go "
            "where training was started, or say where the file is now, if the command takes --data."
        )


def is_table(name: str) -> bool:
    """Whether a value of --data is a table."""
    return Path(name).suffix.lower() in tables.SUFFIXES


def has_test_split(name: str) -> bool:
    """Whether a source has rows of its own to test on."""
    return name != DIGITS and datasets.has_test_split(name)


def take(data: Dataset, rows: Array) -> Dataset:
    """Some of the rows, with their labels and their context."""
    y, context = (None if a is None else a[rows] for a in (data.y, data.context))
    return replace(data, x=data.x[rows], y=y, context=context)


def draw(n_rows: int, n: int, seed: int) -> Array:
    """Indices of n of the rows, or of all where there are no more, in their order."""
    if n >= n_rows:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, n, replace=False))


def hold_out(n_rows: int, share: float, seed: int) -> tuple[Array, Array]:
    """Indices of the rows to train on, and of the share that is held out, each in its order.

    Of two rows or more, one at least is held out, unless the share is 0.
    """
    n = min(max(1, round(share * n_rows)), n_rows - 1) if share else 0
    order = np.random.default_rng([seed, 0, _HOLDOUT]).permutation(n_rows)
    return np.sort(order[n:]), np.sort(order[:n])


def value_range(data: Dataset, name: str) -> tuple[float, float]:
    """The least and the greatest value; raises `DataError` where one is not finite."""
    reader = Reader(data.x, data.x.shape[1], np.float32, what=f"'{name}'")
    floating = data.x.dtype.kind == "f"
    ends = []
    for rows in reader.chunks():
        chunk = reader.checked(rows) if floating else data.x[rows]
        ends += [chunk.min(), chunk.max()]
    return float(min(ends)), float(max(ends))


def image_shape_of(data: Dataset, likelihood: Any, chosen: list[int] | None) -> Shape:
    """How rows are drawn: as chosen, as the source says, or as a square where that is likely.

    Raises
    ------
    ConfigError
        If the chosen shape does not have as many pixels as a row has columns.
    """
    columns = data.x.shape[1]
    if chosen:
        if math.prod(chosen) != columns:
            shape = ",".join(map(str, chosen))
            colour = f" In colour it is {shape},3." if 3 * math.prod(chosen) == columns else ""
            raise ConfigError(
                f"--image-shape needs as many pixels as a row has columns, {columns}; got {shape}, "
                f"which are {math.prod(chosen)}.{colour}"
            )
        return tuple(chosen)  # type: ignore[return-value]
    if chosen is not None:  # "none" was
        return None
    if data.image_shape is not None:
        return data.image_shape
    return guess_image_shape(columns) if likelihood.unit_interval and not data.columns else None


class Selection(NamedTuple):
    """Rows that were chosen for a command.

    Attributes
    ----------
    data : the rows
    which : what they are, in words
    others : where the model was trained on some of them, how to choose rows that it was not
    """

    data: Dataset
    which: str
    others: str = ""


def rows_for(run: Run, options: Namespace) -> Selection:
    """The rows that --data, --split, --rows and --seed choose.

    Raises
    ------
    DataError
        If they can't be read, or do not have the columns that the model takes.
    """
    return numbered_rows(run, options)[0]


def numbered_rows(run: Run, options: Namespace) -> tuple[Selection, Array]:
    """`rows_for`, and the places of these rows in their source, counted from 0."""
    name = options.data or run.settings.get("data")
    if name is None:
        raise ConfigError(
            f"what '{run.name}' was trained on is not known; give --data digits or --data PATH."
        )
    (data, which, others), places = _split(run, name, options.split)
    if data.x.shape[1] != run.model.x_dim:
        raise DataError(
            f"the model in '{run.name}' takes rows of {run.model.x_dim} columns; '{name}' has "
            f"{data.x.shape[1]}. Give the data that it was trained on, or such as those."
        )
    if options.rows is not None and options.rows < len(data.x):
        which = f"{options.rows:,} of {which}"
        some = draw(len(data.x), options.rows, options.seed)
        data, places = take(data, some), places[some]
    return Selection(data, which, others), places


def rows_apart(run: Run, name: str | None) -> tuple[Dataset, Dataset | None]:
    """The rows that a run was trained on, and such as it was not: of --data, or held out.

    Of a model of which it is not known what it was trained on, all rows of --data, and none.
    """
    trained_on, share = run.settings.get("data"), run.settings.get("holdout")
    source = trained_on or name
    if source is None:
        raise ConfigError(
            f"what '{run.name}' was trained on is not known; give --data digits or --data PATH."
        )
    check_still_there(run.name, trained_on, source)
    others = None if name is None or _same_source(name, source) else read_for(run, name)
    if not share and trained_on and has_test_split(source):
        return read_for(run, source, "train"), others or read_for(run, source, "test")
    data = read_for(run, source)
    roles, _ = _roles(run, source, data)
    if others is None and (roles == HELD_OUT).any():
        others = take(data, np.flatnonzero(roles == HELD_OUT))
    # Of a model of which nothing is known, all rows.
    return take(data, np.flatnonzero(roles == (TRAINED if trained_on else NEW))), others


def _split(run: Run, name: str, split: str | None) -> tuple[Selection, Array]:
    check_still_there(run.name, run.settings.get("data"), name)
    trained_here = _same_source(name, run.settings.get("data"))
    share = run.settings.get("holdout")
    if split == "held-out":
        return _held_out(run, name)
    if split is None and has_test_split(name):
        split = "test"
    data = read_for(run, name, split)
    n = len(data.x)
    every = np.arange(n)
    which = f"all {n:,} rows of {name}" if split is None else f"{n:,} {split} rows of {name}"
    roles, changed = _roles(run, name, data)
    trained = int((roles == TRAINED).sum())
    if split == "test" or not (trained or trained_here):
        return Selection(data, which), every
    if trained == n or not trained:
        which += f" (the model was trained on {'them' if trained else 'others'}{changed})"
    else:
        which += f" (the model was trained on {trained:,} of them{changed})"
    if (roles == HELD_OUT).any():
        them = "the others" if (roles != NEW).all() else "those held out"
        return Selection(data, which, f"--split held-out takes {them}"), every
    if trained_here and not share and has_test_split(name):
        return Selection(data, which, "--split test takes others"), every
    return Selection(data, which, "give others with --data"), every


def _held_out(run: Run, name: str) -> tuple[Selection, Array]:
    """The rows that a run kept for validation, wherever they now stand."""
    trained_here, share = _same_source(name, run.settings.get("data")), run.settings.get("holdout")
    if not share:
        raise ConfigError(
            f"'{run.name}' held no rows of '{name}' out; choose --split train or test, or none."
        )
    data = read_for(run, name)
    roles, changed = _roles(run, name, data)
    places = np.flatnonzero(roles == HELD_OUT)
    if not len(places):
        why = f" any more{changed}" if trained_here else ""
        raise ConfigError(
            f"'{name}' has no row that '{run.name}' held out{why}; give the file that it was "
            "trained on with --data, or leave --split out."
        )
    which = f"{count(len(places), 'row')} of {name} held out in training"
    return Selection(take(data, places), which + changed), places


def _roles(run: Run, name: str, data: Dataset) -> tuple[Array, str]:
    """What each row is to the run, and how the source has changed since training, if it has."""
    known, trained_here = run.rows, _same_source(name, run.settings.get("data"))
    if known is None:
        roles = np.full(len(data.x), NEW)
        if trained_here:  # by an npvae that knew rows by their places
            share, seed = run.settings.get("holdout"), run.settings["seed"]
            kept, held_out = hold_out(len(data.x), share or 0, seed)
            roles[kept], roles[held_out] = TRAINED, HELD_OUT
        return roles, ""
    roles = known.roles(data.x)
    new = int((roles == NEW).sum())
    gone = len(known) - len(roles) + new
    if not trained_here or not (new or gone):
        return roles, ""
    found = [f"{count(n, 'row')} {what}" for n, what in ((new, "came"), (gone, "went")) if n]
    return roles, f"; since then {' and '.join(found)}"


def _same_source(name: str, trained_on: str | None) -> bool:
    """Whether two values of --data mean the same source."""
    if trained_on is None or DIGITS in (name, trained_on):
        return name == trained_on
    return os.path.realpath(name) == os.path.realpath(trained_on)

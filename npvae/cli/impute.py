"""The command that fills in the missing cells of a table."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import tables
from ..core.errors import ConfigError
from ..core.wording import short
from ..gaps import impute as filled_in
from ..gaps.fill import FOR_DRAWS, guesses_of
from ..tables.column import Column
from .console import count, say
from .contexts import as_written, written_schema
from .inputs import is_table, read_for
from .runs import open_run

Array = np.ndarray

_DRAWS = 19
"""The least and the greatest of so many draws hold nine tenths of what may be."""


def impute(options: Namespace) -> None:
    """Write the table with its gaps filled in, and say how sure that is."""
    run = open_run(options.run)
    name = options.data or run.settings.get("data")
    if run.schema is None or name is None or not is_table(name):
        came = "a model of bare rows" if run.schema is None else repr(name)
        raise ConfigError(
            f"npvae impute fills in a table, by a model of its columns; got {came}. Train on a "
            "table, and give one such as that with --data."
        )
    table: Any = read_for(run, name)
    if options.draws and options.median:
        raise ConfigError("--median is for one table, of means; leave it or --draws out.")
    settings = {"seed": options.seed, "context": table.context}
    n_draws, n_samples = max(_DRAWS, options.draws or 0), options.samples or FOR_DRAWS
    draws, effective = filled_in(
        run.model, table.x, n_draws, n_samples, diagnostics=True, **settings
    )
    paths = _paths(options)
    if options.draws:
        versions = draws[: options.draws]
    else:
        statistic = "median" if options.median else "mean"
        filled = filled_in(
            run.model, table.x, None, options.samples, statistic=statistic, **settings
        )
        versions = filled[None]
    for path, version in zip(paths, versions, strict=True):
        _write(path, name, run.model, table, version)
    gaps = np.isnan(table.x)
    rows = np.asarray(gaps.any(axis=1))
    say(
        f"{_named(paths)}: {count(int(gaps.sum()), 'missing cell')} filled in, in "
        f"{count(int(rows.sum()), 'row')} of {len(rows):,}"
    )
    if options.draws is None and not options.median:
        for line in _moved(run.model):
            say(f"  {line}")
    for line in _how_sure(table, draws[:_DRAWS], gaps):
        say(f"  {line}")
    if rows.any():
        say(
            f"  of {n_samples:,} importance samples a row, {np.median(effective[rows]):.0f} "
            f"count in the middle row and {effective[rows].min():.0f} in the least"
        )


def _paths(options: Namespace) -> list[Path]:
    """The files to write: of draws one for each, numbered from 1."""
    path = Path(options.out)
    if not options.draws:
        return [path]
    return [path.with_name(f"{path.stem}-{i}{path.suffix}") for i in range(1, options.draws + 1)]


def _named(paths: list[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} to {paths[-1].name}"


def _write(path: Path, source: str, model: Any, table: Any, filled: Array) -> None:
    """As it was, where both are text; else all cells anew, with the types that the file has."""
    texts = {suffix for suffix in tables.SUFFIXES if suffix not in tables.SHEETS}
    if path.suffix.lower() in texts and Path(source).suffix.lower() in texts:
        tables.write_filled(path, source, table.schema, table.x, filled)
    else:
        tables.write(path, written_schema(model), as_written(model, filled, table.context))


def _moved(model: Any) -> Iterator[str]:
    """What the model's means were moved towards, and by how much."""
    for guesses in guesses_of(model):
        share = guesses.weights[guesses.weights > 0].mean()
        yield (
            f"numbers: the model's means, moved towards {guesses.made_of} by {share:.0%} of what "
            "lies between"
        )


def _how_sure(table: Any, draws: Array, gaps: Array) -> Iterator[str]:
    """Of each column that had gaps, how far the draws agree."""
    columns = [(j, c) for j, c in enumerate(table.schema.modelled) if gaps[:, j].any()]
    wide = max((len(short(c.name)) for _, c in columns), default=0)
    for j, column in columns:
        n = count(int(gaps[:, j].sum()), "cell")
        told = _sure_of(column, table.x[:, j], draws[:, gaps[:, j], j])
        yield f"{short(column.name):<{wide}}  {n}; {told}"


def _sure_of(column: Column, x: Array, draws: Array) -> str:
    """How far draws (19, gaps) of a column agree, beside its known cells."""
    if column.labels:
        agree = [np.unique(cell, return_counts=True)[1].max() / len(cell) for cell in draws.T]
        return f"{np.mean(agree):.0%} of draws agree on the label"
    low, high = np.nanquantile(x, [0.05, 0.95])
    width = np.mean(draws.max(0) - draws.min(0))
    share = width / (high - low) if high > low else np.nan
    return f"90 % intervals are {share:.0%} as wide as nine tenths of the known cells lie apart"

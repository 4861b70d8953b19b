"""``npvae sample``: as many new rows as asked, of which something may be known."""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import plots
from ..core.errors import ConfigError
from ..core.files import WriteError, replacing
from ..core.memory import check_memory, in_words
from ..core.progress import counting
from ..data.conditions import Labels
from ..datasets import Dataset
from ..tables import Columns, Schema
from ..tables.draws import sample_blocks, unconditional
from ..tables.given import column_of
from ..tables.on_disk import write_blocks
from .console import count, say
from .contexts import as_written, contexts_of, whole_schema, written_schema
from .having import known_cells
from .inputs import rows_apart
from .latent_space import csv_line, csv_rows, gallery_for, is_picture, refuse_table
from .runs import Run, open_run

Array = np.ndarray


def sample(options: Namespace) -> None:
    """Write new examples, a block at a time where the file takes blocks."""
    run = open_run(options.run)
    _check_room(options, run.model.x_dim)
    gallery = gallery_for(run, Dataset(np.empty((0, run.model.x_dim))), options)
    context, given, of_what = asked_of(run, options)
    which = "from the prior"
    if not run.model.levels:
        which = "from a standard normal, which the codes of data need not follow"
    if options.given:
        which = f"of which {', '.join(options.given)} is given"
    which += of_what
    if options.balance is not None:
        which += f", as many of each {options.balance!r}"
    blocks = _shown(_blocks(run, options, given, context), options.n)
    if is_picture(options.out):
        plots.save(gallery.samples(np.concatenate(list(blocks))), options.out)
    else:
        _write(options, blocks, run, context)
    say(f"{options.out}: {count(options.n, 'sample')} {which}")


def _check_room(options: Namespace, n_columns: int) -> None:
    """Refuse more rows than the disk has room for, or of a picture, memory."""
    numbers = options.n * n_columns
    if is_picture(options.out):
        check_memory(
            f"a picture of {options.n:,} rows", 4 * numbers, "take fewer, or a .npy or .csv"
        )
        return
    least = numbers * (4 if options.out.suffix.lower() == ".npy" else 2)  # a digit and a comma
    free = shutil.disk_usage(options.out.parent).free
    if least > free:
        raise WriteError(
            f"{options.n:,} rows take {in_words(least)} at least, and there are {in_words(free)} "
            f"where '{options.out}' would be; take fewer, or another --out."
        )


def _blocks(run: Run, options: Namespace, given: dict[str, str], context: Any) -> Iterator[Array]:
    """The rows that are asked for: a table's are draws, others means of p(x given z)."""
    if run.schema is not None:
        balance, seed = options.balance, options.seed
        return sample_blocks(run.model, options.n, given, balance, seed, context)
    return unconditional(run.model, options.n, options.seed, "mean", context)


def _write(options: Namespace, blocks: Iterator[Array], run: Run, context: Any) -> None:
    path, formulas = options.out, not options.no_formulas
    if path.suffix.lower() == ".npy":
        _write_npy(path, blocks, options.n)
        return
    if run.schema is not None:
        schema = written_schema(run.model)
        write_blocks(path, schema, _with_condition(run.model, blocks, context), formulas)
        return
    refuse_table(path)
    names = run.columns or [f"x{i}" for i in range(run.model.x_dim)]
    with replacing(path) as file:
        file.write(csv_line(names, formulas))
        for block in blocks:
            file.write(csv_rows(block))


def _with_condition(model: Any, blocks: Iterator[Array], context: Any) -> Iterator[Array]:
    """The rows with the columns that they are conditioned on."""
    at = 0
    for block in blocks:
        many = context is not None and len(context) > 1
        yield as_written(model, block, context[at : at + len(block)] if many else context)
        at += len(block)


def _write_npy(path: Any, blocks: Iterator[Array], n: int) -> None:
    with replacing(path) as file:
        for i, block in enumerate(blocks):
            if i == 0:
                header = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(block))
                header["shape"] = (n, block.shape[1])
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(block).tobytes())


def _shown(blocks: Iterator[Array], n: int) -> Iterator[Array]:
    """The blocks, with a bar that shows how many of the n rows there are."""
    with counting(n, "rows") as done:
        for block in blocks:
            yield block
            done(len(block))


def asked_of(run: Run, options: Namespace) -> tuple[Any, dict[str, str], str]:
    """The context of the new rows that `npvae sample` is asked for, the rest of --given, in words.

    Of a condition on columns what --given does not say is that of rows of training, at random.
    """
    model, n = run.model, options.n
    schema = whole_schema(model.condition, run.schema)
    if schema is None and (options.given or options.balance):
        hint = " Take --class." if isinstance(model.condition, Labels) else ""
        raise ConfigError(
            f"--given and --balance are for the model of a table; this one is of bare rows.{hint}"
        )
    said = {}
    if schema is not None:
        said = known_cells("--given", options.given, [c.name for c in schema.columns])
    for name in said:
        column_of(schema, name)  # which refuses what is no column
    if options.label is not None:
        if not isinstance(model.condition, Labels):
            raise ConfigError(
                "--class is for a run of --condition label or --model semi; this one has no "
                "classes. Leave it out."
            )
        model.condition.index([options.label])  # which refuses a class never seen
        return np.array([options.label]), said, f", of class {options.label}"
    if model.predicts and (options.given or options.balance):
        raise ConfigError("--given and --balance of a run of --model semi need its --class too.")
    if not isinstance(model.condition, Columns):
        context = contexts_of(model, n, None, options.seed)
        return context, said, "" if context is None else ", of every class in turn"
    names = model.condition.schema.names
    row = model.condition.given({name: said[name] for name in names if name in said})
    others = {name: value for name, value in said.items() if name not in names}
    if options.balance in names:
        raise ConfigError(
            f"--balance is of columns that are modelled; the model is conditioned on "
            f"{options.balance!r}. Draw rows of each label with --given {options.balance}=LABEL."
        )
    if not np.isnan(row).any():
        return row[None], others, ""
    if others or options.balance:
        raise ConfigError(
            "--given and --balance of columns that are modelled need a value for each that the "
            f"model is conditioned on: {', '.join(names)}."
        )
    train, _ = rows_apart(run, None)
    rows = contexts_of(model, n, _like(train.context, row, model.condition.schema), options.seed)
    rest = "the rest of the condition" if said else ", ".join(names)
    return np.where(np.isnan(row), rows, row), {}, f", {rest} as in training"


def _like(rows: Any, row: Array, schema: Schema) -> Any:
    """The rows that have the labels which are known of a row, or all if there are none."""
    labels = [j for j, c in enumerate(schema.modelled) if c.labels and row[j] == row[j]]
    like = rows[(rows[:, labels] == row[labels]).all(1)]
    return like if len(like) else rows

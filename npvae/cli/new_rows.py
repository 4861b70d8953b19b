"""``npvae sample``: as many new rows as asked, of which something may be known."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import plots
from ..core.errors import ConfigError
from ..core.files import replacing
from ..core.progress import counting
from ..datasets import Dataset
from ..tables.draws import sample_blocks, unconditional
from ..tables.on_disk import write_blocks
from .console import count, say
from .latent_space import csv_line, csv_rows, gallery_for, is_picture, refuse_table
from .runs import Run, open_run

Array = np.ndarray


def sample(options: Namespace) -> None:
    """Write new examples, a block at a time where the file takes blocks."""
    run = open_run(options.run)
    gallery = gallery_for(run, Dataset(np.empty((0, run.model.x_dim))), options)
    which = "from the prior"
    if options.given:
        which = f"of which {', '.join(options.given)} is given"
    if options.balance is not None:
        which += f", as many of each {options.balance!r}"
    blocks = _shown(_blocks(run, options), options.n)
    if is_picture(options.out):
        plots.save(gallery.samples(np.concatenate(list(blocks))), options.out)
    else:
        _write(options, blocks, run)
    say(f"{options.out}: {count(options.n, 'sample')} {which}")


def _blocks(run: Run, options: Namespace) -> Iterator[Array]:
    """The rows that are asked for: a table's are draws, others means of p(x given z)."""
    if run.schema is not None:
        given = known_cells(options.given, run.schema)
        return sample_blocks(run.model, options.n, given, options.balance, options.seed)
    if options.given or options.balance:
        raise ConfigError(
            "--given and --balance are for the model of a table; this one is of bare rows."
        )
    return unconditional(run.model, options.n, options.seed, "mean")


def known_cells(texts: list[str], schema: Any) -> dict[str, str]:
    """Texts NAME=VALUE as a mapping; names and values may have = in them."""
    known: dict[str, str] = {}
    for text in texts:
        if "=" not in text:
            raise ConfigError(
                f"--given takes NAME=VALUE with commas between; got {text!r:.60}. What has a comma "
                "in it stands in double quotes."
            )
        columns = [c.name for c in schema.columns if text.startswith(f"{c.name}=")]
        name = max(columns, key=len, default=text.partition("=")[0].strip())
        if name in known:
            raise ConfigError(f"--given says {name!r} twice; say it once.")
        known[name] = text.partition("=")[2] if name not in columns else text[len(name) + 1 :]
        known[name] = known[name].strip()
    return known


def _write(options: Namespace, blocks: Iterator[Array], run: Run) -> None:
    path, formulas = options.out, not options.no_formulas
    if path.suffix.lower() == ".npy":
        _write_npy(path, blocks, options.n)
        return
    if run.schema is not None:
        write_blocks(path, run.schema, blocks, formulas)
        return
    refuse_table(path)
    names = run.columns or [f"x{i}" for i in range(run.model.x_dim)]
    with replacing(path) as file:
        file.write(csv_line(names, formulas))
        for block in blocks:
            file.write(csv_rows(block))


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

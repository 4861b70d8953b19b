"""What options say of rows, NAME=VALUE: cells that are known, and rows that have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConfigError, DataError, nearest
from ..data.conditions import Labels
from ..datasets import Dataset
from ..tables.given import KnownCells
from .contexts import LABEL, as_written, known_labels, written_schema

Array = np.ndarray


def known_cells(option: str, texts: list[str], names: list[str]) -> dict[str, str]:
    """Texts NAME=VALUE as a mapping; names, of which the table has these, may have = in them."""
    known: dict[str, str] = {}
    for text in texts:
        if "=" not in text:
            raise ConfigError(
                f"{option} takes NAME=VALUE with commas between; got {text!r:.60}. What has a "
                "comma in it stands in double quotes."
            )
        fitting = [name for name in names if text.startswith(f"{name}=")]
        name = max(fitting, key=len, default=text.partition("=")[0])
        value = text[len(name) + 1 :].strip()
        name = name if fitting else name.strip()
        if name in known:
            raise ConfigError(f"{option} says {name!r} twice; say it once.")
        known[name] = value
    return known


def rows_with(model: Any, data: Dataset, texts: list[str]) -> tuple[Array, Array]:
    """Which rows have all that the texts of --has say, and of which that is known: (N,) bool each.

    Raises
    ------
    ConfigError
        If the rows have neither labels nor columns with names, or a text is no NAME=VALUE.
    DataError
        If there is no such column or label, or none of the rows has it, or all have.
    """
    schema = None if model.schema is None else written_schema(model)
    columns = [] if schema is None else [c.name for c in schema.columns]
    labels = {LABEL, LABEL if schema is None else schema.label or LABEL} - {*columns}
    said = known_cells("--has", texts, [*columns, *labels])
    has = known = np.ones(len(data.x), bool)
    for name in labels & said.keys():
        mine, told = _labelled(known_labels(model, data), name, said.pop(name))
        has, known = has & mine, known & told
    if said:
        mine, told = _in_table(model, schema, data, said)
        has, known = has & mine, known & told
    with_it, without = int((has & known).sum()), int((~has & known).sum())
    if not with_it or not without:
        raise DataError(
            f"an attribute is the difference of rows that have it from rows that have not; of "
            f"{len(has):,} rows {with_it:,} have {', '.join(texts)}, and {without:,} have not. Say "
            "another."
        )
    return has, known


def _labelled(y: Array | None, name: str, label: str) -> tuple[Array, Array]:
    """Which rows have this label, and of which it is known."""
    known = np.array(
        [each not in (None, "") and each == each for each in ([] if y is None else y.tolist())],
        bool,
    )
    if y is None or not known.any():
        raise DataError(f"the rows have no labels, of which --has {name}={label} is one.")
    classes, has = Labels(np.unique(y[known])), np.zeros(len(y), bool)
    if label not in classes.names:
        raise DataError(f"no row has the label {label!r}{nearest(label, classes.names)}")
    has[known] = classes.index(y[known]) == classes.index([label])
    return has, known


def _in_table(model: Any, schema: Any, data: Dataset, said: dict[str, str]) -> tuple[Array, Array]:
    """Which rows of a table have these cells, and of which they are known."""
    if schema is None:
        raise ConfigError(
            "--has takes label=VALUE here: the model is of bare rows, whose columns are not known "
            f"by name; got {', '.join(said)}."
        )
    wanted = KnownCells(schema, said)
    x = as_written(model, data.x, data.context)
    where = ~np.isnan(wanted.x)
    has = wanted.allows(x) & (x[:, where] == wanted.x[where]).all(1)
    asked = [schema.names.index(name) for name in said if name in schema.names]
    return has, ~np.isnan(x[:, asked]).any(1)

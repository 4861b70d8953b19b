"""What a model is given of each row besides x: labels, or columns of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import ConfigError, DataError
from ..core.registry import arguments_of, parsed
from ..core.wording import cut, short
from ..data.conditions import Labels, PartialLabels, as_condition
from ..datasets import Dataset
from ..tables import Category, Columns, Schema, Table, parted

Array = np.ndarray

TOLD = ("condition", "n_classes")
"""The arguments of a model that say what it is given, or is to predict."""
_STREAM = 5
"""Beside the seed: a stream of its own, for which rows' context new rows have."""

LABEL = "label"
"""What --condition calls the labels of the rows, whatever their column is called."""


def given(choices: dict[str, Any], data: Dataset) -> tuple[Dataset, dict[str, Any]]:
    """The data with the context that the choices ask for, and what the model is to know of it.

    That is its `condition`, or the `n_classes` of a model that predicts labels; {} if neither.
    """
    name = parsed(choices["model"])["name"]
    if "n_classes" in arguments_of("model", name):
        asked = {"n_classes": classes_of(_labels(data, choices["data"], f"--model {name}"))}
        return given_again(asked, data, choices["data"]), asked
    names = choices["condition"]
    if not names:
        return data, {"condition": None}
    label = data.schema.label if isinstance(data, Table) else None
    if names in ([LABEL], [label]):
        y = _labels(data, choices["data"], f"--condition {names[0]}")
        condition: Any = Labels(classes_of(y))
    elif isinstance(data, Table):
        _, of_context = parted(data.schema, names)
        rows = _columns(data, of_context)
        condition = Columns.fitted(of_context, data.schema.names, rows)
    else:
        raise ConfigError(
            f"--condition takes label, or columns of a table; '{choices['data']}' is none, and "
            f"got {', '.join(names)}."
        )
    return _with(condition, data, choices["data"]), {"condition": condition}


def given_again(config: dict[str, Any], data: Dataset, name: str) -> Dataset:
    """The data with the context that a model of this config is trained on."""
    if "n_classes" in config:
        return replace(data, context=_labels(data, name, "the model"))
    return _with(condition_of(config), data, name)


def classes_of(y: Array) -> Any:
    """The classes that labels (N,) are of, as `Labels` takes them: their number, or their names."""
    names = np.unique(y[PartialLabels(1).known(y)])
    if not len(names):
        raise DataError("no row has a label that is known; give some, or train without labels.")
    whole = names.dtype.kind in "iu" and names[0] == 0 and names[-1] == len(names) - 1
    return len(names) if whole else names.tolist()


def condition_of(config: dict[str, Any]) -> Any:
    """The condition of a model's config; None where it has none."""
    condition = config.get("condition")
    return None if condition is None else as_condition(condition)


def whole_schema(condition: Any, schema: Any) -> Any:
    """The schema that a model's table is read by, the columns of its context among them."""
    return condition.whole(Schema.of(schema)) if isinstance(condition, Columns) else schema


def with_context(model: Any, data: Dataset, name: str) -> Dataset:
    """Rows of the source `name` as a model takes them, with their context."""
    data = _with(model.condition, data, name)
    if model.context_dim and data.context is None and not model.predicts:
        raise ConfigError(
            f"this model is given {model.context_dim} numbers of context for each row, which no "
            "file says; call it in Python, with context=."
        )
    return data


def labels_of(model: Any, data: Dataset) -> Any:
    """What goes through latent space with rows: their context, or the labels of a semi model."""
    if model.predicts:
        return model.labels(data.x, data.y)
    return data.context


def known_labels(model: Any, data: Dataset) -> Any:
    """The labels of rows, NaN in place of the -1 by which numbers say that one is not known."""
    y = data.y
    if y is None or not model.predicts or y.dtype.kind not in "iuf":
        return y
    return np.where(model.condition.known(y), y, np.nan)


def _with(condition: Any, data: Dataset, name: str) -> Dataset:
    """The data with the context of a condition; as they are where there is none."""
    if isinstance(condition, Columns):
        if not isinstance(data, Table):
            raise DataError(
                f"the model is conditioned on columns of a table; '{name}' is none. Give a table "
                "with all columns that it was trained on."
            )
        of_x, _ = parted(data.schema, condition.schema.names)
        x = _columns(data, of_x)
        context = _columns(data, condition.schema)
        return replace(data, x=x, columns=of_x.names, schema=of_x, context=context)
    if type(condition) is not Labels:
        return data
    y = _labels(data, name, "a model that is conditioned on labels")
    unknown = np.flatnonzero(~PartialLabels(1).known(y))
    if len(unknown) and "-1" not in condition.names:
        raise DataError(
            f"a model that is conditioned on labels needs one for each row; row {unknown[0]} of "
            f"'{name}' (counted from 0) has none. Fill it, or take --model semi."
        )
    return replace(data, context=y)


def _labels(data: Dataset, name: str, who: str) -> Array:
    if data.y is None:
        raise DataError(
            f"{who} takes the labels of rows, and '{name}' has none; they are y in an .npz, or a "
            "table's first or last column that is called label, y, target or class, or such as "
            "--columns says with NAME=label."
        )
    return np.asarray(data.y)


def _columns(data: Table, schema: Schema) -> Array:
    return data.x[:, [data.schema.names.index(name) for name in schema.names]]


def told(model: Any) -> Iterator[tuple[str, str]]:
    """What a model is given of each row, or predicts, in words."""
    condition = model.condition
    if isinstance(condition, Columns):
        yield "condition", ", ".join(map(short, condition.schema.names))
    elif isinstance(condition, Labels):
        shown = cut(", ".join(condition.names), 60)
        predicted = isinstance(condition, PartialLabels)
        yield "labels" if predicted else "condition", f"{condition.width} classes: {shown}"


def contexts_of(model: Any, n: int, known: Any, seed: int) -> Any:
    """The context of n new rows: every class in turn, or that of rows (N, C) at random.

    None where the model is given none, or draws labels itself.
    """
    if type(model.condition) is Labels:
        names = model.condition.names
        return np.array([names[i % len(names)] for i in range(n)])
    return contexts_like(model, n, known, seed)


def contexts_like(model: Any, n: int, known: Any, seed: int) -> Any:
    """The context of n of the rows of which `known` is the context, at random."""
    if known is None or model.predicts:
        return None
    return known[np.random.default_rng([seed, _STREAM]).integers(len(known), size=n)]


def written_schema(model: Any) -> Schema:
    """The columns of a table that is written: those of x, and those that it is conditioned on."""
    condition, schema = model.condition, model.schema
    if type(condition) is Labels and schema.label and condition.width > 1:
        labels = Category(schema.label, condition.names)
        columns = [*schema.columns, labels]
        return Schema(**{**schema.config, "columns": columns, "label": None})
    whole: Schema = whole_schema(condition, schema)
    return whole


def as_written(model: Any, x: Array, context: Any) -> Array:
    """Rows x (N, D) with the columns of `written_schema`; one context serves all."""
    if context is not None and len(context) < len(x):
        context = np.repeat(context, len(x), axis=0)
    if isinstance(model.condition, Columns):
        return model.condition.joined(model.schema, x, context)
    if len(written_schema(model).modelled) > x.shape[1]:
        return np.column_stack([x, model.condition.index(context)])
    return x

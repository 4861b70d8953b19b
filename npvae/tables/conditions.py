"""Columns of a table that a model is conditioned on: they leave x and become its context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.arrays import as_array
from ..core.errors import ConfigError, DataError, nearest
from ..data.conditions import Condition
from ..data.units import Units
from .frames import array_of, library_of
from .given import KnownCells
from .schema import Schema

Array = np.ndarray


class Columns(Condition):
    """The context is some columns of a table, as `npvae.tables.read` gives them.

    Inside they are what the encoder of a table's model gets of such columns: labels one-hot,
    counts as log(1 + x), the rest standardised, 0 where a cell is missing; and beside them a mask,
    1 where one is known.

    Parameters
    ----------
    schema : Schema, or its config
        Of these columns.
    order : sequence of str
        The names of all columns of the table, those of x as well, as they stand in it.
    units : dict, optional
        ``{"mean": [...], "scale": [...]}`` of the numbers inside; `fitted` finds it.

    Raises
    ------
    DataError
        By `rows`, if the context has other columns.
    """

    def __init__(self, schema: Any, order: Sequence[str], units: Any = None) -> None:
        self.schema = Schema.of(schema)
        self.order = list(order)
        lost = [name for name in self.schema.names if name not in self.order]
        if lost:
            raise ConfigError(f"order names all columns of the table; {lost[0]!r} is missing.")
        self._likelihood = self.schema.likelihood()
        self._n = len(self.schema.modelled)
        self._likelihood.declare(self._n)
        n_features = self._likelihood.n_features(self._n)
        self._units = None if units is None else Units.given(units, n_features, "units")
        self.width = n_features + self._n

    @property
    def units(self) -> Any:
        return None if self._units is None else self._units.config

    @classmethod
    def fitted(cls, schema: Schema, order: Sequence[str], context: Any) -> Columns:
        """The condition of these columns, its units those of the rows of `context` (N, C)."""
        features = cls(schema, order)._features(np.asarray(context, np.float64))
        with np.errstate(invalid="ignore"):
            real = np.asarray(((features < 0) | (features > 1)).any(0))
        units = Units.of(lambda: [(features, None)], real)
        return cls(schema, order, units.config)

    def rows(self, context: Any) -> Any:
        if library_of(context) is not None:
            context = array_of(context, self.schema.modelled, self.schema.missing)
        elif isinstance(context, Mapping):
            context = self.schema.array([context])
        given = np.atleast_2d(as_array(context, "context"))
        if given.ndim == 2 and given.shape[1] == self.width:
            return given  # as `rows` gave it, or what lies between two rows
        if given.ndim != 2 or given.shape[1] != self._n:
            raise DataError(
                f"context has a column for each of {', '.join(map(repr, self.schema.names))}; got "
                f"shape {np.shape(context)}."
            )
        given = given.astype(np.float64)
        features = self._features(given)
        if self._units is not None:
            features = self._units.standardised(features)
        known = ~np.isnan(given)
        return np.concatenate([np.nan_to_num(features), known], axis=1).astype(np.float32)

    def _features(self, context: Array) -> Array:
        return np.asarray(self._likelihood.features(context))

    def given(self, known: Mapping[str, Any]) -> Array:
        """The row of context (C,) of which `known` says values in the table's words.

        NaN where it says none.
        """
        for name in known:
            if name not in self.schema.names:
                raise DataError(
                    f"the context has no column {name!r}{nearest(name, self.schema.names)}"
                )
        cells = KnownCells(self.schema, known)
        if cells.ranges:
            raise DataError(f"what a model is conditioned on is one value each; got {cells}.")
        return cells.x

    def whole(self, schema: Schema) -> Schema:
        """The schema of the table: the columns of x, of which `schema` is, and these."""
        columns = {c.name: c for c in [*schema.columns, *self.schema.columns]}
        ordered = [columns.pop(name) for name in self.order if name in columns]
        return Schema(**{**schema.config, "columns": [*ordered, *columns.values()]})

    def joined(self, schema: Schema, x: Any, context: Any) -> Array:
        """Rows of the whole table, of those of x (N, D) and of the context (N, C)."""
        values = dict(zip(schema.names, np.asarray(x).T, strict=True))
        values.update(zip(self.schema.names, np.asarray(context).T, strict=True))
        return np.column_stack([values[name] for name in self.whole(schema).names])


def parted(schema: Schema, names: Sequence[str]) -> tuple[Schema, Schema]:
    """The schemas of x and of a context that takes the columns of these names out of it.

    Parameters
    ----------
    schema : Schema
    names : sequence of str

    Returns
    -------
    schema, context : Schema

    Raises
    ------
    ConfigError
        If there is no such column, it is a constant, or none is left for x.
    """
    known = {c.name: c for c in schema.columns}
    for name in names:
        if name == schema.label:
            raise ConfigError(
                f"{name!r} is the rows' label; condition on it alone, or make it a column with "
                f"--columns {name}=category."
            )
        if name not in known:
            why = f"it is left out: {schema.skipped[name]}" if name in schema.skipped else ""
            why = f": {why}" if why else nearest(name, schema.names)
            raise ConfigError(f"a model is conditioned on columns of its table; got {name!r}{why}")
        if name not in schema.names:
            raise ConfigError(f"{name!r} is the same in all rows, so it conditions nothing.")
    if set(schema.names) <= set(names):
        raise ConfigError("a model needs a column that it is not conditioned on; leave one out.")
    config = schema.config
    of_x = [c for c in schema.columns if c.name not in names]
    of_context = [known[name] for name in schema.names if name in names]
    return (
        Schema(**{**config, "columns": of_x}),
        Schema(**{**config, "columns": of_context, "label": None, "skipped": {}}),
    )

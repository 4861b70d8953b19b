"""What a table's columns are: a model keeps it, to take and give rows in the table's own terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ..core.arrays import as_array
from ..core.errors import ConfigError, DataError
from ..datasets.rows import Layout
from .cells import Unfit, is_missing, refusal
from .column import Column, Constant
from .kinds import column

Array = np.ndarray

LIKELIHOODS: dict[str, Any] = {
    "number": {"name": "student_t", "df": 8.0},
    "flag": "bernoulli",
    "count": "negative_binomial",
    "category": "categorical",
    "ordered": "ordinal",
}
"""What models the columns of a kind; numbers and dates of which the distribution was found have
`Transformed`. docs/training.md has what else was measured."""


class Schema:
    """The columns of a table.

    Parameters
    ----------
    columns : sequence of Column, or of their configs
        In the table's order. Constants are among them, but not among the columns of x.
    label : str, optional
        The column of the rows' labels, which is not modelled.
    skipped : mapping, optional
        The columns that were left out, each with the reason.
    missing : sequence of str, optional
        The cells that say that a value is not known, beside empty ones; by default `MISSING`.
    layout : mapping, optional
        How the table was laid out as text, as `Layout` has it, where not as by default.

    Attributes
    ----------
    modelled : tuple of Column
        Those of x, in its order.
    """

    def __init__(
        self,
        columns: Iterable[Any],
        label: str | None = None,
        skipped: Mapping[str, str] | None = None,
        missing: Sequence[str] | None = None,
        layout: Mapping[str, Any] | None = None,
    ) -> None:
        self.columns = tuple(c if isinstance(c, Column) else column(c) for c in columns)
        self.modelled = tuple(c for c in self.columns if not isinstance(c, Constant))
        self.label = label
        self.skipped = dict(skipped or {})
        self.missing = None if missing is None else tuple(missing)
        self.layout = Layout(**(layout or {}))
        others = [*([] if label is None else [label]), *chain(*self.skipped.items())]
        if not all(isinstance(text, str) for text in [*others, *(self.missing or ())]):
            raise ConfigError("a schema's label, missing cells and skipped columns are texts.")
        if len({c.name for c in self.columns}) < len(self.columns) or not self.modelled:
            raise ConfigError(
                "a schema needs columns of different names, one of them no constant; got "
                f"{[c.name for c in self.columns]}."
            )

    @classmethod
    def of(cls, choice: Any) -> Schema:
        """A schema, or the one that a config describes; raises `ConfigError`."""
        if isinstance(choice, Schema):
            return choice
        try:
            return cls(**choice)
        except ConfigError:
            raise
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"schema is a Schema, as nv.tables.read gives it, or its config; got "
                f"{choice!r:.60}."
            ) from error

    @property
    def config(self) -> dict[str, Any]:
        """What `of` rebuilds it from; JSON can hold it."""
        columns = [c.config for c in self.columns]
        more: dict[str, Any] = {} if self.missing is None else {"missing": list(self.missing)}
        if self.layout != Layout():
            more["layout"] = self.layout.config
        return {"columns": columns, "label": self.label, "skipped": self.skipped, **more}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and other.config == self.config

    def __hash__(self) -> int:
        return hash(tuple(self.names))

    def __repr__(self) -> str:
        return f"Schema({', '.join(f'{c.name}={c.kind}' for c in self.columns)})"

    @property
    def names(self) -> list[str]:
        """The names of the columns of x."""
        return [c.name for c in self.modelled]

    def where(self, *kinds: str) -> list[int]:
        """Which columns of x are of these kinds, or modelled as they are: dates are as numbers."""
        return [i for i, c in enumerate(self.modelled) if {c.kind, c.modelled_as} & set(kinds)]

    def likelihood(self, **of_kind: Any) -> Any:
        """`Mixed`: for the columns of each kind the likelihood that `LIKELIHOODS` has.

        Numbers that have a marginal are `Transformed`. ``likelihood(number="student_t")`` takes
        another one for a kind.
        """
        from ..likelihoods import Categorical, Mixed, Ordinal, Transformed

        by_classes: dict[Any, Any] = {"categorical": Categorical, "ordinal": Ordinal}
        chosen = {**LIKELIHOODS, **of_kind}
        places: dict[str, list[int]] = {kind: [] for kind in chosen}
        shaped: dict[int, Any] = {}
        for i, c in enumerate(self.modelled):
            kind = c.kind if c.kind in chosen else c.modelled_as
            if c.marginal is None or kind in of_kind:
                places[kind].append(i)
            else:
                shaped[i] = c.marginal
        groups: list[Any] = [(Transformed(list(shaped.values())), list(shaped))] if shaped else []
        for kind in filter(places.__getitem__, chosen):
            likelihood = chosen[kind]
            if isinstance(likelihood, str) and likelihood in by_classes:
                classes = [len(self.modelled[i].labels) for i in places[kind]]
                likelihood = by_classes[likelihood](classes)
            groups.append((likelihood, places[kind]))
        return Mixed(groups)

    def options(self, **of_kind: Any) -> dict[str, Any]:
        """The arguments of a model of this table: ``nv.VAE(z_dim=4, **schema.options())``.

        Missing values are masked, numbers without a marginal standardised. `of_kind` goes to
        `likelihood`.
        """
        likelihood = self.likelihood(**of_kind)
        return {
            "x_dim": len(self.modelled),
            "likelihood": likelihood,
            "missing": "mask",
            "standardise": bool(likelihood.real_columns(len(self.modelled)).any()),
            "schema": self,
        }

    def rows(self, x: Any) -> list[dict[str, Any]]:
        """The rows of x (N, D) in the table's own terms: ``[{name: value}, ...]``.

        A number has the table's decimals, a count is whole, a flag and a category are their labels,
        a date is Python's, a
        missing value is None. Draws keep their meaning exactly; of the means of p(x given z) that
        of a category has none, so give this the modes or draws.
        """
        return [
            {c.name: c.value(v) if v == v else None for c, v in zip(self.columns, row, strict=True)}
            for row in self.with_constants(x).tolist()
        ]

    def cells(self, x: Any) -> list[list[str]]:
        """`rows` as the cells of a table, a missing one empty."""
        return [
            [c.text(v) if v == v else "" for c, v in zip(self.columns, row, strict=True)]
            for row in self.with_constants(x).tolist()
        ]

    def frame(self, x: Any, like: Any = "pandas") -> Any:
        """The rows of x (N, D) as a data frame, in the table's own terms.

        Numbers are floats or, in columns without decimals, whole; flags booleans or their labels;
        categories categorical, in their order if they have one; dates dates.

        Parameters
        ----------
        x : (N, D) array
        like : "pandas", "polars" or a data frame
            A data frame gives the library, the types of the columns that it has, and the index if
            it has as many rows.

        Raises
        ------
        MissingDependency
            If the library is not installed.
        """
        from .frames import frame_of  # which files need not

        return frame_of(self.columns, self.with_constants(x), like)

    def array(self, rows: Sequence[Mapping[str, Any]]) -> Array:
        """Rows ``[{name: value}, ...]`` as x (N, D) float64, None and NaN as missing.

        Raises
        ------
        DataError
            If a row has no value for a column, or one that the column can't have.
        """
        x = np.full((len(rows), len(self.modelled)), np.nan)
        for i, row in enumerate(rows):
            for j, c in enumerate(self.modelled):
                if c.name not in row:
                    raise DataError(
                        f"row {i} (counted from 0) needs a value for {c.name!r}; it has none. "
                        "Give None where it is not known."
                    )
                value = row[c.name]
                if not _is_unknown(value, c, self.missing):
                    try:
                        x[i, j] = c.number(value)
                    except Unfit as unfit:
                        place = f"row {i} (counted from 0), column {c.name!r}"
                        raise refusal(place, unfit) from None
        return x

    def with_constants(self, x: Any) -> Array:
        """x with a column for each of the table's."""
        x = as_array(x, "x")
        if x.ndim != 2 or x.shape[1] != len(self.modelled):
            raise DataError(
                f"x needs shape (N, {len(self.modelled)}), a column for each of the schema's; got "
                f"{x.shape}."
            )
        values = np.zeros((len(x), len(self.columns)))
        values[:, [not isinstance(c, Constant) for c in self.columns]] = x
        return values


def _is_unknown(value: Any, column: Column, missing: Sequence[str] | None) -> bool:
    if value is None or value != value:
        return True
    text = str(value).strip()
    return is_missing(text, missing) and text not in column.labels

"""Whether the rows that a model draws are such as the data have: a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..core.checks import whole
from ..core.errors import DataError, MissingDependency
from ..core.public import public
from ..core.wording import short
from ..models import Model
from .associations import associations
from .by_column import Labels, column_distances, outside, outside_the_others
from .classifier import FOLDS, auc_of_classifier
from .nearness import nearer_to_training

Array = np.ndarray

_SHUFFLES = 5
_MOST_PAIRED = 300
"""Columns that are paired with each other; of more, as many are drawn."""


class Pair(NamedTuple):
    """Two columns, and their association in the data and in the drawn rows."""

    first: str
    second: str
    data: float
    drawn: float

    @property
    def error(self) -> float:
        return abs(self.data - self.drawn)


@dataclass(frozen=True)
class DrawnRows:
    """What `drawn_rows_report` finds; printed it is a table.

    Attributes
    ----------
    n, n_train, n_valid : int
        Rows that were drawn, that the model was trained on, and that it was not. Where nothing else
        is said the drawn rows are compared with both of these together, "the data".
    distances : dict
        For each column the Kolmogorov-Smirnov distance, or with labels the total variation, of the
        drawn rows from the data; NaN for a column of which nothing is known.
    column_distance : float
        Their mean.
    pairs : list of Pair
        The associations of each pair of columns: Pearson's correlation, the correlation ratio or
        Cramér's V, by the columns' kinds.
    association_error : float or None
        The mean absolute difference over the pairs; None for a single column.
    column_distance_by_chance, association_error_by_chance : float
        What as many rows of the same distribution have in the mean: by shuffling the drawn rows and
        the data together.
    auc, auc_se : float or None
        The area under the ROC curve of a random forest that tells drawn rows from real ones, by
        five folds, and its standard error: 0.5 where they can't be told. None where it was not
        looked at; `no_auc` says why.
    nearer_to_training, nearer_to_training_se : float or None
        The share of drawn rows that lie nearer to a training row than to one held out, as if there
        were as many of both, and its standard error if nothing was copied: 0.5 is ideal, 1 is
        copying. None without rows held out.
    rows_outside, rows_outside_by_chance : float
        The share of drawn rows with a number outside the range of its column in the data, and the
        share of the data's rows that lie outside the range of all the others.
    outside : dict
        The share for each column where it is above 0.
    """

    n: int
    n_train: int
    n_valid: int
    distances: dict[str, float]
    column_distance: float
    column_distance_by_chance: float
    pairs: list[Pair] = field(repr=False)
    association_error: float | None
    association_error_by_chance: float | None
    auc: float | None
    auc_se: float | None
    no_auc: str
    nearer_to_training: float | None
    nearer_to_training_se: float | None
    rows_outside: float
    rows_outside_by_chance: float
    outside: dict[str, float]

    def worst_columns(self, most: int = 5) -> list[tuple[str, float]]:
        """The columns that differ most, and their distances."""
        known = [(name, d) for name, d in self.distances.items() if d == d]
        return sorted(known, key=lambda item: -item[1])[:most]

    def worst_pairs(self, most: int = 5) -> list[Pair]:
        """The pairs of columns whose associations differ most."""
        return sorted(self.pairs, key=lambda pair: -pair.error)[:most]

    def as_dict(self) -> dict[str, Any]:
        """All of it but the pairs, of which the 20 worst, for JSON."""
        plain = {name: value for name, value in vars(self).items() if name != "pairs"}
        return {**plain, "worst_pairs": [pair._asdict() for pair in self.worst_pairs(20)]}

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield (
            f"{self.n:,} rows drawn, beside {self.n_train + self.n_valid:,} of the data, of which "
            f"{self.n_train:,} trained the model\n"
        )
        yield f"  {'':<22} {'drawn':>13} {'ideal':>7}"
        for name, value, error, ideal, what in self._figures():
            shown = f"{value:.3f}" + (f" ± {error:.3f}" if error is not None else "")
            yield f"  {name:<22} {shown:>13} {ideal:>7.3f}   {what}"
        if self.no_auc:
            yield f"\nNo classifier: {self.no_auc}"
        if self.nearer_to_training is None:
            yield "\nNo rows were held out, so nothing can be said of copied rows."
        yield "\nThe columns that differ most, by their distance"
        for column, distance in self.worst_columns():
            yield f"  {short(column):<24} {distance:>8.3f}"
        if self.pairs:
            yield "\nThe pairs of columns whose associations differ most, in the data and drawn"
            for pair in self.worst_pairs():
                names = f"{short(pair.first)}, {short(pair.second)}"
                yield f"  {names:<50} {pair.data:>7.3f} {pair.drawn:>7.3f}"

    def _figures(self) -> Iterator[tuple[str, float, float | None, float, str]]:
        """Name, value, standard error, ideal and meaning of what is known."""
        yield (
            "column distance", self.column_distance, None, self.column_distance_by_chance,
            "mean of Kolmogorov-Smirnov (numbers) and total variation (labels)",
        )  # fmt: skip
        if self.association_error is not None:
            chance = self.association_error_by_chance or 0.0
            what = "mean error of correlations, correlation ratios, Cramér's V"
            yield "association error", self.association_error, None, chance, what
        if self.auc is not None:
            yield "AUC of a classifier", self.auc, self.auc_se, 0.5, "that tells drawn from real"
        if self.nearer_to_training is not None:
            what = "share nearer to a row of training than to one held out"
            yield (
                "nearer to training", self.nearer_to_training, self.nearer_to_training_se, 0.5, what
            )  # fmt: skip
        what = "share of rows with a number outside its column's range"
        yield "rows out of range", self.rows_outside, None, self.rows_outside_by_chance, what


@public
def drawn_rows_report(
    model: Model, x: Any, valid: Any = None, n: int = 1000, seed: int = 0, context: Any = None
) -> DrawnRows:
    """Compare rows that the model draws with the data, as people would who look for the difference.

    Each column by itself, each pair of columns, all columns together by a classifier, whether rows
    of training were copied, and values that no row has. A table's rows are compared as they are
    written: rounded as its columns are. They are draws and no means: a Bernoulli model of grey
    images draws black and white pixels, which are told from grey ones at once.

    Parameters
    ----------
    model : Model
    x : (T, D) array
        The rows that it was trained on.
    valid : (V, D) array, optional
        Such rows as it was not trained on.
    n : int
        Rows to draw.
    seed : int
        Of the draws, and of what compares them.
    context : optional
        Of a conditional model, for each of the n rows, or one for all.

    Returns
    -------
    DrawnRows

    Raises
    ------
    DataError
        If x or valid are not such data as the model takes, or it draws what is not finite.
    """
    train = _as_seen(model, x)
    held_out = train[:0] if valid is None else _as_seen(model, valid, "valid")
    drawn = _as_written(model, model.sample(whole("n", n), seed, context, take="draw"))
    return _compared(_Columns.of(model, train.shape[1]), train, held_out, drawn, seed)


class _Columns(NamedTuple):
    """What the report has to know of columns: names, labels, and which labels have no order."""

    names: Sequence[str]
    labels: Labels
    nominal: Sequence[int]

    @classmethod
    def of(cls, model: Model, d: int) -> _Columns:
        schema: Any = getattr(model, "schema", None)
        if schema is None:
            return cls([f"feature {j}" for j in range(d)], [()] * d, [])
        labels = [column.labels for column in schema.modelled]
        return cls(schema.names, labels, schema.where("category"))


def _compared(c: _Columns, train: Array, valid: Array, drawn: Array, seed: int) -> DrawnRows:
    data = np.concatenate([train, valid])
    rng = np.random.default_rng(seed)
    shuffled = [_shuffled(data, drawn, rng) for _ in range(_SHUFFLES)]
    paired = np.sort(rng.permutation(data.shape[1])[:_MOST_PAIRED])
    first, second = np.triu_indices(len(paired), 1)
    nominal = np.flatnonzero(np.isin(paired, c.nominal))

    def distances(x: Array, y: Array) -> Array:
        return column_distances(x, y, c.labels)

    def associated(rows: Array) -> Array:
        return associations(rows[:, paired], nominal)[first, second]

    def error(x: Array, y: Array) -> float | None:
        return float(np.abs(associated(x) - associated(y)).mean()) if len(first) else None

    between = distances(data, drawn)
    ends = zip(paired[first], paired[second], associated(data), associated(drawn), strict=True)
    pairs = [Pair(c.names[i], c.names[j], float(a), float(b)) for i, j, a, b in ends]
    far = outside(data, drawn)
    known = ~np.isnan(data).all(0)
    auc, auc_se, no_auc = _auc(data, drawn, seed)
    nearer: tuple[float | None, float | None] = None, None
    if len(valid):
        nearer = nearer_to_training(drawn, train, valid, c.labels)
    by_chance = [error(*pair) for pair in shuffled]
    return DrawnRows(
        n=len(drawn),
        n_train=len(train),
        n_valid=len(valid),
        distances=dict(zip(c.names, between.tolist(), strict=True)),
        column_distance=float(between[known].mean()) if known.any() else 0.0,
        column_distance_by_chance=float(np.nanmean([distances(*p)[known] for p in shuffled])),
        pairs=pairs,
        association_error=float(np.mean([p.error for p in pairs])) if pairs else None,
        association_error_by_chance=float(np.mean(by_chance)) if pairs else None,  # type: ignore[arg-type]
        auc=auc,
        auc_se=auc_se,
        no_auc=no_auc,
        nearer_to_training=nearer[0],
        nearer_to_training_se=nearer[1],
        rows_outside=float(far.any(1).mean()),
        rows_outside_by_chance=float(outside_the_others(data).mean()),
        outside={n: float(s) for n, s in zip(c.names, far.mean(0), strict=True) if s > 0},
    )


def _auc(data: Array, drawn: Array, seed: int) -> tuple[float | None, float | None, str]:
    """The classifier's area and its standard error, or why there are none."""
    if min(len(data), len(drawn)) < FOLDS:
        return None, None, f"it needs {FOLDS} rows of each kind."
    try:
        return *auc_of_classifier(data, drawn, seed), ""
    except MissingDependency as error:
        return None, None, f"{error}."


def _shuffled(x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The rows of both dealt out anew, as many to each; those of y with the gaps of some of x."""
    gaps = np.isnan(x)[rng.integers(len(x), size=len(y))]
    together = np.concatenate([x, np.where(gaps, np.nan, y)])
    rng.shuffle(together)
    return together[: len(x)], together[len(x) :]


def _as_seen(model: Model, x: Any, what: str = "x") -> Array:
    """Rows on the scale of what the model draws, in float64."""
    if getattr(model, "schema", None) is None:
        x = model.reader(x).batch(slice(None))
    x = np.asarray(x, float)
    if x.ndim != 2 or not len(x) or x.shape[1] != model.x_dim or np.isinf(x).any():
        raise DataError(
            f"{what} must be (N, {model.x_dim}), a row or more of finite numbers or NaN; got "
            f"{x.shape}. Is it of the data that the model was trained on?"
        )
    return x


def _as_written(model: Model, drawn: Array) -> Array:
    """Drawn rows as a table's cells give them back: rounded, and whole where its columns are."""
    drawn = np.array(drawn, float)
    if not np.isfinite(drawn).all():
        raise DataError("the model draws values that are not finite; train it anew.")
    schema: Any = getattr(model, "schema", None)
    from ..tables.cells import Unfit  # only a table's model has need of it

    j = 0
    try:
        for j, column in enumerate(schema.modelled if schema is not None else ()):
            drawn[:, j] = column.parsed([column.text(value) for value in drawn[:, j].tolist()])
    except Unfit as unfit:
        what = f"the model draws what column {schema.names[j]!r} can't have"
        raise DataError(f"{what}: {unfit}. Train it anew.") from None
    return drawn

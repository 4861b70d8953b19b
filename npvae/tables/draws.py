"""New rows of a table: as many as asked, with columns that are known, or as many of each label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.checks import whole
from ..core.errors import ConfigError, DataError
from ..core.public import public
from ..data.redraws import mended
from ..gaps import impute
from ..gaps.fill import ENOUGH
from .given import KnownCells, column_of

Array = np.ndarray

BLOCK = 10_000
"""Rows that are in memory at a time."""
_POOL = 1 << 13
"""Latent vectors that are weighted at a time, of rows of some columns."""
_NUMBERS = 1 << 22
"""The largest array has about so many."""
_AT_ONCE = 200
"""Rows that are drawn at a time where the prior hardly finds any."""
_PATIENCE = 200
"""So many pools without a row are enough."""
_STREAM = 4
"""Beside the seed: a stream that no other function has."""


@public
def sample(
    model: Any,
    n: int,
    given: Mapping[str, Any] | None = None,
    balance: str | None = None,
    seed: int = 0,
    context: Any = None,
) -> Array:
    """n new rows of a table, (n, D): draws from p(x), or from p(x given what is known).

    Latent vectors are drawn from the prior, weighted by the likelihood of the known values, and
    drawn again by these weights; where those leave fewer than 30 effective samples, `impute` draws
    from the encoder's posterior instead. What lies outside of the ranges is drawn anew.

    Parameters
    ----------
    model : Model, with a schema
    n : int
    given : mapping, optional
        By a column's name what it is known to be, in the table's words: a value, such as "Paris" or
        31; a range "30..40" or (30, 40), one end of which may be missing, as "30.." and (30, None);
        or a list of labels.
    balance : str, optional
        A column of labels, of which all are to come as often.
    seed : int
    context : optional
        Of a conditional model, for each of the n rows, or one for all; where columns are given or
        balanced, one for all.

    Returns
    -------
    (n, D) array

    Raises
    ------
    DataError
        If a column is unknown, can't have a value, or hardly any row is such.
    ConfigError
        If the model is not a table's, or `balance` is no column of labels.

    Source: Rubin 1987 (sampling importance resampling).
    """
    return np.concatenate(list(sample_blocks(model, n, given, balance, seed, context)))


def sample_blocks(
    model: Any,
    n: int,
    given: Mapping[str, Any] | None = None,
    balance: str | None = None,
    seed: int = 0,
    context: Any = None,
) -> Iterator[Array]:
    """`sample` in blocks of rows, so that memory does not grow with n. Raises when it is called."""
    n, seed = whole("n", n), whole("seed", seed, least=0)
    schema = getattr(model, "schema", None)
    if schema is None:
        raise ConfigError(
            "rows with known columns are drawn of a table's model; this has no schema."
        )
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"given is a mapping such as {{'town': 'Paris'}}; got {given!r:.60}.")
    given = dict(given or {})
    if not given and balance is None:
        return unconditional(model, n, seed, "draw", context)
    known = [KnownCells(schema, given)]
    if balance is not None:
        labels = _labels(schema, balance, given)
        known = [KnownCells(schema, {**given, balance: label}) for label in labels]
    return _conditional(model, n, known, seed, _one_context(model, context))


def _labels(schema: Any, name: str, given: Mapping[str, Any]) -> Sequence[str]:
    """The labels of a column that rows are balanced over."""
    column = column_of(schema, name)
    if not column.labels:
        raise ConfigError(
            f"rows are balanced over the labels of a flag or a category; {name!r} is a "
            f"{column.kind}. Choose another column."
        )
    if name in given:
        raise ConfigError(f"rows are balanced over all labels of {name!r}; leave it out of given.")
    return column.labels


def _one_context(model: Any, context: Any) -> Array | None:
    """The context of all rows, (1, C), as the model's networks take it."""
    reader = model.context_reader(context, 1)
    return None if reader is None else np.asarray(reader.checked(slice(0, 1)))


def unconditional(model: Any, n: int, seed: int, take: str, context: Any = None) -> Iterator[Array]:
    """`Model.sample` in blocks of rows; the first is what it gives with the same seed."""
    given = None if context is None else np.asarray(context)
    for block, start in enumerate(range(0, n, BLOCK)):
        own = seed if block == 0 else _seed(np.random.default_rng([seed, _STREAM, block]))
        size = min(BLOCK, n - start)
        mine = given
        if given is not None and len(given) == n > 1:
            mine = given[start : start + size]
        yield model.sample(size, own, mine, take)


def _conditional(
    model: Any, n: int, known: list[KnownCells], seed: int, context: Array | None
) -> Iterator[Array]:
    for block, start in enumerate(range(0, n, BLOCK)):
        size = min(BLOCK, n - start)
        rows = np.empty((size, model.x_dim))
        for i, given in enumerate(known):
            # Row r has label r mod L, so that every stretch of rows is balanced.
            mine = np.arange((i - start) % len(known), size, len(known))
            rng = np.random.default_rng([seed, _STREAM, block, i])
            if len(mine):
                rows[mine] = _drawn(model, given, len(mine), rng, context)
        yield rows


def _drawn(
    model: Any, given: KnownCells, n: int, rng: np.random.Generator, context: Array | None
) -> Array:
    """n draws (n, D) of rows of which something is given, all with one context (1, C)."""
    pool = int(np.clip(_NUMBERS // max(model.largest_row, 1), 256, _POOL))
    functions = model.functions
    x = given.x if functions is None else functions.completed(given.x[None])[0]
    known = ~np.isnan(x)
    kept: list[Array] = []
    found = tries = since = 0
    while found < n:
        z = model.draw_z(pool, rng, _for_each(pool, context))
        weights = _weights(model, z, x, context) if known.any() else None
        if weights is None:
            drawn = model.decode(z, _for_each(len(z), context), "draw", _seed(rng))
        elif (effective := 1 / np.square(weights).sum()) >= ENOUGH:
            z = z[rng.choice(pool, int(effective / 2), p=weights)]
            drawn = model.decode(z, _for_each(len(z), context), "draw", _seed(rng))
        else:  # the encoder knows better than the prior where such rows are
            draws = impute(model, x[None], _AT_ONCE, 5 * _AT_ONCE, _seed(rng), context)
            drawn = draws[:, 0]
        drawn = np.array(drawn, np.float64)
        drawn[:, known] = x[known]
        drawn = mended(drawn, functions, model.redraws, rng, x)
        good = given.allows(drawn)
        if functions is not None:
            good &= functions.agree(drawn, x)
        if model.tilt is not None:
            good &= model.tilt.kept(drawn, rng)
        kept.append(drawn[good][: n - found])
        found += len(kept[-1])
        tries, since = tries + len(drawn), 0 if good.any() else since + 1
        if since == _PATIENCE:
            raise DataError(
                f"of {tries:,} rows that the model drew, {found} had {given}; ask for fewer "
                "columns, or for wider ranges."
            )
    return np.concatenate(kept)


def _for_each(n: int, context: Array | None) -> Array | None:
    """One context (1, C) for each of n latent vectors."""
    return None if context is None else np.repeat(context, n, axis=0)


def _weights(model: Any, z: Array, x: Array, context: Array | None) -> Array:
    """p(known values of x given z) of z (N, Z) and one row x (D,), to a sum of 1: (N,)."""
    log_w = _log_likelihood(model, z, x, context)
    w = np.exp(log_w - max(log_w.max(), -1e300))
    if not w.any():
        raise DataError("no row that the model can draw has these values; give others.")
    return np.asarray(w / w.sum())


def _log_likelihood(model: Any, z: Array, x: Array, context: Array | None) -> Array:
    """log p(known values of x given z) for each z (N, Z) and one row x (D,): (N,)."""
    ((row, _),) = model.batches(x[None], context)
    rows = np.broadcast_to(row, (len(z), len(x)))
    theta = model.theta(z.astype(row.dtype), _for_each(len(z), context))
    entries = model.likelihood.entries(theta, rows)
    log_p = np.where(np.isnan(rows), 0.0, entries).sum(1)
    return np.where(np.isnan(log_p), -np.inf, log_p)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 62))

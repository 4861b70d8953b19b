"""Ways through latent space: from one row to another, along a dimension, towards an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.arrays import as_array
from ..core.checks import whole
from ..core.errors import ConfigError, DataError
from ..core.public import public

Array = np.ndarray

_STRAIGHT = 1e-6
"""Radians from parallel or opposite within which an arc is no better than a line."""


@public
def interpolate(
    model: Any,
    a: Any,
    b: Any,
    steps: int = 10,
    spherical: bool = False,
    context: Any = None,
    take: str = "mean",
) -> Array:
    """The rows on the way from a to b: latent vectors from one's centre to the other's, decoded.

    Parameters
    ----------
    model : Model
        Of any family; of one with several levels the level next to x is walked through.
    a, b : (D,) or (N, D) arrays
        One pair of rows, or N.
    steps : int
        2 or more; the first is a's reconstruction, the last b's.
    spherical : bool
        Whether to walk along the arc between the two vectors, which keeps to the lengths that
        draws from a standard normal have. Where they point the same or opposite ways it is a line.
    context : (C,) or (N, C) array, or labels, optional
        That of all steps of each pair.
    take : {"mean", "draw", "mode"}
        What is taken of p(x given z), as of ``model.decode``.

    Returns
    -------
    (steps, D) array, or (N, steps, D)

    Source: along arcs, White 2016.
    """
    a, b = as_array(a, "a"), as_array(b, "b")
    if a.shape != b.shape or a.ndim not in (1, 2):
        raise DataError(
            f"a and b are two rows (D,), or two arrays (N, D) of rows; got {a.shape} and {b.shape}."
        )
    rows = np.concatenate([np.atleast_2d(a), np.atleast_2d(b)])
    contexts = None if context is None else np.asarray(context)
    if contexts is not None and a.ndim == 1:
        contexts = contexts[None]
    both = None if contexts is None else np.concatenate([contexts, contexts])
    start, end = np.split(model.centres(rows, both)[0], 2)
    z = between(start, end, steps, spherical)
    decoded = _decoded(model, z, contexts, take)
    return decoded[0] if a.ndim == 1 else decoded


def between(start: Array, end: Array, steps: int, spherical: bool = False) -> Array:
    """Latent vectors (N, steps, Z) on lines, or on arcs, from start (N, Z) to end."""
    start, end = start[:, None], end[:, None]
    t = np.linspace(0, 1, whole("steps", steps, least=2), dtype=start.dtype)[:, None]
    lines = (1 - t) * start + t * end
    if not spherical:
        return lines
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    product = (start * end).sum(-1)
    cosine = np.divide(product, lengths, out=np.ones_like(product), where=lengths > 0)
    angle = np.arccos(np.clip(cosine, -1, 1))[..., None]
    turns = (angle > _STRAIGHT) & (angle < np.pi - _STRAIGHT)
    angle = np.where(turns, angle, 1)
    arcs = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)
    return np.where(turns, arcs, lines).astype(start.dtype)


@public
def traverse(
    model: Any,
    z: Any,
    dims: int | Sequence[int],
    values: Any,
    context: Any = None,
    take: str = "mean",
) -> Array:
    """What latent vectors stand for when one of their dimensions has these values, one after one.

    Parameters
    ----------
    model : Model
    z : (Z,) or (N, Z) array
        Where all other dimensions stay.
    dims : int or sequence of I ints
        The dimensions to change, each alone, counted from 0.
    values : (V,) array
    context : (C,) or (N, C) array, or labels, optional
    take : {"mean", "draw", "mode"}

    Returns
    -------
    (I, V, D) array
        Decoded rows; without the first axis where `dims` is one int, and with one of N before it
        where z has N rows.
    """
    z, values = as_array(z, "z"), as_array(values, "values")
    if z.ndim not in (1, 2) or values.ndim != 1 or not len(values):
        raise DataError(
            "z is a latent vector (Z,), or N of them, and values are numbers (V,); got "
            f"{z.shape} and {values.shape}."
        )
    walked = along(np.atleast_2d(z), dims, values)
    n, n_dims, steps, width = walked.shape
    contexts = None if context is None else np.asarray(context)
    if contexts is not None and z.ndim == 1:
        contexts = contexts[None]
    decoded = _decoded(model, walked.reshape(n, -1, width), contexts, take)
    decoded = decoded.reshape(n, n_dims, steps, -1)
    decoded = decoded[:, 0] if np.ndim(dims) == 0 else decoded
    return decoded[0] if z.ndim == 1 else decoded


def along(z: Array, dims: int | Sequence[int], values: Array) -> Array:
    """Latent vectors (N, I, V, Z): z (N, Z) with each of I dimensions at each of V values."""
    chosen = _dims(dims, z.shape[-1])
    shape = len(z), len(chosen), len(values), z.shape[-1]
    walked = np.broadcast_to(z[:, None, None], shape).astype(np.result_type(z, np.float32))
    for i, dim in enumerate(chosen):
        walked[:, i, :, dim] = values
    return walked


@public
def attribute_vector(
    model: Any, x: Any, has: Any, context: Any = None, within: Any = None
) -> Array:
    """The way in latent space from rows that lack an attribute to those that have it, (Z,).

    It is the difference of their mean centres: added to a row's latent vector, it gives the row the
    attribute.

    Parameters
    ----------
    model : Model
    x : (N, D) array
    has : (N,) booleans, or ones and zeros
        Which rows have the attribute.
    context : (N, C) array, or labels, optional
    within : (N,) labels, optional
        The group of each row, such as the person that a picture shows. The vector is then the mean
        over groups that have rows of both kinds of the difference within the group: so it holds
        the attribute, and not what else those who have it have in common.

    Raises
    ------
    DataError
        If all rows have the attribute or none has; with groups, if that is so within each.

    Returns
    -------
    (Z,) array

    Source: Larsen et al. 2016, section 4.2.
    """
    has = as_array(has, "has")
    centres = model.centres(x, context)[0]
    flags = has.astype(bool) if has.dtype.kind in "buif" else np.zeros(0, bool)
    if flags.shape != (len(centres),) or (flags != has).any() or flags.all() or not flags.any():
        raise DataError(
            f"has says of each of the {len(centres)} rows whether it has the attribute, some with "
            f"and some without; got {has.dtype} of shape {has.shape}, {int(flags.sum())} with it."
        )
    if within is None:
        return _difference(centres, flags)
    groups = np.asarray(within)
    if groups.shape != flags.shape:
        raise DataError(
            f"within has a label for each of the {len(centres)} rows, (N,); got shape "
            f"{groups.shape}."
        )
    members = [groups == group for group in np.unique(groups)]
    mixed = [group for group in members if flags[group].any() and not flags[group].all()]
    if not mixed:
        raise DataError(
            f"within is of groups of which some have rows with the attribute and rows without it; "
            f"none of {len(members)} has both. Leave it out, or take larger groups."
        )
    return np.mean([_difference(centres[group], flags[group]) for group in mixed], axis=0)


def _difference(centres: Array, flags: Array) -> Array:
    return centres[flags].mean(0) - centres[~flags].mean(0)


def _decoded(model: Any, z: Array, context: Any, take: str) -> Array:
    """Latent vectors (N, S, Z), decoded: (N, S, D); each of the N has one context."""
    n, steps, width = z.shape
    contexts = None if context is None else np.repeat(context, steps, axis=0)
    return model.decode(z.reshape(-1, width), contexts, take).reshape(n, steps, -1)


def _dims(dims: Any, width: int) -> list[int]:
    """Latent dimensions as a list; raises `ConfigError` for one that there is not."""
    chosen = [dims] if np.ndim(dims) == 0 else list(dims)
    found = [whole("each of dims", dim, least=0) for dim in chosen]
    if not found or max(found) >= width:
        raise ConfigError(f"dims are some of the latent dimensions 0 to {width - 1}; got {dims!r}.")
    return found

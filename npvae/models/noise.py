"""The standard normal numbers that latent levels are drawn with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ..core.arrays import as_array
from ..core.errors import DataError

Array = np.ndarray


Rng: TypeAlias = "np.random.Generator | Sequence[np.random.Generator]"
"""Not evaluated: who encodes needs no `numpy.random`, which takes long to import."""


def drawn(widths: Sequence[int], batch: int, n_samples: int, rng: Rng, dtype: np.dtype) -> Any:
    """eps (K, B, Z) for K = n_samples; a list of one for each of several levels, from one draw."""
    if not isinstance(rng, np.random.Generator):
        return _by_row(widths, n_samples, rng, dtype)
    size = n_samples * batch
    try:
        flat = rng.standard_normal(size * sum(widths), dtype=dtype)
    except ValueError as error:  # more numbers than NumPy can count
        raise MemoryError(f"{n_samples} samples of {batch} rows are too many") from error
    ends = size * np.cumsum(widths)[:-1]
    levels = [
        level.reshape(n_samples, batch, width)
        for level, width in zip(np.split(flat, ends), widths, strict=True)
    ]
    return levels[0] if len(levels) == 1 else levels


def _by_row(
    widths: Sequence[int], n_samples: int, streams: Sequence[np.random.Generator], dtype: np.dtype
) -> Any:
    """The same with a stream for each row, from which the numbers of all levels of a sample follow
    one another: so they are the same however many samples are drawn at a time."""
    eps = np.empty((n_samples, len(streams), sum(widths)), dtype)
    for b, stream in enumerate(streams):
        eps[:, b] = stream.standard_normal((n_samples, eps.shape[-1]), dtype=dtype)
    levels = np.split(eps, np.cumsum(widths)[:-1], axis=-1)
    return levels[0] if len(levels) == 1 else levels


def checked(eps: Any, widths: Sequence[int], batch: int, dtype: np.dtype) -> Any:
    """`eps` in this type; raises `DataError` if it is not as `drawn` gives it."""
    if len(widths) == 1:
        return _of_level(eps, widths[0], batch, dtype)
    if not isinstance(eps, (list, tuple)) or len(eps) != len(widths):
        raise DataError(
            f"eps is a list of {len(widths)} arrays, one for each latent level; got "
            f"{type(eps).__name__}. Draw it with model.draw_noise(batch, n_samples, rng)."
        )
    return [_of_level(e, width, batch, dtype) for e, width in zip(eps, widths, strict=True)]


def _of_level(eps: Any, width: int, batch: int, dtype: np.dtype) -> Array:
    eps = as_array(eps, "eps")
    if eps.ndim != 3 or eps.shape[1:] != (batch, width) or len(eps) == 0:
        raise DataError(
            f"eps needs shape (K, {batch}, {width}) for this batch and model; got "
            f"{eps.shape}. Draw it with model.draw_noise(batch, n_samples, rng)."
        )
    return eps.astype(dtype, copy=False)

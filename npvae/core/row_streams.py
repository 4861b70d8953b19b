"""Random numbers that belong to a row, wherever it stands and whatever stands beside it."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np

Array = np.ndarray


def row_streams(
    x: Array,
    context: Array | None,
    seed: int,
    purpose: int,
    apart: bool = True,
    met: Counter[bytes] | None = None,
) -> list[np.random.Generator]:
    """A random stream for each row of x (N, D), made of its numbers, its context's and the seed.

    Parameters
    ----------
    x : (N, D) array
        NaN is a number like others.
    context : (N, C) array or None
    seed, purpose : int
        Streams of another purpose have nothing to do with these.
    apart : bool
        Whether equal rows have streams of their own, numbered in the order in which they come.
        With False they have the same numbers.
    met : Counter, optional
        How many equal rows came before, where x is a part of the rows: it is added to.
    """
    rows = np.ascontiguousarray(x if context is None else np.hstack([x, context]), np.float64)
    rows = np.where(np.isnan(rows), np.nan, rows) + 0.0  # one NaN, and no -0
    start = np.array([seed % 2**64, purpose], np.uint64).tobytes()
    met = Counter() if met is None else met
    streams = []
    for row in rows:
        digest = hashlib.blake2b(start + row.tobytes(), digest_size=16).digest()
        bits = np.random.Philox(
            key=np.frombuffer(digest, np.uint64), counter=[0, 0, 0, met[digest]]
        )
        streams.append(np.random.Generator(bits))
        met[digest] += apart
    return streams

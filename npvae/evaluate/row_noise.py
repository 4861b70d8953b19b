"""Random numbers that are a row's own, whatever rows stand beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

Array = np.ndarray
Key = tuple[int, ...]


class RowKeys:
    """What seeds the streams of rows: a seed, what stands in a row, and how many were equal before.

    So noise is the same for a row alone, in a subset and in another order; and rows that are equal,
    as they are given to see how far estimates lie apart, have noise of their own each.
    """

    def __init__(self, seed: int) -> None:
        self._seed, self._met = seed, Counter[int]()

    def __call__(self, x: Array, context: Array | None) -> list[Key]:
        """The keys of a batch x (B, D) with its context (B, C)."""
        rows = x if context is None else np.concatenate([x, context], axis=1)
        return [self._key(row.tobytes()) for row in np.ascontiguousarray(rows)]

    def _key(self, row: bytes) -> Key:
        content = int.from_bytes(blake2b(row, digest_size=16).digest(), "little")
        self._met[content] += 1
        return self._seed, content, self._met[content]


def streams(keys: Sequence[Key], purpose: int = 0) -> list[np.random.Generator]:
    """A stream for each key; another one for each purpose."""
    return [np.random.default_rng([*key, purpose]) for key in keys]

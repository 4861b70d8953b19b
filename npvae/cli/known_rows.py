"""Which rows a run was trained on and which it held out, known again by their content.

A split by places alone would call rows held out that were trained on, once a row is added, edited
or moved.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ..core.errors import ConfigError
from ..core.files import replacing
from ..data.reader import CHUNK
from .takeover import ROWS

Array = np.ndarray

NEW, TRAINED, HELD_OUT = 0, 1, 2
"""What a row can be to a run."""


class KnownRows:
    """The digests of a run's rows.

    Parameters
    ----------
    trained, held_out : (N,) and (M,) uint64 arrays
    """

    def __init__(self, trained: Array, held_out: Array) -> None:
        self.trained, self.held_out = np.sort(trained), np.sort(held_out)

    @classmethod
    def of(cls, train: Array, valid: Array | None) -> KnownRows:
        """Those of rows (N, D) and of the rows that validate."""
        return cls(digests(train), digests(train[:0] if valid is None else valid))

    @classmethod
    def read(cls, folder: Path) -> KnownRows | None:
        """Those in a run's folder; None of a run from before there were any.

        Raises
        ------
        ConfigError
            If the file is damaged.
        """
        file = folder / ROWS
        if not file.is_file():
            return None
        try:
            # Mapped, since a header that lies would have memory taken for it.
            marked = np.array(np.load(file, mmap_mode="r", allow_pickle=False))
            if marked.dtype != np.uint64 or marked.ndim != 1:
                raise ValueError
        except Exception:  # NumPy parses the header as Python, which can fail in many ways
            raise ConfigError(
                f"'{file}' is damaged; remove it, and rows are told apart by their places alone."
            ) from None
        held_out = marked % 2 == 1
        return cls(marked[~held_out] // 2 * 2, marked[held_out] // 2 * 2)

    def write(self, folder: Path) -> None:
        """Write them to a run's folder, one array: the last bit marks the rows held out."""
        with replacing(folder / ROWS) as file:
            marked = np.concatenate([self.trained, self.held_out + np.uint64(1)])
            np.save(file, marked, allow_pickle=False)

    def roles(self, x: Array) -> Array:
        """What each of the rows x (N, D) is to the run: `HELD_OUT`, `TRAINED` or `NEW`.

        Of rows that are the same, as many are held out as were, and as many trained on.
        """
        values, kind = np.unique(digests(x), return_inverse=True)
        order = np.argsort(kind, kind="stable")
        sizes = np.bincount(kind, minlength=len(values))
        rank = np.empty(len(x), int)  # the how manieth of its kind a row is
        rank[order] = np.arange(len(x)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        held_out = _times(values, self.held_out)
        known = held_out + _times(values, self.trained)
        return np.where(rank < held_out[kind], HELD_OUT, np.where(rank < known[kind], TRAINED, NEW))

    def __len__(self) -> int:
        return len(self.trained) + len(self.held_out)


def digests(x: Array) -> Array:
    """A number for each row of x (N, D) that tells its content, (N,) uint64, all of them even."""
    found = np.empty(len(x), np.uint64)
    for start in range(0, len(x), CHUNK):
        rows = np.array(x[start : start + CHUNK], np.float64) + 0.0  # never -0
        rows[np.isnan(rows)] = np.nan
        for i, row in enumerate(rows):
            digest = hashlib.blake2b(row.tobytes(), digest_size=8).digest()
            found[start + i] = int.from_bytes(digest, "little") // 2 * 2
    return found


def _times(values: Array, among: Array) -> Array:
    """How often each value stands in a sorted array."""
    return np.searchsorted(among, values, "right") - np.searchsorted(among, values, "left")

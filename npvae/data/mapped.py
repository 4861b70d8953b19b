"""Files that are mapped into memory: to read beyond the end of one ends the process.

Nobody can hold a file's length fast while others may cut it. So files of moderate size are copied
when training begins, and of larger ones the length is looked at before each chunk is read.
"""

from __future__ import annotations

import mmap
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import DataError

Array = np.ndarray

COPIED = 1 << 26
"""Bytes up to which a mapped array is copied into memory."""


class Mapping(NamedTuple):
    """A mapped file, and how many bytes it must have for all of the mapping to be there."""

    file: mmap.mmap
    size: int

    def check(self, what: str) -> None:
        """Raise `DataError` where the file has been cut short."""
        size = self.file.size()
        if size < self.size:
            raise DataError(
                f"the file of {what} was cut short while it was read: of {self.size:,} bytes "
                f"{size:,} are left. Write it again, and leave it alone while it is read."
            )


def mapping(x: Any) -> Mapping | None:
    """The file that an array, or the array that it is a part of, lies in."""
    offset = 0
    while x is not None and not isinstance(x, mmap.mmap):
        if isinstance(x, np.memmap):
            offset = x.offset
        x = x.obj if isinstance(x, memoryview) else getattr(x, "base", None)
    if x is None:
        return None
    try:
        x.size()
    except (OSError, ValueError):  # memory without a file
        return None
    return Mapping(x, offset - offset % mmap.ALLOCATIONGRANULARITY + len(x))


def in_memory(x: Any) -> Any:
    """A copy of a mapped array of moderate size; anything else as it is."""
    file = mapping(x) if isinstance(x, np.ndarray) and x.nbytes <= COPIED else None
    if file is None:
        return x
    file.check("the data")
    return np.array(x)

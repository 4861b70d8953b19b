"""IDX files, the format of MNIST: one file, or a folder of them, gzipped or not.

A header of two zero bytes, a byte for the number type, a byte for the number of axes, and four
big-endian bytes per axis; then the numbers, big-endian. Source: http://yann.lecun.com/exdb/mnist
"""

from __future__ import annotations

import gzip
import math
import re
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

import numpy as np

from ..core.errors import DataError
from .dataset import Array, Dataset
from .validate import (
    as_labels,
    as_rows,
    check_labels,
    check_rows,
    damaged,
    read_exactly,
    wrong_length,
)

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PREFIXES = {"train": "train-", "test": "t10k-"}
_ENDING = r"[-.]idx\d?([-.]\w+)?(\.gz)?"
_GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_RATIO = 1032  # no deflate stream grows by more


def is_idx_name(name: str) -> bool:
    """Whether a file of this name is taken for an IDX file."""
    return re.search(_ENDING + "$", name, re.IGNORECASE) is not None


def has_images(folder: Path, split: str) -> bool:
    """Whether a folder has the images of ``"train"`` or ``"test"``."""
    return _find(folder, _PREFIXES[split] + "images") is not None


def read_idx_folder(folder: Path, split: str | None = None) -> Dataset:
    """Read the images, and the labels where they are there, of one split of a folder.

    With no split named: ``"train"`` where the folder has it, or else ``"test"``.
    """
    for wanted in [split] if split else ["train", "test"]:
        images = _find(folder, _PREFIXES[wanted] + "images")
        if images is not None:
            return read_idx_file(images)
    prefix = _PREFIXES[split or "train"]
    raise DataError(
        f"'{folder}': a folder must hold IDX files named as MNIST's, here "
        f"{prefix}images-idx3-ubyte or {prefix}images-idx3-ubyte.gz; got none"
        f"{f', so there is no {split} split' if split else ''}. "
        "Name the files so, or give the path of one .npy, .npz or .csv file."
    )


def read_idx_file(path: Path) -> Dataset:
    """Read images; labels come from the file beside them that has "labels" in its name instead."""
    x, image_shape = as_rows(_read_array(path))
    named = re.match("(.*)images", path.name, re.IGNORECASE)
    labels = None if named is None else _find(path.parent, named[1] + "labels")
    y = None if labels is None else as_labels(_read_array(labels, n_rows=len(x)))
    return Dataset(x, y, image_shape)


def _find(folder: Path, stem: str) -> Path | None:
    pattern = re.compile(re.escape(stem) + _ENDING, re.IGNORECASE)
    found = [path for path in folder.iterdir() if pattern.fullmatch(path.name) and path.is_file()]
    return min(found, key=lambda path: (path.suffix.lower() == ".gz", path.name), default=None)


def _read_array(path: Path, n_rows: int | None = None) -> Array:
    """Read one file: labels of n_rows images where n_rows is given, otherwise images."""
    where = f"'{path}'"
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(path.open("rb"))
        limit = path.stat().st_size
        # The content decides and not the name: browsers unpack .gz files and keep their names.
        if stream.read(2) == _GZIP_MAGIC:
            stream.seek(0)
            stream = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=stream)))
            limit *= _DEFLATE_RATIO
        else:
            stream.seek(0)
        with damaged(where):
            dtype, shape = _read_header(stream, where)
        if n_rows is None:
            check_rows(shape, dtype, where)
        else:
            check_labels(shape, dtype, n_rows, where)
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes > limit:
            raise wrong_length(n_bytes, f"a file that can hold {limit} at most", where)
        with damaged(where):
            data = read_exactly(stream, n_bytes, where)
    return np.frombuffer(data, dtype).reshape(shape)


def _read_header(stream: IO[bytes], where: str) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise DataError(
            f"{where}: an IDX file begins with two zero bytes, a number type (0x08 to 0x0e) and "
            f"the number of axes; got {magic.hex(' ') or 'an empty file'}. "
            "Check that this is an IDX file, and download it again."
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise wrong_length(4 * magic[3], f"{len(sizes)}, within the header", where)
    return np.dtype(_DTYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())

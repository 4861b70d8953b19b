"""One entrance to all readers: the path decides which one reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from ..core.errors import DataError
from ..core.public import public
from .arrays import npz_has_test_split, read_npy, read_npz
from .dataset import Array, Dataset
from .delimited import read_csv
from .idx import has_images, is_idx_name, read_idx_file, read_idx_folder


@public
def read(path: str | os.PathLike[str], split: str | None = None) -> Dataset:
    """Read rows, and all that the source says about them.

    Parameters
    ----------
    path : str or path
        A folder of IDX files named as MNIST's, gzipped or not; one IDX file (labels are found
        beside it); a ``.npy`` file, which is memory-mapped; a ``.npz`` file with the data in x, X,
        data, images or x_train, or in its only array with two axes or more, labels in y, labels,
        target or y_train, and column names in an array of D strings; or a ``.csv``, ``.tsv``
        or ``.txt`` table, with labels in a first or last column named label, y, target or class.
    split : "train", "test" or None
        None is "train" where there are both. A folder has a test split in its ``t10k-`` files, a
        ``.npz`` file in x_test and y_test; other sources are all "train".

    Returns
    -------
    Dataset
        x (N, D), y (N,) or None, image_shape and columns; see its attributes. Arrays (N, H, W),
        (N, H, W, 1) and (N, H, W, 3) are images, which x has flattened. Numbers keep their
        type, except that booleans become uint8 and a table's numbers float32.

    Raises
    ------
    DataError
        Nothing at the path, no such split, or data that is damaged or not what is described here.
    """
    if split not in (None, "train", "test"):
        raise DataError(f"split must be 'train', 'test' or None; got {split!r}. Give one of these.")
    source = existing(path)
    with readable(source):
        return _read(source, split)


@public
def load(path: str | os.PathLike[str], split: str | None = None) -> Array | tuple[Array, Array]:
    """Read x, or ``(x, y)`` where the source has labels; otherwise like `read`.

    Parameters
    ----------
    path : str or path
    split : {"train", "test"}, optional
        As in `read`.

    Returns
    -------
    x : array (N, D)
        Images are flattened.
    y : array (N,)
        Only where the source has labels.

    Raises
    ------
    DataError
        As `read`.
    """
    data = read(path, split)
    return data.x if data.y is None else (data.x, data.y)


def has_test_split(path: str | os.PathLike[str]) -> bool:
    """Whether ``read(path, split="test")`` has something to read.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    bool

    Raises
    ------
    DataError
        Nothing at the path, or a damaged ``.npz`` file.
    """
    source = existing(path)
    with readable(source):
        if source.is_dir():
            return has_images(source, "test")
        return source.suffix.lower() == ".npz" and npz_has_test_split(source)


def _read(source: Path, split: str | None) -> Dataset:
    suffix = source.suffix.lower()
    if source.is_dir():
        return read_idx_folder(source, split)
    if suffix == ".npz":
        return read_npz(source, split)
    if split == "test":
        raise DataError(
            f"'{source}': a test split needs a folder of IDX files or a .npz file with x_test; "
            f"got one file. Read it without a split."
        )
    if suffix == ".npy":
        return read_npy(source)
    if suffix in (".csv", ".tsv", ".txt"):
        return read_csv(source)
    if is_idx_name(source.name):
        return read_idx_file(source)
    raise DataError(
        f"'{source}': data must be .npy, .npz, .csv, .tsv or .txt, an IDX file such as "
        f"train-images-idx3-ubyte.gz, or a folder of those; got {suffix or 'no suffix'!r}. "
        "Convert it, or give it the name of its kind."
    )


def existing(path: str | os.PathLike[str]) -> Path:
    source = Path(path)
    # os.path and not Path's own: these return False where the name itself is impossible.
    if os.path.isfile(source) or os.path.isdir(source):
        return source
    if os.path.exists(source):
        raise DataError(
            f"'{source}': data must be a file or a folder; got a device. Copy it first."
        )
    siblings = os.listdir(source.parent) if os.path.isdir(source.parent) else []
    close = get_close_matches(source.name, siblings, n=1)
    hint = f"Did you mean '{source.parent / close[0]}'?" if close else "Check the path."
    raise DataError(f"no file or folder at {str(source)!r}. {hint}")


@contextmanager
def readable(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"'{source}': the data must be readable; got {reason}. Check the permissions."
        ) from error
    except MemoryError as error:
        raise DataError(
            f"'{source}': the data must fit in memory; it does not. "
            "Save it as .npy, which is read from disk row by row."
        ) from error

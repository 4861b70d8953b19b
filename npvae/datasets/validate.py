"""What every reader checks, from a file's header where it has one: before memory is taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from ..core.errors import DataError
from .dataset import Array

_CHUNK = 1 << 20


def check_rows(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    """Raise DataError unless such an array can be x: numbers, (N, D), (N, H, W) or (N, H, W, C)."""
    _check_plain(dtype, "biuf", "real numbers", where)
    if not 2 <= len(shape) <= 4:
        raise DataError(
            f"{where}: data must have one example per row, as (N, D), (N, H, W) or (N, H, W, C); "
            f"got shape {shape}. Reshape it, for one column with array.reshape(-1, 1)."
        )
    if 0 in shape:
        raise DataError(
            f"{where}: data needs at least one row and one column; got shape {shape}. "
            "Check how the file was written."
        )


def check_labels(shape: tuple[int, ...], dtype: np.dtype[Any], n_rows: int, where: str) -> None:
    """Raise DataError unless such an array can be y: n_rows numbers or strings."""
    _check_plain(dtype, "biufUS", "numbers or strings", where)
    if shape not in ((n_rows,), (n_rows, 1)):
        raise DataError(
            f"{where}: labels must be one per row, shape ({n_rows},); got shape {shape}. "
            "Pair the labels with their own data; turn one-hot labels with array.argmax(1)."
        )


def _check_plain(dtype: np.dtype[Any], kinds: str, what: str, where: str) -> None:
    if dtype.hasobject:
        raise DataError(
            f"{where}: npvae never unpickles, since a pickle can run any code; got an array of "
            f"Python objects. Save {what}, such as array.astype('float32')."
        )
    if dtype.kind not in kinds:
        raise DataError(f"{where}: {what} are needed; got dtype {dtype}. Convert before saving.")


def as_rows(array: Array) -> tuple[Array, tuple[int, int] | tuple[int, int, int] | None]:
    """Flatten a checked array to (N, D); return it with the images' (H, W) or (H, W, 3), or None.

    Other channels than one or three, or channels that come first, are rows and no images.
    """
    n_rows, *axes = array.shape
    is_grey = len(axes) == 2 or (len(axes) == 3 and axes[2] == 1)
    is_colour = len(axes) == 3 and axes[2] == 3
    x = _as_native(array).reshape(n_rows, -1)
    if not isinstance(x, np.memmap):
        x = np.ascontiguousarray(x)  # batches are gathered row by row
    if is_colour:
        return x, (axes[0], axes[1], 3)
    return x, (axes[0], axes[1]) if is_grey else None


def as_labels(array: Array) -> Array:
    """Flatten checked labels to (N,); bytes become str."""
    if array.dtype.kind in "US":
        return np.array(as_text(array))
    return _as_native(array).reshape(-1)


def as_text(array: Array) -> list[str]:
    """Return an array of strings or bytes as a list of str."""
    return [
        item.decode("utf-8", "replace") if isinstance(item, bytes) else item
        for item in array.reshape(-1).tolist()
    ]


def _as_native(array: Array) -> Array:
    if array.dtype.kind == "b":
        return array.view(np.uint8)
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    return array


def read_exactly(stream: IO[bytes], n_bytes: int, where: str) -> bytearray:
    """Read n_bytes, which must be all that is left.

    Grows with what is really there, so a header that promises too much costs nothing, and reads
    one byte too many at most, so a compressed bomb is not unpacked.
    """
    data = bytearray()
    while len(data) <= n_bytes:
        chunk = stream.read(min(_CHUNK, n_bytes + 1 - len(data)))
        if not chunk:
            break
        data += chunk
    if len(data) != n_bytes:
        raise wrong_length(n_bytes, "more" if len(data) > n_bytes else len(data), where)
    return data


def wrong_length(expected: int, found: int | str, where: str) -> DataError:
    """Return the error for a header that disagrees with the file's length."""
    return DataError(
        f"{where}: the header promises {expected} bytes of data; got {found}. "
        "The file is cut short or damaged: write or download it again."
    )


@contextmanager
def damaged(where: str) -> Iterator[None]:
    """Turn what a decoder raises on damaged bytes into a DataError; wrap only decoders in it."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header parser raise nearly anything
        reason = " ".join(f"{type(error).__name__} {error}".split())[:160].rstrip(".")
        raise DataError(
            f"{where}: the file must be what its name says, and whole; got {reason}. "
            "Write or download it again."
        ) from error

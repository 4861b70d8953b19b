"""NumPy's files: ``.npy``, memory-mapped, and ``.npz``. Never a pickle."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy

from ..core.errors import DataError
from .dataset import Array, Dataset
from .validate import (
    as_labels,
    as_rows,
    as_text,
    check_labels,
    check_rows,
    damaged,
    read_exactly,
    wrong_length,
)

_X_NAMES = {"train": ("x", "data", "images", "x_train"), "test": ("x_test",)}
_Y_NAMES = {"train": ("y", "labels", "label", "target", "y_train"), "test": ("y_test",)}
_HEADER_LIMIT = 12_000  # NumPy reads a header of 10,000 bytes at most, after 12 of preamble


class _Header(NamedTuple):
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]
    offset: int

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class _Member(NamedTuple):
    """One array of an open .npz file: its header is read, its data is not."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    header: _Header
    where: str

    def load(self) -> Array:
        header = self.header
        with damaged(self.where), self.archive.open(self.info) as stream:
            stream.read(header.offset)
            data = read_exactly(stream, header.n_bytes, self.where)
            return np.frombuffer(data, header.dtype).reshape(header.shape, order=header.order)


def read_npy(path: Path) -> Dataset:
    """Map a ``.npy`` file: rows are read from disk when they are used.

    Big-endian numbers are the exception: they are read and converted.
    """
    where = f"'{path}'"
    with path.open("rb") as stream:
        header = _read_header(stream, path.stat().st_size, where)
    check_rows(header.shape, header.dtype, where)
    mapped = np.memmap(path, header.dtype, "r", header.offset, header.shape, header.order)
    x, image_shape = as_rows(mapped)
    return Dataset(x, image_shape=image_shape)


def read_npz(path: Path, split: str | None = None) -> Dataset:
    """Read the data, the labels and the column names of a ``.npz`` file."""
    where = f"'{path}'"
    with path.open("rb") as stream:
        members = _members(stream, where)
        x_member = _choose_x(members, split or "train", where)
        check_rows(x_member.header.shape, x_member.header.dtype, x_member.where)
        x, image_shape = as_rows(x_member.load())
        y_member = _named(members, _Y_NAMES[split or "train"])
        y = None if y_member is None else _load_labels(y_member, len(x))
        others = [member for member in members.values() if member is not y_member]
        columns = next((_load_names(m) for m in others if _are_names(m.header, x.shape[1])), None)
    return Dataset(x, y, image_shape, columns)


def _load_labels(member: _Member, n_rows: int) -> Array:
    check_labels(member.header.shape, member.header.dtype, n_rows, member.where)
    with damaged(member.where):
        return as_labels(member.load())


def _load_names(member: _Member) -> list[str]:
    with damaged(member.where):
        return as_text(member.load())


def _are_names(header: _Header, n_columns: int) -> bool:
    return header.dtype.kind in "US" and header.shape == (n_columns,)


def npz_has_test_split(path: Path) -> bool:
    """Whether a ``.npz`` file has an array ``x_test``."""
    with path.open("rb") as stream:
        return _named(_members(stream, f"'{path}'"), _X_NAMES["test"]) is not None


def _members(stream: IO[bytes], where: str) -> dict[str, _Member]:
    """Read the headers of all arrays of an open ``.npz`` file, by name."""
    with damaged(where):
        archive = zipfile.ZipFile(stream)
    members = {}
    for info in archive.infolist():
        name, dot, suffix = info.filename.rpartition(".")
        if dot and suffix == "npy":
            place = f"{where}, array {name!r}"
            # zipfile unpacks the other methods without a limit, however little is asked for.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(
                    f"{place}: arrays must be stored or deflated; got compression method "
                    f"{info.compress_type}. Write the file with np.savez_compressed."
                )
            with damaged(place), archive.open(info) as member:
                header = _read_header(member, info.file_size, place)
            members[name] = _Member(archive, info, header, place)
    return members


def _read_header(stream: IO[bytes], size: int, where: str) -> _Header:
    """Read the header of ``.npy`` data of size bytes; raise DataError where the two disagree."""
    head = io.BytesIO(stream.read(_HEADER_LIMIT))  # so a false header length costs no memory
    with damaged(where):
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = npy.read_magic(head)
        if version not in readers:  # version 3 exists for the field names of records
            raise DataError(
                f"{where}: plain numbers are saved in .npy version 1 or 2; got version {version}. "
                "Save one array of numbers, with no named fields."
            )
        shape, fortran, dtype = readers[version](head)
    header = _Header(tuple(map(int, shape)), "F" if fortran else "C", dtype, head.tell())
    if min(shape, default=0) < 0:
        raise DataError(f"{where}: sizes are 0 or more; got {shape}. Write the file again.")
    if not dtype.hasobject and header.n_bytes != size - header.offset:
        raise wrong_length(header.n_bytes, size - header.offset, where)
    return header


def _choose_x(members: dict[str, _Member], split: str, where: str) -> _Member:
    named = _named(members, _X_NAMES[split])
    if split == "test" and named is None:
        raise DataError(
            f"{where}: the test split of a .npz file is its array x_test; "
            f"got only {_listed(members)}. Read it without a split."
        )
    if {"indptr", "indices", "data"} <= members.keys():
        raise DataError(
            f"{where}: data must be a dense array; got a SciPy sparse matrix. "
            "Save it with np.savez_compressed(path, x=matrix.toarray())."
        )
    tables = [
        m for m in members.values() if len(m.header.shape) > 1 and m.header.dtype.kind in "biufO"
    ]
    if named is not None:
        return named
    if len(tables) != 1:
        raise DataError(
            f"{where}: the data must be an array named x, X, data, images or x_train, or the only "
            f"one with two axes or more; got {_listed(members)}. "
            "Name it: np.savez_compressed(path, x=...)."
        )
    return tables[0]


def _named(members: dict[str, _Member], names: tuple[str, ...]) -> _Member | None:
    """Return the member that goes by the first of these names that is there, in any case."""
    by_name = {name.lower(): member for name, member in reversed(members.items())}
    return next((by_name[name] for name in names if name in by_name), None)


def _listed(members: dict[str, _Member]) -> str:
    shown = [f"{name} {m.header.dtype} {m.header.shape}" for name, m in members.items()]
    more = [f"{len(shown) - 8} more"] if len(shown) > 8 else []
    return ", ".join(shown[:8] + more) or "no array"

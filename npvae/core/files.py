"""Writing a file so that it is either whole and new, or the old one untouched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .errors import NpvaeError


class WriteError(NpvaeError, OSError):
    """A file or folder that can't be written."""


@contextlib.contextmanager
def replacing(path: Any) -> Iterator[IO[bytes]]:
    """A temporary file beside `path`, flushed to disk and renamed to it when the block succeeds.

    Raises
    ------
    WriteError
        If the folder is missing, can't be written or is full.
    """
    import tempfile  # here, since who only reads needs none of what it loads

    path = Path(path)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise WriteError(_refusal(path, error)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _keep_permissions(path, temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and not isinstance(error, NpvaeError):
            raise WriteError(_refusal(path, error)) from error
        raise


def make_folder(path: Any) -> Path:
    """The folder at `path`, made with its parents where it is missing."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(_refusal(path, error)) from error
    return path


def check_folder(path: Any) -> None:
    """Raise `WriteError` where no file can be made in the folder: better now than after training.

    Only trying tells: permissions do not know of full disks and read-only mounts.
    """
    import tempfile

    try:
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WriteError(
            f"'{path}' can't be written in: {reason}; choose another folder."
        ) from error


def _refusal(path: Path, error: OSError) -> str:
    return (
        f"'{path}' can't be written: {(error.strerror or str(error)).lower()}; "
        "choose a path in a folder that exists and is yours to write."
    )


def _keep_permissions(path: Path, temporary: str) -> None:
    """mkstemp makes files for their owner alone; a new file gets what the umask leaves instead."""
    if path.exists():
        mode = path.stat().st_mode & 0o777
    else:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    os.chmod(temporary, mode)

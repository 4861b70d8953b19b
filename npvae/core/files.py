"""Writing a file so that it is either whole and new, or the old one untouched."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from . import locks
from .errors import NpvaeError


class WriteError(NpvaeError, OSError):
    """A file or folder that can't be written."""


@contextlib.contextmanager
def replacing(path: Any) -> Iterator[IO[bytes]]:
    """A temporary file beside `path`, flushed to disk and renamed to it when the block succeeds.

    A link stays, and the file that it leads to is replaced. The new file has the old one's
    permissions, or those of any new file.

    Raises
    ------
    WriteError
        If the folder is missing, can't be written or is full, or if `path` is no file.
    """
    path = file_at(path)
    try:
        mode = _mode(path)
        descriptor, temporary = _beside(path, 0o666 if mode is None else mode)
    except OSError as error:
        raise WriteError(_refusal(path, error)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if locks.ADVISORY:  # nobody sweeps it, since it is held until it is closed
                _rename(temporary, path, mode)
        if not locks.ADVISORY:  # Windows renames no file that is open
            _rename(temporary, path, mode)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and not isinstance(error, NpvaeError):
            raise WriteError(_refusal(path, error)) from error
        raise


def put(source: Path, path: Path) -> None:
    """Move a whole file to `path`, in the way of `replacing`.

    Raises
    ------
    WriteError
        If it can't be moved there.
    """
    target = file_at(path)
    try:
        _rename(source, target, _mode(target))
        return
    except OSError as error:
        if error.errno != errno.EXDEV:  # a link may lead to another disk
            raise WriteError(_refusal(path, error)) from error
    with replacing(path) as file:
        file.write(source.read_bytes())
    source.unlink()


def sweep(folder: Any, names: Iterable[str]) -> None:
    """Remove what killed processes left of writing these files; what a living one writes stays."""
    left = re.compile(rf"\.({'|'.join(map(re.escape, names))})\.[a-z0-9_]{{4,8}}")
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if left.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                locks.remove_if_free(entry.path)


def sweep_beside(path: Any) -> None:
    """`sweep` for one file; where it is a link, for the file that it leads to."""
    folder, name = os.path.split(os.path.realpath(path))
    sweep(folder, [name])


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
        raise unwritable(path, error) from error


def writable_folder(path: Any) -> Path:
    """The folder at `path`, made where it is missing, in which files can be made."""
    folder = make_folder(path)
    check_folder(folder)
    return folder


def unwritable(folder: Any, error: OSError) -> WriteError:
    """What is said of a folder that takes no files."""
    reason = (error.strerror or str(error)).lower()
    return WriteError(f"'{folder}' can't be written in: {reason}; choose another folder.")


def _refusal(path: Path, error: Exception) -> str:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return f"'{path}' can't be written: {reason}; make room there, or choose another disk."
    return (
        f"'{path}' can't be written: {reason}; choose a path in a folder that exists and is yours "
        "to write."
    )


def file_at(path: Any) -> Path:
    """The path of the file that is written, behind all links; what is no file is refused."""
    path = Path(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except (OSError, ValueError) as error:  # ValueError: a path with a null
        raise WriteError(_refusal(path, error)) from error
    if stat.S_ISDIR(mode):
        folder = IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise WriteError(_refusal(path, folder)) from folder
    if not stat.S_ISREG(mode):
        raise WriteError(
            f"'{path}' is a pipe or a device, which a file can't replace; give the path of a file."
        )
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _mode(path: Path) -> int | None:
    """The permissions of a file; None where there is none."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return None


def _beside(path: Path, mode: int) -> tuple[int, str]:
    """A new temporary file, open and held: its permissions are `mode` less the umask."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        temporary = os.path.join(path.parent, f".{path.name}.{os.urandom(4).hex()}")
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(temporary, flags, mode)
            locks.take(descriptor)
            if locks.is_at(descriptor, temporary):  # and not swept before it was held
                return descriptor, temporary
            os.close(descriptor)


def _rename(source: Any, path: Path, mode: int | None) -> None:
    if mode is not None:
        os.chmod(source, mode)
    os.replace(source, path)

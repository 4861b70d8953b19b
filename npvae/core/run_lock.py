"""The lock on what a run writes: of two runs that would write there, the second is refused."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import locks
from .files import WriteError, file_at, unwritable

BEAT = 2.0
"""Seconds after which a run touches its lock, which another machine can see."""
WATCHED = 4 * BEAT
"""Seconds without a touch after which a run on another machine is taken for dead."""


@contextlib.contextmanager
def locked(path: Path, place: Any, another: str) -> Iterator[None]:
    """Hold the lock at `path` for the block; `place` is what is written, as the user calls it.

    The kernel knows whether the process that holds it still lives. Where two machines share a
    folder it may know its own processes alone: so the lock also says who has it and where, and is
    touched by and by; one that another machine left is watched for some seconds.

    Raises
    ------
    WriteError
        If another run has it, and should have got `another`; or no file can be made there.
    """
    descriptor = _taken(path, place, another)
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(descriptor, ended), daemon=True)
    try:
        beating.start()
        yield
    finally:
        ended.set()
        if beating.ident is not None:
            beating.join()
        _release(descriptor, path)


@contextlib.contextmanager
def locked_file(path: Any) -> Iterator[None]:
    """Hold a file that is written again and again, by a lock beside it.

    A lock that a killed process left has a name that `files.sweep` knows.

    Raises
    ------
    WriteError
        As `locked`, and if there can't be such a file.
    """
    file = file_at(path)
    with locked(file.with_name(f".{file.name}.lock"), os.fspath(path), "path"):
        yield


def _release(descriptor: int, path: Path) -> None:
    if locks.is_at(descriptor, path):
        with contextlib.suppress(OSError):
            path.unlink()
    os.close(descriptor)


def _taken(path: Path, place: Any, another: str) -> int:
    """The lock's file, open, held and signed."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise unwritable(path.parent, error) from error
        try:
            if _is_free(descriptor, path):
                _sign(descriptor)
                return descriptor
        except _Held as held:
            os.close(descriptor)
            raise _refusal(place, another, held.holder) from None
        except OSError as error:  # it is ours, and the disk is full
            _release(descriptor, path)
            raise unwritable(path.parent, error) from error
        os.close(descriptor)


class _Held(Exception):
    """Another run has the lock."""

    def __init__(self, holder: dict[str, Any]) -> None:
        self.holder = holder


def _is_free(descriptor: int, path: Path) -> bool:
    """Whether the lock is ours now; False where it was removed meanwhile, and is to be made anew.

    Raises
    ------
    _Held
        If another run has it.
    """
    holder, taken = _holder(descriptor), locks.take(descriptor)
    if taken is False:
        raise _Held(holder)
    if taken and not locks.is_at(descriptor, path):
        return False
    elsewhere = holder.get("host", platform.node()) != platform.node()
    if holder and (elsewhere or not taken) and _is_touched(path):
        raise _Held(holder)
    return True


def _holder(descriptor: int) -> dict[str, Any]:
    """What the lock says of who has it; nothing where it was left half-written."""
    try:
        holder = json.loads(os.pread(descriptor, 1000, 0)) if hasattr(os, "pread") else {}
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _sign(descriptor: int) -> None:
    """Write into the lock whose it is."""
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    text = json.dumps({"process": os.getpid(), "host": platform.node(), "since": now})
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.encode())


def _refusal(place: Any, another: str, holder: dict[str, Any]) -> WriteError:
    said = {name: str(holder.get(name, "?"))[:60] for name in ("process", "host", "since")}
    return WriteError(
        f"'{place}' is in use: process {said['process']} on {said['host']} has been training there "
        f"since {said['since']}; wait until it has ended, or choose another {another}."
    )


def _is_touched(path: Path) -> bool:
    """Whether somebody touches a lock while it is watched."""
    first, end = _touched(path), time.monotonic() + WATCHED
    while time.monotonic() < end:
        time.sleep(BEAT / 4)
        if _touched(path) != first:
            return True
    return False


def _touched(path: Path) -> int | None:
    """When the file was touched last: opened anew, since a shared disk may be remembered."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def _beat(descriptor: int, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(descriptor)

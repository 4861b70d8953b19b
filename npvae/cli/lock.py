"""The lock on a run's folder: of two runs that would write there, the second is refused."""

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

from ..core import locks
from ..core.files import WriteError, unwritable

LOCK = ".npvae.lock"
BEAT = 2.0
"""Seconds after which a run touches its lock, which another machine can see."""
WATCHED = 4 * BEAT
"""Seconds without a touch after which a run on another machine is taken for dead."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for the block.

    The kernel knows whether the process that holds it still lives. Where two machines share a
    folder it may know its own processes alone: so the lock also says who has it and where, and is
    touched by and by; one that another machine left is watched for some seconds.

    Raises
    ------
    WriteError
        If another run has it, or no file can be made in it.
    """
    path = folder / LOCK
    descriptor = _taken(folder, path)
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


def _release(descriptor: int, path: Path) -> None:
    if locks.is_at(descriptor, path):
        with contextlib.suppress(OSError):
            path.unlink()
    os.close(descriptor)


def _taken(folder: Path, path: Path) -> int:
    """The lock's file, open, held and signed."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise unwritable(folder, error) from error
        try:
            if _is_free(descriptor, folder, path):
                _sign(descriptor)
                return descriptor
        except WriteError:
            os.close(descriptor)
            raise
        except OSError as error:  # it is ours, and the disk is full
            _release(descriptor, path)
            raise unwritable(folder, error) from error
        os.close(descriptor)


def _is_free(descriptor: int, folder: Path, path: Path) -> bool:
    """Whether the lock is ours now; False where it was removed meanwhile, and is to be made anew.

    Raises
    ------
    WriteError
        If another run has it.
    """
    holder, taken = _holder(descriptor), locks.take(descriptor)
    if taken is False:
        raise _refusal(folder, holder)
    if taken and not locks.is_at(descriptor, path):
        return False
    elsewhere = holder.get("host", platform.node()) != platform.node()
    if holder and (elsewhere or not taken) and _is_touched(path):
        raise _refusal(folder, holder)
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


def _refusal(folder: Path, holder: dict[str, Any]) -> WriteError:
    said = {name: str(holder.get(name, "?"))[:60] for name in ("process", "host", "since")}
    return WriteError(
        f"'{folder}' is in use: another process, {said['process']} on {said['host']}, has been "
        f"training there since {said['since']}; wait until it has ended, or choose another --out."
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

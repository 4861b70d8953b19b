"""Whether a living process has a file: asked of the kernel, which forgets the dead.

A process number in a file would say less. It may have been given to another process since, and
means nothing on another machine.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

try:
    import fcntl
except ImportError:  # on Windows, where nobody can remove or replace a file that is open
    fcntl = None  # type: ignore[assignment]

ADVISORY = fcntl is not None
"""Whether files have locks, which bind those who ask for them and nobody else."""

_HELD = (BlockingIOError, PermissionError)


def take(descriptor: int) -> bool | None:
    """Hold an open file until it is closed.

    Returns
    -------
    bool or None
        False where another has it; None where the file system has no locks.
    """
    if not ADVISORY:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except _HELD:
        return False
    except OSError:
        return None
    return True


def is_at(descriptor: int, path: Any) -> bool:
    """Whether an open file still has its name: its lock means nothing after it was removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except OSError:
        return False


def remove_if_free(path: Any) -> None:
    """Remove a file that no living process holds; leave it where that can't be known."""
    with contextlib.suppress(OSError):
        if not ADVISORY:
            os.unlink(path)
            return
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            if take(descriptor) and is_at(descriptor, path):
                os.unlink(path)
        finally:
            os.close(descriptor)

"""Ctrl-C held back while something must not be cut in two."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def held_back(notice: str = "") -> Iterator[None]:
    """Deliver a Ctrl-C that comes during the block when the block has ended.

    The first one prints `notice` to standard error. Outside the main thread nothing is done, since
    Python interrupts no other.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[Any] = []

    def keep(*arguments: Any) -> None:
        came.append(arguments)
        if notice and len(came) == 1 and sys.stderr is not None:
            with contextlib.suppress(
                OSError, RuntimeError, ValueError
            ):  # it may be closed, or busy
                print(notice, file=sys.stderr, flush=True)

    signal.signal(signal.SIGINT, keep)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])

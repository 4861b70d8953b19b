"""Cores of their own for threads that start together."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable


def _current_core() -> Callable[[], int] | None:
    """What tells the core that the calling thread runs on, where the system has such a call."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        return ctypes.CDLL(None).sched_getcpu
    except (OSError, AttributeError):
        return None


_core = _current_core()


def own_core(taken: list[int]) -> None:
    """Leave a core that another thread has taken, if there is another, and take the next.

    Threads that only spin and yield look busy to the scheduler, which lets two that started on one
    core share it for up to a tenth of a second while another idles. So a thread that finds itself
    on a taken core forbids itself the taken ones for a moment, which moves it at once; where it
    goes afterwards is the scheduler's business again.
    """
    if _core is None:
        return
    here = _core()
    usable = os.sched_getaffinity(0)
    others = usable.difference(taken)
    if here in taken and others:
        with contextlib.suppress(OSError):  # a container may forbid it
            os.sched_setaffinity(0, others)
            os.sched_setaffinity(0, usable)
        here = _core()
    taken.append(here)

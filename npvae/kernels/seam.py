"""What makes a function a kernel: it runs, or while a step is recorded, is written down."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

Array = np.ndarray
Pair = tuple[Array, Array]
Triple = tuple[Array, Array, Array]

P = ParamSpec("P")
R = TypeVar("R")

Recorder = Callable[..., Any]
"""Is called with a kernel and its arguments, and gives what stands for the results."""

# A context variable, so that a thread that records leaves kernels in other threads alone.
_recorder: ContextVar[Recorder | None] = ContextVar("npvae_recorder", default=None)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function on arrays as a kernel: a training step that calls it can be captured.

    It takes arrays and numbers, by their places, and gives a new array or a tuple of new arrays; it
    writes to none of its arguments, draws no random numbers, and keeps nothing. A kernel may call
    others: to what records, that is one call.
    """
    current = _recorder.get

    def call(*arguments: Any) -> Any:
        recorder = current()
        if recorder is None:
            return function(*arguments)  # type: ignore[call-arg]
        with recording(None):
            return recorder(function, *arguments)

    # Without keywords: to hand them on takes longer than all the rest here.
    return cast("Callable[P, R]", functools.update_wrapper(call, function))


@contextlib.contextmanager
def recording(recorder: Recorder | None) -> Iterator[None]:
    """Send the block's kernel calls, in this thread, to a recorder (or, for None, to no more)."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)

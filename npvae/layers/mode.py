"""Whether parts work for a training step, or for what comes of training."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy loads its generators when they are named
    import numpy as np

Watcher = Callable[[Any, Any], None]

# Context variables, so that inference in other threads is as it is while one trains.
_stream: ContextVar[np.random.Generator | None] = ContextVar("npvae_stream", default=None)
_epoch: ContextVar[float] = ContextVar("npvae_epoch", default=math.inf)
_relaxing: ContextVar[bool] = ContextVar("npvae_relaxing", default=False)
_watcher: ContextVar[Watcher | None] = ContextVar("npvae_watcher", default=None)


def is_learning() -> bool:
    """Whether a training step is taken, or recorded, in this thread."""
    return _stream.get() is not None


def stream() -> np.random.Generator | None:
    """What a training step draws its own noise from; None where there is none to draw."""
    return _stream.get()


@contextlib.contextmanager
def learning(draws: np.random.Generator | None, now: float = math.inf) -> Iterator[None]:
    """Take training steps in the block, whose parts draw from `draws`; or, for None, infer."""
    token = _stream.set(draws)
    try:
        with at_epoch(now):
            yield
    finally:
        _stream.reset(token)


def epoch() -> float:
    """The time of the training step, in epochs; infinity where there is none."""
    return _epoch.get()


@contextlib.contextmanager
def at_epoch(now: float) -> Iterator[None]:
    """Have schedules of parts take this time in the block."""
    token = _epoch.set(now)
    try:
        yield
    finally:
        _epoch.reset(token)


def is_relaxed() -> bool:
    """Whether what is discrete is relaxed, for the sake of a gradient: in training, and in proofs
    of it."""
    return _relaxing.get() or is_learning()


@contextlib.contextmanager
def relaxing() -> Iterator[None]:
    """Relax what is discrete in the block, since a gradient is asked for."""
    token = _relaxing.set(True)
    try:
        yield
    finally:
        _relaxing.reset(token)


@contextlib.contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Have parts tell the watcher of the rows that they normalise in the block."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell(part: Any, rows: Any) -> None:
    """Tell of rows that a part normalises, if anybody asked."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(part, rows)

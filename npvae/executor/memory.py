"""Where the buffers of a program lie, and where its threads must wait for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray

ALIGNMENT = 64
"""Bytes: a cache line, and the longest vector."""


@dataclass(eq=False)
class Buffer:
    """Some memory of a program: at a fixed address, or somewhere in the arena.

    Attributes
    ----------
    size : int, bytes
    address : int, 0 as long as it is not known
    first, last : int
        The first and the last operation that use it; a buffer of the arena lives in between.
    """

    size: int
    address: int = 0
    first: int = -1
    last: int = -1

    def used_by(self, operation: int) -> None:
        self.first = operation if self.first < 0 else self.first
        self.last = operation


class Ref(NamedTuple):
    """A place in a buffer."""

    buffer: Buffer
    offset: int = 0

    @property
    def address(self) -> int:
        return self.buffer.address + self.offset


class Access(NamedTuple):
    """What an operation touches.

    With `per_item` bytes per item, each thread touches its own share of the operation's items; with
    0, any thread may touch all of `size` bytes.
    """

    ref: Ref
    size: int
    per_item: int
    writes: bool


@dataclass
class Operation:
    """A row of the executor's table in the making.

    Attributes
    ----------
    name : str, that of a declaration, `operations.declare.OPERATIONS`
    operands : numbers and places, as that names them
    n_items : int, what the threads divide among them: features, mostly
    work : float
        About how many nanoseconds it takes on one thread.
    constants : floats
    sharing : int, the number of threads
    pieces : int
        Into how many each thread cuts its share, so that another can take some of them; else 0.
    waits : bool, whether there is a barrier before it
    """

    name: str
    operands: dict[str, Any]
    n_items: int
    accesses: list[Access]
    work: float
    constants: Sequence[float] = ()
    sharing: int = 1
    pieces: int = 0
    waits: bool = False
    extra: list[Buffer] = field(default_factory=list)


def place(operations: list[Operation]) -> Array:
    """Give every buffer of the arena an address; returns the arena, which holds them.

    First fit: a buffer takes the lowest place that no buffer takes which lives at the same time.
    """
    for i, operation in enumerate(operations):
        for access in operation.accesses:
            access.ref.buffer.used_by(i)
        for buffer in operation.extra:
            buffer.used_by(i)
    found = {id(a.ref.buffer): a.ref.buffer for op in operations for a in op.accesses}
    found.update({id(b): b for op in operations for b in op.extra})
    floating = [b for b in found.values() if b.address == 0]
    placed: list[tuple[int, Buffer]] = []
    top = 0
    for buffer in sorted(floating, key=lambda b: (-b.size, b.first)):
        start = 0
        for other_start, other in sorted(placed, key=lambda p: p[0]):
            together = other.first <= buffer.last and buffer.first <= other.last
            if together and start + buffer.size > other_start:
                start = max(start, _aligned(other_start + other.size))
        placed.append((start, buffer))
        top = max(top, start + buffer.size)
    arena = np.empty(top + ALIGNMENT, np.uint8)
    base = _aligned(arena.ctypes.data)
    for start, buffer in placed:
        buffer.address = base + start
    return arena


def _aligned(n: int) -> int:
    return -(-n // ALIGNMENT) * ALIGNMENT


def synchronise(operations: list[Operation]) -> None:
    """Put a barrier before every operation that touches what another thread may have in hand.

    Two operations may run without one in between if they touch nothing in common, or only read
    it, or if each thread touches the same share of the same items in both.
    """
    since: list[tuple[int, int, bool, Any]] = []
    for operation in operations:
        now = [_extent(operation, access) for access in operation.accesses]
        operation.waits = any(_conflict(a, b) for a in now for b in since)
        since = now if operation.waits else since + now


def _extent(operation: Operation, access: Access) -> tuple[int, int, bool, Any]:
    start = access.ref.address
    own = access.per_item and not operation.pieces
    whose: Any = (start, access.per_item, operation.n_items, operation.sharing) if own else None
    whose = "first thread" if operation.sharing == 1 else whose
    return start, start + access.size, access.writes, whose


def _conflict(a: tuple[int, int, bool, Any], b: tuple[int, int, bool, Any]) -> bool:
    apart = a[1] <= b[0] or b[1] <= a[0]
    same_thread = a[3] is not None and a[3] == b[3]
    return not apart and (a[2] or b[2]) and not same_thread

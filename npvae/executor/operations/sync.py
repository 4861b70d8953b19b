"""What threads need of each other: an atomic counter, a pause, and a barrier.

A thread that waits spins for a moment, since on cores of its own the others are there within some
microseconds, and then sleeps until the last of them wakes it: a thread that kept its core busy
would keep it from the one it waits for, where other programs use the cores too. Where the system
has no call for that, it gives its core away at every turn.
"""

from __future__ import annotations

import platform
import sys

from llvmlite import ir

from .options import LONG, external, fast, instruction

ARRIVED, GENERATION, STOP, ASLEEP, LONGEST = 0, 8, 16, 24, 32
"""Places in the array of counters, a cache line apart; at LONGEST stand two numbers."""
SIZE = 40
SPINS = 800
"""Some 20 µs: to be woken takes longer."""
NAP = 0, 10_000_000
"""Seconds and nanoseconds that a thread sleeps before it looks again: a stop wakes nobody."""

_PAUSES = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "amd64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.hint", (1,)),
    "arm64": ("llvm.aarch64.hint", (1,)),
}
"""What tells a core that it waits, by architecture; where none is known, nothing is said."""
_PAUSE = _PAUSES.get(platform.machine().lower())


@instruction("int64(int64, int64)")
def _atomic_add(builder, address, value):
    """Add to the int64 at an address, in one step as all threads see it; returns the old value."""
    pointer = builder.inttoptr(address, LONG.as_pointer())
    return builder.atomic_rmw("add", pointer, value, "seq_cst")


@instruction("void()")
def _pause(builder):
    if _PAUSE is not None:
        name, numbers = _PAUSE
        kinds = [ir.IntType(32)] * len(numbers)
        function = external(builder.module, name, ir.VoidType(), kinds)
        builder.call(function, [ir.Constant(ir.IntType(32), n) for n in numbers])


_NAME = "SwitchToThread" if sys.platform == "win32" else "sched_yield"


@instruction("void()")
def _yield(builder):
    """Give the core to another thread: the operating system's call, found by its name."""
    builder.call(external(builder.module, _NAME, ir.IntType(32), []), [])


_FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine()) if sys.platform == "linux" else None
"""The number of Linux's call for sleeping until a number in memory changes; None elsewhere."""
_WAIT, _WAKE, _ALL = 128, 129, 1 << 30


@instruction("void(int64, int64, int64, int64)")
def _futex(builder, address, what, value, longest):
    """Sleep while the int32 at the address has a value, or wake those who do."""
    if _FUTEX is not None:
        call = external(builder.module, "syscall", LONG, [LONG], var_arg=True)
        builder.call(call, [ir.Constant(LONG, _FUTEX), address, what, value, longest])


@instruction("int64(int64)")
def _atomic_load(builder, address):
    """The int64 at an address, no older than what was written before it was."""
    pointer = builder.inttoptr(address, LONG.as_pointer())
    return builder.load_atomic(pointer, "seq_cst", 8)


@fast
def load(counters, place):
    return _atomic_load(counters + 8 * place)


@fast
def stop(counters):
    """Tell all threads to go no further than where they wait next."""
    _atomic_add(counters + 8 * STOP, 1)


@fast
def take(place, pieces, takers):
    """The next of so many pieces, as threads ask for them; one that is none where all are taken.

    Each of the takers asks until it gets none, and the last one to leave begins anew.
    """
    piece = _atomic_add(place, 1)
    if piece == pieces + takers - 1:
        _atomic_add(place, -pieces - takers)
    return piece


@fast
def barrier(counters, n_threads):
    """Wait until all threads are here; False if one of them said stop, and then at once."""
    if n_threads == 1:
        return load(counters, STOP) == 0
    generation = load(counters, GENERATION)
    word = counters + 8 * GENERATION
    if _atomic_add(counters + 8 * ARRIVED, 1) == n_threads - 1:
        _atomic_add(counters + 8 * ARRIVED, -n_threads)
        _atomic_add(word, 1)
        if load(counters, ASLEEP) != 0:
            _futex(word, _WAKE, _ALL, 0)
        return load(counters, STOP) == 0
    turns = 0
    while load(counters, GENERATION) == generation:
        if load(counters, STOP) != 0:
            return False
        turns += 1
        if turns < SPINS:
            _pause()
        elif _FUTEX is None:
            _yield()
        else:
            _atomic_add(counters + 8 * ASLEEP, 1)
            _futex(word, _WAIT, generation, counters + 8 * LONGEST)
            _atomic_add(counters + 8 * ASLEEP, -1)
    return load(counters, STOP) == 0

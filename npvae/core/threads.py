"""How many cores there are to use, holding BLAS to a number of threads, and sharing work."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any, TypeVar

from . import interrupts

Result = TypeVar("Result")

VARIABLES = ("NPVAE_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
"""The environment's limits on threads; the first that is set counts."""


def usable_cores() -> int:
    """The cores this process may use, at least 1.

    By its affinity, by its cgroup's quota, and by the first of `VARIABLES` that is set.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    limits = [limit for limit in (_cgroup_quota(), _told()) if limit is not None]
    return max(1, min([cores, *map(math.ceil, limits)]))


def _told() -> int | None:
    """The environment's limit: a whole number above 0, or the first of some, as OpenMP has it."""
    for name in VARIABLES:
        text = os.environ.get(name, "").split(",")[0].strip()
        if text:
            return int(text) if text.isdecimal() and int(text) else None
    return None


CGROUPS, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def _cgroup_quota(root: Path = CGROUPS, own: Path = OWN_CGROUPS) -> float | None:
    """Cores' worth of time that this process is granted, or None for no limit.

    The least that its own control group and those around it are granted. In a container its group
    is mostly the root of what it sees; a service's or a batch job's lies below.
    """
    groups = {root: "", root / "cpu": ""}  # version 2, and 1
    with contextlib.suppress(OSError, ValueError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                groups[root] = path
            elif "cpu" in controllers.split(","):
                groups[root / "cpu"] = path
    found = [_quota(folder) for top, path in groups.items() for folder in _upwards(top, path)]
    return min((quota for quota in found if quota is not None), default=None)


def _upwards(top: Path, path: str) -> list[Path]:
    """A group's folder and those of all groups around it."""
    below = [part for part in path.split("/") if part not in ("", "..")]
    return [top.joinpath(*below[:n]) for n in range(len(below), -1, -1)]


def _quota(group: Path) -> float | None:
    """The quota of one group, in cores; None for no limit, or no such group."""
    try:  # version 2
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:  # version 1
            quota = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        limit = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max"
        return None
    return limit if limit > 0 else None


_ceiling: ContextVar[float] = ContextVar("npvae_threads", default=math.inf)
"""How many threads the `blas_threads` around allows."""

WORTHWHILE = 2e7
"""Multiply-adds in a product below which a second thread costs more than it brings: waking it and
waiting for it take some 10 to 50 µs, and many times that where the cores are shared."""


@contextlib.contextmanager
def blas_threads(
    n: int | None, multiply_adds: float = math.inf, matters: bool = True
) -> Iterator[None]:
    """Hold BLAS to n threads (all usable cores for None) for the block, and restore it after.

    n is a ceiling: where the largest product has no more than `multiply_adds` of them, and these
    are few, one thread is faster. Where it does not matter nobody is told that it can't be done.
    """
    token = _ceiling.set(_ceiling.get() if n is None else n)
    try:
        with _limited(n, multiply_adds, matters):
            yield
    finally:
        _ceiling.reset(token)


def _limited(
    n: int | None, multiply_adds: float, matters: bool
) -> contextlib.AbstractContextManager[Any]:
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        if n is not None and matters:
            warnings.warn(
                "threads= needs threadpoolctl, which is not installed, and was ignored; "
                "install it with: pip install threadpoolctl",
                stacklevel=5,
            )
        return contextlib.nullcontext()
    limit = 1 if multiply_adds < WORTHWHILE else usable_cores() if n is None else n
    with interrupts.held_back():  # it looks for libraries in a callback, where one would get lost
        return threadpool_limits(limits=limit, user_api="blas")


def shared(
    function: Callable[..., Result],
    jobs: Iterable[tuple[Any, ...]],
    multiply_adds: float,
    most: float = math.inf,
) -> Iterator[Result]:
    """What the function gives for each job, its arguments, in order; by threads where it pays.

    That is where each job has as many `multiply_adds` as a product that is `WORTHWHILE` to share.

    `most` is how many threads there may be at most, for jobs that take much memory.

    Jobs are taken in order in this thread, a few ahead of those that run. They are NumPy's work,
    which leaves Python's lock, and each has BLAS with one thread: so the results' bits do not
    depend on how many threads there are. Without threadpoolctl, which holds BLAS to one, they run
    one after the other, with BLAS's own threads.
    """
    controller = _blas_controller()
    if controller is None:
        yield from (function(*job) for job in jobs)
        return
    with _one_blas_thread(controller):
        pays = multiply_adds >= WORTHWHILE
        threads = min(usable_cores(), _ceiling.get(), most) if pays else 1
        if threads == 1:
            yield from (function(*job) for job in jobs)
        else:
            yield from _by_threads(function, jobs, int(threads))


def _by_threads(
    function: Callable[..., Result], jobs: Iterable[tuple[Any, ...]], threads: int
) -> Iterator[Result]:
    from concurrent.futures import ThreadPoolExecutor  # takes longer to import than a small call

    with ThreadPoolExecutor(threads) as pool:
        running: deque[Any] = deque()
        try:
            for job in jobs:
                running.append(pool.submit(copy_context().run, function, *job))
                if len(running) > 2 * threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


@functools.cache
def _blas_controller() -> Any:
    """What sets the threads of the BLAS that NumPy has loaded; None without threadpoolctl."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    with interrupts.held_back():
        return ThreadpoolController().select(user_api="blas")


class _Holders:
    """Who has BLAS held to one thread at this moment, and what undoes it."""

    def __init__(self) -> None:
        self.lock, self.n, self.limits = threading.Lock(), 0, contextlib.ExitStack()


_holders = _Holders()


@contextlib.contextmanager
def _one_blas_thread(controller: Any) -> Iterator[None]:
    """BLAS with one thread, until the last who asked for that, in any thread, is done."""
    with _holders.lock:
        if _holders.n == 0:
            _holders.limits.enter_context(controller.limit(limits=1))
        _holders.n += 1
    try:
        yield
    finally:
        with _holders.lock:
            _holders.n -= 1
            if _holders.n == 0:
                _holders.limits.close()

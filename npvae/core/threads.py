"""How many cores there are to use, and holding BLAS to a number of threads."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from . import interrupts

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


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Cores' worth of time that a container is granted, or None for no limit."""
    try:  # version 2
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:  # version 1
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        limit = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max"
        return None
    return limit if limit > 0 else None


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
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        if n is not None and matters:
            warnings.warn(
                "threads= needs threadpoolctl, which is not installed, and was ignored; "
                "install it with: pip install threadpoolctl",
                stacklevel=3,
            )
        yield
        return
    limit = 1 if multiply_adds < WORTHWHILE else usable_cores() if n is None else n
    with interrupts.held_back():  # it looks for libraries in a callback, where one would get lost
        limited = threadpool_limits(limits=limit, user_api="blas")
    with limited:
        yield

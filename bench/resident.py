"""The most memory that this process has held; on its own, so that asking brings nothing in."""

from __future__ import annotations

import sys


def peak_mib() -> float:
    """Peak resident memory of this process, in MiB.

    Linux's ``ru_maxrss`` begins, after exec, at what the parent had held, so a small program
    started by a large one reports the large one's; ``VmHWM`` is the program's own.
    """
    try:
        with open("/proc/self/status") as status:
            high = next(line for line in status if line.startswith("VmHWM:"))
        return int(high.split()[1]) / 1024
    except (OSError, StopIteration):
        from resource import RUSAGE_SELF, getrusage

        peak = getrusage(RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 1024

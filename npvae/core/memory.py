"""What the machine's memory holds, asked before it is taken.

A system may promise more memory than there is, and end the process that then fills it: no error
comes of that which Python could turn into a sentence.
"""

from __future__ import annotations

import os

from .errors import ConfigError

NARROWER = "take fewer latent dimensions, narrower hidden layers or fewer columns"


def check_memory(what: str, n_bytes: float, advice: str) -> None:
    """Raise `ConfigError` if the machine does not have so many bytes of memory at all."""
    there = machine_memory()
    if n_bytes > there:
        raise ConfigError(
            f"{what} takes {in_words(n_bytes)} of memory, and this machine has {in_words(there)}; "
            f"{advice}."
        )


def machine_memory() -> float:
    """Bytes of memory of the machine; infinity where the system does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # as on Windows
        return float("inf")


def in_words(n_bytes: float) -> str:
    """So many bytes, in the largest unit of which there is one."""
    powers = ((12, "TB"), (9, "GB"), (6, "MB"))
    power, unit = next((one for one in powers if n_bytes >= 10 ** one[0]), (0, "bytes"))
    return f"{n_bytes / 10**power:.3g} {unit}"

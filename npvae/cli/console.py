"""How commands speak, and how they end."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from ..core.streams import write_line
from ..core.wording import readable

DONE, FAILED_CHECK, BAD_INPUT, INTERRUPTED, NO_READER = 0, 1, 2, 130, 141


def say(text: str) -> None:
    """Print on standard output; nothing in names and labels reaches the terminal raw."""
    print(readable(text), flush=True)


def tell(text: str) -> None:
    """Print one line on standard error, whatever line breaks `text` has."""
    write_line(f"npvae: {readable(' '.join(text.splitlines()))}", sys.stderr)


def typed(*words: str) -> str:
    """A command as it is typed in this system's shell, each word in quotes where it needs them."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def count(n: int, noun: str) -> str:
    """The number with its noun: 1 row, 1,797 rows."""
    return f"{n:,} {noun}{'s' * (n != 1)}"

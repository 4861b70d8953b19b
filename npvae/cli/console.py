"""How commands speak, and how they end."""

from __future__ import annotations

import sys

DONE, FAILED_CHECK, BAD_INPUT, INTERRUPTED, NO_READER = 0, 1, 2, 130, 141


def tell(text: str) -> None:
    """Print one line on standard error, whatever line breaks `text` has."""
    print(f"npvae: {' '.join(text.splitlines())}", file=sys.stderr, flush=True)


def count(n: int, noun: str) -> str:
    """The number with its noun: 1 row, 1,797 rows."""
    return f"{n:,} {noun}{'s' * (n != 1)}"

"""How a command ends: its exit code, and the line on standard error."""

from __future__ import annotations

import sys

DONE, FAILED_CHECK, BAD_INPUT, INTERRUPTED, NO_READER = 0, 1, 2, 130, 141


def tell(text: str) -> None:
    """Print one line on standard error, whatever line breaks `text` has."""
    print(f"npvae: {' '.join(text.splitlines())}", file=sys.stderr, flush=True)

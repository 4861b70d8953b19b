"""Mutants that change no value, each with the reason: no test can tell them from the original.

The key is the target and then the changed statement, as ``python -m tests.mutation --list`` shows
them. An entry whose mutant no longer exists, or that a test does kill, is reported as an error.
"""

from __future__ import annotations

EQUIVALENTS: dict[str, dict[str, str]] = {}

"""Cells that say only what their number is below or above: <0.5, ≤ 3, >100, 80+."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

LONGEST = 64
"""Characters of such a cell."""
_SIGNED = re.compile(r"(<=?|≤|=<|>=?|≥|=>)\s*(.*[0-9].*)")
_PLUS = re.compile(r"(.*[0-9].*?)\s*\+")


class Limit(NamedTuple):
    """How a number beyond a limit is written, and the number that stands for it."""

    text: str
    number: float


class Beyond(NamedTuple):
    """What such a cell says: whether it is above, whether the limit is left out, and the limit."""

    above: bool
    strict: bool
    limit: str


def beyond(text: str) -> Beyond | None:
    """What a cell says of its number's limit; None of another."""
    if len(text) > LONGEST:
        return None
    if text[:1] in "<>≤≥=" and (match := _SIGNED.fullmatch(text)):
        sign = match[1]
        return Beyond(sign in (">", ">=", "≥", "=>"), sign in "<>", match[2])
    if text[-1:] == "+" and (match := _PLUS.fullmatch(text)):
        return Beyond(True, False, match[1])
    return None


def limit_from(config: Any) -> Limit | None:
    """That of a config; raises TypeError or ValueError."""
    if config is None:
        return None
    made = Limit(*config)
    if beyond(made.text) is None or not abs(made.number) < float("inf"):
        raise ValueError(f"no number is written as {config!r:.60}")
    return made


def same_text(text: str) -> str:
    """A cell without blanks: < 0.5 is <0.5."""
    return "".join(text.split())

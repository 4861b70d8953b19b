"""Text that comes from files, such as names and labels, as a terminal or a message can have it."""

from __future__ import annotations

import re

_RAW = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, among them those that a terminal obeys; marks that turn the direction of
writing; ends of lines; and halves of characters, which no encoding has."""
_RAW_IN_LINES = re.compile(_RAW.pattern.replace("\x1f", "\x09\x0b-\x1f", 1))
"""The same without the end of a line."""

LONGEST_LINE = 1000
"""Characters of a line that somebody may want to read."""


def printable(text: str, lines: bool = False) -> str:
    """Text with escapes in place of what can't be shown; `lines` lets its line ends be."""
    return (_RAW_IN_LINES if lines else _RAW).sub(_escape, text)


def cut(text: str, most: int) -> str:
    """Text of at most so many characters, with three points for those in the middle of more."""
    if len(text) <= most:
        return text
    return f"{text[: (most - 4) // 2]} ... {text[len(text) - (most - 5) // 2 :]}"


def short(name: str, most: int = 24) -> str:
    """A name or a label where there is little room."""
    name = printable(name[: most + 1])
    return name if len(name) <= most else name[: most - 1] + "…"


def readable(text: str) -> str:
    """Lines for a person: `printable`, and each cut to `LONGEST_LINE` characters."""
    return "\n".join(cut(line, LONGEST_LINE) for line in printable(text, lines=True).split("\n"))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")

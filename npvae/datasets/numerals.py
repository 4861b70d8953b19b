"""Which text is a number, which only looks like one, and which says that there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

MISSING = (
    "", "na", "n/a", "nan", "null", "none", "?", "<na>", "nat", "\\n",
    "#n/a", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!",
)  # fmt: skip
"""Cells that say, in capitals or not, that a value is not known."""
_PADDED = re.compile(r"[+-]?0[0-9]|[+-]?0+(\.0*)?e[+-]?0*[1-9]", re.IGNORECASE)
_SIMPLE = re.compile(r"(-?(0|[1-9][0-9]*)(\.[0-9]+)?(\n(?!\Z)|\Z))+")
_EXACT = 15
"""So many digits a float64 always holds."""


def is_number(cell: str) -> bool:
    """Whether Python reads a cell as a float; 1_000, which no other program writes, is none."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def is_plain(cell: str) -> bool:
    """Whether a cell is a number and no code: 007 and 0e12 are codes, as are too many digits.

    Too many are those that a float64 does not give back, as of the id 123456789012345678.
    """
    return is_number(cell) and not _PADDED.match(cell) and holds(cell)


def are_plain(cells: Sequence[str]) -> bool:
    """Whether all cells are numbers and no codes."""
    if max(map(len, cells), default=0) <= _EXACT and _SIMPLE.fullmatch("\n".join(cells)):
        return True  # the same, at once
    return all(map(is_plain, cells))


def holds(number: str) -> bool:
    """Whether a float64 that was read from this number has all its digits."""
    if len(number) <= _EXACT:
        return True
    try:
        exact = Decimal(number)
    except InvalidOperation:  # an exponent of twenty digits
        return False
    digits = len(exact.as_tuple().digits)
    return digits <= _EXACT or Decimal(f"{float(number):.{digits - 1}e}") == exact

"""How the cells of a column are written: texts to numbers and back."""

from __future__ import annotations

from .dates import ORDERS, DateFormat, reading
from .numbers import PLAIN, Ambiguous, NumberFormat, number_format, numbers_as, parts_of, unit_of
from .patterns import dates_as

__all__ = [
    "ORDERS", "PLAIN", "Ambiguous", "DateFormat", "NumberFormat", "dates_as", "number_format",
    "numbers_as", "parts_of", "reading", "unit_of",
]  # fmt: skip

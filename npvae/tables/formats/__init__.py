"""How the cells of a column are written: texts to numbers and back."""

from __future__ import annotations

from .dates import ORDERS, DateFormat, reading
from .durations import READINGS, DurationFormat, certain, durations_as, length
from .limits import Beyond, Limit, beyond
from .magnitudes import agree
from .numbers import PLAIN, Ambiguous, NumberFormat, number_format, numbers_as, parts_of, unit_of
from .patterns import dates_as

__all__ = [
    "ORDERS", "PLAIN", "READINGS", "Ambiguous", "Beyond", "DateFormat", "DurationFormat", "Limit",
    "NumberFormat", "agree", "beyond", "certain", "dates_as", "durations_as", "length",
    "number_format", "numbers_as", "parts_of", "reading", "unit_of",
]  # fmt: skip

"""Checks of arguments, with the same words everywhere."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any

from .errors import ConfigError


def whole(what: str, value: Any, least: int = 1) -> int:
    """A whole number, `least` or more, as an int; `what` names it in the error."""
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ConfigError(f"{what} is a whole number, {least} or more; got {value!r}.")
    return number


def number(what: str, value: Any, above: float = -math.inf, least: float = -math.inf) -> float:
    """A finite number greater than `above` and not less than `least`, as a float."""
    fits = isinstance(value, Real) and not isinstance(value, bool) and _finite(value)
    if not fits or value <= above or value < least:
        bound = f" above {above:g}" if above > -math.inf else ""
        bound = f", {least:g} or more" if least > -math.inf else bound
        raise ConfigError(f"{what} is a finite number{bound}; got {value!r}.")
    return float(value)


def divisor(high: float) -> str:
    """What data from 0 to `high` are to be divided by to lie in [0, 1]; bytes reach above 127."""
    return "255" if 127 < high <= 255 else "the data's maximum"


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False

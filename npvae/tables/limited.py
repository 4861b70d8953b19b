"""Columns of numbers in which some cells say only that their number is below or above all others.

One number stands for all that lie beyond a limit, a last figure's step from it. It comes in as many
rows as there are such cells, and a marginal gives it the probability of lying there (`Marginal`'s
atoms): the likelihood of a censored normal score, as Tobin has it, under any monotone transform.
Source: Tobin 1958, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .formats import Beyond, Limit, NumberFormat

LIMIT_RULE = (
    "where cells say only that their number is below or above a limit, there must be one such "
    "limit at either end, and no number beyond it"
)


def limits_of(written: NumberFormat) -> str:
    """What is said of a format's limits; empty where it has none."""
    found = [
        f"{limit.text!r} counts as {limit.number:.15g}, {side} all others"
        for limit, side in ((written.low, "below"), (written.high, "above"))
        if limit
    ]
    return " and ".join(found)


def with_limits(
    written: NumberFormat, texts: Sequence[str], limits: Mapping[str, Beyond]
) -> NumberFormat | None:
    """A format that has limits too; None where they can't be placed beyond the other numbers.

    Parameters
    ----------
    written : the format of the others
    texts : the others
    limits : by the text of a cell, what it says
    """
    if written.exponent or written.magnitudes or any("e" in text.lower() for text in texts):
        return None
    try:
        numbers = [written.parse(text) for text in texts]
        found = {text: written.parse(one.limit) for text, one in limits.items()}
    except ValueError:
        return None
    figures = [*texts, *(one.limit for one in limits.values())]
    decimals = max(map(written.decimals, figures))
    ends: dict[str, Limit | None] = {"low": None, "high": None}
    for name, above in (("low", False), ("high", True)):
        here = {text: limit for text, limit in found.items() if limits[text].above == above}
        if not here:
            continue
        text, limit = next(iter(here.items()))
        sign = 1 if above else -1
        if len(set(here.values())) > 1 or any(sign * number > sign * limit for number in numbers):
            return None
        apart = any(limits[text].strict for text in here) or limit in numbers
        number = round(limit + sign * 10.0**-decimals, decimals) if apart else limit
        ends[name] = Limit(text, number)
    return replace(written, low=ends["low"], high=ends["high"])
